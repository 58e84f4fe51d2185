"""Shards take every file once, and are put together in the order of the files."""

import pytest

from common.errors import UserError
from common.images import shards


@pytest.mark.parametrize(
    ("text", "shard"), [("1/1", (1, 1)), ("2/4", (2, 4)), ("10/10", (10, 10)), ("7/120", (7, 120))]
)
def test_a_shard_is_a_number_of_a_number(text, shard):
    assert shards.parse(text) == shard


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1/0", "01/4", "1/04", "1-4", "1/4 ", "-1/4", "1/4/5", "a/b"])
def test_another_shard_is_refused(text):
    with pytest.raises(UserError) as error:
        shards.parse(text)
    assert str(error.value) == f"--shard {text} is not a valid shard: use K/N, such as 1/4 for the first of four."


def test_the_second_of_four_takes_every_fourth_from_the_second_on():
    assert [shards.of("abcdefghi", (number, 4)) for number in (1, 2, 3, 4)] == ["aei", "bf", "cg", "dh"]
    assert shards.of("abc", shards.WHOLE) == "abc"
    assert shards.of("ab", (3, 4)) == ""


@pytest.mark.parametrize("length", [0, 1, 5, 12])
@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_all_shards_together_are_the_whole(length, count):
    items = list(range(length))
    assert shards.together([shards.of(items, (number, count)) for number in range(1, count + 1)]) == items
