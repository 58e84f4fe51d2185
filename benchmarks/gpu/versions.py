"""Prints the device, the driver and the versions of packages; missing packages come first. The device may be any."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
import platform
import subprocess
import sys

from benchmarks import arguments

NEEDED = ("tensorflow", "numpy", "scipy", "imageio", "PIL", "absl", "tqdm", "psutil", "torch")
QUERY = "name,driver_version,memory.total,compute_cap,power.limit"
PACKAGES = {"PIL": "pillow", "absl": "absl-py"}  # where the name of the package is another


def main() -> None:
    """Prints them."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    print(f"missing packages: {', '.join(missing) or 'none'}")
    print(f"python {platform.python_version()}, {platform.platform()}")
    for name in NEEDED:
        if name not in missing:
            print(f"{name} {_version(PACKAGES.get(name, name))}")
    print(f"GPUs: {_asked('nvidia-smi', f'--query-gpu={QUERY}', '--format=csv,noheader')}")
    if "tensorflow" in missing:
        sys.exit("Without TensorFlow nothing else can run.")
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    print(f"TensorFlow was built for CUDA {build.get('cuda_version')}, cuDNN {build.get('cudnn_version')}")
    devices = tf.config.list_physical_devices("GPU")
    print(f"TensorFlow finds: {', '.join(str(device.name) for device in devices) or 'no GPU'}")
    if not devices:
        from common.run import gpu

        print(f"  {gpu.missing()}")
    if "torch" not in missing:
        import torch

        print(f"PyTorch was built for CUDA {torch.version.cuda}, and finds {torch.cuda.device_count()} GPUs")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        module = importlib.util.find_spec(name)
        return f"(from {pathlib.Path(str(module.origin)).parent if module else 'nowhere'})"


def _asked(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip() or "none"  # nosec B603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"none ({type(error).__name__})"


if __name__ == "__main__":
    arguments.device("gpu.versions", __doc__)
    main()
