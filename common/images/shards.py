"""Shards: splits the files of a folder among several jobs, and merges their results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from common.errors import UserError
from common.settings import FREE, setting

Item = TypeVar("Item")
Shard: TypeAlias = tuple[int, int]  # (number, from 1; number of shards)

WHOLE: Shard = (1, 1)


def shard_setting() -> Any:
    """The dataclass field of the shard of the files to take."""
    about = "K/N: take the K-th of N shards of the files. 2/4 takes every fourth file from the second on."
    return setting("1/1", about, resume=FREE)


def parse(text: str) -> Shard:
    """Returns the Shard (2, 4) of "2/4"; raises UserError if the text is not a valid shard."""
    match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if not match or int(match[1]) > int(match[2]):
        raise UserError(f"--shard {text} is not a valid shard: use K/N, such as 1/4 for the first of four.")
    return int(match[1]), int(match[2])


def of(items: Sequence[Item], shard: Shard) -> Sequence[Item]:
    """The items of a shard: every `count`-th, from `number` on."""
    number, count = shard
    return items[number - 1 :: count]


def together(parts: Sequence[Sequence[Item]]) -> list[Item]:
    """Merges the items of all shards, in the order of the shards, into the list that `of` took them from."""
    items: list[Any] = [None] * sum(map(len, parts))
    for number, part in enumerate(parts):
        items[number :: len(parts)] = part
    return items
