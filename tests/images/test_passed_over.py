"""Whatever a folder holds is read, or counted by the reason for which it is not."""

import os
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.errors import UserError
from common.images import Images, files, folders, passed_over
from common.translate.jobs import Translation
from dualgan import DualGAN
from flags.command import main
from tests import small

OTHERS = (".heic", ".avif", ".gif", ".jp2", ".dcm")
MAKERS = {  # what can be in a folder, by name
    "a.png": lambda path: path.touch(),
    "b.JPG": lambda path: path.touch(),
    **{f"c{suffix}": lambda path: path.touch() for suffix in (*OTHERS, ".HEIC", ".x\x1b[31m", ". ")},
    "none": lambda path: path.touch(),
    ".hidden.png": lambda path: path.touch(),
    ".folder": lambda path: path.mkdir(),
    "folder.png": lambda path: path.mkdir(),
    "folder": lambda path: path.mkdir(),
    "dead.png": lambda path: path.symlink_to("nowhere"),
    "loop.tif": lambda path: path.symlink_to(path),
    "linked": lambda path: path.symlink_to(path.parent.parent, target_is_directory=True),
    "link.png": lambda path: path.symlink_to("/dev/null"),
    "pipe.png": lambda path: os.mkfifo(path),
}


def total(text):
    """The sum of the counts of a sentence; formats that are counted together stand first in their part."""
    return sum(int(re.match(r"[\d,]+", part)[0]) for part in text.split(", ") if part[:1].isdigit())


@hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(st.sampled_from(sorted(MAKERS))), below=st.sets(st.sampled_from(sorted(MAKERS))))
def test_everything_is_read_or_counted(tmp_path_factory, names, below):
    folder = tmp_path_factory.mktemp("folder") / "in"
    inner = folder / "inner"
    inner.mkdir(parents=True)
    for parent, entries in ((folder, names), (inner, below)):
        for name in entries:
            MAKERS[name](parent / name)
    entries = len(names) + 1
    assert len(folders.images_in(folder)) + total(passed_over.in_folder(folder)) == entries
    looked_into = {"folder", "folder.png"}  # with --recursive, and nothing is in them
    entries = len(names - looked_into) + len(below - looked_into)
    text = passed_over.in_folder(folder, recursive=True)
    assert len(folders.images_in(folder, recursive=True)) + total(text) == entries
    assert "\x1b" not in text


