"""Scores of trainings in two precisions, compared by the spread of seeds: by hand."""

import math

import pytest

from benchmarks import precision
from benchmarks.precision import Row, Training

TRAINING = Training("dualgan", "toy", "demo", 2500)


def test_means_are_compared_by_the_spread_of_seeds_in_float32():
    assert Row((1.0, 2.0, 3.0), (3.0, 4.0, 5.0)).deviations == pytest.approx(2.0)  # means 2 and 4, deviation 1
    assert Row((1.0, 2.0, 3.0), (0.0, 1.5, 3.0)).deviations == pytest.approx(-0.5)
    assert Row((2.0, 2.0), (2.0, 2.0)).deviations == 0.0
    assert Row((2.0, 2.0), (2.0, 3.0)).deviations == math.inf


def test_the_table_has_the_scores_of_all_seeds():
    psnr = {("float32", 0): 20.0, ("float32", 1): 22.0, ("bf16", 0): 21.0, ("bf16", 1): 20.0}
    scores = {(TRAINING, *key): {"A2B": {"psnr": value, "ssim": value / 100, "l1": 9.0}} for key, value in psnr.items()}
    assert precision.table(scores, [0, 1]).splitlines()[2:] == [
        "| dualgan-toy | A2B | psnr | 20.00, 22.00 | 21.00, 20.00 | 21.00, 20.50 | -0.4 deviations |",
        "| dualgan-toy | A2B | ssim | 0.200, 0.220 | 0.210, 0.200 | 0.210, 0.205 | -0.4 deviations |",
    ]


def test_a_single_seed_has_no_spread(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["precision", "--seeds", "0"])
    with pytest.raises(SystemExit) as ended:
        precision.main()
    assert ended.value.code == 2 and "at least two" in capsys.readouterr().err


def test_a_training_and_its_evaluation_are_commands_whose_means_are_read(tmp_path, monkeypatch):
    commands = []

    def run(command, check, stdout, stderr):
        commands.append(command)
        folder = tmp_path / "runs" / "dualgan-toy-bf16-seed3" / "evaluation"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text('{"2500": {"A2B": {"psnr": 21.5}}}')

    monkeypatch.setattr(precision.subprocess, "run", run)
    assert precision.scored((TRAINING, "bf16", 3), "sets", tmp_path / "runs") == {"A2B": {"psnr": 21.5}}
    train, evaluate = commands
    assert train[1:3] == ["-m", "dualgan.main"]
    assert {"--precision=bf16", "--seed=3", "--steps=2500", "--preset=demo", "--data_root=sets"} < set(train)
    assert {"--phase=evaluate", "--metrics=psnr,ssim"} < set(evaluate)
    assert f"--run_dir={tmp_path}/runs/dualgan-toy-bf16-seed3" in train and train[3] == evaluate[3]
