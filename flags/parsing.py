"""Parses the flags of a command line after those of its preset, and refuses flags that the phase does not take."""

from __future__ import annotations

import itertools
import os
from typing import NamedTuple

from absl import flags, logging

from common.dual import Dual
from common.errors import UserError
from common.images import Images
from common.run import Run
from common.settings import former_names
from common.translate.inference import Inference
from flags import fields, presets, refusals, written
from flags.fields import names_of
from flags.phases import PHASES, all_classes
from flags.request import ALIASES, Request, present


def parse(model: type[Dual], argv: list[str]) -> Request:
    """Returns the request of a command line; its preset is expanded before it, so that explicit flags win.

    Raises UserError for an unknown flag or preset, a wrong value, or a flag that the phase does not take.
    """
    argv = written.expanded(argv)
    own, stray, used = parse_flags(model, argv)
    for former, name in _former_names(model, own.phase).items():
        if former in used:
            logging.warning(f"--{former} was renamed: use --{name}.")
    given = frozenset(present(own))
    _refuse_useless(model, own.phase, given)
    if not own.preset:
        return Request(model, own, given, stray, argv)
    preset = f"--flagfile={presets.path(presets.owner(model), own.preset)}"
    values, stray, _ = parse_flags(model, [argv[0], preset, *argv[1:]])
    for length, other in (("steps", "epochs"), ("epochs", "steps")):
        if length in given and other not in given:  # an explicit length beats the preset's
            values[other].value = values[other].default
    return Request(model, values, given, stray, argv)


class Parsed(NamedTuple):
    """The flags of a command line."""

    values: flags.FlagValues
    stray: list[str]  # arguments that are not flags
    aliases: list[str]  # other names of flags that were used


def parse_flags(model: type[Dual], argv: list[str]) -> Parsed:
    """Returns the values of all flags; raises UserError if one is unknown or has a wrong value."""
    values, phase = flags.FlagValues(), phase_of(argv)
    own = PHASES[phase].classes(model) if phase in PHASES else []
    others = [cls for cls in all_classes(model) if cls not in own]
    for cls in (*others, *own):  # of two flags with one name, that of the phase wins
        fields.define(cls, values)
    aliases = {**ALIASES, **_former_names(model, phase)}
    for alias, name in aliases.items():
        if alias in values:  # a flag that the phase does not take
            delattr(values, alias)
        flags.DEFINE_alias(alias, name, flag_values=values)
    _refuse_flags_as_values(values, argv)
    try:
        stray = values(argv)[1:]
    except (flags.Error, UnicodeDecodeError) as error:
        taken = PHASES[phase].takes(model) if phase in PHASES else set(values)
        raise UserError(refusals.translated(error, sorted(taken), phase)) from error
    for name in values:
        text = values[name].value
        if isinstance(text, str):
            values[name].value = written.value(name, text)
    if stray and not PHASES[values.phase].names_runs:
        if all(map(os.path.exists, stray)):
            raise UserError(
                f"{stray[0]!r} has no flag before it; did the shell expand a pattern? Quote patterns, as in"
                " --input 'photos/*.png'."
            )
        if stray[0] in PHASES:
            raise UserError(f"{stray[0]!r} has no flag before it: write --phase {stray[0]}.")
        raise UserError(f"{stray[0]!r} has no flag before it: write --NAME VALUE.")
    used = [alias for alias in aliases if values[alias].present]  # the flags they stand for are present, too
    for alias in aliases:
        delattr(values, alias)
    return Parsed(values, [written.path(argument) for argument in stray], used)


def _refuse_flags_as_values(values: flags.FlagValues, argv: list[str]) -> None:
    """Raises UserError if a flag is followed by another in place of its value, which absl would take for the value."""
    for flag, following in itertools.pairwise(argv):
        if flag == "--":
            return
        name, other = flag.lstrip("-"), following.removeprefix("--").partition("=")[0]
        takes_value = flag.startswith("-") and name in values and not values[name].boolean
        if takes_value and following.startswith("--") and other in values:
            raise UserError(f"--{name} needs a value, but --{other} follows. Write --{name} VALUE.")


def phase_of(argv: list[str], default: str | None = "train") -> str | None:
    """Returns the phase that a command line names, before its flags are defined; None if its value is missing.

    There may be no such phase. `default`: the phase if none is named.
    """
    values = flags.FlagValues()
    flags.DEFINE_string("phase", default, "", flag_values=values)
    try:
        values(argv, known_only=True)
    except (flags.Error, UnicodeDecodeError):  # reported when all flags are parsed
        return None
    return values.phase


def _former_names(model: type[Dual], phase: str | None) -> dict[str, str]:
    """Returns {former name: name} of the renamed settings that a phase takes.

    Former names that now are other settings of the phase are left out.
    """
    if phase not in PHASES:
        return {}
    taken = PHASES[phase].takes(model)
    renamed = {name: former for cls in PHASES[phase].classes(model) for name, former in former_names(cls).items()}
    return {former: name for name, former in renamed.items() if name in taken and former not in taken}


def _refuse_useless(model: type[Dual], phase: str, given: frozenset[str]) -> None:
    """Raises UserError if a flag is given that the phase does not take."""
    useless = sorted(given - PHASES[phase].takes(model))
    if not useless:
        return
    name = useless[0]
    saved = names_of(model, Images, Run) - names_of(Inference)  # what a run is used with is not taken from it
    if PHASES[phase].from_run and name in saved:
        raise UserError(f"--{name} is for --phase train: --phase {phase} takes it from the run folder. Leave it out.")
    *others, last = [other for other, row in PHASES.items() if name in row.takes(model)]
    phases = f"{', '.join(others)} or {last}" if others else last
    raise UserError(f"--{name} does not apply to --phase {phase}, only to --phase {phases}. Leave it out.")
