"""Schemas: what a value of a JSON document has to be. A value that is something else is described in words."""

from __future__ import annotations

import abc
import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 2**63 - 1  # TensorFlow and NumPy count with 64 bits
SHOWN = 60  # characters of a value that a sentence shows


class Misfit(Exception):
    """What a document holds and what was expected: a clause without a full stop, such as "step is -3, and ..."."""


class Schema(abc.ABC):
    """What a value has to be."""

    @property
    @abc.abstractmethod
    def expected(self) -> str:
        """What it has to be, in words."""

    @abc.abstractmethod
    def fits(self, value: object) -> bool:
        """Whether `value` itself is of this kind; what lies inside it is left to `check`."""

    def check(self, value: object, name: str = "") -> None:
        """Raises Misfit unless `value`, which stands at `name`, and all inside it is as it has to be."""
        if not self.fits(value):
            raise Misfit(f"{name or 'it'} is {shown(value)}, and {self.expected} is expected")
        self.check_inside(value, name)

    def check_inside(self, value: Any, name: str) -> None:
        """Does the same for what lies inside a value that fits; most have nothing inside."""
        del value, name


class Anything(Schema):
    """Any value."""

    expected = "a value"

    def fits(self, value: object) -> bool:
        return True


class Flag(Schema):
    """True or false; also 1 and 0, which Python takes for them."""

    expected = "true or false"

    def fits(self, value: object) -> bool:
        return isinstance(value, int) and value in (0, 1)


@dataclasses.dataclass(frozen=True)
class Whole(Schema):
    """A whole number from `minimum` to `maximum`."""

    minimum: int = -LARGEST
    maximum: int = LARGEST

    @property
    def expected(self) -> str:
        return f"a whole number{_limits(self.minimum, self.maximum)}"

    def fits(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.minimum <= value <= self.maximum


@dataclasses.dataclass(frozen=True)
class Number(Schema):
    """A finite number from `minimum` to `maximum`."""

    minimum: float = -math.inf
    maximum: float = math.inf

    @property
    def expected(self) -> str:
        return f"a finite number{_limits(self.minimum, self.maximum)}"

    def fits(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return math.isfinite(value) and self.minimum <= value <= self.maximum


@dataclasses.dataclass(frozen=True)
class Text(Schema):
    """A text that can be a path: one of `choices`, and all of it as `pattern` has it, if these are given."""

    choices: Sequence[str] = ()
    pattern: str = ""
    meaning: str = "a text"

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.choices)}" if self.choices else self.meaning

    def fits(self, value: object) -> bool:
        if not isinstance(value, str) or "\0" in value or not _is_encodable(value):
            return False
        return (not self.choices or value in self.choices) and (
            not self.pattern or re.fullmatch(self.pattern, value) is not None
        )


@dataclasses.dataclass(frozen=True)
class Items(Schema):
    """A list, all of whose items are of one schema."""

    item: Schema

    expected = "a list"

    def fits(self, value: object) -> bool:
        return isinstance(value, list)

    def check_inside(self, value: Any, name: str) -> None:
        for number, item in enumerate(value):
            self.item.check(item, f"{name}[{number}]")


@dataclasses.dataclass(frozen=True)
class Entries(Schema):
    """A table of any names, all of whose values are of one schema."""

    value: Schema

    expected = "a table of names and values"

    def fits(self, value: object) -> bool:
        return isinstance(value, dict)

    def check_inside(self, value: Any, name: str) -> None:
        for key, entry in value.items():
            self.value.check(entry, _below(name, key))


@dataclasses.dataclass(frozen=True)
class Table(Schema):
    """A table with the names in `required`, perhaps those in `optional`, and others only if they are `open`."""

    required: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    optional: Mapping[str, Schema] = dataclasses.field(default_factory=dict)
    open: bool = False

    expected = "a table of names and values"

    def fits(self, value: object) -> bool:
        return isinstance(value, dict)

    def check_inside(self, value: Any, name: str) -> None:
        for key in self.required:
            if key not in value:
                raise Misfit(f"{_below(name, key)} is missing")
        known = {**self.required, **self.optional}
        for key, entry in value.items():
            if key in known:
                known[key].check(entry, _below(name, key))
            elif not self.open:
                raise Misfit(f"{name or 'it'} has {shown(key)}, and may have {', '.join(known)}")


@dataclasses.dataclass(frozen=True)
class Either(Schema):
    """A value of one of several schemas."""

    schemas: Sequence[Schema]

    @property
    def expected(self) -> str:
        return " or ".join(schema.expected for schema in self.schemas)

    def fits(self, value: object) -> bool:
        return any(schema.fits(value) for schema in self.schemas)

    def check_inside(self, value: Any, name: str) -> None:
        next(schema for schema in self.schemas if schema.fits(value)).check(value, name)


def shown(value: object) -> str:
    """A value of JSON as a sentence shows it: short, in ASCII, and without what lies inside it."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, default=lambda other: type(other).__name__)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _below(name: str, key: str) -> str:
    """The name of what stands at `key` inside `name`."""
    if not re.fullmatch(r"[\w.-]{1,60}", key, re.ASCII):
        key = shown(key)
    return f"{name}.{key}" if name else key


def _limits(minimum: float, maximum: float) -> str:
    lower = "" if minimum in (-LARGEST, -math.inf) else f" from {minimum:,}"
    return lower if maximum in (LARGEST, math.inf) else f"{lower} to {maximum:,}"


def _is_encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8; bytes of file names that are not UTF-8 (surrogate escapes) can."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
