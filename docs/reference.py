"""Generates the pages of flags and presets: `python -m docs.reference` writes docs/flags.md and docs/presets.md."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common import atomic
from common.dual import Dual
from common.images import Images
from common.methods import METHODS, Method
from common.run import Run
from flags import groups, listing, presets
from flags.listing import Flag
from flags.phases import PHASES

HEAD = "| flag | default | meaning |\n|---|---|---|"
DOCS = pathlib.Path(__file__).parent


def dual_class(method: Method) -> type[Dual]:
    """Returns the class of a method's settings."""
    return getattr(importlib.import_module(method.package), method.name)


def flags_page() -> str:
    """Returns the phases, the flags that all methods share, and those of each method, in the groups of --help."""
    shared = _shared_flags()
    own = "\n".join(_own_flags(method, shared) for method in METHODS)
    *programs, last = (f"{method.package}.main`" for method in METHODS)
    return f"""\
# All flags

The flags of `python -m {", `".join(programs)} and `{last}.
`--helpfull` of each program prints the same texts in the same groups; `--phase PHASE --help` prints the flags of one
phase. A phase refuses flags that it does not take.

The run folder stores all settings. The word in italics says what happens if you pass another value when you resume:

- *Fixed*: an error. The value is the one that the run began with.
- *Place*: allowed if the images there have the same names and sizes.
- *Free*: the new value is used.
- *Warn*: the new value is used, with a warning that the last bits of results may differ.

The flags of a method are in two sections: [those of all methods](#all-methods), and those of the method itself
({", ".join(f"[{method.name}](#{method.name.lower()})" for method in METHODS)}).
`python -m docs.reference` writes this page.

## Phases

{_phases()}
## All methods

The meaning is the same in every method. Where defaults differ, the methods are named. A flag that means something else
in some phases has a row for each meaning.

{_groups(shared, METHODS)}
{own}"""


def presets_page() -> str:
    """Returns the page of presets: purpose, deviations from the publication, and settings that are not defaults."""
    sections = "\n".join(
        f"## {method.name}\n\n" + "\n".join(_preset(method, name) for name in presets.names(method.package))
        for method in METHODS
    )
    return f"""\
# Presets

`--preset NAME` starts from the settings of a published version. Flags on the command line take precedence. Each preset
is a file in `flags/presets/`; its comments are the text below. The pages about the methods say when to use which:
[DualGAN](methods/dualgan.md), [CycleGAN](methods/cyclegan.md), [CUT](methods/contrastive.md),
[pix2pix](methods/pix2pix.md), [enhancement](methods/enhancement.md). Written by `python -m docs.reference`.

{_overview()}

{sections}"""


def _overview() -> str:
    """A row for each preset, with the first line of its comment."""
    rows = [
        f"| {method.name} | [`{name}`](#{_anchor(method, name)}) | {_escaped(presets.summary(method.package, name))} |"
        for method in METHODS
        for name in presets.names(method.package)
    ]
    return "\n".join(["| method | `--preset` | summary |", "|---|---|---|", *rows, ""])


def _anchor(method: Method, name: str) -> str:
    """The id of a preset's heading: two methods may have a preset of one name."""
    return f"{method.package}-{name}"


def _shared_flags() -> list[str]:
    """The names of the flags that every method has in the same phases, with one type, meaning and list of choices."""
    first, *others = (
        {name: {flag._replace(default=""): phases for flag, phases in flags.items()} for name, flags in all_.items()}
        for all_ in (listing.variants(dual_class(method)) for method in METHODS)
    )
    return [name for name in first if all(other.get(name) == first[name] for other in others)]


def _own_flags(method: Method, shared: Iterable[str]) -> str:
    """A section with the flags that only this method has, or that mean something else in it."""
    model = dual_class(method)
    names = [name for name in listing.variants(model) if name not in set(shared)]
    summary = (inspect.getdoc(model) or "").partition("\n")[0]
    return f"## {method.name}\n\n{summary}\n\n{_groups(names, [method])}"


def _groups(names: Iterable[str], methods: Sequence[Method]) -> str:
    """A section for each group of flags, with the phases that take it, and a row for each meaning of each flag."""
    variants = {method.name: listing.variants(dual_class(method)) for method in methods}
    sections = []
    for title, members in groups.grouped(names).items():
        taken = _taken_by(dual_class(methods[0]), members)
        rows = [row for name in members for row in _rows({method: of[name] for method, of in variants.items()})]
        sections.append("\n".join([f"### {title}", "", taken, "", HEAD, *rows, ""]))
    return "\n".join(sections)


def _rows(by_method: Mapping[str, dict[Flag, list[str]]]) -> list[str]:
    """A row for each meaning of a flag: {method: {flag: phases}}, with the same meanings and phases in every method."""
    phases = next(iter(by_method.values())).values()
    flags = [dict(zip(by_method, same)) for same in zip(*by_method.values())]
    return [_row(same, where if len(phases) > 1 else []) for same, where in zip(flags, phases)]


