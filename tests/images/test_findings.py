"""What the report on a dataset says, word for word."""

import collections
import pathlib

import pytest

from common.images import findings
from common.images.check_report import Finding, Part, Report, Source
from cyclegan import CycleGAN
from examples.semi_supervised import SemiSupervised
from pix2pix import Pix2Pix

A, B = ("train", "A"), ("train", "B")


def source(name, part=A, half=None):
    return Source(*part, pathlib.Path(name), half)


def part(images=2, sizes=None, channels=None, types=None, values=(0.0, 255.0)):
    counts = (sizes or {(8, 8): images}, channels or {3: images}, types or {"uint8": images})
    return Part(images, *map(collections.Counter, counts), values)


NONE = part(0, {}, {}, {}, None)


def text(parts=None, found=(), pairs=None, dual=None):
    """The blocks of the text, without the rows of problems that no file has."""
    parts = parts or {A: part(), B: part()}
    every = {name: parts.get(name, NONE) for name in (A, B, ("val", "A"), ("val", "B"))}
    printed = findings.text(Report(every, pairs or {"train": 2, "val": 0}, list(found)), dual or CycleGAN())
    blocks = printed.split("\n\n")
    rows = [line for line in blocks[1].split("\n") if set(line[44:].split()) != {"-"}]
    return [blocks[0], "\n".join(rows), *blocks[2:]]


def test_the_table_has_a_column_for_each_folder_that_has_images():
    sizes = {(8, 9): 1, (7, 8): 3, (6, 6): 1}
    parts = {A: part(1200, {(256, 320): 1200}, values=(-1.0, 0.1234567)), B: part(5, sizes, {3: 4, 1: 1}, None, None)}
    table, problems, *_ = text(parts)
    rows = [
        ("", "train A", "train B"),
        ("images", "1,200", "5"),
        ("height x width", "256x320", "7x8 +2"),
        ("channels", "3", "3 +1"),
        ("type of values", "uint8", "uint8"),
        ("lowest to highest", "-1 to 0.12346", "-"),
    ]
    assert table.split("\n") == [
        *(f"{label:20}{of_A:>15}{of_B:>15}" for label, of_A, of_B in rows),
        "+N: the most common value is shown, and N others occur.",
    ]
    assert problems == "files with a problem; -: none" + " " * 15 + "  train A  train B"


def test_the_legend_is_left_out_where_nothing_differs_and_dashes_stand_for_no_readable_image():
    table, *_ = text({A: part(3), B: Part(1, *([collections.Counter()] * 3), None)})
    assert [line.split()[-1] for line in table.split("\n")] == ["B", "1", "-", "-", "-", "-"]
    assert not table.endswith("occur.")


@pytest.mark.parametrize("field", ["sizes", "channels", "types"])
def test_the_legend_is_shown_if_any_of_the_counts_has_two_values(field):
    values = {"sizes": {(8, 8): 2, (9, 9): 1}, "channels": {1: 1, 3: 2}, "types": {"uint8": 2, "uint16": 1}}
    table, *_ = text({A: part(3, **{field: values[field]})})
    assert table.endswith("\n+N: the most common value is shown, and N others occur.")


def test_each_file_counts_once_in_the_row_of_its_kind_and_the_column_of_its_folder():
    twice = [Finding("small", True, (source("x"),)), Finding("small", True, (source("x"), source("y", B)))]
    more = [Finding("notes", False, tuple(source(str(number), B) for number in range(1234)))]
    _, problems, *_ = text(found=[*twice, *more])
    assert problems.split("\n")[1:] == [
        "too small for the crop" + " " * 22 + "        1        1",
        "not read whole: pages, profiles, no-data" + " " * 4 + "        -    1,234",
    ]


@pytest.mark.parametrize(
    ("dual", "use", "warned"),
    [
        (CycleGAN(), "training ignores pairs; scores of val need them", True),
        (Pix2Pix(), "training uses only pairs", False),
        (SemiSupervised(), "training uses pairs as pairs, and the other images unpaired", True),
    ],
)
def test_the_number_of_pairs_comes_with_their_use(dual, use, warned):
    lines = text({A: part(1500), ("val", "A"): part(3), ("val", "B"): part(3)}, (), {"train": 1200, "val": 3}, dual)[2]
    first, *others = lines.split("\n")
    assert first == f"Images of A with a partner in B: 1,200 of 1,500 in train; 3 of 3 in val ({use})."
    expected = (
        "They are counted as pairs because their names are equal: if they do not show the same scene, rename the files"
        " of one domain, or ignore PSNR, SSIM and l1."
    )
    assert others == [expected] * warned


