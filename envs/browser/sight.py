"""What an environment of the family sees of a page: its kinds of observation, taken together and timed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from turngym.envs.browser import observations
from turngym.envs.browser.marks import draw_marks
from turngym.envs.browser.observations import Reading
from turngym.envs.browser.protocol import Page
from turngym.envs.browser.view import View
from turngym.envs.types import Image, InfraError


class Sight:
    """The kinds of observation that were asked for, and the view in which pictures are shown."""

    def __init__(self, wanted: object, view: View) -> None:
        self.kinds = observations.check_kinds(wanted)
        self.view = view
        self.draws = observations.draws(self.kinds)
        """Whether a picture of the page is needed."""
        self.numbers = observations.numbers(self.kinds)
        """Whether elements are numbered."""
        self.readings: dict[str, Reading] = {}
        self.timings: dict[str, float] = {}
        """Seconds that each kind took the last time."""

    @contextlib.contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Note how long something takes."""
        began = time.perf_counter()
        yield
        self.timings[kind] = time.perf_counter() - began

    def look(self, page: Page | None, frame: Image | None) -> tuple[Image, ...]:
        """Read a page; return its picture ``frame`` as the kinds show it: plain, with numbered boxes, both or not."""
        for kind in self.kinds:
            if kind != "screenshot":
                if page is None:
                    raise InfraError("browser_died", "there is no page to read")
                with self.timed(kind):
                    self.readings[kind] = observations.read(page, kind)
        if frame is None:
            return ()
        picture = self.view.show(frame)
        plain = (picture,) if {"screenshot", "elements"} & set(self.kinds) else ()
        if "marks" not in self.kinds:
            return plain
        reading = self.timings["marks"]
        with self.timed("marks"):
            marked = draw_marks(picture, self.readings["marks"].marks, self.view.to_image(1.0, 1.0))
        self.timings["marks"] += reading
        return (*plain, marked)

    def tell(self) -> str:
        """Return what the kinds say of the page that was looked at last, each under its name if there are several."""
        told = [(kind, self.readings[kind].text) for kind in self.kinds if kind in self.readings]
        return told[0][1] if len(told) == 1 else "\n".join(f"{kind}:\n{text}" for kind, text in told)
