"""Testing translates every image of each domain, and scores the output against the pair."""

import csv
import dataclasses
import json

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from skimage import metrics as reference

from common import tensorflow as tf
from common.errors import UserError
from common.evaluate import ending, evaluation
from common.evaluate import test as run_test
from common.images import Images, files, tensors
from common.images.pixels import EIGHT_BITS
from common.metrics import metrics
from common.run import Run
from common.train import train
from common.translate import Inference
from tests import small
from tests.reliability.little.dualgan import DualGAN
from tests.reliability.little.pix2pix import Pix2Pix

pytestmark = pytest.mark.usefixtures("few_patches", "one_block")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, one_block):
    """A run, on images of which B has one more, and A a format of its own."""
    root = tmp_path_factory.mktemp("trained")
    random = np.random.default_rng(0)
    for folder, names in (
        ("train/A", ["0.png"]),
        ("train/B", ["0.png"]),
        ("val/A", ["one.v2.bmp", "two.png", "three.png"]),
        ("val/B", ["one.v2.png", "two.png", "four.png", "five.png"]),
    ):
        for name in names:
            files.write(root / "set" / folder / name, random.integers(0, 256, [40, 36, 3], np.uint8))
    dual = DualGAN(image_size=32, depth=2, ngf=2, ndf=2)
    images, run = Images("set", data_root=str(root)), Run(str(root / "run"))
    small.untrained(run.run_dir, dual, images=images)
    return dual, images, run


