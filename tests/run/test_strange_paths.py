"""Folders whose names have characters that mean something in patterns: all that is saved there is found again."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile

import numpy as np
import pytest

from common import literal
from common.errors import UserError
from common.export import Export, export
from common.images import Images, files
from common.run import Run
from common.run.checkpoint_files import reading
from common.run.folder import load_trained
from common.train import train
from common.translate import Translator
from common.weights import Source, import_weights
from dualgan import DualGAN
from flags.command import main
from tests import small

UNDECODABLE = os.fsdecode(b"l\xe4ufe")  # not UTF-8
NAMES = ("a[1]", "a[", "x*y", "why?", "back\\slash", "{a,b}", "[!a]", "Übung [雨]", UNDECODABLE)
IMAGE = np.full([32, 32, 3], 90, np.uint8)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run in a folder of letters alone, and its translation of IMAGE; the tests copy it."""
    run = small.untrained(tmp_path_factory.mktemp("plain") / "run", small.Pointwise(image_size=32))
    with Translator(run) as translator:
        return run, translator("A2B", IMAGE)


@pytest.mark.parametrize(
    "name", [*NAMES[:3], UNDECODABLE, *(pytest.param(name, marks=pytest.mark.thorough) for name in NAMES[3:-1])]
)
def test_a_run_is_found_again(tmp_path, plain, name):
    run = shutil.copytree(plain[0], tmp_path / name)
    with Translator(run) as translator:
        assert translator.step == 7
        np.testing.assert_array_equal(translator("A2B", IMAGE), plain[1])
    checkpoint = str(tmp_path / name / "checkpoints" / "model-00000007")
    with reading(checkpoint) as reader:
        assert reader.shapes
    with literal.prefix(checkpoint) as path:
        assert pathlib.Path(f"{path}.index").read_bytes() == pathlib.Path(f"{checkpoint}.index").read_bytes()
    assert not pathlib.Path(path).parent.exists() or path == checkpoint


@pytest.mark.thorough
def test_training_goes_on_and_everything_can_be_used(tmp_path):
    root = tmp_path / "a[1] *" / "b\\"
    noise = np.random.default_rng(0)
    for place in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(2):
            files.write(root / "x[1]" / place / f"{number}.png", noise.integers(0, 256, [32, 32, 3], np.uint8))
    images, dual = Images("x[1]", data_root=str(root)), small.Pointwise(image_size=32)
    run_dir = root / "run[2]"
    for steps in (2, 4):
        train(dual, images, Run(str(run_dir), steps=steps, save_every=2, sample_every=4))
    train(dual, images, Run(str(root / "next?"), steps=1, init_from=str(run_dir)))
    with Translator(run_dir) as translator:
        assert translator.step == 4
        translated = translator("A2B", IMAGE)
    assert translated.shape == IMAGE.shape
    for kind in ("savedmodel", "npz"):  # a folder of several files, and one file
        export(run_dir, Export(format=kind, output=str(root / f"{kind}[3]")), images)
    assert load_trained(run_dir).run.steps == 4


@pytest.mark.parametrize("name", ["t[1]", "back\\slash"])
def test_a_folder_for_temporary_files_with_such_a_name(tmp_path, monkeypatch, plain, name):
    """Links in it would not be found either, and are made elsewhere."""
    (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / name))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert tempfile.gettempdir() == str(tmp_path / name)
    checkpoint = f"{shutil.copytree(plain[0], tmp_path / 'a[1]')}/checkpoints/model-00000007"
    with reading(checkpoint) as reader:
        assert reader.shapes
    monkeypatch.setattr(literal, "TEMPORARY", ())
    with pytest.raises(UserError, match=r"a\[1\].*Set TMPDIR to a writable folder"), reading(checkpoint):
        pass


def test_tensorflow_writes_to_no_path_that_is_not_utf8(tmp_path, capsys):
    """Said before anything is read or written, with the flag; `--phase train` ends with 1."""
    run_dir = str(tmp_path / UNDECODABLE)
    arguments = ["--dataset", "toy", "--data_root", str(tmp_path / "data"), "--run_dir", run_dir]
    with pytest.raises(SystemExit) as stopped:
        main(DualGAN, ["dualgan", *arguments])
    assert f"--run_dir {run_dir} is not UTF-8, which TensorFlow needs" in str(stopped.value)
    with pytest.raises(UserError, match=r"--run_dir .* is not UTF-8"):
        import_weights(DualGAN, Source("none.pth"), Run(run_dir), Images("toy"))
    with pytest.raises(UserError, match=r"--output .* is not UTF-8"):
        Export(format="savedmodel", output=run_dir)
    assert not any(tmp_path.iterdir())
