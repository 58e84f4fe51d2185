"""Standard output and error: what happens to text once nobody reads it, and where they were closed from the start."""

import contextlib
import io
import os
import pathlib
import sys

import pytest

from flags import quiet, streams

DESCRIPTORS = pathlib.Path("/proc/self/fd")
needs_linux = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="needs Linux")


@pytest.fixture
def broken():
    """A stream whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=1) as stream:
        yield stream


@needs_linux
def test_text_that_nobody_reads_is_dropped(broken):
    shown = streams.Lasting(broken)
    before = len(os.listdir(DESCRIPTORS))
    assert shown.write("one\n") is None
    assert len(os.listdir(DESCRIPTORS)) == before
    assert os.readlink(DESCRIPTORS / str(broken.fileno())) == os.devnull  # where all that follows goes, too
    assert shown.write("two\n") == 4
    shown.flush()


def test_a_stream_that_is_closed_or_has_no_file_is_written_to_in_vain():
    stream = io.StringIO()
    shown = streams.Lasting(stream)
    assert shown.write("one") == 3 and stream.getvalue() == "one"
    stream.close()
    assert shown.write("two") is None and shown.flush() is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain\n", "plain\n"),
        ("\rbar", "\rbar"),
        ("\rbar\rmore", "\rbar\\rmore"),
        ("a\rb", "a\\rb"),
        ("\n\n\x1b[A\x1b[A", "\n\n\x1b[A\x1b[A"),
        ("\x1b[A!", "\\x1b[A!"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u00e9t\u00e9", "\u00e9t\u00e9"),
    ],
)
def test_bars_move_and_other_control_characters_are_written_out(text, written):
    stream = io.StringIO()
    streams.Lasting(stream).write(text)
    assert stream.getvalue() == written


def test_other_questions_are_answered_by_the_stream_itself():
    stream = io.StringIO("text")
    assert streams.Lasting(stream).read() == "text"
    assert not hasattr(streams.Lasting(stream), "reconfigure")


@pytest.fixture
def nothing_closed(monkeypatch):
    monkeypatch.setattr(streams, "_fill_up", lambda: None)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))  # so that they are not wrapped for good
    monkeypatch.setenv("PYTHON_COLORS", "")
    monkeypatch.delenv("PYTHON_COLORS")
    return monkeypatch


def test_both_streams_survive_and_write_names_that_are_no_text(nothing_closed):
    raw = io.BytesIO()
    nothing_closed.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    nothing_closed.setattr(sys, "stderr", None)  # as in a process that began without it
    streams.outlive_readers()
    once = sys.stdout
    streams.outlive_readers()
    assert sys.stdout is once
    print("\u00e9\udce4")
    assert raw.getvalue() == b"\\xe9\\udce4\n"
    assert type(sys.stdout) is type(sys.stderr) is streams.Lasting
    assert sys.stderr.write("x") == 1 and sys.stderr.name == os.devnull
    assert os.environ["PYTHON_COLORS"] == "0"
    sys.stderr.close()


def test_what_a_person_says_about_colours_holds(nothing_closed):
    nothing_closed.setenv("PYTHON_COLORS", "1")
    streams.outlive_readers()
    assert os.environ["PYTHON_COLORS"] == "1"


@pytest.mark.parametrize("closed", [[], [0], [1, 2], [0, 1, 2]])
def test_closed_descriptors_are_opened_again(monkeypatch, closed):
    """Else the next file that is opened would be taken for standard output."""
    looked_at, opened = [], []

    def fstat(descriptor):
        looked_at.append(descriptor)
        if descriptor in closed:
            raise OSError

    monkeypatch.setattr(streams.os, "fstat", fstat)
    monkeypatch.setattr(streams.os, "open", lambda *arguments: opened.append(arguments))
    streams._fill_up()
    monkeypatch.undo()
    assert looked_at == [0, 1, 2] and opened == [(os.devnull, os.O_RDWR)] * len(closed)


@needs_linux
@pytest.mark.parametrize("fails", [False, True])
def test_holding_messages_back_leaves_no_file_open(fails):
    before = len(os.listdir(DESCRIPTORS))
    with contextlib.suppress(KeyError), quiet.held_back():
        if fails:
            raise KeyError
    assert len(os.listdir(DESCRIPTORS)) == before
