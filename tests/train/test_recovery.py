"""Going back after a loss that is not finite: to where, how often, and what is kept of the batch; without a graph."""

import json
import pathlib
import types
from typing import NamedTuple

import numpy as np
import pytest

from common.errors import NotFinite, UserError
from common.run import Run
from common.train.recovery import Recovery
from tests import small


class Batch(NamedTuple):
    """What a session gives for a batch of two images of each domain."""

    A: np.ndarray
    B: np.ndarray
    file_A: np.ndarray
    file_B: np.ndarray


def contrasting(deviation):
    """An image of which one half is `deviation` above 0 and one as far below: its standard deviation."""
    return np.full([2, 2, 3], deviation) * np.reshape([1.0, -1.0], [2, 1, 1])


BATCH = Batch(
    np.stack([contrasting(0.0099), contrasting(0.01)]),
    np.stack([contrasting(0.5), contrasting(0.0)]),
    np.array([2, 0]),
    np.array([1, 1]),
)


class Session:
    """Notes what is run, with what is fed."""

    def __init__(self):
        self.ran = []

    def run(self, fetches, fed=None):
        self.ran.append((fetches, fed))
        return BATCH


@pytest.fixture
def parts(tmp_path):
    """A function to (a Recovery of two images of three parts each, its session, what it did).

    A step has two batches; there are two processes.
    """

    def make(on_nan="rollback", *, restored=3, rank=0, run_dir="run"):
        done, session = [], Session()
        checkpoints = types.SimpleNamespace(
            folder=tmp_path / "checkpoints",
            last_good=lambda: "The last good checkpoint is C.",
            restore=lambda _: restored,
            save=lambda _, number: done.append(("saved", number)),
        )
        graph = types.SimpleNamespace(
            checkpoints=checkpoints, set_counters="set", begin="begin", start="start", batch="batch"
        )
        loaders = [types.SimpleNamespace(paths=[pathlib.Path(domain, f"{n}.png") for n in range(3)]) for domain in "AB"]
        recovery = Recovery(
            session,
            graph,
            types.SimpleNamespace(loaders=loaders),
            small.Gain(n_critic=2, lr_G=0.25, lr_D=0.5),
            Run(str(tmp_path / run_dir), batch_size=2, accumulate=3, on_nan=on_nan),
            monitor=types.SimpleNamespace(record=lambda *row: done.append(row)),
            group=types.SimpleNamespace(size=2, rank=rank, is_chief=rank == 0),
        )
        return recovery, session, done

    return make


def said_of(folder):
    names = "A: A/2.png (nearly constant), A: A/0.png, B: B/1.png, B: B/1.png (nearly constant)"
    return f"It broke. The batch was {names}; it was saved in {folder}. The last good checkpoint is C."


def test_going_back_restores_the_weights_and_goes_on_behind_the_batch(parts, tmp_path, caplog):
    """A step of both processes reads 2 x 2 x 3 x 2 = 24 images; step 4, batch 1 began after 3 x 24 + 12 of them."""
    recovery, session, done = parts()
    recovery.recover(NotFinite("It broke.", 1), 4)
    assert session.ran == [("begin", {"start": 84}), ("batch", None), (["set", "begin"], {"start": 96})]
    said = said_of(tmp_path / "run" / "nan_dump" / "00000004")
    assert done == [(4, "loss not finite", said), ("saved", 4)]
    warning = "Continuing after step 4 with the weights of step 3 (--on_nan rollback)."
    assert caplog.messages == [f"warning: {said} {warning}"]


def test_the_batch_is_kept_as_it_was_with_the_numbers_of_each_image(parts, tmp_path):
    recovery, *_ = parts()
    recovery.recover(NotFinite("It broke.", 0), 4)
    folder = tmp_path / "run" / "nan_dump" / "00000004"
    for name in "AB":
        np.testing.assert_array_equal(np.load(folder / f"{name}.npy"), getattr(BATCH, name))
    text = (folder / "batch.json").read_text()
    about = json.loads(text)
    assert text == json.dumps(about, indent=2) + "\n"
    assert about["step"] == 4
    assert about["B"][0] == {"file": "B/1.png", "minimum": -0.5, "maximum": 0.5, "deviation": 0.5}
    assert [image["deviation"] for image in about["A"]] == pytest.approx([0.0099, 0.01])


def test_a_process_other_than_the_first_keeps_its_own_batch_and_says_nothing(parts, tmp_path, caplog):
    recovery, session, done = parts(rank=1)
    recovery.recover(NotFinite("It broke.", 0), 1)
    assert (tmp_path / "run" / "nan_dump" / "00000001" / "rank-1" / "batch.json").exists()
    assert session.ran[0] == ("begin", {"start": 0}) and done[-1] == ("saved", 1) and not caplog.messages


def test_three_times_to_one_checkpoint_are_enough_and_a_new_one_counts_anew(parts):
    recovery, _, done = parts()
    for _ in range(2):
        for _ in range(3):
            recovery.recover(NotFinite("It broke."), 4)
        recovery.saved()
    for number in (5, 6, 7):
        recovery.recover(NotFinite("It broke."), number)
    with pytest.raises(UserError, match=r"C\. 3 rollbacks to it did not help: try lower --lr_G and --lr_D\.$"):
        recovery.recover(NotFinite("It broke."), 8)
    assert done[-1][:2] == (8, "loss not finite")


def test_without_a_checkpoint_nothing_is_set_and_nothing_saved(parts):
    recovery, session, done = parts(restored=None)
    with pytest.raises(UserError, match="So there is nothing to roll back to: try lower --lr_G and --lr_D"):
        recovery.recover(NotFinite("It broke."), 4)
    assert len(session.ran) == 2 and len(done) == 1


@pytest.mark.parametrize("is_saved", [True, False])
def test_stopping_says_what_can_be_tried(parts, tmp_path, is_saved):
    """--on_nan rollback is no help without a checkpoint."""
    (tmp_path / "checkpoints").mkdir()
    if is_saved:
        (tmp_path / "checkpoints" / "model-00000003.index").touch()
    recovery, session, done = parts("stop")
    with pytest.raises(UserError) as error:
        recovery.recover(NotFinite("It broke."), 4)
    said = said_of(tmp_path / "run" / "nan_dump" / "00000004")
    said += " Try lower --lr_G and --lr_D than 0.25 and 0.5 in a new --run_dir, or inspect those images."
    said += " --on_nan rollback continues after them." if is_saved else ""
    assert str(error.value) == said and done == [(4, "loss not finite", said)] and len(session.ran) == 2


def test_a_batch_that_cannot_be_kept_is_named_all_the_same(parts, tmp_path):
    (tmp_path / "file").touch()
    recovery, _, done = parts(run_dir="file")
    recovery.recover(NotFinite("It broke."), 4)
    (_, _, said), _ = done
    assert f"it could not be saved in {tmp_path}/file/nan_dump/00000004 (Not a directory)." in said
