"""Parsing: the flags of a command line, with those of a preset before them, and refusals of what a phase cannot use."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from absl import flags, logging

from common.dual import Dual
from common.errors import UserError
from common.images import Images
from common.run import Run
from common.settings import former_names
from flags import fields, presets, written
from flags.fields import names_of
from flags.phases import PHASES, Command, all_classes
from flags.program import model_name
from flags.request import ALIASES, Request, present

PYTHONS = {  # of absl's messages: what Python says in them, and what it means
    r"invalid literal for int\(\) with base 10: (.*)": r"\1 is no whole number.",
    r"\('Non-boolean argument to boolean flag', (.*)\)": r"\1 is neither true nor false.",
    r"could not convert string to float: (.*)": r"\1 is no number.",
    r"ERROR:: Unable to open flagfile: \[Errno \d+\] (.*): (.*)": r"--flagfile \2: \1.",
}


def parse(model: type[Dual], argv: list[str]) -> Request:
    """The request of a command line: a preset is expanded before it, so that the person's own flags win.

    Raises UserError if a flag or a preset is not known, a value is not one of a flag's, or the phase has no use for it.
    """
    argv = written.expanded(argv)
    own, stray, used = parse_flags(model, argv)
    for former, name in _former_names(model, own.phase).items():
        if former in used:
            logging.warning(f"--{former} is called --{name} now.")
    given = frozenset(present(own))
    _refuse_useless(model, own.phase, given)
    if not own.preset:
        return Request(model, own, given, stray, argv)
    preset = f"--flagfile={presets.path(model_name(model), own.preset)}"
    values, stray, _ = parse_flags(model, [argv[0], preset, *argv[1:]])
    for length, other in (("steps", "epochs"), ("epochs", "steps")):
        if length in given and other not in given:  # the person's own length beats the preset's
            values[other].value = values[other].default
    return Request(model, values, given, stray, argv)


class Parsed(NamedTuple):
    """The flags of a command line."""

    values: flags.FlagValues
    stray: list[str]  # arguments that are not flags
    aliases: list[str]  # other names of flags that were used


def parse_flags(model: type[Dual], argv: list[str]) -> Parsed:
    """The values of all flags; raises UserError if one is not known or has a wrong value."""
    values, phase = flags.FlagValues(), phase_of(argv)
    own = PHASES[phase].classes(model) if phase in PHASES else []
    others = [cls for cls in all_classes(model) if cls not in own]
    for cls in (*others, *own):  # of two flags of one name, that of the phase holds
        fields.define(cls, values)
    aliases = {**ALIASES, **_former_names(model, phase)}
    for alias, name in aliases.items():
        if alias in values:  # a flag that the phase has no use for
            delattr(values, alias)
        flags.DEFINE_alias(alias, name, flag_values=values)
    try:
        stray = values(argv)[1:]
    except (flags.Error, UnicodeDecodeError) as error:
        raise UserError(f"{_translated(error)} (--help lists all flags.)") from error
    for name in values:
        text = values[name].value
        if isinstance(text, str):
            values[name].value = written.value(name, text)
    if stray and not PHASES[values.phase].names_runs:
        if all(map(os.path.exists, stray)):
            raise UserError(
                f"{stray[0]!r} stands alone, as where a shell makes names of a pattern: put it in quotes, as in"
                " --input 'photos/*.png'."
            )
        raise UserError(f"{stray[0]!r} stands alone: flags are --NAME VALUE. (--help lists all flags.)")
    used = [alias for alias in aliases if values[alias].present]  # what they stand for is present, too
    for alias in aliases:
        delattr(values, alias)
    return Parsed(values, [written.path(argument) for argument in stray], used)


def phase_of(argv: list[str], default: str | None = "train") -> str | None:
    """The phase of a command line, before it is known which flags there are; None if there is no such phase.

    `default`: what to return where none is named.
    """
    values = flags.FlagValues()
    fields.define(Command, values)
    try:
        values(argv, known_only=True)
    except (flags.Error, UnicodeDecodeError):  # said when all are parsed
        return None
    return str(values.phase) if values["phase"].present else default


def _former_names(model: type[Dual], phase: str | None) -> dict[str, str]:
    """{former name: name} of settings that a phase takes and that were renamed.

    Left out are former names that are other settings of the phase by now.
    """
    if phase not in PHASES:
        return {}
    taken = PHASES[phase].takes(model)
    renamed = {name: former for cls in PHASES[phase].classes(model) for name, former in former_names(cls).items()}
    return {former: name for name, former in renamed.items() if name in taken and former not in taken}


def _refuse_useless(model: type[Dual], phase: str, given: frozenset[str]) -> None:
    """Raises UserError if a flag was given that the phase does not take."""
    useless = sorted(given - PHASES[phase].takes(model))
    if not useless:
        return
    name = useless[0]
    if PHASES[phase].from_run and name in names_of(model, Images, Run):
        raise UserError(f"--{name} is for --phase train: --phase {phase} takes it from the run folder. Leave it out.")
    *others, last = [other for other, row in PHASES.items() if name in row.takes(model)]
    phases = f"{', '.join(others)} or {last}" if others else last
    raise UserError(f"--{name} has no use in --phase {phase}: it is for --phase {phases}. Leave it out.")


def _translated(error: Exception) -> str:
    """An error of absl's without Python's words."""
    message = str(error)
    for theirs, meaning in PYTHONS.items():
        message = re.sub(theirs, meaning, message)
    return message
