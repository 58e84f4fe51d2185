"""The text of --help: a first page, one for each phase, and one with all flags. 80 columns wide."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Mapping

from common import methods
from common.dual import Dual
from common.weights import pretrained_names
from flags import groups, listing, presets
from flags.listing import Flag
from flags.phases import PHASES, Example
from flags.program import program_name

WIDTH = 80
NAMES = 28  # columns of flags with a few words next to them
PHASE_NAMES = 16  # of phases and presets
CHOICE = "CHOICE"  # in place of choices that do not fit in a line
LEGEND = (
    "In brackets: the default, and whether you may change the setting when you resume a run: fixed (no), free (yes),"
    " warn (yes, but last bits may differ), or place (yes, if the images there have the same names and sizes)."
)
ALSO_TAKEN = (
    "Takes all other flags of --phase train, too, so that you can repeat its command; the result does not depend on"
    " them. "
)
FIRST_EXAMPLES = {"train": 3, "test": 1, "translate": 1, "export": 1}  # how many of each phase


def first_page(model: type[Dual], command: str = "") -> str:
    """Returns the phases, the flags that most people need, and examples.

    `command`: the beginning of the command line; "": `python -m PROGRAM`.
    """
    command = command or f"python -m {program_name(model)}"
    variants, method = listing.variants(model), presets.owner(model)
    own = groups.unlisted(listing.flags_of("train", model))
    flags = [next(iter(variants[name])) for name in (*groups.FIRST, *own) if name in variants]
    lines = [_row(f"{flag.written} {flag.values}", _in_short(flag), NAMES) for flag in flags if _is_of_use(flag, model)]
    phases = "".join(_row(name, phase.about.partition(":")[0], PHASE_NAMES) for name, phase in PHASES.items())
    examples = [example for name, count in FIRST_EXAMPLES.items() for example in PHASES[name].examples[:count]]
    named = f"Presets: {', '.join(presets.names(method))}.\n" if presets.names(method) else ""
    own_program = program_name(model)
    programs = [f"{package}.main" for package in methods.PACKAGES]
    others = _filled(f"Other methods: {', '.join(program for program in programs if program != own_program)}.")
    return f"""\
{_usage(f"{command} --phase PHASE [--FLAG VALUE ...]")}
{_filled(f"{model.__name__}: {_summary(model)}")}

Phases
{phases}
Flags to begin with; in brackets: the default
{"".join(lines)}
{named}{others}
All flags of a phase: --phase PHASE --help. All flags of all phases: --helpfull.
A run folder stores all settings: to resume or use a run, name its folder.
Documentation, in the source: docs/index.md; runs that look bad: docs/health.md;
losses and methods of your own: docs/extending.md.

{_examples(examples, model, command)}"""


def phase_page(model: type[Dual], name: str, command: str = "") -> str:
    """Returns all flags of a phase, in groups, and examples; see first_page."""
    command, phase = command or f"python -m {program_name(model)}", PHASES[name]
    runs = (" [RUN_DIR ...]" if phase.from_run else " RUN_DIR RUN_DIR ...") if phase.names_runs else ""
    flags = listing.shown(name, model)
    is_training = name == "train"
    sections = "\n".join(
        f"{title}\n{''.join(_entry(flags[flag], is_training) for flag in names)}"
        for title, names in groups.grouped(flags, phase.first).items()
    )
    about = f"{name}: {phase.about}."
    note = "All other settings come from the run folder. " if phase.from_run else ""
    note += ALSO_TAKEN if phase.listed else ""
    legend = LEGEND if is_training else "In brackets: the default."
    head = f"{_filled(about)}\n\n{_filled(f'{note}{legend}')}\n"
    named = _presets(model) if "preset" in flags else ""
    return f"""\
{_usage(f"{command} --phase {name}{runs} [--FLAG VALUE ...]")}
{head}
{sections}
{named}--flagfile FILE reads flags from a file, with # before comments.

{_examples(phase.examples, model, command)}"""


def full_page(model: type[Dual], command: str = "") -> str:
    """Returns all flags of all phases, in groups; see first_page."""
    command = command or f"python -m {program_name(model)}"
    variants = listing.variants(model)
    trained = listing.flags_of("train", model)
    sections = []
    for title, names in groups.grouped(variants).items():
        entries = []
        for name in names:
            for flag, phases in variants[name].items():
                when = "" if flag == trained.get(name) else f"--phase {', '.join(phases)}: "
                entries.append(_entry(flag, not when, when))
        sections.append(f"{title}\n{''.join(entries)}")
    sections_text = "\n".join(sections)
    phases_text = "".join(_row(name, phase.about, PHASE_NAMES) for name, phase in PHASES.items())
    return f"""\
{_usage(f"{command} --phase PHASE [--FLAG VALUE ...]")}
{_filled(f"{model.__name__}: {_summary(model)}")}

