"""What --help prints."""

import dataclasses
import inspect
import textwrap
import typing

from flags import presets

VALUES = {int: "WHOLE NUMBER", float: "NUMBER", str: "TEXT"}


def text(program, model, parts, of_one_phase):
    """How to call `program`, and every flag of `parts`, dataclasses, with its default and meaning.

    `of_one_phase`: {phase: dataclass} of flags that it alone has, or that mean something else in it.
    """
    first = reversed(parts)  # of two parts that have a field, the first tells of it
    owner = {field.name: part for part in first for field in dataclasses.fields(part)}
    groups = "\n".join(_group(part, [f for f in dataclasses.fields(part) if owner[f.name] is part]) for part in parts)
    for phase, part in of_one_phase.items():
        groups += f"\n{_group(part, dataclasses.fields(part), f', with --phase {phase}')}"
    demo = " --preset demo" if "demo" in presets.names(model) else ""
    named = "".join(f"  {name:<14}{presets.summary(model, name)}\n" for name in presets.names(model))
    named = f"Presets, for --preset:\n{named}\n" if named else ""
    return f"""\
usage: python -m {program} --phase PHASE [--FLAG VALUE ...]

  python -m {program} --phase train --dataset toy{demo}
  python -m {program} --phase test --dataset toy

A run folder remembers its settings: to go on with a training, or to use it, name the folder
(or the set of images it is named after) and nothing else. In brackets: the default, and whether
a run's setting is fixed, free to change, or may change with a warning that last bits differ.

{groups}
{named}--flagfile FILE reads flags from a file, a line each.
--version prints the versions of this toolkit and of TensorFlow."""


def _group(part, fields, when=""):
    types = typing.get_type_hints(part)
    about = inspect.getdoc(part).splitlines()[0]
    shown = "".join(_flag(field, types[field.name]) for field in fields)
    return f"{part.__name__}{when}: {about}\n{shown}"


def _flag(field, kind):
    values = "|".join(field.metadata["choices"]) if kind is str and field.metadata["choices"] else VALUES.get(kind)
    default = [str(field.default).lower() if kind is bool else str(field.default)] if field.default != "" else []
    or_auto = "|auto" if field.metadata["auto"] else ""
    name = f"--[no]{field.name}" if kind is bool else f"--{field.name} {values}{or_auto}"
    shown = f"  {name}   [{', '.join([*default, field.metadata['resume']])}]"
    about = textwrap.fill(field.metadata["about"], 96, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return f"{shown}\n{about}\n"
