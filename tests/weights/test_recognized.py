"""Networks are recognized by the names and the shapes of their arrays; what differs from them is named."""

import numpy as np
import pytest

from common.errors import UserError
from common.weights import prefixed, pytorch
from common.weights.recognized import Foreign, Recognized
from tests.published_arrays import patch_critic, pixel_critic, resnet, unet

HEADS = {
    f"mlp_{n}.{layer}.weight": np.zeros([4, 3 if layer == 0 else 4], np.float32) for n in (0, 1) for layer in (0, 2)
}


@pytest.mark.parametrize(
    ("arrays", "role", "fields", "assumed", "channels"),
    [
        (
            resnet(3, 1, 2),
            "generator",
            {"netG": "resnet_6blocks", "ngf": 2, "norm": "instance", "dropout": 0.0},
            {},
            (3, 1),
        ),
        (
            resnet(1, 3, 2, blocks=9),
            "generator",
            {"netG": "resnet_9blocks", "ngf": 2, "norm": "instance", "dropout": 0.0},
            {},
            (1, 3),
        ),
        (
            {name.replace("conv_block.5", "conv_block.6"): array for name, array in resnet(3, 1, 2).items()},
            "generator",
            {"netG": "resnet_6blocks", "ngf": 2, "norm": "instance"},
            {"dropout": 0.5},
            (3, 1),
        ),
        *(
            (
                unet(3, 1, 2, depth),
                "generator",
                {"netG": f"unet_{size}", "ngf": 2, "norm": "batch"},
                {"image_size": size, "load_size": load_size},
                (3, 1),
            )
            for depth, size, load_size in ((6, 64, 71), (7, 128, 143), (8, 256, 286))  # 286 / 256, rounded down
        ),
        *(
            (
                patch_critic(4, 2, n, "batch"),
                "critic",
                {"netD": "patch", "ndf": 2, "n_layers": n, "norm_D": "batch"},
                {},
                (4, 1),
            )
            for n in (1, 3)
        ),
        (pixel_critic(3, 2), "critic", {"netD": "pixel", "ndf": 2, "norm_D": "instance"}, {}, (3, 1)),
        (HEADS, "heads", {"nce_filters": 4}, {}, ()),
    ],
)
def test_a_network_has_the_settings_that_its_arrays_show(arrays, role, fields, assumed, channels):
    network = pytorch.recognize("net.pth", arrays)
    assert (network.role, network.fields, network.assumed, network.channels) == (role, fields, assumed, channels)
    assert (network.file, network.direction, network.note) == ("net.pth", None, "")


@pytest.mark.parametrize(
    ("numbers", "blurs", "name"), [((0, 2, 5, 8, 11), (), "patch"), ((0, 3, 7, 11, 14), (2, 6, 10), "patch_blur")]
)
def test_layers_of_critics_have_the_published_numbers(numbers, blurs, name):
    """A blur, or its absence, shifts those after it."""
    widths, row = (3, 2, 4, 8, 16, 1), np.array([1, 2, 1]) / 4
    kernels = {
        f"model.{number}.weight": np.zeros([widths[n + 1], widths[n], 4, 4], np.float32)
        for n, number in enumerate(numbers)
    }
    filters = {f"model.{number}.filt": np.tile(np.outer(row, row), [2, 1, 1, 1]) for number in blurs}
    network = pytorch.recognize("net.pth", kernels | filters)
    assert network.fields == {"netD": name, "ndf": 2, "n_layers": 3, "norm_D": "bare"}
    scopes = ("down_0", "down_1", "down_2", "down_3", "out")
    assert [network.variables[f"{scope}/kernel"].name for scope in scopes] == [*kernels] == [*network.arrays]


