"""The report of a run, and of several side by side: one HTML file that needs no network.

folder      what a run folder holds, as far as it can be read
curves      series of any length as few points
pictures    pictures small enough to go into a page
tested      the validation images of a run: what they score, how they look
overview    the model, its scores and its settings, in short
comparison  the same of several runs
page        data and browser/, what shows them, as one HTML file
"""

import pathlib

from common.report import comparison, page, tested
from common.report import overview as overviews

__all__ = ["compare", "write"]


def write(run_dir):
    """Writes report.html in a run folder, from the files there alone, whole or not at all. Returns its path.

    What is missing is left out, or the page says how it comes about; what is damaged is passed over. Pictures that
    were made before are kept in memory: the first call of a process takes seconds for hundreds of images, later ones
    take what changed.
    Raises UserError if the folder holds no config.json.
    """
    path = pathlib.Path(run_dir, "report.html")
    return page.write(path, {"kind": "run", **overviews.overview(run_dir), **tested.tested(run_dir)})


def compare(run_dirs, path):
    """Writes one page of several runs, and returns its path: what was trained and how, what came out, and how it looks.

    The folder of `path` is made; of a folder that is there, it is compare.html. Raises UserError if a folder holds
    no run.
    """
    found = comparison.comparison(run_dirs)
    path = pathlib.Path(path, "compare.html") if pathlib.Path(path).is_dir() else pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return page.write(path, {"kind": "comparison", **found})
