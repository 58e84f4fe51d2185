"""A translation by tiles is that of the whole image."""

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
    with TiledTranslator(runs["resnet"], 256) as tiled, pytest.raises(UserError, match="does not scale images"):
        tiled("A2B", image(8, 8), (4, 4))
