"""A supervisor of processes: whom it starts, waits for, ends and starts again; with processes and a clock by hand."""

import json
import os
import signal
import subprocess
from threading import Event

import pytest

from common.cluster import Cluster, supervise
from common.errors import UserError

KILL, RESTART = -signal.SIGKILL, 75


@pytest.fixture
def supervised(monkeypatch, heeded):
    """A function from the exit codes of each start, and the steps saved before it, to (exit code, starts)."""

    def run(codes, steps, signals=(), **fields):
        starts, answers, saved = [], iter(codes), iter(steps)

        def wait(processes, stopped):
            for number in signals:
                signal.raise_signal(number)
            return next(answers)

        monkeypatch.setattr(supervise, "_gpus", lambda count: ["gpus", count])
        monkeypatch.setattr(supervise, "_start", lambda *arguments: starts.append(arguments) or [])
        monkeypatch.setattr(supervise, "_wait", wait)
        cluster = Cluster(local_workers=2, **fields)
        return supervise.supervise(["train"], cluster, lambda: next(saved)), starts

    return run


def test_all_start_again_until_all_have_ended_well(supervised, caplog):
    codes, starts = supervised([[RESTART, KILL], [0, KILL], [0, 0]], [None, None, 1200])
    assert codes == 0 and starts == [(["train"], 2, ["gpus", 2])] * 3
    assert caplog.messages == [
        "rank 0 needs a restart, rank 1 was ended by SIGKILL: all restart from the start.",
        "rank 1 was ended by SIGKILL: all restart from step 1,200.",
    ]


@pytest.mark.parametrize(("codes", "code"), [([3, RESTART], 3), ([KILL, 1], 1), ([0, 2], 2), ([1, 2], 1)])
def test_what_one_cannot_do_is_not_tried_again(supervised, codes, code):
    found, starts = supervised([codes], [None])
    assert found == code and len(starts) == 1


@pytest.mark.parametrize("restarts", [0, 2])
def test_so_many_restarts_in_a_row_are_made_without_a_new_checkpoint(supervised, restarts):
    """After progress, counting begins with the first start from there."""
    with pytest.raises(UserError) as error:
        supervised([[0, RESTART]] * (restarts + 1), [5] * (restarts + 2), restarts=restarts)
    assert str(error.value).startswith(
        f"Started {restarts + 1} times without a new checkpoint (rank 1 needs a restart): restarting does not help."
    )


def test_new_checkpoints_begin_the_count_anew(supervised):
    found, starts = supervised([[KILL, 0]] * 6 + [[0, 0]], [None, 1, 1, 2, 2, 3, 3], restarts=2)
    assert found == 0 and len(starts) == 7


def test_what_was_asked_to_stop_is_not_started_again(supervised):
    found, starts = supervised([[RESTART, KILL]], [None], signals=[signal.SIGTERM])
    assert found == RESTART and len(starts) == 1
    assert supervised([[0, 0]], [None], signals=[signal.SIGTERM])[0] == 0


class Process:
    """A process that ends after so many seconds; None: when it is killed."""

    def __init__(self, clock, after=None, code=0):
        self.clock, self.after, self.code = clock, after, code
        self.returncode, self.signals, self.killed = None, [], None

    def poll(self):
        if self.returncode is None and self.after is not None and self.clock[0] >= self.after:
            self.returncode = self.code
        return self.returncode

    def send_signal(self, number):
        self.signals.append((self.clock[0], number))

    def kill(self):
        self.killed, self.returncode = self.clock[0], KILL

    def wait(self):
        assert self.returncode is not None


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(supervise.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(supervise.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + 0.25))
    return now


@pytest.mark.parametrize(("code", "killed"), [(RESTART, 9.25), (1, 9.25), (KILL, 3.25)])
def test_after_one_has_failed_the_others_have_time_to_say_why_and_are_then_killed(clock, code, killed):
    """8 seconds after an exit, 2 after a kill; both count from when the failure is seen."""
    failed, hanging = Process(clock, 1.0, code), Process(clock)
    assert supervise._wait([failed, hanging], Event()) == [code, KILL]
    assert failed.killed is None and hanging.killed == killed


def test_those_that_end_well_are_waited_for_however_long_they_take(clock):
    processes = [Process(clock, 1.0), Process(clock, 1000.0)]
    assert supervise._wait(processes, Event()) == [0, 0]
    assert clock[0] >= 1000.0 and processes[1].killed is None


def test_a_request_to_stop_is_passed_on_once(clock):
    stopped = Event()
    stopped.set()
    processes = [Process(clock, 2.0), Process(clock, 3.0)]
    assert supervise._wait(processes, stopped) == [0, 0]
    assert [process.signals for process in processes] == [[(0.0, signal.SIGTERM)]] * 2


@pytest.mark.parametrize("gpus", [[], ["5", "GPU-uuid"]])
def test_each_process_gets_its_rank_all_addresses_and_a_gpu_of_its_own(monkeypatch, gpus):
    started = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: started.append((command, options)))
    supervise._start(["train", "now"], 2, gpus)
    ports = set()
    for rank, (command, options) in enumerate(started):
        assert command == ["train", "now"] and options["start_new_session"] is True
        given = options["env"]
        assert given["TRAINING_SUPERVISOR"] == str(os.getpid()) and given["PATH"] == os.environ["PATH"]
        assert given["CUDA_VISIBLE_DEVICES"] == (gpus[rank] if gpus else "")
        config = json.loads(given["TF_CONFIG"])
        assert config["task"] == {"type": "worker", "index": rank}
        ports.add(tuple(config["cluster"]["worker"]))
    ((first, second),) = ports
    assert first != second and first.startswith("127.0.0.1:") and second.startswith("127.0.0.1:")


def test_all_that_still_run_are_killed(clock):
    processes = [Process(clock, 0.0), Process(clock), Process(clock)]
    supervise._end(processes)
    assert [process.killed for process in processes] == [None, 0.0, 0.0]


@pytest.mark.parametrize(
    ("visible", "installed", "count", "gpus"),
    [
        ("0, 1 ,-1,", 0, 2, ["0", " 1 "]),
        ("0,1,2", 0, 3, ["0", "1", "2"]),
        ("-1", 4, 2, []),
        (None, 3, 2, ["0", "1", "2"]),
        (None, 0, 2, []),
    ],
)
def test_gpus_are_those_that_are_visible_or_else_those_of_the_driver(
    visible, installed, count, gpus, monkeypatch, tmp_path
):
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    for number in range(installed):
        (tmp_path / str(number)).mkdir()
    monkeypatch.setattr(supervise, "GPUS", tmp_path)
    assert supervise._gpus(count) == gpus


def test_free_ports_differ():
    assert len(set(supervise.free_ports(3))) == 3
