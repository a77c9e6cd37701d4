"""What others catch; apart from what raises it, so that catching it loads no torch."""

from __future__ import annotations


class GateFailure(Exception):
    """A broken promise between sampler and trainer: ``check`` names it, ``why`` says what was seen where."""

    def __init__(self, check: str, why: str) -> None:
        super().__init__(f"gate: {check}: {why}")
        self.check, self.why = check, why
