"""One list, all contracts: what holds for every method of translation, at its smallest."""

import dataclasses
import shutil

import numpy as np
import pytest

from common import settings
from common import tensorflow as tf
from common.evaluate import test as run_test
from common.export import Export, export
from common.images import Images, files
from common.run import Run
from common.train import plan, step, train
from common.translate import Translator
from cyclegan import CycleGAN
from enhancement import Enhancement
from examples.geometry import GcGAN
from examples.semi_supervised import SemiSupervised
from pix2pix import Pix2Pix
from tests import small

pytestmark = pytest.mark.usefixtures("few_patches", "one_block")

TINY = {"image_size": 32, "load_size": 36, "ngf": 2, "ndf": 2, "n_layers": 1}
TINY_UNET = {**TINY, "image_size": 64, "load_size": 66, "netG": "unet_64"}
TINY_LAYERS = {
    "image_size": 32,
    "patch_size": 16,
    "ngf": 2,
    "ndf": 2,
    "n_layers": 1,
    "levels": 2,
    "prior_epochs": 1,
    "recolored_share": 0.5,
    "prior_share": 0.5,
    "lambda_adversarial": 0.1,
    "lambda_identity": 0.1,
}
DUALS = {  # these pass all
    "dualgan": small.dualgan(load_size=36, flip=True, dropout=0.3),
    "cyclegan": CycleGAN(**TINY, netG="resnet_6blocks", pool_size=3),
    "pix2pix": Pix2Pix(**TINY_UNET, gan_loss="hinge", train_direction="B2A", pool_size=2),
    "enhancement": Enhancement(**TINY_LAYERS, layer="any"),  # all that the other layers have
    "geometry": GcGAN(**TINY, netG="resnet_6blocks", pool_size=3, dropout=0.5),
    "semi-supervised": SemiSupervised(**TINY, netG="resnet_6blocks", pool_size=3),
    "all that can be switched on": small.dualgan(
        **{"gan_loss": "hinge", "spectral_norm": True, "ema_decay": 0.9, "d_warmup": 2, "pool_size": 3},
        **{"n_gen": 2, "fresh_batches": False, "lambda_identity": 5.0},
    ),
}
ALIKE = ("dualgan", "geometry", "semi-supervised")  # made of what others have: DualGAN's are also in test_training
VARIANTS = {  # these are built and updated alone
    "cyclegan wgan-gp": CycleGAN(**TINY, netG="resnet_6blocks", netD="pixel", gan_loss="wgan-gp", lambda_identity=0.0),
    "geometry by flips of tfgan": GcGAN(
        **{**TINY, "netG": "resnet_tfgan", "netD": "patch_tfgan", "norm_bias": False},
        **{"geometry": "flip", "train_direction": "B2A"},
    ),
    "pix2pix wgan-gp with all": Pix2Pix(
        **{**TINY_UNET, "gan_loss": "wgan-gp", "spectral_norm": True, "ema_decay": 0.9, "d_warmup": 1}
    ),
}
MORE_VARIANTS = {  # other combinations of what DUALS and VARIANTS have
    "dualgan classic": small.dualgan(gan_loss="classic", n_gen=2),
    "dualgan wgan-gp with all": small.dualgan(gan_loss="wgan-gp", spectral_norm=True, ema_decay=0.9, d_warmup=1),
    **{f"enhancement of {layer}": Enhancement(**TINY_LAYERS, layer=layer) for layer in ("rain", "haze", "cloud")},
}
BUILT = [
    *(pytest.param(dual, id=name) for name, dual in {**DUALS, **VARIANTS}.items() if name != "semi-supervised"),
    pytest.param(DUALS["semi-supervised"], id="semi-supervised", marks=pytest.mark.slow),  # CycleGAN with one more loss
    *(pytest.param(dual, id=name, marks=pytest.mark.slow) for name, dual in MORE_VARIANTS.items()),
]


def connected(dual):
    shape, index = [2, dual.image_size, dual.image_size, 3], tf.constant([0, 1], tf.int64)
    random = np.random.default_rng(0)
    A, B = (tf.constant(random.uniform(-1, 1, shape), tf.float32) for _ in "AB")
    return step.build(dual, A, B, index, images_in_epoch=4, matched=tf.constant([1.0, 0.0]))


@pytest.mark.parametrize("dual", BUILT)
def test_every_variable_belongs_to_one_role_and_updates_change_their_own(session, dual):
    built = connected(dual)
    networks = {role: [getattr(direction, role) for direction, _ in built.pairs] for role in ("generator", "critic")}
    owned = {role: {v.op.name for net in nets for v in net.variables} for role, nets in networks.items()}
    model = {variable.op.name for variable in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)}
    assert owned["generator"] | owned["critic"] == model
    assert not owned["generator"] & owned["critic"]
    assert tuple(direction.name for direction, _ in built.pairs) == tuple(dual.directions)
    session.run(tf.global_variables_initializer())
    for roles, each in zip(step.roles_of_passes(dual.n_critic, dual.n_gen, dual.fresh_batches), built.passes):
        before = session.run(tf.trainable_variables())
        losses, _ = session.run([each.losses, each.update])
        after = session.run(tf.trainable_variables())
        changed = {v.op.name for v, x, y in zip(tf.trainable_variables(), before, after) if (x != y).any()}
        assert all(np.isfinite(loss) for loss in losses.values())
        for role in ("critic", "generator"):
            assert bool(changed & owned[role]) == (role in roles), role


