"""Evaluation: metrics of every checkpoint, the best of them kept, and nothing of it changes the training."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from common import tensorflow as tf
from common.errors import UserError
from common.evaluate import Evaluation, evaluation
from common.evaluate import test as run_test
from common.images import Images, files, labels
from common.metrics import distances, metrics
from common.metrics.features import Features
from common.run import Run
from common.run.checkpoint_files import selected_one, step_of
from common.run.folder import load_run
from common.train import train
from common.translate import Inference
from tests import small

pytestmark = pytest.mark.usefixtures("few_patches")

PALETTE = np.uint8([[250, 0, 0], [0, 0, 250], [0, 250, 0]])
RANDOM = np.random.default_rng(0)


def map_of_blocks():
    return PALETTE[RANDOM.integers(0, 3, [4, 4])].repeat(8, 0).repeat(8, 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 12 steps, evaluated every 3; B are label maps."""
    root = tmp_path_factory.mktemp("evaluated")
    for folder, count in (("train/A", 3), ("train/B", 4), ("val/A", 3), ("val/B", 4)):
        for number in range(count):
            image = map_of_blocks() if folder.endswith("B") else RANDOM.integers(0, 256, [32, 32, 3], np.uint8)
            files.write(root / "set" / folder / f"{number}.png", image)
    dual, images = (
        small.Pointwise(image_size=32, rate=0.01),
        Images("set", data_root=str(root), labels_B="auto", label_encoding="none"),
    )
    run = Run(str(root / "run"), steps=12, save_every=4, keep=1, keep_every=8, eval_every=3, select_by="A2B/l1")
    return dual, images, run, train(dual, images, run)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_best_checkpoint_is_kept_whatever_else_goes(trained):
    _, _, run, progress = trained
    rows = rows_of(run.path("evaluation.csv"))
    assert [row["step"] for row in rows] == ["3", "6", "9", "12"]
    best = min(rows, key=lambda row: float(row["A2B/l1"]))
    assert json.loads(run.path("best.json").read_text())["step"] == int(best["step"])
    steps = {int(path.stem[6:]) for path in run.path("checkpoints").glob("*.index")}
    assert steps == {int(best["step"]), 8, 12}
    assert f"at step {best['step']}" in progress.best and not progress.ended


@pytest.mark.parametrize("count", [2, pytest.param(5, marks=pytest.mark.thorough)])
def test_shards_that_are_merged_score_what_all_images_do(trained, count):
    """Exactly, rows and metrics of sets; in whatever order they come, and with more shards than images."""
    dual, images, run, _ = trained
    whole = evaluation.evaluate(run.run_dir, dual, images)
    rows = run.path("evaluation/metrics.csv").read_text()
    for number in range(count, 0, -1):
        part = evaluation.evaluate(run.run_dir, dual, images, Evaluation(shard=f"{number}/{count}"))
        assert part == {12: {}}
    run.path("evaluation/metrics.csv").unlink()
    assert evaluation.evaluate(run.run_dir, dual, images, Evaluation(merge=count)) == whole
    assert run.path("evaluation/metrics.csv").read_text() == rows
    with pytest.raises(UserError, match=r"00000012-A2B-1-of-3.npz is missing. Evaluate that --shard first"):
        evaluation.evaluate(run.run_dir, dual, images, Evaluation(merge=3))
    with pytest.raises(UserError, match="use one of them"):
        Evaluation(merge=3, shard="1/3")


@pytest.mark.parametrize("other", [{"self_ensemble": 2}, {"precise": True}, {"scale_to": "64"}])
def test_shards_of_other_settings_are_not_merged(trained, other):
    dual, images, run, _ = trained
    for number, inference in ((1, Inference()), (2, Inference(**other))):
        evaluation.evaluate(run.run_dir, dual, images, Evaluation(shard=f"{number}/2"), inference)
    with pytest.raises(UserError, match="The shards of A2B at step 12 were evaluated with different settings"):
        evaluation.evaluate(run.run_dir, dual, images, Evaluation(merge=2))


def test_shards_with_and_without_classes_are_not_merged(trained):
    dual, images, run, _ = trained
    for number, source in ((1, "auto"), (2, "")):
        of_shard = dataclasses.replace(images, labels_B=source)
        evaluation.evaluate(run.run_dir, dual, of_shard, Evaluation(shard=f"{number}/2"))
    with pytest.raises(UserError, match="The shards of A2B at step 12 were evaluated with different settings"):
        evaluation.evaluate(run.run_dir, dual, images, Evaluation(merge=2))


