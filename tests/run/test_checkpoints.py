"""A checkpoint that does not fit is refused before anything is restored."""

import os
import pathlib

import pytest

from common import tensorflow as tf
from common.errors import NotFinite, UserError
from common.run import checkpoint_files
from common.run.checkpoint_files import selected
from common.run.checkpoints import Checkpoints


def save(folder, **shapes):
    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape in shapes.items():
            tf.get_variable(name, shape)
        session.run(tf.global_variables_initializer())
        Checkpoints(folder).save(session, 7)


def restore(folder, dtype=None, **shapes):
    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape in shapes.items():
            tf.get_variable(name, shape, dtype)
        return Checkpoints(folder).restore(session)


def test_the_step_comes_back(tmp_path):
    assert restore(tmp_path, a=[2]) is None
    save(tmp_path, a=[2])
    assert restore(tmp_path, a=[2]) == 7


def test_latest_of_none_is_an_error(tmp_path):
    with pytest.raises(UserError, match="has no checkpoint"):
        selected(tmp_path, "latest")
    assert selected(tmp_path, "all") == []


def test_another_type_is_refused(tmp_path):
    save(tmp_path, a=[2])
    with pytest.raises(UserError, match="a is float64 here and float32 in the checkpoint"):
        restore(tmp_path, tf.float64, a=[2])


def test_a_broken_file_is_named(tmp_path):
    save(tmp_path, a=[2])
    (tmp_path / "checkpoints" / "model-00000007.index").write_bytes(b"broken")
    message = r"No checkpoint in .* is intact \(.*model-00000007.index does not match its digest\)"
    with pytest.raises(UserError, match=message):
        restore(tmp_path, a=[2])


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        collections = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
        weight = tf.get_variable("a", initializer=[1.0, 2.0], collections=collections)
        session.run(tf.global_variables_initializer())
        checkpoints = Checkpoints(tmp_path)
        checkpoints.save(session, 1)
        weight.load([1.0, float("nan")], session)
        with pytest.raises(NotFinite, match="After step 2 a weight is not finite, so it is not saved"):
            checkpoints.save(session, 2)
    assert [path.name for path in tmp_path.glob("checkpoints/*.index")] == ["model-00000001.index"]


def test_what_cannot_be_written_is_named(tmp_path):
    (tmp_path / "checkpoints" / "model-00000007.data-00000-of-00001").mkdir(parents=True)
    with pytest.raises(UserError, match=r"model-00000007 could not be written .*There is no checkpoint yet"):
        save(tmp_path, a=[2])


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(UserError, match=r"could not be written \(File exists\).* Remove or rename what is in"):
        save(tmp_path, a=[2])


def test_a_folder_can_be_moved(tmp_path):
    save(tmp_path / "here", a=[2])
    (tmp_path / "here").rename(tmp_path / "there")
    assert restore(tmp_path / "there", a=[2]) == 7


@pytest.mark.skipif(not pathlib.Path("/proc/self/fd").is_dir(), reason="needs Linux")
def test_a_checkpoint_is_flushed_to_the_disk_the_digests_last(tmp_path, monkeypatch):
    save(tmp_path, a=[2])
    checkpoint = tmp_path / "checkpoints" / "model-00000007"
    checkpoint.with_suffix(".sha256").unlink()
    flushed, fsync = [], os.fsync

    def noted(descriptor):
        flushed.append(pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    monkeypatch.setattr(checkpoint_files.os, "fsync", noted)
    checkpoint_files.seal(checkpoint)
    data, index = "model-00000007.data-00000-of-00001", "model-00000007.index"
    assert sorted(flushed[:2]) == [data, index]
    assert [name.partition(".partial")[0] for name in flushed[2:]][-1] == "checkpoints"
    assert any("sha256" in name for name in flushed[2:])
