"""Product pictures in the sizes that templates ask for. They are drawn when the shop is installed."""

from typing import Any

from django.conf import settings
from oscar.core.thumbnails import AbstractThumbnailer

from .pictures import SIZES


class Picture:
    """One picture file, with what templates ask of it."""

    def __init__(self, url: str, width: int, height: int) -> None:
        self.url, self.width, self.height = url, width, height


class Drawn(AbstractThumbnailer):
    """Gives the smallest drawn picture that is as high as asked for; others' pictures as they are."""

    def generate_thumbnail(self, source: Any, **opts: Any) -> Picture:
        """Return the picture for ``source``, an image field of ``large/ID.png`` or the name of a file."""
        name = getattr(source, "name", None) or str(source)
        folder, _, file = name.partition("/")
        if folder not in SIZES:
            return Picture(settings.MEDIA_URL + name, *SIZES["large"])
        wanted = int(opts["size"].partition("x")[2] or 0)
        fitting = [size for size in sorted(SIZES, key=lambda size: SIZES[size][1]) if SIZES[size][1] >= wanted]
        size = (fitting or ["large"])[0]
        return Picture(f"{settings.MEDIA_URL}{size}/{file}", *SIZES[size])

    def delete_thumbnails(self, source: Any) -> None:
        """Keep them: they are shared by all copies of the shop."""