def test_settings_without_effect_may_differ_between_shards(trained, tmp_path):
    """This run keeps no averages, and has the size of its networks by default."""
    dual, images, run, _ = trained
    output = str(tmp_path / "scores")
    for number, inference in ((1, Inference()), (2, Inference(weights="raw", scale_to="model"))):
        evaluation.evaluate(run.run_dir, dual, images, Evaluation(shard=f"{number}/2"), inference, output=output)
    (means,) = evaluation.evaluate(run.run_dir, dual, images, Evaluation(merge=2), output=output).values()
    assert means["A2B"]["images"] == 3


def test_a_checkpoint_scores_what_it_scored_in_training(trained):
    dual, images, run, _ = trained
    rows = {int(row["step"]): row for row in rows_of(run.path("evaluation.csv"))}
    best = json.loads(run.path("best.json").read_text())["step"]
    scored = evaluation.evaluate(run.run_dir, dual, images, inference=Inference(checkpoint="all"))
    assert list(scored) == sorted({best, 8, 12})
    for step in {best, 12}:
        for name in ("l1", "psnr", "swd", "cycle_l1", "diversity", "mean_iou"):
            assert float(rows[step][f"A2B/{name}"]) == pytest.approx(scored[step]["A2B"][name], rel=1e-6), name
    paths = {which: selected_one(run.run_dir, which) for which in ("best", "latest", "8")}
    assert {which: step_of(path) for which, path in paths.items()} == {"best": best, "latest": 12, "8": 8}


def test_each_metric_is_that_of_the_pictures_that_testing_writes(trained):
    dual, images, run, _ = trained
    scores = evaluation.evaluate(run.run_dir, dual, images)[12]
    written = run_test(run.run_dir, dual, images)
    assert {name: written[name] for name in scores} == scores

    def pictures(folder, count):
        return [files.read(run.path("test", folder, f"{number}.png")) for number in range(count)]

    A, B, fakes, back = (pictures(*folder) for folder in (("A", 3), ("B", 4), ("A2B", 3), ("A2B2A", 3)))
    for number, row in enumerate(rows_of(run.path("test", "metrics.csv"))[:3]):
        assert (row["direction"], row["name"]) == ("A2B", f"{number}.png")
        assert float(row["psnr"]) == pytest.approx(metrics.psnr(fakes[number], B[number]))
        assert float(row["input_l1"]) == pytest.approx(metrics.l1(A[number], B[number]))
        assert float(row["cycle_l1"]) == pytest.approx(np.abs(A[number].astype(float) - back[number]).mean() / 255)
        bright = [(image @ [0.299, 0.587, 0.114]).ravel() for image in (A[number], fakes[number])]
        assert float(row["correlation"]) == pytest.approx(stats.pearsonr(*bright)[0], abs=1e-6)
    means = scores["A2B"]
    assert means["psnr"] == pytest.approx(np.mean([metrics.psnr(x, y) for x, y in zip(fakes, B)]))
    assert means["swd"] == pytest.approx(distances.sliced_wasserstein(np.array(fakes), np.array(B)))
    stacks = (np.array(images, float) for images in (fakes, B))
    around = [np.abs(images - np.roll(images, 1, axis=0)).mean() for images in stacks]
    assert means["diversity"] == pytest.approx(around[0] / around[1])
    palettes = images.palettes(dual, load_run(run.run_dir).domains)
    palette = palettes["B"]  # in its order: where two colours are as near, the first is taken
    assert sorted(palette.tolist()) == sorted(PALETTE.tolist())
    nearest = [labels.classes(image, palette) for image in (*fakes, *B[:3])]
    table = sum(labels.confusion(x, y, 3) for x, y in zip(nearest[:3], nearest[3:]))
    assert means["pixel_accuracy"] == pytest.approx(np.trace(table) / table.sum())
    assert "mean_iou" not in scores["B2A"]


def test_folders_of_a_test_are_what_clean_fid_searches_for(trained, tmp_path):
    """Its documented search: these suffixes, in all folders below; then Pillow opens each. See docs/evaluating.md."""
    suffixes = ("bmp", "jpg", "jpeg", "pgm", "png", "ppm", "tif", "tiff", "webp", "npy", "JPEG", "JPG", "PNG")
    dual, images, run, _ = trained
    run_test(run.run_dir, dual, images, output=str(tmp_path / "test"))

    def searched(folder):
        return sorted(path for suffix in suffixes for path in (tmp_path / "test" / folder).glob(f"**/*.{suffix}"))

    for folder, source, count in (("A2B", "A", 3), ("B2A", "B", 4), ("B", "B", 4)):
        validation = sorted((tmp_path.parent / images.data_root / "set" / "val" / source).iterdir())
        assert len(validation) == count
        assert searched(folder) == sorted((tmp_path / "test" / folder).iterdir())  # flat, and nothing else
        assert [path.name for path in searched(folder)] == [f"{path.stem}.png" for path in validation]
        for path in searched(folder):
            with Image.open(path) as opened:
                assert (opened.format, opened.mode, opened.size) == ("PNG", "RGB", (32, 32))
    assert len(searched("")) > 7  # of the whole folder, inputs and translations are mixed


