"""Several processes train as one does: gradients are averaged, and batches are divided among them."""

import contextlib
import dataclasses
import threading
import time
import types
from concurrent import futures

import numpy as np
import pytest

from common import tensorflow as tf
from common.cluster import Cluster, chief, distribute
from common.cluster.distribute import SingleProcess, _checksum
from common.cluster.supervise import free_ports
from common.errors import UserError
from common.images import Images, files, pipeline
from common.run import Run, folder
from common.run.session import session_config
from tests import small, split


@pytest.fixture
def root(tmp_path):
    """A dataset of noise: six images of A, five of B; pix2pix takes the pairs among them."""
    noise = np.random.default_rng(0)
    for place, count in (("train/A", 6), ("train/B", 5)):
        for number in range(count):
            image = noise.integers(0, 256, [70, 66, 3], np.uint8)
            files.write(tmp_path / "set" / place / f"{number}.png", image)
    return tmp_path


def assert_equal_up_to_rounding(actual, expected):
    """Compares two results of tests.split; returns the largest difference between two weights."""
    assert actual.keys() == expected.keys() and len(actual) > 20
    largest = 0.0
    for name, value in expected.items():
        assert value.dtype in (np.float64, np.float32, np.int64), name
        if name.startswith(("state/", "loss of ")):  # squared gradients are large
            np.testing.assert_allclose(actual[name], value, rtol=1e-9, atol=1e-9, err_msg=name)
        else:
            assert value.dtype == np.float64, name
            largest = max(largest, np.abs(actual[name] - value).max())
    assert largest < 1e-9
    return largest


@pytest.mark.thorough
def test_two_processes_end_where_one_does(root):
    """In float64, after some updates of critics and generators with noise and a gradient penalty.

    Each is a thread of this process with a server of its own; the slow test below starts processes. Also where each
    computes the gradients of its two images one after the other.
    """
    alone = split.ends_alone("little", 4, root, steps=5)
    for accumulate in (1, 2):
        assert_equal_up_to_rounding(split.ends_in_threads("little", 2, 2, root, 5, accumulate), alone)


def test_a_request_of_one_reaches_all(tmp_path, monkeypatch):
    """To stop, in a step and between steps; in threads, too. By hand: the means of 0 and 1, and of 0 and 10.

    The first comes half a second after the second, which waits for it.
    """
    ports, alone = free_ports(2), []
    workers = ",".join(f"127.0.0.1:{port}" for port in ports)
    (tmp_path / "failed-00000000-0.txt").write_text("of an earlier training")
    listen, wait, waiting = distribute.listen_to_this_machine_alone, distribute.ProcessGroup._wait_for_others, []
    monkeypatch.setattr(
        distribute.ProcessGroup, "_wait_for_others", lambda group: waiting.append(group.rank) or wait(group)
    )
    monkeypatch.setattr(distribute, "listen_to_this_machine_alone", lambda port: alone.append(port) or listen(port))

    def member(rank):
        place = Cluster(workers=workers, rank=rank, hung_after=60.0, check_every=1)
        with distribute.joined(place, tmp_path) as group, tf.Graph().as_default(), group.device():
            gradient, loss = tf.constant([float(rank)]), tf.constant(10.0 * rank)
            gradients, losses, stop, (exchange,) = group.mean(
                [gradient, None], {"loss": loss}, tf.constant(float(rank))
            )
            group.finish()
            with group.session(session_config(1)) as session:
                for pause in (0.0, 0.5):  # the first time both set up their graphs, which takes each its time
                    time.sleep(pause * (1 - rank))  # not in an operation: both may share one thread for those
                    results = session.run((gradients[0], losses["loss"], stop, exchange))
                assert group._following == f"127.0.0.1:{ports[1 - rank]}"  # each watches the other
                shared, of_all = group.share(session, rank, 0), group.gather(session, 7.0 + rank)
                group.leave(session)
        return [*map(np.ravel, results), shared, of_all]

    with futures.ThreadPoolExecutor(2) as threads:
        (_, _, _, of_late, *_), (_, _, _, waited, *_) = ends = list(threads.map(member, range(2)))
        for mean, loss, stop, _, shared, of_all in ends:
            assert (mean, loss) == (0.5, 5.0) and stop > 0.0 and shared == [1, 0] and of_all == [7.0, 8.0]
        assert 0.0 < of_late < 0.25 < waited < 5.0
    assert sorted(alone) == sorted(ports) and sorted(waiting) == [0, 1] and not list(tmp_path.glob("failed-*"))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["dualgan", "cyclegan", "pix2pix", "clipped"])
