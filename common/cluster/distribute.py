"""Training by several processes: TensorFlow's own runtime, with one all-reduce of one buffer in an update.

Each process, of a rank from 0, has a server, and a session on its own server. What an update needs of all is put
into one buffer, whose mean over the processes each of them gets: then all make the same update of the same weights.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import socket
import sys
import time

from common import atomic
from common import tensorflow as tf
from common.cluster import cluster as clusters
from common.cluster.watchdog import Watchdog
from common.errors import Restart, UserError, reason

PER_PROCESS = "per_process"  # collection of variables that each process has for itself
MEANS, TALK = 1, 2  # keys of the groups of devices: those that compute, and the processors
SHARED = 5  # numbers that can be shared at once
PATIENT = 10  # times --hung_after, after what takes longer than a step
HEARTBEAT = 1.0  # seconds between signs of life where one process works and the others wait
WAITS_UNTOLD = 10.0  # seconds after which a process says for whom it waits
NAMED_WITHIN = 10.0  # seconds after --start_within in which a process that is missing has been named
TOLD_WITHIN = 3.0  # seconds in which a process that fails has said why
LOST = ("UnavailableError", "AbortedError", "InternalError", "DeadlineExceededError", "CancelledError", "UnknownError")


class Alone:
    """The one process of a training that has no others; and what it would ask of them."""

    rank, size, is_chief = 0, 1, True

    def device(self):
        """Within it, ops are placed on the devices of this process."""
        return contextlib.nullcontext()

    def session(self, config):
        """A session on the devices of this process."""
        return tf.Session(config=config)

    def mean(self, found, losses, request, after=()):
        """(gradients, {name: loss}, request) as means over all processes of those of this one, once `after` is done.

        Of the gradients `found` some may be None; `request` is a scalar, by which a process asks the others to stop.
        """
        del after
        return found, losses, request

    def finish(self, own=()):
        """Makes the ops that are run between steps, before the graph is finalized. `own`: see Checkpoints."""

    def share(self, session, *numbers):
        """The largest of each of `numbers`, whole ones of 0 and more, that a process gives; all have to call this."""
        del session
        return list(numbers)

    def refuse_difference(self, session, step):
        """Raises UserError if the variables are not the same in all processes, where a look is due after a step."""

    def progress(self, slow=False):
        """Something is done; `slow`: what comes next may take longer than a step."""

    def leave(self, session):
        """Waits until all are done."""


class Group(Alone):
    """The processes of a training as one of them sees the others; use it by `joined`."""

    def __init__(self, addresses, rank, about, run_dir):
        self.rank, self.size, self.is_chief = rank, len(addresses), rank == 0
        self._addresses, self._about, self._folder = addresses, about, pathlib.Path(run_dir)
        name = hashlib.blake2b(",".join(addresses).encode(), digest_size=4).hexdigest()
        self._failures = [self._folder / f"failed-{name}-{each}.txt" for each in range(self.size)]
        with contextlib.suppress(OSError):
            self._failures[rank].unlink(missing_ok=True)
        self._stale = {path: _stamp(path) for path in self._failures}  # of an earlier start; they are not heard
        self._instances, self._server, self._checked, self._following = 0, None, False, None
        self._until = time.monotonic() + about.start_within
        self.watchdog = Watchdog(about.start_within + NAMED_WITHIN, self.failure, self._is_gone)

    def device(self):
        return tf.device(f"/job:worker/replica:0/task:{self.rank}")

    def session(self, config):
        os.environ["GRPC_FAIL_FAST"] = "true"  # else a call to one that is gone already waits for it, for ever
        config.experimental.collective_group_leader = "/job:worker/replica:0/task:0"
        spec = tf.train.ClusterSpec({"worker": self._addresses})
        try:
            self._server = tf.distribute.Server(spec, job_name="worker", task_index=self.rank, config=config)
        except tf.errors.UnknownError as error:
            address = self._addresses[self.rank]
            raise Restart(f"{address} cannot be listened at: is its port in use? ({reason(error)})") from error
        if clusters.is_local(self._addresses):
            _listen_to_this_machine_alone(int(self._addresses[self.rank].rpartition(":")[2]))
        self._wait_for_others()
        if self.is_chief:
            self._clear()
        self._following = self._addresses[(self.rank + 1) % self.size]
        return tf.Session(self._server.target, config=config)

    def mean(self, found, losses, request, after=()):
        given = [*(gradient for gradient in found if gradient is not None), *losses.values(), request]
        kind = given[0].dtype
        flat = tf.concat([tf.reshape(tf.cast(each, kind), [-1]) for each in given], 0)
        with tf.control_dependencies(after):
            mean = self._reduce(flat, "Add", MEANS) / self.size
        parts = tf.split(mean, [each.shape.num_elements() for each in given])
        means = iter([tf.cast(tf.reshape(part, each.shape), each.dtype) for part, each in zip(parts, given)])
        gradients = [None if gradient is None else next(means) for gradient in found]
        return gradients, {name: next(means) for name in losses}, next(means)

    def finish(self, own=()):
        own = {variable.op.name for variable in own}
        self._names = [variable.op.name for variable in tf.global_variables() if variable.op.name not in own]
        with tf.device("/device:CPU:0"):
            self._given = tf.placeholder(tf.int64, [SHARED])
            self._largest = self._reduce(self._given, "Max", TALK)
            sums = tf.stack([_checksum(each) for each in tf.global_variables() if each.op.name not in own])
            self._extremes = self._reduce(tf.concat([sums, -sums], 0), "Max", TALK)

    def share(self, session, *numbers):
        given = [*numbers, *[0] * (SHARED - len(numbers))]
        return [int(each) for each in session.run(self._largest, {self._given: given})[: len(numbers)]]

    def refuse_difference(self, session, step):
        if step % self._about.check_every and self._checked:
            return
        extremes = session.run(self._extremes)
        largest, smallest = extremes[: len(self._names)], -extremes[len(self._names) :]
        names = [name for name, most, least in zip(self._names, largest, smallest) if most != least]
        self._checked = True
        if names:
            raise UserError(
                f"After step {step:,} the processes differ in {names[0]}{' and others' * (len(names) > 1)}, which must"
                " not be: they are of different versions of TensorFlow or on different processors, or one of those"
                " computes wrongly. Checkpoints since the last check (--check_every) may be worth nothing."
            )

    def progress(self, slow=False):
        self.watchdog.progress(self._about.hung_after * (PATIENT if slow else 1))

    def leave(self, session):
        self._following = None
        with contextlib.suppress(tf.errors.OpError):  # another is gone already, and needs nothing any more
            self.share(session)

    def fail(self, error):
        """Leaves word for the others of why this process ends."""
        said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {reason(error)}"
        with contextlib.suppress(OSError):
            atomic.write_text(self._failures[self.rank], said + "\n")

    def failure(self):
        """What another process has left word of, as a sentence; "" if none has."""
        for rank, path in enumerate(self._failures):
            if rank != self.rank and _stamp(path) != self._stale[path] and (said := _text(path)):
                return f"{said.strip()} (So the process of rank {rank} says.)"
        return ""

    def told(self):
        """The same, within the time that another one may need for it."""
        until = time.monotonic() + TOLD_WITHIN
        while not (said := self.failure()) and time.monotonic() < until:
            time.sleep(0.1)
        return said

    def _is_gone(self):
        """Whether nobody listens at the address of the following process any more; each looks after one."""
        return self._following is not None and bool(_silence(self._following))

    def _clear(self):
        """Removes what was left by trainings of before; the chief holds the lock of the run folder."""
        for path in self._folder.glob("failed-*-*.txt"):
            if path not in self._failures:
                path.unlink(missing_ok=True)

    def _reduce(self, tensor, how, key):
        """The all-reduce of a tensor. Each has a number of its own, the same everywhere: graphs are made alike."""
        self._instances += 1
        hint = "nccl" if key == MEANS and tf.config.list_physical_devices("GPU") else "ring"
        return tf.raw_ops.CollectiveReduceV2(
            input=tensor,
            group_size=self.size,
            group_key=key,
            instance_key=self._instances,
            ordering_token=[],
            merge_op=how,
            final_op="Id",
            communication_hint=hint,
        )

    def _wait_for_others(self):
        """Until all servers answer; says once for whom it waits, and raises Restart, naming those not there in time."""
        missing, told = dict(enumerate(self._addresses)), time.monotonic() + WAITS_UNTOLD
        while missing := {rank: why for rank in missing if (why := _silence(self._addresses[rank]))}:
            names = ", ".join(f"rank {rank} at {self._addresses[rank]}" for rank in missing)
            if time.monotonic() > self._until:
                raise Restart(
                    f"{names}: not there within {self._about.start_within:g} seconds (--start_within;"
                    f" {'; '.join(sorted(set(missing.values())))}). Start them, and this one again."
                )
            if told and time.monotonic() > told:
                told = None
                print(f"Waiting for {names} ({'; '.join(sorted(set(missing.values())))}).", file=sys.stderr, flush=True)
            time.sleep(0.1)


class Listening:
    """Stands for an event, `stopped`, while the chief works and the others wait: set in one, it is in all."""

    def __init__(self, group, session, stopped):
        self._group, self._session, self._stopped = group, session, stopped
        self._since, self._set = time.monotonic(), False

    def is_set(self):
        """Whether it is set anywhere, as of the last heartbeat."""
        if self._group.size == 1:
            return self._stopped.is_set()
        if time.monotonic() - self._since >= HEARTBEAT and not self._set:
            _, asked = self._group.share(self._session, 1, self._stopped.is_set())
            self._since, self._set = time.monotonic(), bool(asked)
            self._group.progress()
        return self._set


def while_chief_works(group, session, stopped, work):
    """Does `work(stopped)` in the chief, which tells of three things whether they are so, while the others wait for it.

    Returns [whether somebody asked to stop, and those three], the same in all processes.
    """
    busy, numbers = not group.is_chief, (0, 0, 0)
    if group.is_chief:
        numbers = work(Listening(group, session, stopped))
        _, *found = group.share(session, 0, stopped.is_set(), *numbers)
    while busy:
        busy, *found = group.share(session, 0, stopped.is_set(), *numbers)
        group.progress()
    return [bool(each) for each in found]


@contextlib.contextmanager
def joined(about, run_dir):
    """The Group of a Cluster, or Alone. Within it, what ends one process ends all.

    Raises Restart where another process is gone, and UserError, with what it said, where one has failed.
    """
    addresses, rank = about.place()
    if not addresses:
        yield Alone()
        return
    group = Group(addresses, rank, about, run_dir)
    with group.watchdog:
        try:
            yield group
        except Restart:
            raise
        except tf.errors.OpError as error:
            if said := group.told():
                raise UserError(said) from error
            if type(error).__name__ not in LOST:
                group.fail(error)
                raise
            raise Restart(f"Another process is gone ({reason(error)}). This one ends, to be started again.") from error
        except Exception as error:
            group.fail(error)
            raise


def _checksum(variable):
    """An int64 of the bits of a variable, which another one value makes another."""
    kind = {1: tf.int8, 2: tf.int16, 4: tf.int32, 8: tf.int64}[variable.dtype.size]
    bits = tf.cast(tf.reshape(tf.bitcast(variable.read_value(), kind), [-1]), tf.int64)
    return tf.reduce_sum(bits * (2 * tf.range(tf.size(bits, out_type=tf.int64)) + 1))


def _silence(address):
    """Why nobody answers at an address, as the system says it; "" where somebody does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _stamp(path):
    """What tells a file from one that was written later in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _text(path):
    try:
        return path.read_text(errors="surrogateescape")
    except OSError:
        return ""


def _listen_to_this_machine_alone(port):
    """Lets the server's socket hear the loopback device alone; TensorFlow listens to every network, always.

    Says so where the system cannot do that.
    """
    try:
        for name in os.listdir("/proc/self/fd"):
            if not pathlib.Path("/proc/self/fd", name).is_socket():
                continue
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name))) as found:
                listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if listens and found.getsockname()[1] == port:
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
                    return
    except (OSError, AttributeError):
        pass
    print(
        f"warning: port {port} is open to the network, as this system cannot close it to others, and whoever reaches it"
        " controls this process: see SECURITY.md.",
        file=sys.stderr,
        flush=True,
    )
