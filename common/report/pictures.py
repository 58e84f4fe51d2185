"""Pictures small enough to go into a page: WebP, in the first of a few sizes and qualities in which all of them fit."""

from __future__ import annotations

import base64
import concurrent.futures
import functools
import io
import os
from typing import NamedTuple

import numpy as np
import PIL.Image

from common.errors import UserError
from common.images import files, pixels

SAMPLED = 24  # pictures that tell how large all of them will be
MARGIN = 1.1  # on what they tell
IN_TEXT = 4 / 3  # characters of base64 for a byte


class Size(NamedTuple):
    """How small a picture is made."""

    side: int  # the longer, in pixels, at most
    quality: int | None  # WebP's, from 0 to 100; None: without loss
    budget: int  # characters, of all pictures together, up to which it is taken


EXACT, MOST = 6_000_000, 17_000_000
SIZES = (
    Size(256, None, EXACT),
    *(Size(256, quality, MOST) for quality in (85, 70, 55, 40)),
    *(Size(side, 40, MOST) for side in (224, 192, 160)),
)
STRIP = Size(1024, 65, MOST)


class Source(NamedTuple):
    """Where a picture is, and which of its values are black and white; None: as it is."""

    path: object
    span: tuple | None = None


class Picture(NamedTuple):
    """A picture in the page."""

    width: int
    height: int
    webp: str  # base64


def span(config, domain):
    """(low, high) of a domain, by config.json; None if that does not say, or the images have 8 bits."""
    found = config.get("domains", {}).get(domain, {}) if isinstance(config.get("domains"), dict) else {}
    if not isinstance(found, dict) or found.get("dtype", "uint8") == "uint8":
        return None
    low, high = found.get("low"), found.get("high")
    return (float(low), float(high)) if isinstance(low, (int, float)) and isinstance(high, (int, float)) else None


def picture(source, size):
    """The Picture of a Source; None if that does not read. What was made before is kept in memory."""
    return _of_file(_picture, source, size)


def strip(path):
    """The Picture of a sample strip; None if that does not read. Kept are a few: a training makes thousands of them."""
    return _of_file(_strip, Source(path), STRIP)


def fitting(groups):
    """(Size, {Source: Picture}) for groups of Sources, the most important first.

    Later groups are without pictures if all of them do not fit in the least size. What does not read is left out.
    """
    sources = list(dict.fromkeys(source for group in groups for source in group))
    if not sources:
        return SIZES[0], {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        size, share = _size(sources, workers)
        wanted = sources[: max(1, int(len(sources) * min(1.0, share)))]
        made = list(workers.map(lambda source: picture(source, size), wanted))
    return size, _within(dict(zip(wanted, made)), size.budget)


def _size(sources, workers):
    """The first Size in which all fit, as a few of them tell, or the last; and the share of them that fits."""
    few = [sources[i] for i in np.unique(np.linspace(0, len(sources) - 1, SAMPLED).astype(int))]
    for size in SIZES:
        made = [each for each in workers.map(lambda source, size=size: picture(source, size), few) if each]
        needed = sum(len(each.webp) for each in made) / len(few) * len(sources) * MARGIN
        if needed <= size.budget:
            break
    return size, size.budget / max(1.0, needed)


def _within(made, budget):
    """Those of the pictures that fit in the budget, the first of them."""
    kept, used = {}, 0
    for source, each in made.items():
        used += len(each.webp) if each else 0
        if each and used <= budget:
            kept[source] = each
    return kept


def _of_file(make, source, size):
    try:
        about = os.stat(source.path)
        return make(source, size, about.st_mtime_ns, about.st_size)
    except (OSError, UserError):
        return None


def _made(source, size, changed, bytes_of_file):
    image = PIL.Image.fromarray(_eight_bits(pixels.opaque(files.decode(source.path)), source.span))
    scale = min(1.0, size.side / max(image.size))
    if scale < 1.0:
        wanted = [max(1, round(side * scale)) for side in image.size]
        image = image.resize(wanted, PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
    written = io.BytesIO()
    how = {"lossless": True, "method": 0} if size.quality is None else {"quality": size.quality, "method": 1}
    image.save(written, "WEBP", **how)
    return Picture(*image.size, base64.b64encode(written.getvalue()).decode("ascii"))


_picture, _strip = functools.lru_cache(8192)(_made), functools.lru_cache(32)(_made)


def _eight_bits(image, span):
    """[H, W, C] of any type as 8 bits of RGB."""
    shown = pixels.to_look_at(image)
    if shown.dtype == np.uint8 and span is None:
        return np.ascontiguousarray(shown)
    low, high = span or (0.0, pixels.full(shown.dtype))
    share = np.nan_to_num((shown.astype(np.float64) - low) / ((high - low) or 1.0))
    return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)
