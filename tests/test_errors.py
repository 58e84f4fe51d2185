"""The reason of an error, in one line."""

import errno
import json
import os
import re
import struct

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import ImageError, NotFinite, UserError, in_one_line, naming, reason, visible


def test_the_first_informative_line():
    assert reason(ValueError("first.\nsecond")) == "first"
    assert reason(ValueError()) == "it is not valid"


class Foreign(Exception):
    """An error of another library."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Foreign("\n  first. \nsecond"), "first"),
        (Foreign(" \n"), "it is not valid"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("plain."), "plain"),
        (MemoryError("4 GB"), "there is not enough memory for it"),
        (EOFError("ended"), "it ends too early"),
        (KeyError("x"), "it is not valid"),
        (struct.error("unpack requires"), "it ends too early or is not valid"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), "it is not text in the expected encoding"),
        (json.JSONDecodeError("bad", "x", 0), "it is not JSON"),
        (type("Own", (KeyError,), {"__module__": "library"})("no such thing"), "'no such thing'"),
        (
            Foreign("Graph execution error:\n\nDetected at node a\nNode: 'a'\nit is negative. \n\t [[a]]"),
            "it is negative",
        ),
        (Foreign("Graph execution error:\nit is negative"), "it is negative"),
        (Foreign("first\nNode: 'a'\nsecond"), "first"),
    ],
)
def test_the_reason_of_an_error_in_words(error, expected):
    assert reason(error) == expected


def test_what_a_terminal_would_obey_is_escaped():
    assert visible("a\tb\nc\x1b[2J\x9b\u202e é") == "a\tb\nc\\x1b[2J\\x9b\\u202e é"
    assert in_one_line("a\tb\nc\x1b") == "a\tb\\nc\\x1b"


def test_an_error_is_printed_as_its_sentences():
    image = ImageError("a.png has no pixels.", "Remove it.")
    assert (str(image), image.problem, image.cure) == (
        "a.png has no pixels. Remove it.",
        "a.png has no pixels.",
        "Remove it.",
    )
    assert (str(NotFinite("A loss is not finite.")), NotFinite("x").read) == ("A loss is not finite.", 0)
    assert (str(NotFinite("x", 3)), NotFinite("x", read=3).read) == ("x", 3)
    assert isinstance(image, UserError) and isinstance(NotFinite("x"), UserError)


FAULTS = {  # what damaged content makes programs do
    "attribute": lambda: None.anything,
    "key": lambda: {}["x"],
    "index": lambda: [][3],
    "order": lambda: sorted([1, None]),
    "json": lambda: json.loads("{"),
    "nesting": lambda: json.loads("[" * 100_000),
    "number": lambda: int("x"),
    "real": lambda: float("x"),
    "array": lambda: np.arange(3).reshape(2, 2),
    "unpacking": lambda: (lambda a, b: a)(*[1]),
    "values": lambda: exec("a, b = [1]"),
    "bytes": lambda: b"\xff".decode(),
    "struct": lambda: struct.unpack("<I", b"x"),
    "division": lambda: 1 // 0,
    "hash": lambda: {[]},
    "none": lambda: len(None),
    "file": lambda: os.stat("/nowhere/at/all"),
}
PYTHONS = re.compile(
    r"Error|Errno|<|attribute|NoneType|\bdict\b|\bstr\b|\bint\b|object|argument|unpack|literal|codec|buffer|'x'|Expecting"
)


@pytest.mark.parametrize("name", FAULTS)
def test_words_of_python_are_no_reason(name):
    try:
        FAULTS[name]()
    except Exception as error:
        assert not PYTHONS.search(reason(error)), reason(error)
        assert reason(error)[0].islower() or name == "file"


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
    with pytest.raises(OSError) as error, naming(tmp_path / "here", tmp_path / "partial"):
        raise FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "partial"))
    assert (error.value.errno, error.value.filename) == (errno.ENOENT, str(tmp_path / "here"))
    with pytest.raises(OSError, match=r"^plain$"), naming(tmp_path / "here"):
        raise OSError("plain")
