"""Testing: every validation image through a trained run, there and back, with what it scores."""

from __future__ import annotations

import json
import pathlib
import shutil

from common import atomic, report
from common.errors import UserError
from common.evaluate import evaluation, scores, walk
from common.images import files
from common.translate import Use


def test(run_dir, dual, images, how=None, batch_size=1, threads=None):
    """Translates every validation image of `images` with a checkpoint of a run.

    Writes test/A2B, test/A2B2A, test/B2A and test/B2A2B below `run_dir`, and test/A and test/B as they
    went in, in the size of the model or that of `how`, a Use, each image as its stem and .png, or .tif where
    that does not hold it; and metrics.csv (an image a row) and metrics.json (means), with those of the input as
    it is where images of A and B share their stem. Returns what metrics.json says. Raises UserError if there
    is nothing to test.
    """
    how = how or Use()
    with evaluation.opened(run_dir, dual, images, how, batch_size, threads) as trained:
        for way in trained.ways:
            _refuse_equal_stems(way.source.paths)
        if how.n_samples > 1 and not trained.dual.noisy:
            raise UserError(
                f"--n_samples {how.n_samples} would be equal to each other: this run draws no noise when it is used"
                f" (--test_dropout {str(trained.dual.test_dropout).lower()}, --dropout"
                f" {trained.dual.dropout_rate:g})."
            )
        step = trained.restore(how.checkpoint)
        _remove_earlier(run_dir, trained.ways)
        rows, found = [], {"step": step}
        for way in trained.ways:
            its_rows, found[way.name] = trained.score(way, keep=lambda walked, way=way: _write(run_dir, way, walked))
            rows += its_rows
    return _report(run_dir, rows, found)


def _write(run_dir, way, walked):
    for folder, image in walked.made.items():
        path = pathlib.Path(run_dir, "test", folder, f"{walked.path.stem}{files.suffix_for(way.domain(folder))}")
        files.write(path, image)


def _report(run_dir, rows, found):
    """Writes metrics.csv and metrics.json; returns the latter."""
    paired = sum(each["images"] for each in found.values() if isinstance(each, dict))
    found, folder = {"step": found.pop("step"), "images": paired, **found}, pathlib.Path(run_dir, "test")
    atomic.write_text(folder / "metrics.csv", scores.table(rows))
    atomic.write_text(folder / "metrics.json", json.dumps(found, indent=2) + "\n")
    report.write(run_dir)
    return found


def _remove_earlier(run_dir, ways):
    """Removes what an earlier test wrote of the same directions, and its scores."""
    folder = pathlib.Path(run_dir, "test")
    for way in ways:
        of_samples = (path.name for path in folder.glob(f"{way.name}_*"))
        for written in (way.name, way.name[0], walk.BACK[way.name], *of_samples):
            shutil.rmtree(folder / written, ignore_errors=True)
    for name in ("metrics.csv", "metrics.json"):
        (folder / name).unlink(missing_ok=True)


def _refuse_equal_stems(paths):
    first = {}
    for path in paths:
        if (other := first.setdefault(path.stem, path)) is not path:
            raise UserError(f"{path} and {other} would both be written as one, {path.stem}. Rename one of them.")
