"""Why TensorFlow finds no GPU, as far as this machine tells without a library being loaded."""

from __future__ import annotations

import ctypes.util
import os
import pathlib
import re

from common import tensorflow as tf

VERSION = pathlib.Path("/proc/driver/nvidia/version")  # of the driver that is loaded
DEVICES = (pathlib.Path("/dev/nvidiactl"), pathlib.Path("/dev/dxg"))  # of Linux, and of WSL2
DRIVERS = {"11": 450, "12": 525, "13": 580}  # the first branch of NVIDIA's drivers that runs a CUDA release
LIBRARIES = {  # of a release, which TensorFlow opens by these names; all must be there, or it uses no GPU
    "12": ("cudart.so.12", "cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11", "cusparse.so.12"),
    "11": ("cudart.so.11.0", "cublas.so.11", "cublasLt.so.11", "cufft.so.10", "cusolver.so.11", "cusparse.so.11"),
}


def missing() -> str:
    """What hides the GPUs of this machine, as a sentence with its cure."""
    build = tf.sysconfig.get_build_info()
    if not build.get("is_cuda_build"):
        return "This TensorFlow is built for CPUs alone: install tensorflow[and-cuda] in place of tensorflow-cpu."
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and (not hidden.strip() or hidden.strip().startswith("-")):
        return f"CUDA_VISIBLE_DEVICES={hidden!r} hides all GPUs: unset it, or set it to 0."
    if not is_there():
        return "No NVIDIA driver answers on this machine: nvidia-smi, which comes with one, would list its GPUs."
    wanted, driver = str(build.get("cuda_version", "12")), driver_branch()
    release = wanted.split(".")[0]
    if driver is None:
        return "There is a GPU, and no NVIDIA driver is loaded: restart after an update of it, and see nvidia-smi."
    if 0 < driver < DRIVERS.get(release, 0):
        return (
            f"The NVIDIA driver is of branch {driver}, and CUDA {wanted}, for which TensorFlow was built, needs"
            f" {DRIVERS[release]} or later: install a newer driver."
        )
    names = [f"lib{name}" for name in (*LIBRARIES.get(release, ()), f"cudnn.so.{build['cudnn_version']}")]
    if absent := [name for name in names if not is_installed(name)]:
        return (
            f"Of CUDA's libraries, {', '.join(absent)} cannot be found: pip install 'tensorflow[and-cuda]' brings them."
        )
    return "TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow says of it."


def is_there() -> bool:
    """Whether the kernel shows a GPU of NVIDIA, or its driver."""
    return any(path.exists() for path in (VERSION, *DEVICES))


def driver_branch() -> int | None:
    """The branch of the driver that is loaded, such as 535; 0 in WSL2, where Windows has it; None: none is."""
    try:
        text = VERSION.read_text()
    except OSError:
        return 0 if DEVICES[1].exists() else None
    version = re.search(r"\b(\d{3})\.\d+", text)
    return int(version[1]) if version else 0


def is_installed(name: str) -> bool:
    """Whether there is a library of this name: in a package of pip, on LD_LIBRARY_PATH, or where the system looks."""
    packages = pathlib.Path(tf.sysconfig.get_lib()).parent.glob(f"nvidia/*/lib/{name}")
    folders = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    stem = name.removeprefix("lib").split(".")[0]
    return (
        any(packages)
        or any(os.path.exists(os.path.join(folder, name)) for folder in folders)
        or (ctypes.util.find_library(stem) == name)
    )
