"""The study of --n_gen and games: its methods, their budgets, and its tables."""

from __future__ import annotations

import csv
import json
import subprocess

import pytest

from benchmarks import study, study_tables
from benchmarks.study import METHODS, Method

OF_ENHANCEMENT = [method for method in METHODS if method.model == "enhancement"]


def test_the_enhancement_is_asked_with_every_game_and_with_none():
    asked = {(method.gan_loss, method.n_gen) for method in OF_ENHANCEMENT}
    assert asked == {("none", 1), *((game, n_gen) for game in ("lsgan", "wgan-gp", "hinge") for n_gen in (1, 2, 4))}
    for method in OF_ENHANCEMENT:
        assert method.dual.n_gen == method.n_gen
        assert study.EVALUATED % method.n_gen == 0
        assert bool(method.dual.criticized_directions) == (method.gan_loss != "none")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_command_says_what_differs_from_the_defaults(method, tmp_path):
    flags = dict(part[2:].split("=") for part in study.command(method, 2, 480, tmp_path)[3:])
    assert flags["seed"] == "2"
    assert flags["batch_size"] == str(method.batch_size)
    assert flags["dataset"] == method.dataset
    assert int(flags["eval_every"]) * method.n_gen == study.EVALUATED
    assert int(flags["eval_every"]) == 20 * int(flags["log_every"])
    for name in ("n_gen", "gan_loss"):
        default = getattr(type(method.dual)(), name)
        assert flags.get(name, str(default)) == str(getattr(method.dual, name))


def test_steps_fill_the_budget_and_end_with_an_evaluation():
    method = Method("enhancement", "lsgan", 4)
    assert study.steps_in(100.0, method, {method.name: 0.5}) == 180  # 200 is between 180 and 240
    assert study.steps_in(1.0, method, {method.name: 0.5}) == 60  # one evaluation at least


def test_a_training_with_its_last_evaluation_is_not_repeated(tmp_path, monkeypatch):
    """Its checkpoints need not be there: a study continues on another machine from its logs."""
    commands = []
    monkeypatch.setattr(
        study.subprocess,
        "run",
        lambda command, **_: commands.append(command) or subprocess.CompletedProcess(command, 0, "", ""),
    )
    method = Method("enhancement", "lsgan", 4)
    folder = tmp_path / f"{method.name}-seed1"
    folder.mkdir()
    _write(folder / "evaluation.csv", [{"step": 120, "A2B/psnr": 26.0}, {"step": 240, "A2B/psnr": 27.0}])
    assert study.train((method, 1, 240, tmp_path)) == f"{folder.name}: done before" and not commands
    assert study.train((method, 1, 360, tmp_path)) == f"{folder.name}: done" and len(commands) == 1
    assert study.train((method, 2, 240, tmp_path)) == f"{method.name}-seed2: done" and len(commands) == 2


def test_a_set_is_written_once_and_whole(tmp_path, monkeypatch):
    written = []

    def write(source, target):
        target.mkdir()
        written.append(source)
        if len(written) == 1:
            raise OSError("the disk is full")

    monkeypatch.setitem(study.SETS, "derain", write)
    with pytest.raises(OSError, match="full"):
        study.write_once(tmp_path, tmp_path / "derain")
    assert not (tmp_path / "derain").exists()
    study.write_once(tmp_path, tmp_path / "derain")
    study.write_once(tmp_path, tmp_path / "derain")
    assert len(written) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["derain"]


def _write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_a_row_tells_spread_and_stability(tmp_path):
    """Two seeds that end at 30 and 32 dB: 31 ± 1.41; the last two evaluations differ by 1 and 3 dB."""
    for seed, (last, change) in enumerate(((30.0, 1.0), (32.0, 3.0))):
        folder = tmp_path / f"enhancement-lsgan-4-seed{seed}"
        folder.mkdir()
        psnr = [26.0, last - 2 * change, last - change, last]
        scores = [
            {"step": 60 * (number + 1), "A2B/psnr": value, "A2B/ssim": 0.9, "A2B/diversity": 1.0, "A2B/input_psnr": 25}
            for number, value in enumerate(psnr)
        ]
        _write(folder / "evaluation.csv", scores)
        _write(folder / "log.csv", [{"step": step, "A2B/critic/margin": 0.1 * (step % 2)} for step in (121, 150, 240)])
        (folder / "config.json").write_text(json.dumps({"run": {"steps": 240}}))
    results = study_tables.read_study(tmp_path)
    row = study_tables.table(results, {"enhancement-lsgan-4": 0.5}, lambda _: 960).splitlines()[-1]
    assert row == "| enhancement | lsgan | 4 | 960 | 120 | 31.00 ± 1.41 | 0.900 | 1.41 | 0.058 | 0 of 2 |"
