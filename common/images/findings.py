"""The report that --phase check_data prints and writes: a table of the folders, and findings about their files."""

from __future__ import annotations

import collections
import csv
import io
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from common import atomic
from common.errors import in_one_line
from common.images.check_report import Finding, Part, Report, Source
from common.images.image_settings import ImageSettings

Value = TypeVar("Value")

NAMED = 10  # files of a kind, groups of equal files, or files of a mixed folder that are named
LABELS = {  # by kind: in the table, and above the list of files
    "corrupt": ("not readable as an image", "not readable as an image"),
    "types": ("of another type than most", "another type of values than most of the folder"),
    "channels": ("of other channels than most", "other channels than most of the folder"),
    "sizes": ("of another size than most", "another size than most of the folder"),
    "unfit": ("unfit: type or channels do not fit training", "cannot become an image of its domain"),
    "classes": ("labels: values that belong to no class", "values that belong to no class of the label maps"),
    "small": ("too small for the crop", "smaller than the crop that --preprocess crop takes"),
    "both domains": ("same pixels in A and in B", "the same pixels in A and in B"),
    "both splits": (
        "same pixels in train and in val",
        "the same pixels in train and in val: scores would measure training images",
    ),
    "unmatched": (
        "no partner of the same name",
        "no partner: the other domain has no file of the same name, ignoring extensions",
    ),
    "ambiguous": (
        "same name as another file of the folder",
        "the same name in one folder, ignoring extensions and forms of accents: only one of them is paired",
    ),
    "pair sizes": ("pairs whose crops show different parts", "pairs whose crops do not show the same part"),
    "duplicate": (
        "same pixels twice in the folder",
        "the same pixels more than once in a folder: they weigh more than others",
    ),
    "constant": ("near-constant: hardly more than one colour", "hardly more than one colour"),
    "outliers": (
        "outliers: values far from all others",
        "values far from all others, which determine the range mapped to [-1, 1]",
    ),
    "scale": (
        "another range of values than training images",
        "another range of values than the training images: to the networks they look dark or flat",
    ),
    "notes": (
        "not read whole: pages, profiles, no-data",
        "further pages or frames, colour profiles or no-data values, which are not used",
    ),
}
OF_FOLDERS = ("types", "channels", "sizes")  # kinds whose findings concern all images of a folder
COLUMNS = ("kind", "level", "group", "split", "domain", "file", "about")


def text(report: Report, dual: ImageSettings) -> str:
    """The text of a Report for `dual`: a table, the pairs, the files of each kind of findings, and a summary."""
    by_level = sorted(report.findings, key=lambda finding: not finding.error)  # errors first, each in its order
    kinds = itertools.groupby(by_level, key=lambda finding: (finding.error, finding.kind))
    of_kinds = [(error, kind, list(findings)) for (error, kind), findings in kinds]
    named = [_named(report.parts, error, kind, findings) for error, kind, findings in of_kinds]
    return "\n\n".join([_table(report), _pairs(report, dual), *named, _summary([error for error, *_ in of_kinds])])


def csv_text(report: Report) -> str:
    """All files of all findings as CSV, a row each; the files of one finding share a group number."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    for group, finding in enumerate(report.findings, 1):
        for source in finding.sources:
            rows.writerow([finding.kind, _level(finding.error), group, *source.part, source.path, finding.about])
    return written.getvalue()


def write(path: str | os.PathLike[str], report: Report) -> None:
    """Writes `csv_text` to a file; creates its folder."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, csv_text(report))


def _table(report: Report) -> str:
    """What the folders hold, and below it how many of their files have a problem of each kind."""
    parts = {name: part for name, part in report.parts.items() if part.images}
    names = [" ".join(name) for name in parts]
    contents = {
        "": names,
        "images": [f"{part.images:,}" for part in parts.values()],
        "height x width": [_common(part.sizes, lambda size: "x".join(map(str, size))) for part in parts.values()],
        "channels": [_common(part.channels) for part in parts.values()],
        "type of values": [_common(part.types) for part in parts.values()],
        "lowest to highest": [_range(part.values) for part in parts.values()],
    }
    problems = {"files with a problem; -: none": names}
    for kind, (label, _) in LABELS.items():
        counts = [len(_sources(report.findings, kind, name)) for name in parts]
        problems[label] = [f"{count:,}" if count else "-" for count in counts]
    differ = any(len(counts) > 1 for part in parts.values() for counts in (part.sizes, part.channels, part.types))
    legend = "\n+N: the most common value is shown, and N others occur." if differ else ""
    return f"{_rows(contents, 20, 15)}{legend}\n\n{_rows(problems, 44, 9)}"


