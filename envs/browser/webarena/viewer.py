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
    """Any backend's page, the one that a policy left, as a :class:`Viewer`.

    What does not open, not in time, or with a server's error (5xx) is our failure, not the policy's.
    """

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
        bad = [f"{it.kind} {it.text}" for it in self.page.happenings() if it.kind in NOT_OPENED]
        if (status := http_status(self.page)) >= 500:
            bad.append(f"HTTP {status}")
        if bad:
            raise InfraError("page_error", f"cannot open {url} to judge it: {bad[0]}")


NOT_OPENED = ("denied", "download", "failed", "slow")
"""What may happen instead of a page."""


def http_status(page: Page) -> int:
    """Return the status that a page's document came with; 0 where there is none to know."""
    return int(page.evaluate("performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0"))
