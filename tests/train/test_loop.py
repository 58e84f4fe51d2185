"""The loop: what it logs, saves and writes after which step, by a session and processes that follow a script."""

import types
from threading import Event

import numpy as np
import pytest

from common.cluster.distribute import SingleProcess
from common.errors import NotFinite, UserError
from common.run import Run
from common.train import loop
from common.train.loop import Training, Verdict

PASSES = [  # of a step of two batches: losses, seconds of waiting, request to stop, seconds of exchanges
    ({"critic": 1.0}, 0.5, 0.0, [0.25, 0.5]),
    ({"critic": 2.0, "generator": 3.0}, 0.25, 0.0, [0.125]),
]


class Scripted:
    """A session whose passes take two seconds each and give what a script has."""

    def __init__(self, clock, passes, read):
        self.clock, self.passes, self.read, self.requests, self.updates = clock, iter(passes), read, [], []

    def run(self, fetches, fed=None):
        if fetches == "batches read":
            return self.read
        losses, waited, stop, exchanges = next(self.passes)
        self.clock[0] += 2.0
        self.requests.append(fed["request"])
        self.updates.append(fetches[-1])
        return losses, {"rate": 0.1}, f"thumbnails {len(self.updates)}", waited, stop, exchanges, None


def one_pass(name):
    return types.SimpleNamespace(losses={}, stop=None, exchanges=[], update=name)


def training_of(**fields):
    return Training(**{**dict.fromkeys(Training._fields), **fields})


@pytest.fixture
def step(monkeypatch):
    """A function that takes a step: (whether a stop is requested, its session, what is logged, the paces)."""
    clock = [100.0]
    monkeypatch.setattr("common.train.loop.time.monotonic", lambda: clock[0])

    def take(passes, *, number=9, size=1, read=4, is_set=False):
        logged, paces, stopped = [], [], Event()
        if is_set:
            stopped.set()
        session = Scripted(clock, passes, read)
        built = types.SimpleNamespace(
            passes=[one_pass("first"), one_pass("second")],
            warmup=[one_pass("warm first"), one_pass("warm second")],
            batches_read="batches read",
            rates={},
            thumbnails={},
            request="request",
        )
        training = training_of(
            session=session,
            graph=types.SimpleNamespace(step=built, batch=types.SimpleNamespace(waited=None)),
            dual=types.SimpleNamespace(d_warmup=3),
            data=types.SimpleNamespace(loaders=[]),
            group=types.SimpleNamespace(size=size),
            pace=types.SimpleNamespace(step=lambda _, monitor, number, seconds: paces.append((number, seconds))),
        )
        monitor = types.SimpleNamespace(step=lambda *row: logged.append(row))
        return loop._take_step(training, monitor, number, stopped), session, logged, paces

    return take


def test_a_row_has_the_last_losses_the_waiting_of_all_batches_and_the_newest_thumbnails(step):
    stops, session, logged, paces = step(PASSES)
    assert logged == [(9, {"critic": 2.0, "generator": 3.0, "rate": 0.1}, 0.75, "thumbnails 2")]
    assert paces == [(9, 4.0 - 0.25 - 0.5 - 0.125)]  # without the exchanges with other processes
    assert session.requests == [0.0, 0.0] and stops is False


@pytest.mark.parametrize(
    ("size", "shared", "is_set", "stops"),
    [(1, 0.0, False, False), (1, 0.0, True, True), (2, 0.0, True, False), (2, 0.5, False, True), (2, 0.5, True, True)],
)
def test_several_processes_stop_by_what_they_share_and_one_by_its_own_signal(step, size, shared, is_set, stops):
    first, second = PASSES
    found, session, *_ = step([(first[0], 0.0, shared, []), second], size=size, is_set=is_set)
    assert found is stops
    assert session.requests == [float(is_set)] * 2


@pytest.mark.parametrize(("number", "size", "saved"), [(1, 1, []), (2, 1, [1]), (9, 1, [8]), (9, 2, [])])
def test_before_an_image_that_does_not_read_the_step_before_is_saved_if_there_is_one(
    step, monkeypatch, number, size, saved
):
    """Other processes wait in the update, and would not save."""
    found = []
    monkeypatch.setattr(loop, "_save", lambda training, number: found.append(number))

    def broken():
        raise UserError("It is broken.")
        yield

    with pytest.raises(UserError, match="It is broken"):
        step(broken(), number=number, size=size)
    assert found == saved


