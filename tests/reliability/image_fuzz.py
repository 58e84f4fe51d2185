"""Broken image files: every kind that is read, mutated; file `number` of `seed` is a pure function of both.

As a program it reads files FIRST to LAST of SEED, and says of each, as a line of JSON, what became of it:

    python -m tests.reliability.image_fuzz SEED FIRST LAST FOLDER
"""

import functools
import io
import json
import os
import pathlib
import random
import resource
import struct
import sys
import tempfile
import time
import zlib

import numpy as np
import PIL.Image
import tifffile

LARGE = (*(2**bits - 1 for bits in (7, 8, 15, 16, 31, 32)), *(2**bits for bits in (15, 24, 28, 31, 40, 63)), 65_000)
HEADROOM = 8 * 2**30  # bytes of address space that reading a file may take: beyond them the test fails


# What is mutated


@functools.cache
def originals():
    """Every kind of image that is read: {name: bytes}, the name with its suffix."""
    colours = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(40), np.arange(56))[..., None] * np.array([1, 2, 1])
    rgb = PIL.Image.fromarray((smooth + colours.integers(0, 40, smooth.shape)).astype(np.uint8))
    return {**_jpeg(rgb), **_png(rgb), **_other(rgb), **_tiff(rgb), **_arrays(np.asarray(rgb))}


