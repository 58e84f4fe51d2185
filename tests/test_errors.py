"""The reason of an error, in one line."""

import errno

import pytest

from common import tensorflow as tf
from common.errors import naming, reason


def test_the_first_informative_line():
    assert reason(ValueError("first.\nsecond")) == "first"
    assert reason(ValueError()) == "ValueError"


def test_an_error_in_a_graph_gives_the_message_of_its_node(session):
    fed = tf.placeholder(tf.float32, [None])
    checked = tf.debugging.assert_positive(fed, message="of no use")
    with pytest.raises(tf.errors.OpError) as error:
        session.run(checked, {fed: [-1.0]})
    line = reason(error.value)
    assert "of no use" in line and "Detected at" not in line and "Node" not in line


def test_an_error_that_names_no_file_gets_a_path(tmp_path):
    with pytest.raises(OSError) as error, naming(tmp_path / "here"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "here"))
    with pytest.raises(OSError) as error, naming(tmp_path / "here"):
        raise FileNotFoundError(errno.ENOENT, "No such file", "there")
    assert error.value.filename == "there"
