"""Translations of mirrored copies, averaged: the same by hand, by tiles, and when a run is evaluated."""

from __future__ import annotations

import pathlib

import imageio.v3 as imageio
import numpy as np
import pytest

from common.errors import UserError
from common.evaluate import test as run_test
from common.images import Images, files
from common.run.folder import load_trained
from common.translate import Inference, TiledTranslator, Translator
from cyclegan import CycleGAN
from enhancement import Enhancement
from tests import small

IMAGE = np.random.default_rng(0).integers(0, 256, [40, 56, 3], np.uint8)
COPIES = {2: [(slice(None), slice(None, None, -1))], 4: []}
COPIES[4] = [*COPIES[2], (slice(None, None, -1),), (slice(None, None, -1), slice(None, None, -1))]

pytestmark = pytest.mark.usefixtures("few_patches", "one_block")


@pytest.fixture(scope="module")
def run(tmp_path_factory, one_block):
    dual = CycleGAN(image_size=32, load_size=0, ngf=2, ndf=2, n_layers=1, netG="resnet_6blocks", antialias=False)
    return small.untrained(tmp_path_factory.mktemp("mirrored") / "run", dual)


@pytest.mark.parametrize("copies", [2, pytest.param(4, marks=pytest.mark.thorough)])
def test_it_is_the_mean_of_mirrored_translations(run, copies):
    with Translator(run) as plain, Translator(run, Inference(self_ensemble=copies)) as averaged:
        outputs = [plain.in_floats("A2B", IMAGE)]
        outputs += [plain.in_floats("A2B", np.ascontiguousarray(IMAGE[axes]))[axes] for axes in COPIES[copies]]
        assert np.abs(outputs[0] - outputs[1]).max() > 1e-3
        np.testing.assert_allclose(averaged.in_floats("A2B", IMAGE), np.mean(outputs, axis=0), atol=1e-5)


@pytest.mark.thorough
def test_a_mirrored_image_has_the_mirrored_translation(run):
    with Translator(run, Inference(self_ensemble=4)) as translator:
        translated = translator.in_floats("A2B", IMAGE)
        for axes in COPIES[4]:
            mirrored = translator.in_floats("A2B", np.ascontiguousarray(IMAGE[axes]))
            np.testing.assert_allclose(mirrored[axes], translated, atol=1e-5)


@pytest.mark.thorough
def test_tiles_give_what_the_whole_image_gives(run):
    image = np.random.default_rng(1).integers(0, 256, [170, 150, 3], np.uint8)
    inference = Inference(self_ensemble=4)
    with TiledTranslator(run, 128, inference=inference) as tiled, Translator(run, inference) as whole:
        assert np.abs(tiled("A2B", image).astype(int) - whole("A2B", image)).max() <= 1


@pytest.mark.thorough
def test_what_is_tested_and_scored_is_the_mean(run, tmp_path):
    for domain in "AB":
        files.write(tmp_path / "set" / "val" / domain / "1.png", IMAGE[:32, :32])
    images, dual = Images("set", data_root=str(tmp_path)), load_trained(run).dual
    inference = Inference(self_ensemble=2, direction="A2B")
    with Translator(run, inference) as translator:
        expected = translator("A2B", IMAGE[:32, :32])
    metrics = run_test(run, dual, images, inference)
    np.testing.assert_array_equal(imageio.imread(pathlib.Path(run, "test", "A2B", "1.png")), expected)
    error = np.mean(np.square(expected.astype(float) - IMAGE[:32, :32]))
    assert metrics["A2B"]["psnr"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)


@pytest.mark.thorough
def test_what_draws_at_random_is_not_averaged(tmp_path):
    run = small.untrained(tmp_path / "run", Enhancement(image_size=32, ngf=2, ndf=2, n_layers=1, ema_decay=0.0))
    image = np.full([32, 32, 3], 60, np.uint8)
    with Translator(run) as plain, Translator(run, Inference(self_ensemble=4)) as averaged:
        np.testing.assert_array_equal(averaged("B2A", image), plain("B2A", image))


@pytest.mark.parametrize("copies", [3, 8])
def test_other_numbers_are_refused(copies):
    with pytest.raises(UserError, match=f"--self_ensemble {copies} is not valid: it must be one of 1, 2, 4"):
        Inference(self_ensemble=copies)
