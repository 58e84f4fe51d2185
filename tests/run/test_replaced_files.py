"""A training that stopped at an image that cannot be read resumes, in the same bits, once that image is replaced."""

import json
import shutil

import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images, pipeline
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


@pytest.fixture
def broken(dataset):
    """A folder of images, and the path and the content of one that was cut off and is met after four steps."""
    root, dual = dataset(train_A=WHOLE, train_B=WHOLE, val_A=1, val_B=1), small.Gain(image_size=4)
    images = images_of(root)
    files = images.training_files(dual)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(0)  # as a Run has it
        data, start = images.training_data(dual, files, images.domains(dual, files)), tf.placeholder(tf.int64, [])
        batch, begin = pipeline.training_batches(data.loaders, dual, 1, start, data.partners)
        session.run(begin, {start: 0})
        order = [int(session.run(batch.file_A)[0]) for _ in range(WHOLE)]
    path = files.A[order[4]]
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    return root, path, content


def test_it_resumes_with_another_image_as_if_that_had_been_there(broken):
    root, path, content = broken
    path.write_bytes(content)
    trained(root, "whole")
    assert not (root / "whole/unreadable_files.json").exists()
    path.write_bytes(content[:-30])
    with pytest.raises(UserError) as error:
        trained(root)
    said = str(error.value)
    assert said.startswith(f"{path} cannot be read as an image")
    assert "replace it by an image of the same name, then repeat the same command" in said
    assert "--on_bad_image skip" in said and "emove it" not in said
    path.write_bytes(content)
    assert trained(root).done == STEPS
    assert weights(root / "run") == weights(root / "whole")


def test_the_log_tells_of_it_once(broken, capsys):
    root, path, content = broken
    with pytest.raises(UserError):
        trained(root)
    path.write_bytes(content)
    capsys.readouterr()
    for steps in (STEPS, STEPS + 1):
        trained(root, steps=steps)
    assert capsys.readouterr().err.count(f"{path} was replaced. It could not be read before") == 1


def test_it_can_be_passed_over_instead(broken):
    root, _, _ = broken
    with pytest.raises(UserError, match="--on_bad_image skip"):
        trained(root)
    assert trained(root, on_bad_image="skip").done == STEPS


def test_what_was_skipped_is_refused_once_it_is_another(broken):
    """With it the order would be another than before; with the broken file the run resumes as if never stopped."""
    root, path, content = broken
    trained(root, "whole", on_bad_image="skip")
    trained(root, steps=10, on_bad_image="skip")
    cut = path.read_bytes()
    path.write_bytes(content)
    for on_bad_image in ("skip", "stop"):
        with pytest.raises(UserError, match=rf"{path} could not be read before and was skipped .*--init_from") as error:
            trained(root, on_bad_image=on_bad_image)
        assert "Restore the unreadable file to resume" in str(error.value)
    path.write_bytes(cut)
    assert trained(root, on_bad_image="skip").done == STEPS
    assert weights(root / "run") == weights(root / "whole")


def test_what_was_replaced_and_trained_on_is_as_fixed_as_others(broken):
    root, path, content = broken
    with pytest.raises(UserError):
        trained(root)
    path.write_bytes(content)
    trained(root)
    path.write_bytes(content + b"more")
    with pytest.raises(UserError, match=rf"The images of A have changed .* changed: {path.name} \("):
        trained(root, steps=STEPS + 1)


def test_other_changes_are_refused_and_named_and_lose_nothing(broken):
    root, path, content = broken
    with pytest.raises(UserError):
        trained(root)
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


def test_before_a_run_has_begun_files_may_change_and_both_cures_are_named(dataset):
    root = dataset(train_A=1, train_B=1)
    path = root / "set/train/A/000.png"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match=r"Replace or remove it\. To skip such images, use --on_bad_image skip"):
        trained(root)
    dataset(train_A=3)
    assert trained(root).done == STEPS


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


def test_damaged_tables_are_as_none(broken):
    root, path, content = broken
    with pytest.raises(UserError):
        trained(root)
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


def test_a_kill_between_the_two_files_that_are_written_loses_nothing(broken):
    root, path, content = broken
    with pytest.raises(UserError):
        trained(root)
    path.write_bytes(content)
    config = (root / "run/config.json").read_bytes()
    trained(root, steps=7)
    (root / "run/config.json").write_bytes(config)  # the table alone was written
    assert trained(root).done == STEPS
