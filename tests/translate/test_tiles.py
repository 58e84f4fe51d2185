"""A translation by tiles is that of the whole image."""

import functools
import re
import types

import numpy as np
import pytest

from common.errors import UserError
from common.translate import Inference, TiledTranslator, Translator, tiles
from cyclegan import CycleGAN
from pix2pix import Pix2Pix
from tests import small

RANDOM = np.random.default_rng(0)
FIELD = 41  # pixels: 3 for each of 2 kernels of a block, at a quarter of the sides, and the layers around it

pytestmark = pytest.mark.usefixtures("one_block")


def image(height, width):
    """Not noise, whose statistics are the same everywhere: bright on one side, dark on the other."""
    slope = np.linspace(0, 200, width)[None, :, None] * np.linspace(0.2, 1.0, height)[:, None, None]
    return (slope + RANDOM.integers(0, 56, [height, width, 3])).astype(np.uint8)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, one_block):
    root = tmp_path_factory.mktemp("tiles")
    shape = {"image_size": 32, "load_size": 0, "ngf": 2, "ndf": 2, "n_layers": 1}
    duals = {
        "resnet": CycleGAN(**shape, netG="resnet_6blocks", lambda_identity=0.0),
        "blur": CycleGAN(**shape, netG="resnet_6blocks_blur", lambda_identity=0.0),
        "unet": small.dualgan(),
        "odd": small.dualgan(image_size=34, halve_odd=True),
        "noisy": Pix2Pix(**shape, netG="resnet_6blocks", dropout=0.5),
    }
    return {name: small.untrained(root / name, dual) for name, dual in duals.items()}


@pytest.mark.parametrize(
    ("run", "height", "width", "side"),
    [
        ("resnet", 120, 110, 96),
        *(
            pytest.param(run, *sides, 128, marks=pytest.mark.thorough)
            for run, *sides in (
                ("resnet", 170, 150),
                ("resnet", 100, 220),
                ("resnet", 64, 64),
                ("resnet", 5, 150),
                ("blur", 170, 150),
            )
        ),
    ],
)
def test_tiles_give_what_the_whole_image_gives(runs, run, height, width, side):
    whole = image(height, width)
    with TiledTranslator(runs[run], side) as tiled, Translator(runs[run]) as translator:
        translated = tiled.in_floats("B2A", whole)
        graph = translator._graphs["B2A"]
        fed = {graph.images: whole[None], graph.size: (0, 0), graph.indices: [0]}
        expected = translator._session.run(graph.translated, fed)[0]
        np.testing.assert_allclose(translated, expected, atol=1e-4)
        assert np.abs(tiled("B2A", whole).astype(int) - translator("B2A", whole)).max() <= 1


def test_without_the_statistics_of_the_whole_tiles_would_differ(runs, monkeypatch):
    whole = image(170, 150)
    with TiledTranslator(runs["resnet"], 128) as tiled:
        right = tiled.in_floats("A2B", whole)
        of_labels = []
        monkeypatch.setattr(
            tiled, "_to_measure", lambda padded, are_labels: of_labels.append(are_labels) or padded[:64, :64]
        )
        assert np.abs(tiled.in_floats("A2B", whole) - right).max() > 0.01
        assert of_labels == [False]


@pytest.mark.thorough
def test_statistics_of_larger_images_are_those_of_a_copy(runs, monkeypatch, capsys):
    monkeypatch.setattr(tiles, "WHOLE", 10_000)
    whole = image(330, 290)
    with TiledTranslator(runs["resnet"], 256) as tiled:
        copy = tiled._to_measure(whole)
        translated = tiled("A2B", whole)
        tiled("A2B", whole)
    assert 2_500 < copy.shape[0] * copy.shape[1] <= 10_000
    np.testing.assert_allclose(copy.mean(axis=(0, 1)), whole.mean(axis=(0, 1)), atol=2.0)
    assert translated.shape == whole.shape
    assert capsys.readouterr().err.count("The statistics of norms come from smaller copies") == 1


def test_windows_cover_everything_from_multiples():
    for size in ((300, 301), (4, 900), (256, 256)):
        covered = np.zeros(size, int)
        for rows, columns in tiles.windows(size, 200, 40, 4):
            assert rows.start % 4 == columns.start % 4 == 0
            assert rows.stop - rows.start <= 200 and columns.stop - columns.start <= 200
            covered[rows, columns] += 1
        assert covered.min() >= 1


