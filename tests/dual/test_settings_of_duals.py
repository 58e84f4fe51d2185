"""What the settings of a method amount to: sides, batches, noise, directions; and which contradict each other."""

import dataclasses

import pytest

from common import settings
from common import tensorflow as tf
from common.dual import Dual, variables
from common.dual import direction as directions
from common.dual.maps import Maps
from common.dual.variables import differing_roles
from common.errors import UserError
from common.ops.layers import ABSENT, INERT, TRAINED
from contrastive import Contrastive
from cyclegan import CycleGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix
from tests import small


@pytest.mark.parametrize(
    ("fields", "image_sides", "load_sides", "image_size"),
    [
        ({"image_size": 32}, (32, 32), (32, 32), 32),
        ({"image_size": "32x32", "load_size": 32}, (32, 32), (32, 32), 32),
        ({"image_size": "32x64", "load_size": "40x64"}, (32, 64), (40, 64), "32x64"),
        ({"image_size": "32x64"}, (32, 64), (32, 64), "32x64"),
    ],
)
def test_sides_of_images_and_of_what_they_are_cut_from(fields, image_sides, load_sides, image_size):
    dual = small.Gain(**fields)
    assert (dual.image_sides, dual.load_sides, dual.image_size) == (image_sides, load_sides, image_size)


def said(model, **fields):
    with pytest.raises(UserError) as error:
        model(**fields)
    return str(error.value)


@pytest.mark.parametrize("load_size", [31, "31x64", "64x31"])
def test_a_crop_larger_than_its_image_is_refused(load_size):
    assert said(small.Gain, image_size=32, load_size=load_size) == (
        f"--load_size {load_size} is smaller than --image_size 32, the crop taken from it. Use a larger one, or 0 for"
        " no margin."
    )


def test_settings_without_effect_are_refused():
    assert said(small.Gain, spectral_norm=True, gan_loss="wgan") == (
        "--spectral_norm normalizes the critics' kernels, so the clipping of --gan_loss wgan would have no effect."
        " Leave out --spectral_norm, or use --gan_loss wgan-gp or hinge."
    )
    assert said(small.Gain, init_gain=0.5) == (
        "--init_gain 0.5 needs --init normal, xavier or orthogonal. Use one, too."
    )
    for allowed in ({"spectral_norm": True}, {"gan_loss": "wgan"}, {"init_gain": 0.5, "init": "normal"}):
        assert small.Gain(**allowed)


@pytest.mark.parametrize(
    ("n_critic", "n_gen", "fresh", "batches"), [(1, 1, True, 1), (2, 5, True, 5), (5, 2, True, 5), (2, 5, False, 2)]
)
def test_a_step_reads_a_batch_for_each_update(n_critic, n_gen, fresh, batches):
    assert small.Gain(n_critic=n_critic, n_gen=n_gen, fresh_batches=fresh).batches_in_step == batches


@pytest.mark.parametrize(
    ("dropout", "at_use", "noisy"), [(0.5, True, True), (0.5, False, False), (0.0, True, False), (0.0, False, False)]
)
def test_translations_differ_only_with_dropout_at_use(dropout, at_use, noisy):
    assert small.dualgan(dropout=dropout, test_dropout=at_use).noisy == noisy
    dual = Pix2Pix(image_size=64, load_size=0, netG="unet_64", dropout=dropout, test_dropout=at_use)
    assert (dual.noisy, dual.dropout_rate) == (noisy, dropout)
    assert not small.Gain(test_dropout=at_use).noisy


class Bare(Dual):
    """A method that says nothing of itself."""

    generator = critic = generator_losses = critic_losses = optimizer = connect = None


def test_a_method_of_ones_own_promises_nothing_that_it_does_not_say():
    dual = small.Gain()
    assert (dual.pairing, dual.domain_names, dual.flags_without_skips) == ("none", None, "")
    assert (dual.multiple, dual.smallest, dual.aligned, dual.dropout_rate) == (1, 1, True, 0.0)
    assert dual.learned_directions == dual.criticized_directions == dual.directions == ("A2B", "B2A")
    assert dual.companion("A2B") is None and dual.classical("A2B", None) is None
    bare = Bare()
    assert bare.in_use() is bare.in_training() is bare.with_directions(["A2B"]) is bare
    assert bare.identity_weight is None and bare.refuse_training() is None


