"""The algorithms of a run: those that it has, or for a new run measured or shipped ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from absl import logging

from common import tensorflow as tf
from common.cluster import distribute
from common.dual import Dual
from common.errors import UserError
from common.ops.algorithms import Convolution
from common.ops.dispatch import Dispatch
from common.run import Run, folder
from common.run.session import building_for, is_gpu
from common.train import step, timing
from common.tuning import measuring, processors, table

SINGLE = distribute.SingleProcess()
GAIN = 0.03  # share of the time of a step that measured algorithms have to save: less is noise


def algorithms_of(
    dual: Dual,
    run: Run,
    group: distribute.SingleProcess = SINGLE,
    record: Callable[[Mapping[str, str]], object] = lambda algorithms: None,
) -> Mapping[str, str]:
    """Returns the measured algorithms that graphs of a run are built with, by key; see Dispatch.

    With --tune the first of several processes measures, and passes what it decides to `record`, which writes
    config.json. The others wait for that.
    """
    if folder.has_begun(run.run_dir):
        return folder.load_run(run.run_dir).algorithms
    if is_gpu(run.device) or run.precise:
        return {}
    if not run.tune:
        return shipped(run.threads)
    if group.size == 1:
        return measured(dual, run)
    if group.is_chief and _recorded(run.run_dir) is None:
        record(measured(dual, run))
    elif group.is_chief:
        logging.info("--tune: nothing is measured, as config.json has the algorithms of an earlier start.")
    group.wait_until(lambda: _recorded(run.run_dir) is not None, "config.json of the process of rank 0, which measures")
    return folder.load_run(run.run_dir).algorithms


def shipped(threads: int) -> Mapping[str, str]:
    """Returns the shipped algorithms for this processor and `threads` threads (0: one for each core)."""
    kind = processors.kind(processors.cpuinfo())
    nearest = table.nearest(table.shipped(), kind, threads or os.cpu_count() or 1)
    return nearest.fastest if nearest else {}


def measured(dual: Dual, run: Run) -> Mapping[str, str]:
    """Measures the algorithms of the convolutions in a step of `dual`, and logs what it gives.

    Returns those that are faster than the usual ones, if steps are faster with them, too: in a step, a convolution
    finds other contents of the caches, and shares the threads.
    """
    logging.info("Measuring algorithms of convolutions (--tune).")
    timings = list(measuring.timings(convolutions(dual, run.batch_size), run.threads))
    fastest = measuring.changes(timings)
    if not fastest:
        logging.info(f"All of {len(timings)} operations are fastest with their usual algorithms.")
        return {}
    usual, other = seconds_of_step(dual, run, fastest)
    is_faster = other < (1.0 - GAIN) * usual
    logging.info(
        f"{len(fastest)} of {len(timings)} operations have a faster algorithm than the usual one. A step takes"
        f" {other:.3g} s with them, and {usual:.3g} s without: they are {'used' if is_faster else 'not used'}."
    )
    return fastest if is_faster else {}


def seconds_of_step(dual: Dual, run: Run, algorithms: Mapping[str, str]) -> tuple[float, float]:
    """Returns the seconds of a step with the usual algorithms and with others, which are measured in between."""
    before, between, after = (timing.of_step(dual, run, Dispatch(chosen)) for chosen in ({}, algorithms, {}))
    return min(before, after), between


def convolutions(dual: Dual, batch_size: int) -> list[Convolution]:
    """Returns the convolutions in a step of `dual` on a CPU."""
    noted = Dispatch()
    with tf.Graph().as_default(), building_for("cpu", dispatch=noted):
        A, B, index = step.placeholders(dual, batch_size)
        step.build(dual, A, B, index, images_in_epoch=1)
    return noted.convolutions


def _recorded(run_dir: str) -> Mapping[str, str] | None:
    """Returns the algorithms in config.json; None if there is none, or it is damaged.

    One of an earlier start counts, too, as other processes may have read it already.
    """
    try:
        return folder.load_run(run_dir).algorithms
    except UserError:
        return None