def test_every_image_is_written_and_pairs_are_scored(trained):
    dual, images, run = trained
    run.path("report.html").unlink(missing_ok=True)
    scores = run_test(run.run_dir, dual, images)
    assert run.path("report.html").exists()
    written = {
        folder.name: sorted(path.name for path in folder.iterdir())
        for folder in run.path("test").iterdir()
        if folder.is_dir()
    }
    A, B = ["one.v2.png", "three.png", "two.png"], ["five.png", "four.png", "one.v2.png", "two.png"]
    assert written == {"A": A, "A2B": A, "A2B2A": A, "B": B, "B2A": B, "B2A2B": B}
    assert run.path("test", "metrics.json").read_text() == json.dumps(scores, indent=2) + "\n"
    assert (scores["step"], scores["images"]) == (7, 4)
    assert scores["A2B"]["images"] == scores["B2A"]["images"] == 2

    with open(run.path("test", "metrics.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    names = {"A2B": ["one.v2.bmp", "three.png", "two.png"], "B2A": ["five.png", "four.png", "one.v2.png", "two.png"]}
    assert [(row["direction"], row["name"]) for row in rows] == [(way, name) for way in names for name in names[way]]
    assert [row["name"] for row in rows if not row["psnr"]] == ["three.png", "five.png", "four.png"]
    target = plainly_resized(run.path("..", "set", "val", "B", "two.png"))
    fake, untouched = (
        imageio.imread(run.path("test", "A2B", "two.png")),
        plainly_resized(run.path("..", "set", "val", "A", "two.png")),
    )
    for name, metric in metrics.PAIRED.items():
        if (expected := metric(fake, target)) is not None:
            assert float(rows[2][name]) == pytest.approx(expected, rel=1e-3)
            assert float(rows[2][f"input_{name}"]) == pytest.approx(metric(untouched, target), rel=2e-2)
    assert scores["A2B"]["psnr"] == pytest.approx(np.mean([float(rows[at]["psnr"]) for at in (0, 2)]))


def plainly_resized(path):
    """As the model takes it, by NumPy: bilinear with half-pixel centres, rounded."""
    image = files.read(path).astype(float)
    for axis, side in ((0, 40), (1, 36)):
        at = np.clip((np.arange(32) + 0.5) * side / 32 - 0.5, 0, side - 1)
        low = np.floor(at).astype(int)
        part = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        image = np.take(image, low, axis) * (1 - part) + np.take(image, np.minimum(low + 1, side - 1), axis) * part
    return np.rint(image).astype(np.uint8)


@pytest.mark.thorough
def test_batches_do_not_change_the_images(trained):
    dual, images, run = trained
    run_test(run.run_dir, dual, images)
    ones = imageio.imread(run.path("test", "B2A", "two.png"))
    run_test(run.run_dir, dual, images, batch_size=3)
    assert np.abs(imageio.imread(run.path("test", "B2A", "two.png")).astype(int) - ones).max() <= 1


def test_one_direction_needs_one_domain(trained, tmp_path):
    dual, _, run = trained
    files.write(tmp_path / "alone" / "val" / "B" / "x.png", np.zeros([40, 40, 3], np.uint8))
    alone = Images("alone", data_root=str(tmp_path))
    assert run_test(run.run_dir, dual, alone)["images"] == 0
    assert run.path("test", "B2A", "x.png").exists()
    with pytest.raises(UserError, match="no validation images for direction A2B"):
        run_test(run.run_dir, dual, alone, inference=Inference(direction="A2B"))


@pytest.mark.thorough
def test_samples_differ_by_their_noise_and_come_again_as_they_were(trained_with_noise):
    dual, images, run = trained_with_noise
    run_test(run.run_dir, dual, images, Inference(n_samples=3))
    folders = "A2B", "A2B_2", "A2B_3", "A2B"
    pictures = [imageio.imread(run.path("test", folder, "two.png")).astype(int) for folder in folders]
    assert len({picture.tobytes() for picture in pictures}) == 3
    run_test(run.run_dir, dual, images, Inference(n_samples=2))
    assert (imageio.imread(run.path("test", "A2B_2", "two.png")) == pictures[1]).all()
    assert not run.path("test", "A2B_3").exists()


def test_samples_without_noise_are_refused(trained):
    dual, images, run = trained
    with pytest.raises(UserError, match="--n_samples 3 would give equal images"):
        run_test(run.run_dir, dual, images, Inference(n_samples=3))


@pytest.mark.thorough
def test_a_larger_size_is_the_same_networks_on_more_pixels(trained_with_noise, capsys):
    """What makes no map of one pixel can be tested at twice the size; metrics are at that size, too."""
    dual, images, run = trained_with_noise
    scores = run_test(run.run_dir, dual, images, Inference(scale_to="64"))
    assert imageio.imread(run.path("test", "A2B", "two.png")).shape == (64, 64, 3)
    assert scores["images"] == 2
    assert "was trained at" not in capsys.readouterr().err
    run_test(run.run_dir, dual, images, Inference(scale_to="32x64"))
    assert imageio.imread(run.path("test", "A2B", "two.png")).shape == (32, 64, 3)
    with pytest.raises(UserError, match=r"4 must divide its sides\. Use --scale_to 48"):
        run_test(run.run_dir, dual, images, Inference(scale_to="50"))
    with pytest.raises(UserError, match="scales images to one size: use --scale_to 512, 512x256 or model"):
        run_test(run.run_dir, dual, images, Inference(scale_to="keep"))
    with pytest.raises(UserError, match="--scale_to big is not a valid size"):
        Inference(scale_to="big")


def test_networks_of_one_size_warn_of_another(trained, capsys):
    dual, images, run = trained
    run_test(run.run_dir, dual, images, Inference(scale_to="64"))
    assert "DualGAN was trained at 32 pixels, and its innermost feature map" in capsys.readouterr().err


def test_averages_are_used_unless_raw_weights_are_asked_for(trained_with_noise):
    dual, images, run = trained_with_noise
    dual = dataclasses.replace(dual, test_dropout=False)
    pictures = {}
    for weights in ("average", "raw"):
        run_test(run.run_dir, dual, images, Inference(weights=weights))
        pictures[weights] = imageio.imread(run.path("test", "A2B", "two.png"))
    assert (pictures["average"] != pictures["raw"]).any()
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(run.path("checkpoints"))))
    with small.session_of_a_run() as session:
        image = tensors.prepare(tf.constant(files.read(run.path("..", "set", "val", "A", "two.png"))), dual)
        ((direction, _),) = dual.connect(image[None], image[None])
        for variable in direction.generator.variables:
            name = variable.op.name
            variable.load(reader.get_tensor(f"{name}/average" if variable.trainable else name), session)
        expected = session.run(tensors.to_pixels(direction.fake))[0]
    assert np.abs(expected.astype(int) - pictures["average"]).max() <= 1


@pytest.fixture(scope="module")
def trained_with_noise(trained, tmp_path_factory):
    """A run of pix2pix with dropout and averages."""
    _, images, _ = trained
    small_networks = {"netG": "resnet_6blocks", "ngf": 2, "ndf": 2, "n_layers": 1, "norm": "instance"}
    dual = Pix2Pix(image_size=32, load_size=0, dropout=0.5, ema_decay=0.9, lr_G=0.02, **small_networks)
    run = Run(str(tmp_path_factory.mktemp("with_noise").parent / images.data_root / "noisy"), steps=3)
    train(dual, images, run)
    return dual, images, run


