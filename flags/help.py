"""The text of --help, for all phases or for one."""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from common.dual import Dual
from common.settings import FREE
from flags import presets
from flags.phases import PHASES, all_classes
from flags.program import model_name, program_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VALUES = {int: "WHOLE NUMBER", float: "NUMBER", str: "TEXT"}


def text(model: type[Dual], phase: str | None = None, command: str = "") -> str:
    """Returns the usage of the program of `model` and all its flags, or those of one `phase`, with defaults.

    `command`: the beginning of the command line; "": `python -m PROGRAM`.
    """
    command = command or f"python -m {program_name(model)}"
    return _of_phase(model, phase, command) if phase else _of_all(model, command)


def _of_all(model: type[Dual], command: str) -> str:
    name = model_name(model)
    phases = "".join(_entry(phase, row.about) for phase, row in PHASES.items())
    demo = " --preset demo" if "demo" in presets.names(name) else ""
    named = "".join(f"  {preset:<14}{presets.summary(name, preset)}\n" for preset in presets.names(name))
    named = f"Presets, for --preset:\n{named}\n" if named else ""
    classes = all_classes(model)
    owners = {field.name: cls for cls in reversed(classes) for field in dataclasses.fields(cls)}
    groups = []
    for cls in classes:
        fields = [field for field in dataclasses.fields(cls) if owners[field.name] is cls or _is_of_one_phase(cls)]
        groups.append(_group(cls, fields, _phases_of(cls, model)))
    groups_text = "\n".join(groups)
    return f"""\
usage: {command} --phase PHASE [--FLAG VALUE ...]

  {command} --phase train --dataset toy{demo}
  {command} --phase test --dataset toy
  {command} --phase translate --help

The run folder stores all settings: to resume a training or to use it, name only the folder (or
the dataset it is named after). In brackets: the default, and whether you can change the setting
of a run: fixed (no), free (yes), warn (yes, but last bits may differ), or place (yes, if the
images there have the same names and sizes).

Phases; --phase PHASE --help shows what one of them takes:
{phases}
{groups_text}
{named}--flagfile FILE reads flags from a file, with # before comments. --version prints the version.
"""


def _of_phase(model: type[Dual], name: str, command: str) -> str:
    phase = PHASES[name]
    classes = phase.classes(model)
    shown = {field.name for cls in classes for field in dataclasses.fields(cls)}
    owners = {field.name: cls for cls in classes for field in dataclasses.fields(cls)}
    groups = []
    for cls in classes:
        fields = [field for field in dataclasses.fields(cls) if owners[field.name] is cls]
        if cls is model and phase.from_run:  # the others come from the run folder
            fields = [field for field in fields if field.metadata["resume"] == FREE]
        groups.append(_group(cls, [field for field in fields if field.name not in phase.without]))
    others: dict[str, str] = {}
    for cls in all_classes(model):
        kinds = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            if field.name in phase.also and field.name not in shown:
                others.setdefault(field.name, _flag(field, kinds[field.name]))
    also = f"\nFurther settings:\n{''.join(others[name] for name in phase.also if name in others)}"
    runs = " RUN_DIR RUN_DIR ..." if phase.names_runs else ""
    note = "\nAll other settings come from the run folder.\n" if phase.from_run else ""
    groups_text = "\n".join(groups)
    return f"""\
usage: {command} --phase {name}{runs} [--FLAG VALUE ...]

{name}: {phase.about}.
{note}
{groups_text}{also if others else ""}
Every phase takes --debug and --flagfile FILE; {command} --help lists all flags.
"""


def _is_of_one_phase(cls: type[DataclassInstance]) -> bool:
    return sum(cls in phase.parts for phase in PHASES.values()) == 1


def _phases_of(cls: type[DataclassInstance], model: type[Dual]) -> str:
    """Names the phases that take a class of settings, for its heading; "" if training is among them."""
    names = [name for name, phase in PHASES.items() if cls in phase.classes(model)]
    return "" if not names or "train" in names else f", with --phase {' or '.join(names)}"


def _entry(name: str, about: str) -> str:
    lines = textwrap.wrap(about, 80)
    return "".join(f"  {name if number == 0 else '':<16}{line}\n" for number, line in enumerate(lines))


def _group(cls: type[DataclassInstance], fields: Sequence[dataclasses.Field[Any]], when: str = "") -> str:
    kinds = typing.get_type_hints(cls)
    about = (inspect.getdoc(cls) or "").splitlines()[0]
    shown = "".join(_flag(field, kinds[field.name]) for field in fields)
    return f"{cls.__name__}{when}: {about}\n{shown}"


def _flag(field: dataclasses.Field[Any], kind: type) -> str:
    values = "|".join(field.metadata["choices"]) if kind is str and field.metadata["choices"] else VALUES.get(kind)
    default = [str(field.default).lower() if kind is bool else str(field.default)] if field.default != "" else []
    or_auto = "|auto" if field.metadata["auto"] else ""
    name = f"--[no]{field.name}" if kind is bool else f"--{field.name} {values}{or_auto}"
    shown = f"  {name}   [{', '.join([*default, field.metadata['resume']])}]"
    about = textwrap.fill(field.metadata["about"], 96, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return f"{shown}\n{about}\n"
