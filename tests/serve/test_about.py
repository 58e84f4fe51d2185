"""What a page shows of a run, before it has a checkpoint, too."""

import types

import numpy as np
import pytest

from common.images import Images, files
from common.images.colours import Colours
from common.images.pixels import EIGHT_BITS
from common.serve import about, answers
from common.serve.validation import Example, Validation
from tests import serving, small


def test_the_facts_of_each_direction():
    """Of those of B there are no examples."""
    shown = {"A": Validation((Example(b"", ".png", b""),) * 3, Colours())}
    run = about.About("Model", ("A2B", "B2A"), {"A": EIGHT_BITS, "B": EIGHT_BITS}, (48, 64), ("cats", "dogs"), shown)
    first, second = run.facts("examples/7")
    assert {name: first[name] for name in ("name", "words", "examples")} == {
        **{"name": "A2B", "words": ["cats", "dogs"]},
        "examples": ["examples/7/A/0", "examples/7/A/1", "examples/7/A/2"],
    }
    assert {name: second[name] for name in ("name", "words", "examples")} == {
        **{"name": "B2A", "words": ["dogs", "cats"], "examples": []},
    }
    assert (first["drawing"]["height"], first["drawing"]["width"]) == (48, 64)
    assert [each["words"] for each in run._replace(words=None).facts("x")] == [None, None]


@pytest.mark.parametrize(("most", "count"), [(0, 0), (1, 1), (5, 3)])
def test_what_is_known_of_a_run(dataset, most, count):
    dual, images = small.dualgan(image_size="32x64"), Images("set", data_root=str(dataset(val_A=3, val_B=1)))
    saved = types.SimpleNamespace(dual=dual, images=images, domains={"A": EIGHT_BITS, "B": EIGHT_BITS})
    run = about.of_run(saved, most, has_report=True)
    assert (run.model, run.directions, run.sides, run.has_report) == ("DualGAN", ("A2B", "B2A"), (32, 64), True)
    assert run.summary == dual.summary != "" and run.domains == saved.domains
    assert [len(run.validation[name].examples) for name in "AB"] == [count, min(most, 1)]


def test_answers_have_the_media_types_of_their_formats():
    kinds = {".jpg": "jpeg", ".png": "png", ".webp": "webp", ".bmp": "bmp", ".tif": "tiff"}
    for suffix, kind in kinds.items():
        assert answers.Answer(b"", suffix).media == f"image/{kind}"
    assert answers.Answer(b"", ".npy").media == "application/octet-stream"


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (b"RIFF\0\0\0\0WEBP", ".webp"),
        (b"RIFF\0\0\0\0WAVE", ".png"),
        (b"RIFX\0\0\0\0WEBP", ".png"),
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"BM6", ".bmp"),
        (b"II*\0", ".tif"),
        (b"MM\0*", ".tif"),
        (b"II+\0", ".tif"),
        (b"\x93NUMPY", ".npy"),
        (b"GIF89a", ".png"),
        (b"xBM", ".png"),
    ],
)
def test_kinds_are_told_by_the_first_bytes(content, suffix):
    assert answers.kind(content) == suffix


def test_a_jpeg_is_answered_in_the_quality_of_translated_files(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, [32, 32, 3], np.uint8)
    files.write(tmp_path / "sent.jpg", pixels)
    sent = (tmp_path / "sent.jpg").read_bytes()
    answer = answers.answer(serving.Inverting(), "A2B", sent, types.SimpleNamespace(decode=files.decode))
    files.write(tmp_path / "expected.jpg", 255 - files.read(tmp_path / "sent.jpg"), quality=95)
    assert answer == answers.Answer((tmp_path / "expected.jpg").read_bytes(), ".jpg")
