"""Data-parallel training by several processes, with TensorFlow's own runtime and one all-reduce per update.

Each process has a rank from 0, a server, and a session on that server. Gradients, losses and the request to stop are
concatenated into one buffer, and each process gets the mean over all. Then all apply the same update to equal weights.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from absl import logging

from common import atomic
from common import tensorflow as tf
from common.cluster.cluster import Cluster, is_local
from common.cluster.sockets import connection_error, listen_to_this_machine_alone, public_address
from common.cluster.watchdog import Watchdog
from common.errors import Restart, UserError, reason

PER_PROCESS = "per_process"  # collection of variables that differ between processes
MEANS, NUMBERS = 1, 2  # group keys of the all-reduces: on the devices that compute, and on the CPUs
MAX_SHARED = 5  # numbers that can be shared at once
SLOW_FACTOR = 10  # the deadline is this times --hung_after for work that takes longer than a step
ANNOUNCED_AFTER = 10.0  # seconds after which a process logs which others it waits for
NAMED_WITHIN = 10.0  # seconds after --start_within to name the missing processes
MESSAGE_WITHIN = 3.0  # seconds within which a process that fails has written its reason
LOST = ("UnavailableError", "AbortedError", "InternalError", "DeadlineExceededError", "CancelledError", "UnknownError")


class Mean(NamedTuple):
    """Means over all processes."""

    gradients: Sequence[tf.Tensor | None]
    losses: Mapping[str, tf.Tensor]
    request: tf.Tensor
    exchanges: Sequence[tf.Tensor] = ()  # scalars: seconds from when this process was ready until the mean was there


class SingleProcess:
    """The only process of a training; has the interface of ProcessGroup."""

    rank: int = 0
    size: int = 1
    is_chief: bool = True
    addresses: Sequence[str] = ("",)  # by rank

    def device(self) -> AbstractContextManager[None]:
        """Returns a context that places ops on the devices of this process."""
        return contextlib.nullcontext()

    def session(self, config: tf.ConfigProto) -> tf.Session:
        """Opens a session on the devices of this process."""
        return tf.Session(config=config)

    def mean(
        self,
        gradients: Sequence[tf.Tensor | None],
        losses: Mapping[str, tf.Tensor],
        request: tf.Tensor,
        after: Sequence[tf.Operation] = (),
    ) -> Mean:
        """Returns the means over all processes of gradients, losses by name and request, computed after `after`.

        A gradient of None stays None. `request` is a scalar: more than 0 asks the other processes to stop.
        """
        del after
        return Mean(gradients, losses, request)

    def finish(self, own: Iterable[tf.Variable] = ()) -> None:
        """Adds the ops that run between steps; call it before the graph is finalized.

        `own` are the variables that differ between processes (PER_PROCESS).
        """

    def share(self, session: tf.Session, *numbers: int) -> list[int]:
        """Returns the maximum over processes of each of `numbers`, 0 or more; all processes must call it."""
        del session
        return list(numbers)

    def gather(self, session: tf.Session, number: float) -> list[float]:
        """Returns `number` of each process, by rank; all processes must call it."""
        del session
        return [number]

    def wait_until(self, condition: Callable[[], bool], noun: str) -> None:
        """Waits until `condition` holds, which the chief brings about; `noun` names it.

        Raises Restart after --start_within, and UserError if another process has failed.
        """

    def refuse_difference(self, session: tf.Session, step: int) -> None:
        """Raises UserError if variables differ between processes, when a check is due after this step."""

    def progress(self, slow: bool = False) -> None:
        """Restarts the watchdog's clock; `slow`: the work that follows may take longer than a step."""

    def leave(self, session: tf.Session) -> None:
        """Waits until all processes are done."""