def test_weights_after_50_steps_are_those_of_one_process(model, root):
    alone = split.ends(model, 1, 4, root)
    begun = {name.removeprefix("begun/"): value for name, value in alone.items() if name.startswith("begun/")}
    moved = max(np.abs(alone[name] - value).max() for name, value in begun.items())
    assert moved > 1e-3
    for processes in (2, 4):
        largest = assert_equal_up_to_rounding(split.ends(model, processes, 4 // processes, root), alone)
        print(f"{model}, {processes} processes: weights moved by {moved:.1e}, and differ by {largest:.1e} at most")


@pytest.mark.slow
def test_one_bit_that_differs_is_found(root):
    codes, messages = split.run("little", 2, 1, root, 1, PERTURBED="1")
    assert codes == [1, 1]
    assert all("After step 1 the processes differ in A2B/generator/" in message for message in messages), messages


@pytest.mark.slow
def test_with_image_pools_as_many_processes_are_reproducible(root):
    once = split.ends("pool", 2, 2, root, steps=20)
    again = split.ends("pool", 2, 2, root, steps=20)
    assert all(once[name].tobytes() == again[name].tobytes() for name in once)


@pytest.mark.parametrize("shuffle", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_processes_read_parts_of_the_batches_that_one_reads(dataset, shuffle):
    """The parts that two processes read, concatenated, are the batches that one reads, from any position."""
    root, dual = dataset(train_A=7, train_B=5), small.Gain(image_size=16)
    images = Images("set", data_root=str(root))
    paths = images.training_files(dual)
    loaders = images.loaders(dual, paths, images.domains(dual, paths))

    def read(batch_size, rank, processes):
        """The batches from three positions, one after the other."""
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(5)
            position = tf.placeholder(tf.int64, [])
            partners = images.partners(dual, paths)
            batch, begin = pipeline.training_batches(
                loaders, dual, batch_size, position, partners, shuffle=shuffle, rank=rank, processes=processes
            )
            batches = []
            for start in (0, 8, 24):
                session.run(begin, {position: start})
                batches += [session.run([batch.index, batch.file_A, batch.file_B, batch.A]) for _ in range(3)]
            return batches

    parts, whole = [read(4, rank, 2) for rank in range(2)], read(8, 0, 1)
    for number, expected in enumerate(whole):
        together = [np.concatenate(values) for values in zip(*(part[number] for part in parts))]
        for actual, value in zip(together, expected):
            np.testing.assert_array_equal(actual, value)


@pytest.mark.parametrize(
    ("processes", "size", "message"),
    [
        (2, 2, None),
        (1, 4, None),
        (4, 1, None),
        (2, 4, "--batch_size 2, but --batch_size 4 was given"),
        (1, 2, "now they have 2 "),
        (4, 2, "now they have 8 "),
    ],
)
def test_any_number_of_processes_resumes_a_run_with_the_same_total_batch(processes, size, message, monkeypatch):
    """It was trained by two processes, with two images each."""
    dual, images, run = small.Gain(), Images("none"), Run("run", batch_size=2)
    saved = folder.SavedRun(dual, images, run, {}, {}, {"processes": 2}, None)
    monkeypatch.setattr(folder, "load_run", lambda run_dir: saved)
    now = Run("run", batch_size=size)
    with pytest.raises(UserError, match=message) if message else contextlib.nullcontext():
        folder.refuse_other_processes("run", now, processes)
        folder.refuse_contradictions("run", dual, images, now, processes=processes)


@pytest.mark.parametrize(("processes", "accumulate", "size"), [(4, 1, 1), (2, 1, 2), (1, 1, 4), (1, 2, 2), (3, 1, 2)])
def test_without_a_batch_size_the_total_stays(processes, accumulate, size, monkeypatch):
    """Two processes have trained with two images each; three cannot share four."""
    run = Run("run", batch_size=2)
    saved = folder.SavedRun(small.Gain(), Images("none"), run, {}, {}, {"processes": 2}, None)
    monkeypatch.setattr(folder, "load_run", lambda run_dir: saved)
    now = dataclasses.replace(run, accumulate=accumulate)
    assert folder.with_same_total(now, processes) == now  # of a new run
    monkeypatch.setattr(folder, "has_begun", lambda run_dir: True)
    assert folder.with_same_total(now, processes).batch_size == size


def test_batches_in_turn_replace_processes(monkeypatch):
    dual, images = small.Gain(), Images("none")
    saved = folder.SavedRun(dual, images, Run("run", batch_size=2), {}, {}, {"processes": 4}, None)
    monkeypatch.setattr(folder, "load_run", lambda run_dir: saved)
    now = Run("run", batch_size=2, accumulate=4)
    folder.refuse_other_processes("run", now, 1)
    folder.refuse_contradictions("run", dual, images, now, processes=1)
    with pytest.raises(UserError, match=r"now they have 16 \(2 x --batch_size 2 x --accumulate 4\)"):
        folder.refuse_other_processes("run", now, 2)
    with pytest.raises(UserError, match="trained with --accumulate 1, but --accumulate 4 was given"):
        folder.refuse_contradictions("run", dual, images, now, processes=4)


def test_a_single_process_changes_nothing():
    """The same tensors come back, so nothing is added to the graph."""
    process, gradient, loss, request = SingleProcess(), object(), object(), object()
    gradients, losses, stop, exchanges = process.mean([gradient, None], {"loss": loss}, request)
    assert not exchanges and process.gather(None, 3.0) == [3.0]
    assert gradients[0] is gradient and gradients[1] is None and losses["loss"] is loss and stop is request
    assert process.share(None, 3, False) == [3, False]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_a_checksum_detects_a_flipped_bit_and_swapped_rows(kind, session):
    """Compared with NumPy: the bits as integers, times odd numbers, summed modulo 2^64."""
    first = np.arange(6).reshape(2, 3).astype(kind)
    variable = tf.get_variable("x", initializer=first)
    checksum = _checksum(variable)
    session.run(tf.global_variables_initializer())
    bits = first.view(f"i{first.itemsize}").astype(np.int64).ravel()
    with np.errstate(over="ignore"):
        assert session.run(checksum) == np.sum(bits * (2 * np.arange(6) + 1))
    checksums = {int(session.run(checksum))}
    exchanged, flipped = first[::-1].copy(), first.copy()
    flipped.view(np.uint8).ravel()[0] ^= 1
    for changed in (exchanged, flipped):
        variable.load(changed, session)
        checksums.add(int(session.run(checksum)))
    assert len(checksums) == 3


def test_a_difference_is_told_when_a_check_is_due(tmp_path):
    """By the largest checksums and the largest negative ones; in the second case 7 and 6 are of `two`."""
    group = distribute.ProcessGroup(["a:1", "b:2"], 0, Cluster(check_every=10), tmp_path)
    group._names, group._extremes = ["one", "two"], None
    alike, unlike = (
        types.SimpleNamespace(run=lambda _, extremes=extremes: np.array(extremes))
        for extremes in ([5, 7, -5, -7], [5, 7, -5, -6])
    )
    group.refuse_difference(alike, 3)  # the first is always due
    group.refuse_difference(unlike, 13)
    with pytest.raises(UserError, match="After step 20 the processes differ in two, but must"):
        group.refuse_difference(unlike, 20)


def test_slow_work_may_take_ten_times_as_long(tmp_path):
    group = distribute.ProcessGroup(["a:1", "b:2"], 0, Cluster(hung_after=7.0), tmp_path)
    group.progress()
    assert group.watchdog._seconds == 7.0
    group.progress(slow=True)
    assert group.watchdog._seconds == 70.0


def test_the_chief_hears_of_a_stop_at_a_heartbeat_and_others_wait(monkeypatch):
    now, shared, alive = [0.0], [], []
    monkeypatch.setattr(chief.time, "monotonic", lambda: now[0])
    group = types.SimpleNamespace(
        size=2,
        is_chief=True,
        share=lambda session, *numbers: shared.append(numbers) or [1, 1],
        progress=lambda: alive.append(1),
    )
    event = chief.SharedEvent(group, None, threading.Event())
    assert not event.is_set() and not shared
    now[0] = 1.0
    assert event.is_set() and shared == [(1, False)] and alive == [1]
    now[0] = 9.0
    assert event.is_set() and len(shared) == 1
    answers = iter([[1, 0, 0, 0, 0], [0, 1, 0, 1, 0]])
    other = types.SimpleNamespace(
        size=2, is_chief=False, share=lambda *_: next(answers), progress=lambda: alive.append(2)
    )
    assert chief.while_chief_works(other, None, threading.Event(), None) == [True, False, True, False]
    assert alive == [1, 2, 2]
