"""Batch norm by running statistics: imported networks of PyTorch make what they make there in eval()."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.export import Export, export
from common.images import Images, files
from common.run import Run, checkpoint_files
from common.run.checkpoints import Checkpoints
from common.run.folder import load_trained
from common.train import train
from common.train.warm_start import find
from common.translate import TiledTranslator
from common.weights import Source, import_weights, pytorch, shipped
from cyclegan import CycleGAN
from pix2pix import Pix2Pix

torch = pytest.importorskip("torch")
from tests import small  # noqa: E402
from tests.parity import published_modules as published  # noqa: E402

NEAR = 1e-5  # on images in [-1, 1]


def resnet():
    return published.tracked(published.randomized(published.resnet(3, 3, 4, 6, "batch", dropout=True)))


def unet():
    return published.tracked(published.randomized(published.Unet(3, 3, 4, 6, "batch")))


def imported(run_dir, model, network, **explicit):
    torch.save(network.state_dict(), run_dir.with_suffix(".pth"))
    run, source = Run(str(run_dir)), Source(str(run_dir.with_suffix(".pth")))
    return import_weights(model, source, run, Images("unknown"), running_statistics=True, **explicit)


def output_of(run_dir, images, *others):
    """What A2B makes of `images`; with `others`, a list: of these, too, in the same graph."""
    dual = load_trained(run_dir).dual
    with small.session_of_a_run() as session:
        network = dual.network("A2B", "generator")
        batch = tf.placeholder_with_default(images, [None, *images.shape[1:]])
        output = network(batch, None)
        Checkpoints(run_dir, variables=network.variables).restore(session)
        outputs = [session.run(output, {batch: part}) for part in (images, *others)]
        return outputs if others else outputs[0]


def random_images(count, height, width):
    return np.random.default_rng(0).uniform(-1, 1, [count, height, width, 3]).astype(np.float32)


@pytest.mark.parametrize(
    ("model", "network", "sides"),
    [pytest.param(CycleGAN, resnet, (36, 44), marks=pytest.mark.thorough), (Pix2Pix, unet, (64, 128))],
)
def test_outputs_are_those_of_eval(tmp_path, model, network, sides):
    images, expected = random_images(2, *sides), network()
    dual = imported(tmp_path / "run", model, expected).dual
    assert dual.running_statistics and dual.norm == "batch" and not dual.test_dropout
    evaluated, own = published.evaluate(expected, images), np.stack(published.run(network(), images))
    outputs, alone = output_of(tmp_path / "run", images, images[:1])
    assert evaluated.std() > 0.05 and np.abs(evaluated - own).max() > 100 * NEAR  # the image's own statistics differ
    np.testing.assert_allclose(outputs, evaluated, rtol=0, atol=NEAR)
    np.testing.assert_allclose(alone, evaluated[:1], rtol=0, atol=NEAR)


@pytest.mark.thorough
def test_training_tracks_them_as_pytorch_does(tmp_path):
    """Three updates at rate 0, with one image: the statistics move as those of three forward passes in train()."""
    image = np.random.default_rng(1).integers(0, 256, [64, 64, 3], np.uint8)
    for domain in "AB":
        files.write(tmp_path / "set" / "train" / domain / "x.png", image)
    network = unet()
    first = imported(tmp_path / "first", Pix2Pix, network, load_size=64).dual
    dual = dataclasses.replace(first, flip=False, dropout=0.0, ndf=1, n_layers=1, lr_G=0.0, lr_D=0.0)
    run = Run(str(tmp_path / "run"), steps=3, init_from=str(tmp_path / "first"), tensorboard=False)
    train(dual, Images("set", data_root=str(tmp_path)), run)
    image = image[None] / np.float32(127.5) - 1
    before = {name: value.clone() for name, value in network.state_dict().items() if "running" in name}
    for layer in network.modules():
        layer.train(not isinstance(layer, torch.nn.Dropout))
    for _ in range(3):
        network(torch.from_numpy(image).permute(0, 3, 1, 2))
    read = pytorch.recognize("net.pth", {k: v.numpy() for k, v in network.state_dict().items()}, True)
    with checkpoint_files.reading(find(str(tmp_path / "run"))) as reader:
        compared = 0
        for name, foreign in read.variables.items():
            if "running" in name:
                tracked = reader.value(f"A2B/generator/{name}")
                expected = network.state_dict()[foreign.name].numpy()
                np.testing.assert_allclose(tracked, expected, rtol=2e-5, atol=2e-5, err_msg=name)
                assert np.abs(expected - before[foreign.name].numpy()).max() > 1e-3
                compared += 1
    assert compared == 2 * (2 * 6 - 3)
    evaluated = published.evaluate(network, image)
    np.testing.assert_allclose(output_of(tmp_path / "run", image), evaluated, rtol=0, atol=3 * NEAR)


@pytest.mark.thorough
def test_tiles(tmp_path):
    """An image of bytes by tiles, which need no statistics of the whole; without seams."""
    network = resnet()
    imported(tmp_path / "run", CycleGAN, network)
    image = np.random.default_rng(1).integers(0, 256, [200, 232, 3], np.uint8)
    (evaluated,) = published.evaluate(network, image[None] / np.float32(127.5) - 1)
    with TiledTranslator(tmp_path / "run", 184) as translator:
        np.testing.assert_allclose(translator.in_floats("A2B", image), evaluated, rtol=0, atol=NEAR)


@pytest.mark.thorough
def test_exports_and_shipped_networks(tmp_path):
    network, images = unet(), random_images(1, 64, 64)
    imported(tmp_path / "run", Pix2Pix, network)
    evaluated = published.evaluate(network, images)
    files.write(tmp_path / "in" / "x.png", np.random.default_rng(1).integers(0, 256, [64, 64, 3], np.uint8))
    for form in ("frozen", "npz"):  # both are compared with the run; the other formats have the graph of the first
        options = Export(format=form, output=str(tmp_path / form), input=str(tmp_path / "in"))
        export(tmp_path / "run", options, Images("unknown"))
    import_weights(Pix2Pix, Source(str(tmp_path / "npz" / "weights.npz")), Run(str(tmp_path / "again")), Images("x"))
    np.testing.assert_allclose(output_of(tmp_path / "again", images), evaluated, rtol=0, atol=NEAR)
    shipped.ship(tmp_path / "run", tmp_path / "small.npz")
    import_weights(Pix2Pix, Source(str(tmp_path / "small.npz")), Run(str(tmp_path / "small")), Images("x"))
    halves = output_of(tmp_path / "small", images)
    np.testing.assert_allclose(halves, evaluated, rtol=0, atol=2e-3)  # numbers of 11 bits
