"""What --phase check_data prints and writes: a table of the folders, then what was found in them, by name."""

import csv
import io
import itertools

from common import atomic

NAMED = 10  # files of a kind, groups of equal files, or files of a mixed folder that are named
LABELS = {  # by kind: in the table, and above the files that are named
    "corrupt": ("not readable", "not readable as an image"),
    "types": ("of another type", "another type of values than most of the folder"),
    "channels": ("of other channels", "other channels than most of the folder"),
    "sizes": ("of another size", "another size than most of the folder"),
    "unfit": ("unfit", "cannot become an image of its domain"),
    "small": ("too small", "smaller than the crop that --preprocess crop takes"),
    "both domains": ("in A and in B", "the same pixels in A and in B"),
    "both splits": ("in train and in val", "the same pixels in train and in val: scores would be of what was learnt"),
    "unmatched": ("without a partner", "no partner: none of the other domain has its name, but for the suffix"),
    "ambiguous": ("of one name", "the same name, but for the suffix, in one folder: one of them alone is paired"),
    "duplicate": ("duplicates", "the same pixels more than once in a folder: they weigh more than others"),
    "constant": ("near-constant", "hardly more than one colour"),
}
OF_FOLDERS = ("types", "channels", "sizes")  # kinds of which a finding tells of all images of a folder
COLUMNS = ("kind", "level", "group", "split", "domain", "file", "about")


def text(report, dual):
    """A check.Report of `dual` as a table, the files of each finding below it, and a last line that sums up."""
    by_level = sorted(report.findings, key=lambda each: not each.error)  # errors first, each in its order
    kinds = itertools.groupby(by_level, key=lambda each: (each.error, each.kind))
    named = [_named(report.parts, error, kind, list(found)) for (error, kind), found in kinds]
    return "\n\n".join([_table(report), _pairs(report, dual), *named, _summary(report.findings)])


def csv_text(report):
    """All files of all findings, a row each; files that are equal share the number of a group."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    for group, each in enumerate(report.findings, 1):
        for source in each.sources:
            rows.writerow([each.kind, _level(each.error), group, *source.part, source.path, each.about])
    return written.getvalue()


def write(path, report):
    """Writes them to a file."""
    atomic.write_text(path, csv_text(report))


def _table(report):
    parts = {part: found for part, found in report.parts.items() if found.images}
    rows = {
        "": [" ".join(part) for part in parts],
        "images": [f"{found.images:,}" for found in parts.values()],
        "height x width": [_common(found.sizes, lambda size: "x".join(map(str, size))) for found in parts.values()],
        "channels": [_common(found.channels) for found in parts.values()],
        "type": [_common(found.types) for found in parts.values()],
    }
    for kind, (label, _) in LABELS.items():
        counts = [len(_sources(report.findings, kind, part)) for part in parts]
        rows[label] = [f"{count:,}" if count else "-" for count in counts]
    return "\n".join(f"{name:<20}" + "".join(f"{cell:>16}" for cell in cells) for name, cells in rows.items())


def _common(counts, show=str):
    """The value that most images have, and how many others there are."""
    if not counts:
        return "-"
    others = f" +{len(counts) - 1:,}" if len(counts) > 1 else ""
    return show(counts.most_common(1)[0][0]) + others


def _sources(findings, kind, part=None):
    """The files of a kind, each once."""
    of_kind = (source for each in findings if each.kind == kind for source in each.sources)
    return dict.fromkeys(source for source in of_kind if part in (None, source.part))


def _pairs(report, dual):
    """How many images have a partner, and what becomes of the pairs."""
    counts = {split: (pairs, report.parts[split, "A"].images) for split, pairs in report.pairs.items()}
    said = "; ".join(f"{pairs:,} of {images:,} in {split}" for split, (pairs, images) in counts.items() if images)
    use = {
        "none": "training does not use pairs, scores of val do",
        "all": "training takes pairs alone",
        "some": "training takes pairs as such, and the others, too",
    }[dual.pairing]
    without = [f"{domain}" for domain in "AB" if not report.parts["val", domain].images]
    lines = [f"Images of A with a partner in B: {said} ({use})."]
    lines += [f"No validation images of {' and '.join(without)}: --phase test has none to translate."] * bool(without)
    return "\n".join(lines)


def _named(parts, error, kind, found):
    files = len(_sources(found, kind))
    lines = [f"{_level(error)}, {files:,} {'file' if files == 1 else 'files'}: {LABELS[kind][1]}"]
    if kind in OF_FOLDERS:
        return "\n".join(lines + [line for each in found for line in _mix(parts, each)])
    lines += _at_most([f"  {each.about or _equal(each.sources)}" for each in found])
    return "\n".join(lines)


def _mix(parts, finding):
    """The counts of a folder; and the files that differ, if most do not."""
    part = finding.sources[0].part
    yield f"  {' '.join(part)}: {finding.about}"
    if len(finding.sources) <= parts[part].images // 2:
        yield from _at_most([f"    {source.name}" for source in finding.sources], "    ")


def _equal(sources):
    more = f" and {len(sources) - NAMED:,} more" * (len(sources) > NAMED)
    return " = ".join(source.name for source in sources[:NAMED]) + more


def _at_most(lines, indent="  "):
    return lines[:NAMED] + [f"{indent}and {len(lines) - NAMED:,} more"] * (len(lines) > NAMED)


def _level(error):
    return "error" if error else "warning"


def _summary(findings):
    errors = sum(each.error for each in findings)
    warnings = len(findings) - errors
    said = (
        f"{errors:,} {'error' if errors == 1 else 'errors'}, {warnings:,} {'warning' if warnings == 1 else 'warnings'}"
    )
    return f"{said}." if errors else f"{said}: nothing that training would stumble on."
