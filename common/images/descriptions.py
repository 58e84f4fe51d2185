"""Limits on the images and planes that a TIFF description declares, checked before tifffile lists them."""

from __future__ import annotations

import html
import math
import re

PLANES = 2**14  # of all images of an OME-TIFF
IMAGES = 1024  # in it: the limit on pages
IMAGE = re.compile(r"<(?:[^\s<>:]+:)?Image\b")  # where each image begins
COUNTS = re.compile(r"""\b(SizeC|SizeT|SizeZ|PlaneCount)\s*=\s*["']\s*(\d+)""")


def check(text: str) -> None:
    """Raises ValueError if the description of an OME-TIFF declares more images or planes than are read."""
    if "<!ENTITY" in text:
        raise ValueError("its description defines XML entities")
    images = IMAGE.split(html.unescape(text))
    if len(images) - 1 > IMAGES:
        raise ValueError(f"its description declares more than {IMAGES:,} images: split it")
    if max(map(sum, zip(*map(_planes, images)))) > PLANES:
        raise ValueError(f"its description declares more than {PLANES:,} planes")


def _planes(image: str) -> tuple[int, int]:
    """The planes of an image: the product of its sizes, and the number that it lists."""
    sides: dict[str, int] = {}
    listed = 0
    for match in COUNTS.finditer(image):
        name, digits = match[1], match[2]
        count = int(digits) if len(digits) < 10 else PLANES + 1
        if name == "PlaneCount":
            listed += count
        else:
            sides[name] = max(sides.get(name, 1), count)
    return math.prod(sides.values()) if sides else 0, listed