def test_reasons_are_named(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, make in MAKERS.items():
        make(folder / name)
    text = passed_over.in_folder(folder, cure="--recursive looks into them")
    for suffix in OTHERS[1:]:
        assert f"1 of the format {suffix}" in text
    assert "2 of the format .heic" in text  # and .HEIC
    assert "3 folders (--recursive looks into them)" in text
    assert "1 hidden file, 1 hidden folder, 2 broken links, 2 pipes or devices, 1 file without" in text
    text = passed_over.in_folder(folder, recursive=True)
    assert "1 linked folder, which is not followed" in text and "folders" not in text
    assert passed_over.in_folder(folder / "folder") == ""


def test_what_is_written_is_not_counted(tmp_path):
    (tmp_path / "in/out").mkdir(parents=True)
    (tmp_path / "in/a.heic").touch()
    asked = Translation(input=str(tmp_path / "in"), output=str(tmp_path / "in/out"))
    assert asked.passed_over() == f"Passed over in {tmp_path}/in: 1 of the format .heic."
    with pytest.raises(UserError, match=r"No images in --input .* Passed over in .*: 1 of the format .heic\."):
        asked.jobs()
    (tmp_path / "in/dead.png").symlink_to("nowhere")
    for pattern, text in {"*": "1 folder, 1 broken link", "**": "1 broken link"}.items():
        asked = Translation(input=str(tmp_path / "in" / pattern), output=str(tmp_path / "x"))
        assert asked.passed_over().endswith(f": {text}.")


def test_translate_counts_them_before_what_it_wrote(tmp_path, capsys):
    run_dir = small.untrained(tmp_path / "run", small.dualgan())
    files.write(tmp_path / "photos/a.png", np.zeros([32, 32, 3], np.uint8))
    for name in ("b.heic", "c.heic", "d.gif", ".e.png"):
        (tmp_path / "photos" / name).touch()
    (tmp_path / "photos/below").mkdir()
    line = f"main --phase translate --run_dir {run_dir} --direction A2B --input {tmp_path}/photos --output {tmp_path}/o"
    main(DualGAN, line.split())
    *_, others, written = capsys.readouterr().out.splitlines()
    assert written.startswith("1 written to ")
    assert others == (
        f"Passed over in {tmp_path}/photos: 2 of the format .heic, 1 of the format .gif, 1 folder (--recursive looks"
        " into them), 1 hidden file."
    )


def test_check_data_counts_them_in_every_folder(dataset, capsys):
    root = dataset(train_A=2, train_B=2, val_A=1, trainA=1)
    (root / "set/train/A/a.dcm").touch()
    (root / "set/train/B/below").mkdir()
    (root / "set/val/B").mkdir()
    (root / "set/val/B/b.avif").touch()
    with pytest.raises(SystemExit):  # as each image has one colour
        main(DualGAN, f"main --phase check_data --dataset set --data_root {root}".split())
    assert capsys.readouterr().out.splitlines()[-4:] == [
        f"Passed over in {root}/set/train/A: 1 of the format .dcm.",
        f"Passed over: {root}/set/trainA with 1 image, because {root}/set/train/A has images.",
        f"Passed over in {root}/set/train/B: 1 folder.",
        f"Passed over in {root}/set/val/B: 1 of the format .avif.",
    ]


def test_of_two_folders_and_of_halves_they_are_counted_too(dataset):
    root = dataset(train_A=2, train_B=2, train=1)
    (root / "set/train/B/x.gif").touch()
    A, B = (str(root / "set/train" / domain) for domain in "AB")
    assert Images(dir_A=A, dir_B=B).passed_over(small.dualgan()) == [f"Passed over in {B}: 1 of the format .gif."]
    halves = Images("set", data_root=str(root), side_by_side=True)
    assert halves.passed_over(small.dualgan()) == [f"Passed over in {root}/set/train: 2 folders."]


def test_an_error_of_a_folder_without_images_says_what_is_there(tmp_path):
    for domain in "AB":
        (tmp_path / domain).mkdir()
        (tmp_path / domain / f"{domain}.heic").touch()
    with pytest.raises(UserError, match=r"No images of A to train on: .*A has no images, but 1 of the format .heic"):
        Images(dir_A=str(tmp_path / "A"), dir_B=str(tmp_path / "B")).training_files(small.dualgan())
    (tmp_path / "dead").symlink_to("nowhere")
    with pytest.raises(UserError, match="dead is a broken link"):
        Images(dir_A=str(tmp_path / "dead"), dir_B=str(tmp_path / "B")).training_files(small.dualgan())


def test_the_commonest_formats_come_first_and_from_the_ninth_on_they_are_counted_together(tmp_path):
    eight = [tmp_path / f"{number}.f{format}" for format in range(8) for number in range(1 + 10 * (format == 7))]
    first = "11 of the format .f7, " + ", ".join(f"1 of the format .f{format}" for format in range(7))
    assert passed_over.counted(touched(eight)) == first
    assert passed_over.counted(touched([*eight, tmp_path / "a.g"])) == f"{first}, 1 of 1 other formats"
    others = touched([*eight, *(tmp_path / name for name in ("a.g", "a.h", "b.h"))])
    (tmp_path / "folder").mkdir()
    counted = passed_over.counted([*others, tmp_path / "folder"], cure="look")
    common = "11 of the format .f7, 2 of the format .h, " + ", ".join(f"1 of the format .f{n}" for n in range(6))
    assert counted == f"{common}, 2 of 2 other formats, 1 folder (look)"


def touched(paths):
    for path in paths:
        path.touch()
    return paths


def test_each_reason_has_a_singular_and_a_plural(tmp_path):
    for name, (one, several) in REASONS.items():
        make = MAKERS[name]
        folder = tmp_path / one.replace(" ", "-")
        folder.mkdir()
        prefix = "." if "hidden" in one else ""
        make(folder / f"{prefix}a{'' if 'without' in one else '.png'}")
        assert passed_over.in_folder(folder) == f"1 {one}"
        make(folder / f"{prefix}b{'' if 'without' in one else '.png'}")
        assert passed_over.in_folder(folder, cure="look") == f"2 {several}" + " (look)" * (one == "folder")
    for name in ("a", "b"):
        (tmp_path / "folder" / f"link-{name}").symlink_to(tmp_path, target_is_directory=True)
        counted = passed_over.in_folder(tmp_path / "folder", recursive=True)
        assert counted == f"{'1 linked folder' if name == 'a' else '2 linked folders'}, which " + (
            "is not followed" if name == "a" else "are not followed"
        )


REASONS = {
    "folder": ("folder", "folders"),
    ".hidden.png": ("hidden file", "hidden files"),
    ".folder": ("hidden folder", "hidden folders"),
    "dead.png": ("broken link", "broken links"),
    "pipe.png": ("pipe or device", "pipes or devices"),
    "none": ("file without an extension", "files without an extension"),
}


def test_what_is_below_hidden_and_linked_folders_is_not_counted(tmp_path):
    for folder in ("in", "in/.hidden", "in/below", "out"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.heic").touch()
    (tmp_path / "in/link").symlink_to(tmp_path / "out", target_is_directory=True)
    counted = "2 of the format .heic, 1 linked folder, which is not followed, 1 hidden folder"
    assert passed_over.in_folder(tmp_path / "in", recursive=True) == counted
    without = tmp_path / "in/../in/below"
    assert passed_over.in_folder(tmp_path / "in", recursive=True, without=without) == counted.replace("2", "1", 1)
    assert passed_over.in_folder(tmp_path / "in", without=without) == "1 of the format .heic, 1 folder, 1 hidden folder"