def unrecognized(arrays):
    with pytest.raises(UserError) as error:
        pytorch.recognize("net.pth", arrays)
    return str(error.value)


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        (resnet(3, 3, 2, blocks=7), "it has 7 residual blocks, but must have 6 or 9"),
        (unet(3, 3, 1, 5), "it is a U-Net that halves its input 5 times, but must do so 6, 7 or 8 times"),
        (unet(3, 3, 1, 9), "it is a U-Net that halves its input 9 times, but must do so 6, 7 or 8 times"),
        (
            {"model.0.weight": np.zeros([2, 3, 4, 4]), "model.2.weight": np.zeros([1, 2, 4, 4])},
            "it has no layers of a generator, and too few convolutions for a critic",
        ),
        ({"net.0.weight": np.zeros([2, 3])}, "net.0.weight has 2 dimensions"),
        ({"net.2.weight": np.zeros([2, 3, 1, 1])}, "net.0.weight is missing"),
        (
            {name: array for name, array in resnet(3, 3, 2).items() if name != "model.23.weight"},
            "model.23.weight is missing",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_network_that_is_not_known_is_described(arrays, why):
    first = ", ".join(f"{name} {list(array.shape)}" for name, array in [*arrays.items()][:3])
    assert unrecognized(arrays) == (
        f"net.pth holds no known network ({why}). Its first entries are {first}. Known are the ResNets of 6 and 9"
        " blocks, the U-Nets of 64, 128 and 256 pixels and the critics of CycleGAN, pix2pix and CUT in PyTorch, and"
        " the networks of DualGAN in TensorFlow."
    )


def test_variances_may_be_zero_but_not_less():
    name, arrays = "model.model.1.model.2.running_var", unet(3, 3, 1)
    for variances in ([0.0, 0.5], [0.0, 0.0]):
        network = pytorch.recognize("net.pth", {**arrays, name: np.float32(variances)}, running_statistics=True)
        np.testing.assert_array_equal(network.arrays[name], np.float32(variances))
    with pytest.raises(UserError) as error:
        pytorch.recognize("net.pth", {**arrays, name: np.float32([0.5, -1e-3])}, running_statistics=True)
    assert str(error.value) == f"net.pth has negative variances in {name}: the file is damaged."


def test_only_statistics_without_any_training_are_refused():
    arrays = unet(3, 3, 1)
    untrained = {
        name: np.full_like(array, name.endswith("_var")) for name, array in arrays.items() if "running" in name
    }
    trained = {**arrays, **untrained, "model.model.1.model.2.running_mean": np.float32([0, 1e-6])}
    assert "running_mean" in str([*pytorch.recognize("net.pth", trained, running_statistics=True).arrays])
    with pytest.raises(UserError, match="of a network that was not trained: means of 0 and variances of 1"):
        pytorch.recognize("net.pth", {**arrays, **untrained}, running_statistics=True)


def test_wrappers_and_counts_of_averages_leave_no_trace():
    wrapped = {f"module._orig_mod.{name}": array for name, array in resnet(3, 1, 2).items()}
    arrays = pytorch.unwrapped("net.pth", {"n_averaged": np.array(3), **wrapped})
    assert arrays.keys() == resnet(3, 1, 2).keys()


LAYER = {"kernel": Foreign("1.weight", (2, 3, 1, 0)), "bias": Foreign("1.bias", (0,))}
SHAPES = {"kernel": [3, 3, 4, 2], "bias": [2]}  # height, width, inputs, outputs


def network_of(**arrays):
    arrays = {name.replace("_", "."): array for name, array in arrays.items()}
    return Recognized("net.pth", "generator", None, {"ngf": 2, "norm": "batch"}, {}, (4, 2), LAYER, arrays)


def test_values_have_the_order_of_axes_and_the_type_of_this_toolkit():
    kernel = np.arange(2 * 4 * 3 * 3, dtype=np.float64).reshape(2, 4, 3, 3)
    network = network_of(**{"1_weight": kernel, "1_bias": np.int64([7, 8])})
    values = network.values(SHAPES)
    assert {name: (value.shape, value.dtype) for name, value in values.items()} == {
        "kernel": ((3, 3, 4, 2), np.float32),
        "bias": ((2,), np.float32),
    }
    assert values["kernel"][1, 2, 3, 0] == kernel[0, 3, 1, 2] and values["bias"].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("arrays", "misfits"),
    [
        ({"1_weight": [2, 4, 5, 5], "1_bias": [2]}, "1.weight is [2, 4, 5, 5], not [2, 4, 3, 3]"),
        ({"2_a": [1]}, "1.weight [2, 4, 3, 3] is missing; 1.bias [2] is missing; 2.a [1] is not part of it"),
        (
            {"2_a": [1], "2_b": []},
            "1.weight [2, 4, 3, 3] is missing; 1.bias [2] is missing; 2.a [1] is not part of it; and 1 more",
        ),
    ],
)
def test_the_first_three_misfits_are_named(arrays, misfits):
    network = network_of(**{name: np.zeros(shape) for name, shape in arrays.items()})
    with pytest.raises(UserError) as error:
        network.values(SHAPES)
    assert str(error.value) == f"net.pth looks like a generator (ngf 2, norm batch), but does not fit: {misfits}."


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_numbers_that_are_not_finite_are_refused(value):
    network = network_of(**{"1_weight": np.zeros([2, 4, 3, 3]), "1_bias": np.array([0, value])})
    with pytest.raises(UserError) as error:
        network.values(SHAPES)
    assert str(error.value) == "net.pth has numbers in 1.bias that are not finite."


