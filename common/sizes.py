"""Sizes of images in settings: one number of pixels for a square, HEIGHTxWIDTH for others."""

from __future__ import annotations

import re
from typing import TypeAlias

Size: TypeAlias = int | str

PATTERN = r"[1-9]\d{0,4}x[1-9]\d{0,4}"


def sides(size: Size) -> tuple[int, int]:
    """Returns (height, width) in pixels.

    >>> sides(256), sides("512x256")
    ((256, 256), (512, 256))
    """
    if not isinstance(size, str):
        return size, size
    height, _, width = size.partition("x")
    return int(height), int(width or height)


def is_size(text: str) -> bool:
    """Whether a text has the form HEIGHTxWIDTH."""
    return re.fullmatch(PATTERN, text) is not None


def of_sides(height: int, width: int) -> Size:
    """Returns the size with these sides: a number for a square.

    >>> of_sides(64, 64), of_sides(512, 256)
    (64, '512x256')
    """
    return height if height == width else f"{height}x{width}"


def parse(text: str) -> Size:
    """Returns the size that a text describes; raises ValueError if it is not a size.

    >>> parse("256"), parse("512x256"), parse("64x64")
    (256, '512x256', 64)
    """
    return of_sides(*sides(text)) if is_size(text) else int(text)


def nearest(size: Size, multiple: int) -> Size:
    """Returns the size next to `size` whose sides are multiples of `multiple`.

    >>> nearest("500x300", 256)
    '512x256'
    """
    return of_sides(*(max(multiple, round(side / multiple) * multiple) for side in sides(size)))


def fits(size: Size, multiple: int) -> bool:
    """Whether `multiple` divides both sides of `size`."""
    return not any(side % multiple for side in sides(size))
