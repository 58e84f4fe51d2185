"""A checkpoint that was cut off or changed is found, put aside, and the one before it is used."""

import hashlib
import os
import pathlib
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import tensorflow as tf
from common.errors import UserError
from common.run import checkpoint_files
from common.run.checkpoint_files import checkpoints_in, damage_of, selected_one, step_of
from common.run.checkpoints import Checkpoints


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run folder with checkpoints of the steps 1 and 2, whose variable `a` is the step."""
    folder = tmp_path_factory.mktemp("saved")
    with tf.Graph().as_default(), tf.Session() as session:
        step, variable = tf.placeholder(tf.float32, [64]), tf.get_variable("a", [64])
        assign = variable.assign(step)
        saver = Checkpoints(folder)
        for number in (1, 2):
            session.run(assign, {step: np.full(64, number)})
            saver.save(session, number)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of it."""
    return shutil.copytree(saved, tmp_path / "run")


def resume(folder):
    """(step, a) of what a training goes on from."""
    with tf.Graph().as_default(), tf.Session() as session:
        variable, saver = tf.get_variable("a", [64]), Checkpoints(folder)
        saver.sweep()
        return saver.restore(session), session.run(variable)[0]


def test_digests_are_those_of_sha256sum(folder):
    for line in (folder / "checkpoints/model-00000002.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((folder / "checkpoints" / name).read_bytes()).hexdigest()
        assert name.startswith("model-00000002.")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["index", "data-00000-of-00001", "sha256"]), st.floats(0, 1, exclude_max=True), st.booleans())
def test_any_bit_and_any_cut_is_found(folder, suffix, where, flip):
    path = folder / f"checkpoints/model-00000002.{suffix}"
    content = path.read_bytes()
    at = int(where * len(content))
    changed = content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :] if flip else content[:at]
    try:
        path.write_bytes(changed)
        assert damage_of(str(path.with_name("model-00000002")))
    finally:
        path.write_bytes(content)
    assert not damage_of(str(path.with_name("model-00000002")))


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001", "sha256"])
def test_the_one_before_is_used_saying_so(folder, capsys, suffix):
    path = folder / f"checkpoints/model-00000002.{suffix}"
    path.write_bytes(path.read_bytes()[:-1])
    assert selected_one(folder, "latest").endswith("model-00000001")  # to translate, nothing is moved
    assert resume(folder) == (1, 1.0)
    said = capsys.readouterr().err
    assert "model-00000002 is damaged (" in said
    assert said.count(f"so {folder}/checkpoints/model-00000001 is used instead") == 2
    aside = {path.name for path in (folder / "checkpoints/damaged").iterdir()}
    assert aside == {f"model-00000002.{each}" for each in ("index", "data-00000-of-00001", "sha256")}


