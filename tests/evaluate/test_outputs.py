"""A run in a folder that cannot be written to is tested and evaluated with --output."""

import errno
import json
import pathlib
import shlex
import tempfile

import numpy as np
import pytest

from common.errors import UserError
from common.evaluate import Evaluation, evaluate, outputs
from common.evaluate import test as run_test
from common.images import Images, files
from common.translate import Inference
from dualgan import DualGAN
from flags import command
from tests import small
from tests.reliability.little.dualgan import DualGAN as LittleDualGAN

pytestmark = pytest.mark.usefixtures("few_patches")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """(dual, images, run folder); nothing in the run folder can be written to."""
    noise = np.random.default_rng(0)
    for place in ("val/A", "val/B"):
        for number in range(2):
            files.write(tmp_path / "set" / place / f"{number}.png", noise.integers(0, 256, [32, 32, 3], np.uint8))
    dual = LittleDualGAN(image_size=32, depth=2, ngf=2, ndf=2)
    images = Images("set", data_root=str(tmp_path))
    run_dir = small.untrained(tmp_path / "run", dual, images=images)
    create, before = tempfile.TemporaryFile, everything(run_dir)

    def denied(*args, dir=None, **options):
        if dir and pathlib.Path(dir).is_relative_to(run_dir):
            raise PermissionError(errno.EACCES, "Permission denied", str(dir))
        return create(*args, dir=dir, **options)

    monkeypatch.setattr(tempfile, "TemporaryFile", denied)
    yield dual, images, run_dir
    assert everything(run_dir) == before


def everything(folder):
    return {path: path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}


def test_pictures_and_scores_go_to_the_folder(run, tmp_path):
    with pytest.raises(UserError, match=r"run/test cannot be written to \(Permission denied\). Use --output FOLDER"):
        run_test(run[2], *run[:2])
    output = tmp_path / "new" / "test"
    metrics = run_test(run[2], *run[:2], output=str(output))
    pictures = {"A", "B", "A2B", "B2A", "A2B2A", "B2A2B"}
    assert {path.name for path in output.iterdir()} == {*pictures, "metrics.csv", "metrics.json"}
    assert json.loads((output / "metrics.json").read_text()) == metrics
    assert all(len(list((output / name).iterdir())) == 2 for name in pictures)


def test_a_folder_with_anything_in_it_is_left_alone(run, tmp_path):
    """A test removes earlier pictures in A and B: a person's own must not be among them."""
    for test_or_evaluate in (run_test, evaluate):
        with pytest.raises(UserError, match="holds A already"):
            test_or_evaluate(run[2], *run[:2], output=str(tmp_path / "set/val"))
    with pytest.raises(UserError, match=r"config.json cannot be written to \(.*is a file\). Choose a different --out"):
        run_test(run[2], *run[:2], output=f"{run[2]}/config.json")


@pytest.mark.thorough
def test_scores_and_shards_go_to_the_folder(run, tmp_path):
    with pytest.raises(UserError, match=r"run/evaluation cannot be written to \(Permission denied\). Use --output"):
        evaluate(run[2], *run[:2])
    output = str(tmp_path / "scores")
    whole = evaluate(run[2], *run[:2], inference=Inference(direction="A2B"), output=output)
    for number in (1, 2):
        evaluate(run[2], *run[:2], Evaluation(shard=f"{number}/2"), inference=Inference(direction="A2B"), output=output)
    assert evaluate(run[2], *run[:2], Evaluation(merge=2), output=output) == whole  # over the earlier one
    assert {path.name for path in pathlib.Path(output).iterdir()} == {"metrics.csv", "metrics.json", "shards"}


@pytest.mark.thorough
def test_the_command_line_takes_it(run, tmp_path, capsys):
    start = f"main --run_dir {run[2]} --data_root {tmp_path} --threads 1"
    for phase in ("test", "evaluate"):
        command.main(DualGAN, shlex.split(f"{start} --phase {phase} --output {tmp_path}/{phase} --direction A2B"))
        assert f"Scores per image: {tmp_path}/{phase}/metrics.csv.\n" in capsys.readouterr().out
        assert (tmp_path / phase / "metrics.csv").is_file()


def test_without_it_scores_lie_in_the_run_folder(tmp_path):
    assert outputs.of_test(tmp_path / "run") == tmp_path / "run" / "test"
    assert not (tmp_path / "run").exists()