def test_a_run_that_is_not_there(trained, tmp_path):
    dual, images, _ = trained
    with pytest.raises(UserError, match=r"There is no trained run in .*nowhere"):
        run_test(str(tmp_path / "nowhere"), dual, images)


def test_a_run_of_other_settings_is_refused(trained):
    dual, images, run = trained
    with pytest.raises(UserError, match="was trained with --ngf 2, but --ngf 4 was given"):
        run_test(run.run_dir, dataclasses.replace(dual, ngf=4), images)


class Claimed(Exception):
    """Threads were claimed."""


def test_threads_are_those_of_the_run_unless_others_are_asked_for(trained, monkeypatch):
    def claim(threads):
        raise Claimed(threads)

    dual, images, run = trained
    monkeypatch.setattr(evaluation, "claim_threads", claim)
    for threads, expected in ((None, run.threads), (3, 3)):
        with pytest.raises(Claimed) as claimed:
            run_test(run.run_dir, dual, images, threads=threads)
        assert claimed.value.args == (expected,)


def test_two_images_of_one_stem_are_refused_before_anything_is_written(trained, tmp_path):
    dual, _, run = trained
    for name in ("x.png", "x.bmp"):
        files.write(tmp_path / "twins" / "val" / "A" / name, np.zeros([40, 40, 3], np.uint8))
    before = sorted(run.path("test").rglob("*"))
    with pytest.raises(UserError, match="would both be written as x"):
        run_test(run.run_dir, dual, Images("twins", data_root=str(tmp_path)))
    assert sorted(run.path("test").rglob("*")) == before


