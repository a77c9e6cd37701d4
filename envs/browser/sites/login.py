"""Log in to a site over HTTP, as its users would, and keep the cookies. Standard library only."""

from __future__ import annotations

import base64
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import Any

from turngym.envs.browser.sites.registry import Login
from turngym.envs.types import InfraError

TIMEOUT = 60.0
"""Longest wait for a page, seconds."""


class _Forms(HTMLParser):
    """The forms of a page: where each goes, and what its fields hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, and the fields within them."""
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((found.get("action", ""), {}))
        elif tag in ("input", "button") and self.forms and found.get("name"):
            if found.get("type") in ("checkbox", "radio") and "checked" not in found:
                return
            self.forms[-1][1][found["name"]] = found.get("value", "")


def log_in(address: str, login: Login, user: str, password: str) -> list[dict[str, Any]]:
    """Log a user in to the site at ``address``; return the cookies in Playwright's form."""
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
    url = address + login.path
    before: dict[str, str] = {}
    try:
        if login.user:
            with browser.open(url, timeout=TIMEOUT) as answer:
                page = answer.read().decode()
            before = _values(jar)
            browser.open(_filled(url, page, login, user, password), timeout=TIMEOUT).close()
        else:
            credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
            request = urllib.request.Request(url, headers={"Authorization": f"Basic {credentials}"})
            browser.open(request, timeout=TIMEOUT).close()
    except OSError as error:  # urllib's errors are of this kind
        raise InfraError("site_down", f"logging in to {url} as {user}: {error}") from None
    if _values(jar) == before:
        raise InfraError("site_down", f"logging in to {url} as {user}: refused")
    return [_playwright(cookie) for cookie in jar]


def _values(jar: CookieJar) -> dict[str, str]:
    return {cookie.name: cookie.value or "" for cookie in jar}


def _filled(url: str, page: str, login: Login, user: str, password: str) -> urllib.request.Request:
    for action, fields in _Forms(page).forms:
        if {login.user, login.password} <= fields.keys():
            filled = {**fields, login.user: user, login.password: password}
            target = urllib.parse.urljoin(url, action)
            return urllib.request.Request(target, urllib.parse.urlencode(filled).encode(), {"Referer": url})
    raise InfraError("site_down", f"{url}: no form with the fields {login.user} and {login.password}")


def _playwright(cookie: Any) -> dict[str, Any]:
    # No expiry: the site's clock is not the browser's.
    return {
        "name": cookie.name,
        "value": cookie.value,
        "domain": "127.0.0.1",
        "path": cookie.path,
        "expires": -1,
        "httpOnly": cookie.has_nonstandard_attr("HttpOnly"),
        "secure": False,
        "sameSite": "Lax",
    }
