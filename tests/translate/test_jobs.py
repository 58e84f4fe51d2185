"""Files are taken in the order in which a person counts them, and each has a place for its translation."""

import pathlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.errors import UserError
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from common.translate.jobs import Job, Translation, natural

TEXTS = st.text("ab01239. /", max_size=12)


def test_frames_are_in_natural_order(tmp_path):
    for number in (1, 2, 10, 11, 100):
        (tmp_path / f"frame{number}.png").touch()
    for given_as in (tmp_path, tmp_path / "*.png"):
        jobs = Translation(input=str(given_as), output="out").jobs()
        assert [job.source.stem for job in jobs] == ["frame1", "frame2", "frame10", "frame11", "frame100"]


def test_digits_are_ordered_as_numbers():
    names = ["frame10.png", "frame2.png", "frame02.png", "frame.png", "a10b2", "a10b10", "a9"]
    expected = ["a9", "a10b2", "a10b10", "frame.png", "frame02.png", "frame2.png", "frame10.png"]
    assert sorted(names, key=natural) == expected


@hypothesis_settings(deadline=None)
@given(TEXTS, TEXTS)
def test_natural_order_is_that_of_texts_with_numbers_as_wide_as_any(one, other):
    def wide(text):
        return re.sub("[0-9]+", lambda digits: digits[0].zfill(12), text), text

    assert (natural(one) < natural(other)) == (wide(one) < wide(other))
    assert (natural(one) == natural(other)) == (one == other)


@hypothesis_settings(deadline=None)
@given(st.lists(st.integers(0, 10**30), unique=True))
def test_numbers_of_any_length_are_in_order(numbers):
    assert sorted((f"frame{n}.png" for n in numbers), key=natural) == [f"frame{n}.png" for n in sorted(numbers)]


def refusal(function, *args, **fields):
    with pytest.raises(UserError) as error:
        function(*args, **fields)
    return str(error.value)


@pytest.fixture
def inbox(tmp_path):
    """A folder of empty files, as nothing here reads them."""
    for name in ("in/a.png", "in/b.JPG", "in/c.gif", "in/sub/a.tiff", "in/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "lowest", "highest"), [("quality", 1, 100), ("tile", 0, None)], ids=["quality", "tile"]
)
def test_settings_have_limits(name, lowest, highest):
    assert getattr(Translation(**{name: lowest}), name) == lowest
    assert refusal(Translation, **{name: lowest - 1}).endswith(f"it must be at least {lowest}.")
    if highest:
        assert getattr(Translation(**{name: highest}), name) == highest
        assert refusal(Translation, **{name: highest + 1}).endswith(f"it must be at most {highest}.")


def test_what_is_done_if_nothing_is_said():
    options = Translation()
    assert (options.recursive, options.format, options.alpha, options.quality) == (False, "keep", "keep", 95)
    assert (options.output_size, options.tile, options.tile_overlap, options.suffix) == ("original", 0, "auto", "")
    assert (options.skip_existing, options.shard, options.input, options.output) == (False, "1/1", "", "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"output_size": "480"},
            "--output_size 480 is not a valid size: must be original, model, or HEIGHTxWIDTH such as 480x640.",
        ),
        (
            {"output_size": "178956971x1"},
            "--output_size 178956971x1 exceeds 178,956,970 pixels. Use a smaller size.",
        ),
        *(
            (
                {"suffix": f"a{sign}b"},
                f"--suffix {f'a{sign}b'!r} is not valid in a file name: it is inserted before the extension, such as"
                " _B.",
            )
            for sign in "/\\\0"
        ),
        ({"tile_overlap": "8"}, "--tile_overlap needs --tile."),
        (
            {"tile": 9, "tile_overlap": "-8"},
            "--tile_overlap -8 is not valid: must be auto or a number of pixels.",
        ),
    ],
)
def test_why_settings_are_refused(fields, message):
    assert refusal(Translation, **fields) == message


def test_the_largest_output_and_overlaps_in_pixels_are_accepted():
    assert Translation(output_size="178956970x1").size == (178_956_970, 1)
    assert Translation(output_size="480x640").size == (480, 640)
    assert Translation(output_size="model").size == "model" and Translation().size == "original"
    assert Translation(tile=9, tile_overlap="8").tile_overlap == "8"


def test_files_become_jobs_in_the_formats_that_hold_the_output(inbox):
    def targets(domain=EIGHT_BITS, **fields):
        jobs = Translation(input=str(inbox / "in"), output="out", **fields).jobs(domain=domain)
        return [(job.number, job.target.as_posix(), job.changed) for job in jobs]

    assert targets() == [(0, "out/a.png", False), (1, "out/b.JPG", False)]
    assert targets(recursive=True)[2] == (2, "out/sub/a.tiff", False)
    assert targets(Domain(3, "uint16")) == [(0, "out/a.png", False), (1, "out/b.png", True)]
    assert targets(Domain(2, "float32")) == [(0, "out/a.tif", True), (1, "out/b.tif", True)]
    assert targets(format="webp", suffix="_B") == [(0, "out/a_B.webp", False), (1, "out/b_B.webp", False)]