@pytest.mark.parametrize(
    ("number", "read", "updates"),
    [
        (9, 4, ["first", "second"]),
        (9, 5, ["second"]),
        (4, 6, ["first", "second"]),
        (3, 4, ["warm first", "warm second"]),
    ],
)
def test_a_step_begins_with_the_first_batch_that_was_not_read_and_warms_up_at_first(step, number, read, updates):
    _, session, *_ = step(PASSES, number=number, read=read)
    assert session.updates == updates


def test_the_batch_of_a_loss_that_is_not_finite_is_told_by_its_number(step):
    with pytest.raises(NotFinite, match="The loss generator became nan at step 9") as error:
        step([({"critic": 1.0}, 0.0, 0.0, []), ({"generator": np.nan}, 0.0, 0.0, [])])
    assert error.value.read == 1


@pytest.fixture
def looped(monkeypatch, tmp_path):
    """A function from fields of a Run to (the last step, what was done, in order)."""
    done = []

    def act(fields, total=5, *, size=1, is_chief=True, take=lambda number: False, verdicts=None, stopped=None):
        group = types.SimpleNamespace(
            size=size,
            is_chief=is_chief,
            progress=lambda slow=False: done.append(("clock", slow)),
            refuse_difference=lambda session, number: done.append(("compared", session, number)),
        )
        recovery = types.SimpleNamespace(
            saved=lambda: done.append("counted"), recover=lambda error, number: done.append(("went back", number))
        )
        monkeypatch.setattr(loop, "Recovery", lambda *_, **__: recovery)
        monkeypatch.setattr(loop, "_take_step", lambda training, monitor, number, stopped: take(number))
        monkeypatch.setattr(loop, "_save", lambda training, number: done.append(("saved", number)))
        monkeypatch.setattr(loop, "_write_samples", lambda training, monitor, number: done.append(("strips", number)))
        monkeypatch.setattr(loop, "write_report", lambda run: done.append("report"))

        def evaluate(training, number, stopped):
            done.append(("scored", number))
            return (verdicts or {}).get(number, Verdict())

        monkeypatch.setattr(loop, "_evaluate", evaluate)
        run = Run(str(tmp_path / "run"), **{"save_every": 100, "sample_every": 100, **fields})
        training = training_of(session="session", run=run, group=group)
        return loop.loop(training, None, range(1, total + 1), stopped or Event()), done

    return act


def test_steps_are_compared_saved_shown_and_reported_when_they_are_due(looped):
    last, done = looped({"save_every": 2, "sample_every": 3})
    assert last == 5
    assert done == [
        *[("compared", "session", 1), ("clock", False)],
        *[("compared", "session", 2), ("clock", True), ("saved", 2), "counted", ("clock", False)],
        *[("compared", "session", 3), ("clock", True), ("strips", 3), "report"],
        *[("compared", "session", 4), ("clock", True), ("saved", 4), "counted", ("clock", False)],
        *[("compared", "session", 5), ("clock", True), ("saved", 5), "counted"],
        *[("clock", True), ("strips", 5), "report"],
    ]


def of(kind, done):
    return [each[1] for each in done if each[0] == kind]


def test_processes_other_than_the_first_write_no_strips_and_no_report(looped):
    last, done = looped({"save_every": 2, "sample_every": 3}, size=2, is_chief=False)
    assert last == 5 and of("saved", done) == [2, 4, 5]
    assert not of("strips", done) and "report" not in done


def test_without_steps_to_take_the_last_one_done_is_that_before(looped, tmp_path):
    looped({}, total=1)
    training = training_of(run=Run(str(tmp_path)), group=SingleProcess())
    assert loop.loop(training, None, range(8, 8), Event()) == 7


def test_evaluations_are_due_at_multiples_and_at_the_end(looped):
    last, done = looped({"eval_every": 2})
    assert (last, of("scored", done), of("saved", done)) == (5, [2, 4, 5], [5])


@pytest.mark.parametrize(
    ("verdict", "last"), [(Verdict(best=True), 5), (Verdict(stop=True), 2), (Verdict(ends=True), 2), (Verdict(), 5)]
)
def test_the_best_step_is_saved_and_a_verdict_may_end_it(looped, verdict, last):
    found, done = looped({"eval_every": 2}, verdicts={2: verdict})
    assert found == last
    assert of("saved", done) == ([2] if last == 2 else [2, 5] if verdict.best else [5])


