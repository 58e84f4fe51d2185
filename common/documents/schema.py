"""Schemas of the values of a JSON document, with descriptions of values that do not match."""

from __future__ import annotations

import abc
import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 2**63 - 1  # TensorFlow and NumPy count with 64 bits
SHOWN = 60  # characters of a value that a message shows


class Misfit(Exception):
    """A document does not match its schema: a clause without a full stop, such as "step is -3, but ..."."""


class Schema(abc.ABC):
    """The kind of a value."""

    @property
    @abc.abstractmethod
    def expected(self) -> str:
        """A description of the values that match."""

    @abc.abstractmethod
    def fits(self, value: object) -> bool:
        """Whether `value` itself is of this kind; `check` also covers its contents."""

    def check(self, value: object, name: str = "") -> None:
        """Raises Misfit unless `value`, found at `name`, and all its contents match."""
        if not self.fits(value):
            raise Misfit(f"{name or 'it'} is {shown(value)}, but {self.expected} is expected")
        self.check_inside(value, name)

    def check_inside(self, value: Any, name: str) -> None:
        """Does the same for the contents of a value that fits; most schemas have none."""
        del value, name


class Anything(Schema):
    """Any value."""

    expected = "a value"

    def fits(self, value: object) -> bool:
        return True


class Flag(Schema):
    """True or false; also 1 and 0, which equal them in Python."""

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
    """A text that can be a path: one of `choices`, and a full match of `pattern`, if these are given."""

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
    """A table with any names, all of whose values are of one schema."""

    value: Schema

    expected = "a table of names and values"

    def fits(self, value: object) -> bool:
        return isinstance(value, dict)

    def check_inside(self, value: Any, name: str) -> None:
        for key, entry in value.items():
            self.value.check(entry, _below(name, key))


@dataclasses.dataclass(frozen=True)
class Table(Schema):
    """A table with the names in `required`, optionally those in `optional`, and others only if it is `open`."""

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
                raise Misfit(f"{name or 'it'} has {shown(key)}, but may only have {', '.join(known)}")


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
    """A JSON value as messages show it: short, in ASCII, and without its contents."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, default=lambda other: type(other).__name__)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _below(name: str, key: str) -> str:
    """The name of the entry `key` of the table `name`."""
    if not re.fullmatch(r"[\w.-]{1,60}", key, re.ASCII):
        key = shown(key)
    return f"{name}.{key}" if name else key


def _limits(minimum: float, maximum: float) -> str:
    lower = "" if minimum in (-LARGEST, -math.inf) else f" from {minimum:,}"
    return lower if maximum in (LARGEST, math.inf) else f"{lower} to {maximum:,}"


def _is_encodable(text: str) -> bool:
    """Whether a text can be encoded as UTF-8; surrogate escapes, which stand for other bytes in file names, can."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
