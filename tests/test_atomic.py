"""Atomic writes: a file or a folder is replaced whole or stays as it was, and leftovers are removed."""

import errno
import itertools
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from common import atomic
from common.errors import UserError

NAMES = some.text(some.characters(codec="utf-8", exclude_characters="/\x00"), min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
DEAD = 2**31 - 1  # a number that no process has
FILE_NAMES_AS_TEXT = some.binary(max_size=200).map(os.fsdecode)  # bytes that are not UTF-8 become surrogates


class Failure(Exception):
    """Raised by the body of a write."""


@settings(max_examples=50, deadline=None)
@given(name=NAMES, earlier=some.none() | some.binary(max_size=64), content=some.binary(max_size=64))
def test_a_file_of_any_name_has_its_new_content_and_is_alone(name, earlier, content):
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        if earlier is not None:
            path.write_bytes(earlier)
        atomic.write_bytes(path, content)
        assert path.read_bytes() == content
        assert os.listdir(folder) == [name]


@settings(max_examples=50, deadline=None)
@given(text=some.text(some.characters(codec="utf-8")) | FILE_NAMES_AS_TEXT)
def test_a_text_is_written_as_its_bytes(text):
    """Line ends are not translated, and names of files that are not UTF-8 keep their bytes."""
    with TemporaryDirectory() as folder:
        atomic.write_text(f"{folder}/text", text)
        assert Path(folder, "text").read_bytes() == text.encode("utf-8", "surrogateescape")


@settings(max_examples=50, deadline=None)
@given(earlier=some.none() | some.binary(max_size=64), written=some.binary(max_size=64))
def test_a_file_stays_as_it_was_if_the_body_raises(earlier, written):
    with TemporaryDirectory() as folder:
        path = Path(folder, "file.csv")
        if earlier is not None:
            path.write_bytes(earlier)
        with pytest.raises(Failure), atomic.replacing(path) as partial:
            partial.write_bytes(written)
            raise Failure
        assert os.listdir(folder) == ([] if earlier is None else ["file.csv"])
        assert earlier is None or path.read_bytes() == earlier


def test_while_it_is_written_the_earlier_file_can_be_read(tmp_path):
    path = tmp_path / "file.csv"
    path.write_text("earlier")
    with atomic.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "earlier"
        assert partial.parent == tmp_path and partial.suffix == ".csv" and partial.name.startswith(".")
    assert path.read_text() == "new"


def test_a_body_that_raises_before_it_writes_leaves_nothing(tmp_path):
    with pytest.raises(Failure), atomic.replacing(tmp_path / "file"):
        raise Failure
    assert os.listdir(tmp_path) == []


def test_a_folder_is_written_whole(tmp_path):
    with atomic.replacing(tmp_path / "model") as partial:
        (partial / "variables").mkdir(parents=True)
        (partial / "variables" / "data").write_bytes(b"1")
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model" / "variables" / "data").read_bytes() == b"1"
    assert os.listdir(tmp_path) == ["model"]


def test_a_folder_is_not_there_if_the_body_raises(tmp_path):
    with pytest.raises(Failure), atomic.replacing(tmp_path / "model") as partial:
        (partial / "variables").mkdir(parents=True)
        (partial / "variables" / "data").write_bytes(b"1")
        raise Failure
    assert os.listdir(tmp_path) == []


def test_an_earlier_folder_with_files_is_kept_and_the_error_names_it(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "data").write_bytes(b"earlier")
    with pytest.raises(OSError) as error, atomic.replacing(tmp_path / "model") as partial:
        partial.mkdir()
        (partial / "data").write_bytes(b"new")
    assert error.value.filename == str(tmp_path / "model")
    assert (tmp_path / "model" / "data").read_bytes() == b"earlier"
    assert os.listdir(tmp_path) == ["model"]


def test_an_error_names_the_target_and_not_the_temporary_file(tmp_path):
    path = tmp_path / "missing" / "file.csv"
    with pytest.raises(FileNotFoundError) as error:
        atomic.write_text(path, "text")
    assert error.value.filename == str(path)
    with pytest.raises(OSError) as error, atomic.replacing(tmp_path / "full"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "full"))
    with pytest.raises(FileNotFoundError) as error, atomic.replacing(tmp_path / "file"):
        Path("elsewhere").read_text()
    assert error.value.filename == "elsewhere"


@settings(max_examples=50, deadline=None)
@given(target=NAMES, names=some.sets(NAMES, max_size=5))
@example(target="line\nbreak", names={"line\nbreak"})
def test_sweep_removes_only_leftovers(target, names):
    """A leftover has the name of a partial write, whatever its target's; everything else is kept."""
    with TemporaryDirectory() as folder:
        kept = {name for name in names if not atomic.PARTIAL.fullmatch(name)}
        for name in kept:
            Path(folder, name).touch()
        with pytest.raises(Failure), atomic.replacing(Path(folder, target)) as partial:
            raise Failure
        partial.touch()  # as if the process had been killed
        assert partial.name not in kept
        atomic.sweep(folder)
        assert set(os.listdir(folder)) == kept


def test_sweep_keeps_folders_hidden_files_and_what_is_below(tmp_path):
    kept = [".hidden", f".{DEAD}-2-3.partial.csv.bak", f"{DEAD}-2-3.partial.csv", ".file.partial", ".1.partial"]
    kept += [f".{os.getppid()}-2-3.partial.csv"]  # of a process that is still writing it
    for name in [*kept, f".{DEAD}-2-3.partial.csv", f".{DEAD}-345-6.partial", f".{os.getpid()}-2-3.partial"]:
        (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / f".{DEAD}-2-3.partial").touch()
    (tmp_path / f".{DEAD}-5-6.partial").mkdir()
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "below", f".{DEAD}-5-6.partial"}
    assert (tmp_path / "below" / f".{DEAD}-2-3.partial").exists()