def test_one_direction_of_imported_weights_is_for_use_alone():
    both = small.Gain(lambda_identity=2.0)
    assert both.with_directions(["A2B", "B2A"]) is both and both.refuse_training() is None
    one = both.with_directions(["B2A"])
    assert (one.only, one.directions, one.identity_weight) == ("B2A", ("B2A",), 2.0)
    assert one.in_training() == both
    assert one.in_use() == dataclasses.replace(one, lambda_identity=0.0)
    with pytest.raises(UserError) as error:
        one.refuse_training()
    assert str(error.value) == (
        "--only B2A is only for imported weights: training translates both ways (cycle) and needs both directions."
        " Leave it out."
    )
    ((way, cycle),) = one.connect(tf.ones([1, 2, 2, 3]), tf.zeros([1, 2, 2, 3]))
    assert (way.name, way.source, way.target_domain, cycle) == ("B2A", "B", "A", None)


@pytest.mark.parametrize("model", [Contrastive, Pix2Pix])
def test_methods_of_one_way_have_the_direction_that_is_trained(model):
    assert model().directions == ("A2B",) and model(train_direction="B2A").directions == ("B2A",)
    assert model().direction_setting == "train_direction" and CycleGAN().direction_setting == "only"


def test_directions_may_be_left_out_while_one_is_built(session):
    assert directions.is_needed("A2B") and directions.is_needed("B2A")
    with directions.only("A2B"):
        assert directions.is_needed("A2B") and not directions.is_needed("B2A")
        with directions.only("B2A"):
            assert directions.is_needed("B2A") and not directions.is_needed("A2B")
        assert directions.is_needed("A2B")
    assert directions.is_needed("B2A")


def test_only_maps_that_are_asked_for_are_kept_in_their_order():
    maps = Maps([4, 1])
    for number in (1, 2, 4):
        maps.keep(number, f"map {number}")
    assert maps.in_order() == ["map 4", "map 1"] and 1 in maps and 2 not in maps
    assert [maps.bias(number, kind) for number, kind in ((1, INERT), (2, INERT), (1, ABSENT), (2, TRAINED))] == [
        *(TRAINED, INERT, ABSENT, TRAINED)
    ]


@pytest.mark.parametrize(
    ("changed", "roles"),
    [
        ({"lr_G": 1.0, "lambda_A": 3.0}, set()),
        ({"ngf": 3}, {"generator"}),
        ({"ngf": 3, "norm_D": "none"}, {"generator", "critic"}),
        ({"only": "A2B", "ndf": 3}, {"critic"}),  # of the direction that both have
    ],
)
def test_roles_whose_variables_differ(changed, roles):
    dual = small.dualgan(image_size=8, ngf=1, ndf=1)
    assert differing_roles(dual, dataclasses.replace(dual, **changed)) == roles


def another(dual, field):
    """Another valid value of a setting."""
    value = getattr(dual, field.name)
    if field.metadata["choices"]:
        return next(choice for choice in field.metadata["choices"] if choice not in (value, "plateau"))
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value / 2 + 0.3


@pytest.mark.parametrize(
    "dual",
    [
        small.dualgan(gan_loss="wgan"),
        CycleGAN(image_size=16, load_size=0, ngf=1, ndf=1, n_layers=1, netG="resnet_6blocks"),
        Pix2Pix(image_size=64, load_size=0, ngf=1, ndf=1, n_layers=1, netG="unet_64", dropout=0.0),
        Enhancement(image_size=32, ngf=1, ndf=1, n_layers=1, levels=2),
    ],
    ids=lambda dual: type(dual).__name__,
)
def test_no_network_depends_on_settings_of_training(dual, monkeypatch):
    fields = dataclasses.fields(dual)
    of_training = [field for field in fields if field.name in variables.OF_TRAINING or "lambda_" in field.name]
    other = dataclasses.replace(dual, **{field.name: another(dual, field) for field in of_training})
    assert len(settings.differences(dual, other)) == len(of_training) > 15
    monkeypatch.setattr(variables, "OF_TRAINING", set())  # so that networks are built
    monkeypatch.setattr(variables, "WEIGHTS", "?")
    assert differing_roles(dual, other) == set()
