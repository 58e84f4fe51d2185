"""One list, all contracts: what holds for every method of translation, at its smallest."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import pytest

from common import settings
from common import tensorflow as tf
from common.dual import Dual
from common.evaluate import test as run_test
from common.export import Export, export
from common.images import Images, files
from common.run import Run
from common.run.session import session_config
from common.train import plan, step, train, training
from common.translate import Translator
from contrastive import Contrastive
from cyclegan import CycleGAN
from enhancement import Enhancement
from examples.geometry import GcGAN
from examples.semi_supervised import SemiSupervised
from pix2pix import Pix2Pix
from tests import small

pytestmark = pytest.mark.usefixtures("few_patches", "one_block")

TINY = {"image_size": 32, "load_size": 36, "ngf": 2, "ndf": 2, "n_layers": 1}
HIGH = {**TINY, "image_size": "32x24", "load_size": "36x28"}  # of a portrait
TINY_HEADS = {"nce_layers": "0,4,8,12", "nce_patches": 16, "nce_filters": 8}
TINY_UNET = {**TINY, "image_size": 64, "load_size": 66, "netG": "unet_64"}
TINY_LAYERS = {
    "image_size": "24x32",
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
    "pointwise": small.Pointwise(image_size=16, load_size=20, flip=True, pool_size=3, ema_decay=0.9),  # at once
    "dualgan": small.dualgan(load_size=36, flip=True, dropout=0.3),
    "cyclegan": CycleGAN(**HIGH, netG="resnet_6blocks", pool_size=3),
    "pix2pix": Pix2Pix(**TINY_UNET, gan_loss="hinge", train_direction="B2A", pool_size=2, running_statistics=True),
    "contrastive": Contrastive(**HIGH, **TINY_HEADS, netG="resnet_6blocks_blur"),
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
    "contrastive by flips, wgan-gp with all": Contrastive(
        **{**TINY, **TINY_HEADS, "netG": "resnet_6blocks", "nce_layers": "1,8,10", "train_direction": "B2A"},
        **{"nce_identity": False, "flip_equivariance": True, "lambda_NCE": 10.0, "dropout": 0.5, "pool_size": 2},
        **{"gan_loss": "wgan-gp", "spectral_norm": True, "ema_decay": 0.9, "d_warmup": 1, "n_gen": 2},
    ),
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
TRAINED = [
    "pointwise",
    *(
        pytest.param(name, marks=pytest.mark.slow if name in ALIKE else pytest.mark.thorough)
        for name in DUALS
        if name != "pointwise"
    ),
]
BUILT = [
    pytest.param(small.Gain(n_critic=2, n_gen=2), id="gain"),
    *(pytest.param(dual, id=name, marks=pytest.mark.thorough) for name, dual in VARIANTS.items()),
    *(  # whose trainings are slow tests
        pytest.param(DUALS[name], id=name, marks=pytest.mark.thorough) for name in ("dualgan", "geometry")
    ),
    *(pytest.param(dual, id=name, marks=pytest.mark.slow) for name, dual in MORE_VARIANTS.items()),
]


def connected(dual):
    shape, index = [2, *dual.image_sides, 3], tf.constant([0, 1], tf.int64)
    random = np.random.default_rng(0)
    A, B = (tf.constant(random.uniform(-1, 1, shape), tf.float32) for _ in "AB")
    return step.build(dual, A, B, index, images_in_epoch=4, matched=tf.constant([1.0, 0.0]))


class Updates(NamedTuple):
    """What the variables of a step are, and what an update of each of its passes changes."""

    owned: dict[str, list[set[str]]]  # role -> variables of its network in each direction
    model: set[str]
    directions: tuple[str, ...]
    passes: list[tuple[dict[str, float], set[str]]]  # losses, variables that have changed


def updates_of(session, built):
    roles, ways = ("generator", "critic"), [direction for direction, _ in built.pairs]
    networks = {role: [network for way in ways for network in way.networks(role)] for role in roles}
    trained, passes = tf.trainable_variables(), []
    for each in built.passes:
        before = session.run(trained)
        losses, _ = session.run([each.losses, each.update])
        after = session.run(trained)
        passes.append((losses, {v.op.name for v, x, y in zip(trained, before, after) if (x != y).any()}))
    return Updates(
        {role: [{v.op.name for v in network.variables} for network in networks[role]] for role in networks},
        {variable.op.name for variable in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)},
        tuple(direction.name for direction, _ in built.pairs),
        passes,
    )


class Trained(NamedTuple):
    """A run of eight steps, and the same once more from its checkpoint of step 5."""

    dual: Dual
    images: Images
    run: Run
    whole: dict[str, np.ndarray]  # name -> value in the checkpoint of step 8
    resumed: dict[str, np.ndarray]
    steps: tuple[int, int]  # at which it was resumed, and ended
    updates: Updates  # of one step more


def checkpointed(path):
    reader = tf.train.load_checkpoint(str(path))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def trained_twice(folder, dual):
    """Returns Trained. Both trainings are sessions of one graph, which takes longer to build than to train."""
    random = np.random.default_rng(0)
    for part in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(*(1, 5) if part == "train/B" else (0, 3)):  # 1 and 2 have partners
            files.write(folder / "set" / part / f"{number}.png", random.integers(0, 256, [40, 36, 3], np.uint8))
    images, run = (
        Images("set", data_root=str(folder)),
        Run(str(folder / "run"), steps=8, save_every=5, sample_every=100),
    )
    checkpoint, original, results = run.path("checkpoints", "model-00000008"), training._watched, []

    def watched(first, *more):
        ended = original(first, *more)
        results.append(checkpointed(checkpoint))
        for path in checkpoint.parent.glob(f"{checkpoint.name}*"):  # as if killed in step 6, 7 or 8
            path.unlink()
        with tf.Session(config=session_config(run.threads)) as session:
            began = training._start(session, first.graph, run, first.group)
            steps = began, original(first._replace(session=session), began, *more[1:])
            results.extend([checkpointed(checkpoint), steps, updates_of(session, first.graph.step)])
        return ended

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_watched", watched)
        train(dual, images, run)
    return Trained(dual, images, run, *results)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, one_block):
    """A function that trains the dual of a name once: Trained."""
    return functools.cache(lambda name: trained_twice(tmp_path_factory.mktemp("trained"), DUALS[name]))


def check_updates(dual, updates):
    networks = [(role, owned) for role in updates.owned for owned in updates.owned[role]]
    assert set().union(*(owned for _, owned in networks)) == updates.model
    assert sum(len(owned) for _, owned in networks) == len(updates.model)
    assert updates.directions == tuple(dual.directions)
    passes = step.roles_of_passes(dual.n_critic, dual.n_gen, dual.fresh_batches)
    assert len(passes) == len(updates.passes)
    for roles, (losses, changed) in zip(passes, updates.passes):
        assert all(np.isfinite(loss) for loss in losses.values())
        for role, owned in networks:
            assert bool(changed & owned) == bool(owned and role in roles), (role, owned)


@pytest.mark.parametrize("dual", BUILT)
def test_every_variable_belongs_to_one_role_and_updates_change_their_own(session, dual):
    built = connected(dual)
    session.run(tf.global_variables_initializer())
    check_updates(dual, updates_of(session, built))


@pytest.mark.parametrize("name", TRAINED)
def test_every_variable_of_a_training_belongs_to_one_role_and_updates_change_their_own(trained, name):
    check_updates(DUALS[name], trained(name).updates)


@pytest.mark.parametrize("name", DUALS)
def test_settings_come_back(tmp_path, name):
    settings.save(tmp_path / "config.json", {}, dual=DUALS[name])
    assert settings.load(tmp_path / "config.json") == {"dual": DUALS[name]}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("pix2pix", marks=pytest.mark.thorough),
        pytest.param("semi-supervised", marks=pytest.mark.slow),
    ],
)
def test_each_can_be_planned(dataset, name):  # DualGAN's is in test_plan
    images = Images("set", data_root=str(dataset(train_A=1, train_B=1)))
    assert plan.plan(DUALS[name], images, Run("unused", steps=1)).seconds > 0.0


@pytest.mark.parametrize(
    "name",
    [
        "pointwise",
        *(
            pytest.param(name, marks=pytest.mark.thorough)
            for name in ("cyclegan", "pix2pix", "contrastive", "enhancement")
        ),
        pytest.param("geometry", marks=pytest.mark.slow),
    ],
)
def test_each_can_be_exported(trained, tmp_path, name):  # DualGAN's: tests/export
    way, run_dir = DUALS[name].learned_directions[-1], trained(name).run.run_dir
    found = export(run_dir, Export(format="frozen", direction=way, output=str(tmp_path / "out")), Images("none"))
    assert [each.ported.name for each in found.kept] == [way, f"{way}_float", f"{way}_bytes"]


@pytest.mark.parametrize("name", TRAINED)
def test_going_on_from_a_checkpoint_is_training_in_one(trained, name):
    """In a graph of its own, too: test_training and test_earlier_runs."""
    dual, _, _, whole, resumed, steps, _ = trained(name)
    assert steps == (5, 8)
    assert whole.keys() == resumed.keys()
    assert (f"{dual.directions[0]}/pool/kept" in whole) == bool(dual.pool_size)
    for variable, value in whole.items():
        np.testing.assert_array_equal(resumed[variable], value, err_msg=variable)


@pytest.mark.parametrize("name", TRAINED)
def test_each_can_be_used_and_tested(trained, name):
    dual, images, run, *_ = trained(name)
    image = np.random.default_rng(1).integers(0, 256, [35, 50, 3], np.uint8)
    with Translator(run.run_dir) as translator:
        for direction in dual.directions:
            assert translator(direction, image).shape == (35, 50, 3)
    scores = run_test(run.run_dir, dual, images)
    assert [direction for direction in ("A2B", "B2A") if direction in scores] == list(dual.directions)
    for direction in dual.directions:
        assert len(list(run.path("test", direction).iterdir())) == 3


@pytest.mark.parametrize(
    "dual",
    [
        pytest.param(small.Pointwise(image_size=32), id="pointwise", marks=pytest.mark.thorough),
        *(pytest.param(DUALS[name], id=name, marks=pytest.mark.slow) for name in ("dualgan", "cyclegan", "pix2pix")),
    ],
)
def test_rgb_becomes_gray_of_16_bits_and_back(tmp_path, capsys, dual):
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
    dual = dataclasses.replace(dual, channels_B=0, flip=True)
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
            assert (written.pixels.shape, written.pixels.dtype) == ((*dual.image_sides, channels), dtype)