def test_without_pairs_or_validation_images_both_are_said():
    lines = text({A: part(2), ("val", "A"): part(1)}, (), {"train": 0, "val": 0})[2].split("\n")
    shares = "0 of 2 in train; 0 of 1 in val (training ignores pairs; scores of val need them)."
    assert lines == [
        f"Images of A with a partner in B: {shares}",
        "No validation images of B: --phase test has none to translate.",
    ]
    assert text()[2].endswith("\nNo validation images of A and B: --phase test has none to translate.")


def test_errors_come_first_and_each_kind_has_a_heading_with_its_number_of_files():
    found = [
        Finding("small", False, (source("a"), source("b")), "a is small"),
        Finding("corrupt", True, (source("c"),), "c cannot be read"),
        Finding("small", False, (source("a"), source("d")), "d is small"),
        Finding("duplicate", True, (source("e"), source("f", half="B"))),
    ]
    assert text(found=found)[3:] == [
        "error, 1 file: not readable as an image\n  c cannot be read",
        "error, 2 files: the same pixels more than once in a folder: they weigh more than others\n  e = f (right)",
        "warning, 3 files: smaller than the crop that --preprocess crop takes\n  a is small\n  d is small",
        "2 kinds of errors, 1 kind of warning.",
    ]


@pytest.mark.parametrize(
    ("errors", "warnings", "expected"),
    [
        (0, 0, "no errors, no warnings: nothing prevents training."),
        (0, 2, "no errors, 2 kinds of warnings: nothing prevents training."),
        (1, 0, "1 kind of error, no warnings."),
        (2, 1, "2 kinds of errors, 1 kind of warning."),
    ],
)
def test_the_last_line_counts_kinds_of_findings(errors, warnings, expected):
    kinds = ["corrupt", "unfit", "small", "notes"]
    found = [Finding(kind, number < errors, (source("x"),), "x") for number, kind in enumerate(kinds)]
    assert text(found=found[: errors + warnings])[-1] == expected


@pytest.mark.parametrize(("count", "more"), [(10, []), (11, ["  and 1 more"]), (1510, ["  and 1,500 more"])])
def test_the_first_ten_findings_of_a_kind_are_listed(count, more):
    found = [Finding("corrupt", True, (source(str(number)),), f"no. {number}") for number in range(count)]
    lines = text(found=found)[3].split("\n")
    assert lines[1:] == [f"  no. {number}" for number in range(10)] + more


@pytest.mark.parametrize(("count", "more"), [(10, ""), (11, " and 1 more"), (1510, " and 1,500 more")])
def test_the_first_ten_of_equal_files_are_named(count, more):
    found = [Finding("both splits", True, tuple(source(str(number)) for number in range(count)))]
    assert text(found=found)[3].split("\n")[1:] == ["  " + " = ".join(map(str, range(10))) + more]


@pytest.mark.parametrize("kind", ["types", "channels", "sizes"])
@pytest.mark.parametrize(("images", "named"), [(4, True), (5, True), (3, False), (24, True)])
def test_files_of_a_mixed_folder_are_named_unless_they_are_more_than_half(kind, images, named):
    files = 2 if images < 24 else 12
    found = [Finding(kind, False, tuple(source(f"{number:02}", B) for number in range(files)), "2 of a, 1 of b")]
    lines = text({A: part(), B: part(images)}, found)[3].split("\n")[1:]
    names = [f"    {number:02}" for number in range(min(files, 10))] + ["    and 2 more"] * (files == 12)
    assert lines == ["  train B: 2 of a, 1 of b", *(names if named else [])]


def test_a_line_break_in_a_name_does_not_begin_a_line():
    found = [Finding("corrupt", True, (source("x"),), "a\nerror"), Finding("sizes", True, (source("b\nc"),), "two")]
    blocks = text(found=found)
    assert blocks[3].split("\n")[1:] == ["  a\\nerror"]
    assert blocks[4].split("\n")[1:] == ["  train A: two", "    b\\nc"]


def test_the_csv_has_a_row_for_each_file_and_a_number_for_each_finding(tmp_path):
    found = [
        Finding("duplicate", False, (source("a.png"), source("b,c.png", half="A"))),
        Finding("unfit", True, (source('d"e.png', ("val", "B")),), "it is odd, and\nlong"),
    ]
    report = Report({}, {}, found)
    expected = (
        "kind,level,group,split,domain,file,about\n"
        "duplicate,warning,1,train,A,a.png,\n"
        'duplicate,warning,1,train,A,"b,c.png",\n'
        'unfit,error,2,val,B,"d""e.png","it is odd, and\nlong"\n'
    )
    assert findings.csv_text(report) == expected
    findings.write(tmp_path / "new" / "one" / "found.csv", report)
    findings.write(tmp_path / "new" / "one" / "found.csv", report)
    assert (tmp_path / "new" / "one" / "found.csv").read_bytes() == expected.encode()
