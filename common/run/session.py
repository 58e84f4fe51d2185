"""TensorFlow sessions: threads, devices, compilation and graph rewriting."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from common import tensorflow as tf
from common.errors import UserError
from common.ops import placement
from common.ops.dispatch import Dispatch, dispatching
from common.run import forks, gpu

XLA_ON_CPU = "--tf_xla_cpu_global_jit"  # of TF_XLA_FLAGS, read when TensorFlow is imported


def refuse_device(device: str) -> None:
    """Raises UserError unless `device` is auto, cpu, gpu or gpu:N."""
    if not re.fullmatch(r"auto|cpu|gpu(:\d+)?", device):
        raise UserError(f"--device {device} is not a valid device: it must be one of auto, cpu, gpu, gpu:0, gpu:1, ...")


def is_gpu(device: str) -> bool:
    """Whether a GPU computes for the setting `device` of a Run."""
    return device != "cpu" and bool(tf.config.list_physical_devices("GPU"))


@contextlib.contextmanager
def building_for(device: str, precise: bool = False, dispatch: Dispatch | None = None) -> Iterator[None]:
    """Builds graphs in the formulations that are fastest on a device or, if `precise`, that round least.

    `dispatch`: of algorithms of convolutions on CPUs; None: the usual ones.
    """
    least_rounded = placement.plain() if precise else contextlib.nullcontext()
    selected = dispatching(dispatch) if dispatch else contextlib.nullcontext()
    with placement.building_for_gpu(is_gpu(device)), least_rounded, selected:
        yield


def open_session(threads: int, device: str = "auto", xla: bool = False) -> tf.Session:
    """Opens a session with `threads` threads (0: one for each core) on a device of Run; see session_config.

    Raises UserError in a fork of a process that has computed.
    """
    forks.note()
    return tf.Session(config=session_config(threads, device, xla))


def refuse_checked_numerics() -> None:
    """Raises UserError if tf.debugging.enable_check_numerics is on, which TensorFlow's Saver does not support."""
    with tf.Graph().as_default() as graph:
        tf.identity(tf.placeholder(tf.float32, []))
    if any(operation.type.startswith(("CheckNumerics", "DebugNumeric")) for operation in graph.get_operations()):
        raise UserError(
            "tf.debugging.enable_check_numerics() is on in this thread, and TensorFlow cannot save checkpoints with it."
            " Call tf.debugging.disable_check_numerics() first, or use another thread."
        )


def claim_threads(threads: int) -> None:
    """Makes this process compute with `threads` threads (0: one for each core), if it has not computed yet.

    A process keeps the threads of its first device and first session; even reading files creates a device, with a
    thread for each core.
    """
    forks.note()
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    config.device_count["GPU"] = 0
    tf.Session(config=config).close()


def session_config(threads: int, device: str = "auto", xla: bool = False) -> tf.ConfigProto:
    """Returns the configuration of a session; see open_session.

    Raises UserError if there is no such GPU, or if XLA is requested but TensorFlow was imported without it.
    """
    config = tf.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads, allow_soft_placement=True
    )
    config.gpu_options.allow_growth = True
    if device == "cpu":
        config.device_count["GPU"] = 0
    elif device != "auto":
        config.gpu_options.visible_device_list = _number_of_gpu(device)
    rewrites = config.graph_options.rewrite_options
    if not is_gpu(device):
        # rewriting takes seconds and makes no step faster
        rewrites.disable_meta_optimizer = True
        # L0 turns off folding of constants, which keeps all initial values in memory, and common subexpressions, too
        config.graph_options.optimizer_options.opt_level = tf.OptimizerOptions.L0
        config.graph_options.optimizer_options.do_common_subexpression_elimination = True
    # on GPUs rewriting chooses layouts, but two of its parts are off: the remapper gives up on graphs with second
    # derivatives, with long messages; the other one creates sums whose rounding depends on timing, see gradients
    rewrites.remapping = rewrites.arithmetic_optimization = 2  # RewriterConfig.OFF
    if xla:
        if not is_gpu(device) and XLA_ON_CPU not in os.environ.get("TF_XLA_FLAGS", ""):
            raise UserError(
                f"XLA on the CPU needs {XLA_ON_CPU} in TF_XLA_FLAGS before TensorFlow is imported; the command line"
                " sets it. Set it, or leave out xla."
            )
        config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_2
    return config


def _number_of_gpu(device: str) -> str:
    """Returns the number in "gpu:1", or that of the first GPU for "gpu"; raises UserError if there is no such GPU."""
    number, count = device.partition(":")[2] or "0", len(tf.config.list_physical_devices("GPU"))
    if not count:
        raise UserError(
            f"--device {device} is not available: TensorFlow finds no GPU. {gpu.missing()} Without a GPU, use"
            " --device cpu."
        )
    if int(number) >= count:
        raise UserError(
            f"--device {device} is not available: TensorFlow finds {count} GPU{'s' * (count > 1)}, from gpu:0. Use one"
            " of these, or auto."
        )
    return number
