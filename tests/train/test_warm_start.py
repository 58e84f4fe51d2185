"""A run that begins with the weights of another: which it takes, what begins anew, and that it goes on to the bit."""

import dataclasses
import shutil

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images, files
from common.run import Run
from common.run.checkpoints import Checkpoints
from common.run.folder import domains_of, load_run, record_run
from common.settings import setting
from common.train import training as training
from common.train import warm_start
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import parsing
from tests.small import Gain, dualgan, session_of_a_run

ROLES = ("A2B/generator", "A2B/critic", "B2A/generator", "B2A/critic")


@pytest.fixture
def images(dataset):
    return Images("set", str(dataset("set", train_A=2, train_B=2)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of three steps, each of which is kept, and of its images."""
    root = tmp_path_factory.mktemp("trained")
    for number, domain in enumerate("AB"):
        for name in ("0", "1"):
            files.write(root / "set" / "train" / domain / f"{name}.png", np.full([16, 16, 3], 8 * number, np.uint8))
    train(Gain(), Images("set", str(root)), root / "old", 3, save_every=1, keep=3)
    return root / "old"


def train(dual, images, name, steps, **more):
    run = Run(str(name), steps=steps, tensorboard=False, sample_every=1000, **more)
    training.train(dual, images, run)
    return values(name)


def values(run_dir, step=None):
    folder = f"{run_dir}/checkpoints"
    reader = tf.train.load_checkpoint(
        tf.train.latest_checkpoint(folder) if step is None else f"{folder}/model-{step:08d}"
    )
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def still(**fields):
    """Takes no steps, so that what it begins with is seen in its first checkpoint."""
    return Gain(rate=0.0, **fields)


def test_weights_of_all_networks(trained, images, tmp_path, capsys):
    before = values(trained)
    after = train(still(), images, tmp_path / "new", 1, init_from=str(trained))
    said = capsys.readouterr().out
    assert f"Started with {' and '.join(ROLES)} of {trained}/checkpoints/model-00000003; new: optimizers." in said
    for name in ROLES:
        assert after[f"{name}/gain"] == before[f"{name}/gain"]
        assert after[f"{name}/gain"] not in (2.0, 3.0)  # as it was drawn
    assert after["batches_read"] == 1
    assert load_run(tmp_path / "new").run.init_from == str(trained)


@pytest.mark.thorough
def test_a_checkpoint_of_before_and_generators_alone(trained, images, tmp_path, capsys):
    first = values(trained, 1)
    path = str(trained / "checkpoints" / "model-00000001")
    after = train(still(), images, tmp_path / "new", 1, init_from=path, init_critics=False)
    assert "new: A2B/critic, B2A/critic, optimizers." in capsys.readouterr().out
    assert after["A2B/generator/gain"] == first["A2B/generator/gain"] != 2.0
    assert after["A2B/critic/gain"] == 3.0


@pytest.mark.thorough
def test_averages_are_what_is_taken_and_what_averages_begin_with(images, tmp_path):
    before = train(Gain(ema_decay=0.5), images, tmp_path / "old", 3)
    average = before["A2B/generator/gain/average"]
    assert average != before["A2B/generator/gain"]
    without = train(still(), images, tmp_path / "without", 1, init_from=str(tmp_path / "old"))
    assert without["A2B/generator/gain"] == average
    after = train(still(ema_decay=0.5), images, tmp_path / "with", 1, init_from=str(tmp_path / "old"))
    assert after["A2B/generator/gain"] == average
    np.testing.assert_allclose(after["A2B/generator/gain/average"], average, rtol=1e-6)


def folder_of(dual, path, images, roles=ROLES):
    """A run folder with weights of `dual` as they are drawn, after one step that was not taken."""
    with session_of_a_run() as session:
        built(dual, roles)
        session.run(tf.global_variables_initializer())
        record_run(Run(str(path)), dual, images, images.training_files(dual), domains_of(dual, {}))
        Checkpoints(path).save(session, 1)
    return str(path)


def built(dual, roles=ROLES):
    x = tf.zeros([1, *dual.image_sides, 3])
    for name in roles:
        dual.network(*name.split("/"))(x, None)


@pytest.mark.thorough
def test_all_that_belongs_to_networks_is_taken(images, tmp_path):
    """Weights, those that are not trained, and what spectral norms keep beside them."""
    small = dualgan(image_size=16, ngf=2, ndf=2, spectral_norm=True)
    source = folder_of(small, tmp_path / "old", images)
    expected = values(source)
    with session_of_a_run() as session:
        tf.set_random_seed(7)
        built(small)
        session.run(tf.global_variables_initializer())
        warm_start.begin(session, Run(str(tmp_path / "new"), init_from=source), ROLES)
        found = session.run({variable.op.name: variable for variable in tf.global_variables()})
    assert found.keys() == expected.keys()
    assert sum(name.endswith("stretched_most") for name in found) == 12
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.thorough
def test_going_on_is_as_ever_and_needs_the_other_no_more(trained, images, tmp_path):
    small = Gain(ema_decay=0.5, pool_size=2)
    shutil.copytree(trained, tmp_path / "old")
    source = str(tmp_path / "old")
    whole = train(small, images, tmp_path / "whole", 3, init_from=source)
    train(small, images, tmp_path / "parts", 1, init_from=source)
    (tmp_path / "old").rename(tmp_path / "gone")
    parts = train(small, images, tmp_path / "parts", 3, init_from=source)
    assert whole.keys() == parts.keys()
    for name in whole:
        np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)
    with pytest.raises(UserError, match="--init_from"):
        train(small, images, tmp_path / "parts", 4, init_from="another")


def test_what_does_not_fit_is_named(images, tmp_path):
    source = folder_of(dualgan(image_size=16), tmp_path / "old", images, ROLES[:2])

    def refused(dual, init_from=source, roles=ROLES[:1], **more):
        with session_of_a_run() as session, pytest.raises(UserError) as error:
            built(dual, roles)
            warm_start.begin(session, Run(str(tmp_path / "new"), init_from=init_from, **more), roles)
        return str(error.value)

    said = refused(dualgan(image_size=16, ngf=2))
    assert "A2B/generator/down_0/bias is [2] here and [4] in the checkpoint; A2B/generator/down_0/kernel" in said
    assert "down_2/bias is [16] here and missing in the checkpoint" in refused(dualgan(image_size=16, depth=3))
    assert "--noinit_critics" in refused(dualgan(image_size=16, ndf=2), roles=ROLES[:2])
    path = folder_of(dualgan(image_size=16), tmp_path / "one", images, ROLES[:1])
    assert "has none of the networks" in refused(dualgan(image_size=16), path, ROLES[2:3])
    assert "no trained run" in refused(Gain(), str(tmp_path))
    folder = tmp_path / "old" / "checkpoints"
    assert "neither a run folder" in refused(Gain(), str(folder / "model-00000007"))
    data = folder / "model-00000001.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"\xff")
    assert "damaged" in refused(Gain(), str(folder / "model-00000001"))
    assert "is intact" in refused(Gain(), source)
    with pytest.raises(UserError, match="is the run itself"):
        Run(source, init_from=source)


@pytest.mark.parametrize(("count", "more"), [(1, ""), (3, ""), (4, "; and 1 more"), (6, "; and 3 more")])
def test_three_differences_are_told_and_how_many_more_there_are(images, tmp_path, count, more):
    """Weights of one value in the checkpoint, of two here."""
    source = folder_of(Weights(), tmp_path / "old", images, ROLES[:1])
    with session_of_a_run() as session, pytest.raises(UserError) as error:
        built(Weights(wide=count), ROLES[:1])
        warm_start.begin(session, Run(str(tmp_path / "new"), init_from=source), ROLES[:1])
    told = "; ".join(f"A2B/generator/w{n} is [2] here and [1] in the checkpoint" for n in range(min(count, 3)))
    assert f"does not fit the networks of this run: {told}{more}. Leave out settings" in str(error.value)
    assert str(error.value).endswith("that change them.")


@dataclasses.dataclass(frozen=True)
class Weights(Gain):
    """A generator of six weights, of which the first `wide` have two values."""

    wide: int = setting(0, "Weights of two values.")

    def generator(self, images, channels, key):
        kept = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
        for number in range(6):
            shape = [1 + (number < self.wide)]
            tf.get_variable(f"w{number}", shape, initializer=tf.zeros_initializer(), collections=kept)
        return images


def test_settings_that_are_not_given_are_those_of_the_other(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder_of(dualgan(image_size=16, lambda_A=7.0), "old", images, ROLES[:1])
    line = f"--phase train --init_from old --run_dir new --dataset set --data_root {tmp_path} --steps 1 --lambda_B 3"
    dual, _, run = parsing.parse(DualGAN, ["main", *line.split()]).parts()
    assert dual == dualgan(image_size=16, lambda_A=7.0, lambda_B=3.0)
    assert run.init_from == "old"
    other, _, _ = parsing.parse(CycleGAN, ["main", *line.split()]).parts()
    assert other == CycleGAN(lambda_B=3.0)
