"""What an evaluator needs of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from turngym.envs.browser.protocol import Page
from turngym.envs.browser.tabs import pass_time
from turngym.envs.types import InfraError


class Viewer(Protocol):
    """A page that evaluators look at and navigate. All raise :class:`turngym.envs.InfraError`."""

    @property
    def url(self) -> str:
        """The address it shows."""

    def content(self) -> str:
        """Return the document as HTML."""

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression; of a promise, what it resolves to."""

    def goto(self, url: str) -> None:
        """Load ``url`` and wait for its load event."""


@dataclass(frozen=True, slots=True)
class PageViewer:
    """Any backend's page, the one that a policy left, as a :class:`Viewer`. What does not open is our failure."""

    page: Page

    @property
    def url(self) -> str:
        """The address it shows."""
        return self.page.url

    def content(self) -> str:
        """Return the document as HTML."""
        return str(self.page.evaluate("document.documentElement ? document.documentElement.outerHTML : ''"))

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression."""
        return self.page.evaluate(js)

    def goto(self, url: str) -> None:
        """Load ``url``, and let it have its time as after a step: scripts fill in what they fill in later."""
        self.page.happenings()
        self.page.goto(url)
        pass_time(self.page)
        bad = [it for it in self.page.happenings() if it.kind in ("denied", "download", "failed")]
        if bad:
            raise InfraError("page_error", f"cannot open {url} to judge it: {bad[0].kind} {bad[0].text}")
