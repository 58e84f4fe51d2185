"""Folders whose names have characters that mean something in patterns: all that is saved there is found again."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from common import literal
from common.export import Export, export
from common.images import Images, files
from common.run import Run
from common.run.checkpoint_files import reading
from common.run.folder import load_trained
from common.train import train
from common.translate import Translator
from tests import small

NAMES = ("a[1]", "a[", "x*y", "why?", "back\\slash", "{a,b}", "[!a]", "Übung [雨]")
IMAGE = np.full([32, 32, 3], 90, np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_found_again(tmp_path, name):
    run = small.untrained(tmp_path / name, small.dualgan())
    plain = small.untrained(tmp_path / "plain", small.dualgan())
    with Translator(run) as translator, Translator(plain) as expected:
        assert translator.step == 7
        np.testing.assert_array_equal(translator("A2B", IMAGE), expected("A2B", IMAGE))
    checkpoint = str(tmp_path / name / "checkpoints" / "model-00000007")
    with reading(checkpoint) as reader:
        assert reader.shapes
    with literal.prefix(checkpoint) as path:
        assert pathlib.Path(f"{path}.index").read_bytes() == pathlib.Path(f"{checkpoint}.index").read_bytes()
    assert not pathlib.Path(path).parent.exists() or path == checkpoint


def test_training_goes_on_and_everything_can_be_used(tmp_path):
    root = tmp_path / "a[1] *" / "b\\"
    noise = np.random.default_rng(0)
    for place in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(2):
            files.write(root / "x[1]" / place / f"{number}.png", noise.integers(0, 256, [32, 32, 3], np.uint8))
    images, dual = Images("x[1]", data_root=str(root)), small.dualgan()
    run_dir = root / "run[2]"
    for steps in (2, 4):
        train(dual, images, Run(str(run_dir), steps=steps, save_every=2, sample_every=4))
    train(dual, images, Run(str(root / "next?"), steps=1, init_from=str(run_dir)))
    with Translator(run_dir) as translator:
        assert translator.step == 4
        translated = translator("A2B", IMAGE)
    assert translated.shape == IMAGE.shape
    for kind in ("savedmodel", "frozen", "npz"):
        export(run_dir, Export(format=kind, output=str(root / f"{kind}[3]")), images)
    assert load_trained(run_dir).run.steps == 4