The run folder stores all settings: to resume a training or to use it, name only
the folder (or the dataset it is named after).

{_filled(LEGEND)}

Phases
{phases_text}
{sections_text}
{_presets(model)}--flagfile FILE reads flags from a file, with # before comments.
--version prints the version.
"""


def _usage(line: str) -> str:
    """The first line of a page, wrapped between arguments."""
    words = f"usage: {line}".replace("[--FLAG VALUE ...]", "[--FLAG\0VALUE\0...]")
    wrapped = textwrap.fill(words, WIDTH, subsequent_indent=" " * 7, break_on_hyphens=False)
    return wrapped.replace("\0", " ") + "\n"


def _summary(model: type[Dual]) -> str:
    return (inspect.getdoc(model) or "").partition("\n")[0]


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _row(name: str, about: str, columns: int) -> str:
    """A name, and its meaning next to it from a column on."""
    left, name = "\n" + " " * (columns + 2), name.rstrip()
    first = f"  {name:<{columns}}" if len(name) < columns else f"  {name}{left}"
    lines = textwrap.wrap(about, WIDTH - columns - 2, break_on_hyphens=False)
    return f"{first}{left.join(lines)}".rstrip() + "\n"


def _in_short(flag: Flag) -> str:
    """A few words about a flag, with its default."""
    words = groups.FIRST.get(flag.name) or re.split(r"[.;] ", flag.about)[0].rstrip(".")
    return words if flag.default in ("", "0") else f"{words} [{flag.default}]"


def _is_of_use(flag: Flag, model: type[Dual]) -> bool:
    """Whether a flag of the first page does anything for a method: some have no presets, or no pretrained networks."""
    names = {"preset": lambda: presets.names(presets.owner(model)), "pretrained": lambda: pretrained_names(model)}
    return bool(flag.name not in names or names[flag.name]())


def _entry(flag: Flag, with_resume: bool, when: str = "") -> str:
    """A flag, its values and default, and its meaning below. `when`: the phases, if it has other meanings in others."""
    noted = ", ".join(part for part in (flag.default, flag.resume if with_resume else "") if part)
    noted, values, about = f"[{noted}]" if noted else "", flag.values, flag.about
    if len(f"  {flag.written} {values}") > WIDTH:
        about, values = f"{about} {CHOICE} is one of {', '.join(flag.choices)}.", CHOICE
    head = f"  {flag.written} {values}".rstrip()
    if len(f"{head}  {noted}") <= WIDTH:
        head, noted = f"{head}  {noted}".rstrip(), ""
    return f"{head}\n{_filled(f'{noted} {when}{about}'.lstrip(), ' ' * 6)}\n"


def _presets(model: type[Dual]) -> str:
    method = presets.owner(model)
    rows = "".join(_row(name, presets.summary(method, name), PHASE_NAMES) for name in presets.names(method))
    return f"Presets, for --preset\n{rows}\n" if rows else ""


def _examples(examples: Iterable[Example], model: type[Dual], command: str) -> str:
    """Commands that can be pasted, with continuation lines where they are long."""
    method = presets.owner(model)
    names = pretrained_names(model)
    flags: Mapping[str, str] = {
        "demo": " --preset demo" if "demo" in presets.names(method) else "",
        "network": f"--pretrained {names[0]}" if names else "--run_dir runs/mine",
    }
    texts = []
    for example in examples:
        line = f"{command} {example.arguments.format(**flags)}"
        texts.append(f"  {example.about}\n{_continued(line)}\n")
    return f"Examples\n{''.join(texts)}"


def _continued(line: str) -> str:
    """A command over several lines, each but the last with a backslash, that end before a flag."""
    first, *others = line.split(" --")
    lines = [f"    {first}"]
    for flag in others:
        if len(f"{lines[-1]} --{flag} \\") > WIDTH:
            lines[-1] += " \\"
            lines.append(f"        --{flag}")
        else:
            lines[-1] += f" --{flag}"
    return "\n".join(lines)
