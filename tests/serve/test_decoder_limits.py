"""Memory and time of the process that decodes, and what is said where they do not suffice."""

import os
import resource
import sys
import time
import types

import numpy as np
import pytest

from common.images import files
from common.serve import decoder, decoding
from common.serve.refused import Refused


@pytest.mark.parametrize(
    ("value", "highest", "expected"),
    [
        (100, 1000, 100),
        (1000, 1000, 1000),
        (1001, 1000, 1000),
        (100, resource.RLIM_INFINITY, 100),
        (resource.RLIM_INFINITY, 1000, 1000),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    ],
)
def test_limits_of_the_process_are_at_most_those_of_the_system(monkeypatch, value, highest, expected):
    """Infinity is -1."""
    set_limits = []
    monkeypatch.setattr(decoder.resource, "getrlimit", lambda kind: (5, highest))
    monkeypatch.setattr(decoder.resource, "setrlimit", lambda kind, limits: set_limits.append((kind, limits)))
    decoder._limit(resource.RLIMIT_AS, value)
    assert set_limits == [(resource.RLIMIT_AS, (expected, highest))]


@pytest.mark.parametrize("error", [OSError, ValueError, OverflowError])
def test_where_limits_cannot_be_set_there_are_none(monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(decoder.resource, "setrlimit", fail)
    assert decoder._limit(resource.RLIMIT_AS, 100) is None


@pytest.fixture
def limited(monkeypatch):
    """The limits that a decode sets, of a process that has mapped 500 bytes and taken 3 + 4.5 seconds."""
    limits = []
    monkeypatch.setattr(decoder, "_limit", lambda kind, value: limits.append((kind, value)))
    monkeypatch.setattr(decoder, "_address_space", lambda: 500)
    monkeypatch.setattr(decoder.os, "times", lambda: os.times_result((3.0, 4.5, 60.0, 60.0, 900.0)))
    return limits


def test_a_decode_has_memory_and_time_beyond_what_its_process_has_taken(tmp_path, limited):
    image = np.random.default_rng(0).integers(0, 256, [4, 5, 4], np.uint8)
    path = tmp_path / "0.png"
    files.write(path, image[..., :3], image[..., 3:])
    assert decoder._decode(path, 20, 1000, 22) == {"status": 200}
    assert limited == [
        (resource.RLIMIT_AS, resource.RLIM_INFINITY),
        (resource.RLIMIT_AS, 1500),
        (resource.RLIMIT_CPU, 29),
    ]
    read = decoding._read(path)
    np.testing.assert_array_equal(read.pixels, image[..., :3])
    np.testing.assert_array_equal(read.alpha, image[..., 3:])


def test_images_of_more_pixels_than_asked_are_not_decoded(tmp_path, limited):
    files.write(tmp_path / "0.png", np.zeros([4, 5, 3], np.uint8))
    assert decoder._decode(tmp_path / "0.png", 19, 1000, 22) == {"status": 413, "pixels": 20}
    assert [path.name for path in tmp_path.iterdir()] == ["0.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells how much memory a process holds")
def test_the_memory_of_a_process_is_at_least_that_of_its_arrays():
    before, array = decoder._address_space(), np.zeros(2**27)  # 1 GiB, which is mapped, but not written
    assert 0.9 * array.nbytes < decoder._address_space() - before < 1.5 * array.nbytes


@pytest.fixture
def answering(monkeypatch, tmp_path):
    """A function that returns why an image is refused if the process gives an answer, and how often it was replaced."""

    def refused(answer, closed=False):
        monkeypatch.setattr(decoding.Decoder, "_start", lambda self: started.append(1))
        monkeypatch.setattr(decoding, "_end", lambda process: ended.append(1))
        monkeypatch.setattr(decoding, "_starts", lambda process: True)

        def given(process, line, seconds):
            assert (line, seconds) == (f'"{tmp_path}/x"', 2.5)
            one._closed = closed
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(decoding, "_answer", given)
        started, ended = [], []
        one = decoding.Decoder(1000, seconds=2.5)
        one._process = types.SimpleNamespace(poll=lambda: None)
        with pytest.raises(Refused) as error:
            one.decode(tmp_path / "x")
        return error.value.status, error.value.sentence, len(started) - 1, len(ended)

    refused.path = tmp_path / "x"
    return refused


@pytest.mark.parametrize(
    ("answer", "expected", "warning"),
    [
        (
            {"status": 413, "pixels": 1001},
            (413, "The image has 1,001 pixels, but the limit is 1,000. Send a smaller one.", 0, 0),
            "",
        ),
        ({"status": 507}, (507, "The image needs too much memory to be decoded. Send a smaller one.", 0, 0), ""),
        (
            TimeoutError(),
            (400, "The image takes longer to decode than 2.5 seconds. Save it again, or make it smaller.", 1, 1),
            "warning: an image takes longer to decode than 2.5 seconds. Another process takes over.\n",
        ),
        (
            None,
            (400, "The image crashes the process that decodes it. Save it again, or make it smaller.", 1, 1),
            "warning: an image crashes the process that decodes it. Another process takes over.\n",
        ),
    ],
)
def test_why_an_image_is_not_decoded(answering, capsys, answer, expected, warning):
    assert answering(answer) == expected and capsys.readouterr().err == warning


def test_a_decode_that_the_end_of_the_server_interrupts_is_not_the_fault_of_the_image(answering, capsys):
    ending = "The server is shutting down. Send the image again later."
    for answer in (None, TimeoutError()):
        assert answering(answer, closed=True) == (503, ending, 0, 1)
    assert capsys.readouterr().err == ""


def test_errors_of_files_have_no_paths(answering):
    answer = {"status": 400, "sentence": f"{answering.path} cannot be read, as {answering.path} is odd."}
    assert answering(answer)[:2] == (400, "The image cannot be read, as The image is odd.")


@pytest.fixture
def said():
    """A function that returns the line of a process that says parts of it, and is silent then."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as stdout, open(writing, "wb", buffering=0) as process:

        def line(*parts, ends=False):
            for part in parts:
                process.write(part)
            if ends:
                process.close()
            return decoding._line(types.SimpleNamespace(stdout=stdout), time.monotonic() + 0.05)

        yield line


def test_lines_of_a_process_are_read_whole(said):
    assert said(b"ab", b"c\n") == b"abc\n"
    with pytest.raises(TimeoutError):
        said(b"abc")
    assert said(b"abc", ends=True) is None


@pytest.mark.parametrize(("count", "is_read"), [(2**16 - 1, False), (2**16, True)])
def test_a_process_that_says_more_than_an_answer_is_not_listened_to_any_longer(tmp_path, count, is_read):
    """A file stands in for what it says, and ends."""
    (tmp_path / "said").write_bytes(bytes(count))
    with open(tmp_path / "said", "rb", buffering=0) as stdout:
        line = decoding._line(types.SimpleNamespace(stdout=stdout), time.monotonic() + 10)
    assert line == (bytes(count) if is_read else None)


def test_a_process_has_the_limits_of_the_server(monkeypatch):
    """20 seconds and 2 for its own work, 2^28 bytes and 64 for each pixel and 4 for each byte of a file."""
    started = []
    monkeypatch.setattr(decoding.subprocess, "Popen", lambda command, **options: started.append((command, options)))
    decoding.Decoder(1000, 7)
    ((command, options),) = started
    assert command[1:] == ["-m", "common.serve.decoder", "1000", str(2**28 + 64_028), "22"]
    assert options["start_new_session"] and options["bufsize"] == 0
    few = {name: options["env"][name] for name in ("MALLOC_ARENA_MAX", "TIFFFILE_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL")}
    assert list(few.values()) == ["2", "1", "3"]
