"""The stream of files through a network: order, batches, failures, progress, and what an output cannot hold."""

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from common import progress
from common import tensorflow as tf
from common.errors import UserError
from common.images import files
from common.images.pixels import ON_EARTH, Domain, Image, Place
from common.translate import pipeline
from common.translate.jobs import Translation

TAGS = ((33550, 12, 3, (10.0, 10.0, 0.0)),)
RANDOM = np.random.default_rng(0)


class Network:
    """A translator that remembers what it was given, and has its trouble with some heights."""

    def __init__(self, channels=3, **troubles):
        self.channels, self.troubles, self.calls = channels, troubles, []

    def source(self, direction):
        return Domain(self.channels)

    def __call__(self, direction, images, output_size, first):
        self.calls.append((direction, images.shape, output_size, first))
        if error := self.troubles.get(f"at_{images.shape[1]}"):
            raise error
        return 255 - images


class Bar:
    """A progress bar that remembers what it was told."""

    def __init__(self, told, **options):
        self.told = told
        told.append(options)

    def update(self, count=1):
        self.told.append(count)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.told.append("closed")


@pytest.fixture
def told(monkeypatch):
    told = []
    monkeypatch.setattr(progress, "bar", lambda **options: Bar(told, **options))
    return told


@pytest.fixture
def inbox(tmp_path):
    """Pictures of 5, 5, 6, 5 and 7 pixels in height, and a damaged file."""
    for number, height in enumerate((5, 5, 6, 5, 7)):
        files.write(tmp_path / "in" / f"{number}.png", np.full([height, 4, 3], number, np.uint8))
    (tmp_path / "in" / "5.png").write_bytes(b"no image")
    return tmp_path


def run(translator, folder, batch_size=1, **fields):
    options = Translation(input=str(folder / "in"), output=str(folder / "out"), **fields)
    return pipeline.translate(translator, "A2B", options.jobs(), options, batch_size)


def test_batches_are_numbered_by_their_first_image(inbox):
    network = Network()
    assert run(network, inbox, 2, output_size="9x8").written == 5
    assert network.calls == [
        ("A2B", (2, 5, 4, 3), (9, 8), 0),
        ("A2B", (1, 6, 4, 3), (9, 8), 2),
        ("A2B", (1, 5, 4, 3), (9, 8), 3),
        ("A2B", (1, 7, 4, 3), (9, 8), 4),
    ]
    for number in range(5):
        assert (files.decode(inbox / "out" / f"{number}.png").pixels == 255 - number).all()


def test_why_files_are_not_translated_is_said_with_their_names(inbox):
    of_tensorflow = tf.errors.ResourceExhaustedError(None, None, "Graph execution error:\n\nno room\nat length")
    network = Network(at_5=of_tensorflow, at_6=MemoryError(), at_7=UserError("The image is odd."))
    outcome = run(network, inbox)
    folder = inbox / "in"
    failed = dict(outcome.failed)
    assert failed.pop(folder / "5.png").startswith(f"{folder}/5.png cannot be read as an image")
    assert failed == {
        **{folder / f"{n}.png": f"{folder}/{n}.png: TensorFlow reports: no room." for n in (0, 1, 3)},
        folder / "2.png": f"{folder}/2.png: there is not enough memory for it.",
        folder / "4.png": f"{folder}/4.png: The image is odd.",
    }
    assert (outcome.written, outcome.skipped) == (0, 0)


def test_what_cannot_be_written_is_named_by_its_target(inbox):
    (inbox / "out" / "3.png").mkdir(parents=True)
    outcome = run(Network(), inbox)
    (path, sentence), _ = sorted(outcome.failed)
    assert outcome.written == 4 and path == inbox / "in" / "3.png"
    assert sentence.startswith(f"{inbox}/out/3.png")


def test_the_progress_counts_every_file_once(inbox, told):
    (inbox / "out").mkdir()
    (inbox / "out" / "3.png").touch()
    outcome = run(Network(at_6=MemoryError()), inbox, 2, skip_existing=True)
    assert (outcome.written, outcome.skipped, len(outcome.failed)) == (3, 1, 2)
    assert told[0] == {"total": 5, "desc": "A2B", "unit": "image"}
    assert sum(told[1:-1]) == 5 and told[-1] == "closed"


class Lazy:
    """An executor whose work is done when its result is asked for."""

    def __init__(self, kinds, count):
        assert count == 4
        self.kind = {"given": 0, "done": 0}
        kinds.append(self.kind)

    def submit(self, function, *args):
        self.kind["given"] += 1
        return LazyResult(self.kind, function, args)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None


class LazyResult:
    def __init__(self, kind, function, args):
        self.kind, self.work = kind, (function, args)

    def exception(self):
        self.kind["done"] += 1
        function, args = self.work
        self.value = function(*args)

    def result(self):
        return self.value


def test_few_images_are_read_ahead_and_wait_to_be_written(tmp_path, monkeypatch):
    """There is room for three of them, and for one as long as their size is unknown."""
    for number in range(8):
        files.write(tmp_path / "in" / f"{number}.png", np.full([5, 4, 3], number, np.uint8))
    kinds, seen = [], []
    monkeypatch.setattr(pipeline, "ROOM", 3 * 60)  # bytes
    monkeypatch.setattr(pipeline.concurrent.futures, "ThreadPoolExecutor", lambda count: Lazy(kinds, count))

    class Watched(Network):
        def __call__(self, *arguments):
            readers, writers = kinds
            seen.append((readers["given"], writers["given"] - writers["done"]))
            return super().__call__(*arguments)

    assert run(Watched(), tmp_path).written == 8
    assert seen == [(4, 0), (5, 1), (6, 2), (7, 2), (8, 2), (8, 2), (8, 2), (8, 2)]  # a group ends with the next image