def _rows(rows: Mapping[str, Sequence[str]], first: int, others: int) -> str:
    """Lines of a label and its cells, in columns of these widths."""
    return "\n".join(
        f"{label:<{first}}" + "".join(f" {cell:>{others - 1}}" for cell in cells) for label, cells in rows.items()
    )


def _common(counts: collections.Counter[Value], show: Callable[[Value], str] = str) -> str:
    """The value that most images have, and +N if there are N other values."""
    if not counts:
        return "-"
    others = f" +{len(counts) - 1:,}" if len(counts) > 1 else ""
    return show(counts.most_common(1)[0][0]) + others


def _range(values: tuple[float, float] | None) -> str:
    return "-" if values is None else " to ".join(f"{value:.5g}" for value in values)


def _sources(findings: Iterable[Finding], kind: str, part: tuple[str, str] | None = None) -> list[Source]:
    """The files with findings of a kind, in one part or in all, without duplicates."""
    of_kind = (source for finding in findings if finding.kind == kind for source in finding.sources)
    return list(dict.fromkeys(source for source in of_kind if part in (None, source.part)))


def _pairs(report: Report, dual: ImageSettings) -> str:
    """The number of images with a partner, and how the method uses the pairs."""
    counts = {split: (pairs, report.parts[split, "A"].images) for split, pairs in report.pairs.items()}
    shares = "; ".join(f"{pairs:,} of {images:,} in {split}" for split, (pairs, images) in counts.items() if images)
    use = {
        "none": "training ignores pairs; scores of val need them",
        "all": "training uses only pairs",
        "some": "training uses pairs as pairs, and the other images unpaired",
    }[dual.pairing]
    lines = [f"Images of A with a partner in B: {shares} ({use})."]
    if any(report.pairs.values()) and dual.pairing != "all":
        lines.append(
            "They are counted as pairs because their names are equal: if they do not show the same scene, rename the"
            " files of one domain, or ignore PSNR, SSIM and l1."
        )
    if empty := [domain for domain in "AB" if not report.parts["val", domain].images]:
        lines.append(f"No validation images of {' and '.join(empty)}: --phase test has none to translate.")
    return "\n".join(lines)


def _named(parts: dict[tuple[str, str], Part], error: bool, kind: str, findings: Sequence[Finding]) -> str:
    """A heading with the number of files, and below it the files."""
    files = len(_sources(findings, kind))
    lines = [f"{_level(error)}, {files:,} {'file' if files == 1 else 'files'}: {LABELS[kind][1]}"]
    if kind in OF_FOLDERS:
        return "\n".join(lines + [line for finding in findings for line in _mix(parts, finding)])
    lines += _at_most([f"  {finding.about or _equal(finding.sources)}" for finding in findings])
    return "\n".join(lines)


def _mix(parts: dict[tuple[str, str], Part], finding: Finding) -> Iterator[str]:
    """The counts of a folder, and the files that differ, unless most do."""
    part = finding.sources[0].part
    yield f"  {' '.join(part)}: {finding.about}"
    if len(finding.sources) <= parts[part].images // 2:
        yield from _at_most([f"    {source.name}" for source in finding.sources], "    ")


def _equal(sources: Sequence[Source]) -> str:
    more = f" and {len(sources) - NAMED:,} more" if len(sources) > NAMED else ""
    return " = ".join(source.name for source in sources[:NAMED]) + more


def _at_most(lines: list[str], indent: str = "  ") -> list[str]:
    """The first NAMED lines, and a line that counts the rest; line breaks in names are escaped."""
    lines = [in_one_line(line) for line in lines]
    if len(lines) <= NAMED:
        return lines
    return [*lines[:NAMED], f"{indent}and {len(lines) - NAMED:,} more"]


def _level(error: bool) -> str:
    return "error" if error else "warning"


def _summary(are_errors: Sequence[bool]) -> str:
    """Counts the kinds of errors and of warnings that are listed above; `are_errors`: for each kind, whether it is."""
    errors = sum(are_errors)
    counts = f"{_kinds(errors, 'error')}, {_kinds(len(are_errors) - errors, 'warning')}"
    return f"{counts}." if errors else f"{counts}: nothing prevents training."


def _kinds(count: int, level: str) -> str:
    """A number in words: "no errors", "1 kind of error" or "2 kinds of errors"."""
    if not count:
        return f"no {level}s"
    return f"1 kind of {level}" if count == 1 else f"{count} kinds of {level}s"