def test_what_is_left_of_a_target_is_swept_folders_too(tmp_path):
    """Of processes that are gone, and of this number, as in containers, where the next process has it again."""
    (tmp_path / "kept").mkdir()
    left = []
    for target in ("model", "other"):
        for process in (DEAD, os.getpid()):
            partial = tmp_path / f".{process}-2-3-{atomic._mark(target)}.partial"
            (partial / "variables").mkdir(parents=True)
            left.append(partial.name)
    earlier = tmp_path / f".{DEAD}-2-3.partial"  # of a version without marks
    earlier.mkdir()
    with atomic.replacing(tmp_path / "model") as writing:
        writing.mkdir()
        atomic.sweep(tmp_path, "model")
        assert {path.name for path in tmp_path.iterdir()} == {"kept", writing.name, *left[2:]}
    atomic.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "model", *left[2:]}


@pytest.mark.parametrize("create", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_a_leftover_of_the_same_process_number_is_in_nobody_s_way(tmp_path, monkeypatch, create):
    """A process that was killed had the same number, thread and count."""
    monkeypatch.setattr(atomic, "WRITES", itertools.count(1))
    create(atomic._partial(tmp_path / "model"))
    monkeypatch.setattr(atomic, "WRITES", itertools.count(1))
    with atomic.replacing(tmp_path / "model") as partial:
        partial.mkdir()
    assert (tmp_path / "model").is_dir()


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "n" * 251 + ".csv", "n." + "s" * 253])
def test_names_may_be_as_long_as_can_be(tmp_path, name):
    atomic.write_text(tmp_path / name, "whole")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "whole")]


def test_a_temporary_file_has_the_suffix_of_a_format_alone(tmp_path):
    for suffix, kept in (("." + "s" * 15, "." + "s" * 15), ("." + "s" * 16, ".partial"), ("", ".partial")):
        with atomic.replacing(tmp_path / f"file{suffix}") as partial:
            assert partial.suffix == kept
            partial.touch()


def test_numbers_that_no_process_can_have_are_swept(tmp_path):
    for process in (2**31 - 1, 2**31, 2**31 + 1, 2**64):
        (tmp_path / f".{process}-2-3.partial").touch()
    atomic.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_another_user_is_writing_is_kept(tmp_path, monkeypatch):
    def forbidden(process, signal):
        assert (process, signal) == (DEAD, 0)
        raise PermissionError(errno.EPERM, "Operation not permitted")

    (tmp_path / f".{DEAD}-2-3.partial").touch()
    monkeypatch.setattr(os, "kill", forbidden)
    atomic.sweep(tmp_path)
    assert os.listdir(tmp_path) == [f".{DEAD}-2-3.partial"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux")
def test_a_pipe_is_not_read_and_not_left_open(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError) as error:
            atomic.read_text(path)
        assert (error.value.errno, error.value.filename) == (errno.EINVAL, str(path))
        assert error.value.strerror == "it is not a file, but a pipe, a device or a folder"
    assert str(tmp_path / "pipe") not in {os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_a_text_is_read_as_its_first_bytes_say(tmp_path, encoding):
    (tmp_path / "text").write_bytes("a=雨\r\n".encode(encoding))
    assert atomic.read_written(tmp_path / "text") == "a=雨\r\n"


def test_bytes_that_are_no_text_are_refused_as_such(tmp_path):
    (tmp_path / "text").write_bytes(b"some\0text")
    with pytest.raises(UnicodeDecodeError) as error:
        atomic.read_written(tmp_path / "text")
    assert (error.value.start, error.value.end, error.value.reason) == (0, 9, "it has a NUL")


def test_a_path_is_at_the_file_that_was_opened_there(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"1")
    with open(path, "rb") as file:
        assert atomic.is_at(path, file) and not atomic.is_at(tmp_path, file)
        atomic.write_bytes(path, b"1")
        assert not atomic.is_at(path, file)
        path.unlink()
        assert not atomic.is_at(path, file)


def test_two_threads_that_write_one_file_leave_one_whole_file(tmp_path):
    """Each waits for the other when half of its content is written."""
    path, contents = tmp_path / "file", [b"a" * 100_000, b"b" * 100_000]
    barrier = threading.Barrier(2, timeout=30)
    partials, errors = [], []

    def write(content):
        try:
            with atomic.replacing(path) as partial, open(partial, "wb") as file:
                partials.append(partial)
                file.write(content[:50_000])
                file.flush()
                barrier.wait()
                file.write(content[50_000:])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[content]) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len(set(partials)) == 2
    assert path.read_bytes() in contents
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_to_write_to_need_not_exist_and_nothing_is_left(tmp_path):
    for folder in (tmp_path, tmp_path / "new", tmp_path / "new" / "below"):
        atomic.refuse_unwritable(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["file", "file/new", "file/new/below"])
def test_nothing_can_be_written_below_a_file(tmp_path, below):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError) as refused:
        atomic.refuse_unwritable(tmp_path / below, "Use another.")
    assert str(refused.value) == f"{tmp_path / below} cannot be written to ({tmp_path}/file is a file). Use another."
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux")
def test_where_the_system_creates_no_files_its_reason_is_told():
    with pytest.raises(UserError, match=r"^/proc/new cannot be written to \(No such file or directory\)\. Choose a"):
        atomic.refuse_unwritable("/proc/new")
