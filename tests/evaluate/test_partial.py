"""The scores of a shard that were damaged are told from those that were written."""

import json
import pathlib

import numpy as np
import pytest

from common.errors import UserError
from common.evaluate import evaluation, partial
from common.evaluate.partial import Partial
from common.evaluate.scores import Scored
from common.images import Images
from tests import small

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


def part_of(names, sources=3, direction="A2B", targets=2, conditions="the same"):
    """A Partial of images of such names, without scores."""
    rows = [{"direction": direction, "name": name} for name in names]
    scored = Scored(rows, np.zeros([1], np.int64), [], [], [], [])
    return Partial(direction, sources, targets, 255.0, None, conditions, scored)


def test_shards_are_merged_in_the_order_of_their_images_for_each_step_and_direction(tmp_path):
    for step in (7, 9):
        for direction in ("B2A", "A2B"):
            partial.write(tmp_path, step, part_of(["0", "2"], direction=direction), (1, 2))
            partial.write(tmp_path, step, part_of(["1"], direction=direction), (2, 2))
    found = list(partial.merged(tmp_path, [9, 7], 2))
    assert [(step, part.direction) for step, part in found] == [(9, "A2B"), (9, "B2A"), (7, "A2B"), (7, "B2A")]
    for _, part in found:
        assert [row["name"] for row in part.scored.rows] == ["0", "1", "2"]


def test_without_shards_of_a_step_those_to_evaluate_are_named(tmp_path):
    partial.write(tmp_path, 7, part_of(["0"], 1), (1, 1))
    with pytest.raises(UserError) as error:
        list(partial.merged(tmp_path, [70], 3))
    assert str(error.value) == (
        f"No shards of step 70 in {tmp_path}/shards. First evaluate each of them with --shard: 1/3, 2/3, 3/3."
    )


def test_a_shard_that_is_missing_is_named(tmp_path):
    partial.write(tmp_path, 7, part_of(["0", "2"]), (1, 2))
    with pytest.raises(UserError, match=r"shards/00000007-A2B-2-of-2\.npz is missing\. Evaluate that --shard first\.$"):
        list(partial.merged(tmp_path, [7], 2))


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (part_of(["1", "3"]), "belong to different images: 4 rows for 3 images. Evaluate all of them again."),
        (part_of([]), "belong to different images: 2 rows for 3 images. Evaluate all of them again."),
        (
            part_of(["1"], targets=5),
            "were evaluated with different settings, images or versions. Evaluate all of them again.",
        ),
        (
            part_of(["1"], conditions="others"),
            "were evaluated with different settings, images or versions. Evaluate all of them again.",
        ),
    ],
)
def test_shards_that_do_not_belong_together_are_refused(tmp_path, other, problem):
    partial.write(tmp_path, 7, part_of(["0", "2"]), (1, 2))
    partial.write(tmp_path, 7, other, (2, 2))
    with pytest.raises(UserError) as error:
        list(partial.merged(tmp_path, [7], 2))
    assert str(error.value) == f"The shards of A2B at step 7 {problem}"


@pytest.fixture
def merge(tmp_path, monkeypatch):
    """A function to (the scores of two shards that are merged, the run folders whose report was written)."""
    reported = []
    monkeypatch.setattr(evaluation, "selected", lambda run_dir, which: [f"{run_dir}/model-{n:08d}" for n in (7, 9)])
    monkeypatch.setattr(evaluation.report, "write", reported.append)

    def scores(metrics="all", output=""):
        for step in (7, 9):
            for number, names in enumerate((["0", "2"], ["1"]), start=1):
                part = part_of(names)
                for row in part.scored.rows:
                    row.update(l1=step / 8, psnr=float(row["name"]))
                folder = pathlib.Path(output) if output else tmp_path / "evaluation"
                partial.write(folder, step, part, (number, 2))
        asked = evaluation.Evaluation(metrics, merge=2)
        return evaluation.evaluate(str(tmp_path), small.Gain(), Images("none"), asked, output=output), reported

    return scores


@pytest.mark.parametrize("output", [False, True])
def test_merged_scores_are_written_with_a_report_of_the_run_unless_they_go_elsewhere(merge, tmp_path, output):
    folder = tmp_path / ("elsewhere" if output else "evaluation")
    found, reported = merge(output=str(folder) if output else "")
    means = {step: {"A2B": {"images": 3, "equal_to_target": 0, "l1": step / 8, "psnr": 1.0}} for step in (7, 9)}
    assert found == means
    assert (folder / "metrics.json").read_text() == json.dumps(means, indent=2) + "\n"
    assert (folder / "metrics.csv").read_text().splitlines() == [
        "step,direction,name,l1,psnr",
        *(f"{step},A2B,{n},{step / 8},{n}.0" for step in (7, 9) for n in range(3)),
    ]
    assert reported == ([] if output else [str(tmp_path)])


def test_of_merged_scores_those_are_shown_that_are_asked_for(merge):
    assert merge("psnr")[0] == {7: {"A2B": {"psnr": 1.0}}, 9: {"A2B": {"psnr": 1.0}}}


def test_without_a_checkpoint_that_could_be_used_there_are_no_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "selected", lambda *_: [])
    with pytest.raises(
        UserError, match=r"None of the checkpoints of .* could be used\. Choose a different --checkpoint"
    ):
        evaluation.evaluate(str(tmp_path), small.Gain(), Images("none"), evaluation.Evaluation(merge=2))
    assert not (tmp_path / "evaluation").exists()
