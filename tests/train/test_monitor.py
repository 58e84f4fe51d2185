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


def test_lines_come_after_two_seconds_and_then_every_fifteen(tmp_path, clock, capsys):
    """A step a second: the first line is more than 2 seconds after step 1, each other more than 15 after the last."""
    with monitor(tmp_path / "log.csv", total=60) as watch:
        for number in range(1, 41):
            clock[0] += 1.0
            watch.step(number, {"a": 0, "b": 0}, waited=0.0)
    told = [line.split("/")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == ["step 4", "step 20", "step 36"]


def test_waiting_is_at_most_all_of_the_time_and_a_fast_step_has_its_speed(tmp_path, clock):
    """A step of 3 images in half a second, which has waited for longer in two threads."""
    with monitor(tmp_path / "log.csv", log_every=1) as watch:
        for waited in (0.5, 0.75):
            clock[0] += 0.5
            watch.step(1, {"a": 0, "b": 0}, waited)
    (row, *_) = read(tmp_path / "log.csv")[1:]
    assert row[3:6] == ["0.5", "6.00", "1.0000"]


class Noting:
    """Notes what is called, with what."""

    disable = False

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments, **more: self.calls.append((name, *arguments, *more.values()))


def test_the_bar_shows_each_step_and_makes_room_for_warnings(tmp_path, clock, monkeypatch):
    bar, options = Noting(), {}
    monkeypatch.setattr("common.train.monitor.progress.bar", lambda **given: options.update(given) or bar)
    with Monitor(tmp_path / "log.csv", ["a"], Extent(3, 9, 3, 12), log_every=2, watchers=[AtOnce()]) as watch:
        for number in (4, 5):
            clock[0] += 1.0
            watch.step(number, {"a": 0}, waited=0.25)
    assert options == {"total": 9, "initial": 3, "unit": "step", "dynamic_ncols": True}
    shown = ("set_postfix_str", "3.0 images/s, 25% waiting for data", False)
    assert bar.calls == [("update",), shown, ("clear",), ("update",), ("close",)]


def test_a_bar_has_no_lines_beside_it(tmp_path, clock, monkeypatch, capsys):
    monkeypatch.setattr("common.train.monitor.progress.bar", lambda **_: Noting())
    with monitor(tmp_path / "log.csv") as watch:
        for number in range(1, 6):
            clock[0] += 10.0
            watch.step(number, {"a": 0, "b": 0}, waited=0.0)
    assert capsys.readouterr().out == ""


def test_events_get_each_row_and_picture_and_are_closed(tmp_path, clock):
    events = Noting()
    with Monitor(tmp_path / "log.csv", ["a"], Extent(0, 9, 3, 12), log_every=2, events=events) as watch:
        for number in (1, 2):
            clock[0] += 2.0
            watch.step(number, {"a": number, "more": 7}, waited=0.5)
        watch.picture(2, tmp_path / "x.png")
    row = {"a": 2, "more": 7, "images_per_s": 1.5, "waiting": 0.25}
    assert events.calls == [("scalars", 2, row), ("picture", 2, tmp_path / "x.png"), ("close",)]


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
