"""The scores of a shard that were damaged are told from those that were written."""

import json

import numpy as np
import pytest

from common.errors import UserError
from common.evaluate import partial
from common.evaluate.partial import Partial
from common.evaluate.scores import Scored

NOISE = np.random.default_rng(0)


@pytest.fixture
def written(tmp_path):
    """(the folder of an evaluation with one shard, the path of that)."""
    rows = [{"direction": "A2B", "name": f"{number}.png", "l1": 0.1 * number, "psnr": None} for number in range(2)]
    images = [NOISE.integers(0, 256, [2, 2, 3], np.uint8) for _ in range(2)]
    scored = Scored(rows, np.zeros([1], np.int64), images, images, [], [])
    partial.write(tmp_path, 7, Partial("A2B", 2, 2, 255.0, None, "", scored), (1, 1))
    return tmp_path, tmp_path / "shards" / "00000007-A2B-1-of-1.npz"


def merged(folder):
    ((_, part),) = partial.merged(folder, [7], 1)
    return part._replace(scored=None), part.scored.rows, [np.asarray(values).tobytes() for values in part.scored[1:]]


@pytest.mark.parametrize("stride", [41, pytest.param(1, marks=pytest.mark.slow)])
def test_no_bit_gives_other_scores(written, stride):
    folder, path = written
    content, expected, refused = path.read_bytes(), merged(folder), 0
    for bit in range(0, 8 * len(content), stride):
        at, shift = divmod(bit, 8)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << shift]) + content[at + 1 :])
        try:
            assert merged(folder) == expected, bit
        except UserError as error:
            assert str(error) == f"{path} is damaged. Evaluate that --shard again."
            refused += 1
    assert refused


def test_any_cut_is_found(written):
    folder, path = written
    content = path.read_bytes()
    for length in range(0, len(content), 29):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match="is damaged"):
            merged(folder)


def test_a_part_of_an_earlier_version_is_read(written):
    folder, path = written
    with np.load(path) as arrays:
        content = dict(arrays)
    facts = json.loads(str(content["facts"]))
    del facts["conditions"]
    np.savez(path, **{**content, "facts": np.array(json.dumps(facts))})
    (part, *_) = merged(folder)
    assert part.conditions == "" and part.sources == 2
