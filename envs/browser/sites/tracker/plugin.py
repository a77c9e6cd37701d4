"""Logging in to Trac with a form: Trac itself leaves passwords to the web server."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

from trac.core import implements
from trac.web.api import IRequestHandler
from trac.web.auth import LoginModule
from trac.web.chrome import ITemplateProvider

from .content import USERS  # noqa: TID251  (relative: the site's own environment knows no turngym)


class FormLogin(LoginModule):  # type: ignore[misc]  # Trac has no types
    """A page with two fields in the place of the browser's dialog; the session is Trac's own."""

    implements(IRequestHandler, ITemplateProvider)

    def process_request(self, req: Any) -> Any:
        """Show the form, judge what was sent, or log out."""
        if not req.path_info.startswith("/login") or req.is_authenticated:
            return super().process_request(req)
        data = {"refused": False, "user": "", "referer": req.args.get("referer") or req.get_header("Referer") or ""}
        if req.method == "POST":
            user, password = req.args.get("user", ""), req.args.get("password", "")
            if hmac.compare_digest(USERS.get(user, "").encode(), password.encode()) and password:
                req.environ["REMOTE_USER"] = user
                return super().process_request(req)
            data |= {"refused": True, "user": user}
        return "form_login.html", data

    def get_htdocs_dirs(self) -> list[tuple[str, str]]:
        """No files of its own: they are served before Trac is asked."""
        return []

    def get_templates_dirs(self) -> list[str]:
        """Where the form is."""
        return [str(Path(__file__).parent)]
