"""What TensorFlow is told of a device, what is recorded of it, and which GPUs and drivers are taken."""

import os
import platform

import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.run import Run, gpu, session
from common.run.environment import environment_of

OFF = 2  # of RewriterConfig


@pytest.fixture
def gpus(monkeypatch):
    """A function that has TensorFlow find so many GPUs; none at first."""

    def find(count):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] * count if kind == "GPU" else [])

    find(0)
    monkeypatch.setattr(gpu, "missing", lambda: "The reason.")
    return find


@pytest.mark.parametrize(
    ("device", "count", "has_gpu", "visible"),
    [
        ("cpu", 0, False, ""),
        ("cpu", 2, False, ""),
        ("auto", 0, False, ""),
        ("auto", 2, True, ""),
        ("gpu", 1, True, "0"),
        ("gpu:1", 2, True, "1"),
    ],
)
def test_graphs_are_rewritten_for_gpus_alone(gpus, device, count, has_gpu, visible):
    gpus(count)
    assert session.is_gpu(device) == has_gpu
    config = session.session_config(3, device)
    assert config.intra_op_parallelism_threads == config.inter_op_parallelism_threads == 3
    assert config.allow_soft_placement and config.gpu_options.allow_growth
    assert dict(config.device_count) == ({"GPU": 0} if device == "cpu" else {})
    assert config.gpu_options.visible_device_list == visible
    rewrites, options = config.graph_options.rewrite_options, config.graph_options.optimizer_options
    assert rewrites.remapping == rewrites.arithmetic_optimization == OFF
    assert rewrites.disable_meta_optimizer != has_gpu
    assert (options.opt_level == tf.OptimizerOptions.L0) != has_gpu
    assert options.do_common_subexpression_elimination != has_gpu
    assert options.global_jit_level == tf.OptimizerOptions.DEFAULT


def test_xla_compiles_where_it_may(gpus, monkeypatch):
    monkeypatch.setenv("TF_XLA_FLAGS", "--a --tf_xla_cpu_global_jit")
    config = session.session_config(1, "cpu", xla=True)
    assert config.graph_options.optimizer_options.global_jit_level == tf.OptimizerOptions.ON_2
    monkeypatch.delenv("TF_XLA_FLAGS")
    with pytest.raises(UserError) as error:
        session.session_config(1, "cpu", xla=True)
    assert str(error.value) == (
        "XLA on the CPU needs --tf_xla_cpu_global_jit in TF_XLA_FLAGS before TensorFlow is imported; the command line"
        " sets it. Set it, or leave out xla."
    )
    session.session_config(1, "cpu")
    gpus(1)
    config = session.session_config(1, "gpu", xla=True)
    assert config.graph_options.optimizer_options.global_jit_level == tf.OptimizerOptions.ON_2


@pytest.mark.parametrize(
    ("device", "count", "found"),
    [
        ("gpu", 0, "no GPU. The reason. Without a GPU, use --device cpu."),
        ("gpu:0", 0, "no GPU. The reason. Without a GPU, use --device cpu."),
        ("gpu:1", 1, "1 GPU, from gpu:0. Use one of these, or auto."),
        ("gpu:2", 2, "2 GPUs, from gpu:0. Use one of these, or auto."),
    ],
)
def test_a_gpu_that_is_not_there_is_named_with_those_that_are(gpus, device, count, found):
    gpus(count)
    with pytest.raises(UserError) as error:
        session.session_config(1, device)
    assert str(error.value) == f"--device {device} is not available: TensorFlow finds {found}"


@pytest.mark.parametrize("device", ["gpu:", "gpu1", "GPU", "cpu:0", "auto ", "tpu", ""])
def test_devices_are_written_in_one_way(device):
    for other in ("auto", "cpu", "gpu", "gpu:0", "gpu:12"):
        session.refuse_device(other)
    with pytest.raises(UserError) as error:
        session.refuse_device(device)
    assert str(error.value) == (
        f"--device {device} is not a valid device: it must be one of auto, cpu, gpu, gpu:0, gpu:1, ..."
    )


