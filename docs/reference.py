"""Every flag and every preset as pages: `python -m docs.reference` writes flags.md and presets.md beside this file."""

import dataclasses
import inspect
import itertools
import pathlib
import re
import typing

from common import atomic
from common.cluster import Cluster
from common.images import Images
from common.run import Run
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import presets
from flags.parsing import OF_ONE_PHASE, OF_USE, Command
from pix2pix import Pix2Pix

DUALS = (DualGAN, CycleGAN, Pix2Pix)
HEAD = "| flag | default | meaning |\n|---|---|---|"
DOCS = pathlib.Path(__file__).parent


def flags_page():
    """A table of the flags of each part; those of the methods in one."""
    parts = "\n".join(_part(part) for part in (Command, Images, Run, Cluster, *OF_USE, *OF_ONE_PHASE.values()))
    return f"""\
# Every flag

Of `python -m dualgan.main`, `cyclegan.main` and `pix2pix.main`; `--help` of each prints the same. A run remembers its
settings: a **fixed** one is as it was when the run began, a **free** one may change, and where one to **warn** of
changes, the last bits of results may differ. Written by `python -m docs.reference`.

## The method

{_methods()}
{parts}"""


def presets_page():
    """What each preset is, in what it is not as published, and which of its settings are not the defaults."""
    found = "\n".join(
        f"## {dual.__name__}\n\n" + "\n".join(_preset(dual, name) for name in presets.names(dual.__name__.lower()))
        for dual in DUALS
    )
    return f"""\
# Presets

`--preset NAME` begins with the settings of a published version; a flag of your own wins over them. Each is a file in
`flags/presets/`, whose comments these are. Written by `python -m docs.reference`.

{found}"""


def _methods():
    """One row for a flag of several methods, with the default of each where they differ, or where not all have it."""
    rows = []
    for name in dict.fromkeys(field.name for dual in DUALS for field in dataclasses.fields(dual)):
        of = {dual: field for dual in DUALS for field in dataclasses.fields(dual) if field.name == name}
        first, kind = next((field, typing.get_type_hints(dual)[name]) for dual, field in of.items())
        defaults = {dual.__name__: _default(field, kind) for dual, field in of.items()}
        shared = len(of) == len(DUALS) and len(set(defaults.values())) == 1
        shown = _default(first, kind) if shared else "<br>".join(f"{name} {text}" for name, text in defaults.items())
        rows.append(f"| {_name(first, kind)} | {shown} | {_about(first, kind)} |")
    return "\n".join([HEAD, *rows, ""])


def _part(part):
    kinds, rows = typing.get_type_hints(part), []
    for field in dataclasses.fields(part):
        cells = (each(field, kinds[field.name]) for each in (_name, _default, _about))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([f"## {part.__name__}", "", inspect.getdoc(part).splitlines()[0], "", HEAD, *rows, ""])


def _name(field, kind):
    return f"`--[no]{field.name}`" if kind is bool else f"`--{field.name}`"


def _default(field, kind):
    if field.default == "":
        return ""
    return f"`{str(field.default).lower() if kind is bool else field.default}`"


def _about(field, kind):
    choices = field.metadata["choices"] if kind is str else ()
    one_of = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return (
        re.sub(r"([|<>*])", r"\\\1", field.metadata["about"]) + one_of + f" *{field.metadata['resume'].capitalize()}.*"
    )


def _preset(dual, name):
    """The comment at the head of a flagfile, and those of its lines that are not the defaults, with theirs."""
    lines = presets.path(dual.__name__.lower(), name).read_text().splitlines()
    head = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    about = re.sub(r"\n(?=- )", "\n\n", "\n".join(line[1:].removeprefix(" ") for line in head), count=1)
    about = re.sub(r"^((?:- |  ).*)\n(?=[^\s-])", r"\1\n\n", about, flags=re.MULTILINE)
    defaults = {field.name: field.default for part in (dual, Images, Run) for field in dataclasses.fields(part)}
    shown, notes = [], []
    for line in lines[len(head) :]:
        if line.startswith("#"):
            notes.append(line)
            continue
        flag, _, value = line.removeprefix("--").partition("=")
        if line and (notes or not _equal(defaults[flag], value)):
            shown += [*notes, line]
        notes = []
    own = "\n".join(["What is not the default of its flag:", "", *(f"    {line}" for line in shown)])
    return f"### {name}\n\n{about}\n\n{own if shown else 'All flags are as by default.'}\n"


def _equal(default, text):
    if isinstance(default, bool):
        return str(default).lower() == text
    return float(text) == default if isinstance(default, (int, float)) else text == default


def main():
    """Writes both pages."""
    for name, text in (("flags.md", flags_page()), ("presets.md", presets_page())):
        atomic.write_text(DOCS / name, text)
        print(DOCS / name)


if __name__ == "__main__":
    main()
