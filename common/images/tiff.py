"""TIFF of any depth and any number of bands."""

from __future__ import annotations

import logging
import math
from typing import NamedTuple

import numpy as np
import tifffile

from common.images.pixels import Image, full

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong with a file is an error, or does no harm

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 274  # tag
PLAIN = {  # photometric interpretations, with the samples that Pillow reads of them in 8 bits
    "MINISWHITE": {1},
    "MINISBLACK": {1},
    "RGB": {3, 4},
    "PALETTE": {1},
    "SEPARATED": {4},
    "YCBCR": {3},
    "CIELAB": {3},
}
CONVERTED = {"SEPARATED", "YCBCR", "CIELAB", "PALETTE"}  # to RGB, by Pillow alone
ALPHA = ("ASSOCALPHA", "UNASSALPHA")
LARGEST_PART = 2**26  # values in a strip or a tile, at most, unless the image has more


class Layout(NamedTuple):
    """What a file holds, by its header."""

    shape: tuple  # (H, W, C)
    dtype: np.dtype
    alpha: str | None  # what the last of C means: a name of ALPHA
    plain: bool  # whether Pillow reads it, as well or better: colours are converted, and every compression


def layout(path):
    """The Layout of a file: of several pages the first, or all if it says that they are the bands of one image."""
    with _opened(path) as file:
        return _layout(file)


def decode(path):
    """The Image in a file, of the type that it is stored in, turned upright."""
    with _opened(path) as file:
        found, page, image = _layout(file), file.pages[0], _image(file)
        for each in (page,) if image is page else filter(None, image.pages):
            _check_parts(each)
        pixels = image.asarray()
        pixels = np.moveaxis(pixels, _band_axis(image), -1) if pixels.ndim == 3 else pixels
        pixels = _upright(pixels.reshape(found.shape), page.tags.valueof(ORIENTATION, 1))
    if page.photometric.name == "MINISWHITE" and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if not found.alpha:
        return Image(pixels)
    return _independent(pixels[..., :-1], pixels[..., -1:]) if found.alpha == ALPHA[0] else _split(pixels)


def write(path, pixels, alpha=None):
    """Writes [H, W, C] of any type, and its transparency, if it has any."""
    photometric, colours = ("rgb", 3) if pixels.shape[-1] == 3 else ("minisblack", 1)
    both = pixels if alpha is None else np.concatenate([pixels, alpha], axis=-1)
    if both.shape[-1] == 1:
        tifffile.imwrite(path, both[..., 0], photometric=photometric, metadata=None)
        return
    extra = ["unspecified"] * (pixels.shape[-1] - colours) + ["unassalpha"] * (alpha is not None)
    tifffile.imwrite(path, both, photometric=photometric, planarconfig="contig", extrasamples=extra, metadata=None)


def _opened(path):
    return tifffile.TiffFile(path, _multifile=False)  # an OME-TIFF may name other files, which would be read


def _layout(file):
    if not file.pages:
        raise ValueError("it ends too early")
    _check_pages(file)
    page, image = file.pages[0], _image(file)
    shape, samples, colours = list(image.shape), page.samplesperpixel, getattr(page.photometric, "name", "")
    if len(shape) == 3:
        shape.append(shape.pop(_band_axis(image)))
    elif len(shape) == 2:
        shape.append(1)
    else:
        raise ValueError(f"it holds an array of {len(shape)} dimensions, {image.axes}")
    extra = [each.name for each in page.extrasamples]
    alpha = extra[-1] if extra and extra[-1] in ALPHA and samples == shape[-1] else None
    with_alpha = samples == 4 and colours == "RGB"
    fits = image is page or len(image.pages) == 1
    plain = page.bitspersample <= 8 and fits and samples in PLAIN.get(colours, set()) and (not with_alpha or alpha)
    if not plain and colours in CONVERTED:
        raise ValueError(f"its colours are {colours}, of {page.bitspersample} bits: convert it to RGB")
    return Layout(tuple(shape), page.dtype, alpha, bool(plain))


def _check_pages(file):
    """Raises ValueError if the next page of one is an earlier one: the list of them would have millions."""
    seen = set()
    for page in file.pages:
        if page.offset in seen:
            raise ValueError("its pages come in a circle")
        seen.add(page.offset)


def _check_parts(page):
    """Raises ValueError if a page has not all of its strips or tiles, or such as are far larger than the image.

    What is missing would be read as zeros, thousands of times; what is too large would be made room for.
    """
    count, wanted, size = len(page.dataoffsets), math.prod(page.keyframe.chunked), math.prod(page.keyframe.chunks)
    if count < wanted:
        raise ValueError(f"it has {count} of the {wanted} parts of its image")
    if size > max(LARGEST_PART, page.keyframe.size):
        raise ValueError(f"its parts have {size} values each, and its image {page.keyframe.size}")


def _image(file):
    """The first page, or the series of all pages where the file says that they are bands."""
    series = file.series[0]
    several = len(series.pages) > 1
    says = series.kind in ("shaped", "imagej", "ome") and len(series.shape) == 3 and set(series.axes) <= set("SCQYX")
    return file.pages[0] if several and not says else series


def _band_axis(image):
    """Which of three axes is that of the bands: the one called so, or the shortest."""
    named = [i for i, axis in enumerate(image.axes) if axis in "SC"]
    return named[0] if named else int(np.argmin(image.shape))


def _upright(pixels, orientation):
    """[H, W, C] as the tag says that it is to be seen."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _split(pixels):
    return Image(pixels[..., :-1], pixels[..., -1:])


def _independent(pixels, alpha):
    """The Image of pixels that were stored multiplied by their alpha."""
    share = np.where(alpha > 0, alpha / full(alpha.dtype), 1.0)
    whole = np.clip(pixels / share, 0, full(pixels.dtype))
    return Image((whole if pixels.dtype.kind == "f" else np.rint(whole)).astype(pixels.dtype), alpha)