@pytest.mark.thorough
def test_equal_images_have_no_psnr_and_are_counted(trained, tmp_path):
    """The translation of an image of B, put into A as its target, in the size of the model."""
    dual, images, run = trained
    run_test(run.run_dir, dual, images, inference=Inference(direction="B2A"))
    for name in ("two.png", "one.v2.png"):
        source = files.read(run.path("..", "set", "val", "B", name))
        files.write(tmp_path / "equal" / "val" / "B" / name, source)
    files.write(tmp_path / "equal/val/A/two.png", imageio.imread(run.path("test", "B2A", "two.png")))
    files.write(tmp_path / "equal/val/A/one.v2.png", np.zeros([32, 32, 3], np.uint8))
    equal = Images("equal", data_root=str(tmp_path))
    scores = run_test(run.run_dir, dual, equal, inference=Inference(direction="B2A"))["B2A"]
    assert (scores["images"], scores["equal_to_target"]) == (2, 1)
    with open(run.path("test", "metrics.csv"), newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert (rows["two.png"]["psnr"], rows["two.png"]["l1"], rows["two.png"]["ssim"]) == ("", "0.0", "1.0")
    assert scores["psnr"] == float(rows["one.v2.png"]["psnr"])


@pytest.mark.thorough
def test_scores_of_an_earlier_test_do_not_stay(trained, tmp_path):
    dual, images, run = trained
    run_test(run.run_dir, dual, images)
    files.write(tmp_path / "alone" / "val" / "A" / "x.png", np.zeros([40, 40, 3], np.uint8))
    run_test(run.run_dir, dual, Images("alone", data_root=str(tmp_path)), inference=Inference(direction="A2B"))
    scores = json.loads(run.path("test", "metrics.json").read_text())
    assert scores["images"] == 0 and "psnr" not in scores["A2B"] and "B2A" not in scores
    assert [path.name for path in run.path("test", "A2B").iterdir()] == ["x.png"]
    assert run.path("test", "B2A", "two.png").exists()


@pytest.mark.thorough
def test_bands_in_floating_point_are_written_as_tiff_and_scored_by_their_range(tmp_path):
    random = np.random.default_rng(0)
    for folder in ("train/A", "train/B", "val/A", "val/B"):
        image = random.uniform(-2.0, 6.0, [32, 32, 5]).astype(np.float32)
        image[0, 0] = [-2.0, 6.0, 0.0, 0.0, 0.0]
        files.write(tmp_path / "set" / folder / "x.tif", image)
    dual, images = (
        small.Pointwise(channels_A=0, channels_B=0, image_size=32),
        Images("set", str(tmp_path), range_B="-4,6"),
    )
    run = Run(str(tmp_path / "run"), steps=1)
    train(dual, images, run)
    scores = run_test(run.run_dir, dual, images)
    fake, target = (tifffile.imread(path) for path in (run.path("test/A2B/x.tif"), tmp_path / "set/val/B/x.tif"))
    assert (fake.shape, fake.dtype) == ((32, 32, 5), np.float32)
    assert scores["A2B"]["l1"] == pytest.approx(np.abs(fake.astype(float) - target).mean() / 10.0, rel=1e-6)
    expected = reference.structural_similarity(
        fake.astype(float),
        target.astype(float),
        data_range=10.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1,
    )
    assert scores["A2B"]["ssim"] == pytest.approx(expected, rel=1e-6)
    assert tifffile.imread(run.path("test/B2A/x.tif")).min() >= -2.0


def test_what_cannot_be_compared_is_not(tmp_path):
    for folder, channels in (("train/A", 3), ("train/B", 5), ("val/A", 3), ("val/B", 5)):
        image = np.random.default_rng(0).integers(0, 256, [32, 32, channels], np.uint8)
        files.write(tmp_path / "set" / folder / "x.tif", image)
    dual, images = small.Pointwise(channels_B=5, image_size=32), Images("set", data_root=str(tmp_path))
    small.untrained(tmp_path / "run", dual, B=dataclasses.replace(EIGHT_BITS, channels=5), images=images)
    scores = run_test(str(tmp_path / "run"), dual, images)
    assert scores["A2B"]["input_psnr"] is None and scores["A2B"]["psnr"] > 0.0


def test_a_direction_that_the_run_has_not_is_named(dataset, tmp_path):
    """Images of both domains are there: it is not they that are missing."""
    images = Images("set", data_root=str(dataset(val_A=1, val_B=1)))
    dual = small.Gain(image_size=8, only="B2A")
    run_dir = small.untrained(tmp_path / "run", dual, images=images)
    with pytest.raises(UserError, match=r"This run has no direction A2B, only B2A\."):
        run_test(run_dir, dual, images, inference=Inference(direction="A2B"))


@pytest.mark.thorough
def test_a_training_ends_with_the_scores_of_its_pairs(trained, caplog, monkeypatch):
    """Those that testing writes; none for a try of a few steps, nor for folders that have no validation images."""
    dual, images, run = trained
    scores = run_test(run.run_dir, dual, images)
    sentences = ending.sentences(dual, images, run, 100)
    for direction, sentence in zip(("A2B", "B2A"), sentences, strict=True):
        means = scores[direction]
        better = means["psnr"] - means["input_psnr"]
        words = f"{abs(round(better, 1))} dB {'better' if better > 0 else 'worse'} than the input"
        assert sentence.startswith(f"{direction}, 2 validation images with a partner of the same name: PSNR ")
        assert f"PSNR {means['psnr']:.1f} dB, {words};" in sentence
    assert ending.sentences(dual, images, run, 99) == []
    assert ending.sentences(dual, Images(dir_A="x", dir_B="y"), run, 100) == []
    broken = run.path("..", "set", "val", "A", "broken.png")
    broken.write_bytes(b"nothing")
    assert ending.sentences(dual, images, run, 100) == []
    broken.unlink()
    monkeypatch.setattr(ending.evaluation, "opened", lambda *_, **__: [][1])  # any error: TensorFlow may lack memory
    assert ending.sentences(dual, images, run, 100) == []
    assert caplog.text.count("complete, but its validation pairs were not scored") == 2
    assert "complete, but its validation pairs were not scored" in caplog.text


def test_scores_of_the_last_evaluation_end_a_training(tmp_path):
    run = Run(str(tmp_path), steps=200, eval_every=100)
    header = "step,A2B/images,A2B/psnr,A2B/input_psnr,A2B/ssim,A2B/input_ssim,B2A/images,B2A/psnr,B2A/input_psnr"
    rows = [header, "100,1,9,9,0.5,0.5,1,9,9", "200,1,20.54,8.84,0.5,0.62,30,8.83,8.84"]
    run.path("evaluation.csv").write_text("\n".join(rows))
    assert ending.sentences(small.dualgan(), Images("set"), run, 200) == [
        "A2B, 1 validation image with a partner of the same name: PSNR 20.5 dB, 11.7 dB better than the input;"
        " SSIM 0.500, 0.120 worse than the input.",
        "B2A, 30 validation images with a partner of the same name: PSNR 8.8 dB, like the input.",
    ]
    rows[-1] = "200,0,,,,,0,,"
    run.path("evaluation.csv").write_text("\n".join(rows))
    assert ending.sentences(small.dualgan(), Images("set"), run, 200) == []