class ProcessGroup(SingleProcess):
    """The processes of a training, seen from one of them; use `joined` to create it."""

    def __init__(self, addresses: Sequence[str], rank: int, cluster: Cluster, run_dir: str | os.PathLike[str]) -> None:
        self.rank, self.size, self.is_chief = rank, len(addresses), rank == 0
        self.addresses, self._cluster, self._folder = addresses, cluster, pathlib.Path(run_dir)
        name = hashlib.blake2b(",".join(addresses).encode(), digest_size=4).hexdigest()
        self._failures = [self._folder / f"failed-{name}-{number}.txt" for number in range(self.size)]
        with contextlib.suppress(OSError):
            self._failures[rank].unlink(missing_ok=True)
        self._stale = {path: _stamp(path) for path in self._failures}  # of an earlier start, ignored
        self._instances, self._checked = 0, False
        self._server: Any = None
        self._following: str | None = None
        self._until = time.monotonic() + cluster.start_within
        self.watchdog = Watchdog(cluster.start_within + NAMED_WITHIN, self.failure, self._is_gone)

    def device(self) -> AbstractContextManager[None]:
        return tf.device(f"/job:worker/replica:0/task:{self.rank}")

    def session(self, config: tf.ConfigProto) -> tf.Session:
        os.environ["GRPC_FAIL_FAST"] = "true"  # else a call to a process that has ended hangs
        config.experimental.collective_group_leader = "/job:worker/replica:0/task:0"
        spec = tf.train.ClusterSpec({"worker": self.addresses})
        try:
            self._server = tf.distribute.Server(spec, job_name="worker", task_index=self.rank, config=config)
        except tf.errors.UnknownError as error:
            address = self.addresses[self.rank]
            raise Restart(f"Cannot listen on {address}: is its port in use? ({reason(error)})") from error
        if is_local(self.addresses):
            listen_to_this_machine_alone(int(self.addresses[self.rank].rpartition(":")[2]))
        self._wait_for_others()
        if self.is_chief:
            self._clear()
        self._following = self.addresses[(self.rank + 1) % self.size]
        return tf.Session(self._server.target, config=config)

    def mean(
        self,
        gradients: Sequence[tf.Tensor | None],
        losses: Mapping[str, tf.Tensor],
        request: tf.Tensor,
        after: Sequence[tf.Operation] = (),
    ) -> Mean:
        tensors = [*(gradient for gradient in gradients if gradient is not None), *losses.values(), request]
        kind = tensors[0].dtype
        flat = tf.concat([tf.reshape(tf.cast(tensor, kind), [-1]) for tensor in tensors], 0)
        ready = _time_after(flat)
        with tf.control_dependencies([*after, ready]):
            mean = self._reduce(flat, "Add", MEANS) / self.size
        parts = tf.split(mean, [tensor.shape.num_elements() for tensor in tensors])
        means = iter([tf.cast(tf.reshape(part, tensor.shape), tensor.dtype) for part, tensor in zip(parts, tensors)])
        mean_gradients = [None if gradient is None else next(means) for gradient in gradients]
        mean_losses = {name: next(means) for name in losses}
        return Mean(mean_gradients, mean_losses, next(means), [_time_after(mean) - ready])

    def finish(self, own: Iterable[tf.Variable] = ()) -> None:
        own_names = {variable.op.name for variable in own}
        shared = [variable for variable in tf.global_variables() if variable.op.name not in own_names]
        self._names = [variable.op.name for variable in shared]
        with tf.device("/device:CPU:0"):
            self._numbers = tf.placeholder(tf.int64, [MAX_SHARED])
            self._largest = self._reduce(self._numbers, "Max", NUMBERS)
            self._own = tf.placeholder(tf.float64, [])
            self._of_all = self._reduce(tf.one_hot(self.rank, self.size, self._own), "Add", NUMBERS)
            sums = tf.stack([_checksum(variable) for variable in shared])
            self._extremes = self._reduce(tf.concat([sums, -sums], 0), "Max", NUMBERS)

    def share(self, session: tf.Session, *numbers: int) -> list[int]:
        padded = list(numbers) + [0] * (MAX_SHARED - len(numbers))
        largest = session.run(self._largest, {self._numbers: padded})
        return [int(number) for number in largest[: len(numbers)]]

    def gather(self, session: tf.Session, number: float) -> list[float]:
        return [float(each) for each in session.run(self._of_all, {self._own: number})]

    def wait_until(self, condition: Callable[[], bool], noun: str) -> None:
        while not condition():
            if message := self.failure():
                raise UserError(message)
            if time.monotonic() > self._until:
                raise Restart(f"There is no {noun} within {self._cluster.start_within:g} seconds (--start_within).")
            time.sleep(0.1)

    def refuse_difference(self, session: tf.Session, step: int) -> None:
        if step % self._cluster.check_every and self._checked:
            return
        extremes = session.run(self._extremes)
        largest, smallest = extremes[: len(self._names)], -extremes[len(self._names) :]
        names = [name for name, most, least in zip(self._names, largest, smallest) if most != least]
        self._checked = True
        if names:
            others = " and others" if len(names) > 1 else ""
            raise UserError(
                f"After step {step:,} the processes differ in {names[0]}{others}, but must be bit-identical: they use"
                " different versions of TensorFlow or different processors, or one processor is faulty. Checkpoints"
                " since the last check (--check_every) may be useless."
            )

    def progress(self, slow: bool = False) -> None:
        self.watchdog.progress(self._cluster.hung_after * (SLOW_FACTOR if slow else 1))

    def leave(self, session: tf.Session) -> None:
        self._following = None
        with contextlib.suppress(tf.errors.OpError):  # another process has already ended
            self.share(session)

    def fail(self, error: Exception) -> None:
        """Writes the reason why this process fails to the run folder, for the others."""
        message = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {reason(error)}"
        with contextlib.suppress(OSError):
            atomic.write_text(self._failures[self.rank], message + "\n")

    def failure(self) -> str:
        """Returns the reason that another process has written, as a sentence; "" if there is none."""
        for rank, path in enumerate(self._failures):
            if rank != self.rank and _stamp(path) != self._stale[path] and (message := _text(path)):
                return f"{message.strip()} (Reported by the process of rank {rank}.)"
        return ""

    def wait_for_failure(self) -> str:
        """Returns `failure()` after giving another process time to write it."""
        until = time.monotonic() + MESSAGE_WITHIN
        while not (message := self.failure()) and time.monotonic() < until:
            time.sleep(0.1)
        return message

    def _is_gone(self) -> bool:
        """Whether the next process by rank does not answer; each process watches one other."""
        return self._following is not None and bool(connection_error(self._following))

    def _clear(self) -> None:
        """Removes the messages of earlier trainings; the chief holds the lock of the run folder."""
        for path in self._folder.glob("failed-*-*.txt"):
            if path not in self._failures:
                path.unlink(missing_ok=True)

    def _reduce(self, tensor: tf.Tensor, operation: str, key: int) -> tf.Tensor:
        """Returns the all-reduce of a tensor; its instance key is equal in all processes, as their graphs are equal."""
        self._instances += 1
        collective = self._cluster.on(bool(tf.config.list_physical_devices("GPU"))).collective
        return tf.raw_ops.CollectiveReduceV2(
            input=tensor,
            group_size=self.size,
            group_key=key,
            instance_key=self._instances,
            ordering_token=[],
            merge_op=operation,
            final_op="Id",
            communication_hint=collective if key == MEANS else "ring",  # numbers are on CPUs
        )

    def _wait_for_others(self) -> None:
        """Waits until all servers answer, logging once which are missing. Raises Restart after --start_within."""
        missing = dict(enumerate(self.addresses))
        announced, announce_at = False, time.monotonic() + ANNOUNCED_AFTER
        while missing := {rank: error for rank in missing if (error := connection_error(self.addresses[rank]))}:
            reasons = "; ".join(sorted(set(missing.values())))
            names = ", ".join(f"rank {rank} at {self.addresses[rank]}" for rank in missing)
            if time.monotonic() > self._until:
                raise Restart(
                    f"{names}: not reachable within {self._cluster.start_within:g} seconds (--start_within;"
                    f" {reasons}). Start them, then start this process again."
                )
            if not announced and time.monotonic() > announce_at:
                announced = True
                logging.warning(f"Waiting for {names} ({reasons}).")
            time.sleep(0.1)


