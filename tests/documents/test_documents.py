"""JSON documents are read strictly: any bytes are values of the schema, or a sentence."""

import errno
import json
import math
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from common import documents
from common.documents import Anything, Either, Entries, Flag, Items, Misfit, Number, Table, Text, Whole

SCHEMA = Table(
    {"step": Whole(0, 9)},
    {"rates": Items(Number(0.0)), "on": Flag(), "kind": Text(("round", "square")), "names": Entries(Text())},
)
values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=10,
)


@given(values)
def test_what_json_writes_is_read_again(value):
    text = json.dumps(value)
    try:
        assert documents.parse(text, Anything()) == value
    except Misfit as misfit:
        assert "a whole number of" in str(misfit)


@given(some.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode()))
@example(b"\xef\xbb\xbf{}")
@example(b'{"step": NaN}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"1" * 5000)
@example(b"1e999")
@example(b'"\\ud800"')
def test_any_bytes_are_values_or_one_clause(content):
    for schema in (Anything(), SCHEMA, Entries(Either([Flag(), Items(Text())]))):
        try:
            documents.parse(content, schema)
        except Misfit as misfit:
            assert str(misfit).isascii() and str(misfit).isprintable() and len(str(misfit)) < 300


def test_what_is_inside_one_of_several_schemas_is_checked():
    schema = Entries(Either([Flag(), Items(Text())]))
    assert documents.parse('{"a": true, "b": ["c"]}', schema) == {"a": True, "b": ["c"]}
    with pytest.raises(Misfit, match=r"b\[1\] is 2, but"):
        documents.parse('{"a": true, "b": ["c", 2]}', schema)
    with pytest.raises(Misfit, match="a is 2, but true or false or a list is expected"):
        documents.parse('{"a": 2}', schema)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "it is 3, but a table of names and values is expected"),
        ({}, "step is missing"),
        ({"step": 10}, "step is 10, but a whole number from 0 to 9 is expected"),
        ({"step": True}, "step is true, but a whole number"),
        ({"step": 1.0}, "step is 1.0, but a whole number"),
        ({"step": None}, "step is null, but a whole number"),
        ({"step": 1, "rates": [0.5, "x"]}, 'rates[1] is "x", but a finite number from 0.0 is expected'),
        ({"step": 1, "rates": [True]}, "rates[0] is true, but a finite number"),
        ({"step": 1, "on": "yes"}, 'on is "yes", but true or false is expected'),
        ({"step": 1, "kind": "oval"}, 'kind is "oval", but one of round, square is expected'),
        ({"step": 1, "names": {"a\nb": 3}}, r'names."a\nb" is 3, but a text is expected'),
        ({"step": 1, "names": {"a": "b\0"}}, r'names.a is "b\u0000", but a text is expected'),
        ({"step": 1, "colour": 1}, 'it has "colour", but may only have step, rates, on, kind, names'),
    ],
)
def test_a_misfit_names_the_place_the_value_and_what_is_expected(value, message):
    with pytest.raises(Misfit) as misfit:
        documents.parse(json.dumps(value), SCHEMA)
    assert str(misfit.value).startswith(message)


def test_names_of_files_that_are_no_utf_8_are_texts():
    assert documents.parse(json.dumps("a\udcff"), Text()) == "a\udcff"  # as os.fsdecode has it
    with pytest.raises(Misfit, match="a text is expected"):
        documents.parse(json.dumps("a\ud800"), Text())


def test_files(tmp_path):
    (tmp_path / "file").write_text('{"step": 1}')
    assert documents.read(tmp_path / "file", SCHEMA) == {"step": 1}
    with pytest.raises(FileNotFoundError):
        documents.read(tmp_path / "none", SCHEMA)
    with pytest.raises(Misfit, match="it is not a file"):
        documents.read(tmp_path, SCHEMA)
    (tmp_path / "large").write_bytes(b" " * (2**24 + 1))
    with pytest.raises(Misfit, match="it is larger than 16,777,216 bytes"):
        documents.read(tmp_path / "large", SCHEMA)


def test_a_name_that_comes_twice_among_many():
    names = ",".join(f'"{number}": 1' for number in range(100_000))  # counted one by one: a minute
    with pytest.raises(Misfit, match='it has "99999" twice'):
        documents.parse(f'{{{names}, "99999": 2}}', SCHEMA)


