"""Training goes on exactly where it stopped, says what it does, and stops when it must."""

import csv
import dataclasses
import functools
import json
import shutil
import signal

import imageio.v3 as imageio
import numpy as np
import pytest

from common import report
from common import tensorflow as tf
from common.dual import networks
from common.errors import UserError
from common.images import Images, files
from common.run import Run
from common.run.folder import load_run
from common.train import graph, plan, training
from common.train.monitor import Monitor
from cyclegan import CycleGAN
from dualgan import DualGAN
from dualgan.model import CRITICS
from tests import small

pytestmark = pytest.mark.usefixtures("one_block")


def draw(root):
    random = np.random.default_rng(0)
    for folder, count in (("train/A", 5), ("train/B", 4), ("val/A", 2), ("val/B", 2)):
        for number in range(count):
            image = random.integers(0, 256, [40, 36, 3], np.uint8)
            files.write(root / "set" / folder / f"{number}.png", image)


def parts_in(root, run_dir="run", **run):
    """(dual, images, run); the dual is one whose graph is built in a moment."""
    run = {"steps": 4, "batch_size": 2, "log_every": 1, "tensorboard": False, **run}
    return small.Gain(image_size=32), Images("set", data_root=str(root)), Run(run_dir=str(root / run_dir), **run)


