"""Which pairs are scored at the end of a training, and what is said of them."""

import types

import pytest

from common.evaluate import ending
from common.images import Images
from common.run import Run
from tests import small


@pytest.fixture
def opened(dataset, tmp_path, monkeypatch):
    """A function to (the sentences, the images that were opened); B2A has no pairs that can be compared."""

    def sentences(limit=0, step=100, B=3):
        images = Images("set", data_root=str(dataset(val_A=2, val_B=B)), limit=limit)
        seen, asked = [], []
        means = {"A2B": {"images": 1234, "psnr": 20.04, "input_psnr": 20.0, "ssim": 0.5004, "input_ssim": 0.4994}}
        trained = types.SimpleNamespace(
            graphs=[types.SimpleNamespace(name=name) for name in ("A2B", "B2A")],
            restore=asked.append,
            score=lambda graph: ([], means.get(graph.name, {"images": 0})),
        )

        class Opened:
            def __init__(self, run_dir, dual, images, inference, threads):
                seen.append((run_dir, images, inference.device, inference.xla, inference.precise, threads))

            __enter__, __exit__ = lambda self: trained, lambda *_: None

        monkeypatch.setattr(ending.evaluation, "opened", Opened)
        run = Run(str(tmp_path / "run"), device="cpu", threads=3)
        return ending.sentences(small.Gain(image_size=4), images, run, step), seen, asked

    return sentences


def test_scores_of_the_newest_checkpoint_are_said_for_directions_with_pairs(opened, tmp_path):
    said, ((run_dir, _, *settings),), asked = opened()
    assert said == [
        "A2B, 1,234 validation images with a partner of the same name: PSNR 20.0 dB, like the input;"
        " SSIM 0.500, 0.001 better than the input."
    ]
    assert run_dir == str(tmp_path / "run") and settings == ["cpu", False, False, 3] and asked == ["latest"]


@pytest.mark.parametrize(("limit", "scored"), [(0, 20), (5, 5), (20, 20), (50, 20)])
def test_twenty_pairs_are_scored_or_fewer_if_the_images_are_limited(opened, limit, scored):
    _, ((_, images, *_),), _ = opened(limit)
    assert images.limit == scored


@pytest.mark.parametrize("options", [{"step": 99}, {"B": 0}])
def test_a_short_training_or_one_without_pairs_is_not_scored(opened, options):
    said, seen, _ = opened(**options)
    assert said == seen == []


@pytest.mark.parametrize(
    ("value", "of_input", "words"),
    [
        (20.0, None, "PSNR 20.0 dB"),
        (20.0, 20.04, "PSNR 20.0 dB, like the input"),
        (20.0, 20.06, "PSNR 20.0 dB, 0.1 dB worse than the input"),
        (25.5, 20.0, "PSNR 25.5 dB, 5.5 dB better than the input"),
    ],
)
def test_a_score_is_compared_with_that_of_the_input_to_the_digits_shown(value, of_input, words):
    said = ending.sentence("A2B", {"images": 1, "psnr": value, "input_psnr": of_input, "ssim": None})
    assert said == f"A2B, 1 validation image with a partner of the same name: {words}."
