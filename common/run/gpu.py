"""Explains why there is no GPU for TensorFlow, without loading any library."""

from __future__ import annotations

import ctypes.util
import os
import pathlib
import re
import sys

from common import tensorflow as tf
from common.errors import UserError

VERSION = pathlib.Path("/proc/driver/nvidia/version")  # of the loaded driver
DEVICES = (pathlib.Path("/dev/nvidiactl"), pathlib.Path("/dev/dxg"))  # of Linux, and of WSL2
AMD = pathlib.Path("/dev/kfd")  # of builds for ROCm
PLUGINS = "tensorflow-plugins"  # folder of packages that add other GPUs
DRIVERS = {"11": 450, "12": 525, "13": 580}  # the oldest NVIDIA driver branch for each CUDA release
LIBRARIES = {  # by CUDA release, under the names that TensorFlow opens; without all of them it uses no GPU
    "12": ("cudart.so.12", "cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11", "cusparse.so.12"),
    "11": ("cudart.so.11.0", "cublas.so.11", "cublasLt.so.11", "cufft.so.10", "cusolver.so.11", "cusparse.so.11"),
}


def missing() -> str:
    """Returns a sentence on why no GPU is available, with the fix."""
    build = tf.sysconfig.get_build_info()
    if not build.get("is_cuda_build"):
        return "This TensorFlow is built for CPUs only: install tensorflow[and-cuda] instead of tensorflow-cpu."
    if reason := visibly_missing():
        return reason
    wanted, driver = str(build.get("cuda_version", "12")), driver_branch()
    release = wanted.split(".")[0]
    if driver is None:
        return "There is a GPU, but no NVIDIA driver is loaded: restart after a driver update, then run nvidia-smi."
    if 0 < driver < DRIVERS.get(release, 0):
        return (
            f"The NVIDIA driver is of branch {driver}, but TensorFlow was built for CUDA {wanted}, which needs branch"
            f" {DRIVERS[release]} or later: install a newer driver."
        )
    names = [f"lib{name}" for name in (*LIBRARIES.get(release, ()), f"cudnn.so.{build['cudnn_version']}")]
    if absent := [name for name in names if not is_installed(name)]:
        return f"CUDA libraries are missing: {', '.join(absent)}. Install them with pip install 'tensorflow[and-cuda]'."
    return "The cause is unknown: set TF_CPP_MIN_LOG_LEVEL=0 to see TensorFlow's messages."


def visibly_missing() -> str:
    """Returns a sentence on why there is no NVIDIA GPU, with the fix; empty if only TensorFlow can tell."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and (not hidden.strip() or hidden.strip().startswith("-")):
        return f"CUDA_VISIBLE_DEVICES={hidden!r} hides all GPUs: unset it, or set it to 0."
    if not is_there():
        return "This machine has no NVIDIA driver loaded: install one, and check that nvidia-smi lists a GPU."
    return ""


def refuse_absent(device: str) -> None:
    """Raises UserError if `device`, a setting of Run, is a GPU and this machine visibly has none of any make.

    TensorFlow, whose import takes seconds, finds out the rest.
    """
    others = AMD.exists() or any(os.path.isdir(os.path.join(folder, PLUGINS)) for folder in sys.path)
    if device.startswith("gpu") and not others and (reason := visibly_missing()):
        raise UserError(f"--device {device} is not available: {reason} Without a GPU, use --device cpu.")


def is_there() -> bool:
    """Whether the kernel shows an NVIDIA GPU or driver."""
    return any(path.exists() for path in (VERSION, *DEVICES))


def driver_branch() -> int | None:
    """Returns the branch of the loaded driver, such as 535; 0 in WSL2, where Windows loads it; None: no driver."""
    try:
        text = VERSION.read_text()
    except OSError:
        return 0 if DEVICES[1].exists() else None
    version = re.search(r"\b(\d{3})\.\d+", text)
    return int(version[1]) if version else 0


def is_installed(name: str) -> bool:
    """Whether a library is in a pip package, on LD_LIBRARY_PATH, or on the system's search path."""
    packages = pathlib.Path(tf.sysconfig.get_lib()).parent.glob(f"nvidia/*/lib/{name}")
    folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    stem = name.removeprefix("lib").split(".")[0]
    return (
        any(packages)
        or any(os.path.exists(os.path.join(folder, name)) for folder in folders)
        or (ctypes.util.find_library(stem) == name)
    )
