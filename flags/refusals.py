"""What is wrong with a command line, in plain words: absl's errors, translated."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

from absl import flags

MANY = 3  # names to suggest
PYTHONS = {  # absl's words about a value, and what it must be instead
    r"invalid literal for int\(\).*": "a whole number",
    r"could not convert string to float.*": "a number",
    r"\('Non-boolean argument to boolean flag'.*": "true or false",
    r".* is not an integer in the range \[(.*), (.*)\]": r"a whole number from \1 to \2",
    r".* is not a number in the range \[(.*), (.*)\]": r"a number from \1 to \2",
    r".* is not a non-negative integer": "a whole number, 0 or more",
    r".* is not a positive integer": "a whole number, 1 or more",
    r".* is not a non-negative number": "a number, 0 or more",
    r".* is not integer >= (.*)": r"a whole number, \1 or more",
    r".* is not number >= (.*)": r"a number, \1 or more",
}


def translated(error: Exception, names: Collection[str], phase: str | None) -> str:
    """Returns an error of absl as a sentence. `names`: the flags to suggest, those of a phase."""
    listed = f"Use --phase {phase} --help for a list." if phase else "Use --help for a list."
    if isinstance(error, flags.UnrecognizedFlagError):
        *others, last = ["", *(f"--{name}" for name in similar(error.flagname, names))]
        either = f"{', '.join(others[1:])} or {last}" if others[1:] else last
        meant = f"Did you mean {either}? " if last else ""
        return f"There is no flag --{error.flagname}. {meant}{listed}"
    if missing := re.fullmatch(r"Missing value for flag --(\w+)", str(error)):
        return f"--{missing[1]} needs a value: write --{missing[1]} VALUE. {listed}"
    wrong = re.fullmatch(r"flag --(\w+)=(.*?): (.*)", str(error), flags=re.DOTALL)
    if not wrong:
        return f"{error}. {listed}"
    name, value, reason = wrong.groups()
    if choices := re.fullmatch(r"value should be one of <(.*)>", reason):
        return bad_choice(name, value, choices[1].split("|"))
    for theirs, meaning in PYTHONS.items():
        if matched := re.fullmatch(theirs, reason, flags=re.DOTALL):
            return f"--{name} {value!r} is not valid: it must be {matched.expand(meaning)}."
    return f"--{name} {value!r} is not valid: {reason}."


def bad_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Returns the error for a value that is not one of the choices of a flag."""
    choices = list(choices)
    close = similar(value, choices)[:1]
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"--{name} {value!r} is not valid: it must be one of {', '.join(choices)}.{meant}"


def similar(name: str, names: Iterable[str]) -> list[str]:
    """Returns the names that `name` may stand for, the most similar first: other cases, beginnings, misspellings.

    >>> similar("lr", ["lr_G", "lr_D", "flip"])
    ['lr_G', 'lr_D']
    >>> similar("bacth-size", ["batch_size", "image_size"])
    ['batch_size']
    """
    plain = {other: _plain(other) for other in names}
    same = [other for other, text in plain.items() if text == _plain(name)]
    if same:
        return same
    longer = [other for other in plain if _plain(name) and other.lower().startswith(f"{name.lower()}_")]
    close = difflib.get_close_matches(_plain(name), list(plain.values()), MANY, cutoff=0.75)
    misspelt = [other for text in close for other in plain if plain[other] == text]
    return list(dict.fromkeys([*longer, *misspelt]))[:MANY]


def _plain(name: str) -> str:
    return re.sub(r"[-_]", "", name).lower()