@pytest.mark.parametrize(
    ("variables", "onednn", "xla"),
    [
        ({}, "default", "default"),
        ({"TF_ENABLE_ONEDNN_OPTS": "0", "TF_XLA_FLAGS": "--a"}, "0", "--a"),
        ({"TF_XLA_FLAGS": "--tf_xla_cpu_global_jit"}, "default", "default"),  # which is set in any case
        ({"TF_XLA_FLAGS": "--a --tf_xla_cpu_global_jit"}, "default", "--a"),
    ],
)
def test_what_results_depend_on_is_recorded(monkeypatch, variables, onednn, xla):
    for name in ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_of(Run("x", device="cpu", precise=True, xla=True, threads=5), 3) == {
        **{"arithmetic": 2, "tensorflow": tf.version.VERSION, "python": platform.python_version()},
        **{"machine": platform.machine(), "threads": 5, "processes": 3, "device": "cpu", "xla": True, "precise": True},
        **{"TF_ENABLE_ONEDNN_OPTS": onednn, "TF_XLA_FLAGS": xla},
    }
    assert environment_of(Run("x"))["threads"] == os.cpu_count()


@pytest.fixture
def built_for(monkeypatch):
    """A function for a TensorFlow of a release of CUDA, on a machine with a driver of a branch."""

    def build(cuda, branch, absent=()):
        about = {"is_cuda_build": True, "cuda_version": cuda, "cudnn_version": "9"}
        monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: about)
        monkeypatch.setattr(gpu, "driver_branch", lambda: branch)
        monkeypatch.setattr(gpu, "is_installed", lambda name: name not in absent)

    monkeypatch.setattr(gpu, "is_there", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return build


UNKNOWN = "The cause is unknown: set TF_CPP_MIN_LOG_LEVEL=0 to see TensorFlow's messages."


@pytest.mark.parametrize(("cuda", "oldest"), [("11.8", 450), ("12.5.1", 525), ("13.0", 580)])
def test_the_oldest_driver_of_each_release(built_for, cuda, oldest):
    """By NVIDIA's table of minor version compatibility."""
    built_for(cuda, oldest)
    assert gpu.missing() == UNKNOWN
    built_for(cuda, oldest - 1)
    assert gpu.missing() == (
        f"The NVIDIA driver is of branch {oldest - 1}, but TensorFlow was built for CUDA {cuda}, which needs branch"
        f" {oldest} or later: install a newer driver."
    )


@pytest.mark.parametrize(
    ("cuda", "names"),
    [
        ("12.5", "cudart.so.12 cublas.so.12 cublasLt.so.12 cufft.so.11 cusolver.so.11 cusparse.so.12 cudnn.so.9"),
        ("11.8", "cudart.so.11.0 cublas.so.11 cublasLt.so.11 cufft.so.10 cusolver.so.11 cusparse.so.11 cudnn.so.9"),
        ("99.0", "cudnn.so.9"),
    ],
)
def test_the_libraries_of_each_release(built_for, cuda, names):
    absent = [f"lib{name}" for name in names.split()]
    built_for(cuda, 600, absent)
    assert gpu.missing() == (
        f"CUDA libraries are missing: {', '.join(absent)}. Install them with pip install 'tensorflow[and-cuda]'."
    )
    for name in absent:
        built_for(cuda, 600, [name])
        assert f": {name}. " in gpu.missing()


@pytest.mark.parametrize(
    ("visible", "hides"), [("", True), (" ", True), ("-1", True), (" -1,0", True), ("0", False), ("1,-1", False)]
)
def test_gpus_may_be_hidden(built_for, monkeypatch, visible, hides):
    built_for("12.5", 600)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    hidden = f"CUDA_VISIBLE_DEVICES={visible!r} hides all GPUs: unset it, or set it to 0."
    assert gpu.visibly_missing() == (hidden if hides else "")
    assert gpu.missing() == (hidden if hides else UNKNOWN)


def test_a_missing_driver_and_a_build_for_cpus_are_whole_sentences(built_for, monkeypatch):
    built_for("12.5", None)
    assert gpu.missing() == (
        "There is a GPU, but no NVIDIA driver is loaded: restart after a driver update, then run nvidia-smi."
    )
    monkeypatch.setattr(gpu, "is_there", lambda: False)
    assert (
        gpu.missing()
        == gpu.visibly_missing()
        == ("This machine has no NVIDIA driver loaded: install one, and check that nvidia-smi lists a GPU.")
    )
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": False})
    assert gpu.missing() == (
        "This TensorFlow is built for CPUs only: install tensorflow[and-cuda] instead of tensorflow-cpu."
    )
