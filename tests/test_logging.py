"""What is logged, and where it is shown: nothing of a training stands on standard output unless it is asked for."""

import contextlib
import fcntl
import logging
import os
import pathlib
import pty
import struct
import subprocess
import sys
import termios
import threading

import numpy as np
import pytest
from absl import logging as absl_logging

import common
from common.images import Images, files
from common.run import Run
from common.train import train
from flags import messages, streams
from tests import small

pytestmark = pytest.mark.usefixtures("few_patches")

OURS = pathlib.Path(common.__file__).parent / "train" / "loop.py"
PROGRAM = """
import sys

from absl import logging

from common.images import Images
from common.metrics import distances
from common.run import Run
from common.train import train
from tests import small

distances.PATCHES, distances.PROJECTIONS = 200, 8  # as in few_patches
dual, images = small.Gain(image_size=32), Images("set", data_root=sys.argv[1], on_bad_image="skip")
train(dual, images, Run("silent", steps=2, eval_every=1))
for stream in (sys.stdout, sys.stderr):
    print("\\nshown:", file=stream, flush=True)

from flags import messages

logging.set_verbosity(logging.INFO)
messages.show()
train(dual, images, Run("run", steps=2, eval_every=1))
for stream in (sys.stdout, sys.stderr):
    print("\\nshown:", file=stream, flush=True)

from flags import command

command.main(small.Gain, ["main", *sys.argv[2:]])
"""


@pytest.fixture
def images(tmp_path):
    """A small set, an image of which is damaged."""
    random = np.random.default_rng(0)
    for folder, count in (("train/A", 3), ("train/B", 3), ("val/A", 2), ("val/B", 2)):
        for number in range(count):
            files.write(tmp_path / "set" / folder / f"{number}.png", random.integers(0, 256, [32, 32, 3], np.uint8))
    (tmp_path / "set" / "train" / "A" / "damaged.png").write_bytes(b"")
    return Images("set", data_root=str(tmp_path), on_bad_image="skip")


@pytest.fixture
def logger():
    """The logger of absl; other packages have changed nothing of it afterwards."""
    logger = absl_logging.get_absl_logger()
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    yield logger
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def in_terminal(script, folder, *arguments):
    """Runs a script in `folder`, with a terminal as standard error: (standard output, standard error)."""
    folder.mkdir()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 40, 200, 0, 0))  # lines and columns; bars need some
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(small.ROOT)}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=slave, text=True)
    os.close(slave)
    chunks = []

    def read():
        try:
            while chunk := os.read(master, 4096):
                chunks.append(chunk)
        except OSError:  # nobody has the other end any more
            pass

    reader = threading.Thread(target=read)
    reader.start()
    output = process.communicate()[0]
    reader.join()
    os.close(master)
    errors = b"".join(chunks).decode().replace("\r\n", "\n")
    assert process.returncode == 0, errors
    return output, errors


def record(message, level=logging.INFO, path=OURS, args=()):
    return logging.LogRecord("absl", level, str(path), 1, message, args, None)


@pytest.mark.thorough
def test_train_says_nothing_unless_asked_and_then_what_the_command_line_says(images, tmp_path):
    root, flags = images.data_root, "--dataset set --on_bad_image skip --run_dir command --steps 2 --eval_every 1"
    flags = f"{flags} --image_size 32 --data_root {root}"
    texts, errors = in_terminal(PROGRAM, tmp_path / "run", root, *flags.split())
    silent, shown, output = texts.split("\nshown:\n")
    assert silent == ""
    for text in errors.split("\nshown:\n"):
        assert text.count("damaged.png") == 1 and "Another image takes its place (--on_bad_image skip)." in text
        assert "2/2" in text  # the bar
    assert shown.startswith("Gain on set: 4 images of A, 3 of B; 2 steps (") and shown.count("Evaluated step ") == 2
    assert (
        "\nA step reads 1 image of each domain (--batch_size 1): training sees 2 of the 4 images of A once, and"
        in shown
    )
    shown = shown.replace("into run.", "into command.")
    assert output.startswith(shown)
    assert "WARNING:absl" not in text  # as absl shows a warning that nobody handles
    assert output.removeprefix(shown).startswith("Best: ")  # from there on, the command line itself


def test_progress_on_standard_output_and_warnings_on_standard_error(logger, capsys):
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        logger.handle(record(f"level {level}", level))
    said = capsys.readouterr()
    assert said.out == "level 20\n" and said.err == "level 30\nlevel 40\n"


@pytest.mark.parametrize("path", ["tensorflow/lite/converter.py", "common_sense/loop.py", "loop.py"])
@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_messages_of_other_packages_are_not_shown(logger, capsys, path, level):
    """They may lie in the same folder, as in site-packages."""
    logger.handle(record("of another package", level, small.ROOT / path))
    logger.handle(record("of another place", level, pathlib.Path("/usr/lib/common/train") / path))
    assert capsys.readouterr() == ("", "")


def test_packages_are_known_behind_a_link(logger, capsys, tmp_path, monkeypatch):
    """The paths of messages are as Python was given them."""
    (tmp_path / "link").symlink_to(small.ROOT)
    monkeypatch.setattr(common, "__path__", [str(tmp_path / "link" / "common")])
    logger.handle(record("behind a link", path=tmp_path / "link" / "common" / "train" / "loop.py"))
    assert capsys.readouterr().out == "behind a link\n"


def test_percent_signs_are_left_alone_and_lines_only_of_a_method_of_ones_own(logger, capsys, monkeypatch):
    """Messages of this project are a line each: another can only come from a name."""
    for message in ("100% of %s, %d and %(name)s", "two\nlines"):
        logger.handle(record(message))
    logger.handle(record("%d %%", args=(50,)))
    assert capsys.readouterr().out == "100% of %s, %d and %(name)s\ntwo\\nlines\n50 %\n"
    monkeypatch.setattr(messages.Terminal, "files", {"/home/own.py"})
    logger.handle(record("two\nlines", path="/home/own.py"))
    assert capsys.readouterr().out == "two\nlines\n"


def test_what_is_shown_is_shown_once(logger, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    messages.show()
    messages.show()
    logger.handle(record("once", logging.WARNING))
    logging.getLogger("another").warning("as it is without any handler")
    assert capsys.readouterr().err == "once\nas it is without any handler\n"


@pytest.fixture
def broken():
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    with contextlib.suppress(BrokenPipeError), open(writing, "w") as stream:
        yield stream


@pytest.mark.parametrize("lasting", [True, False])
def test_a_broken_standard_output_does_not_end_a_training(images, tmp_path, broken, monkeypatch, capsys, lasting):
    """On the command line, which makes its streams last, and from Python, where each message that is lost is told."""
    monkeypatch.setattr(sys, "stdout", streams.Lasting(broken) if lasting else broken)
    run = Run(str(tmp_path / "run"), steps=1)
    assert train(small.Gain(image_size=32), images, run).done == 1
    said = capsys.readouterr().err
    assert "Another image takes its place" in said and ("BrokenPipeError" in said) != lasting
