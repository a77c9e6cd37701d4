"""The named functions that task files may call in ``func:`` expressions, and the reading of such expressions.

An expression is parsed, never evaluated: one call of a known name, whose arguments are literals, ``__page__`` (the
:class:`Viewer`) or ``__last_url__`` (the address at which the policy ended).
"""

from __future__ import annotations

import ast
import contextlib
import http.client
import inspect
import json
import os
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from turngym.envs.browser.webarena.viewer import Viewer
from turngym.envs.types import BadInput, InfraError

Helper = Callable[..., Any]
"""Takes what stands in the file, in place, and the keyword ``addresses``; gives a text, an address or a number."""

LAST_URL = "__last_url__"
SITE_SECONDS = 30.0
"""Longest wait for a site's answer."""


class Marker(Enum):
    """An argument that is known only when a task is scored."""

    PAGE = "__page__"
    LAST_URL = LAST_URL


@dataclass(frozen=True, slots=True)
class Call:
    """A ``func:`` expression, read."""

    name: str
    arguments: tuple[str | int | float | bool | Marker | None, ...]

    def __str__(self) -> str:
        shown = (one.value if isinstance(one, Marker) else repr(one) for one in self.arguments)
        return f"func:{self.name}({', '.join(shown)})"


def read_call(text: str, helpers: Mapping[str, Helper]) -> Call:
    """Read what stands behind ``func:``; :class:`BadInput` says what is not allowed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd backslash in a selector
            call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadInput(f"{text[:80]!r} is not a call such as helper('x')") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise BadInput(f"{text[:80]!r} is forbidden: expected one call of a helper's name")
    name = call.func.id
    if name not in helpers:
        raise BadInput(f"unknown helper {name!r}; known are {', '.join(sorted(helpers))}")
    if call.keywords:
        raise BadInput(f"{text[:80]!r} is forbidden: a helper takes no keywords")
    arguments = tuple(_argument(node) for node in call.args)
    try:
        inspect.signature(helpers[name]).bind(*arguments, addresses={})
    except TypeError as error:
        raise BadInput(f"{text[:80]!r} does not fit the helper: {error}") from None
    return Call(name, arguments)


def _argument(node: ast.expr) -> str | int | float | bool | Marker | None:
    if isinstance(node, ast.Name) and node.id in (Marker.PAGE.value, Marker.LAST_URL.value):
        return Marker(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool | None):
        return Marker.LAST_URL if node.value == LAST_URL else node.value
    raise BadInput(f"{ast.unparse(node)[:80]!r} is forbidden: an argument is a literal, __page__ or __last_url__")


# The helpers ------------------------------------------------------------------------------------------------------


def reddit_get_post_url(url: str, *, addresses: Mapping[str, str]) -> str:
    """Return the address of the post (``/f/FORUM/ID/``) that an address lies in; any other address as it is."""
    parts = urlsplit(url)
    steps = parts.path.split("/")
    if len(steps) < 4 or steps[1] != "f":
        return url
    return f"{parts.scheme}://{parts.netloc}/f/{steps[2]}/{steps[3]}/"


def gitlab_get_project_memeber_role(page: Viewer, account: str, *, addresses: Mapping[str, str]) -> str:
    """Return an account's role on a project's page of members, or nothing. (The name is the data's.)"""
    look = """(() => {
        const labels = document.querySelectorAll("td[data-label='Account'] span.gl-avatar-labeled-sublabel");
        const row = [...labels].findIndex((label) => label.outerText === ACCOUNT);
        return document.querySelectorAll("td.col-max-role span")[row]?.outerText ?? "";
    })()"""
    return str(page.evaluate(look.replace("ACCOUNT", json.dumps("@" + account))))


def get_query_text(page: Viewer, selector: str, *, addresses: Mapping[str, str]) -> str:
    """Return the text of the first element that a CSS selector names, or nothing."""
    look = f"document.querySelector({json.dumps(selector)})?.textContent ?? ''"
    return str(page.evaluate(f"(() => {{ try {{ return {look}; }} catch {{ return ''; }} }})()"))


def get_query_text_lowercase(page: Viewer, selector: str, *, addresses: Mapping[str, str]) -> str:
    """Return the same in lower case."""
    return get_query_text(page, selector, addresses=addresses).lower()


def shopping_get_latest_order_url(*, addresses: Mapping[str, str]) -> str:
    """Return the address of the shop's newest order, or nothing where there is none."""
    order = {"field": "created_at", "direction": "DESC"}
    query = {f"searchCriteria[sortOrders][0][{key}]": value for key, value in order.items()}
    base = _shop(addresses)
    answer = _ask_shop(base, "/rest/V1/orders?" + urlencode({**query, "searchCriteria[pageSize]": "1"}))
    with _answer_of(base):
        items = answer["items"]
        return f"{base}/sales/order/view/order_id/{int(items[0]['increment_id'])}/" if items else ""


def shopping_get_sku_latest_review_author(sku: str, *, addresses: Mapping[str, str]) -> str:
    """Return who wrote a product's newest review, or nothing."""
    base = _shop(addresses)
    reviews = _ask_shop(base, f"/rest/V1/products/{quote(sku, safe='')}/reviews")
    with _answer_of(base):
        return str(reviews[-1]["nickname"]) if reviews else ""


def shopping_get_sku_latest_review_rating(sku: str, *, addresses: Mapping[str, str]) -> str:
    """Return the rating of a product's newest review in percent, or nothing."""
    base = _shop(addresses)
    reviews = _ask_shop(base, f"/rest/V1/products/{quote(sku, safe='')}/reviews")
    with _answer_of(base):
        return str(reviews[-1]["ratings"][0]["percent"]) if reviews else ""


HELPERS: Mapping[str, Helper] = {
    helper.__name__: helper
    for helper in (
        reddit_get_post_url, gitlab_get_project_memeber_role, get_query_text, get_query_text_lowercase,
        shopping_get_latest_order_url, shopping_get_sku_latest_review_author, shopping_get_sku_latest_review_rating,
    )
}  # fmt: skip
"""WebArena's five, and VisualWebArena's two for any site. A site adds its own: ``{**HELPERS, "mine": mine}``."""


# The Magento shop's web API ---------------------------------------------------------------------------------------


def _shop(addresses: Mapping[str, str]) -> str:
    if "__SHOPPING__" not in addresses:
        raise InfraError("site_down", "this task asks the shopping site, and no address is given for __SHOPPING__")
    return addresses["__SHOPPING__"].rstrip("/")


def _ask_shop(base: str, path: str) -> Any:
    # The published images' administrator, unless told otherwise.
    user = os.environ.get("SHOPPING_ADMIN_USERNAME", "admin")
    password = os.environ.get("SHOPPING_ADMIN_PASSWORD", "admin1234")
    login = json.dumps({"username": user, "password": password}).encode()
    token = _json(urllib.request.Request(base + "/rest/default/V1/integration/admin/token", login))
    return _json(urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"}))


def _json(request: urllib.request.Request) -> Any:
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=SITE_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        raise InfraError("site_down", f"{request.full_url}: HTTP {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InfraError("site_down", f"{request.full_url}: {error or type(error).__name__}") from None


@contextlib.contextmanager
def _answer_of(base: str) -> Iterator[None]:
    """A site whose answer has another shape than its API promises is broken; the policy is not to blame."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise InfraError("site_down", f"{base}: unexpected answer ({type(error).__name__}: {error})") from None
