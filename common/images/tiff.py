"""TIFF with any bit depth and any number of bands."""

from __future__ import annotations

import logging
import math
import os
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tifffile

from common.images import bounds, descriptions, profiles, unpacking
from common.images.pixels import ON_EARTH, Array, Image, Note, Place, full, plausible

Page: TypeAlias = "tifffile.TiffPage | tifffile.TiffFrame"

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # problems of a file are raised, or harmless

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION, PROFILE, NO_DATA = 274, 34675, 42113  # tags
GEO = (33550, 33922, 34264, 34735, 34736, 34737, 50844)  # tags: scale, tie points, matrix, keys; coefficients (RPC)
MOST_GEO = 2**16  # numbers in one such tag
OF_VALUES = {42112: "GDAL_METADATA", NO_DATA: "GDAL_NODATA"}  # tags that describe the values
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
COPY = 1 | 4  # bits of the kind of a page: a smaller copy, a mask
INCH = {2: 1.0, 3: 2.54}  # by unit of resolution: units per inch
PLAIN = {  # photometric interpretations, with the samples per pixel that Pillow reads in 8 bits
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
LARGEST_PART = 2**26  # values in a strip or a tile, unless the image has more
BANDS = (
    "save bands with tifffile's photometric='minisblack', [C, H, W] with metadata={'axes': 'CYX'} and [H, W, C] with"
    " planarconfig='contig'"
)
PACKED = {  # compression tags of the methods that Python unpacks without a bound
    **dict.fromkeys((8, 32946, 50013), unpacking.DEFLATE),
    34925: unpacking.LZMA,
    **dict.fromkeys((50000, 34926), unpacking.ZSTD),
}
PACK_BITS = 32773  # expands at most 64-fold
SPARE = 2**20  # bytes by which all strips of a page together may exceed what its image needs
PACKING = 1024  # bytes by which a packed strip may exceed twice what it holds
MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # each byte with its bits reversed


class Layout(NamedTuple):
    """The layout of the image in a file, from its header."""

    shape: tuple[int, int, int]  # (H, W, C)
    dtype: np.dtype[Any] | None  # None: NumPy has no such type
    alpha: str | None  # meaning of the last of C: a name of ALPHA
    plain: bool  # whether Pillow reads it equally well or better: it converts colours and supports every compression


def layout(path: str | os.PathLike[str]) -> Layout:
    """Returns the Layout of a file: of its first page, or of all pages if it says that they are bands of one image."""
    with _opened(path) as file:
        return _layout(file)


def about(path: str | os.PathLike[str]) -> tuple[Place, tuple[Note, ...]]:
    """The Place of the image in a file, and notes on how it is read, except on its colour profile."""
    with _opened(path) as file:
        return _about(file)


def decode(path: str | os.PathLike[str]) -> Image:
    """Decodes the Image in a file, in its stored type, turned upright."""
    with _opened(path) as file:
        stored, page, image = _layout(file), file.pages.first, _image(file)
        place, notes = _about(file)
        if profile := page.tags.valueof(PROFILE, None):
            notes = (*notes, *profiles.unused(bytes(profile)))
        for part in image.pages if isinstance(image, tifffile.TiffPageSeries) else [image]:
            if part is not None:
                _check_parts(part)
        pixels = image.asarray()
        pixels = np.moveaxis(pixels, _band_axis(image), -1) if pixels.ndim == 3 else pixels
        pixels = _upright(pixels.reshape(stored.shape), page.tags.valueof(ORIENTATION, 1))
    if tifffile.PHOTOMETRIC(page.photometric).name == "MINISWHITE" and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if not stored.alpha:
        return Image(pixels, place=place, notes=notes)
    split = _independent(pixels[..., :-1], pixels[..., -1:]) if stored.alpha == ALPHA[0] else _split(pixels)
    return split._replace(place=place, notes=notes)


def write(path: str | os.PathLike[str], pixels: Array, alpha: Array | None = None, place: Place | None = None) -> None:
    """Writes [H, W, C] of any type, with its transparency and its place, if any."""
    tags = [(*tag, True) for tag in place.tags] if place else []
    placed: dict[str, Any] = {"extratags": tags, "metadata": None}
    if place and place.resolution:
        placed |= {"resolution": place.resolution, "resolutionunit": "INCH"}
    photometric, colours = ("rgb", 3) if pixels.shape[-1] == 3 else ("minisblack", 1)
    stacked = pixels if alpha is None else np.concatenate([pixels, alpha], axis=-1)
    if stacked.shape[-1] == 1:
        tifffile.imwrite(path, stacked[..., 0], photometric=photometric, **placed)
        return
    extra = ["unspecified"] * (pixels.shape[-1] - colours)
    if alpha is not None:
        extra.append("unassalpha")
    tifffile.imwrite(path, stacked, photometric=photometric, planarconfig="contig", extrasamples=extra, **placed)


def _opened(path: str | os.PathLike[str]) -> tifffile.TiffFile:
    return tifffile.TiffFile(path, _multifile=False)  # an OME-TIFF may refer to other files, which would be read


def _layout(file: tifffile.TiffFile) -> Layout:
    if not file.pages:
        raise ValueError("it ends too early")
    page, image = file.pages.first, _image(file)
    _refuse_large_parts(page)
    shape, samples, colours = list(image.shape), page.samplesperpixel, getattr(page.photometric, "name", "")
    if len(shape) == 3:
        shape.append(shape.pop(_band_axis(image)))
    elif len(shape) == 2:
        shape.append(1)
    else:
        raise ValueError(f"it holds an array of {len(shape)} dimensions, {image.axes}")
    extra = [tifffile.EXTRASAMPLE(sample).name for sample in page.extrasamples]
    alpha = extra[-1] if extra and extra[-1] in ALPHA and samples == shape[-1] else None
    with_alpha = samples == 4 and colours == "RGB"
    fits = not isinstance(image, tifffile.TiffPageSeries) or len(image.pages) == 1
    plain = page.bitspersample <= 8 and fits and samples in PLAIN.get(colours, set()) and (not with_alpha or alpha)
    if not plain and colours in CONVERTED:
        raise ValueError(f"its colours are {colours}, of {page.bitspersample} bits: convert it to RGB")
    height, width, channels = shape
    return Layout((height, width, channels), page.dtype, alpha, bool(plain))


def _refuse_large_parts(page: Page) -> None:
    """Raises ValueError if a page has strips or tiles that are far larger than the image, or many more than it needs.

    Decoders allocate memory for large ones, and decode all of them.
    """
    keyframe = page.keyframe
    if keyframe is None:
        raise ValueError("it has a page without a header")
    count, wanted, size = _count_of_parts(page), math.prod(keyframe.chunked), math.prod(keyframe.chunks)
    if count > 2 * wanted:
        raise ValueError(f"it has {count:,} strips or tiles, but its image needs {wanted:,}")
    if size > max(LARGEST_PART, keyframe.size):
        raise ValueError(f"its strips or tiles have {size} values each, but its image has {keyframe.size}")


def _count_of_parts(page: Page) -> int:
    """The number of strips or tiles that a page declares; tifffile keeps only those that its image needs."""
    tags = getattr(page, "tags", {})
    listed = [tags[name].count for name in ("StripOffsets", "TileOffsets") if name in tags]
    return max([len(page.dataoffsets), *listed])


def _check_parts(page: Page) -> None:
    """Raises ValueError if a page lacks strips or tiles, which tifffile would read as zeros, very slowly."""
    _refuse_large_parts(page)
    count, wanted = len(page.dataoffsets), math.prod(page.keyframe.chunked if page.keyframe else ())
    if count < wanted:
        raise ValueError(f"it has {count} of the {wanted} strips or tiles of its image")
    _check_packed(page)


def _check_packed(page: Page) -> None:
    """Raises ValueError if the strips or tiles of a page are too large, packed or unpacked, for what they hold."""
    keyframe = page.keyframe
    method = PACKED.get(keyframe.compression) if keyframe else None
    if not keyframe or not keyframe.dtype or not (method or keyframe.compression == PACK_BITS):
        return
    size, spare, file = math.prod(keyframe.chunks) * keyframe.dtype.itemsize, SPARE, page.parent.filehandle
    for offset, length in zip(page.dataoffsets, page.databytecounts):
        spare -= max(0, length - 2 * size - PACKING)
        if spare >= 0 and method and unpacking.is_known(method):
            file.seek(offset)
            packed = file.read(length)
            packed = packed.translate(MIRRORED) if keyframe.fillorder == 2 else packed
            spare -= max(0, unpacking.count([packed], method, size + spare) - size)
        if spare < 0:
            raise ValueError(f"its strips or tiles unpack to more than the {size:,} bytes that each of them may hold")


def _about(file: tifffile.TiffFile) -> tuple[Place, tuple[Note, ...]]:
    tags = file.pages.first.tags
    notes = _left_out(file)
    if (no_data := str(tags.valueof(NO_DATA, "")).strip("\0 ")) != "":
        notes.append(Note("no data", f"marks {no_data[:32]} as no data (GDAL_NODATA), but it is read as a value"))
    orientation, left = tags.valueof(ORIENTATION, 1), [name for code, name in OF_VALUES.items() if code in tags]
    codes = [code for code in GEO if code in tags]
    geo: list[tuple[int, int, int, Any]] = []
    if orientation == 1 and all(tags[code].count <= MOST_GEO for code in codes):
        geo = [(code, int(tags[code].dtype), tags[code].count, _plain(tags[code].value)) for code in codes]
    if codes and (not geo or any(value is None for *_, value in geo)):
        geo, left = [], [*left, ON_EARTH]
    return Place(tuple(geo), turned(_resolution(file.pages.first), orientation), tuple(left)), tuple(notes)


def _plain(value: Any) -> str | float | tuple[float, ...] | None:
    """The value of a tag as text, a number or numbers; None if it is anything else."""
    value = np.asarray(value).tolist()
    parts = value if isinstance(value, list) else [value]
    if not isinstance(value, str) and not all(isinstance(part, (int, float)) for part in parts):
        return None
    return tuple(parts) if isinstance(value, list) else value


def turned(resolution: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    """The resolution of an image after it was turned upright by its orientation tag."""
    return resolution[::-1] if resolution and orientation in (5, 6, 7, 8) else resolution


def _image(file: tifffile.TiffFile) -> tifffile.TiffPage | tifffile.TiffPageSeries:
    """The first page, or the series of all pages if the file declares them as bands.

    Raises ValueError if it has several pages and does not declare what they are.
    """
    descriptions.check(file.pages.first.description)  # before tifffile lists the planes
    series = file.series[0]
    _refuse_slices_as_colours(series)
    if len(series.pages) == 1:
        return series
    if series.kind == "shaped" and len(series.shape) == 3 and "Q" in series.axes:
        raise ValueError(
            f"it has {len(series.pages)} pages and does not declare whether they are bands of one image: {BANDS}, and"
            " images as separate files"
        )
    bands = series.kind in ("shaped", "imagej", "ome") and len(series.shape) == 3 and set(series.axes) <= set("SCYX")
    return series if bands else file.pages.first


def _refuse_slices_as_colours(series: tifffile.TiffPageSeries) -> None:
    """Raises ValueError if slices (an axis such as Z) are stored as colours of a page, as tifffile stores 3 or 4."""
    page = series.pages[0]
    if page is None or series.kind != "shaped":
        return
    axes = series.axes[-len(page.axes) :]
    slices = [axis for axis, stored in zip(axes, page.axes) if stored == "S" and axis not in "SC"]
    if slices and len(axes) == len(page.axes):
        raise ValueError(
            f"it has slices (axis {slices[0]} of {series.axes}) that are stored as the colours of one image: {BANDS},"
            " and slices as separate files"
        )


def _left_out(file: tifffile.TiffFile) -> list[Note]:
    """A note if there are further pages; smaller copies and masks do not count."""
    image = _image(file)
    read = len(image.pages) if isinstance(image, tifffile.TiffPageSeries) else 1
    pages = sum(not getattr(page, "subfiletype", 0) & COPY for page in file.pages)
    return [Note("pages", f"has {pages:,} pages, of which only the first is read")] if pages > read else []


def _resolution(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Pixels per inch along rows and along columns; None if the file has no plausible value."""
    unit = INCH.get(int(page.tags.valueof(RESOLUTION_UNIT, 2)))
    sides = [page.tags.valueof(code, None) for code in (X_RESOLUTION, Y_RESOLUTION)]
    if unit is None or not all(side and side[0] and side[1] for side in sides):
        return None
    along_rows, along_columns = (side[0] / side[1] * unit for side in sides)
    return plausible(along_rows, along_columns)


def _band_axis(image: tifffile.TiffPage | tifffile.TiffPageSeries) -> int:
    """The index of the band axis among three axes: the one labelled so, else the shortest."""
    named = [i for i, axis in enumerate(image.axes) if axis in "SC"]
    return named[0] if named else int(np.argmin(image.shape))


def _upright(pixels: Array, orientation: int) -> Array:
    """Rotates and mirrors [H, W, C] by the value of the orientation tag."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _split(pixels: Array) -> Image:
    return Image(pixels[..., :-1], pixels[..., -1:])


def _independent(pixels: Array, alpha: Array) -> Image:
    """The Image of pixels with premultiplied alpha."""

    def divided(pixels: Array, alpha: Array) -> Array:
        share = np.where(alpha > 0, alpha / full(alpha.dtype), 1.0)
        whole = np.clip(pixels / share, 0, full(pixels.dtype))
        return (whole if pixels.dtype.kind == "f" else np.rint(whole)).astype(pixels.dtype)

    return Image(bounds.in_parts(divided, pixels, alpha), alpha)
