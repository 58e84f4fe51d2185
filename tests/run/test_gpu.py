"""Why there is no GPU, in a sentence each; and in which formulations graphs are built for the one there is."""

from __future__ import annotations

import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.ops import dispatch
from common.ops.formulations import Library
from common.run import gpu
from common.run.session import building_for, open_session

BUILD = {"is_cuda_build": True, "cuda_version": "12.5.1", "cudnn_version": "9"}


@pytest.fixture
def machine(monkeypatch):
    """A machine whose GPU TensorFlow does not find; the test says why."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: BUILD)
    monkeypatch.setattr(gpu, "driver_branch", lambda: 535)
    monkeypatch.setattr(gpu, "is_there", lambda: True)
    monkeypatch.setattr(gpu, "is_installed", lambda name: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


@pytest.mark.parametrize("device", ["gpu", "gpu:0", "gpu:3"])
def test_a_device_that_is_not_there_is_refused_with_the_reason(machine, device):
    machine.setattr(gpu, "missing", lambda: "The reason.")
    with pytest.raises(UserError, match=f"--device {device} is not available: TensorFlow finds no GPU. The reason."):
        open_session(1, device)


def test_a_build_for_cpus_is_named(machine):
    machine.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": False})
    assert "install tensorflow[and-cuda]" in gpu.missing()


@pytest.mark.parametrize("value", ["", "-1"])
def test_hidden_gpus_are_named(machine, value):
    machine.setenv("CUDA_VISIBLE_DEVICES", value)
    assert f"CUDA_VISIBLE_DEVICES='{value}' hides all GPUs" in gpu.missing()


def test_no_driver_is_told_from_one_that_is_not_loaded(machine):
    machine.setattr(gpu, "driver_branch", lambda: None)
    assert "no NVIDIA driver is loaded" in gpu.missing()
    machine.setattr(gpu, "is_there", lambda: False)
    assert "no NVIDIA driver loaded" in gpu.missing()


@pytest.mark.parametrize(("driver", "is_old"), [(470, True), (525, False), (580, False), (0, False)])
def test_a_driver_of_an_older_release_is_named(machine, driver, is_old):
    """Drivers from branch 525 on run all of CUDA 12, by NVIDIA's table of minor version compatibility; 0: in WSL2."""
    machine.setattr(gpu, "driver_branch", lambda: driver)
    assert ("install a newer driver" in gpu.missing()) == is_old
    if is_old:
        assert "of branch 470, but TensorFlow was built for CUDA 12.5.1, which needs branch 525" in gpu.missing()


@pytest.mark.parametrize(
    ("text", "branch"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n", 535),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n", 580),
        ("nothing known\n", 0),
    ],
)
def test_the_branch_of_a_driver_is_read(monkeypatch, tmp_path, text, branch):
    (tmp_path / "version").write_text(text)
    monkeypatch.setattr(gpu, "VERSION", tmp_path / "version")
    assert gpu.driver_branch() == branch
    assert gpu.is_there()


@pytest.mark.parametrize(("is_wsl", "branch"), [(True, 0), (False, None)])
def test_without_a_driver_of_its_own_wsl_has_that_of_windows(monkeypatch, tmp_path, is_wsl, branch):
    monkeypatch.setattr(gpu, "VERSION", tmp_path / "version")
    monkeypatch.setattr(gpu, "DEVICES", (tmp_path / "nvidiactl", tmp_path / "dxg"))
    if is_wsl:
        (tmp_path / "dxg").touch()
    assert gpu.driver_branch() == branch
    assert gpu.is_there() == is_wsl


def test_libraries_that_cannot_be_found_are_named(machine):
    machine.setattr(gpu, "is_installed", lambda name: name not in ("libcublas.so.12", "libcudnn.so.9"))
    assert "libcublas.so.12, libcudnn.so.9. Install them with pip install" in gpu.missing()


def test_where_nothing_is_wrong_tensorflow_is_asked(machine):
    assert "TF_CPP_MIN_LOG_LEVEL=0" in gpu.missing()


def test_libraries_are_found_where_the_system_and_people_put_them(monkeypatch, tmp_path):
    assert gpu.is_installed("libc.so.6")
    assert not gpu.is_installed("libnothing.so.0")
    (tmp_path / "libnothing.so.0").touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path}")
    assert gpu.is_installed("libnothing.so.0")


def test_a_number_that_is_too_large_says_how_many_there_are(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one", "other"])
    with pytest.raises(UserError, match="--device gpu:2 is not available: TensorFlow finds 2 GPUs, from gpu:0"):
        open_session(1, "gpu:2")


@pytest.mark.parametrize(("device", "by_library"), [("auto", True), ("gpu:0", True), ("cpu", False)])
def test_formulations_are_those_of_the_device(session, monkeypatch, device, by_library):
    """A kernel that a CPU multiplies as a matrix, with a stride of 2, is left to cuDNN on a GPU."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    with building_for(device):
        formulation = dispatch.of_conv(tf.zeros([1, 64, 64, 64]), [3, 3, 64, 64], 2, "SAME")
    assert isinstance(formulation, Library) == by_library


def test_a_gpu_that_is_visibly_missing_is_refused_without_tensorflow(machine, tmp_path):
    """Unless it is of another make, or a plugin may know it."""
    gpu.refuse_absent("gpu")
    machine.setattr(gpu, "is_there", lambda: False)
    for device in ("auto", "cpu"):
        gpu.refuse_absent(device)
    with pytest.raises(UserError, match=r"--device gpu:0 is not available: This machine has no NVIDIA driver"):
        gpu.refuse_absent("gpu:0")
    machine.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(UserError, match=r"CUDA_VISIBLE_DEVICES='-1' hides all GPUs"):
        gpu.refuse_absent("gpu")
    (tmp_path / "tensorflow-plugins").mkdir()
    machine.syspath_prepend(tmp_path)
    gpu.refuse_absent("gpu")
    machine.setattr(gpu.sys, "path", [])
    machine.setattr(gpu, "AMD", tmp_path)
    gpu.refuse_absent("gpu")
