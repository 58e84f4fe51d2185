"""Tells when a module of the same name hides the packages `common` or `flags` of this toolkit.

`python -m dualgan.main` searches the current folder first, so a file common.py there is imported in place of ours.
The package of each method therefore imports this module before anything else; its own name is unlikely to be taken.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
PACKAGES = {"common": "dual", "flags": "presets"}  # with a package inside each, which tells that it is ours


def check() -> None:
    """Ends the program with a sentence if a package is hidden; raises ImportError where other code imports a method."""
    for name in PACKAGES:
        path = hiding(name)
        if path is None:
            continue
        if starts_program():
            sys.exit(f"error: {message(name, path)}")
        raise ImportError(message(name, path))


def hiding(name: str) -> pathlib.Path | None:
    """The file or folder that Python finds in place of our package `name`; None if it finds ours, or nothing."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    folders = [pathlib.Path(folder) for folder in spec.submodule_search_locations or ()]
    if any((folder / PACKAGES[name]).is_dir() for folder in folders):
        return None
    return folders[0] if folders else pathlib.Path(spec.origin or name)


def message(name: str, path: pathlib.Path) -> str:
    """What hides the package `name`, and how to fix it."""
    if sys.argv[:1] in (["-m"], ["-c"]) and path.parent == pathlib.Path.cwd():
        cure = "Rename it, start from another folder, or use the installed command instead of `python -m`."
    else:
        cure = f"Rename it, or remove {str(path.parent)!r} from PYTHONPATH or sys.path."
    return f"{str(path)!r} hides the package {name!r} of this toolkit, {str(HERE / name)!r}. {cure}"


def starts_program() -> bool:
    """Whether Python was started as `python -m` or `python -c`, or as the installed command of a method."""
    program = next(iter(sys.argv), "")  # "-m" while Python still searches for the module to run
    return program in ("-m", "-c") or (HERE / pathlib.Path(program).stem / "main.py").is_file()


check()