def test_what_tiles_cannot_do_is_refused(runs):
    with pytest.raises(UserError, match=r"U-Nets see the whole image"):
        TiledTranslator(runs["unet"], 8)
    with pytest.raises(
        UserError, match=rf"--tile 32 is smaller than the receptive field of these generators, {FIELD} pixels"
    ):
        TiledTranslator(runs["resnet"], 32)
    with pytest.raises(UserError, match=r"halve odd sides \(--halve_odd\)"):
        TiledTranslator(runs["odd"], 256, test_dropout=False)
    with pytest.raises(UserError, match="needs a run without noise"):
        TiledTranslator(runs["noisy"], 256)
    with pytest.raises(UserError, match="leave out --scale_to 512"):
        TiledTranslator(runs["resnet"], 256, inference=Inference(scale_to="512"))
    with TiledTranslator(runs["resnet"], 256) as tiled:
        with pytest.raises(UserError, match=r"^--tile does not scale images: leave out --output_size \(4, 4\)\.$"):
            tiled("A2B", image(8, 8), (4, 4))
        for wrong, shape in ((image(8, 8)[None, None], "[1, 1, 8, 8, 3]"), (image(8, 8)[0, 0], "[3]")):
            with pytest.raises(UserError, match=f"A2B takes images of numbers.* of shape {re.escape(shape)}"):
                tiled("A2B", wrong)


@pytest.mark.parametrize(
    ("size", "tile", "overlap", "rows", "columns"),
    [
        ((20, 8), 16, 4, [(0, 12), (4, 20), (12, 20)], [(0, 8)]),  # a core of 8 pixels
        ((8, 9), 8, 4, [(0, 8), (0, 8)], [(0, 8), (0, 9), (4, 9)]),  # of 4, the least
        ((7, 7), 27, 4, [(0, 7)], [(0, 7)]),  # 19 are 16 that align
        ((17, 16), 27, 4, [(0, 17), (12, 17)], [(0, 16)]),
    ],
)
def test_windows_by_hand(size, tile, overlap, rows, columns):
    expected = [(slice(*rows_of), slice(*columns_of)) for rows_of in rows for columns_of in columns]
    assert tiles.windows(size, tile, overlap, 4) == expected


def test_shares_of_tiles_fall_to_their_borders_inside_the_image():
    """By hand: with an overlap of 4 a fifth more at each pixel; with 20, the outer 4 count nothing."""
    share = tiles._share((slice(0, 12), slice(8, 20)), (20, 20), 4)
    np.testing.assert_allclose(share[0, :, 0], [0.2, 0.4, 0.6, 0.8, *[1.0] * 8], rtol=1e-6)
    np.testing.assert_allclose(share[:, -1, 0], [*[1.0] * 8, 0.8, 0.6, 0.4, 0.2], rtol=1e-6)
    assert share[11, 0] == pytest.approx(0.04) and share.dtype == np.float32
    share = tiles._share((slice(20, 80), slice(0, 5)), (80, 5), 20)
    rises = [1e-12, 1e-12, 1e-12, 1e-12, *(n / 17 for n in range(1, 17))]
    np.testing.assert_allclose(share[:20, 0, 0], rises, rtol=1e-6, atol=1e-9)
    assert (share[20:, 0] == 1.0).all()
    assert tiles._share((slice(0, 9), slice(1, 5)), (9, 5), 0)[4, :, 0].tolist() == [1.0] * 4  # no overlap, no ramp


@pytest.fixture
def warned(monkeypatch):
    warned = []
    monkeypatch.setattr(tiles.logging, "warning", warned.append)
    return warned


@pytest.mark.parametrize(
    ("tile", "overlap", "field", "own"),
    [
        (81, None, 41.0, 40),  # half of the field are 21, which 16 are added to, and 40 is divided by 4
        (61, None, 1.0, 20),
        (96, 20, 39.0, 20),  # exactly half of the field
        (96, 21, 41.0, 24),
        (96, 24, 41.0, 24),
        (49, 24, 41.0, 24),
    ],
)
def test_tiles_overlap_by_half_of_the_receptive_field_and_by_what_is_blended(tile, overlap, field, own, warned):
    assert tiles._overlap(small.Pointwise(), tile, overlap, field) == own and warned == []