@pytest.mark.parametrize("name", DUALS)
def test_settings_come_back(tmp_path, name):
    settings.save(tmp_path / "config.json", {}, dual=DUALS[name])
    assert settings.load(tmp_path / "config.json") == {"dual": DUALS[name]}


@pytest.mark.parametrize("name", ["pix2pix", pytest.param("semi-supervised", marks=pytest.mark.slow)])
def test_each_can_be_planned(dataset, name):  # DualGAN's is in test_plan
    images = Images("set", data_root=str(dataset(train_A=1, train_B=1)))
    assert plan.plan(DUALS[name], images, Run("unused", steps=1)).seconds > 0.0


@pytest.mark.parametrize(
    "name", ["cyclegan", "pix2pix", "enhancement", pytest.param("geometry", marks=pytest.mark.slow)]
)
def test_each_can_be_exported(tmp_path, name):  # DualGAN's: tests/export
    dual = DUALS[name]
    run, way = small.untrained(tmp_path / "run", dataclasses.replace(dual, ema_decay=0.0)), dual.learned_directions[-1]
    found = export(run, Export(format="frozen", direction=way, output=str(tmp_path / "out")), Images("none"))
    assert [each.ported.name for each in found.kept] == [way, f"{way}_float", f"{way}_bytes"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in ALIKE else ()) for name in DUALS]
)
def test_going_on_from_a_checkpoint_is_training_in_one(tmp_path, name):
    random = np.random.default_rng(0)
    for folder in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(*(1, 5) if folder == "train/B" else (0, 3)):  # 1 and 2 have partners
            files.write(tmp_path / "set" / folder / f"{number}.png", random.integers(0, 256, [40, 36, 3], np.uint8))
    dual, images = DUALS[name], Images("set", data_root=str(tmp_path))
    whole = Run(str(tmp_path / "whole"), steps=8, save_every=5, sample_every=100)
    train(dual, images, whole)
    halves = dataclasses.replace(whole, run_dir=str(tmp_path / "halves"))
    shutil.copytree(whole.run_dir, halves.run_dir)
    for path in halves.path("checkpoints").glob("model-00000008*"):  # as if killed in step 6, 7 or 8
        path.unlink()
    assert train(dual, images, halves)[:3] == (5, 8, 8)
    expected, found = (
        tf.train.load_checkpoint(str(run.path("checkpoints", "model-00000008"))) for run in (whole, halves)
    )
    names = expected.get_variable_to_shape_map().keys()
    assert (f"{dual.directions[0]}/pool/kept" in names) == bool(dual.pool_size)
    for variable in names:
        np.testing.assert_array_equal(found.get_tensor(variable), expected.get_tensor(variable), err_msg=variable)

    with Translator(whole.run_dir) as translator:
        for direction in dual.directions:
            assert translator(direction, random.integers(0, 256, [35, 50, 3], np.uint8)).shape == (35, 50, 3)
    scores = run_test(whole.run_dir, dual, images)
    assert [direction for direction in ("A2B", "B2A") if direction in scores] == list(dual.directions)
    for direction in dual.directions:
        assert len(list(whole.path("test", direction).iterdir())) == 3


@pytest.mark.parametrize(
    "name", ["dualgan", *(pytest.param(each, marks=pytest.mark.slow) for each in ("cyclegan", "pix2pix"))]
)
def test_rgb_becomes_gray_of_16_bits_and_back(tmp_path, capsys, name):
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(2):
            rgb, deep = (
                random.integers(0, 256, [40, 36, 3], np.uint8),
                random.integers(500, 3000, [40, 36, 1], np.uint16),
            )
            deep[0, 0], deep[0, 1] = 500, 2999
            files.write(tmp_path / "set" / split / "A" / f"{number}.jpg", rgb)
            files.write(tmp_path / "set" / split / "B" / f"{number}.png", deep)
    dual = dataclasses.replace(DUALS[name], channels_B=0, flip=True)
    images, run = Images("set", data_root=str(tmp_path)), Run(str(tmp_path / "run"), steps=2, sample_every=2)
    train(dual, images, run)
    said = capsys.readouterr().out
    assert "Images of B are uint16 from 500 to 2,999, scaled to -1 to 1." in said
    assert ("identity loss is off" in said) == bool(getattr(dual, "lambda_identity", 0.0))
    train(dual, images, dataclasses.replace(run, steps=3))  # auto is what it was
    scores = run_test(run.run_dir, dual, images)
    assert 0.0 < scores[dual.directions[0]]["l1"] < 1.0
    kinds = {"A": (3, "uint8", (0, 255)), "B": (1, "uint16", (500, 2999))}
    with Translator(run.run_dir) as translator:
        for direction in dual.directions:
            source, target = (files.decode(tmp_path / "set/val/A/0.jpg"), files.decode(tmp_path / "set/val/B/0.png"))
            taken = {"A2B": source, "B2A": target}[direction].pixels
            channels, dtype, (low, high) = kinds[direction[-1]]
            made = translator(direction, taken)
            assert (made.shape, made.dtype) == ((40, 36, channels), dtype)
            assert low <= made.min() < made.max() <= high
            written = files.decode(run.path("test", direction, "0.png"))
            assert (written.pixels.shape, written.pixels.dtype) == ((dual.image_size, dual.image_size, channels), dtype)
