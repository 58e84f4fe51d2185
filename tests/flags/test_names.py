"""Names of strangers in a terminal: nothing in them commands it, looks like a message, or runs when pasted."""

import io
import logging
import os
import re
import shlex
import subprocess
import sys

import hypothesis
import hypothesis.strategies as st
import pytest
import tqdm

from common import atomic, errors, report
from common.errors import UserError
from common.images import Images, files
from common.report import reading
from common.run import Run
from common.run.folder import refuse_imported
from dualgan import DualGAN
from flags import command, messages, streams, training_phases
from tests import small

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\u202egnp.exe\n"  # commands, and letters from right to left
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=30)
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
few = hypothesis.settings(max_examples=100, deadline=None)


@few
@hypothesis.given(NAMES)
def test_a_terminal_obeys_nothing_in_a_text(name):
    stream = io.StringIO()
    shown = streams.Lasting(stream)
    print(f"failed: {name}", file=shown)
    assert not OBEYED.search(stream.getvalue())
    assert "\n" not in errors.in_one_line(name) and not OBEYED.search(errors.in_one_line(name))
    if not OBEYED.search(name) and name.isascii():
        assert stream.getvalue() == f"failed: {name}\n"


def test_progress_bars_move_and_their_names_do_not():
    stream = io.StringIO()
    shown = streams.Lasting(stream)
    for _ in tqdm.tqdm(range(2), file=shown, desc=f"one{HOSTILE}", mininterval=0):
        for _ in tqdm.tqdm(range(2), file=shown, desc="two", position=1, mininterval=0):
            pass
    text = stream.getvalue()
    assert "\r" in text and "\x1b[A" in text
    assert not OBEYED.search(text.replace("\r", "").replace("\x1b[A", ""))


@few
@hypothesis.given(NAMES)
def test_a_message_is_one_line_whatever_it_names(name):
    with pytest.MonkeyPatch.context() as patch:
        stream = io.StringIO()
        patch.setattr(sys, "stdout", stream)
        path = str(small.ROOT / "common" / "train" / "loop.py")
        messages.Terminal().emit(logging.LogRecord("absl", logging.INFO, path, 1, f"Into {name}.", None, None))
        assert stream.getvalue().count("\n") == 1 and not OBEYED.search(stream.getvalue())


@pytest.mark.parametrize("flag", ["--run_dir", "--input", "--preset", "--nothing"])
def test_errors_of_the_command_line_are_one_safe_line(flag, tmp_path):
    argv = ["dualgan", "--phase", "translate", "--output", str(tmp_path), flag, f"{tmp_path}/{HOSTILE}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "outlive_readers", lambda: None)
        with pytest.raises(SystemExit) as ended:
            command.main(DualGAN, argv)
    assert str(ended.value).startswith("error: ")
    assert not OBEYED.search(str(ended.value)) and "\n" not in str(ended.value)


@few
@hypothesis.given(NAMES)
def test_printed_commands_are_quoted_for_the_shell(name):
    """What a shell makes of the command is the name."""
    run_dir = f"runs/{name}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("common.run.folder.load_run", lambda _: type("Saved", (), {"imported": {}}))
        with pytest.raises(UserError) as error:
            refuse_imported(run_dir)
    printed = str(error.value).partition("--init_from ")[2].rpartition(" and a new")[0]
    assert shlex.split(printed) == [run_dir]


@pytest.mark.parametrize("has_two_folders", [False, True])
def test_a_shell_runs_nothing_that_a_name_holds(has_two_folders, tmp_path, monkeypatch, capsys):
    run_dir = str(tmp_path / "$(touch pwned); `touch pwned` & 'x' \"y\"")
    progress = type("Progress", (), {"best": "", "ended": "", "began": 0, "done": 7, "total": 7})
    monkeypatch.setattr(training_phases, "train", lambda *_: progress)
    monkeypatch.setattr(training_phases, "supervises", lambda _: False)
    cluster = type("Cluster", (), {"place": lambda self: ([], 0)})()
    monkeypatch.setattr(Images, "refuse_missing", lambda *_: None)
    parts = {
        "program": "echo",
        "given": frozenset(),
        "read": lambda self, _: cluster,
        "import_tensorflow": lambda self: None,
    }
    request = type("Request", (), parts)()
    images = Images(dir_A=run_dir, dir_B="B") if has_two_folders else Images("set")
    request.parts = lambda: (small.dualgan(), images, Run(run_dir))
    training_phases.train_phase(request)
    line = capsys.readouterr().out.splitlines()[-1]
    output = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True).stdout
    translate = f"--phase translate --direction A2B --input {run_dir} --output translated"
    assert (
        output == f"{translate if has_two_folders else '--phase test'} --run_dir {run_dir}\n"
        and not (tmp_path / "pwned").exists()
    )


# Files that never end


@pytest.fixture
def run_folder(tmp_path):
    small.untrained(tmp_path / "run", small.dualgan())
    return tmp_path / "run"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["log.csv", "evaluation.csv", "health.csv", "test/metrics.csv", "samples/1.png"])
def test_a_pipe_in_a_run_folder_is_waited_for_by_nobody(run_folder, name, tmp_path):
    path = run_folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    report.write(run_folder)
    report.compare([run_folder, run_folder], tmp_path / "compared.html")
    assert (run_folder / "report.html").stat().st_size and (tmp_path / "compared.html").stat().st_size


@pytest.mark.timeout(60)
def test_a_pipe_in_place_of_settings_or_of_an_image_is_a_sentence(run_folder, tmp_path):
    (run_folder / "config.json").unlink()
    os.mkfifo(run_folder / "config.json")
    with pytest.raises(UserError, match="it is not a file"):
        reading.config(run_folder)
    os.mkfifo(tmp_path / "image.png")
    for path in (tmp_path / "image.png", "/dev/zero", tmp_path):
        with pytest.raises(UserError, match="a pipe, a device or a folder"):
            files.header(path)
    with pytest.raises(OSError, match="but a pipe"):
        atomic.read_text(tmp_path / "image.png")