def test_overlaps_that_are_too_small_are_warned_of(warned):
    assert tiles._overlap(small.Pointwise(), 96, 20, 41.0) == 20
    assert warned == [
        "warning: tiles overlap by 20 pixels, less than the 21 pixels of the receptive field on each side: seams may"
        " show. Use --tile_overlap auto to avoid them."
    ]
    assert tiles._overlap(small.Pointwise(), 96, 0, 41.0) == 0 and len(warned) == 2


@pytest.mark.parametrize(
    ("tile", "overlap", "field", "message"),
    [
        (
            41,
            None,
            41.0,
            "--tile 41 is smaller than the receptive field of these generators, 41 pixels (U-Nets see the whole image)."
            " Use a larger tile, or a ResNet, or leave out --tile.",
        ),
        (42, None, 41.0, "--tile 42 is too small for overlaps of 40 pixels on each side. Use a larger tile."),
        (80, None, 41.0, "--tile 80 is too small for overlaps of 40 pixels on each side. Use a larger tile."),
        (48, 24, 41.0, "--tile 48 is too small for overlaps of 24 pixels on each side. Use a larger tile."),
    ],
)
def test_tiles_that_are_too_small_are_refused(tile, overlap, field, message):
    with pytest.raises(UserError) as error:
        tiles._overlap(small.Pointwise(), tile, overlap, field)
    assert str(error.value) == message


@pytest.fixture
def measured(monkeypatch):
    """A function that returns what statistics are taken of, where 4,096 pixels are taken as they are."""
    monkeypatch.setattr(tiles, "WHOLE", 4096)
    translator = types.SimpleNamespace(dual=small.Pointwise(), _copies_announced=False)
    return functools.partial(TiledTranslator._to_measure, translator)


def test_statistics_are_of_the_image_up_to_a_size_and_of_means_beyond(measured, warned):
    within, beyond = RANDOM.integers(0, 256, [64, 64, 3], np.uint8), RANDOM.integers(0, 256, [66, 70, 3], np.uint8)
    assert measured(within) is within and warned == []
    means = beyond[:64, :64].reshape(32, 2, 32, 2, 3).astype(float).mean(axis=(1, 3))
    np.testing.assert_array_equal(measured(beyond), np.rint(means).astype(np.uint8))
    floats = (beyond / 255).astype(np.float32)
    np.testing.assert_allclose(measured(floats), means / 255, rtol=1e-5)
    assert measured(floats).dtype == np.float32
    assert warned == [
        "The statistics of norms come from smaller copies, as the images have more than 4,096 pixels."
    ]  # once


def test_a_megapixel_is_measured_itself(warned):
    translator = types.SimpleNamespace(dual=small.Pointwise(), _copies_announced=False)
    megapixel = np.zeros([1024, 1024, 1], np.uint8)
    assert TiledTranslator._to_measure(translator, megapixel) is megapixel
    assert TiledTranslator._to_measure(translator, np.zeros([1024, 1025, 1], np.uint8)).shape == (512, 512, 1)
    assert warned == [
        "The statistics of norms come from smaller copies, as the images have more than 1,048,576 pixels."
    ]


def test_statistics_of_label_maps_are_of_the_middle_of_blocks(measured):
    """9 times as many pixels as are taken become blocks of 3, and a few more blocks of 4."""
    labels = RANDOM.integers(0, 256, [192, 193, 1], np.uint8)
    np.testing.assert_array_equal(measured(labels, True), labels[2:192:4, 2:192:4])
    np.testing.assert_array_equal(measured(labels[:, :192], True), labels[1:192:3, 1:192:3])


def test_a_narrow_image_is_not_averaged_across(measured):
    """Its side stays at least the smallest that the networks take."""
    narrow = RANDOM.integers(0, 256, [4, 4096, 3], np.uint8)
    means = narrow.reshape(4, 2048, 2, 3).astype(float).mean(axis=2)
    np.testing.assert_array_equal(measured(narrow), np.rint(means).astype(np.uint8))
