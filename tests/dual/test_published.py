"""What the settings of published networks and of DualGAN allow: the limit of each, from both sides."""

import dataclasses

import pytest

from common import tensorflow as tf
from common.dual import Dual, PublishedCritics, networks, resnets
from common.dual.maps import Maps
from common.errors import UserError
from common.ops import layers
from common.settings import override
from cyclegan import CycleGAN
from pix2pix import Pix2Pix
from tests import small


@dataclasses.dataclass(frozen=True)
class Judged(PublishedCritics, small.Gain):
    """A method for images of any size with published critics."""

    image_size: int = override(Dual, "image_size", 64)


@pytest.mark.parametrize(
    ("netD", "n_layers", "smallest"),
    [
        ("patch", 1, 6),  # halved to 3, and twice 1 less: a score is left
        ("patch", 2, 12),
        ("patch", 3, 24),
        ("patch_tfgan", 1, 4),  # maps of 4 and 3 pixels, whose margins of 2 are reflected
        ("patch_tfgan", 2, 6),  # 6, 4, 3
        ("patch_tfgan", 3, 10),  # 10, 6, 4, 3
        ("patch_blur", 1, 8),  # 8, 4, 3: of these a score of 2
        ("patch_blur", 2, 16),
        ("patch_lua", 5, 1),
        ("pixel", 16, 1),
    ],
)
def test_the_smallest_images_that_a_critic_takes(netD, n_layers, smallest):
    assert Judged(image_size=smallest, netD=netD, n_layers=n_layers).n_layers == n_layers
    if smallest > 1:
        with pytest.raises(UserError, match=f"--n_layers {n_layers} does not fit --image_size {smallest - 1}: "):
            Judged(image_size=smallest - 1, netD=netD, n_layers=n_layers)


@pytest.mark.parametrize(("size", "advised"), [(48, 4), (47, 3), (24, 3), (6, 1), (5, 1)])
def test_the_deepest_critic_that_fits_is_advised(size, advised):
    with pytest.raises(UserError) as error:
        Judged(image_size=size, n_layers=5)
    assert str(error.value) == (
        f"--n_layers 5 does not fit --image_size {size}: the critic halves images until nothing is left. Use"
        f" --n_layers {advised}, or --netD pixel."
    )


def biases(session, norm_bias):
    with tf.variable_scope(str(norm_bias)):
        dual = Judged(norm_bias=norm_bias, n_layers=1, ndf=2, netD="patch", norm_D="instance")
        dual.critic(tf.zeros([1, 16, 16, 3]), None)
        names = {variable.op.name for variable in tf.global_variables(f"{norm_bias}/")}
    return {name.split("/")[1] for name in names if name.endswith("/bias")}


def test_biases_before_norms_are_there_unless_they_are_switched_off(session):
    assert biases(session, norm_bias=True) == {"down_0", "down_1", "out"}
    assert biases(session, norm_bias=False) == {"down_0", "out"}


@pytest.mark.parametrize(
    ("norm", "without", "usual"),
    [
        *((norm, layers.ABSENT, layers.INERT) for norm in ("instance", "instance_affine", "layer")),
        *((norm, layers.ABSENT, layers.ABSENT) for norm in ("batch", "bare")),
        ("none", layers.TRAINED, layers.TRAINED),
    ],
)
def test_without_biases_before_norms_no_other_bias_is_lost(norm, without, usual):
    assert Judged(norm_bias=False)._norm(norm).bias == without
    assert Judged(norm_bias=True)._norm(norm).bias == usual


def test_running_statistics_are_of_batch_norms_alone():
    sides = {"image_size": 64, "load_size": 0, "netG": "unet_64"}
    assert Pix2Pix(**sides, norm="batch", running_statistics=True).running_statistics
    with pytest.raises(UserError) as error:
        Pix2Pix(**sides, norm="instance", running_statistics=True)
    assert str(error.value) == (
        "--running_statistics is only for --norm batch, but these generators have --norm instance, where PyTorch's"
        " program uses no running statistics either. Leave it out."
    )


