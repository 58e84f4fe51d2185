"""Disks that are full, or may not be written to, and a run folder that is taken away."""

import contextlib
import dataclasses
import errno
import resource
import shutil
import subprocess

import numpy as np
import pytest

from common import atomic
from common import tensorflow as tf
from common.errors import UserError
from common.images import Images
from common.run import Run
from common.run.checkpoint_files import checkpoints_in, damage_of, newest, step_of
from common.run.folder import has_begun
from common.train import loop
from common.train import training as training
from common.translate import Translator
from tests import small

PAGE = 4096  # bytes, of which a file in memory takes whole ones
STEPS = 4


@pytest.fixture
def disk(tmp_path):
    """A small file system in memory, with room for everything."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def parts(dataset):
    """A function from a run folder to (dual, images, run)."""
    images = Images("set", data_root=str(dataset(train_A=3, train_B=3, val_A=1, val_B=1)))

    def make(run_dir, dual=None, **fields):
        fields = {"steps": STEPS, "save_every": 1, "log_every": 1, "sample_every": 2, "tensorboard": False, **fields}
        return dual or small.Gain(image_size=4), images, Run(run_dir=str(run_dir), **fields)

    return make


def last(run_dir):
    """Every variable of the newest checkpoint, which has to be whole."""
    reader = tf.train.load_checkpoint(newest(f"{run_dir}/checkpoints"))
    return {name: reader.get_tensor(name).tolist() for name in reader.get_variable_to_shape_map()}


@pytest.fixture(scope="module")
def undisturbed():
    """Room for what a training ends with that nothing disturbs, so that it is taken once."""
    return {}


def fill(disk, pages):
    """Leaves room for so many pages."""
    free = shutil.disk_usage(disk).free
    (disk / "filler").write_bytes(bytes(free - pages * PAGE))


def test_a_full_disk_ends_it_and_leaves_whole_checkpoints(disk, parts):
    dual, images, run = parts(disk / "run")
    fill(disk, 4)
    with pytest.raises((UserError, OSError), match="No space left") as error:
        training.train(dual, images, run)
    assert str(disk) in str(error.value)
    assert not [path for path in checkpoints_in(disk / "run/checkpoints") if damage_of(path)]


@pytest.mark.thorough
@pytest.mark.parametrize("pages", [0, 1, 4, 12, *(pytest.param(n, marks=pytest.mark.slow) for n in range(60))])
def test_whichever_write_finds_it_full(disk, parts, tmp_path, undisturbed, pages):
    if not undisturbed:
        training.train(*parts(tmp_path / "whole"))
        undisturbed.update(last(tmp_path / "whole"))
    dual, images, run = parts(disk / "run")
    fill(disk, pages)
    try:
        done = training.train(dual, images, run).done
    except (UserError, OSError) as error:
        done = 0
        assert "No space left" in str(error), error
        assert str(disk) in str(error)
        if "checkpoint" in str(error):
            assert "it needs about" in str(error) and "are free" in str(error)
    whole = [path for path in checkpoints_in(disk / "run/checkpoints") if not damage_of(path)]
    assert len(whole) == len(checkpoints_in(disk / "run/checkpoints"))  # what was saved before is as it was
    (disk / "filler").unlink()
    assert training.train(dual, images, run).done == STEPS
    assert last(disk / "run") == undisturbed
    assert done in (0, STEPS)
    assert not list((disk / "run/checkpoints").glob("*tempstate*"))


@dataclasses.dataclass(frozen=True)
class Large(small.Gain):
    """A Gain whose checkpoints take a megabyte."""

    def generator(self, images, channels, key):
        tf.get_variable("more", [125_000], initializer=tf.zeros_initializer(), trainable=False)
        return super().generator(images, channels, key)


@pytest.mark.thorough
def test_a_limit_on_files_is_not_the_end_of_the_data(parts, tmp_path, capsys):
    """TensorFlow reports it as if a queue had ended."""
    dual, images, run = parts(tmp_path / "run", Large(image_size=4), steps=2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    training.train(dual, images, parts(tmp_path / "run", dual, steps=1)[2])
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(UserError) as error:
            training.train(dual, images, run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = str(error.value)
    assert "model-00000002 could not be written" in said and "File too large" in said
    size = sum(np.asarray(value).nbytes for value in last(run.run_dir).values())
    assert size > 100_000 and "it needs about" in said
    assert list(map(step_of, checkpoints_in(run.path("checkpoints")))) == [1]
    assert training.train(dual, images, run).done == 2


@contextlib.contextmanager
def read_only(disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def test_a_folder_that_may_not_be_written_to(disk, parts):
    dual, images, run = parts(disk / "run")
    with read_only(disk), pytest.raises(UserError, match=r"run cannot be written to \(Read-only file system\)"):
        training.train(dual, images, run)
    training.train(dual, images, run)
    with read_only(disk):
        with pytest.raises(UserError, match=r"run cannot be written to \(Read-only file system\)"):
            training.train(dual, images, parts(disk / "run", steps=9)[2])
        with Translator(run.run_dir) as translator:  # which writes nothing
            assert translator("A2B", np.zeros([4, 4, 3], np.uint8)).shape == (4, 4, 3)


def after_step(monkeypatch, step, do):
    """Has training call `do` after a step."""
    original = loop._take_step

    def take_step(training, monitor, number, stopped):
        asked = original(training, monitor, number, stopped)
        if number == step:
            do()
        return asked

    monkeypatch.setattr(loop, "_take_step", take_step)


@pytest.mark.thorough
def test_settings_that_are_taken_away_are_written_again(parts, tmp_path, monkeypatch):
    dual, images, run = parts(tmp_path / "run", save_every=3, steps=9)
    after_step(monkeypatch, 4, run.path("config.json").unlink)
    with pytest.raises(UserError, match=r"run or its config.json was removed .* Step 6 was saved there nevertheless"):
        training.train(dual, images, run)
    monkeypatch.undo()
    assert training.train(dual, images, run)[:3] == (6, 9, 9)


@pytest.mark.thorough
def test_what_another_training_has_begun_in_its_place_is_left_alone(parts, tmp_path, monkeypatch):
    dual, images, run = parts(tmp_path / "run", save_every=3, steps=9)
    other = parts(tmp_path / "other", steps=1)
    training.train(*other)

    def take_over():
        shutil.rmtree(run.path())
        shutil.copytree(tmp_path / "other", run.path())  # with a `lock` of its own

    after_step(monkeypatch, 4, take_over)
    with pytest.raises(UserError, match=r"another training has taken its place: step 6 is not saved"):
        training.train(dual, images, run)
    assert list(map(step_of, checkpoints_in(run.path("checkpoints")))) == [1]


@pytest.mark.thorough
def test_a_lock_that_a_person_has_removed_stops_nothing(parts, tmp_path, monkeypatch):
    dual, images, run = parts(tmp_path / "run", save_every=3, steps=6)
    after_step(monkeypatch, 4, run.path("lock").unlink)
    assert training.train(dual, images, run).done == 6


def test_a_folder_that_is_renamed_is_made_again(parts, tmp_path, monkeypatch):
    dual, images, run = parts(tmp_path / "run", save_every=3, steps=6)
    after_step(monkeypatch, 4, lambda: run.path().rename(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match=r"was removed or renamed during .* Step 6 was saved there nevertheless"):
        training.train(dual, images, run)
    assert last(run.run_dir)["batches_read"] == 6 and has_begun(tmp_path / "elsewhere")


@pytest.mark.thorough
@pytest.mark.parametrize("what", ["removed", "renamed"])
def test_a_folder_that_is_taken_away_is_made_again(parts, tmp_path, monkeypatch, what):
    dual, images, run = parts(tmp_path / "run", save_every=3, steps=6)
    after_step(
        monkeypatch,
        4,
        lambda: shutil.rmtree(run.path()) if what == "removed" else run.path().rename(tmp_path / "elsewhere"),
    )
    with pytest.raises(UserError, match=r"was removed or renamed during .* Step 6 was saved there nevertheless"):
        training.train(dual, images, run)
    monkeypatch.undo()
    assert last(run.run_dir)["batches_read"] == 6
    assert training.train(dual, images, parts(tmp_path / "run", save_every=3, steps=8)[2])[:3] == (6, 8, 8)
    assert has_begun(tmp_path / "elsewhere") == (what == "renamed")


@pytest.mark.parametrize("text", ["{}", '{"dual": {}, "images": {}, "run": {}, "files": {}, "environment": {}}'])
def test_settings_that_do_not_say_what_was_trained(parts, tmp_path, text):
    dual, images, run = parts(tmp_path / "run")
    small.untrained(run.run_dir, dual, images=images)
    run.path("config.json").write_text(text)
    message = r"config.json cannot be read as the settings of a run: dual is (missing|of the wrong type)"
    for use in (lambda: training.train(dual, images, run), lambda: Translator(run.run_dir)):
        with pytest.raises(UserError, match=message):
            use()


def test_a_full_disk_is_said_with_the_file(disk, tmp_path):
    fill(disk, 0)
    with pytest.raises(OSError) as error:
        atomic.write_text(disk / "config.json", "much" * 5000)
    assert error.value.errno == errno.ENOSPC and error.value.filename == str(disk / "config.json")
    assert not (disk / "config.json.new").exists()
