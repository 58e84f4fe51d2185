"""Every flag and every preset as pages: `python -m docs.reference` writes flags.md and presets.md next to this file."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import pathlib
import re
import typing
from collections.abc import Iterable, Mapping
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
    """Returns a table of the flags of each part, and one of those of the methods."""
    model = dual_class(METHODS[0])
    parts = "\n".join(_part(part, model) for part in all_classes(model) if part is not model)
    *programs, last = (f"{method.package}.main`" for method in METHODS)
    return f"""\
# Every flag

Of `python -m {", `".join(programs)} and `{last}; `--help` of each prints the same. A run remembers its
settings: a **fixed** one is as it was when the run began, a **place** may change if the images there have the same
names and sizes, a **free** one may change, and where one to **warn** of changes, the last bits of results may differ.
Where methods differ in a flag, or only some of them have it, they are named. A phase refuses flags that it does not
take. Written by `python -m docs.reference`.

## The method

{_taken_by(model, model)}

{_methods()}
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


def _methods() -> str:
    """One row for a flag of any method: all defaults, meanings and choices that methods have, with their names."""
    duals = {method.name: dual_class(method) for method in METHODS}
    fields = {method: {field.name: field for field in dataclasses.fields(dual)} for method, dual in duals.items()}
    kinds = {method: typing.get_type_hints(dual) for method, dual in duals.items()}
    rows = []
    for name in dict.fromkeys(itertools.chain(*fields.values())):
        with_flag = [method for method in duals if name in fields[method]]
        first = with_flag[0]
        defaults = {method: _default(fields[method][name], kinds[method][name]) for method in with_flag}
        meanings = {method: _about(fields[method][name], kinds[method][name]) for method in with_flag}
        is_everywhere = len(with_flag) == len(duals)
        cells = (
            _name(fields[first][name], kinds[first][name]),
            _by_method(defaults, " ", names=not is_everywhere),
            _by_method(meanings, ": "),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([HEAD, *rows, ""])


def _by_method(texts: Mapping[str, str], separator: str, names: bool = False) -> str:
    """{method: text} as one cell: a line for each text, with the methods that have it.

    A text that all share stands alone, unless `names` asks for names all the same.
    """
    methods: dict[str, list[str]] = {}
    for method, text in texts.items():
        methods.setdefault(text, []).append(method)
    if len(methods) == 1 and not names:
        return next(iter(methods))
    return "<br>".join(f"{', '.join(sharing)}{separator}{text}" for text, sharing in methods.items())


def _phases() -> str:
    """What each phase does."""
    rows = [f"| `{name}` | {_escaped(phase.about)} |" for name, phase in PHASES.items()]
    return "\n".join(["| `--phase` | does |", "|---|---|", *rows, ""])


def _taken_by(part: type[DataclassInstance], model: type[Dual]) -> str:
    """The phases that take all flags of a part, and those that take some, with these or the missing flags."""
    everything = names_of(part)
    whole: list[str] = []
    phases: dict[str, list[str]] = {}  # flags, as text -> the phases that take just these
    for name in PHASES:
        taken = _taken(name, part, model)
        if taken == everything:
            whole.append(name)
        elif taken:
            is_most = 2 * len(taken) > len(everything)
            shown = [flag.name for flag in dataclasses.fields(part) if (flag.name in taken) != is_most]
            flags = ("all but " if is_most else "") + ", ".join(f"`--{flag}`" for flag in shown)
            phases.setdefault(flags, []).append(f"`{name}`")
    if len(whole) == len(PHASES):
        return "Taken by every phase."
    some = "; ".join(f"{', '.join(names)} ({flags})" for flags, names in phases.items())
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
    kinds = typing.get_type_hints(part)
    rows = []
    for field in dataclasses.fields(part):
        kind = kinds[field.name]
        rows.append(f"| {_name(field, kind)} | {_default(field, kind)} | {_about(field, kind)} |")
    summary = (inspect.getdoc(part) or "").partition("\n")[0]
    return "\n".join([f"## {part.__name__}", "", summary, "", _taken_by(part, model), "", HEAD, *rows, ""])


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
    """A text as Markdown shows it in a table."""
    return re.sub(r"([|<>*])", r"\\\1", text)


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
