"""Arranges images in rows, for the pictures of the tutorial."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from PIL import Image

GAP = 4  # pixels between images
WIDEST = 1100  # pixels


def spread(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Returns paths of a folder's images, evenly spread over their names."""
    paths = sorted(folder.glob("*.png"))
    return [paths[place * len(paths) // count] for place in range(count)]


def opened(path: pathlib.Path) -> Image.Image:
    """Returns an image as RGB."""
    with Image.open(path) as image:
        return image.convert("RGB")


def rows(paths: Sequence[Sequence[pathlib.Path]], width: int = 0) -> Image.Image:
    """Returns rows of images, all as wide as the first one, or `width` pixels."""
    strips = [_row([opened(path) for path in row]) for row in paths]
    width = width or min(WIDEST, strips[0].width)
    strips = [row.resize((width, round(row.height * width / row.width)), Image.Resampling.LANCZOS) for row in strips]
    picture = Image.new("RGB", (width, sum(row.height + GAP for row in strips) - GAP), "white")
    y = 0
    for row in strips:
        picture.paste(row, (0, y))
        y += row.height + GAP
    return picture


def _row(images: Sequence[Image.Image]) -> Image.Image:
    """Returns images next to each other, as high as the first one."""
    height = images[0].height
    resized = [image.resize((round(image.width * height / image.height), height)) for image in images]
    row = Image.new("RGB", (sum(image.width + GAP for image in resized) - GAP, height), "white")
    x = 0
    for image in resized:
        row.paste(image, (x, 0))
        x += image.width + GAP
    return row