def test_a_request_to_stop_ends_it_saved_with_a_report_and_without_strips(looped):
    last, done = looped({}, take=lambda number: number == 3)
    assert (last, of("saved", done)) == (3, [3])
    assert done[-2:] == [("clock", True), "report"] and not of("strips", done)


def breaking_at(*numbers):
    def take(number):
        if number in numbers:
            raise NotFinite("a loss")
        return False

    return take


@pytest.mark.parametrize(("size", "is_set", "last"), [(1, False, 5), (1, True, 2), (2, True, 5)])
def test_after_going_back_it_goes_on_unless_it_is_alone_and_asked_to_stop(looped, size, is_set, last):
    stopped = Event()
    if is_set:
        stopped.set()
    found, done = looped({"eval_every": 2}, take=breaking_at(2), size=size, stopped=stopped)
    assert found == last
    at = done.index(("went back", 2))
    assert done[at - 1] == ("clock", True) and done[at + 1] == ("scored", 2)
    assert 2 not in of("saved", done)  # going back has saved it


def test_going_back_after_the_last_step_ends_it(looped):
    found, done = looped({"eval_every": 3}, take=breaking_at(4, 5))
    assert found == 5 and of("went back", done) == [4, 5]
    assert of("scored", done) == [3, 5] and done[-1] == "report"


@pytest.mark.parametrize(
    ("every", "done", "total", "has", "scored"),
    [
        (3, 6, 9, False, [6]),
        (3, 7, 9, False, []),
        (3, 7, 7, False, [7]),
        (3, 6, 9, True, []),
        (3, 0, 9, False, []),
        (0, 6, 9, False, []),
    ],
)
def test_the_evaluation_of_the_step_that_is_gone_on_from_is_made_up_for(every, done, total, has, scored):
    found = []
    evaluations = types.SimpleNamespace(has=lambda number: has, at=lambda number, _: found.append(number), ended="")
    built = types.SimpleNamespace(step=types.SimpleNamespace(plateau=None))
    run = types.SimpleNamespace(eval_every=every)
    training = training_of(run=run, group=SingleProcess(), graph=built, evaluations=evaluations)
    assert loop.catch_up(training, done, total, Event()) is True
    assert found == scored
    evaluations.ended = "No improvement."
    assert loop.catch_up(training, done, total, Event()) is (not scored)


def test_evaluations_that_do_not_exist_are_an_error_of_the_program():
    training = training_of(run=types.SimpleNamespace(eval_every=1), group=SingleProcess())
    with pytest.raises(ValueError, match="there are no evaluations: they need --eval_every and the chief"):
        loop.catch_up(training, 1, 2, Event())


def failing(*_):
    raise OSError(28, "No space left on device")


def test_strips_and_reports_that_cannot_be_written_are_told_of(tmp_path, monkeypatch, caplog):
    run = Run(str(tmp_path))
    samples = types.SimpleNamespace(write=failing)
    training = training_of(run=run, graph=types.SimpleNamespace(samples=samples))
    loop._write_samples(training, None, 1234)
    monkeypatch.setattr(loop.report, "write", failing)
    loop.write_report(run)
    assert caplog.messages == [
        "No sample strips at step 1,234 (No space left on device); training continues.",
        "No report (No space left on device); training continues.",
    ]


def test_strips_are_named_by_their_step_and_shown_to_the_monitor(tmp_path):
    written, shown = [], []
    samples = types.SimpleNamespace(write=lambda *arguments: written.append(arguments))
    training = training_of(session="session", run=Run(str(tmp_path)), graph=types.SimpleNamespace(samples=samples))
    monitor = types.SimpleNamespace(picture=lambda *arguments: shown.append(arguments))
    loop._write_samples(training, monitor, 12)
    path = tmp_path / "samples" / "00000012.png"
    assert written == [("session", path)] and shown == [(12, path)]


def test_a_save_where_another_training_has_taken_over_writes_nothing():
    training = training_of(run=types.SimpleNamespace(run_dir="mine"), taken_over=lambda: True)
    with pytest.raises(UserError, match=r"mine was removed or renamed .* step 1,200 is not saved"):
        loop._save(training, 1200)
