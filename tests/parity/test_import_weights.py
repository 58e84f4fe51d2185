"""Networks of PyTorch, saved by it and imported, make what they make there."""

import numpy as np
import pytest

from common import run as runs
from common import tensorflow as tf
from common.checkpoints import Checkpoints
from common.images import Images
from common.import_weights import Source, import_weights
from common.run import Run
from cyclegan import CycleGAN
from pix2pix import Pix2Pix

torch = pytest.importorskip("torch")
from tests.parity import published_modules as published  # noqa: E402

IMAGES = Images("unknown")
NEAR = 1e-4  # on images in [-1, 1]


def save(network, path, legacy=False):
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    return str(path)


def imported(tmp_path, model, *files, **given):
    run = Run(str(tmp_path / "run"))
    return import_weights(model, Source(",".join(files)), run, IMAGES, **given).dual


def made_by(tmp_path, name, images, given=None):
    """What a network of the run folder makes of `images`, in the graph and by the checkpoint that people use."""
    dual = runs.load_trained(tmp_path / "run")["dual"]
    direction, role = name.split("/")
    with tf.Graph().as_default(), tf.Session() as session:
        network = dual.network(direction, role)
        made = network(tf.constant(images), tf.constant(given) if role == "critic" else None)
        Checkpoints(tmp_path / "run", variables=network.variables).restore(session)
        return session.run(made)


def random_images(size, channels, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [2, *size, channels]).astype(np.float32)


def compare(tmp_path, name, network, images, given=None):
    seen = images if given is None else np.concatenate([given, images], axis=-1)
    expected = np.stack(published.run(network, seen))
    assert np.abs(expected).max() > 0.1 and expected.std() > 0.01
    given = images if given is None else given
    np.testing.assert_allclose(made_by(tmp_path, name, images, given), expected, rtol=0, atol=NEAR)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("blocks", [6, 9])
def test_resnet(tmp_path, blocks, norm, dropout, legacy):
    network = published.randomized(published.resnet(3, 1, 4, blocks, norm, dropout))
    dual = imported(tmp_path, CycleGAN, save(network, tmp_path / "latest_net_G.pth", legacy))
    assert (dual.netG, dual.ngf, dual.norm) == (f"resnet_{blocks}blocks", 4, norm)
    assert (dual.dropout, dual.channels_A, dual.channels_B, dual.only) == (0.5 * dropout, 3, 1, "A2B")
    compare(tmp_path, "A2B/generator", network, random_images((20, 24), 3))


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("size", [64, 128, 256])
def test_unet(tmp_path, size, norm, legacy):
    network = published.randomized(published.Unet(1, 3, 2, size.bit_length() - 1, norm))
    file = save(network, tmp_path / "latest_net_G.pth", legacy)
    dual = imported(tmp_path, Pix2Pix, file, direction="B2A")
    assert (dual.netG, dual.ngf, dual.norm, dual.image_size) == (f"unet_{size}", 2, norm, size)
    assert (dual.dropout, dual.channels_A, dual.channels_B) == (0.5, 3, 1)
    if (size, norm) != (256, "instance"):  # there its innermost map, of one value, leaves nothing to compare
        compare(tmp_path, "B2A/generator", network, random_images((size, size), 1))
