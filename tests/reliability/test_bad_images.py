"""Images that do not read, and files that vanish, change or come to be while they are trained on."""

import csv
import shutil

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.evaluate import evaluation, testing
from common.images import Images, files, pipeline
from common.images.pixels import EIGHT_BITS
from common.run import Run
from common.train import loop
from common.train import training as training
from pix2pix import Pix2Pix
from tests import small

pytestmark = pytest.mark.usefixtures("few_patches")

STEPS = 24  # batches are read ahead


def batches(root, count, start=0, dual=None, **fields):
    """(A, B) of `count` batches of one image, and the numbers of their files."""
    dual, images = dual or small.Gain(image_size=4), Images("set", data_root=str(root), **fields)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        position, found = tf.placeholder(tf.int64, []), images.training_files(dual)
        loaders = images.loaders(dual, found, images.domains(dual, found))
        batch, begin = pipeline.training_batches(loaders, dual, 1, position, images.partners(dual, found))
        session.run(begin, {position: start})
        with pipeline.naming_failures(loaders):
            return [session.run(batch) for _ in range(count)]


def colours(images):
    """The numbers of the files, from the colours that the fixture gave them."""
    return np.rint((images[:, 0, 0, 0] + 1.0) * 127.5 / 8).astype(int).tolist()


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.thorough
def test_the_next_that_reads_takes_the_place(dataset, capsys):
    root = dataset(train_A=6, train_B=6)
    whole = batches(root, 18)
    for number in (2, 3):
        cut(root / "set/train/A" / f"{number:03d}.png")
    found = batches(root, 18, on_bad_image="skip")
    for before, now in zip(whole, found, strict=True):
        expected = 4 if before.file_A[0] in (2, 3) else before.file_A[0]
        assert colours(now.A) == now.file_A.tolist() == [expected]
        assert now.file_B.tolist() == before.file_B.tolist()
    said = capsys.readouterr().err
    assert said.count("002.png cannot be read as an image") == 1  # though it is met three times
    later = batches(root, 8, start=10, on_bad_image="skip")
    assert [b.file_A.tolist() for b in later] == [b.file_A.tolist() for b in found[10:]]


def test_of_pairs_both_are_passed_over(dataset):
    root = dataset(train_A=5, train_B=5)
    cut(root / "set/train/B/004.png")
    dual = Pix2Pix(image_size=8, load_size=8, netG="resnet_6blocks", netD="pixel")
    found = batches(root, 10, dual=dual, on_bad_image="skip")
    assert all(colours(b.A) == colours(b.B) for b in found)
    assert sorted(b.file_A[0] for b in found) == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_it_stops_unless_asked_to_go_on_and_names_the_file(dataset):
    root = dataset(train_A=3, train_B=3)
    cut(root / "set/train/A/001.png")
    with pytest.raises(UserError, match=r"set/train/A/001.png cannot be read as an image"):
        batches(root, 3)


def test_where_none_reads_there_is_nothing_to_go_on_with(dataset):
    root = dataset(train_A=2, train_B=2)
    for path in (root / "set/train/B").iterdir():
        cut(path)
    with pytest.raises(UserError, match=r"set/train/B/00\d.png cannot be read"):
        batches(root, 1, on_bad_image="skip")


def test_an_image_of_nan_is_no_image(tmp_path):
    for domain in "AB":
        for number in range(3):
            files.write(tmp_path / "set/train" / domain / f"{number}.npy", np.full([8, 8, 3], number, np.float32))
    files.write(tmp_path / "set/train/A/1.npy", np.full([8, 8, 3], np.nan, np.float32))
    ranges = {"range_A": "0,2", "range_B": "0,2"}
    with pytest.raises(UserError, match=r"A/1.npy has values that are not finite"):
        batches(tmp_path, 3, **ranges)
    with pytest.raises(UserError, match=r"A/1.npy has values that are not finite"):
        batches(tmp_path, 3)  # the range is measured first
    for more in (ranges, {}):
        found = batches(tmp_path, 6, on_bad_image="skip", **more)
        assert sorted(b.file_A[0] for b in found) == [0, 0, 2, 2, 2, 2]
        assert np.isfinite([b.A for b in found]).all()


@pytest.mark.parametrize("domain", ["A", pytest.param("B", marks=pytest.mark.thorough)])
def test_a_broken_validation_image_names_the_flag_that_skips_it(dataset, tmp_path, domain):
    """Of a pair, one is read as the input, and the other as its target."""
    root = dataset(train_A=2, train_B=2, val_A=2, val_B=2)
    dual, images = small.Gain(image_size=4), Images("set", data_root=str(root))
    run_dir = small.untrained(tmp_path / "run", dual, images=images)
    cut(root / f"set/val/{domain}/001.png")
    for use in (evaluation.evaluate, testing.test):
        with pytest.raises(
            UserError, match=rf"{domain}/001.png .*Replace or remove it\. .* use --on_bad_image skip\.$"
        ):
            use(run_dir, dual, images)


