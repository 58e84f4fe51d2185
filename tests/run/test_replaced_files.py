"""A training that stopped at an image that cannot be read resumes, in the same bits, once that image is replaced."""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import NamedTuple

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images, files, pipeline
from common.run import Run
from common.run.checkpoint_files import newest, reading
from common.train import train
from tests import small

WHOLE, STEPS = 8, 20  # images of a domain, steps


def images_of(root, **fields):
    return Images("set", data_root=str(root), cache_gb=0.0, **fields)


def trained(root, name="run", steps=STEPS, **fields):
    run = Run(str(root / name), steps=steps, save_every=3, tensorboard=False)
    return train(small.Gain(image_size=4), images_of(root, **fields), run)


def weights(run_dir):
    with reading(newest(run_dir / "checkpoints")) as reader:
        return {name: reader.value(name).tobytes() for name in reader.shapes}


class Stopped(NamedTuple):
    """Images of which one was cut off and is met after four steps, and the run that stopped at it."""

    root: pathlib.Path
    path: pathlib.Path  # of the image that was cut off
    content: bytes  # of that image when it was whole
    message: str  # of the run's end
    undisturbed: dict[str, bytes]  # the weights of a run with the whole image


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    root, dual = tmp_path_factory.mktemp("stopped") / "root", small.Gain(image_size=4)
    for place in ("train/A", "train/B"):
        for number in range(WHOLE):
            files.write(root / "set" / place / f"{number:03d}.png", np.full([16, 16, 3], 8 * number, np.uint8))
    images = images_of(root)
    paths = images.training_files(dual)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)  # as a Run has it
        data, start = images.training_data(dual, paths, images.domains(dual, paths)), tf.placeholder(tf.int64, [])
        batch, begin = pipeline.training_batches(data.loaders, dual, 1, start, data.partners)
        session.run(begin, {start: 0})
        order = [int(session.run(batch.file_A)[0]) for _ in range(WHOLE)]
    path = paths.A[order[4]]
    content = path.read_bytes()
    trained(root, "whole")
    assert not (root / "whole/unreadable_files.json").exists()
    undisturbed = weights(root / "whole")
    path.write_bytes(content[:-30])
    with pytest.raises(UserError) as error:
        trained(root)
    shutil.copytree(root, root.with_name("kept"))
    return Stopped(root, path, content, str(error.value), undisturbed)


@pytest.fixture
def broken(stopped):
    """What `stopped` left, whatever tests have changed since."""
    shutil.rmtree(stopped.root)
    shutil.copytree(stopped.root.with_name("kept"), stopped.root)
    return stopped


def test_it_resumes_with_another_image_as_if_that_had_been_there(broken):
    assert broken.message.startswith(f"{broken.path} cannot be read as an image")
    assert "replace it by an image of the same name, then repeat the same command" in broken.message
    assert "--on_bad_image skip" in broken.message and "emove it" not in broken.message
    broken.path.write_bytes(broken.content)
    assert trained(broken.root).done == STEPS
    assert weights(broken.root / "run") == broken.undisturbed


@pytest.mark.thorough
def test_a_replaced_image_is_logged_once_and_may_not_change_again(broken, capsys):
    broken.path.write_bytes(broken.content)
    trained(broken.root)
    broken.path.write_bytes(broken.content + b"more")
    with pytest.raises(UserError, match=rf"The images of A have changed .* changed: {broken.path.name} \("):
        trained(broken.root, steps=STEPS + 1)
    broken.path.write_bytes(broken.content)
    trained(broken.root, steps=STEPS + 1)
    assert capsys.readouterr().err.count(f"{broken.path} was replaced. It could not be read before") == 1


@pytest.mark.thorough
def test_it_can_be_passed_over_instead(broken):
    assert trained(broken.root, on_bad_image="skip").done == STEPS


@pytest.mark.thorough
def test_what_was_skipped_is_refused_once_it_is_another(broken):
    """With it the order would be another than before; with the broken file the run resumes as if never stopped."""
    root, path, content, *_ = broken
    for name, steps in (("whole", STEPS), ("run", 10)):
        shutil.rmtree(root / name)
        trained(root, name, steps=steps, on_bad_image="skip")
    cut = path.read_bytes()
    path.write_bytes(content)
    for on_bad_image in ("skip", "stop"):
        with pytest.raises(UserError, match=rf"{path} could not be read before and was skipped .*--init_from") as error:
            trained(root, on_bad_image=on_bad_image)
        assert "Restore the unreadable file to resume" in str(error.value)
    path.write_bytes(cut)
    assert trained(root, on_bad_image="skip").done == STEPS
    assert weights(root / "run") == weights(root / "whole")


