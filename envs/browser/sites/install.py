"""Install sites: a virtual environment, a seeded pristine state, and users who are logged in to it.

A site is installed in a folder whose name holds a fingerprint of its scripts, so that a changed seed is a new
installation. It is made in another folder and then renamed: what has the name is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from turngym.envs.browser.sites.registry import SITES, Site
from turngym.envs.browser.sites.registry import site as find
from turngym.envs.browser.sites.zygote import die_with_parent
from turngym.envs.types import BadInput, InfraError

VARIABLE = "TURNGYM_SITES"
"""Environment variable: the folder that holds the installed sites."""

COMMAND = "turngym sites install"
FORMAT = 1
"""Raised when installations are made in another way."""
NOT_SERVED = "task*.py"
"""Files in a site's folder that its server does not read."""

Report = Callable[[str], None]


def root() -> Path:
    """Return the folder that holds the installed sites; it may not be there yet."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "turngym" / "sites"


@functools.cache
def fingerprint(site: Site) -> str:
    """Return 12 hexadecimal digits that change with whatever an installation is made of."""
    digest = hashlib.sha256(f"{FORMAT} {sys.version_info[:2]} {sorted(site.users.items())}".encode())
    for file in sorted(site.folder.rglob("*")):
        name = file.relative_to(site.folder).as_posix()
        if file.is_file() and "__pycache__" not in name and not fnmatch.fnmatch(name, NOT_SERVED):
            digest.update(f"\0{name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def place(site: Site) -> Path:
    """Return the folder that a site is, or would be, installed in."""
    return root() / f"{site.name}-{fingerprint(site)}"


def installed(name: str | Site) -> bool:
    """Whether a site is installed as these scripts want it; :class:`BadInput` if there is none of this name."""
    return place(find(name)).is_dir()


def missing(names: Sequence[str] | None = None) -> str | None:
    """Return the one command that installs what is not installed of these sites (default: all); None if nothing."""
    wanted = list(SITES if names is None else names)
    lacking = [name for name in wanted if not installed(name)]
    if not lacking:
        return None
    return COMMAND if names is None else f"{COMMAND} {' '.join(lacking)}"


def folder_of(site: Site) -> Path:
    """Return the folder of an installed site; :class:`BadInput` says how to install it."""
    if not place(site).is_dir():
        raise BadInput(f"site {site.name!r} is not installed: run `{COMMAND} {site.name}`")
    return place(site)


def install(name: str | Site, report: Report = lambda line: None) -> bool:
    """Install a site unless it is installed; return whether anything was done. ``report`` gets a line a stage.

    Errors: :class:`BadInput` for a Debian package that is missing and cannot be installed; :class:`InfraError` of kind
    ``install_failed`` or ``site_down`` for what went wrong on the way, which leaves nothing behind.
    """
    site = find(name)
    if installed(site):
        return False
    root().mkdir(parents=True, exist_ok=True)
    with _alone(site):
        if installed(site):  # by whoever we waited for
            return False
        _need_debian(site, report)
        making = Path(tempfile.mkdtemp(prefix=f".{site.name}-", dir=root()))
        try:
            _make(site, making, report)
            making.chmod(0o755)
            making.rename(place(site))
        finally:
            shutil.rmtree(making, ignore_errors=True)
        _remove_others(site)
    return True


@contextlib.contextmanager
def _alone(site: Site) -> Iterator[None]:
    """Keep other installers of the site waiting; what one that was killed left is removed."""
    with (root() / f".lock-{site.name}").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in root().glob(f".{site.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _make(site: Site, folder: Path, report: Report) -> None:
    from turngym.envs.browser.sites.instance import Instance
    from turngym.envs.browser.sites.login import log_in

    python = str(folder / "venv" / "bin" / "python")
    pip = ["--without-pip"] if not site.requirements else []
    report(f"{site.name}: virtual environment")
    _run([sys.executable, "-m", "venv", *pip, str(folder / "venv")], site)
    if site.requirements:
        report(f"{site.name}: {len(site.requirements)} packages")
        quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
        _run([python, "-I", "-m", "pip", "install", *quiet, "-r", str(site.folder / "requirements.txt")], site)
    report(f"{site.name}: content")
    (folder / "pristine").mkdir()
    (folder / "in-use").touch()
    zygote = str(Path(__file__).with_name("zygote.py"))
    _run([python, "-I", zygote, "build", str(site.folder), str(folder)], site)
    report(f"{site.name}: logging {len(site.users)} users in")
    (folder / "states").mkdir()
    instance = Instance(site, folder=folder, in_place=True)
    try:
        for user, password in site.users.items():
            state = {"cookies": log_in(instance.address, site.login, user, password), "origins": []}
            (folder / "states" / f"{user}.json").write_text(json.dumps(state, indent=1))
    finally:
        instance.close()


def _run(command: list[str], site: Site) -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    with_us = functools.partial(die_with_parent, os.getpid())
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        preexec_fn=with_us,
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        why = lines[-1] if lines else f"exit code {done.returncode}"
        raise InfraError("install_failed", f"{site.name}: {' '.join(command[1:4])}: {why}")


def _need_debian(site: Site, report: Report) -> None:
    """Install Debian packages that are not there, which takes root."""
    lacking = [package for package in site.debian if not _has_debian(package)]
    if not lacking:
        return
    line = f"apt-get install -y --no-install-recommends {' '.join(lacking)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BadInput(f"site {site.name!r} needs Debian packages: run `{line}` as root")
    report(f"{site.name}: {line}")
    _run(["env", "DEBIAN_FRONTEND=noninteractive", *line.split()], site)


def _has_debian(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def _remove_others(site: Site) -> None:
    """Remove installations of the site with other fingerprints, unless somebody runs them."""
    for other in root().glob(f"{site.name}-*"):
        if other == place(site):
            continue
        with contextlib.suppress(OSError), (other / "in-use").open() as in_use:
            fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = root() / f".{other.name}"
            other.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
