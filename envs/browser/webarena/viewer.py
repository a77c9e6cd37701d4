"""What an evaluator needs of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from turngym.envs.browser.protocol import Page


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
    """Any browser backend's page as a :class:`Viewer`."""

    page: Page

    @property
    def url(self) -> str:
        """The address it shows."""
        return str(self.page.evaluate("location.href"))

    def content(self) -> str:
        """Return the document as HTML."""
        return str(self.page.evaluate("document.documentElement ? document.documentElement.outerHTML : ''"))

    def evaluate(self, js: str) -> Any:
        """Return the JSON value of a JavaScript expression."""
        return self.page.evaluate(js)

    def goto(self, url: str) -> None:
        """Load ``url``."""
        self.page.goto(url)
