"""Scores of sets of images: what is measured of each, of all together, and of how many; on images made by hand."""

import pathlib
import types

import numpy as np
import pytest

from common.evaluate import evaluation, scores
from common.evaluate.walk import Walked
from common.images.pixels import EIGHT_BITS, Domain


def scored(rows=(), **fields):
    nothing = {name: [] for name in ("fakes", "reals", "vectors", "expected")}
    return scores.Scored(list(rows), **{"table": np.zeros([1], np.int64), **nothing, **fields})


def test_means_leave_out_what_is_not_defined_and_count_what_has_a_target():
    rows = [
        {"direction": "A2B", "name": "x", "l1": 0.0, "psnr": None, "ssim": 1.0, "ms_ssim": None},
        {"direction": "A2B", "name": "y", "l1": 0.5, "psnr": 20.0, "ssim": 0.5, "ms_ssim": None, "cycle_l1": 0.25},
        {"direction": "A2B", "name": "z", "correlation": -1.0},
    ]
    assert scores.summary(scored(rows), 255.0) == {
        **{"images": 2, "equal_to_target": 1, "l1": 0.25, "psnr": 20.0, "ssim": 0.75, "ms_ssim": None},
        **{"cycle_l1": 0.25, "correlation": -1.0},
    }


def test_classes_are_scored_over_all_images():
    means = scores.summary(scored(table=np.array([[1, 1], [0, 2]])), 255.0)
    assert (means["pixel_accuracy"], means["class_accuracy"]) == (3 / 4, 3 / 4)
    assert means["mean_iou"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def grays(*values):
    return [np.full([2, 2, 3], value, np.uint8) for value in values]


@pytest.mark.parametrize(
    ("fakes", "reals", "diversity"),
    [
        (grays(0, 5), grays(0, 10), 0.5),
        (grays(0, 30), grays(20, 0), 1.5),
        (grays(7, 7), grays(0, 10), 0.0),
        (grays(7), grays(0, 10), 0.0),
        (grays(0, 5), grays(3, 3), None),
        (grays(0, 5), grays(3), None),
        (grays(0, 5), [], None),
    ],
)
def test_diversity_is_the_share_of_that_of_the_images_of_the_target(fakes, reals, diversity):
    assert scores.summary(scored(fakes=fakes, reals=reals), 255.0).get("diversity") == diversity


def test_a_distance_of_sets_is_in_units_of_a_255th_of_the_range(monkeypatch):
    monkeypatch.setattr("common.metrics.distances.PATCHES", 50)
    fakes, reals = ([image.repeat(4, 0).repeat(4, 1) for image in grays(value, value)] for value in (10, 30))
    narrow, wide = (scores.summary(scored(fakes=fakes, reals=reals), span)["swd"] for span in (255.0, 510.0))
    assert narrow == pytest.approx(2.0 * wide) and narrow > 0.0


@pytest.mark.parametrize(
    ("are_of_fid", "frechet", "kernel"), [(True, "fid", "kid"), (False, "frechet_distance", "kernel_distance")]
)
def test_features_are_compared_if_each_set_has_two(are_of_fid, frechet, kernel):
    """By hand: the means of 0 and 2, and of 3 and 5, are 3 apart, and the variances are the same."""
    vectors, expected = ([np.array([float(value)]) for value in values] for values in ((0, 2), (3, 5)))
    means = scores.summary(scored(vectors=vectors, expected=expected), 255.0, are_of_fid)
    assert means[frechet] == pytest.approx(9.0)
    assert means[kernel] is means[f"{kernel}_error"] is None  # which need four
    assert set(means) == {"images", "equal_to_target", frechet, kernel, f"{kernel}_error"}
    for one, other in ((vectors[:1], expected), (vectors, expected[:1])):
        assert frechet not in scores.summary(scored(vectors=one, expected=other), 255.0, are_of_fid)


@pytest.fixture
def collected(monkeypatch):
    """A function to (the Scored of some inputs, translations and targets without pairs, the targets that were read)."""

    def collect(inputs, fakes, targets, domain=EIGHT_BITS, shard=(1, 1), features=None, **more):
        read = []
        walked = [
            Walked(pathlib.Path(f"{n}.png"), {"A": image, "A2B": fake, **more}, None, None, None)
            for n, (image, fake) in enumerate(zip(inputs, fakes))
        ]
        monkeypatch.setattr(scores, "walk", lambda session, graph: iter(walked))
        monkeypatch.setattr(scores, "targets", lambda session, graph: (read.append(1) or each for each in targets))
        loader = types.SimpleNamespace(domain=domain)
        dual = types.SimpleNamespace(photographic=False)
        graph = types.SimpleNamespace(
            name="A2B", source=loader, target=loader, shard=shard, dual=dual, domain=lambda folder: domain
        )
        return scores.collect(None, graph, features=features), len(read)

    return collect


@pytest.mark.parametrize(
    ("count", "shard", "kept"),
    [(1999, (1, 1), 1999), (2003, (1, 1), 2000), (1003, (2, 2), 1000), (669, (1, 3), 667), (669, (3, 3), 666)],
)
def test_sets_are_of_the_first_two_thousand_images_in_all_shards(collected, count, shard, kept):
    images = [np.uint8([[[number % 256]]]) for number in range(count)]
    found, read = collected(images, images, images, shard=shard)
    assert len(found.rows) == count and len(found.fakes) == len(found.reals) == read == kept
    assert [int(image[0, 0, 0]) for image in found.reals[-2:]] == [(kept - 2) % 256, (kept - 1) % 256]


def test_features_are_of_all_images_as_bytes_by_the_range_of_their_domain(collected, monkeypatch):
    """Of -4 to 6: 1 is the middle, and what is outside is clipped. One channel is repeated."""
    monkeypatch.setattr(scores, "MANY", 1)
    domain, seen = Domain(1, "float32", -4.0, 6.0), []

    def features(images):
        seen.append(images)
        return [images[0].mean(axis=(0, 1))]

    inputs = [np.float32([[[0.0], [1.0]]])] * 2
    fakes = [np.float32([[[-4.0], [1.0]]]), np.float32([[[6.0], [2.0]]])]
    targets = [np.float32([[[-9.0], [9.0]]])] * 3
    found, read = collected(inputs, fakes, targets, domain, features=features)
    assert (len(found.fakes), len(found.reals), read) == (1, 1, 3)
    assert [image[0, 0, :, 0].tolist() for image in seen] == [[0, 128], [255, 153], *[[0, 255]] * 3]
    assert all(image.shape == (1, 1, 2, 3) and image.dtype == np.uint8 for image in seen)
    assert [vector.tolist() for vector in found.vectors] == [[64.0] * 3, [204.0] * 3] and len(found.expected) == 3


def test_luminance_correlates_unless_an_image_is_of_one_colour(collected):
    ramp = np.uint8([[[0, 10], [0, 30], [0, 50]]])
    found, _ = collected([ramp] * 4, [ramp, 255 - ramp, ramp * 0 + 7, ramp[:, ::-1] // 2], [])
    first, second, third, fourth = (row["correlation"] for row in found.rows)
    assert (first, second, fourth) == pytest.approx((1.0, -1.0, -1.0)) and third is None
    (row,) = collected([ramp / 1e4], [ramp / 1e4], [])[0].rows  # of hardly any contrast
    assert row["correlation"] == pytest.approx(1.0)
    colours = np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    gray = np.uint8([[[76] * 3, [150] * 3, [29] * 3]])  # of the same light: 0.299, 0.587 and 0.114 of 255
    (row,) = collected([colours], [gray], [])[0].rows
    assert row["correlation"] == pytest.approx(1.0, abs=1e-4)


def test_what_a_cycle_gives_back_differs_by_a_share_of_the_range(collected):
    domain, ones = Domain(1, "float32", -4.0, 6.0), np.ones([2, 2, 1], np.float32)
    (row,) = collected([ones], [ones], [], domain, A2B2A=3.0 * ones)[0].rows
    assert row["cycle_l1"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("name", "fakes", "reals", "said"),
    [("fid", 9999, 20_000, "9,999"), ("fid", 20_000, 1234, "1,234"), ("fid", 10_000, 10_000, ""), ("kid", 5, 5, "")],
)
def test_fid_of_fewer_than_ten_thousand_images_is_warned_of(name, fakes, reals, said, caplog):
    evaluation._warn_of_few(scored(vectors=[0.0] * fakes, expected=[0.0] * reals), {name: 1.0})
    told = f"warning: FID on {said} images is strongly biased, by more than checkpoints differ. KID is unbiased."
    assert caplog.messages == ([told] if said else [])
