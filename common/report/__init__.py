"""Reports on a run, or on several runs side by side: one HTML file that needs no network.

reading     reads the files of a run folder; skips damaged ones
meanings    names of scores and losses in full, with explanations
curves      reduces long series to few points; charts: which of them are drawn together
pictures    compresses pictures to fit into the page
strips      the sample strips, and where each picture lies in them
tested      the validation images of a run, with their scores
overview    the model, its scores and its settings
comparison  the same for several runs
notebook    what notebooks show of runs
page        writes data and the scripts of browser/ as one HTML file
browser/    scripts and styles: of the report, and parts that the pages of serve and export share
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from common import atomic
from common.errors import UserError
from common.report import comparison, page, tested
from common.report import overview as overviews
from common.report.comparison import names
from common.report.notebook import Shown
from common.report.page import Page
from common.report.reading import fingerprint

__all__ = ["Page", "Shown", "compare", "fingerprint", "live", "names", "show", "write"]


def write(run_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Writes report.html in a run folder, only from the files there, and returns its path. The write is atomic.

    Missing data is left out, or the page says how to produce it; damaged data is skipped. Pictures are cached in
    memory: the first call of a process takes seconds for hundreds of images, later calls only read changed files.
    Raises UserError if the folder holds no config.json.
    """
    return page.write(pathlib.Path(run_dir, "report.html"), _of_run(run_dir))


def compare(run_dirs: Iterable[str | os.PathLike[str]], path: str | os.PathLike[str]) -> pathlib.Path:
    """Writes one page that compares several runs (settings, scores, curves, images), and returns its path.

    `path` is a file, whose folder is created, or an existing folder, which gets compare.html. Raises UserError if a
    folder is not a run folder, or if the page cannot be written.
    """
    path = pathlib.Path(path, "compare.html") if pathlib.Path(path).is_dir() else pathlib.Path(path)
    atomic.refuse_unwritable(path.parent)
    runs = _of_runs(run_dirs)
    path.parent.mkdir(parents=True, exist_ok=True)
    return page.write(path, runs)


def show(*run_dirs: str | os.PathLike[str], height: int = 900) -> Shown:
    """Returns the page on a run, or that compares several, for display in a notebook; writes nothing.

    `height` is that of the frame in pixels. Raises UserError if no folder or one that is not a run folder is named.
    """
    if not run_dirs:
        raise UserError("No run to show: name one or several run folders.")
    return Shown(page.page(_of_any(run_dirs)).html, height)


def live(run_dirs: Sequence[str | os.PathLike[str]], facts: Mapping[str, Any], script: str) -> Page:
    """Returns the page on a run, or that compares several, for a server; writes nothing.

    `script` is added to it, and finds `facts` as `report.live`. Raises UserError if a folder is not a run folder.
    """
    return page.page({**_of_any(run_dirs), "live": facts}, script)


def _of_any(run_dirs: Sequence[str | os.PathLike[str]]) -> dict[str, Any]:
    return _of_run(run_dirs[0]) if len(run_dirs) == 1 else _of_runs(run_dirs)


def _of_run(run_dir: str | os.PathLike[str]) -> dict[str, Any]:
    return {"kind": "run", **overviews.overview(run_dir), **tested.tested(run_dir)}


def _of_runs(run_dirs: Iterable[str | os.PathLike[str]]) -> dict[str, Any]:
    return {"kind": "comparison", **comparison.comparison(run_dirs)}
