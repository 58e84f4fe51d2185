"""Why TensorFlow finds no GPU, as far as this machine tells."""

from __future__ import annotations

import ctypes
import os
import pathlib

from common import tensorflow as tf

DRIVER = "libcuda.so.1"
LIBRARIES = {  # of a CUDA release, which TensorFlow opens by these names; all must be there, or it uses no GPU
    "12": ("cudart.so.12", "cublas.so.12", "cublasLt.so.12", "cufft.so.11", "cusolver.so.11", "cusparse.so.12"),
    "11": ("cudart.so.11.0", "cublas.so.11", "cublasLt.so.11", "cufft.so.10", "cusolver.so.11", "cusparse.so.11"),
}
INSTALL = "pip install 'tensorflow[and-cuda]' brings them"


def missing() -> str:
    """What hides the GPUs of this machine, as a sentence with its cure."""
    build = tf.sysconfig.get_build_info()
    if not build.get("is_cuda_build"):
        return "This TensorFlow is built for CPUs alone: install tensorflow[and-cuda] in place of tensorflow-cpu."
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and (not hidden.strip() or hidden.strip().startswith("-")):
        return f"CUDA_VISIBLE_DEVICES={hidden!r} hides all GPUs: unset it, or set it to 0."
    wanted = str(build.get("cuda_version", "12"))
    driver, error = driver_version()
    if not driver and not is_there():
        return "No NVIDIA driver answers on this machine: nvidia-smi, which comes with one, would list its GPUs."
    if not driver:
        return f"The NVIDIA driver does not answer ({error}): restart after an update of it, and see nvidia-smi."
    if driver < _release(wanted)[:1]:
        release = ".".join(map(str, driver))
        return (
            f"The NVIDIA driver is for CUDA {release}, and TensorFlow was built for {wanted}: install a newer driver."
        )
    names = [f"lib{name}" for name in (*LIBRARIES.get(wanted.split(".")[0], ()), f"cudnn.so.{build['cudnn_version']}")]
    if absent := [name for name in names if not can_open(name)]:
        return f"Of CUDA's libraries, {', '.join(absent)} cannot be opened: {INSTALL}."
    return "TF_CPP_MIN_LOG_LEVEL=0 shows what TensorFlow says of it."


def driver_version() -> tuple[tuple[int, ...], str]:
    """((12, 4), "") where a driver for CUDA 12.4 answers, else ((), why not)."""
    try:
        library = ctypes.CDLL(DRIVER)
    except OSError as error:
        return (), str(error)
    if code := library.cuInit(0):
        return (), f"cuInit gives {code}"
    version = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    return (version.value // 1000, version.value % 1000 // 10), ""


def can_open(name: str) -> bool:
    """Whether a library is there, by its name or in a package of pip."""
    packages = pathlib.Path(os.path.dirname(tf.sysconfig.get_lib())).glob(f"nvidia/*/lib/{name}")
    try:
        ctypes.CDLL(name)
    except OSError:
        return any(packages)
    return True


def is_there() -> bool:
    """Whether the kernel shows a GPU of NVIDIA, with or without a driver that answers; WSL2 shows it as /dev/dxg."""
    return any(pathlib.Path(path).exists() for path in ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"))


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
