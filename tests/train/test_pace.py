"""The pace of processes: its rows, and the warning of one that is slow."""

import pytest

from common.train import pace
from common.train.monitor import Extent, Monitor
from common.train.pace import Pace


class Group:
    """Two processes, of which the other one needs a tenth of the seconds of this one."""

    size, is_chief, addresses = 2, True, ("node1:2222", "node2:2222")

    def gather(self, session, number):
        return [number, number / 10]


@pytest.fixture
def monitor(tmp_path):
    def of(done=0):
        return Monitor(tmp_path / "log.csv", [], Extent(done, 100, 1, 1), log_every=2)

    return of


def test_rows_are_means_of_the_steps_between_them_without_the_first(monitor, tmp_path):
    own, kept = Pace(Group(), 2), monitor()
    for number, seconds in enumerate((100.0, 1.0, 2.0, 4.0, 9.0), 1):
        own.step(None, kept, number, seconds)
    assert (tmp_path / "processes.csv").read_text().splitlines() == ["step,rank 0,rank 1", "2,1,0.1", "4,3,0.3"]


def test_rows_after_the_restored_step_are_written_again(monitor, tmp_path):
    for done, seconds in ((0, 1.0), (2, 7.0)):
        own, kept = Pace(Group(), 2), monitor(done)
        for number in range(done + 1, 5):
            own.step(None, kept, number, seconds)
    assert (tmp_path / "processes.csv").read_text().splitlines() == ["step,rank 0,rank 1", "2,1,0.1", "4,7,0.7"]


def test_rows_of_fewer_processes_leave_the_others_empty(monitor, tmp_path):
    """The run was trained by three before; a further resume keeps the rows of both."""
    monitor().processes(2, [1.0, 2.0, 3.0])
    monitor(2).processes(4, [4.0, 5.0])
    monitor(4).processes(6, [6.0, 7.0])
    lines = (tmp_path / "processes.csv").read_text().splitlines()
    assert lines == ["step,rank 0,rank 1,rank 2", "2,1,2,3", "4,4,5,", "6,6,7,"]


def test_one_process_has_no_rows(monitor, tmp_path):
    own = Pace(type("Alone", (), {"size": 1, "addresses": ("",)}), 1)
    own.step(None, monitor(), 1, 1.0)
    own.step(None, monitor(), 2, 1.0)
    assert not (tmp_path / "processes.csv").exists()


def test_one_that_stays_slow_is_named():
    """At half as much again as the median of the others, three times in a row."""
    watch = pace.watcher(["a:1", "b:2", "c:3"])
    assert watch([1.0, 1.6, 1.0]) == "" and watch([1.0, 1.6, 1.0]) == "" and watch([1.0, 1.4, 1.0]) == ""
    assert watch([1.0, 1.6, 1.0]) == "" and watch([1.6, 1.0, 1.0]) == "" and watch([1.0, 1.6, 1.0]) == ""
    assert watch([1.0, 1.6, 1.0]) == ""
    said = watch([0.5, 1.6, 1.0])
    assert said.startswith(
        "the process of rank 1 (b:2) needs 1.6 s of its own for a step, and the others 0.75 s: they wait for it."
    )


@pytest.mark.parametrize(("seconds", "is_slow"), [([1.0, 1.875, 1.5], False), ([1.0, 1.876, 1.5], True)])
def test_half_as_much_again_is_not_yet_slow_and_three_rows_are_enough(seconds, is_slow):
    """The median of the others is 1.25 s, half as much again 1.875 s."""
    watch = pace.watcher(["a:1", "b:2", "c:3"])
    assert [bool(watch(seconds)) for _ in range(3)] == [False, False, is_slow]


def test_a_slow_process_is_warned_of_once(monitor, tmp_path, caplog):
    own, kept = Pace(Group(), 1), monitor()
    for number in range(1, 9):
        own.step(None, kept, number, 1.0)
    assert caplog.text.count("rank 0 (node1:2222) needs 1 s of its own for a step, and the others 0.1 s") == 1
    assert (tmp_path / "health.csv").read_text().count("processes/slow") == 1
