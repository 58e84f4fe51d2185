"""Any image in, the same kind of image out: sizes, modes, types and formats of a person's own files."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from common.errors import UserError
from common.images import files
from common.images.pixels import Domain
from common.translate import Translator
from common.translate.jobs import Translation
from common.translate.pipeline import translate
from cyclegan import CycleGAN
from flags import command as command_line
from tests import small

RANDOM = np.random.default_rng(0)
TARGETS = {  # of the runs below, by name: type and channels of B, and the range
    "rgb": ("uint8", 3, (0, 255)),
    "gray": ("uint8", 1, (0, 255)),
    "depth": ("uint16", 1, (300, 5000)),
    "bands": ("float32", 5, (-1.0, 2.5)),
}
SUFFIX = {"rgb": "{}", "gray": "{}", "depth": ".png", "bands": ".tif"}  # of what is made of a .jpg


def drawn(height, width, channels, dtype="uint8", low=0, high=255):
    values = RANDOM.uniform(low, high, [height, width, channels])
    values.flat[:2] = low, high
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else np.rint(values).astype(dtype)


@pytest.fixture(scope="module")
def translators(tmp_path_factory):
    """{name: Translator}: A is RGB of 8 bits, B as TARGETS says."""
    root, opened = tmp_path_factory.mktemp("any"), {}
    for name, (dtype, channels, limits) in TARGETS.items():
        small.untrained(root / f"run-{name}", small.Pointwise(channels_B=channels), B=Domain(channels, dtype, *limits))
        opened[name] = Translator(str(root / f"run-{name}"))
    yield opened
    for translator in opened.values():
        translator.close()


def to_files(translator, direction, folder, **more):
    """What translating a folder gives: ({path: Image}, Outcome)."""
    options = Translation(input=str(folder / "in"), output=str(folder / "out"), recursive=True, **more)
    outcome = translate(translator, direction, options.jobs(domain=translator.target(direction)), options)
    paths = sorted(path for path in (folder / "out").rglob("*") if path.is_file())
    return {str(path.relative_to(folder / "out")): files.decode(path) for path in paths}, outcome


def test_thermal_images_of_many_sizes_become_rgb(tmp_path, translators):
    """Gray JPEG, each of its own size, some in folders, through a run from gray to RGB: the other way of `gray`."""
    sizes = [(int(height), int(width)) for height, width in RANDOM.integers(11, 90, [12, 2])]
    for number, size in enumerate(sizes):
        files.write(tmp_path / "in" / ("FLIR" if number % 2 else ".") / f"video_{number:05d}.jpg", drawn(*size, 1))
    images, outcome = to_files(translators["gray"], "B2A", tmp_path)
    assert (outcome.written, outcome.failed) == (12, [])
    expected = {f"{'FLIR/' if n % 2 else ''}video_{n:05d}.jpg": (*size, 3) for n, size in enumerate(sizes)}
    assert {name: image.pixels.shape for name, image in images.items()} == expected
    assert {image.pixels.dtype for image in images.values()} == {np.dtype("uint8")}


@pytest.mark.parametrize("name", TARGETS)
def test_rain_in_photographs_of_one_size(tmp_path, translators, name):
    """RGB of one size to every kind of target: its channels, type and range, and a format that holds them."""
    for number in range(3):
        files.write(tmp_path / "in" / f"rain-{number}.png", drawn(33, 50, 3))
    files.write(tmp_path / "in" / "photo.v2.jpg", drawn(20, 21, 3))
    images, _ = to_files(translators[name], "A2B", tmp_path)
    dtype, channels, (low, high) = TARGETS[name]
    suffix = ".tif" if name == "bands" else ".png"
    assert sorted(images) == [f"photo.v2{SUFFIX[name].format('.jpg')}", *(f"rain-{n}{suffix}" for n in range(3))]
    for path, image in images.items():
        assert image.pixels.shape == (*((20, 21) if path.startswith("photo") else (33, 50)), channels)
        assert image.pixels.dtype == dtype and low <= image.pixels.min() and image.pixels.max() <= high


MODES = {  # of 8 bits, by Pillow's names: the formats that hold them, and whether they have an alpha
    "1": ((".png", ".bmp", ".tif"), False),
    "L": ((".png", ".jpg", ".bmp", ".tif"), False),
    "LA": ((".png",), True),
    "P": ((".png", ".bmp", ".tif"), False),
    "RGB": ((".png", ".jpeg", ".bmp", ".tiff", ".webp"), False),
    "RGBA": ((".png", ".tif", ".webp"), True),
    "CMYK": ((".jpg", ".tif"), False),
}
by_pillow = st.sampled_from([(mode, suffix) for mode, (suffixes, _) in MODES.items() for suffix in suffixes])
TYPES = [("uint16", ".png"), ("uint16", ".tif"), ("float32", ".tif"), ("float64", ".npy"), ("uint8", ".npy")]
deep = st.tuples(st.sampled_from(TYPES), st.sampled_from([1, 3]))
sides = st.integers(1, 45)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.one_of(by_pillow, deep), height=sides, width=sides, run=st.sampled_from(sorted(TARGETS)))
def test_shape_type_name_and_alpha_of_every_kind(tmp_path_factory, translators, kind, height, width, run):
    """Size x mode x type x format: what comes out has the size, name and alpha of the input, and the rest of B."""
    folder = tmp_path_factory.mktemp("kind")
    (folder / "in" / "a.b").mkdir(parents=True)
    if isinstance(kind[0], str):
        (mode, suffix), with_alpha = kind, MODES[kind[0]][1]
        path = folder / "in" / "a.b" / f"c.d{suffix}"
        rgba = Image.fromarray(drawn(height, width, 4))
        rgba.convert("RGBA" if with_alpha else "RGB").convert(mode).save(path)
    else:
        ((dtype, suffix), channels), with_alpha = kind, False
        path = folder / "in" / "a.b" / f"c.d{suffix}"
        greatest = 1 if dtype.startswith("float") else np.iinfo(dtype).max
        files.write(path, drawn(height, width, channels, dtype, 0, greatest))
    images, outcome = to_files(translators[run], "A2B", folder)
    dtype, channels, (low, high) = TARGETS[run]
    fits = {
        "uint8": True,
        "uint16": suffix in (".png", ".tif", ".npy"),
        "float32": suffix in (".tif", ".tiff", ".npy"),
    }[dtype]
    expected = suffix if fits else {"uint16": ".tif" if suffix == ".tiff" else ".png", "float32": ".tif"}[dtype]
    expected = ".tiff" if suffix == ".tiff" else expected
    ((name, image),) = images.items()
    assert outcome.written == 1 and name == f"a.b/c.d{expected}"
    shown = 3 if suffix == ".webp" and expected == ".webp" else channels  # it holds no gray
    assert (image.pixels.shape, image.pixels.dtype) == ((height, width, shown), dtype)
    assert (image.alpha is not None) == with_alpha
    if isinstance(kind[0], str) and not with_alpha and expected not in (".jpg", ".jpeg", ".webp"):
        as_pillow_has_it = np.asarray(Image.open(path).convert("RGB"))
        expected_pixels = translators[run]("A2B", as_pillow_has_it).astype(float)
        assert np.abs(image.pixels - expected_pixels).max() <= (high - low) * 0.02
    if expected not in (".jpg", ".jpeg", ".webp"):
        assert low <= image.pixels.min() and image.pixels.max() <= high


def test_transparency_is_that_of_the_input(tmp_path, translators):
    alpha = drawn(20, 30, 1)
    for suffix in (".png", ".tif"):
        files.write(tmp_path / "in" / f"x{suffix}", drawn(20, 30, 3), alpha)
    files.write(tmp_path / "in" / "flat.png", np.full([20, 30, 3], 9, np.uint8), np.full([20, 30, 1], 255, np.uint8))
    images, _ = to_files(translators["rgb"], "A2B", tmp_path)
    for name in ("x.png", "x.tif"):
        np.testing.assert_array_equal(images[name].alpha, alpha)
    deep, _ = to_files(translators["depth"], "A2B", tmp_path)
    np.testing.assert_array_equal(deep["x.png"].alpha, alpha.astype(np.uint16) * 257)
    small, _ = to_files(translators["rgb"], "A2B", tmp_path, output_size="10x15")
    assert small["x.png"].alpha.shape == (10, 15, 1)
    halves = alpha.astype(float).reshape(10, 2, 15, 2, 1).mean(axis=(1, 3))
    assert np.abs(small["x.png"].alpha - halves).max() <= 1
    dropped, _ = to_files(translators["rgb"], "A2B", tmp_path, alpha="drop")
    assert dropped["x.png"].alpha is None


def test_transparency_that_a_format_does_not_hold_is_counted(tmp_path, translators):
    files.write(tmp_path / "in" / "x.png", drawn(20, 30, 3), drawn(20, 30, 1))
    files.write(tmp_path / "in" / "y.png", drawn(20, 30, 3))
    images, outcome = to_files(translators["rgb"], "A2B", tmp_path, format="jpg")
    assert sorted(images) == ["x.jpg", "y.jpg"]
    assert outcome[:4] == (2, 0, [], {"transparency": 1})


@pytest.fixture
def bad(tmp_path):
    """A folder of files that are no images for many reasons, and two that are."""
    folder = tmp_path / "in"
    files.write(folder / "good.png", drawn(20, 20, 3))
    whole = (folder / "good.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no image")
    (folder / "folder.png").mkdir()
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    tifffile.imwrite(folder / "bands.tif", drawn(20, 20, 7), photometric="minisblack", planarconfig="contig")
    np.save(folder / "depth.npy", drawn(20, 20, 1, "int16"))
    np.save(folder / "hole.npy", np.full([20, 20, 3], np.nan))
    other = os.fsencode(folder) + b"/caf\xe9.png"  # Latin-1
    with open(other, "wb") as file:
        file.write(whole)
    return tmp_path


def test_each_bad_file_is_a_sentence_and_the_others_are_translated(bad, translators):
    images, outcome = to_files(translators["rgb"], "A2B", bad)
    assert sorted(os.fsencode(name) for name in images) == [b"caf\xe9.png", b"good.png"]
    messages = {path.name: sentence for path, sentence in outcome.failed}
    assert tuple(sorted(messages)) == FAILED
    for name, sentence in messages.items():
        assert name in sentence and sentence.endswith(".") and "\n" not in sentence
    assert "has 7 channels, but 3 are needed" in messages["bands.tif"]
    assert "cannot be read as an image" in messages["cut.png"] and "cannot be read as an image" in messages["empty.png"]
    assert "its content is not in a supported format" in messages["text.png"]
    assert "has int16 values" in messages["depth.npy"] and "are not finite" in messages["hole.npy"]


FAILED = ("bands.tif", "cut.png", "depth.npy", "empty.png", "hole.npy", "text.png")


def flags_of(translator):
    return ["--phase", "translate", "--run_dir", translator.run_dir, "--direction", "A2B"]


def failed_by(line):
    """The names of the files at the end of a line of the command."""
    return tuple(sorted(line.rstrip(".").split(": ")[1].split(", ")))


def test_the_command_counts_what_failed(bad, translators, capsys):
    line = [*flags_of(translators["rgb"]), "--input", str(bad / "in"), "--output", str(bad / "out")]
    with pytest.raises(SystemExit) as ended:
        command_line.main(CycleGAN, ["main", *line])
    assert ended.value.code == 1
    printed = capsys.readouterr()
    last = printed.out.splitlines()[-1]
    assert last.startswith(f"2 written to {bad / 'out'}, 0 skipped, 6 failed: ") and failed_by(last) == FAILED
    assert sum(line.startswith("failed: ") for line in printed.err.splitlines()) == 6


def test_an_output_inside_the_input_is_refused(bad, translators):
    with pytest.raises(SystemExit, match="is inside --input"):
        line = [*flags_of(translators["rgb"]), "--input", str(bad / "in"), "--output", str(bad / "in" / "out")]
        command_line.main(CycleGAN, ["main", *line, "--recursive"])
    assert not (bad / "in" / "out").exists()


@pytest.mark.thorough
def test_the_process_says_by_its_exit_code_that_files_failed(bad, translators):
    """Also where neither the terminal nor the locale can hold the name of the output."""
    flags = flags_of(translators["rgb"])
    program = "import tests.small, cyclegan, flags.command; flags.command.main(cyclegan.CycleGAN)"
    command = [sys.executable, "-c", program, *flags, "--input", str(bad / "in"), "--output"]
    strict = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run([*command, os.fsencode(bad) + b"/\xe9"], capture_output=True, text=True, env=strict)
    assert done.returncode == 1
    last = done.stdout.splitlines()[-1]
    assert last.startswith("2 written to ") and "\\udce9, 0 skipped, 6 failed: " in last
    assert failed_by(last) == FAILED
    assert sum(line.startswith("failed: ") for line in done.stderr.splitlines()) == 6


def test_a_file_that_may_not_be_read_is_named(tmp_path):
    files.write(tmp_path / "secret.png", drawn(4, 4, 3))
    (tmp_path / "secret.png").chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # for the superuser there is no such file
    try:
        with pytest.raises(UserError, match=r"secret\.png cannot be read as an image \(Permission denied\)"):
            files.decode(tmp_path / "secret.png")
    finally:
        os.seteuid(before)


def test_formats_that_do_not_hold_what_is_made_are_refused_before_anything_is_written(tmp_path, translators):
    files.write(tmp_path / "in" / "x.jpg", drawn(9, 9, 3))
    with pytest.raises(UserError, match=r"\.jpg cannot store the output, which is uint16 with 1 channels\. Use \.png"):
        to_files(translators["depth"], "A2B", tmp_path, format="jpg")
    one = Translation(input=str(tmp_path / "in" / "x.jpg"), output=str(tmp_path / "out.webp"))
    with pytest.raises(
        UserError, match=r"\.webp cannot store the output, which is float32 with 5 channels\. Use \.tif"
    ):
        one.jobs(domain=translators["bands"].target("A2B"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_jpeg_of_higher_quality_is_nearer(tmp_path, translators):
    files.write(tmp_path / "in" / "x.png", drawn(64, 64, 3))
    exact = to_files(translators["rgb"], "A2B", tmp_path)[0]["x.png"].pixels.astype(float)
    errors = []
    for quality in (20, 60, 100):
        images, _ = to_files(translators["rgb"], "A2B", tmp_path, format="jpg", quality=quality)
        errors.append(np.abs(images["x.jpg"].pixels - exact).mean())
    assert errors[0] > errors[1] > errors[2]
