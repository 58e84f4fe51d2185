"""What watches a training may fail; the training goes on."""

import csv
import os

import pytest

from common.train.monitor import Extent, Monitor


def monitor(path, done=0, total=10, log_every=2):
    return Monitor(path, ["b", "a"], Extent(done, total, 3, 12), log_every=log_every)


def read(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_a_row_every_so_often_and_at_the_end(tmp_path):
    path = tmp_path / "log.csv"
    with monitor(path, total=5) as watch:
        for number in range(1, 6):
            watch.step(number, {"a": number / 2, "b": -number}, waited=0.0)
    header, *rows = read(path)
    assert header == ["step", "epoch", "images", "seconds", "images_per_s", "waiting", "a", "b"]
    assert [(row[0], row[1], row[2], row[6], row[7]) for row in rows] == [
        ("2", "0.5000", "6", "1", "-2"),
        ("4", "1.0000", "12", "2", "-4"),
        ("5", "1.2500", "15", "2.5", "-5"),
    ]


def test_waiting_is_a_share_of_the_time(tmp_path, monkeypatch):
    clock = iter([100.0, *(110.0 for _ in range(9))])
    monkeypatch.setattr("common.train.monitor.time.monotonic", lambda: next(clock))
    with monitor(tmp_path / "log.csv", log_every=1) as watch:
        watch.step(1, {"a": 0, "b": 0}, waited=2.5)
    assert read(tmp_path / "log.csv")[1][3:6] == ["10.0", "0.30", "0.2500"]


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, as a list of one number."""
    now = [100.0]
    monkeypatch.setattr("common.train.monitor.time.monotonic", lambda: now[0])
    return now


def test_speed_and_time_left_leave_out_the_first_step(tmp_path, clock, capsys):
    """10 seconds for the first step, which waits for 8 of them, then 2 for each, which waits for half of one."""
    with monitor(tmp_path / "log.csv", done=90, total=120, log_every=1) as watch:
        for number in range(91, 101):
            clock[0] += 10.0 if number == 91 else 2.0
            watch.step(number, {"a": 0, "b": 0}, waited=8.0 if number == 91 else 0.5)
    rows = [row[3:6] for row in read(tmp_path / "log.csv")[1:]]
    assert rows[0] == ["10.0", "0.30", "0.8000"]
    assert rows[1] == ["12.0", "1.50", "0.2500"] and rows[-1] == ["28.0", "1.50", "0.2500"]  # 3 images in 2 seconds
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert told == [
        # more than 2 seconds after the first step, of which 27 steps of 2 seconds are left
        "step 93/120 | epoch 23.2 | 1.5 images/s | 25% waiting for data | 54 s left"
    ]


def test_a_log_that_cannot_be_written_warns_once(tmp_path, capsys):
    (tmp_path / "log").mkdir()
    with monitor(tmp_path / "log" / "log.csv", log_every=1) as watch:
        (tmp_path / "log").rmdir()
        watch.step(1, {"a": 0, "b": 0}, 0.0)
        watch.step(2, {"a": 0, "b": 0}, 0.0)
    assert capsys.readouterr().err.count("training continues") == 1


def test_a_log_of_fewer_columns_is_gone_on_with(tmp_path):
    path = tmp_path / "log.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["step", "waiting", "a", "gone"], [1, 0, 0.5, 7], [2, 0, 0.25, 8], [3, 0, 1, 9]])
    with monitor(path, done=2, log_every=1) as watch:
        watch.step(3, {"a": 3, "b": 4}, 0.0)
    header, *rows = read(path)
    assert header == ["step", "epoch", "images", "seconds", "images_per_s", "waiting", "a", "b", "gone"]
    assert [[row[0], *row[5:]] for row in rows] == [
        ["1", "0", "0.5", "", "7"],
        ["2", "0", "0.25", "", "8"],
        ["3", "0.0000", "3", "4", ""],
    ]


class AtOnce:
    """A watcher that finds something in every row."""

    name = "something"

    def __call__(self, row):
        return f"something, {row.left} steps before the end"


def test_a_warning_that_cannot_be_kept_is_still_said(tmp_path, capsys):
    path = tmp_path / "log.csv"
    with Monitor(path, ["a"], Extent(0, 10, 1, 1), log_every=1, watchers=[AtOnce()]) as watch:
        path.with_name("health.csv").mkdir()
        watch.step(1, {"a": 0}, 0.0)
        watch.step(2, {"a": 0}, 0.0)
    said = capsys.readouterr().err
    assert said.count("warning: something, 9 steps before the end") == said.count("warning: ") == 1
    assert said.count("health.csv could not be written") == 1
    assert len(read(path)) == 3


@pytest.mark.parametrize("name", ["log.csv", "health.csv"])
@pytest.mark.parametrize(
    "content",
    [b"st10,0.1\n11,0.2\n", b"\n\n", b'"' + b"x" * 200_000, b"\0" * 5000, b"\xff" * 99 + b"\n1\n", b"a,b\n1,2\n"],
)
def test_what_was_damaged_stops_nothing(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with monitor(tmp_path / "log.csv", done=20, total=30, log_every=1) as watch:
        watch.step(21, {"a": 1, "b": 2}, 0.0)
        watch.record(21, "state", "text")
    assert [row[0] for row in read(tmp_path / "log.csv")] == ["step", "21"]
    assert read(tmp_path / "health.csv")[-1] == ["21", "state", "text"]


def test_a_row_that_was_cut_off_in_a_text_hides_no_others(tmp_path):
    rows = ["step,state,text", '1,one,"a, b"', '2,two,"cut', '3,three,"c"', '4,four,"d ""e"" f"']
    (tmp_path / "health.csv").write_text("\r\n".join(rows) + "\r\n")
    monitor(tmp_path / "log.csv", done=9)
    kept = [["1", "one", "a, b"], ["3", "three", "c"], ["4", "four", 'd "e" f']]
    assert [row for row in read(tmp_path / "health.csv")[1:] if row[0] != "2"] == kept


def test_names_of_files_need_not_be_text_to_be_told_of(tmp_path):
    said = "A: " + os.fsdecode(b"caf\xe9.png") + " 雨"
    for done in (1, 2):
        monitor(tmp_path / "log.csv", done=done).record(done, "loss not finite", said)
    assert (tmp_path / "health.csv").read_bytes().count(os.fsencode(said)) == 2
