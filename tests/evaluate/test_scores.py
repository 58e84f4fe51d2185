"""What stands beside the scores of translations: those of the input, of a classical method, and without a target."""

from __future__ import annotations

import csv
import dataclasses
import json
from typing import ClassVar

import numpy as np
import pytest

from common import tensorflow as tf
from common.evaluate import Evaluation, evaluate, evaluation, scores
from common.evaluate import test as run_test
from common.images import Images, files
from common.images.pixels import LUMINANCE
from common.metrics import metrics, no_reference
from common.translate import Inference
from flags import inference_phases
from tests import small

pytestmark = pytest.mark.usefixtures("few_patches")


@dataclasses.dataclass(frozen=True)
class Brightened(small.Pointwise):
    """Beside A2B stands a method that adds to the light, and more than white; beside B2A none."""

    photographic: ClassVar[bool] = True

    def classical(self, direction: str, images: tf.Tensor) -> tf.Tensor | None:
        return images + 0.5 if direction == "A2B" else None


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A run, its images, of which two have a pair and one has none, and the scores of its checkpoint."""
    root, random = tmp_path_factory.mktemp("scores"), np.random.default_rng(0)
    for folder, names in (("val/A", "xyz"), ("val/B", "xy")):
        for name in names:
            files.write(root / "set" / folder / f"{name}.png", random.integers(0, 256, [16, 16, 3], np.uint8))
    dual, images = Brightened(image_size=16), Images("set", data_root=str(root))
    run_dir = small.untrained(root / "run", dual, images=images)
    return run_dir, dual, images, evaluate(run_dir, dual, images)


def pictures(images, domain, names="xyz"):
    return [files.read(f"{images.data_root}/set/val/{domain}/{name}.png") for name in names]


def brightened(image):
    return np.minimum(np.rint(image + 63.75), 255)


def test_what_stays_the_same_is_measured_once(evaluated, monkeypatch):
    """Two images of A have a partner: three comparisons of each at first, then one; and the same scores."""
    run_dir, dual, images, _ = evaluated
    compared, measured, kept, counts = metrics.Target.paired, no_reference.measures, {}, []

    def counting(function):
        return lambda *arguments: counts.append(function) or function(*arguments)

    monkeypatch.setattr(metrics.Target, "paired", counting(compared))
    monkeypatch.setattr(no_reference, "measures", counting(measured))
    with evaluation.opened(run_dir, dual, images, Inference(direction="A2B")) as trained:
        trained.restore("latest")
        results = []
        for _ in range(2):
            results.append(scores.score(trained.session, trained.graphs[0], beside=kept))
            counts.append("end")
    assert results[0] == results[1]
    first, second = counts[: counts.index("end")], counts[counts.index("end") + 1 : -1]
    assert (first.count(compared), first.count(measured)) == (2 * 3, 3 * 3)
    assert (second.count(compared), second.count(measured)) == (2, 3)


def test_the_input_and_the_classical_method_are_scored_like_translations(evaluated):
    _, _, images, scores = evaluated
    A, B = pictures(images, "A", "xy"), pictures(images, "B", "xy")
    means = scores[7]["A2B"]
    for name in ("l1", "psnr", "ssim"):
        metric = metrics.PAIRED[name]
        assert means[f"input_{name}"] == pytest.approx(np.mean([metric(x, y) for x, y in zip(A, B)]), rel=1e-6)
        prior = np.mean([metric(brightened(x), y) for x, y in zip(A, B)])
        assert means[f"prior_{name}"] == pytest.approx(prior, rel=1e-6)
        assert name in means
    assert not any(name.startswith("prior_") for name in scores[7]["B2A"])


def test_photographs_are_measured_without_a_target(evaluated):
    run_dir, dual, images, scores = evaluated
    run_test(run_dir, dual, images)
    shown = {"": [files.read(f"{run_dir}/test/A2B/{name}.png") for name in "xyz"], "input_": pictures(images, "A")}
    shown["prior_"] = [brightened(image) for image in shown["input_"]]
    for prefix, of_prefix in shown.items():
        measured = [no_reference.measures(image / 255, image / 255 @ LUMINANCE) for image in of_prefix]
        for name in no_reference.NAMES:
            expected = np.mean([values[name] for values in measured])
            assert scores[7]["A2B"][prefix + name] == pytest.approx(expected, rel=1e-9), prefix + name
    with open(f"{run_dir}/test/metrics.csv", newline="") as file:
        unpaired = list(csv.DictReader(file))[2]
    assert (unpaired["name"], unpaired["psnr"], unpaired["prior_psnr"]) == ("z.png", "", "")
    assert float(unpaired["contrast"]) > 0.0
    assert float(unpaired["prior_contrast"]) > 0.0
    report = json.loads(text_of(f"{run_dir}/report.html").partition('id="data">')[2].partition("</script>")[0])
    (psnr,) = (row for row in report["scores"] if (row["direction"], row["name"]) == ("A2B", "psnr"))
    assert psnr["prior"] == pytest.approx(scores[7]["A2B"]["prior_psnr"])
    assert not any(name["name"].startswith("prior_") for name in report["tested"]["metrics"])


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.mark.thorough
def test_shards_have_the_same_scores_of_the_classical_method(evaluated):
    run_dir, dual, images, scores = evaluated
    for number in (2, 1):
        evaluate(run_dir, dual, images, Evaluation(shard=f"{number}/2"))
    assert evaluate(run_dir, dual, images, Evaluation(merge=2)) == scores


def test_images_of_the_target_that_nothing_measures_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("common.evaluate.scores.MANY", 3)
    random = np.random.default_rng(1)
    for path in (f"val/{domain}/{domain}{number}.png" for domain in "AB" for number in range(5)):
        files.write(tmp_path / "set" / path, random.integers(0, 256, [16, 16, 3], np.uint8))
    dual, images = small.Pointwise(image_size=16), Images("set", data_root=str(tmp_path))
    run_dir, of_A2B = small.untrained(tmp_path / "run", dual, images=images), Inference(direction="A2B")
    means = evaluate(run_dir, dual, images, inference=of_A2B)
    for number in (3, 4):
        (tmp_path / "set" / "val" / "B" / f"B{number}.png").write_bytes(b"not an image")
    assert evaluate(run_dir, dual, images, inference=of_A2B) == means
    for number in (1, 2):
        evaluate(run_dir, dual, images, Evaluation(shard=f"{number}/2"), of_A2B)
    assert evaluate(run_dir, dual, images, Evaluation(merge=2), of_A2B) == means
    assert means[7]["A2B"]["swd"] > 0.0


@pytest.mark.thorough
def test_other_images_and_other_methods_have_no_such_measures(tmp_path):
    for domain in "AB":
        files.write(tmp_path / "set" / "val" / domain / "x.png", np.full([16, 16, 1], 100, np.uint8))
    images = Images("set", data_root=str(tmp_path))
    gray, plain = (
        Brightened(image_size=16, channels_A=1, channels_B=1),
        small.Pointwise(image_size=16, channels_A=1, channels_B=1),
    )
    for name, dual in (("gray", gray), ("plain", plain)):
        domain = dataclasses.replace(small.EIGHT_BITS, channels=1)
        run_dir = small.untrained(tmp_path / name, dual, domain, domain, images)
        means = evaluate(run_dir, dual, images)[7]["A2B"]
        assert not {name for name in means if name.endswith(no_reference.NAMES)}
        assert ("prior_psnr" in means) == (name == "gray")


def test_the_table_has_a_column_for_a_classical_method_where_there_is_one():
    means = {
        "A2B": {"images": 2, "psnr": 30.1, "input_psnr": 25.83, "prior_psnr": 27.78, "contrast": 0.2, "swd": 9.0},
        "B2A": {"images": 2, "psnr": 20.0, "input_psnr": 25.83, "contrast": 0.3, "input_contrast": 0.25},
    }
    lines = inference_phases._table(means).splitlines()
    assert lines[0].split() == ["A2B", "input", "prior", "B2A", "input"]
    assert [line.split() for line in lines[1:]] == [
        ["images", "2", "2"],
        ["psnr", "30.1", "25.83", "27.78", "20", "25.83"],
        ["contrast", "0.2", "0.3", "0.25"],
        ["swd", "9", "-"],
    ]
    assert lines[1].index("2", 5) == lines[0].index("A2B") + 2
    means["A2B"]["diversity"] = 0.9
    assert inference_phases._table(means).endswith("-: no diversity, because all target images are equal.")
    shown = Evaluation(metrics="psnr").shown(means)
    assert shown["A2B"] == {"psnr": 30.1, "input_psnr": 25.83, "prior_psnr": 27.78}
