"""Files of a run's folder, written whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from turngym.envs import InfraError


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full or failing disk into one clear line."""
    try:
        yield
    except OSError as error:
        if isinstance(error, InfraError):
            raise
        kind = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "disk_error"
        raise InfraError(kind, f"{folder}: {error.strerror or error}") from None
