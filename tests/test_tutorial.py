"""The tutorial: its commands run, at tiny settings, and its page has those of the script, in their order."""

import importlib
import pathlib
import re
import runpy
import shlex
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from common import tensorflow as tf
from docs import tutorial
from docs.tutorial_steps import EDGES, Settings, Step, steps

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text()
QUICK = ("Photographs", "A dataset without pairs", "", "Train", "Test", "Translate a new photograph")  # titles of steps
TINY = Settings(size=32, per_photograph=2, model=" --ngf 4 --patch_size 32", first_epochs=1, epochs=2, tuning_epochs=1)


def commands(text):
    """The shell commands of a page, each in one line."""
    joined = text.replace(" \\\n        ", " ")
    return [line.strip() for line in re.findall(r"^ {4}(python .*)$", joined, re.MULTILINE)]


def test_the_page_has_the_commands_of_the_script_in_order():
    script = steps(Settings())
    assert commands(PAGE) == [command for step in script for command in step.commands]
    for step in script:
        assert step.text.strip() in PAGE and step.code.strip() in PAGE and f"## {step.title}".rstrip(" #") in PAGE
        for picture in step.pictures:
            assert f"![{picture.about}](tutorial/{picture.name})\n\n*{picture.caption}*" in PAGE


def test_pictures_are_small_and_all_shown():
    paths = sorted((ROOT / "docs" / "tutorial").iterdir())
    assert {f"tutorial/{path.name}" for path in paths} == set(re.findall(r"\]\((tutorial/.*?)\)", PAGE))
    assert sum(path.stat().st_size for path in paths) < 600_000
    for path in paths:
        with Image.open(path) as image:
            assert max(image.size) <= 1200


def test_the_page_names_no_place_of_one_machine():
    assert not re.findall(r"/(?:tmp|home|root|work)\b", PAGE)
    assert "0000 00:00" not in PAGE  # a line of TensorFlow's log


@pytest.fixture
def execute(monkeypatch, capfd):
    """Runs a command of Python in this process."""

    def execute(command, folder):
        monkeypatch.chdir(folder)
        program, *arguments = shlex.split(command)
        assert program == "python"
        capfd.readouterr()
        try:
            if arguments[0] == "-m":
                monkeypatch.setattr(sys, "argv", arguments[1:])
                monkeypatch.syspath_prepend(str(folder))
                runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
            else:
                monkeypatch.setattr(sys, "argv", arguments)
                runpy.run_path(arguments[0], run_name="__main__")
        except SystemExit as end:
            assert not end.code, (command, end.code)
        return capfd.readouterr().out

    return execute


@pytest.mark.thorough
def test_its_first_steps_run(tmp_path, execute):
    script = [step for step in steps(TINY) if step.title in QUICK and step.file != "use_onnx.py"]
    folder = tmp_path / "work"
    folder.mkdir()
    tutorial.write(tmp_path, folder, script, execute)
    page = (tmp_path / "tutorial.md").read_text()
    assert commands(page) == [command for step in script for command in step.commands]
    assert "6 in train/A, 6 in train/B, 2 in val/A, 2 in val/B" in page
    assert "no errors, no warnings" in page and "Trained 2 steps." in page and "1 written to clear" in page
    names = {path.name for path in (tmp_path / "tutorial").iterdir()}
    assert names == {"photographs.jpg", "dataset.jpg", "first.jpg", "test.jpg", "rocket.jpg"}


@pytest.mark.slow
def test_all_of_it_runs(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    tutorial.write(tmp_path, folder, steps(Settings()), tutorial.execute)
    page = (tmp_path / "tutorial.md").read_text()
    assert commands(page) == commands(PAGE)
    assert "Resuming from step 150." in page and "(1, 427, 640, 3) uint8" in page


def test_its_own_loss_compares_edges(tmp_path, monkeypatch, session):
    (tmp_path / "mine.py").write_text(EDGES)
    monkeypatch.syspath_prepend(str(tmp_path))
    dual = importlib.import_module("mine").Edges(image_size=16, ngf=4, patch_size=16)
    clear, restored = np.random.default_rng(0).uniform(-1, 1, [2, 1, 16, 16, 3]).astype(np.float32)
    direction, cycle = dual.connect(tf.constant(clear), tf.constant(clear))[1]
    cycle = cycle._replace(reconstructed=tf.constant(restored))
    weight, edges = dual.generator_losses(direction, cycle)["edges"]
    channels = np.moveaxis((restored - clear)[0], -1, 0)
    slopes = [ndimage.sobel(channel, axis, mode="mirror") for channel in channels for axis in (0, 1)]
    assert weight == 0.1
    np.testing.assert_allclose(session.run(edges), np.abs(slopes).mean(), rtol=1e-5)


def test_long_output_is_shortened_by_rule(tmp_path):
    lines = [f"line {number}" for number in range(30)]
    noise = ["I0000 00:00:17.1  12 file.cc:31] Could not find cuda", "step 1/2 | epoch 1.0 | 2.0 images/s | 0% waiting"]
    text = tutorial.shortened("\n".join([*noise, *lines, f"{tmp_path}/runs/rain", str(tmp_path)]), tmp_path)
    shown = text.split("\n")
    assert shown[:14] == lines[:14]
    assert shown[14:] == ["… 14 more lines …", "line 28", "line 29", "runs/rain", "."]
    assert tutorial.shortened("a" * 200, tmp_path) == "a" * 118 + " …"


def test_commands_are_wrapped_between_flags():
    lines = list(tutorial.wrapped("python -m a.main --phase train --steps 10 --flip --dataset rain", 30))
    assert lines == ["python -m a.main --phase train \\", "    --steps 10 --flip \\", "    --dataset rain"]
    assert max(map(len, lines)) <= 32


def test_a_failing_command_ends_the_tutorial(tmp_path):
    step = Step(text="", commands=["python -c 'import sys; print(3); sys.exit(2)'"])
    with pytest.raises(RuntimeError, match=r"exit status 2: python -c .*\n3"):
        tutorial.run(step, tmp_path, tutorial.execute)
