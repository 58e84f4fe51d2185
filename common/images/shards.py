"""Shards: parts of a folder's files, as jobs of their own take them, and how results are put together again."""

import re

from common.errors import UserError
from common.settings import FREE, setting

WHOLE = (1, 1)


def shard_setting():
    """The setting that says which part."""
    about = "Which part of the files, of how many: 2/4 is the second of four, every fourth from the second on."
    return setting("1/1", about, resume=FREE)


def parse(text):
    """(number, count) of "2/4"; raises UserError if that is no part."""
    part = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if not part or int(part[1]) > int(part[2]):
        raise UserError(f"--shard {text} is no part: 1/4 is the first of four, 4/4 the last.")
    return int(part[1]), int(part[2])


def of(items, shard):
    """The items of a part, a (number, count)."""
    number, count = shard
    return items[number - 1 :: count]


def together(parts):
    """The items that `parts`, lists of all shards in their order, were taken from."""
    items = [None] * sum(map(len, parts))
    for number, part in enumerate(parts):
        items[number :: len(parts)] = part
    return items