@pytest.mark.thorough
def test_a_validation_image_that_its_domain_does_not_take_is_left_out(tmp_path, capsys):
    draw = np.random.default_rng(0)
    for folder in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(3):
            files.write(tmp_path / "set" / folder / f"{number}.npy", draw.random([8, 8, 3], np.float32))
    files.write(tmp_path / "set/val/A/1.npy", np.full([8, 8, 3], np.nan, np.float32))
    files.write(tmp_path / "set/val/B/2.npy", np.zeros([8, 8, 5], np.float32))
    dual, images = small.Gain(image_size=4), Images("set", data_root=str(tmp_path), on_bad_image="skip")
    run = Run(run_dir=str(tmp_path / "run"), steps=2, eval_every=1, tensorboard=False, select_by="l1")
    assert training.train(dual, images, run).done == 2
    assert evaluation.evaluate(run.run_dir, dual, images)[2]["A2B"]["images"] == 1  # 0: the one that both have
    said = capsys.readouterr().err
    for name in ("A/1.npy has values that are not finite", "B/2.npy has 5 channels"):
        assert name in said and "It is left out (--on_bad_image skip)" in said


def test_an_image_that_is_passed_over_for_ever_takes_no_memory(dataset):
    root = dataset(train_A=1)
    cut(root / "set/train/A/000.png")
    loader = pipeline.Loader([root / "set/train/A/000.png"], EIGHT_BITS, room=0, skip=True)
    lengths = []
    for _ in range(5):
        with pytest.raises(UserError) as error:
            loader(0)
        lengths.append(len(error.traceback))
    assert lengths[1:] == lengths[1:2] * 4


@pytest.fixture
def run(dataset, tmp_path, monkeypatch):
    """A function that trains, and does something to the images after a step; returns the steps that were logged."""
    root = dataset(train_A=4, train_B=4, val_A=1, val_B=1)

    def train(step, do, **fields):
        original = loop._take_step

        def take_step(training, monitor, number, stopped):
            asked = original(training, monitor, number, stopped)
            if number == step:
                do(root / "set/train/A")
            return asked

        monkeypatch.setattr(loop, "_take_step", take_step)
        images = Images("set", data_root=str(root), cache_gb=0.0, **fields)
        run = Run(run_dir=str(tmp_path / "run"), steps=STEPS, log_every=1, tensorboard=False)
        try:
            training.train(small.Gain(image_size=4), images, run)
        finally:
            with open(run.path("log.csv"), newline="") as file:
                train.logged = [int(row["step"]) for row in csv.DictReader(file)]
                train.saved = [path.stem for path in sorted(run.path("checkpoints").glob("*.index"))]

    return train


def test_files_that_vanish_end_it_saved(run):
    with pytest.raises(UserError, match=r"set/train/A/00\d.png cannot be read as an image \(No such file"):
        run(2, shutil.rmtree)
    assert run.saved == [f"model-{run.logged[-1]:08d}"]
    assert 2 <= run.logged[-1] < STEPS


@pytest.mark.thorough
def test_files_that_vanish_are_passed_over_if_asked(run, capsys):
    run(2, lambda folder: (folder / "001.png").unlink(), on_bad_image="skip")
    assert run.logged == list(range(1, STEPS + 1))
    assert capsys.readouterr().err.count("001.png") == 1


def test_a_file_that_changes_ends_it_saved(run):
    def change(folder):
        for path in sorted(folder.iterdir()):
            files.write_whole(path, np.full([16, 16, 3], 255, np.uint8))  # a reader must not see half of it

    with pytest.raises(UserError, match=r"00\d.png has changed since it was first read"):
        run(4, change)
    assert run.saved == [f"model-{run.logged[-1]:08d}"]


@pytest.mark.thorough
def test_in_the_middle_of_a_step_nothing_is_lost_either(dataset, tmp_path, monkeypatch):
    images = Images("set", data_root=str(dataset(train_A=4, train_B=4, val_A=1, val_B=1)), cache_gb=0.0)
    dual = small.Gain(image_size=4, n_critic=3, n_gen=2)
    run, whole = (Run(run_dir=str(tmp_path / name), steps=8, tensorboard=False) for name in ("run", "whole"))
    training.train(dual, images, whole)
    original, batches_read = pipeline.naming_failures, []

    def naming_failures(loaders):
        if "train" in str(loaders[0].paths[0]) and batches_read.append(1) is None and len(batches_read) == 14:
            raise UserError("gone")  # the second batch of the fifth step
        return original(loaders)

    monkeypatch.setattr(pipeline, "naming_failures", naming_failures)
    with pytest.raises(UserError, match="gone"):
        training.train(dual, images, run)
    assert values(run, 4)["batches_read"] == 13
    assert training.train(dual, images, run)[:3] == (4, 8, 8)
    assert values(run, 8) == values(whole, 8)


def values(run, step):
    reader = tf.train.load_checkpoint(str(run.path("checkpoints", f"model-{step:08d}")))
    return {name: reader.get_tensor(name).tolist() for name in reader.get_variable_to_shape_map()}


@pytest.mark.thorough
def test_files_that_come_to_be_are_for_another_run(run):
    run(1, lambda folder: shutil.copy(folder / "001.png", folder / "009.png"))
    assert run.logged == list(range(1, STEPS + 1))


@pytest.mark.thorough
def test_other_sizes_are_other_files_on_resume(run):
    def grow(folder):
        with open(folder / "001.png", "ab") as file:
            file.write(b"more")

    run(STEPS, grow)
    with pytest.raises(
        UserError,
        match=r"The images of A have changed since .*: 4 files then, 4 now, in .*; changed: 001.png \(\d+ bytes ",
    ):
        run(0, None)