def test_files_of_a_pattern_keep_what_follows_its_fixed_part(inbox):
    jobs = Translation(input=str(inbox / "in/**/a*"), output="out").jobs()
    assert [job.target.as_posix() for job in jobs] == ["out/a.png", "out/sub/a.tiff"]
    (job,) = Translation(input=str(inbox / "in/c*"), output="out").jobs()
    assert (job.target.as_posix(), job.changed) == ("out/c.png", True)  # GIF is not written


def test_at_most_so_many_files_are_taken_as_asked(inbox):
    options = Translation(input=str(inbox / "in"), output="out", recursive=True)
    assert [len(options.jobs(limit)) for limit in (0, 1, 2, 3, 9)] == [3, 1, 2, 3, 3]


def test_one_file_is_written_to_a_file_or_into_a_folder(inbox):
    one, into = str(inbox / "in/a.png"), inbox / "folder.png"
    expected = Job(0, pathlib.Path(one), pathlib.Path("new/x.tif"), False)
    assert Translation(input=one, output="new/x.tif").jobs() == [expected]
    assert Translation(input=one, output="new/x.tif").folder == pathlib.Path("new")
    assert Translation(input=one, output="new").folder == pathlib.Path("new")
    into.mkdir()
    assert [job.target for job in Translation(input=one, output=str(into)).jobs()] == [into / "a.png"]
    assert Translation(input=one, output=str(into)).folder == into


@pytest.mark.parametrize(
    ("domain", "fields", "message"),
    [
        (
            EIGHT_BITS,
            {"output": "x.gif"},
            "--output x.gif has a format that cannot be written. Use a folder, or one of .jpg .jpeg .png .bmp .tif"
            " .tiff .webp .npy.",
        ),
        (
            EIGHT_BITS,
            {"output": "x.png", "suffix": "_B"},
            "--output x.png is a file name: leave out --suffix and --format.",
        ),
        (
            Domain(3, "uint16"),
            {"output": "x.JPG"},
            ".JPG cannot store the output, which is uint16 with 3 channels. Use .png.",
        ),
        (
            Domain(2, "float32"),
            {"output": "x", "format": "png"},
            ".png cannot store the output, which is float32 with 2 channels. Use .tif.",
        ),
        (
            Domain(1, classes=Classes.of(np.uint8([[3], [7]]), np.uint8([[255, 0, 0], [0, 0, 255]]))),
            {"output": "x.jpg"},
            ".jpg cannot store the output, which is label maps, without loss. Use .png.",
        ),
    ],
)
def test_why_outputs_are_refused(inbox, domain, fields, message):
    assert refusal(Translation(input=str(inbox / "in/a.png"), **fields).jobs, domain=domain) == message


def test_a_folder_may_be_named_like_a_format(inbox):
    (inbox / "x.gif").mkdir()
    (job, _) = Translation(input=str(inbox / "in"), output=str(inbox / "x.gif")).jobs()
    assert job.target == inbox / "x.gif" / "a.png"


def test_why_inputs_are_refused(inbox):
    folder, sub = inbox / "in", inbox / "in/sub"
    message = refusal(Translation(input=str(folder), output=str(sub), recursive=True).jobs)
    assert message == (
        f"--output {sub} is inside --input {folder}, so --recursive would translate its own output. Choose a different"
        " --output."
    )
    (inbox / "none").mkdir()
    (inbox / "none/x.txt").touch()
    message = refusal(Translation(input=str(inbox / "none"), output="out").refuse_missing)
    assert message == (
        f"No images in --input {inbox / 'none'}: expected a file, a folder with images (.jpg .jpeg .png .bmp .tif .tiff"
        " .webp .npy; --recursive includes subfolders), or a pattern that matches files. Passed over in"
        f" {inbox / 'none'}: 1 of the format .txt."
    )
    file = inbox / "in/a.png"
    message = refusal(Translation(input=str(folder), output=str(file)).jobs)
    assert message == f"--output {file} is a file, but several images need a folder. Use a folder."
    assert Translation(input=str(file), output="out").passed_over() == ""


def test_why_jobs_that_meet_are_refused(inbox):
    folder, out = inbox / "in", inbox / "out"
    (folder / "a.jpg").touch()
    message = refusal(Translation(input=str(folder), output=str(out), format="png").jobs)
    assert message == (
        f"{out}/a.png would be written twice, from {folder}/a.jpg and from {folder}/a.png. Rename one of them, or"
        " translate them to separate folders."
    )
    message = refusal(Translation(input=str(folder / "a*"), output=str(folder)).jobs)
    assert message.startswith("No images in --input")  # a pattern does not take up what was written
    message = refusal(Translation(input=str(folder), output=str(folder)).jobs)
    assert message == (
        f"{folder}/a.jpg is one of the input images, and would be overwritten by the translation of {folder}/a.jpg."
        " Choose a different --output."
    )


def test_only_files_that_exist_are_skipped(inbox):
    (inbox / "out/a.png").mkdir(parents=True)
    (inbox / "out/b.JPG").touch()
    fields = {"input": str(inbox / "in"), "output": str(inbox / "out")}
    jobs = Translation(**fields).jobs()
    assert Translation(**fields).remaining(jobs) == list(jobs)
    assert Translation(**fields, skip_existing=True).remaining(jobs) == [jobs[0]]
