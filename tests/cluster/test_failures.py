"""How processes that train together hear of one that has failed, and what each error becomes."""

import errno
import os
import socket
import threading
import types

import numpy as np
import pytest

from common import tensorflow as tf
from common.cluster import Cluster, chief, distribute, sockets, watchdog
from common.errors import Restart, UserError

ADDRESSES = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]
WORKERS = ",".join(ADDRESSES)


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which waiting lets pass, and what happens at a time."""
    now, events = [0.0], {}

    def sleep(seconds):
        now[0] += seconds
        for at in [at for at in events if at <= now[0]]:
            events.pop(at)()

    monkeypatch.setattr(watchdog, "EVERY", 3600.0)  # seconds, in which the test ends
    monkeypatch.setattr(distribute.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(distribute.time, "sleep", sleep)
    return types.SimpleNamespace(now=now, events=events)


def member(tmp_path, rank, **fields):
    return distribute.ProcessGroup(ADDRESSES, rank, Cluster(workers=WORKERS, rank=rank, **fields), tmp_path)


def messages(tmp_path):
    return {path.name[-5]: path.read_text() for path in tmp_path.glob("failed-*.txt")}


def test_the_message_of_another_process_is_heard_and_not_the_own_nor_that_of_an_earlier_start(tmp_path):
    first, second, third = (member(tmp_path, rank) for rank in range(3))
    assert first.failure() == ""
    second.fail(UserError("The disk is full."))
    assert first.failure() == third.failure() == "The disk is full. (Reported by the process of rank 1.)"
    assert second.failure() == ""
    again = member(tmp_path, 2)  # when the message was there already
    assert again.failure() == ""
    second.fail(ValueError("a number"))
    assert again.failure() == "ValueError: a number (Reported by the process of rank 1.)"
    member(tmp_path, 1)  # which starts anew, and removes its own
    assert messages(tmp_path) == {}


def test_the_first_process_removes_messages_of_other_trainings_and_no_others(tmp_path):
    others = [tmp_path / "failed-00000000-0.txt", tmp_path / "failed-abcdef12-7.txt"]
    kept = [tmp_path / "failed.txt", tmp_path / "log.csv"]
    for path in (*others, *kept):
        path.touch()
    group = member(tmp_path, 0)
    member(tmp_path, 1).fail(UserError("mine"))
    group._clear()
    assert not any(path.exists() for path in others) and all(path.exists() for path in kept)
    assert messages(tmp_path) == {"1": "mine\n"}


def test_a_message_that_comes_within_three_seconds_is_waited_for(tmp_path, clock):
    group, other = member(tmp_path, 0), member(tmp_path, 1)
    assert group.wait_for_failure() == ""
    assert clock.now[0] == pytest.approx(3.0, abs=0.11)
    clock.events[5.0] = lambda: other.fail(UserError("It broke."))
    assert group.wait_for_failure() == "It broke. (Reported by the process of rank 1.)"
    assert clock.now[0] == pytest.approx(5.0, abs=0.11)


def test_a_condition_is_waited_for_as_long_as_a_start_may_take(tmp_path, clock):
    group, states = member(tmp_path, 1, start_within=20.0), []
    clock.events[19.0] = lambda: states.append(1)
    group.wait_until(lambda: states, "file")
    assert clock.now[0] == pytest.approx(19.0, abs=0.11)
    with pytest.raises(Restart, match=r"There is no file within 20 seconds \(--start_within\)"):
        group.wait_until(lambda: False, "file")
    assert clock.now[0] == pytest.approx(20.0, abs=0.21)


def test_those_that_do_not_answer_are_named_after_ten_seconds_and_given_up_in_the_end(
    tmp_path, clock, monkeypatch, caplog
):
    missing = {ADDRESSES[1]: "refused", ADDRESSES[2]: "no route"}
    monkeypatch.setattr(distribute, "connection_error", lambda address: missing.get(address, ""))
    group, told = member(tmp_path, 0, start_within=30.0), []
    clock.events[9.5] = lambda: told.append(len(caplog.messages))
    clock.events[10.5] = lambda: told.append(len(caplog.messages))
    clock.events[15.0] = lambda: missing.pop(ADDRESSES[1])
    with pytest.raises(Restart) as error:
        group._wait_for_others()
    assert clock.now[0] == pytest.approx(30.0, abs=0.21) and told == [0, 1]
    both = f"rank 1 at {ADDRESSES[1]}, rank 2 at {ADDRESSES[2]}"
    assert caplog.messages == [f"Waiting for {both} (no route; refused)."]
    assert str(error.value) == (
        f"rank 2 at {ADDRESSES[2]}: not reachable within 30 seconds (--start_within; no route). Start them, then start"
        " this process again."
    )
    missing.clear()
    member(tmp_path, 0)._wait_for_others()


def test_the_watchdog_leaves_ten_seconds_to_name_those_that_are_missing(tmp_path):
    assert member(tmp_path, 0, start_within=20.0).watchdog._seconds == 30.0


def test_a_process_watches_another_from_the_start_to_the_end(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(distribute, "connection_error", lambda address: asked.append(address) or "refused")
    group = member(tmp_path, 0)
    assert group._is_gone() is False and asked == []
    group._following = ADDRESSES[1]
    assert group._is_gone() is True and asked == [ADDRESSES[1]]
    group.share = lambda session: asked.append(session)
    group.leave("session")
    assert group._is_gone() is False and asked == [ADDRESSES[1], "session"]


def test_a_port_that_cannot_be_listened_on_is_named(tmp_path, monkeypatch):
    def server(*_, **__):
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    monkeypatch.setattr(distribute.tf.distribute, "Server", server)
    with pytest.raises(Restart) as error:
        member(tmp_path, 1, start_within=1.0).session(tf.ConfigProto())
    problem = "is its port in use? (Could not start gRPC server)"
    assert str(error.value) == f"Cannot listen on {ADDRESSES[1]}: {problem}"


class LostError(tf.errors.OpError):
    """An error of TensorFlow."""

    def __init__(self, message="the connection broke"):
        super().__init__(None, None, message, 0)


def test_a_connection_is_tried_for_two_seconds_and_the_reason_is_that_of_the_system(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert sockets.connection_error(f"127.0.0.1:{server.getsockname()[1]}") == ""
    with socket.socket() as silent:  # bound, so that no other process gets the port, but not listening
        silent.bind(("127.0.0.1", 0))
        assert sockets.connection_error(f"127.0.0.1:{silent.getsockname()[1]}") == os.strerror(errno.ECONNREFUSED)
    tried = []

    def connect(address, timeout):
        tried.append((address, timeout))
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", connect)
    assert sockets.connection_error("[::1]:22") == "timed out"
    assert tried == [(("::1", 22), 2.0)]


def kind(name):
    return type(name, (LostError,), {})


LOST = ["UnavailableError", "AbortedError", "InternalError", "DeadlineExceededError", "CancelledError", "UnknownError"]


def raised_by(error, tmp_path):
    """What an error in the training of one of several processes becomes."""
    with (
        pytest.raises(type(error) if not isinstance(error, tf.errors.OpError) else Exception) as found,
        distribute.joined(Cluster(workers=WORKERS, rank=1), tmp_path),
    ):
        raise error
    return found.value


@pytest.mark.parametrize("name", LOST)
def test_a_broken_connection_is_a_process_that_is_gone_and_is_not_told_to_others(tmp_path, clock, name):
    found = raised_by(kind(name)(), tmp_path)
    assert type(found) is Restart
    assert str(found) == "Another process is gone (the connection broke). This one exits, to be restarted."
    assert messages(tmp_path) == {} and clock.now[0] >= 3.0


def test_a_broken_connection_has_the_reason_that_another_process_gives(tmp_path, clock):
    other = member(tmp_path, 2)
    clock.events[1.0] = lambda: other.fail(UserError("The disk is full."))
    found = raised_by(kind("UnavailableError")(), tmp_path)
    assert type(found) is UserError and str(found) == "The disk is full. (Reported by the process of rank 2.)"
    assert messages(tmp_path) == {"2": "The disk is full.\n"}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (kind("InvalidArgumentError")("a shape"), "InvalidArgumentError: a shape\n"),
        (UserError("The disk is full."), "The disk is full.\n"),
        (OSError(28, "No space left on device"), "OSError: No space left on device\n"),
        (Restart("again"), None),
    ],
)
def test_errors_of_a_process_are_told_to_the_others_unless_it_only_starts_again(tmp_path, clock, error, message):
    assert raised_by(error, tmp_path) is error
    assert messages(tmp_path) == ({"1": message} if message else {})


def test_several_variables_that_differ_are_told_as_such(tmp_path):
    group = member(tmp_path, 0)
    group._names, group._extremes = ["one", "two", "three"], None
    session = types.SimpleNamespace(run=lambda _: np.array([5, 7, 9, -5, -6, -8]))  # the largest, and -smallest
    with pytest.raises(UserError, match="After step 1,000 the processes differ in two and others, but must"):
        group.refuse_difference(session, 1000)


def test_the_chief_answers_for_all_and_lets_the_others_go_on():
    shared = []
    group = types.SimpleNamespace(
        size=1, is_chief=True, share=lambda *numbers: shared.append(numbers) or [0, 0, 1, 0, 1]
    )
    stopped = threading.Event()
    answers = chief.while_chief_works(group, "session", stopped, lambda event: (True, event.is_set(), True))
    assert shared == [("session", 0, False, True, False, True)]
    assert answers == [False, True, False, True]
