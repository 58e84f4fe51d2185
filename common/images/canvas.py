"""What a canvas in a page needs to know of the images of a domain that are drawn on it."""

from __future__ import annotations

from typing import Any

from common.images.colours import Colours
from common.images.pixels import Domain

LARGEST = 1024  # height and width in pixels


def of_domain(domain: Domain, sides: tuple[int, int], colours: Colours) -> dict[str, Any] | None:
    """Returns the options of drawing.js for images of `sides` (height, width).

    None if a domain has no drawings of 8 bits, gray or RGB.
    """
    if domain.dtype != "uint8" or domain.channels not in (1, 3):
        return None
    scale = min(1.0, LARGEST / max(sides))
    height, width = (max(1, round(side * scale)) for side in sides)
    return {"height": height, "width": width, **colours._asdict()}
