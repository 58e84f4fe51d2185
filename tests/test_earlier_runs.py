"""Run folders of 0.1.0 load, resume with the same numbers, and can be used; see tests/data/README.md."""

import csv
import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

from common import settings
from common import tensorflow as tf
from common.evaluate import test as run_test
from common.export import Export, export
from common.images import Images
from common.images import files as image_files
from common.run import Run
from common.run.checkpoint_files import newest
from common.run.folder import load_run
from common.train import train, training
from common.train.monitor import CLOCK
from common.translate import Translator
from cyclegan import CycleGAN
from dualgan import DualGAN
from pix2pix import Pix2Pix

EARLIER = pathlib.Path(__file__).parent / "data" / "earlier"
MODELS = {"dualgan": DualGAN, "cyclegan": CycleGAN, "pix2pix": Pix2Pix}
STEP = 7  # of the checkpoints
TOLERANCE = 1e-5  # relative; other kernels, of SSE 4.1 or without oneDNN, give differences of up to 6e-6
OF_MOMENTS = 2e-4  # of Adam and RMSProp, which have the gradients themselves; on an EPYC with AVX2 up to 5.3e-5

pytestmark = pytest.mark.usefixtures("few_patches")
each_method = pytest.mark.parametrize("name", MODELS)


@pytest.fixture
def copy(tmp_path):
    """A function that copies a run folder."""
    return lambda name: pathlib.Path(shutil.copytree(EARLIER / name, tmp_path / name))


def parts_of(run_dir, **fields):
    """(dual, images, run) of a run folder; `fields` of the run are replaced."""
    saved = load_run(run_dir)
    images = dataclasses.replace(saved.images, data_root=str(EARLIER))
    return saved.dual, images, dataclasses.replace(saved.run, run_dir=str(run_dir), **fields)


def checkpointed(run_dir):
    """{name: value} of the newest checkpoint of a run folder."""
    reader = tf.train.load_checkpoint(newest(run_dir / "checkpoints"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def kinds_of(names):
    """Which kinds of state there are among variables: optimizer slots and image pools."""
    return {kind for kind in ("Adam", "RMSProp", "pool") for name in names if kind in name}


def projection(value):
    """The values of a variable weighed by random numbers, of which another order makes another sum."""
    weights = np.random.default_rng(0).normal(size=value.shape)
    return float((weights * value).sum() / np.sqrt(value.size))


@pytest.mark.thorough
@each_method
def test_every_variable_is_restored_and_a_further_step_gives_the_recorded_numbers(name, copy, monkeypatch):
    """Bit for bit before the step; by one training, as its graph takes seconds."""
    run_dir, restored, start = copy(name), {}, training._start

    def restoring(session, *rest):
        step = start(session, *rest)
        restored.update(session.run({variable.op.name: variable for variable in tf.global_variables()}))
        return step

    monkeypatch.setattr(training, "_start", restoring)
    dual, images, run = parts_of(run_dir, steps=STEP + 1)
    expected = checkpointed(EARLIER / name)
    progress = train(dual, images, run)
    assert (progress.began, progress.done) == (STEP, STEP + 1)
    assert restored.keys() == expected.keys()
    assert kinds_of(expected) == {"RMSProp" if name == "dualgan" else "Adam", "pool"}
    for variable, value in expected.items():
        assert np.asarray(restored[variable]).dtype == value.dtype, variable
        assert np.asarray(restored[variable]).tobytes() == np.asarray(value).tobytes(), variable
    recorded = json.loads((EARLIER / name / "step_8.json").read_text())
    with open(run_dir / "log.csv", newline="") as file:
        row = list(csv.DictReader(file))[-1]
    logged = {column: float(value) for column, value in row.items() if column not in CLOCK}
    assert logged == pytest.approx(recorded["log"], rel=TOLERANCE, abs=1e-6)
    variables = {variable: np.asarray(value, np.float64) for variable, value in checkpointed(run_dir).items()}
    assert variables.keys() == recorded["variables"].keys()
    for variable, value in variables.items():
        expected = recorded["variables"][variable]
        moments = {"mean": value.mean(), "rms": np.sqrt((value**2).mean()), "projection": projection(value)}
        difference = max(abs(moments[name] - expected[name]) for name in moments)
        tolerance = OF_MOMENTS if kinds_of([variable]) & {"Adam", "RMSProp"} else TOLERANCE
        assert difference <= tolerance * expected["rms"] + 1e-10, variable


@pytest.mark.parametrize("name", ["dualgan", pytest.param("cyclegan", marks=pytest.mark.thorough), "pix2pix"])
def test_it_translates(name, copy):
    run_dir = copy(name)
    dual, _, _ = parts_of(run_dir)
    assert type(dual) is MODELS[name]
    with Translator(str(run_dir)) as translator:
        assert translator.step == STEP
        source = dual.directions[0][0]
        image = image_files.read(EARLIER / "set" / "val" / source / "0200.png")
        translation = translator(dual.directions[0], image)
    assert translation.shape == image.shape and translation.dtype == np.uint8 and translation.std() > 0


@pytest.mark.thorough
def test_it_is_tested_and_exported(copy):
    """By what is not the method's: test_every_dual tests and exports each of them."""
    run_dir = copy("dualgan")
    dual, images, _ = parts_of(run_dir)
    metrics = run_test(str(run_dir), dual, images)
    assert metrics["step"] == STEP and set(dual.directions) <= metrics.keys()
    exported = export(run_dir, Export(format="npz", output=str(run_dir / "exported")), images)
    assert exported.step == STEP and not exported.removed  # it compares all that it writes with the run
    assert {difference.ported.direction for difference in exported.kept} == set(dual.directions)


@each_method
def test_class_paths_of_both_layouts_are_read(name, tmp_path):
    earlier = json.loads((EARLIER / name / "config.json").read_text())
    model = MODELS[name]
    assert [earlier[part]["class"] for part in ("dual", "images", "run")] == [
        f"{name}.model:{model.__name__}",
        "common.images.dataset:Images",
        "common.run:Run",
    ]
    parts = settings.load(EARLIER / name / "config.json")
    settings.save(tmp_path / "config.json", {}, **{part: parts[part] for part in ("dual", "images", "run")})
    written = json.loads((tmp_path / "config.json").read_text())
    for part, kind in (("dual", model), ("images", Images), ("run", Run)):
        assert written[part]["class"] == settings.class_path(kind)
        assert type(parts[part]) is settings.part_class(written[part]["class"]) is kind
    assert settings.load(tmp_path / "config.json") == {part: parts[part] for part in ("dual", "images", "run")}


def test_runs_of_the_earlier_example_of_enhancement_load(tmp_path, session):
    fields = {"lambda_change": 2.0, "image_size": 64, "load_size": 66, "netG": "unet_64", "ngf": 2}
    text = json.dumps({"dual": {"class": "examples.enhancement:Enhancement", **fields}})
    (tmp_path / "config.json").write_text(text)
    dual = settings.load(tmp_path / "config.json")["dual"]
    assert settings.class_path(type(dual)) == "examples.enhancement:Enhancement" and dual.lambda_change == 2.0
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, [1, 64, 64, 3]), tf.float32)
    translated = dual.network("A2B", "generator")(images, None)
    session.run(tf.global_variables_initializer())
    assert session.run(translated).shape == (1, 64, 64, 3)