@pytest.mark.thorough
def test_other_changes_are_refused_and_named_and_lose_nothing(broken):
    root, path, content, *_ = broken
    path.write_bytes(content)
    other = next(other for other in sorted(path.parent.iterdir()) if other != path)
    before, kept, added = weights(root / "run"), other.read_bytes(), path.with_name("x.png")
    changes = {
        f"changed: {other.name}": lambda: other.write_bytes(kept + b"more"),
        "new: x.png": lambda: added.write_bytes(kept),
        f"gone: {other.name}": other.unlink,
    }
    for named, change in changes.items():
        change()
        with pytest.raises(UserError, match=f"The images of A have changed .*; {named}") as error:
            trained(root)
        assert path.name not in str(error.value).partition(";")[2]
        other.write_bytes(kept)
        added.unlink(missing_ok=True)
    assert weights(root / "run") == before
    assert trained(root).done == STEPS


@pytest.mark.thorough
def test_an_image_that_was_trained_on_must_come_back(dataset):
    """It was read in the first pass, so that another in its place would be another training."""
    root = dataset(train_A=2, train_B=2)
    trained(root, steps=6)
    path = root / "set/train/A/001.png"
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))  # of the same size, so that no other check finds it
    with pytest.raises(UserError, match="Restore the file that was trained on, then repeat the same command") as error:
        trained(root)
    assert "emove it" not in str(error.value)
    path.write_bytes(content + b"more")
    with pytest.raises(UserError, match=r"The images of A have changed .* changed: 001.png \("):
        trained(root)
    path.write_bytes(content)
    assert trained(root).done == STEPS


def test_before_a_run_has_begun_both_cures_are_named(dataset):
    root = dataset(train_A=1, train_B=1)
    path = root / "set/train/A/000.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match=r"Replace or remove it\. To skip such images, use --on_bad_image skip"):
        trained(root)


@pytest.mark.thorough
def test_before_a_run_has_begun_files_may_change(dataset):
    root = dataset(train_A=1, train_B=1)
    path = root / "set/train/A/000.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match="cannot be read as an image"):
        trained(root)
    dataset(train_A=3)
    assert trained(root).done == STEPS


@pytest.mark.thorough
def test_a_run_of_an_earlier_version_says_what_it_can(dataset):
    root = dataset(train_A=2, train_B=2)
    trained(root, steps=2)
    (root / "run/training_files.json").unlink()
    shutil.copy(root / "set/train/A/001.png", root / "set/train/A/002.png")
    with pytest.raises(
        UserError, match=r"2 files then, 3 now, in .*; the changed files are not known, .* kept no list"
    ):
        trained(root)
    (root / "set/train/A/002.png").unlink()
    assert trained(root).done == STEPS
    assert json.loads((root / "run/training_files.json").read_text())["A"].keys() == {"000.png", "001.png"}


@pytest.mark.thorough
def test_damaged_tables_are_as_none(broken):
    root, path, content, *_ = broken
    path.write_bytes(content)
    for name in ("training_files.json", "unreadable_files.json"):
        assert (root / "run" / name).exists()
        kept = (root / "run" / name).read_bytes()
        for damaged in (b"", b"{", b"[]", b'{"A": {"000.png": "x"}}', b"\xff", b'{"A": NaN}'):
            (root / "run" / name).write_bytes(damaged)
            with pytest.raises(UserError, match="The images of A have changed"):
                trained(root)
        (root / "run" / name).write_bytes(kept)
    assert trained(root).done == STEPS


@pytest.mark.thorough
def test_a_kill_between_the_two_files_that_are_written_loses_nothing(broken):
    root, path, content, *_ = broken
    path.write_bytes(content)
    config = (root / "run/config.json").read_bytes()
    trained(root, steps=7)
    (root / "run/config.json").write_bytes(config)  # the table alone was written
    assert trained(root).done == STEPS
