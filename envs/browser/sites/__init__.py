"""Real web applications, self-hosted and offline: the list of them, their installation, and private running copies.

A site is a row in :data:`SITES` and the folder of that name, in which ``serve.py`` says how the application is built,
loaded and served (the contract is in ``zygote.py``) and ``requirements.txt`` pins what it is made of. Of that folder
only ``content.py`` and what makes tasks (``task*.py``) are imported here: the rest runs in the site's own environment.
"""

from turngym.envs.browser.sites.install import install, installed, missing
from turngym.envs.browser.sites.instance import Instance
from turngym.envs.browser.sites.registry import NOW, SITES, Login, Site, site

__all__ = ["NOW", "SITES", "Instance", "Login", "Site", "install", "installed", "missing", "site"]