def test_numbers_are_as_large_as_they_were_written():
    assert documents.parse("[9223372036854775807, -9223372036854775807]", Items(Whole())) == [2**63 - 1, 1 - 2**63]
    with pytest.raises(Misfit, match="is 9223372036854775808, but a whole number is expected"):
        documents.parse("9223372036854775808", Whole())
    assert documents.parse("1e308", Number()) == 1e308 and not math.isinf(documents.parse("-1e-400", Number()))


@pytest.mark.parametrize(
    ("schema", "accepted", "refused", "message"),
    [
        (Anything(), [None, 1, "", [], {}], [], ""),
        (Flag(), [True, False, 0, 1], [2, -1, 0.5, None, "true"], "true or false"),
        (Whole(), [0, 2**63 - 1], [True, 1.0, "1"], "a whole number"),
        (Whole(-5, 1000), [-5, 1000], [-6, 1001], "a whole number from -5 to 1,000"),
        (Whole(maximum=7), [7, -(2**63) + 1], [8, -(2**63)], "a whole number to 7"),
        (Number(), [0, -1.5, 1e300], [False, None, "0"], "a finite number"),
        (Number(0.5, 2.0), [0.5, 1, 2.0], [0.4999, 2.0001], "a finite number from 0.5 to 2.0"),
        (Number(maximum=1.0), [1.0, -1e300], [1.0001], "a finite number to 1.0"),
        (Text(), ["", "a b"], [1, None, [], "a\0"], "a text"),
        (Text(("round", "square")), ["round"], ["", "rounds"], "one of round, square"),
        (Text(pattern="a+", meaning="letters a"), ["a", "aa"], ["", "aab"], "letters a"),
        (Items(Flag()), [[], [True]], [{}, "", None], "a list"),
        (Entries(Flag()), [{}, {"a": True}], [[], "", None], "a table of names and values"),
        (Table(open=True), [{}, {"a": 1}], [[], None], "a table of names and values"),
        (Either((Flag(), Text())), [True, "a"], [2, []], "true or false or a text"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, documents.Schema) else "",
)
def test_a_schema_has_its_values_and_no_others(schema, accepted, refused, message):
    for value in accepted:
        schema.check(value)
    for value in refused:
        with pytest.raises(Misfit) as misfit:
            schema.check(value)
        assert str(misfit.value) == f"it is {documents.shown(value)}, but {message} is expected"


def test_values_are_shown_in_sixty_characters():
    assert documents.shown("n" * 58) == f'"{"n" * 58}"'
    assert documents.shown("n" * 59) == f'"{"n" * 59}...'
    assert [documents.shown(value) for value in ({"a": 1}, [1], None, 0.5, "é")] == [
        *("a table", "a list", "null", "0.5", r'"\u00e9"')
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    {
        "no value": (b"", "it is not valid JSON at line 1, column 1"),
        "a bracket": (b'{\n "a": }', "it is not valid JSON at line 2, column 7"),
        "another encoding": (b'"\xff"', "it is not valid UTF-8 at byte 1"),
        "nesting": (b"[" * 100_000, "it is nested too deeply"),
        "a name twice": (b'{"b": 1, "a": 1, "a": 2}', 'it has "a" twice'),
        "digits": (b"-12345678901234567890", "it has a whole number of 20 digits"),
        "infinity": (b"Infinity", "it has Infinity, which is not a JSON number"),
        "no number": (b"[NaN]", "it has NaN, which is not a JSON number"),
        "an exponent": (b"1e999", "it has a number that is too large, 1e999"),
        "a lower exponent": (b"-1e999", "it has a number that is too large, -1e999"),
        "size": (b"{}" + b" " * (2**24 - 1), "it is larger than 16,777,216 bytes"),
    }.values(),
)
def test_what_is_not_strictly_json_is_named(content, message):
    with pytest.raises(Misfit) as misfit:
        documents.parse(content, Anything())
    assert str(misfit.value) == message


def test_a_document_may_have_as_many_bytes_as_are_read(tmp_path):
    (tmp_path / "large").write_bytes(b"{}" + b" " * (2**24 - 2))
    assert documents.read(tmp_path / "large", Anything()) == {}


def test_a_file_that_cannot_be_opened_is_said(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Misfit) as misfit:
        documents.read(tmp_path / "loop", Anything())
    assert str(misfit.value) == f"it cannot be opened ({os.strerror(errno.ELOOP)})"
