"""What the images of a domain are made of, read from the files."""

import numpy as np
import tqdm

from common.errors import UserError
from common.images import files
from common.images.pixels import EIGHT_BITS, Domain, check_finite


def channels(paths, skip=False):
    """Channels of the images of a domain, by their headers: 3 where gray and RGB are mixed.

    `skip`: whether files that do not read are passed over. Raises UserError, naming two files, where others
    are mixed.
    """
    first = {}
    for path, header in each(files.header, paths, skip):
        first.setdefault(header.channels, path)
    return agreed_channels(first)


def agreed_channels(first):
    """The same, of {channels: a file that has so many}."""
    if first.keys() == {1, 3}:
        return 3
    if len(first) > 1:
        (one, path), (other, another), *_ = first.items()
        raise UserError(
            f"{path} has {one} channels and {another} {other}: images of a domain need equally many, but that gray and"
            " RGB become each other. Convert them, or say --channels_A or --channels_B."
        )
    return next(iter(first))


def domain(paths, channels, limits=None, half=None, skip=False):
    """The Domain of images that become `channels`, of their type.

    Its range is `limits`, (low, high), if they are given; else for 8 bits that of the type, and for
    other types from the least to the greatest value of all. Raises UserError if an image does not
    read (with `skip`: if none does), they are of several types, or all hold one value.
    """
    dtype = _dtype(paths, skip)
    if limits is None and dtype == EIGHT_BITS.dtype:
        return Domain(channels)
    return Domain(channels, dtype, *(limits or _limits(paths, half, skip)))


def each(read, paths, skip=False):
    """Yields (path, what it reads as) for each of `paths`, or of those that read; raises UserError if none does."""
    found = failure = None
    for path in paths:
        try:
            found = path, read(path)
        except UserError as error:
            if not skip:
                raise
            failure = error
        else:
            yield found
    if not found and failure:
        raise failure


def _dtype(paths, skip):
    first = {}
    for path, header in each(files.header, paths, skip):
        first.setdefault(header.dtype, path)
    if len(first) > 1:
        (one, path), (other, another), *_ = first.items()
        raise UserError(
            f"{path} has {one} values and {another} {other}: images of a domain have one type. Convert them."
        )
    return next(iter(first))


def _limits(paths, half, skip):
    def read(path):
        pixels = files.decode(path, half).pixels
        found = float(pixels.min()), float(pixels.max())
        check_finite(found, path)
        return found

    low, high = np.inf, -np.inf
    shown = tqdm.tqdm(paths, desc="range of values", unit="image", disable=None, leave=False)
    for _, (least, greatest) in each(read, shown, skip):
        low, high = min(low, least), max(high, greatest)
    if low == high:
        raise UserError(
            f"All images of {paths[0].parent} hold the one value {low:g}: there is nothing to learn from them."
            " If others will not, say --range_A or --range_B LOW,HIGH."
        )
    return low, high