@pytest.mark.parametrize(
    ("name", "direction"),
    {
        "latest_net_G_A": "A2B",
        "latest_net_D_B": "B2A",
        "netG_A": "A2B",
        "D_A": "A2B",
        "my-G_B": "B2A",
        "latest_net_G": None,
        "latest_net_G_A_old": None,
        "wrongG_A": None,
        "latest_net_F_A": None,
        "latest_net_G_C": None,
    }.items(),
)
def test_the_direction_is_at_the_end_of_a_name(name, direction):
    assert prefixed.direction_named(name) == direction


def several(**networks):
    """{prefix.name: array} of networks in one file."""
    return {f"{prefix}.{name}": array for prefix, arrays in networks.items() for name, array in arrays.items()}


def test_what_is_not_of_a_known_network_is_told():
    criterion = {"criterion.vgg.bias": np.zeros(3), "loss.weight": np.zeros(1)}
    networks = prefixed.recognize("last.ckpt", several(netG_B=unet(3, 3, 1), netD_B=patch_critic(3, 2)) | criterion)
    assert [(each.role, each.direction) for each in networks] == [("generator", "B2A"), ("critic", "B2A")]
    told = "Ignored in last.ckpt, as not of a known network: criterion, loss."
    assert [each.note for each in networks] == [told, ""]
    with_statistics = prefixed.recognize("last.ckpt", several(netG=unet(3, 3, 1)) | criterion, running_statistics=True)
    own = "Its norms use their running statistics, as with test.py --eval; dropout is off without --test_dropout."
    assert [each.note for each in with_statistics] == [f"{own} {told}"]
    (chosen,) = prefixed.recognize("last.ckpt", several(netG_B=unet(3, 3, 1)) | criterion, "netG_B")
    assert chosen.note == ""


def test_several_networks_without_directions_are_listed_and_two_are_proposed():
    with pytest.raises(UserError) as error:
        prefixed.recognize("last.ckpt", several(first=unet(3, 3, 1), second=unet(3, 3, 1), third=unet(3, 3, 1)))
    assert str(error.value) == (
        "last.ckpt has several networks, and their directions are not clear: first, second, third. Name one, or one for"
        " each direction, that of A2B first: --source last.ckpt::first,last.ckpt::second"
    )
    with pytest.raises(UserError, match="their directions are not clear: netG_A, other"):
        prefixed.recognize("last.ckpt", several(netG_A=unet(3, 3, 1), other=unet(3, 3, 1)))
    with pytest.raises(UserError, match=r"has no network x\. It must be one of: none with a name\."):
        prefixed.recognize("last.ckpt", unet(3, 3, 1), "x")
