"""Generators as state_dicts have the arrays of published files; runs with other networks are refused by name."""

import dataclasses

import numpy as np
import pytest

from common.errors import UserError
from common.weights import pytorch, to_pytorch
from contrastive import Contrastive
from cyclegan import CycleGAN
from dualgan import DualGAN
from enhancement import Enhancement
from examples.geometry import GcGAN
from pix2pix import Pix2Pix
from tests import published_arrays


def values_of(file, running_statistics=False):
    """(values by the names here, settings) of a generator that was read."""
    network = pytorch.recognize("net.pth", file, running_statistics)
    names = {name: foreign for name, foreign in network.variables.items() if foreign.name in network.arrays}
    return {name: foreign.read(network.arrays[foreign.name]) for name, foreign in names.items()}, network.fields


def assert_equal(arrays, expected):
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


@pytest.mark.parametrize("blocks", [6, 9])
def test_resnet(blocks):
    published = published_arrays.resnet(3, 1, 2, blocks=blocks)
    values, fields = values_of(published)
    assert_equal(to_pytorch.state_dict_of(CycleGAN(**fields), values), published)


def test_biases_that_a_run_lacks_are_zeros():
    published = published_arrays.resnet(3, 1, 2)
    values, fields = values_of(published)
    lacking = {name: value for name, value in values.items() if not name.endswith("/bias") or name == "out/bias"}
    assert len(lacking) == len(values) - (1 + 2 + 2 * 6 + 2)
    arrays = to_pytorch.state_dict_of(CycleGAN(**fields, norm_bias=False), lacking)
    last = [name for name in published if name.endswith(".bias")][-1]
    assert_equal(
        arrays,
        {name: 0 * array if name.endswith(".bias") and name != last else array for name, array in published.items()},
    )


@pytest.mark.parametrize("depth", [6, 7, 8])
def test_unet(depth):
    """With running statistics; without, with those that a network has before training."""
    published = published_arrays.unet(3, 1, 2, depth)
    values, fields = values_of(published, running_statistics=True)
    dual = Pix2Pix(**fields, running_statistics=True)
    counters = {name: np.array(0) for name in published if name.endswith("num_batches_tracked")}
    assert len(counters) == 2 * depth - 3
    assert_equal(to_pytorch.state_dict_of(dual, values), {**published, **counters})
    values, _ = values_of(published)
    arrays = to_pytorch.state_dict_of(dataclasses.replace(dual, running_statistics=False), values)
    initial = {
        name: np.full_like(array, name.endswith("var")) for name, array in published.items() if "running" in name
    }
    assert len(initial) == 2 * len(counters)
    assert_equal(arrays, {**published, **counters, **initial})
    with pytest.raises(UserError, match=r"x\.pth has the running statistics of a network that was not trained"):
        pytorch.recognize("x.pth", arrays, running_statistics=True)


def test_other_variables_are_no_published_generator():
    values, fields = values_of(published_arrays.resnet(3, 1, 2))
    with pytest.raises(ValueError, match="extra/kernel are not variables"):
        to_pytorch.state_dict_of(CycleGAN(**fields), {**values, "extra/kernel": np.zeros(1)})


def test_names_of_files():
    assert to_pytorch.file_name(CycleGAN(), "A2B") == "latest_net_G_A"
    assert to_pytorch.file_name(CycleGAN(only="B2A"), "B2A") == "latest_net_G_B"
    assert to_pytorch.file_name(Pix2Pix(train_direction="B2A"), "B2A") == "latest_net_G"
    assert to_pytorch.file_name(GcGAN(), "A2B") == "latest_net_G"


@dataclasses.dataclass(frozen=True)
class Residual(CycleGAN):
    """CycleGAN whose generators add their output to their input: PyTorch's network would not."""

    def generator(self, images, channels, key):
        return images + super().generator(images, channels, key)


@pytest.mark.parametrize(
    ("dual", "problem"),
    {
        DualGAN(): "DualGAN has generators of its own",
        Enhancement(): "Enhancement has generators of its own",
        Residual(): "Residual has generators of its own",
        CycleGAN(netG="resnet_tfgan"): "This run has --netG resnet_tfgan",
        CycleGAN(norm="layer"): "This run has --norm layer",
        CycleGAN(norm="none"): "This run has --norm none",  # with biases, its names are those of instance norm
    }.items(),
)
def test_networks_without_a_published_layout_are_refused(dual, problem):
    with pytest.raises(UserError) as error:
        to_pytorch.published(dual)
    assert str(error.value).startswith(f"{problem}, for which")
    for name in ("resnet_6blocks", "resnet_9blocks", "unet_64", "unet_128", "unet_256", "instance", "batch", "bare"):
        assert name in str(error.value)
    assert "--format npz" in str(error.value)


@pytest.mark.parametrize(
    "dual",
    [CycleGAN(), Pix2Pix(), GcGAN(), Contrastive(), CycleGAN(norm_bias=False), CycleGAN(norm="bare", norm_bias=False)],
)
def test_networks_with_a_published_layout(dual):
    assert to_pytorch.published(dual) is dual