def _saved(image, kind, **options):
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def _exif(orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return exif


def _jpeg(rgb):
    return {
        "rgb.jpg": _saved(rgb, "JPEG"),
        "gray.jpeg": _saved(rgb.convert("L"), "JPEG"),
        "cmyk.jpg": _saved(rgb.convert("CMYK"), "JPEG"),
        "progressive.jpg": _saved(rgb, "JPEG", progressive=True, restart_marker_blocks=2),
        "exif.jpg": _saved(rgb, "JPEG", exif=_exif(6), dpi=(72, 72), comment=b"x" * 40),
    }


def _png(rgb):
    modes = {mode: rgb.convert(mode) for mode in ("1", "L", "LA", "P", "RGBA")}
    about = PIL.Image.Exif()
    about[0x0112] = 5
    animated = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    return {
        **{f"{mode}.png": _saved(image, "PNG") for mode, image in modes.items()},
        "rgb.png": _saved(rgb, "PNG", exif=about, dpi=(72, 72), icc_profile=b"profile" * 9),
        "transparent palette.png": _saved(modes["P"], "PNG", transparency=3),
        "transparent.png": _saved(rgb, "PNG", transparency=(10, 20, 30)),
        "animated.png": _saved(rgb, "PNG", **animated),
        **{f"deep {channels}.png": _deep_png(channels) for channels in (1, 2, 3, 4)},
    }


def _deep_png(channels):
    """A PNG of 16 bits, written by hand."""
    rows = np.random.default_rng(channels).integers(0, 65536, [40, 56 * channels]).astype(">u2")
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", 56, 40, 16, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"gAMA", struct.pack(">I", 45455)), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*each) for each in chunks)


def _png_chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _other(rgb):
    animated = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)], "duration": 40}
    return {
        **{f"{mode}.bmp": _saved(rgb.convert(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")},
        "lossy.webp": _saved(rgb, "WEBP", exif=_exif(3)),
        "lossless.webp": _saved(rgb, "WEBP", lossless=True),
        "alpha.webp": _saved(rgb.convert("RGBA"), "WEBP"),
        "animated.webp": _saved(rgb, "WEBP", **animated),
    }


def _tiff(rgb):
    pixels, gray = np.asarray(rgb), np.asarray(rgb.convert("L"))
    bands = np.random.default_rng(1).integers(0, 60_000, [5, 32, 48]).astype(np.uint16)
    with_alpha = np.dstack([pixels, gray]).astype(np.uint16)
    plain = {"photometric": "minisblack", "metadata": None}
    tiled, deflated = {"tile": (16, 16)}, {"compression": "zlib", "predictor": True}
    pages = {"save_all": True, "append_images": [rgb.rotate(90)]}
    by_pillow = {
        "plain.tif": (rgb, {}),
        "lzw.tif": (rgb, {"compression": "tiff_lzw"}),
        "deflate.tiff": (rgb, {"compression": "tiff_adobe_deflate"}),
        "jpeg.tif": (rgb, {"compression": "jpeg"}),
        "packbits.tif": (rgb.convert("L"), {"compression": "packbits"}),
        "fax.tif": (rgb.convert("1"), {"compression": "group4"}),
        "palette.tif": (rgb.convert("P"), {}),
        "cmyk.tif": (rgb.convert("CMYK"), {"compression": "tiff_lzw"}),
        "pages.tif": (rgb, pages),
        "alpha.tif": (rgb.convert("RGBA"), {}),
    }
    by_tifffile = {
        "deep.tif": (pixels.astype(np.uint16) * 200, {"photometric": "rgb"}),
        "float.tif": (gray / np.float32(255), {**plain, "byteorder": ">"}),
        "double.tif": (gray / 255.0, {**plain, "compression": "zlib"}),
        "bands.tif": (np.moveaxis(bands, 0, -1), {**plain, "planarconfig": "contig"}),
        "planes.tif": (bands, {**plain, "planarconfig": "separate"}),
        "tiled.tif": (bands, {**plain, **tiled, "planarconfig": "separate"}),
        "tiled deflated.tif": (np.moveaxis(bands, 0, -1), {**plain, **tiled, **deflated, "planarconfig": "contig"}),
        "big.tif": (bands, {**plain, "planarconfig": "separate", "bigtiff": True}),
        "white.tif": (bands[0], {"photometric": "miniswhite", "extratags": [(274, "H", 1, 6, True)]}),
        "shaped.tif": (bands, {"photometric": "minisblack", "metadata": {"axes": "CYX"}}),
        "imagej.tif": (bands, {"imagej": True, "metadata": {"axes": "CYX"}}),
        "ome.tif": (bands, {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"}),
        "associated.tif": (
            with_alpha,
            {"photometric": "rgb", "extrasamples": ["assocalpha"]},
        ),
    }
    return {
        **{name: _saved(image, "TIFF", **options) for name, (image, options) in by_pillow.items()},
        **{name: _by_tifffile(array, **options) for name, (array, options) in by_tifffile.items()},
    }


def _by_tifffile(array, **options):
    written = io.BytesIO()
    tifffile.imwrite(written, array, **options)
    return written.getvalue()


def _arrays(pixels):
    held = {
        "rgb": pixels,
        "gray": pixels[..., 0],
        "fortran": np.asfortranarray(pixels),
        "mask": pixels[..., 0] > 99,
        "big endian": pixels.astype(">f4") / 255,
        "double": pixels / 255.0,
        "bands": np.repeat(pixels, 3, axis=-1).astype(np.int16),
    }
    return {f"{name}.npy": _array(array) for name, array in held.items()}


def _array(array):
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


# How it is mutated


def mutated(seed, number):
    """(the name of a file, its bytes, what was done to it)."""
    draw = random.Random(f"{seed} {number}")
    name = draw.choice(sorted(originals()))
    data, done = bytearray(originals()[name]), []
    for _ in range(draw.choice((1, 1, 1, 1, 2, 3))):
        mutation = draw.choice(MUTATIONS)
        data = mutation(draw, data) if data else data
        done.append(mutation.__name__.strip("_"))
    if data.startswith(b"\x89PNG") and draw.random() < 0.6:
        data = _with_checksums(data)
    stem, suffix = os.path.splitext(name)
    suffix = draw.choice((".jpg", ".png", ".bmp", ".tif", ".webp", ".npy")) if draw.random() < 0.1 else suffix
    return f"{number} {stem}{suffix}", bytes(data), f"{name}: {', '.join(done)}"


def _place(draw, data):
    """A position in a file, the more often the nearer to its beginning, or in a field of its structure."""
    fields = [at for at in _fields(data) if at < len(data)]
    if fields and draw.random() < 0.4:
        return draw.choice(fields)
    return draw.randrange(min(len(data), draw.choice((64, len(data), len(data)))) or 1)


def _fields(data):
    """Where the lengths, counts and sizes of a file stand."""
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff_fields(data)
    if data[:4] == b"\x89PNG":
        return [at for start, _ in _png_chunks(data) for at in (start, start + 4)] + [16, 20, 24, 25]
    if data[:4] == b"RIFF":
        return [4, *(start + 4 for start, _ in _riff_chunks(data)), 24, 27, 30]
    if data[:2] == b"BM":
        return [2, 10, 14, 18, 22, 26, 28, 30, 34, 46]
    if data[:2] == b"\xff\xd8":
        return [at for start, _ in _jpeg_segments(data) for at in (start + 1, start + 2, start + 5, start + 7)]
    return [8, *(at for at in range(10, min(len(data), 128)) if chr(data[at]).isdigit())]


def _tiff_fields(data):
    order, big = "<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+")
    count, pointer, entry = ("Q", 8, 20) if big else ("H", 4, 12)
    try:
        (at,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, pointer)
        (entries,) = struct.unpack_from(order + count, data, at)
    except (struct.error, OverflowError):
        return [pointer]
    begin = at + struct.calcsize(count)
    value = 12 if big else 8
    parts = [begin + entry * i + part for i in range(min(entries, 40)) for part in (0, 2, 4, value, value)]
    return [pointer, at, *parts]


def _png_chunks(data):
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield at, end
        at = end


def _riff_chunks(data):
    at = 12
    while at + 8 <= len(data):
        end = at + 8 + (size := int.from_bytes(data[at + 4 : at + 8], "little")) + size % 2
        yield at, end
        at = end


def _jpeg_segments(data):
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield at, end
        at = end


def _flip(draw, data):
    for _ in range(draw.choice((1, 1, 2, 8, 32))):
        data[_place(draw, data)] ^= 1 << draw.randrange(8)
    return data


def _truncate(draw, data):
    return data[: draw.choice((draw.randrange(len(data)), _place(draw, data)))]


def _insert(draw, data):
    at = _place(draw, data)
    return data[:at] + draw.randbytes(draw.choice((1, 2, 4, 64, 5000))) + data[at:]


def _remove(draw, data):
    at = _place(draw, data)
    return data[:at] + data[at + draw.choice((1, 2, 4, 64, 500)) :]


def _repeat(draw, data):
    at = _place(draw, data)
    return data[:at] + data[at : at + draw.choice((4, 12, 64, 500))] * draw.choice((2, 3, 50)) + data[at:]


def _enlarge(draw, data):
    """Overwrites lengths, counts and sizes with large numbers, or with zero; in the text of an array's header, too."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        at, size = _place(draw, data), draw.choice((1, 2, 4, 4, 8))
        if data[:6] == b"\x93NUMPY" and chr(data[at]).isdigit():
            number = str(draw.choice(LARGE)).encode()
            data[at : at + 1] = number
            continue
        value = draw.choice((*LARGE, 0)) % 2 ** (8 * size)
        data[at : at + size] = value.to_bytes(size, draw.choice(("little", "big")))
    return data


def _swap(draw, data):
    """Exchanges two chunks, segments or entries, or two stretches of bytes."""
    chunks = {b"\x89PNG": _png_chunks, b"RIFF": _riff_chunks}.get(bytes(data[:4]))
    chunks = _jpeg_segments if data[:2] == b"\xff\xd8" else chunks
    found = list(chunks(data)) if chunks else []
    if len(found) > 1 and draw.random() < 0.8:
        (begin, end), (start, stop) = sorted(draw.sample(found, 2))
    else:
        size = draw.choice((2, 4, 12, 100))
        begin, start = sorted((_place(draw, data), _place(draw, data)))
        end, stop = min(begin + size, start), start + size
    return data[:begin] + data[start:stop] + data[end:start] + data[begin:end] + data[stop:]


def _splice(draw, data):
    """The beginning of one file, then the rest of another."""
    other = originals()[draw.choice(sorted(originals()))]
    return data[: _place(draw, data)] + other[_place(draw, other) :]


MUTATIONS = (_flip, _truncate, _insert, _remove, _repeat, _enlarge, _enlarge, _enlarge, _swap, _splice)


def _with_checksums(data):
    """A PNG whose chunks have the checksums that they should have, so that more than these is looked at."""
    for begin, end in list(_png_chunks(data)):
        if end <= len(data):
            data[end - 4 : end] = struct.pack(">I", zlib.crc32(data[begin + 4 : end - 4]))
    return data


# What becomes of it


def attempt(path):
    """Reads a file by all that reads: "image", "error" if that names the file, else what is wrong."""
    from common.errors import UserError
    from common.images import files

    found = {}
    for name in ("header", "decode", "read"):
        try:
            found[name] = getattr(files, name)(path)
        except UserError as error:
            if str(path) not in str(error):
                return f"{name}: it is not named: {error}"
        except BaseException as error:
            return f"{name}: {type(error).__name__}: {error}"
    if "decode" not in found:
        return "error"
    return _compared(found) or "image"


def _compared(found):
    """What is wrong with an image that was read; "" if nothing is."""
    header, (pixels, alpha) = found.get("header"), found["decode"][:2]
    if header is None:
        return "decode: read what header refuses"
    if pixels.ndim != 3 or 0 in pixels.shape or sorted(pixels.shape[:2]) != sorted(header[:2]):
        return f"decode: {pixels.shape}, and the header says {header}"
    if pixels.dtype.name != header.dtype or pixels.shape[2] != header.channels or not pixels.dtype.isnative:
        return f"decode: {pixels.dtype} of {pixels.shape[2]} channels, and the header says {header}"
    if alpha is not None and (alpha.shape != (*pixels.shape[:2], 1) or alpha.dtype != pixels.dtype):
        return f"decode: alpha is {alpha.dtype} {alpha.shape}"
    read = found.get("read")
    if read is not None and (read.dtype != np.uint8 or read.shape != (*pixels.shape[:2], 3)):
        return f"read: {read.dtype} {read.shape}"
    return ""


def _main(seed, first, last, folder):
    report = os.fdopen(os.dup(1), "w", buffering=1)
    warm = pathlib.Path(folder, "warm.png")
    warm.write_bytes(originals()["deep 3.png"])
    assert attempt(warm) == "image"
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM, used + HEADROOM))
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)  # what libraries in C say is seen, too
        for number in range(int(first), int(last)):
            name, data, done = mutated(seed, number)
            path = pathlib.Path(folder, name)
            path.write_bytes(data)
            report.write(json.dumps({"number": number, "file": name, "done": done}) + "\n")
            report.write(json.dumps({"number": number, **_measured(path), "said": _taken(said)}) + "\n")
            path.unlink()


def _measured(path):
    """What became of a file, how long that took, and how much memory."""
    before, began = _rss(), time.monotonic()
    became = attempt(path)
    seconds, peak = time.monotonic() - began, _status("VmHWM") - before
    return {"became": became, "seconds": seconds, "megabytes": peak / 1e6}


def _taken(said):
    """What was written to standard error, which is a file, since this was last asked."""
    sys.stderr.flush()
    said.seek(0)
    text = said.read().decode(errors="replace")
    said.seek(0)
    said.truncate()
    return text


def _rss():
    """Bytes of memory in use; from now on, the peak is counted anew."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    _main(*sys.argv[1:])