def test_only_what_is_asked_for_is_shown(trained):
    dual, images, run, _ = trained
    scores = evaluation.evaluate(run.run_dir, dual, images, Evaluation(metrics="swd, psnr"), Inference(direction="B2A"))
    assert {step: {name: list(means) for name, means in of_step.items()} for step, of_step in scores.items()} == {
        12: {"B2A": ["swd", "psnr", "input_psnr"]}
    }


def test_metrics_of_one_direction_and_those_that_are_not_there():
    means = {"A2B": {"l1": 0.2, "mean_iou": 0.5, "ms_ssim": None, "images": 3}, "B2A": {"l1": 0.3, "input_l1": 0.4}}
    shown = Evaluation(metrics="mean_iou,l1").shown(means)
    assert shown == {"A2B": {"mean_iou": 0.5, "l1": 0.2}, "B2A": {"l1": 0.3, "input_l1": 0.4}}
    with pytest.raises(UserError, match="ms_ssim is not measured on these images: must be one of l1, mean_iou, images"):
        Evaluation(metrics="ms_ssim").shown(means)
    with pytest.raises(UserError, match="--metrics nonsense is not a valid metric: must be one of l1, psnr, ssim"):
        Evaluation(metrics="l1,nonsense")
    with pytest.raises(UserError, match="--metrics fid needs a feature network"):
        Evaluation(metrics="fid")


def test_checkpoints_that_are_not_there(trained):
    dual, images, run, _ = trained
    with pytest.raises(UserError, match=r"has no checkpoint of step 5: it has .*12 \(see --keep and --keep_every\)"):
        evaluation.evaluate(run.run_dir, dual, images, inference=Inference(checkpoint="5"))
    with pytest.raises(UserError, match="--checkpoint all is only for --phase evaluate"):
        run_test(run.run_dir, dual, images, Inference(checkpoint="all"))
    with pytest.raises(UserError, match="--checkpoint newest is not valid: must be one of latest, best, all or a step"):
        Inference(checkpoint="newest")


def weights(run):
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(run.path("checkpoints"))))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.thorough
def test_evaluating_changes_nothing_and_resumes_where_it_was_stopped(trained, tmp_path):
    dual, images, run, _ = trained
    plain = Run(str(tmp_path / "plain"), steps=12)
    train(dual, images, plain)
    halves = dataclasses.replace(run, run_dir=str(tmp_path / "halves"), steps=7, save_every=5)
    train(dual, images, halves)
    train(dual, images, dataclasses.replace(halves, steps=12))
    expected = weights(run)
    for other in (plain, halves):
        values = weights(other)
        for name, value in expected.items():
            np.testing.assert_array_equal(values[name], value, err_msg=name)
    whole, parts = ({row["step"]: row for row in rows_of(folder.path("evaluation.csv"))} for folder in (run, halves))
    assert whole == {step: row for step, row in parts.items() if step != "7"}


@pytest.mark.thorough
def test_training_ends_where_nothing_improves(trained, tmp_path):
    dual, images, run, _ = trained
    still = dataclasses.replace(dual, rate=0.0)
    patient = dataclasses.replace(run, run_dir=str(tmp_path / "still"), steps=50, eval_every=2, patience=3)
    progress = train(still, images, patient)
    assert progress.done == 8  # the first evaluation is the best, and three come after it
    assert progress.ended == "No improvement for 3 evaluations (--patience 3)."
    assert train(still, images, patient)[:3] == (8, 8, 50)  # nor does it later


def test_evaluations_need_images_of_both_domains(trained, tmp_path):
    dual, _, run, _ = trained
    for folder in ("train/A", "train/B", "val/A"):
        files.write(tmp_path / "set" / folder / "0.png", map_of_blocks())
    with pytest.raises(
        UserError, match=r"--eval_every needs validation images of both domains, but set has 1 of A and 0"
    ):
        train(dual, Images("set", data_root=str(tmp_path)), dataclasses.replace(run, run_dir=str(tmp_path / "run")))
    with pytest.raises(UserError, match="--patience needs evaluations: use --eval_every, too"):
        Run("x", patience=3)