@pytest.fixture
def setup(tmp_path):
    """A function from changes of the run to (dual, images, run)."""
    draw(tmp_path)
    return functools.partial(parts_in, tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with images and a run of two steps in one thread, for tests that change nothing in it."""
    root = tmp_path_factory.mktemp("trained")
    draw(root)
    training.train(*parts_in(root, steps=2, save_every=1, threads=1))
    return root


@pytest.fixture
def begun(trained, tmp_path):
    """(dual, images, run) of a copy of `trained`."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return parts_in(tmp_path, steps=2, save_every=1, threads=1)


def variables(run):
    """Every variable of the newest checkpoint, by name."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(run.path("checkpoints"))))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def log(run):
    with open(run.path("log.csv"), newline="") as file:
        return list(csv.DictReader(file))


def warnings(run):
    """The rows of health.csv: step, state, text."""
    if not run.path("health.csv").exists():
        return []
    with open(run.path("health.csv"), newline="") as file:
        return list(csv.reader(file))[1:]


def without_clock(rows):
    return [
        {name: value for name, value in row.items() if name not in ("seconds", "images_per_s", "waiting")}
        for row in rows
    ]


@pytest.mark.thorough
def test_training_in_two_parts_is_training_in_one(setup):
    """Stopped after the third step: its checkpoint is the newest that there is."""
    _, images, whole = setup("whole", steps=6, save_every=3)
    parts = small.dualgan(dropout=0.3, n_gen=2, load_size=36, flip=True), images  # all that can be drawn, is
    assert training.train(*parts, whole)[:3] == (0, 6, 6)
    halves = dataclasses.replace(whole, run_dir=str(whole.path("..", "halves")))
    shutil.copytree(whole.path(), halves.path())
    for path in halves.path("checkpoints").glob("model-00000006.*"):
        path.unlink()
    assert training.train(*parts, halves)[:3] == (3, 6, 6)
    expected, found = variables(whole), variables(halves)
    assert expected.keys() == found.keys()
    assert any(name.endswith("/RMSProp") for name in found)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert (found["batches_read"], found["updates"]) == (12, 12)
    assert without_clock(log(halves)) == without_clock(log(whole))


@pytest.mark.thorough
def test_without_shuffling_images_are_read_in_the_order_of_their_names_also_after_a_stop(setup):
    """A gain of 2 that learns nothing moves each pixel by its own value, which the log has as a share of the range."""
    _, images, run = setup(steps=3, batch_size=1)
    parts = small.Gain(image_size=36, rate=0.0), dataclasses.replace(images, shuffle=False)
    for number, path in enumerate(images.training_files(parts[0]).A):
        files.write(path, np.full([36, 36, 3], 10 * number, np.uint8))
    training.train(*parts, run)
    training.train(*parts, dataclasses.replace(run, steps=10))
    expected = [0.5 * abs(10 * number / 127.5 - 1.0) for number in 2 * [0, 1, 2, 3, 4]]
    logged = [float(row["A2B/generator/distance_from_input"]) for row in log(run)]
    np.testing.assert_allclose(logged, expected, rtol=1e-4)
    with pytest.raises(UserError, match="shuffle"):
        training.train(parts[0], images, dataclasses.replace(run, steps=11))


@pytest.mark.thorough
def test_batches_that_accumulate_are_one_large_batch_and_resume_with_the_same_bits(setup):
    """In all that is logged, with the epochs of the schedule, pools, averages and a warm-up."""
    _, images, large = setup("large", steps=4, batch_size=4)
    fields = {"pool_size": 3, "ema_decay": 0.9, "n_gen": 2, "d_warmup": 1, "lr_policy": "linear", "n_epochs": 2}
    parts = small.Gain(image_size=36, rate=0.01, n_epochs_decay=8, **fields), images
    training.train(*parts, large)
    _, _, run = setup(steps=2, batch_size=2, accumulate=2)
    for steps in (2, 4):
        training.train(*parts, dataclasses.replace(run, steps=steps))
    for row, expected in zip(without_clock(log(run)), without_clock(log(large)), strict=True):
        assert {name: float(x or -1) for name, x in row.items()} == pytest.approx(
            {name: float(x or -1) for name, x in expected.items()}, rel=1e-4, abs=1e-6
        )
    for name, value in variables(large).items():
        np.testing.assert_allclose(variables(run)[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    whole = dataclasses.replace(run, steps=4, run_dir=f"{run.run_dir}-whole")
    training.train(*parts, whole)
    resumed = variables(run)
    assert all(value.tobytes() == resumed[name].tobytes() for name, value in variables(whole).items())


def test_another_seed_is_another_training(setup):
    """Its weights are drawn by the seed, as they are seen where nothing is learned."""
    _, images, run = setup(steps=1, seed=1)
    dual = small.Convolved(image_size=32, rate=0.0)
    training.train(dual, images, run)
    found, name = variables(run), "A2B/generator/kernel"
    np.testing.assert_array_equal(found[name], small_weights(dual, 1)[name])
    assert (found[name] != small_weights(dual, 0)[name]).all()


def test_rows_after_the_restored_step_are_written_again(begun):
    *parts, run = begun
    row = run.path("log.csv").read_text().splitlines()[-1]
    with open(run.path("log.csv"), "a") as file:  # as if killed at step 4, after the checkpoint of step 2
        file.write(f"{row.replace('2', '3', 1)}\n4,1,1\0\0")
    training.train(*parts, dataclasses.replace(run, steps=3))
    assert [row["step"] for row in log(run)] == ["1", "2", "3"]
    assert float(log(run)[-1]["epoch"]) == pytest.approx(3 * 2 / 5)
    assert float(log(run)[-1]["A2B/generator/distance_from_input"]) > 0.0


def test_fixed_settings_are_fixed_and_free_ones_are_free(begun):
    dual, images, run = begun
    with pytest.raises(UserError) as error:
        training.train(dataclasses.replace(dual, lambda_A=7.0), images, run)
    assert "was trained with --lambda_A 10.0, but --lambda_A 7.0 was given" in str(error.value)
    with pytest.raises(UserError, match="--batch_size 2, but --batch_size 1"):
        training.train(dual, images, dataclasses.replace(run, batch_size=1))
    training.train(dual, images, dataclasses.replace(run, steps=3, keep=5, log_every=3))
    assert load_run(run.run_dir).run.keep == 5


def test_a_change_of_threads_or_versions_is_said(begun, capsys, monkeypatch):
    dual, images, run = begun
    config = json.loads(run.path("config.json").read_text())
    config["environment"] |= {"tensorflow": "2.16.1", "TF_ENABLE_ONEDNN_OPTS": "default"}
    run.path("config.json").write_text(json.dumps(config))
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    training.train(dual, images, dataclasses.replace(run, steps=3, threads=2))
    said = capsys.readouterr().err
    for change in (
        f"tensorflow was 2.16.1 and is {tf.version.VERSION} now",
        "threads was 1 and is 2 now",
        "TF_ENABLE_ONEDNN_OPTS was default and is 0 now",
        "results may differ in their last bits",
    ):
        assert said.count(change) == 1


@pytest.mark.thorough
def test_what_has_not_changed_is_not_said(begun, capsys):
    dual, images, run = begun
    training.train(dual, images, dataclasses.replace(run, steps=3, threads=2))
    assert "threads was 1 and is 2 now" in capsys.readouterr().err
    training.train(dual, images, dataclasses.replace(run, steps=4, threads=2))
    assert capsys.readouterr().err == ""


def test_a_signal_ends_training_after_the_step_saved(setup, heeded, monkeypatch):
    """Which signals do: test_stop."""
    *parts, run = setup(steps=50)
    original = Monitor.step

    def step(self, number, *rest):
        if number == 3:
            signal.raise_signal(signal.SIGTERM)
        original(self, number, *rest)

    monkeypatch.setattr(Monitor, "step", step)
    before = signal.getsignal(signal.SIGTERM)
    assert training.train(*parts, run)[:3] == (0, 3, 50)
    assert signal.getsignal(signal.SIGTERM) is before
    assert variables(run)["batches_read"] == 3


@pytest.mark.thorough
def test_a_loss_that_is_not_finite_stops_and_names_the_images(setup):
    dual, images, run = setup(steps=50, save_every=1)
    training.train(dual, images, dataclasses.replace(run, steps=1))
    # a value in the checkpoint that no training could have made
    with small.session_of_a_run() as session:
        restored = [tf.get_variable(name, initializer=value) for name, value in variables(run).items()]
        saver = tf.train.Saver(restored)
        session.run(tf.global_variables_initializer())
        (gain,) = (variable for variable in restored if variable.op.name == "A2B/generator/gain")
        gain.load(np.nan, session)
        saver.save(session, str(run.path("checkpoints", "model-00000001")), write_meta_graph=False)
    run.path("checkpoints", "model-00000001.sha256").unlink()
    with pytest.raises(UserError) as error:
        training.train(dual, images, run)
    assert "became nan at step 2" in str(error.value)
    assert "set/train/A/" in str(error.value)
    assert "set/train/B/" in str(error.value)
    assert "model-00000001" in str(error.value)
    assert variables(run)["batches_read"] == 1
    ((step, state, text),) = warnings(run)
    assert (step, state) == ("2", "loss not finite")
    assert str(error.value).startswith(text)
    kept = run.path("nan_dump", "00000002")
    about = json.loads((kept / "batch.json").read_text())
    for name in "AB":
        images_kept = np.load(kept / f"{name}.npy")
        assert images_kept.shape == (2, 32, 32, 3) and abs(images_kept).max() <= 1.0
        for described, image in zip(about[name], images_kept, strict=True):
            assert described["file"] in text
            assert described["deviation"] == pytest.approx(image.astype(float).std(), rel=1e-4)
            # nothing is cropped or mirrored: what is kept is the file, resized
            original = files.read(described["file"]).astype(float).mean() / 127.5 - 1.0
            assert image.mean() == pytest.approx(original, abs=0.05)
    assert "loss not finite" in run.path("report.html").read_text()


def test_an_image_that_stops_reading_loses_nothing(setup, monkeypatch):
    dual, images, run = setup(steps=30)
    original = files.read

    def read(path, *more):
        if "train" in str(path) and run.path("log.csv").exists():  # from the end of the first step on
            raise UserError("gone")
        return original(path, *more)

    monkeypatch.setattr(files, "read", read)
    with pytest.raises(UserError, match="gone"):
        training.train(dual, dataclasses.replace(images, cache_gb=0.0), run)
    saved = variables(run)["batches_read"]
    assert 1 <= saved < 30
    assert log(run)[-1]["step"] == str(saved)


def test_other_images_are_refused_on_resume(begun):
    dual, images, run = begun
    folder = run.path("..", "set", "train", "A")
    (folder / "0.png").rename(folder / "9.png")
    with pytest.raises(
        UserError, match=r"The images of A have changed since .*: 5 files then, 5 now, in .*; new: 9.png; gone: 0.png"
    ):
        training.train(dual, images, dataclasses.replace(run, steps=3))


@pytest.mark.thorough
def test_an_ended_run_has_nothing_to_do_and_a_lost_state_file_does_not_begin_it_anew(begun, capsys):
    *parts, run = begun
    assert training.train(*parts, run)[:3] == (2, 2, 2)
    assert "steps" not in capsys.readouterr().out
    run.path("checkpoints", "checkpoint").unlink()
    assert training.train(*parts, dataclasses.replace(run, steps=1))[:3] == (2, 2, 1)
    assert training.train(*parts, dataclasses.replace(run, steps=3))[:3] == (2, 3, 3)


@pytest.mark.thorough
def test_the_identity_loss_trains_and_shows(setup):
    _, images, run = setup(steps=1)
    dual = small.Convolved(image_size=32, lambda_identity=0.5)
    training.train(dual, images, run)
    assert float(log(run)[0]["A2B/generator/identity"]) > 0.0


@pytest.mark.thorough
def test_the_identity_loss_is_off_between_different_channels(setup, capsys):
    _, images, run = setup(steps=1)
    gray = small.Convolved(image_size=32, lambda_identity=0.5, channels_B=1)
    training.train(gray, images, run)
    assert "The identity loss is off: A and B have different channels." in capsys.readouterr().out


def test_critics_train_alone_in_the_steps_of_the_warm_up(setup):
    dual, images, run = setup(steps=2, log_every=1)
    dual = dataclasses.replace(dual, d_warmup=2, n_gen=2)
    began = small_weights(dual, run.seed)
    assert len(began) == 4
    whole = dataclasses.replace(run, steps=3, save_every=2)
    training.train(dual, images, whole)
    after_two = tf.train.load_checkpoint(str(run.path("checkpoints", "model-00000002")))
    after_two = {name: after_two.get_tensor(name) for name in began}
    assert all((after_two[name] == value).all() == ("generator" in name) for name, value in began.items())
    after_three = variables(run)
    assert all((after_three[name] != value).any() for name, value in began.items())
    rows = log(run)
    assert [bool(row["A2B/generator/adversarial"]) for row in rows] == [False, False, True]
    assert all(row["A2B/critic/adversarial"] for row in rows)
    assert after_three["batches_read"] == 6
    with pytest.raises(UserError, match="--d_warmup 2 leaves none of the 2 steps to the generators"):
        training.train(dual, images, dataclasses.replace(run, run_dir=f"{run.run_dir}-short"))


def small_weights(dual, seed):
    """The weights that a training begins with, by name."""
    with small.session_of_a_run() as session:
        tf.set_random_seed(seed)
        for direction, _ in dual.connect(*(tf.zeros([1, 32, 32, 3]) for _ in "AB")):
            direction.critic(direction.target, direction.real)
        session.run(tf.global_variables_initializer())
        return session.run({v.op.name: v for v in tf.trainable_variables()})


@pytest.mark.thorough
def test_inverted_colours_are_warned_of_once(setup, capsys, monkeypatch):
    dual, images, run = setup(steps=5, log_every=1)
    monkeypatch.setattr("common.train.health.INVERTED", 1.0)
    monkeypatch.setattr("common.train.health.ROWS", 2)
    monkeypatch.setattr("common.train.health.SHORT", 2)
    training.train(dual, images, run)
    said = capsys.readouterr().err
    assert said.count("warning: at step") == 2
    assert "A2B inverts brightness" in said and "B2A inverts brightness" in said
    assert [row[:2] for row in warnings(run)] == [["2", "A2B/colour inversion"], ["2", "B2A/colour inversion"]]
    training.train(dual, images, dataclasses.replace(run, steps=10))
    assert "warning: at step" not in capsys.readouterr().err


@pytest.mark.thorough
def test_a_domain_of_one_gray_picture_is_warned_of_at_the_start_and_once(setup, capsys):
    dual, images, run = setup(steps=2)
    for number in range(4):
        files.write(run.path("..", "set", "train", "B", f"{number}.png"), np.full([40, 36, 3], 128, np.uint8))
    training.train(dual, images, run)
    ((step, state, text),) = warnings(run)
    assert (step, state) == ("0", "B/images all alike")
    assert text.startswith("all 4 images of B show hardly more than one colour")
    assert capsys.readouterr().err.count(f"warning: {text}") == 1
    assert text[:40] in run.path("report.html").read_text()
    training.train(dual, images, dataclasses.replace(run, steps=4))
    assert "all 4 images" not in capsys.readouterr().err
    assert len(warnings(run)) == 1


@pytest.mark.thorough
def test_a_game_that_is_lost_on_purpose_is_told(setup, capsys, monkeypatch):
    """Generators that hardly move, against critics that learn fast: a real run, with a window of 60 steps."""
    monkeypatch.setattr("common.train.health.LONG", 60)
    monkeypatch.setitem(CRITICS, "global", (networks.dualgan_global_critic, (2, 2, 2, 2, 2)))  # not that of one_block
    _, images, run = setup(steps=100, sample_every=1000, tensorboard=False, batch_size=1)
    dual = small.dualgan(gan_loss="lsgan", n_critic=2, lr_D=1e-3, lr_G=1e-9)
    training.train(dual, images, run)
    told = {state: text for _, state, text in warnings(run)}
    assert told.keys() == {f"{way}/{state}" for way in ("A2B", "B2A") for state in ("critic winning", "low diversity")}
    assert "--n_critic 1, a lower --lr_D than 0.001, or --gan_loss wgan-gp" in told["A2B/critic winning"]
    assert capsys.readouterr().err.count(f"warning: {told['A2B/critic winning']}") == 1
    losses = np.array([float(row["A2B/critic/adversarial"]) for row in log(run)])
    means = np.convolve(losses, np.ones(60) / 60, "valid")
    (step,) = (int(step) for step, state, _ in warnings(run) if state == "A2B/critic winning")
    assert step == np.flatnonzero(means < 0.02)[0] + 60


def test_a_schedule_that_ends_before_the_run_is_told(setup, capsys):
    dual, images, run = setup(steps=8, batch_size=5)  # an epoch a step
    dual = dataclasses.replace(dual, lr_policy="linear", n_epochs=1, n_epochs_decay=2)
    training.train(dual, images, run)
    rates = [float(row["learning_rate/generator"]) / dual.lr_G for row in log(run)]
    np.testing.assert_allclose(rates, [1.0, 2 / 3, 1 / 3, 0.0, 0.0, 0.0, 0.0, 0.0], atol=1e-5)
    told = [row[:2] for row in warnings(run)]
    assert told == [["4", "generator/learning rate zero"], ["4", "critic/learning rate zero"]]
    assert "is 0, so they learn nothing in the 4 remaining steps" in capsys.readouterr().err


def test_columns_have_one_name_each_and_samples_show_both_directions_there_and_back(begun):
    *_, run = begun
    header = run.path("log.csv").read_text().splitlines()[0].split(",")
    assert len(set(header)) == len(header)
    strip = imageio.imread(run.path("samples", "00000002.png"))
    assert strip.shape == (2 * 32 + 4, 2 * (3 * 32 + 2 * 4) + 12, 3)
    columns = json.loads(run.path("samples", "columns.json").read_text())
    assert columns == {name: ["real", "fake", "reconstructed"] for name in ("A2B", "B2A")}
    first = files.read(run.path("..", "set", "val", "A", "0.png"))
    assert abs(strip[:32, :32].mean() - first.mean()) < 3.0
    layout = report.strips.layout(run.run_dir, report.reading.config(run.run_dir))
    assert layout["rows"] == [(0.0, 32 / 68), (36 / 68, 32 / 68)]  # as the report cuts them
    assert layout["columns"]["B2A"]["real"] == (116 / 220, 32 / 220)


@pytest.mark.thorough
def test_samples_that_cannot_be_written_do_not_end_a_training(setup, capsys):
    dual, images, run = setup(sample_every=2)
    run.path().mkdir()
    run.path("samples").write_text("mine")
    training.train(dual, images, run)
    assert capsys.readouterr().err.count("No sample strips at step") == 3  # 0, 2 and 4
    assert run.path("samples").read_text() == "mine"


def test_checkpoints_beyond_keep_are_deleted_across_restarts(begun):
    *parts, run = begun
    training.train(*parts, dataclasses.replace(run, steps=3))
    kept = sorted(path.name for path in run.path("checkpoints").glob("*.index"))
    assert kept == ["model-00000002.index", "model-00000003.index"]


@pytest.mark.thorough
def test_arrays_can_be_fed_in_place_of_files(setup):
    dual, images, run = setup()
    files = images.training_files(dual)
    data = images.training_data(dual, files, images.domains(dual, files))
    with tf.Graph().as_default() as default_graph, tf.Session() as session:
        built = graph.build(dual, run, data, sample_loaders=data.loaders)
        assert default_graph.finalized
        session.run(built.initialize)  # and not the input: it is not read
        ones = np.ones([2, 32, 32, 3], np.float32)
        found = session.run(
            built.step.passes[0].losses, {"A:0": ones, "B:0": -ones, "index:0": [0, 1], "matched:0": [0, 0]}
        )
    assert all(np.isfinite(loss) for loss in found.values())


def test_how_long_a_run_is():
    dual = small.dualgan(n_gen=2)
    assert Run("x", steps=7).total_steps(dual, 100) == 7
    assert Run("x", epochs=2.5, batch_size=3).total_steps(dual, 100) == 42  # 250 images, 6 a step
    assert Run("x", epochs=1.1).total_steps(small.Gain(), 100) == 110  # 1.1 x 100 is more in binary
    assert Run("x", epochs=2.2).total_steps(small.Gain(), 400) == 880
    assert Run("x", epochs=np.float64(1.1)).total_steps(small.Gain(), 100) == 110
    assert Run("x", epochs=1e-9).total_steps(small.Gain(), 400) == 1
    assert Run("x").total_steps(dual, 4) == 100  # 50 epochs of 4 images, 2 a step
    with pytest.raises(UserError, match="--steps 1 and --epochs 2 both set the length"):
        Run("x", steps=1, epochs=2)


@pytest.mark.parametrize("model", [CycleGAN, DualGAN])
def test_one_direction_alone_is_not_trained(setup, model):
    dual, (_, images, run) = model(only="A2B"), setup()
    for begin in (training.train, plan.plan):
        with pytest.raises(UserError, match=r"--only A2B is only for imported weights.* needs both directions"):
            begin(dual, images, run)
    assert not run.path().exists()


@pytest.mark.thorough
def test_an_ended_training_leaves_no_graph(setup):
    """Of a dual whose layers have gradients of their own."""

    def once(number):
        _, images, run = setup(f"run {number}", steps=1)
        training.train(small.Convolved(image_size=32), images, run)

    once(0)
    before = small.graphs()
    once(1)
    assert small.graphs() == before
