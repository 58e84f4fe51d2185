"""The process that decodes, from both sides: what it answers, and when it is started, ended and replaced."""

import errno
import io
import json
import types

import numpy as np
import pytest

from common.errors import UserError
from common.images import files
from common.serve import decoder, decoding
from common.serve.refused import Refused

ENDING = "The server is shutting down. Send the image again later."


def lacking(cause):
    """An error of a file that has a cause."""
    try:
        raise UserError("x cannot be read.") from cause
    except UserError as error:
        return error


@pytest.fixture
def program(monkeypatch):
    """A function that runs the program on decodes that return or raise something, and returns its answers."""

    def run(*outcomes):
        paths, said = [], io.StringIO()

        def decode(path, *limits):
            paths.append((path.as_posix(), limits))
            outcome = outcomes[len(paths) - 1]
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        system = types.SimpleNamespace(
            fdopen=lambda number, *args, **options: said,
            dup=lambda number: number,
            dup2=lambda *pair: moved.append(pair),
        )
        monkeypatch.setattr(decoder, "_decode", decode)
        monkeypatch.setattr(decoder, "os", system)
        monkeypatch.setattr(decoder.sys, "stdin", [f"{json.dumps(f'/x {n}')}\n" for n in range(len(outcomes))])
        moved.clear()
        decoder.main(100, 200, 3)
        assert paths == [(f"/x {n}", (100, 200, 3)) for n in range(len(outcomes))]
        return [json.loads(line) for line in said.getvalue().splitlines()]

    moved = run.moved = []
    return run


def test_each_path_has_an_answer_after_the_first_which_says_that_it_is_ready(program):
    assert program() == [{"status": 102}]
    assert program({"status": 200}, UserError("It is odd."), {"status": 413, "pixels": 9}) == [
        {"status": 102},
        {"status": 200},
        {"status": 400, "sentence": "It is odd."},
        {"status": 413, "pixels": 9},
    ]


def test_a_lack_of_memory_is_told_from_a_damaged_file(program):
    no_memory, no_file = OSError(errno.ENOMEM, "no memory"), OSError(errno.ENOENT, "no file")
    outcomes = (MemoryError(), lacking(MemoryError()), lacking(no_memory), lacking(no_file), lacking(ValueError()))
    assert [answer["status"] for answer in program(*outcomes)] == [102, 507, 507, 507, 400, 400]


def test_what_libraries_print_is_no_answer(program):
    program()
    assert program.moved == [(2, 1)]  # the standard output is that of errors


def test_tensorflow_starts_before_memory_is_limited(tmp_path, monkeypatch):
    """It decodes PNG of 16 bits and colours."""
    files.write(tmp_path / "0.png", np.zeros([4, 4, 3], np.uint8))
    steps = []
    monkeypatch.setattr(decoder, "_limit", lambda kind, value: steps.append("limit"))
    monkeypatch.setattr(decoder.deep_png, "encode", lambda image: steps.append((image.shape, image.dtype)))
    for is_deep in (False, True):
        monkeypatch.setattr(decoder.files, "is_deep_png", lambda path, is_deep=is_deep: is_deep)
        decoder._decode(tmp_path / "0.png", 100, 2**40, 100)
    assert steps == ["limit", "limit", "limit", "limit", ((1, 1, 1), np.uint16), "limit", "limit"]


class Process:
    """One that is not started, and remembers what is done to it."""

    def __init__(self, ended=None):
        self.done, self.returncode = [], ended

    def poll(self):
        return self.returncode

    def kill(self):
        self.done.append("killed")

    def wait(self):
        self.done.append("waited")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.done.append("closed")


@pytest.fixture
def processes(monkeypatch, tmp_path):
    """The processes that are started; they answer that what they are sent has been decoded."""
    started = []

    def start(command, **options):
        started.append(Process())
        return started[-1]

    monkeypatch.setattr(decoding.subprocess, "Popen", start)
    monkeypatch.setattr(decoding, "_starts", lambda process: process.done.append("asked") is None)
    monkeypatch.setattr(decoding, "_answer", lambda process, line, seconds: {"status": 200})
    monkeypatch.setattr(decoding, "_read", lambda path: path.name)
    return started


def test_a_process_is_asked_once_whether_it_has_started(processes, tmp_path):
    one = decoding.Decoder(100)
    assert [one.decode(tmp_path / name) for name in "ab"] == ["a", "b"]
    assert [process.done for process in processes] == [["asked"]]


def test_a_process_that_has_ended_is_replaced(processes, tmp_path):
    one = decoding.Decoder(100)
    one.decode(tmp_path / "a")
    processes[0].returncode = -9
    assert one.decode(tmp_path / "b") == "b" and [process.done for process in processes] == [["asked"], ["asked"]]


def test_a_process_that_fails_is_ended_and_replaced_at_once(processes, tmp_path, monkeypatch, capsys):
    one = decoding.Decoder(100)
    monkeypatch.setattr(decoding, "_answer", lambda process, line, seconds: None)
    with pytest.raises(Refused, match="crashes the process"):
        one.decode(tmp_path / "a")
    assert [process.done for process in processes] == [["asked", "killed", "closed"], []]
    assert capsys.readouterr().err == (
        "warning: an image crashes the process that decodes it. Another process takes over.\n"
    )


def test_a_decoder_that_is_closed_starts_nothing(processes, tmp_path):
    one = decoding.Decoder(100)
    one.close()
    assert processes[0].done == ["killed", "waited"]
    processes[0].returncode = -9
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            one.decode(tmp_path / "a")
        assert (refused.value.status, refused.value.sentence) == (503, ENDING)
    one.close()  # there is nothing to end
    assert len(processes) == 1


def test_a_process_that_does_not_start_is_ended_and_why_is_said(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_starts", lambda process: False)
    one = decoding.Decoder(100)
    with pytest.raises(RuntimeError, match=r"^the decoding process does not start$"):
        one.decode(tmp_path / "a")
    assert processes[0].done == ["killed", "closed"]
    one._closed = True  # meanwhile
    with pytest.raises(Refused, match="shutting down"):
        one.decode(tmp_path / "a")
