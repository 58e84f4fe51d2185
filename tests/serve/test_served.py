"""Runs that a server has loaded."""

import contextlib
import threading
import types

import numpy as np
import pytest

from common.errors import UserError
from common.images.pixels import Domain
from common.serve import Served, served
from common.serve.about import About
from common.serve.refused import Refused
from tests import small

ABOUT = About("Model", ("A2B",), {})


def test_a_first_translation_in_each_direction_before_requests():
    sources, translated = {"A2B": Domain(3), "B2A": Domain(1, "uint16")}, []
    dual = types.SimpleNamespace(directions=("A2B", "B2A"))

    class StandIn:
        def __init__(self):
            self.dual, self.source = dual, sources.__getitem__

        def __call__(self, direction, image):
            translated.append((direction, image.shape, image.dtype))

    translator = StandIn()
    assert served.warmed(translator, (8, 12)) is translator
    assert translated == [("A2B", (8, 12, 3), np.uint8), ("B2A", (8, 12, 1), np.uint16)]


class Step:
    """What a server needs of a Translator, with a step."""

    def __init__(self, step):
        self.step, self.closed = step, 0

    def close(self):
        """Is counted."""
        self.closed += 1


class Checkpoints:
    """Checkpoints that are saved by hand: `now` is the newest, or why it cannot be loaded."""

    def __init__(self, now):
        self.now, self.loaded = now, []

    def load(self):
        if isinstance(self.now, Exception):
            raise self.now
        self.loaded.append(Step(self.now))
        return self.loaded[-1]

    def newest(self):
        return str(self.now) if self.now is not None else None


def serving(now):
    checkpoints = Checkpoints(now)
    return Served("runs/x", ABOUT, checkpoints.load, checkpoints.newest), checkpoints


def test_newer_checkpoints_are_announced_with_their_steps(capsys):
    run, checkpoints = serving(None)
    assert not run.renew()
    for step in (1200, 3400):
        checkpoints.now = step
        assert run.renew() and run.step == step
    assert capsys.readouterr() == (
        "Serving runs/x, step 1,200, from now on.\nServing runs/x, step 3,400, from now on.\n",
        "",
    )
    assert [translator.closed for translator in checkpoints.loaded] == [1, 0]
    run.close()
    assert [translator.closed for translator in checkpoints.loaded] == [1, 1]


def test_problems_of_checkpoints_are_told_once_each(capsys):
    run, checkpoints = serving(None)
    for problem in ("It is damaged.", "It is damaged.", "It is gone."):
        checkpoints.now = UserError(problem)
        run._loaded = None  # another checkpoint of the same problem
        assert not run.renew()
    run.close()  # there is nothing to close
    run, checkpoints = serving(5000)
    checkpoints.now = OSError("It\nis away.")
    assert not run.renew() and run.step == 5000
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "warning: It is damaged. There is still no checkpoint.",
        "warning: It is gone. There is still no checkpoint.",
    ]
    assert len(lines) == 3 and lines[2].startswith("warning: It") and lines[2].endswith(" Step 5,000 stays in use.")


def test_without_a_checkpoint_requests_are_told_to_come_again():
    run, _ = serving(None)
    with pytest.raises(Refused) as refused, run.translating():
        pass
    assert (refused.value.status, refused.value.sentence) == (
        503,
        "This run has no checkpoint yet. Try again when its training has saved one.",
    )


def test_runs_are_renewed_while_they_are_watched_whatever_goes_wrong(monkeypatch, capsys):
    monkeypatch.setattr(served, "LOOK", 0.01)
    looks, often = [], threading.Event()

    class Run:
        def __init__(self, name):
            self.name = name

        def renew(self):
            looks.append(self.name)
            if looks.count("b") > 2:
                often.set()
            if self.name == "a":
                raise RuntimeError("unforeseen")

    with contextlib.closing(served.Watch([Run("a"), Run("b")])) as watch:
        assert often.wait(10)
    assert not watch._thread.is_alive() and looks[:4] == ["a", "b", "a", "b"]
    errors = capsys.readouterr().err
    assert "A newer checkpoint could not be loaded." in errors


def test_a_run_is_young_until_it_has_a_folder_of_checkpoints(tmp_path):
    run = small.untrained(tmp_path / "run", small.Pointwise())
    assert served.saved_run(run).dual == small.Pointwise()
    for path in (tmp_path / "run" / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="There is no trained run in"):
        served.saved_run(run)  # which was copied in part
    (tmp_path / "run" / "checkpoints").rmdir()
    assert served.saved_run(run).dual == small.Pointwise()