def _row(flags: Mapping[str, Flag], phases: Sequence[str]) -> str:
    """A row for a flag: its name, its default in each method, and its meaning; `phases`: where it has this meaning."""
    defaults = {method: f"`{flag.default}`" if flag.default else "" for method, flag in flags.items()}
    flag = next(iter(flags.values()))
    where = f" in {', '.join(f'`{phase}`' for phase in phases)}" if phases else ""
    return f"| `{flag.written}`{where} | {_by_method(defaults)} | {_about(flag)} |"


def _by_method(texts: Mapping[str, str]) -> str:
    """{method: text} as one cell: a line for each text, and the methods that have it; one that all share, alone."""
    methods: dict[str, list[str]] = {}
    for method, text in texts.items():
        methods.setdefault(text, []).append(method)
    if len(methods) == 1:
        return next(iter(methods))
    return "<br>".join(f"{text} {', '.join(sharing)}" for text, sharing in methods.items())


def _phases() -> str:
    """What each phase does."""
    rows = [f"| `{name}` | {_escaped(phase.about)} |" for name, phase in PHASES.items()]
    return "\n".join(["| `--phase` | does |", "|---|---|", *rows, ""])


def _taken_by(model: type[Dual], names: Sequence[str]) -> str:
    """The phases that take all flags `names`, and those that take some, with these or the missing flags."""
    whole: list[str] = []
    phases: dict[str, list[str]] = {}  # flags, as text -> the phases that take just these
    for phase in PHASES:
        taken = PHASES[phase].takes(model) & set(names)
        if taken == set(names):
            whole.append(f"`{phase}`")
        elif taken:
            is_most = 2 * len(taken) > len(names)
            listed = [name for name in names if (name in taken) != is_most]
            flags = ("all but " if is_most else "") + ", ".join(f"`--{flag}`" for flag in listed)
            phases.setdefault(flags, []).append(f"`{phase}`")
    if len(whole) == len(PHASES):
        return "Taken by every phase."
    some = "; ".join(f"{', '.join(partial)} ({flags})" for flags, partial in phases.items())
    sentences = [f"Taken by {', '.join(whole)}."] if whole else []
    return " ".join([*sentences, f"Taken in part by {some}."] if some else sentences)


def _about(flag: Flag) -> str:
    """The meaning of a flag, its choices and range, whether it may change, and its name in earlier versions."""
    one_of = f" One of {', '.join(f'`{choice}`' for choice in flag.choices)}." if flag.choices else ""
    valid = f" Valid: {flag.valid}." if flag.valid else ""
    former = f" Formerly `--{flag.former}`." if flag.former else ""
    return f"{_escaped(flag.about)}{one_of}{valid} *{flag.resume.capitalize()}.*{former}"


def _escaped(text: str) -> str:
    """A text as Markdown shows it in a table, with flags as code."""
    return re.sub(r"(?<![\w-])--[a-z]\w*", r"`\g<0>`", re.sub(r"([|<>*])", r"\\\1", text))


def _preset(method: Method, name: str) -> str:
    """The comment at the head of a flagfile, and its lines that are not defaults, with their comments."""
    lines = presets.path(method.package, name).read_text().splitlines()
    head = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    about = re.sub(r"\n(?=- )", "\n\n", "\n".join(line[1:].removeprefix(" ") for line in head), count=1)
    about = re.sub(r"^((?:- |  ).*)\n(?=[^\s-])", r"\1\n\n", about, flags=re.MULTILINE)
    shown = _not_default(lines[len(head) :], dual_class(method))
    own = "\n".join(["Settings that differ from the defaults:", "", *(f"    {line}" for line in shown)])
    return f"### {method.name}: {name}\n\n{about}\n\n{own if shown else 'All settings are defaults.'}\n"


def _not_default(lines: Iterable[str], dual: type[Dual]) -> list[str]:
    """The lines of a flagfile that have a comment or differ from the defaults, with the comments above them."""
    defaults = {field.name: field.default for part in (dual, Images, Run) for field in dataclasses.fields(part)}
    shown: list[str] = []
    notes: list[str] = []
    for line in lines:
        if line.startswith("#"):
            notes.append(line)
            continue
        flag, _, value = line.removeprefix("--").partition("=")
        if line and (notes or not _equal(defaults[flag], value)):
            shown += [*notes, line]
        notes = []
    return shown


def _equal(default: Any, text: str) -> bool:
    if isinstance(default, bool):
        return str(default).lower() == text
    return float(text) == default if isinstance(default, (int, float)) else text == default


def main() -> None:
    """Writes both pages."""
    for name, text in (("flags.md", flags_page()), ("presets.md", presets_page())):
        atomic.write_text(DOCS / name, text)
        print(DOCS / name)


if __name__ == "__main__":
    main()
