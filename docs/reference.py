"""Every flag and every preset as pages: `python -m docs.reference` writes flags.md and presets.md next to this file."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import pathlib
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from common import atomic
from common.dual import Dual
from common.images import Images
from common.methods import METHODS, Method
from common.run import Run
from flags import presets
from flags.fields import names_of
from flags.phases import PHASES, Command, all_classes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Field: TypeAlias = "dataclasses.Field[Any]"  # of a dataclass of settings
HEAD = "| flag | default | meaning |\n|---|---|---|"
DOCS = pathlib.Path(__file__).parent


def dual_class(method: Method) -> type[Dual]:
    """Returns the class of a method's settings."""
    return getattr(importlib.import_module(method.package), method.name)


def flags_page() -> str:
    """Returns the flags that all methods share, those of each method, the phases, and the flags of each part."""
    model = dual_class(METHODS[0])
    parts = "\n".join(_part(part, model) for part in all_classes(model) if part is not model)
    shared = _shared_flags()
    own = "\n".join(_own_flags(method, shared) for method in METHODS)
    *programs, last = (f"{method.package}.main`" for method in METHODS)
    return f"""\
# All flags

The flags of `python -m {", `".join(programs)} and `{last}. `--help` of each program prints the same texts;
`--phase PHASE --help` prints the flags of one phase. A phase refuses flags that it does not take.

The run folder stores all settings. The word in italics says what happens if you pass another value when you resume:

- *Fixed*: an error. The value is the one that the run began with.
- *Place*: allowed if the images there have the same names and sizes.
- *Free*: the new value is used.
- *Warn*: the new value is used, with a warning that the last bits of results may differ.

The flags of a method are in two sections: [those of all methods](#all-methods), and those of the method itself
({", ".join(f"[{method.name}](#{method.name.lower()})" for method in METHODS)}).
`python -m docs.reference` writes this page.

## All methods

The meaning is the same in every method. Where defaults differ, the methods are named.

{_taken_by(dual_class(METHODS[0]), model, shared)}

{_shared_table(shared)}
{own}
## Phases

{_phases()}
{parts}"""


def presets_page() -> str:
    """Returns what each preset is, where it differs from the publication, and its settings that are not defaults."""
    sections = "\n".join(
        f"## {method.name}\n\n" + "\n".join(_preset(method, name) for name in presets.names(method.package))
        for method in METHODS
    )
    return f"""\
# Presets

`--preset NAME` starts from the settings of a published version. Flags on the command line take precedence. Each preset
is a file in `flags/presets/`; its comments are the text below. The pages about the methods say when to use which:
[DualGAN](methods/dualgan.md), [CycleGAN](methods/cyclegan.md), [pix2pix](methods/pix2pix.md),
[enhancement](methods/enhancement.md). Written by `python -m docs.reference`.

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


def _fields(method: Method) -> dict[str, Field]:
    return {field.name: field for field in dataclasses.fields(dual_class(method))}


def _shared_flags() -> list[str]:
    """The names of the flags that every method has with one type, meaning and list of choices."""
    fields = {method: _fields(method) for method in METHODS}
    kinds = {method: typing.get_type_hints(dual_class(method)) for method in METHODS}
    names = [name for name in fields[METHODS[0]] if all(name in fields[method] for method in METHODS)]
    return [
        name
        for name in names
        if len({(kinds[method][name], _about(fields[method][name], kinds[method][name])) for method in METHODS}) == 1
    ]


def _shared_table(shared: Iterable[str]) -> str:
    """One row for each shared flag, with the default of every method."""
    fields = {method.name: _fields(method) for method in METHODS}
    kinds = typing.get_type_hints(dual_class(METHODS[0]))
    rows = []
    for name in shared:
        field, kind = fields[METHODS[0].name][name], kinds[name]
        defaults = {method: _default(own[name], kind) for method, own in fields.items()}
        rows.append(f"| {_name(field, kind)} | {_by_method(defaults)} | {_about(field, kind)} |")
    return "\n".join([HEAD, *rows, ""])


def _own_flags(method: Method, shared: Iterable[str]) -> str:
    """A section with the flags that only this method has, or that mean something else in it."""
    model = dual_class(method)
    names = [name for name in _fields(method) if name not in set(shared)]
    summary = (inspect.getdoc(model) or "").partition("\n")[0]
    taken = _taken_by(model, model, names)
    return "\n".join([f"## {method.name}", "", summary, "", taken, "", _table(model, names)])


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


def _taken_by(part: type[DataclassInstance], model: type[Dual], names: Sequence[str]) -> str:
    """The phases that take all flags `names` of a part, and those that take some, with these or the missing flags."""
    whole: list[str] = []
    phases: dict[str, list[str]] = {}  # flags, as text -> the phases that take just these
    for phase in PHASES:
        taken = _taken(phase, part, model) & set(names)
        if taken == set(names):
            whole.append(phase)
        elif taken:
            is_most = 2 * len(taken) > len(names)
            shown = [name for name in names if (name in taken) != is_most]
            flags = ("all but " if is_most else "") + ", ".join(f"`--{flag}`" for flag in shown)
            phases.setdefault(flags, []).append(f"`{phase}`")
    if len(whole) == len(PHASES):
        return "Taken by every phase."
    some = "; ".join(f"{', '.join(partial)} ({flags})" for flags, partial in phases.items())
    return f"Taken by `--phase {'`, `'.join(whole)}`." + (f" In part by {some}." if some else "")


def _taken(name: str, part: type[DataclassInstance], model: type[Dual]) -> set[str]:
    """The flags of a part that a phase takes: of two flags of one name, that which --help of the phase shows."""
    owners: dict[str, type[DataclassInstance]] = {}
    classes: list[type[DataclassInstance]] = [Command, *PHASES[name].classes(model), *all_classes(model)]
    for cls in classes:
        for flag in names_of(cls):
            owners.setdefault(flag, cls)
    return {flag for flag in PHASES[name].takes(model) if owners[flag] is part}


def _part(part: type[DataclassInstance], model: type[Dual]) -> str:
    """A section with the flags of a part that all methods have."""
    names = [field.name for field in dataclasses.fields(part)]
    summary = (inspect.getdoc(part) or "").partition("\n")[0]
    return "\n".join([f"## {part.__name__}", "", summary, "", _taken_by(part, model, names), "", _table(part, names)])


def _table(part: type[DataclassInstance], names: Iterable[str]) -> str:
    """One row for each of the flags `names` of a part."""
    kinds = typing.get_type_hints(part)
    fields = {field.name: field for field in dataclasses.fields(part)}
    rows = [
        f"| {_name(fields[name], kinds[name])} | {_default(fields[name], kinds[name])} |"
        f" {_about(fields[name], kinds[name])} |"
        for name in names
    ]
    return "\n".join([HEAD, *rows, ""])


def _name(field: Field, kind: type) -> str:
    return f"`--[no]{field.name}`" if kind is bool else f"`--{field.name}`"


def _default(field: Field, kind: type) -> str:
    if field.default == "":
        return ""
    return f"`{str(field.default).lower() if kind is bool else field.default}`"


def _about(field: Field, kind: type) -> str:
    """The meaning of a flag, its choices, whether it may change, and its name in earlier versions."""
    meaning = _escaped(field.metadata["about"])
    choices = field.metadata["choices"] if kind is str else ()
    one_of = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    former = f" Formerly `--{field.metadata['formerly']}`." if field.metadata["formerly"] else ""
    return f"{meaning}{one_of} *{field.metadata['resume'].capitalize()}.*{former}"


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
