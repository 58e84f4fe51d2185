"""What errors of others say, in a line."""

import errno

import pytest

from common import tensorflow as tf
from common.errors import naming, reason


def test_the_line_that_tells():
    assert reason(ValueError("first.\nsecond")) == "first"
    assert reason(ValueError()) == "ValueError"


def test_of_an_error_in_a_graph_what_the_node_says(session):
    fed = tf.placeholder(tf.float32, [None])
    checked = tf.debugging.assert_positive(fed, message="of no use")
    with pytest.raises(tf.errors.OpError) as error:
        session.run(checked, {fed: [-1.0]})
    said = reason(error.value)
    assert "of no use" in said and "Detected at" not in said and "Node" not in said


def test_an_error_without_a_file_gets_one(tmp_path):
    with pytest.raises(OSError) as error, naming(tmp_path / "here"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "here"))
    with pytest.raises(OSError) as error, naming(tmp_path / "here"):
        raise FileNotFoundError(errno.ENOENT, "No such file", "there")
    assert error.value.filename == "there"
