"""Reports on a run, or on several runs side by side: one HTML file that needs no network.

reading     reads the files of a run folder; skips damaged ones
meanings    names of scores and losses in full, with explanations
curves      reduces long series to few points; charts: which of them are drawn together
pictures    compresses pictures to fit into the page
strips      the sample strips, and where each picture lies in them
tested      the validation images of a run, with their scores
overview    the model, its scores and its settings
comparison  the same for several runs
page        writes data and the scripts of browser/ as one HTML file
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable

from common.report import comparison, page, tested
from common.report import overview as overviews

__all__ = ["compare", "write"]


def write(run_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Writes report.html in a run folder, only from the files there, and returns its path. The write is atomic.

    Missing data is left out, or the page says how to produce it; damaged data is skipped. Pictures are cached in
    memory: the first call of a process takes seconds for hundreds of images, later calls only read changed files.
    Raises UserError if the folder holds no config.json.
    """
    path = pathlib.Path(run_dir, "report.html")
    return page.write(path, {"kind": "run", **overviews.overview(run_dir), **tested.tested(run_dir)})


def compare(run_dirs: Iterable[str | os.PathLike[str]], path: str | os.PathLike[str]) -> pathlib.Path:
    """Writes one page that compares several runs (settings, scores, curves, images), and returns its path.

    `path` is a file, whose folder is created, or an existing folder, which gets compare.html. Raises UserError if a
    folder is not a run folder.
    """
    runs = comparison.comparison(run_dirs)
    path = pathlib.Path(path, "compare.html") if pathlib.Path(path).is_dir() else pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return page.write(path, {"kind": "comparison", **runs})