@pytest.mark.parametrize("shape", [[None, None, None, 1], [1, 3, 16, 16], [32, 16, 16, 3], [16, 16, 3]])
def test_a_network_whose_input_is_no_image_is_a_sentence(tmp_path, shape):
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, shape, name="images")
        tf.identity(tf.reduce_sum(images, axis=-1), name="features")
        (tmp_path / "network.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UserError, match=r"takes images:0 of shape .* features need one RGB image at a time"):
        Features(tmp_path / "network.pb")


def frozen(path, names=("images", "features"), channels=5):
    """A frozen graph: a convolution of random weights with a stride, then a square."""
    kernel = np.random.default_rng(1).normal(0, 0.1, [3, 3, 3, channels]).astype(np.float32)
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, None, None, 3], names[0])
        tf.square(tf.nn.conv2d(images, tf.constant(kernel), 2, "VALID"), names[1])
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return kernel


def test_features_are_those_of_the_network_and_their_distances_are_not_called_fid(trained, tmp_path):
    dual, images, run, _ = trained
    kernel = frozen(tmp_path / "network.pb")
    with Features(tmp_path / "network.pb") as features:
        image = map_of_blocks()
        (vector,) = features(image[None])
        assert not features.are_of_fid
    x = np.lib.stride_tricks.sliding_window_view(image / 255.0, (3, 3), axis=(0, 1))[::2, ::2]
    np.testing.assert_allclose(vector, (np.einsum("hwcij,ijcd->hwd", x, kernel) ** 2).mean(axis=(0, 1)), rtol=1e-4)
    options = Evaluation(features=str(tmp_path / "network.pb"))
    means = evaluation.evaluate(run.run_dir, dual, images, options)[12]["A2B"]
    assert "fid" not in means and "kid" not in means and means["frechet_distance"] > 0.0


@pytest.fixture
def inception(tmp_path):
    """The names by which the graph is known, around something small."""
    with tf.Graph().as_default() as graph:
        x = tf.identity(tf.placeholder(tf.float32, [None, None, None, 3], "DecodeJpeg"), "ExpandDims")
        with tf.name_scope("mixed_10"):
            x = tf.identity(x, "join")
        tf.reduce_mean(x, axis=[1, 2], keepdims=True, name="pool_3")
        (tmp_path / "inception.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return tmp_path / "inception.pb"


def test_fid_is_what_inception_gives_and_is_warned_of(trained, inception, capsys, monkeypatch):
    dual, images, run, _ = trained
    monkeypatch.setattr("common.metrics.features.WIDTH", 3)
    run_test(run.run_dir, dual, images)
    means = evaluation.evaluate(run.run_dir, dual, images, Evaluation(features=str(inception)))[12]["A2B"]
    colours = [
        np.array([files.read(run.path("test", folder, f"{n}.png")).mean(axis=(0, 1)) for n in range(count)])
        for folder, count in (("A2B", 3), ("B", 4))
    ]
    assert means["fid"] == pytest.approx(distances.frechet(*colours), rel=1e-4)  # means of bytes, from 0 to 255
    assert "FID on 3 images is strongly biased" in capsys.readouterr().err


def test_other_features_of_inception_are_none_of_fid(inception, monkeypatch):
    with Features(inception) as features:
        assert not features.are_of_fid  # 3 of them, and not 2,048
    monkeypatch.setattr("common.metrics.features.WIDTH", 3)
    with Features(inception) as features:
        assert features.are_of_fid
    for ends in ("DecodeJpeg:0,pool_3:0", "ExpandDims:0,mixed_10/join:0"):
        with Features(inception, ends) as features:
            assert not features.are_of_fid
            np.testing.assert_allclose(features(np.full([1, 4, 4, 3], 200, np.uint8)), 200.0)  # bytes all the same


def test_a_saved_model_takes_bytes_of_its_own_size(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.uint8, [None, 8, 8, 3])
        means = tf.reduce_mean(tf.cast(images, tf.float32) * tf.get_variable("two", initializer=2.0), axis=[1, 2])
        session.run(tf.global_variables_initializer())
        signature = tf.saved_model.predict_signature_def({"images": images}, {"features": means})
        builder = tf.saved_model.Builder(str(tmp_path / "model"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    with Features(tmp_path / "model") as features:
        np.testing.assert_allclose(features(np.full([2, 32, 32, 3], 7, np.uint8)), 14.0)


def test_networks_that_do_not_read_or_are_not_clear(tmp_path):
    (tmp_path / "text.pb").write_text("no graph")
    (tmp_path / "empty").mkdir()
    for name in ("text.pb", "empty", "nowhere.pb"):
        with pytest.raises(UserError, match=rf"{name} cannot be read as a frozen graph or a SavedModel"):
            Features(tmp_path / name)
    frozen(tmp_path / "network.pb")
    with pytest.raises(UserError, match=r"has no tensors a:0,b:0: use --features_ends"):
        Features(tmp_path / "network.pb", "a:0,b:0")
    with Features(tmp_path / "network.pb", "images:0,features:0") as features:
        assert features(np.zeros([1, 9, 9, 3], np.uint8)).shape == (1, 5)
