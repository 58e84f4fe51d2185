"""What watches a training may fail; the training goes on."""

import csv

from common.monitor import Monitor


def monitor(path, done=0, total=10, log_every=2):
    return Monitor(path, ["b", "a"], done, total, images_in_step=3, images_in_epoch=12, log_every=log_every)


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
    monkeypatch.setattr("common.monitor.time.monotonic", lambda: next(clock))
    with monitor(tmp_path / "log.csv", log_every=1) as watch:
        watch.step(1, {"a": 0, "b": 0}, waited=2.5)
    assert read(tmp_path / "log.csv")[1][3:6] == ["10.0", "0.30", "0.2500"]


def test_a_log_that_cannot_be_written_warns_once(tmp_path, capsys):
    (tmp_path / "log").mkdir()
    with monitor(tmp_path / "log" / "log.csv", log_every=1) as watch:
        (tmp_path / "log").rmdir()
        watch.step(1, {"a": 0, "b": 0}, 0.0)
        watch.step(2, {"a": 0, "b": 0}, 0.0)
    assert capsys.readouterr().err.count("training goes on") == 1


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
    with Monitor(path, ["a"], 0, 10, 1, 1, 1, [AtOnce()]) as watch:
        path.with_name("health.csv").mkdir()
        watch.step(1, {"a": 0}, 0.0)
        watch.step(2, {"a": 0}, 0.0)
    said = capsys.readouterr().err
    assert said.count("warning: something, 9 steps before the end") == said.count("warning: ") == 1
    assert said.count("health.csv is not being written") == 1
    assert len(read(path)) == 3
