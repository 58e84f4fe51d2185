"""onnxruntime-web, which runs models in browsers: its files, taken from a copy of the npm package or fetched by npm."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

from common.errors import UserError, in_one_line

PACKAGE, VERSION = "onnxruntime-web", "1.22.0"
INTEGRITY = "sha512-Ud/+EBo6mhuaQWt/OjaOk0iNWjXqJoeeMFr6xQEERZdIZH2OWpGzuujz7lfuOBjUa6TEE/sc4nb7Da5dNL34fg=="
ADDRESS = f"https://registry.npmjs.org/{PACKAGE}/-/{PACKAGE}-{VERSION}.tgz"
ABOUT = "package.json"
CPU = ("dist/ort.wasm.min.mjs", "dist/ort-wasm-simd-threaded.mjs", "dist/ort-wasm-simd-threaded.wasm")
GPU = ("dist/ort.webgpu.min.mjs", "dist/ort-wasm-simd-threaded.jsep.mjs", "dist/ort-wasm-simd-threaded.jsep.wasm")
LARGEST = 2**26  # bytes of a file of the package
SECONDS = 600  # that npm may take
READERS = (OSError, EOFError, KeyError, tarfile.TarError, zlib.error)  # errors of unreadable archives and folders

Read = Callable[[str], bytes]  # a file of the package, by its path there


class Runtime(NamedTuple):
    """The files of the package that a browser needs."""

    version: str
    script: bytes
    loader: bytes  # of the binary
    binary: bytes  # WebAssembly
    has_gpu: bool = False  # whether it computes on GPUs, too


def refuse_missing(path: str) -> None:
    """Raises UserError if there is no package at `path`, or without one no npm that could fetch it."""
    if path and not pathlib.Path(path).exists():
        raise UserError(f"--web_runtime {path} does not exist. {_cure()}")
    if not path and not shutil.which("npm"):
        raise UserError(f"--format web needs {PACKAGE}, and npm, which would fetch it, is missing. {_cure()}")


def load(path: str, has_gpu: bool = False) -> Runtime:
    """Reads the package at `path`: its folder, a node_modules with it, or a .tgz; without `path`, fetched by npm.

    `has_gpu`: whether to take the files that also compute on GPUs, which are twice as large. Raises UserError if the
    package is not there, lacks a file, or npm cannot fetch it.
    """
    refuse_missing(path)
    if not path:
        return _fetched(has_gpu)
    place = pathlib.Path(path)
    if place.is_file():
        content = place.read_bytes()
        runtime = _of_archive(content, f"--web_runtime {path}", has_gpu)
        if runtime.version == VERSION and _integrity(content) != INTEGRITY:
            raise UserError(
                f"--web_runtime {path} is damaged, or not the published package: {_other(content)}. {_cure()}"
            )
        return runtime
    for folder in (place, place / "package", place / PACKAGE, place / "node_modules" / PACKAGE):
        if (folder / ABOUT).is_file() and _name(folder / ABOUT) == PACKAGE:
            return _runtime(_reader(folder), f"--web_runtime {path}", has_gpu)
    raise UserError(f"--web_runtime {path} has no {PACKAGE}: it must be the npm package, or have it inside. {_cure()}")


def _fetched(has_gpu: bool) -> Runtime:
    """Fetches the package by npm, whose cache keeps it, and compares it with its known digest."""
    npm = shutil.which("npm") or "npm"
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--prefer-offline"]
        try:
            ended = subprocess.run(  # nosec B603
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            raise UserError(f"npm could not be run, or took over {SECONDS} seconds. {_cure()}") from None
        archives = list(pathlib.Path(folder).glob("*.tgz"))
        if ended.returncode or not archives:
            code = next((line for line in ended.stderr.splitlines() if " code " in line), "no reason given")
            raise UserError(f"npm could not fetch {PACKAGE} {VERSION} ({in_one_line(code.strip())}). {_cure()}")
        content = archives[0].read_bytes()
    if _integrity(content) != INTEGRITY:
        raise UserError(
            f"npm fetched another {PACKAGE} {VERSION} than the published one: {_other(content)}. Check which registry"
            " npm is set to: npm config get registry."
        )
    return _of_archive(content, "The package that npm fetched", has_gpu)


def _reader(folder: pathlib.Path) -> Read:
    return lambda name: (folder / name).read_bytes()


def _integrity(content: bytes) -> str:
    """Returns the SHA-512 of a package as npm writes it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode('ascii')}"


def _other(content: bytes) -> str:
    return f"its SHA-512 is {_integrity(content)}, expected {INTEGRITY}"


def _of_archive(content: bytes, origin: str, has_gpu: bool) -> Runtime:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            return _runtime(lambda name: _member(archive, f"package/{name}"), origin, has_gpu)
    except READERS:
        raise UserError(f"{origin} cannot be read as a .tgz of {PACKAGE}. {_cure()}") from None


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    """Returns the content of a member; raises KeyError if it is missing, not a file or too large."""
    member = archive.getmember(name)
    file = archive.extractfile(member) if member.isreg() and member.size <= LARGEST else None
    if file is None:
        raise KeyError(name)
    return file.read()


def _runtime(read: Read, origin: str, has_gpu: bool) -> Runtime:
    """Returns the Runtime in a package; raises UserError, beginning with `origin`, if a file of it is missing."""
    contents = {}
    names = GPU if has_gpu else CPU
    for name in (ABOUT, *names):
        try:
            contents[name] = read(name)
        except (OSError, KeyError):
            raise UserError(f"{origin} lacks {name} of {PACKAGE}. {_cure()}") from None
    try:
        about = json.loads(contents[ABOUT])
        is_it = about["name"] == PACKAGE and isinstance(about["version"], str)
    except (ValueError, LookupError, TypeError):
        is_it = False
    if not is_it:
        raise UserError(f"{origin} is not {PACKAGE}: its {ABOUT} has another name, or no version. {_cure()}")
    script, loader, binary = (contents[name] for name in names)
    return Runtime(about["version"], script, loader, binary, has_gpu)


def _name(path: pathlib.Path) -> object:
    """Returns the name in a package.json; None if there is none."""
    try:
        about = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return about.get("name") if isinstance(about, dict) else None


def _cure() -> str:
    return f"Download {ADDRESS}, and use --web_runtime {PACKAGE}-{VERSION}.tgz."