@pytest.mark.parametrize("create", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001", "sha256"])
def test_a_pipe_or_a_folder_in_place_of_a_file_is_put_aside(folder, suffix, create):
    path = folder / f"checkpoints/model-00000002.{suffix}"
    path.unlink()
    create(path)
    if suffix != "sha256":  # else digests would tell
        path.with_suffix(".sha256").unlink()
    assert damage_of(str(path.with_name("model-00000002"))) == f"{path.name} is not a regular file"
    with pytest.raises(UserError, match="is not a regular file"), checkpoint_files.reading(path.with_suffix("")):
        pass
    assert resume(folder) == (1, 1)
    assert [step_of(checkpoint) for checkpoint in checkpoints_in(folder / "checkpoints")] == [1]


def test_a_file_where_damaged_checkpoints_are_put_is_named(folder):
    (folder / "checkpoints/model-00000002.index").write_bytes(b"")
    (folder / "checkpoints/damaged").write_text("mine")
    with pytest.raises(UserError, match=r"damaged is not a folder, and damaged checkpoints are moved there. Rename it"):
        resume(folder)


def test_where_none_is_whole_nothing_begins_anew(folder):
    for path in folder.glob("checkpoints/*.data*"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"No checkpoint in .* is intact"):
        selected_one(folder, "latest")
    for _ in range(2):
        with pytest.raises(UserError, match=r"No checkpoint of .* is intact \(.*model-00000002: .*model-00000001: "):
            resume(folder)
    assert list(map(step_of, checkpoints_in(folder / "checkpoints"))) == [1, 2]  # so the run has begun


def test_what_is_aside_is_not_forgotten(folder):
    (folder / "checkpoints/damaged").mkdir()
    for path in folder.glob("checkpoints/model-*"):
        path.rename(path.with_name("damaged") / path.name)
    with pytest.raises(UserError, match=r"No checkpoint of .* is intact \(.*the damaged ones are in .*damaged\)"):
        resume(folder)


def test_copies_of_a_person_are_left_alone(folder):
    there = folder / "checkpoints"
    for suffix in ("index", "data-00000-of-00001"):
        for name in ("model-best", "model-00000002 (copy)"):
            (there / f"{name}.{suffix}").write_bytes((there / f"model-00000002.{suffix}").read_bytes())
    (there / "model-00000001-before").mkdir()
    for name in ("model-final.zip", "model-best.sha256", "notes.new"):
        (there / name).write_bytes(b"a person's own")
    before = {path.name for path in there.iterdir()}
    assert resume(folder) == (2, 2.0)
    assert {path.name for path in there.iterdir()} == before


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"step": null}', '{"step": "x"}', '{"step": Infinity}', '{"step": 1e400}', '{"step": -1}']
    + ['{"step": true}', '{"step": 1.5}', '{"step": ' + "1" * 5000 + "}", "[" * 100_000, '{"step": 1, "step": 2}']
    + ['{"step": 1, "value": NaN}', '{"step": 1, "next": 2}'],
)
def test_a_best_step_that_cannot_be_read_is_named(folder, content):
    (folder / "best.json").write_text(content)
    with pytest.raises(UserError, match=r"best.json does not name the best step: .* Resume the training with"):
        selected_one(folder, "best")
    assert selected_one(folder, "latest").endswith("model-00000002")


def test_a_checkpoint_that_was_removed_meanwhile_is_not_called_broken(folder):
    assert damage_of(str(folder / "checkpoints/model-00000009")) == "it no longer exists"


def test_one_that_is_asked_for_is_not_replaced(folder):
    path = folder / "checkpoints/model-00000002.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-1])
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("a", [64])
        with pytest.raises(UserError, match=r"model-00000002 is damaged .*Choose a different --checkpoint"):
            Checkpoints(folder).restore(session, selected_one(folder, "2"))


def test_without_a_digest_every_value_is_read(folder):
    for path in folder.glob("checkpoints/*.sha256"):
        path.unlink()
    assert resume(folder) == (2, 2.0)
    path = folder / "checkpoints/model-00000002.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert resume(folder) == (1, 1.0)


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_without_a_digest_any_cut_is_found(folder, suffix):
    (folder / "checkpoints/model-00000002.sha256").unlink()
    path = folder / f"checkpoints/model-00000002.{suffix}"
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        assert damage_of(str(path.with_name("model-00000002"))), length


def test_what_a_kill_left_is_swept(folder):
    left = folder / "checkpoints"
    names = [f"model-00000003.{each}" for each in ("data-00000-of-00001.tempstate123", "index.tempstate123")]
    names += ["model-00000003.data-00000-of-00001", "model-00000000.sha256", "model-00000003.sha256.new"]
    names += ["checkpoint.tmp0123456789abcdef0123456789abcdef"]  # of TensorFlow's own list of them
    for name in names:
        (left / name).write_bytes(b"half")
    (left / "notes.txt").write_text("a person's own")
    before = {path.name for path in left.iterdir()} - set(names)
    assert resume(folder) == (2, 2.0)
    assert {path.name for path in left.iterdir()} == before


def test_a_save_that_fails_leaves_the_others_and_names_the_room(folder, monkeypatch):
    def full(path, mode=None):
        raise OSError(28, "No space left on device", str(path))

    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("a", [64])
        saver = Checkpoints(folder)
        session.run(tf.global_variables_initializer())
        monkeypatch.setattr(checkpoint_files, "_fsync", full)
        with pytest.raises(UserError, match=r"03 could not be written \(No space left .*about 256 bytes, and") as error:
            saver.save(session, 3)
    assert "The last good checkpoint is" in str(error.value) and "model-00000002" in str(error.value)
    assert not list(pathlib.Path(folder, "checkpoints").glob("*3.*"))
    assert resume(folder)[0] == 2