@pytest.mark.parametrize(("netG", "smallest"), [("resnet_6blocks", 8), ("unet_64", 64)])
def test_the_smallest_images_of_generators(netG, smallest):
    dual = CycleGAN(image_size=smallest, load_size=0, netG=netG, netD="pixel")
    assert dual.smallest == smallest
    assert dual.flags_without_skips == ("" if netG == "resnet_6blocks" else "--netG resnet_9blocks")


@pytest.mark.parametrize(
    ("size", "depth", "said"),
    [
        (100, 8, "8 times: it must be a multiple of 256. Use --image_size 256, or --depth 2."),
        (44, 4, "4 times: it must be a multiple of 16. Use --image_size 48, or --depth 2."),
        (38, 3, "3 times: it must be a multiple of 8. Use --image_size 40."),  # halves only once
        (64, 12, "12 times: it must be a multiple of 4096. Use --image_size 4096, or --depth 6."),
        (64, 13, "13 times: it must be a multiple of 8192. Use --depth 6."),
        (66, 13, "13 times: it must be a multiple of 8192. Use a different size."),
        ("64x96", 6, "6 times: it must be a multiple of 64. Use --image_size 64x128, or --depth 5."),
    ],
)
def test_a_size_that_dualgan_cannot_halve_is_told_of_its_cures(size, depth, said):
    with pytest.raises(UserError) as error:
        small.dualgan(image_size=size, depth=depth)
    assert str(error.value) == f"--image_size {size} does not fit this U-Net, which halves its input {said}"


@pytest.mark.parametrize(
    ("size", "halve_odd", "multiple", "aligned"),
    [(24, False, 8, True), (24, True, 8, True), (20, True, 4, False), (12, True, 4, False)],
)
def test_odd_sides_may_be_halved_last(size, halve_odd, multiple, aligned):
    dual = small.dualgan(image_size=size, depth=3, halve_odd=halve_odd)
    assert (dual.multiple, dual.smallest, dual.aligned) == (multiple, multiple, aligned)
    if halve_odd and not aligned:
        with pytest.raises(UserError, match=f"--image_size {size} does not fit"):
            small.dualgan(image_size=size, depth=3)


def test_layers_have_the_numbers_of_the_authors():
    """CUT's default is 0,4,8,12,16: the padded image, two convolutions, the first and the fifth block."""
    assert resnets.PLAIN.numbers(9) == (0, 1, 4, 7, 8, 9, *range(10, 19))
    assert resnets.BLURRED.numbers(9) == (0, 1, 4, 8, 9, 10, 11, *range(12, 21))
    assert networks.GENERATORS["resnet_6blocks_blur"].numbers[-1] == 17
    assert networks.GENERATORS["resnet_tfgan"].numbers == networks.GENERATORS["resnet_6blocks"].numbers


@pytest.mark.parametrize("style", [resnets.PLAIN, resnets.TFGAN, resnets.BLURRED])
def test_each_layer_of_an_encoder_has_a_map_of_its_own(session, style):
    """Of 2 filters in images of 16 pixels; a blur halves later, and its last map alone is what the blocks see."""
    maps = Maps(style.numbers(2))
    x = resnets.encode(tf.zeros([1, 16, 16, 3]), 2, 2, layers.published_norm("instance"), style, maps=maps)
    shapes = [one.shape.as_list()[1:] for one in maps.in_order()]
    halved = [[4, 4, 8]] if style.blurred else []
    side = 8 if style.blurred else 4
    assert shapes == [
        *([22, 22, 3], [16, 16, 2], [16 if style.blurred else 8] * 2 + [4]),
        *([[side, side, 8]] * 3 + halved),
        *[[4, 4, 8]] * 2,
    ]
    *_, first, second = maps.in_order()
    assert second is x and first is not x