@contextlib.contextmanager
def joined(cluster: Cluster, run_dir: str | os.PathLike[str]) -> Iterator[SingleProcess]:
    """Yields the ProcessGroup of a Cluster, or SingleProcess. An error in one process ends all.

    Raises Restart if another process has vanished, and UserError with its message if another has failed.
    """
    addresses, rank = cluster.place()
    if not addresses:
        yield SingleProcess()
        return
    if not cluster.allow_public_address and (public := public_address(addresses[rank])):
        raise UserError(
            f"{addresses[rank]} is {public}, which the internet can reach: whoever does can run code as you, and"
            " nothing is encrypted. Use addresses of a private network or of a tunnel (docs/distributed.md), or, behind"
            " a firewall that only admits these processes, --allow_public_address."
        )
    group = ProcessGroup(addresses, rank, cluster, run_dir)
    with group.watchdog:
        try:
            yield group
        except Restart:
            raise
        except tf.errors.OpError as error:
            if message := group.wait_for_failure():
                raise UserError(message) from error
            if type(error).__name__ not in LOST:
                group.fail(error)
                raise
            raise Restart(f"Another process is gone ({reason(error)}). This one exits, to be restarted.") from error
        except Exception as error:
            group.fail(error)
            raise


def _time_after(tensor: tf.Tensor) -> tf.Tensor:
    """The time in seconds when a tensor is known to this process, also if it is computed on a GPU."""
    with tf.device("/device:CPU:0"), tf.control_dependencies([tf.identity(tensor[:1])]):
        return tf.timestamp()


def _checksum(variable: tf.Variable) -> tf.Tensor:
    """Returns an int64 checksum of a variable's bits, which detects any change of a single value."""
    kind = {1: tf.int8, 2: tf.int16, 4: tf.int32, 8: tf.int64}[variable.dtype.size]
    bits = tf.cast(tf.reshape(tf.bitcast(variable.read_value(), kind), [-1]), tf.int64)
    return tf.reduce_sum(bits * (2 * tf.range(tf.size(bits, out_type=tf.int64)) + 1))


def _stamp(path: pathlib.Path) -> tuple[int, int] | None:
    """Returns inode and modification time, which identify a version of a file; None if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _text(path: pathlib.Path) -> str:
    """Returns the text of a file, "" if it cannot be read."""
    try:
        return atomic.read_text(path, errors="surrogateescape")
    except OSError:
        return ""