def test_formats_that_change_are_counted(inbox):
    (inbox / "in" / "5.png").unlink()
    Pillow.new("RGB", (4, 5)).save(inbox / "in" / "6.jpg")
    deep = Network()
    deep.target = lambda direction: Domain(3, "uint16")
    options = Translation(input=str(inbox / "in"), output=str(inbox / "out"))
    jobs = options.jobs(domain=Domain(3, "uint16"))
    outcome = pipeline.translate(deep, "A2B", jobs, options)
    assert outcome.changed == {".jpg as .png": 1} and outcome.lost == {}


def test_transparency_is_kept_or_dropped_as_asked(tmp_path):
    files.write(tmp_path / "in" / "0.png", np.full([5, 4, 3], 9, np.uint8), np.full([5, 4, 1], 128, np.uint8))
    for alpha, mode in (("keep", "RGBA"), ("drop", "RGB")):
        run(Network(), tmp_path, alpha=alpha)
        with Pillow.open(tmp_path / "out" / "0.png") as written:
            assert written.mode == mode
    outcome = run(Network(), tmp_path, format="jpg")
    assert outcome.lost == {"transparency": 1} and (tmp_path / "out" / "0.jpg").exists()


@pytest.mark.parametrize(
    ("suffix", "size", "lost"),
    [
        (".tif", (6, 8), []),
        (".TIFF", (6, 8), []),
        (".tif", (3, 8), [ON_EARTH, "resolution"]),
        (".tif", (6, 4), [ON_EARTH, "resolution"]),
        (".png", (6, 8), [ON_EARTH]),
        (".png", (3, 4), [ON_EARTH, "resolution"]),
        (".npy", (6, 8), [ON_EARTH, "resolution", "transparency"]),
        (".jpg", (6, 8), [ON_EARTH, "transparency"]),
    ],
)
def test_what_a_format_or_a_size_cannot_hold_is_named(tmp_path, suffix, size, lost):
    output, alpha = RANDOM.integers(0, 256, [6, 8, 3], np.uint8), np.full([*size, 1], 255, np.uint8)
    image = Image(output, alpha, Place(TAGS, (300.0, 300.0), ("GDAL_NODATA",)))
    path = tmp_path / f"0{suffix}"
    assert pipeline.write_image(path, image, size, 95) == ["GDAL_NODATA", *lost]
    if suffix.lower().startswith(".tif"):
        with tifffile.TiffFile(path) as written:
            assert (33550 in written.pages.first.tags) == (ON_EARTH not in lost)
    assert pipeline.write_image(tmp_path / f"1{suffix}", Image(output), size, 95) == []


def test_transparency_has_the_size_and_the_range_of_the_output(tmp_path):
    """A half that is transparent stays one; 255 of 8 bits are 65535 of 16."""
    alpha = np.repeat(np.uint8([[[0]], [[255]]]), 2, axis=1)  # the upper row is transparent
    image = Image(np.zeros([8, 4, 3], np.uint16), alpha)
    assert pipeline.write_image(tmp_path / "0.png", image, (2, 2), 95) == []
    written = files.decode(tmp_path / "0.png")
    assert written.alpha.shape == (8, 4, 1) and written.alpha.dtype == np.uint16
    assert (written.alpha[:2] == 0).all() and (written.alpha[-2:] == 65535).all()
    assert (np.diff(written.alpha[:, 0, 0].astype(int)) >= 0).all()


def test_quality_is_that_of_the_output(tmp_path):
    image = Image(RANDOM.integers(0, 256, [64, 64, 3], np.uint8))
    for quality in (10, 95):
        pipeline.write_image(tmp_path / f"{quality}.jpg", image, (64, 64), quality)
    assert (tmp_path / "10.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size / 2


@pytest.mark.parametrize(
    ("lost", "clause"),
    [
        ("GDAL_NODATA", "GDAL_NODATA, which describes the values of the input"),
        ("transparency", "transparency, which its format or its size cannot hold"),
    ],
)
def test_why_something_is_lost_is_said(lost, clause):
    assert pipeline.loss(lost) == clause


@pytest.mark.parametrize(("channels", "has_alpha"), [(3, True), (4, False)])
def test_transparency_is_a_channel_where_the_network_has_one(channels, has_alpha):
    image = Image(np.zeros([2, 2, 3], np.uint8), np.full([2, 2, 1], 7, np.uint8))
    converted = pipeline.of_domain(image, Domain(channels), "x.png")
    assert converted.pixels.shape == (2, 2, channels) and (converted.alpha is not None) == has_alpha


def test_a_note_on_a_file_is_logged(tmp_path, capsys):
    with tifffile.TiffWriter(tmp_path / "0.tif") as writer:
        for _ in range(3):
            writer.write(np.zeros([8, 8, 3], np.uint8), photometric="rgb", metadata=None)
    pipeline.read_image(tmp_path / "0.tif", Domain(), pipeline.Notices())
    assert f"warning: {tmp_path}/0.tif has 3 pages, of which only the first is read" in capsys.readouterr().err


def test_several_images_wait_at_once_but_few_large_ones(monkeypatch):
    """Of the bytes of eight images, at most, and never less than one image."""
    monkeypatch.setattr(pipeline, "ROOM", 800)
    assert [pipeline._capacity(size) for size in (1, 99, 100, 101, 266, 267, 800, 801)] == [8, 8, 8, 7, 3, 2, 1, 1]
