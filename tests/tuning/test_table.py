"""The shipped table of algorithms: its form, the nearest entry, and that it is written as it is read."""

import json

import pytest

from common.documents import Misfit
from common.ops.algorithms import OPERATIONS
from common.tuning import table
from common.tuning.table import Measured

FASTEST = {"conv float32 3x3/1 VALID 8-16 at 512": "winograd"}
TABLE = [
    Measured("avx2", "an EPYC", 2, "2026-11-25", {}),
    Measured("amx_bf16", "a Xeon", 1, "2026-11-30", FASTEST),
    Measured("amx_bf16", "a Xeon", 8, "2026-11-30", {}),
]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "PATH", tmp_path / "table.json")
    table.shipped.cache_clear()
    yield tmp_path / "table.json"
    table.shipped.cache_clear()


def test_the_shipped_table_is_valid():
    entries = table.shipped()
    assert len({(entry.kind, entry.threads) for entry in entries}) == len(entries) > 0
    for entry in entries:
        assert all(key.split()[0] in OPERATIONS for key in entry.fastest), entry.model


@pytest.mark.parametrize(
    ("kind", "threads", "expected"),
    [
        ("avx2", 1, 0),
        ("avx512f", 64, 0),  # one step from AVX2, two from AMX
        ("avx512_bf16", 1, 1),
        ("amx_bf16", 2, 1),  # twice as many as 1, a quarter of 8
        ("amx_bf16", 4, 2),
        ("amx_bf16", 64, 2),
    ],
)
def test_the_nearest_kind_then_the_nearest_number_of_threads(kind, threads, expected):
    assert table.nearest(TABLE, kind, threads) is TABLE[expected]


def test_other_processors_have_none():
    assert table.nearest(TABLE, "", 2) is None
    assert table.nearest([], "avx2", 2) is None


def test_it_is_written_as_it_is_read(path):
    table.write(TABLE[::-1])
    assert list(table.shipped()) == TABLE


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sse"},
        {"threads": 0},
        {"measured": "yesterday"},
        {"measured": "2026-11-301"},
        {"fastest": {"a": "guess"}},
        {"more": 1},
    ],
)
def test_what_does_not_fit_is_refused(path, change):
    path.write_text(json.dumps([TABLE[1]._asdict() | change]))
    with pytest.raises(Misfit):
        table.shipped()


def test_the_file_is_lines_of_one_value_each_by_kind_and_threads(path):
    table.write([TABLE[2]._replace(fastest=FASTEST), TABLE[0]])
    assert (
        path.read_text()
        == """[
 {
  "kind": "avx2",
  "model": "an EPYC",
  "threads": 2,
  "measured": "2026-11-25",
  "fastest": {}
 },
 {
  "kind": "amx_bf16",
  "model": "a Xeon",
  "threads": 8,
  "measured": "2026-11-30",
  "fastest": {
   "conv float32 3x3/1 VALID 8-16 at 512": "winograd"
  }
 }
]
"""
    )
