"""Measures the share of an evaluation's time that the network and the metrics take.

python -m benchmarks.evaluation --run_dir runs/pix2pix-facades --dataset facades --data_root datasets --limit 100

Scores --limit validation images of a trained run, as --phase evaluate does, with Python's profiler. Building the graph
and its first run are not counted. Prints, for each domain, the seconds and the shares of the network, of the metrics of
an image, and of the metrics of the whole set.
"""

from __future__ import annotations

import cProfile
import dataclasses
import types

from benchmarks import arguments
from common.evaluate import evaluation, scores, walk
from common.run.folder import load_run
from common.translate import Inference

WORK = {  # functions, and the work their time counts as
    "run": "network, and images made ready for it",
    **dict.fromkeys(("l1", "psnr", "ssim", "ms_ssim", "_correlation", "_classes"), "metrics of an image"),
    **dict.fromkeys(("sliced_wasserstein", "diversity", "frechet", "kernel"), "metrics of a set"),
}
FILES = ("session.py", "metrics.py", "distances.py", "scores.py")


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser_in_process("evaluation", __doc__)
    parser.add_argument("--run_dir", required=True, help="folder of the trained run")
    parser.add_argument("--dataset", required=True, help="name of the dataset to score on")
    parser.add_argument("--data_root", default="datasets", help="folder of the datasets")
    parser.add_argument("--limit", type=int, default=100, help="validation images of each domain, the first ones")
    args = parser.parse_args()
    saved = load_run(args.run_dir)
    images = dataclasses.replace(saved.images, dataset=args.dataset, data_root=args.data_root, limit=args.limit)
    with evaluation.opened(args.run_dir, saved.dual, images, Inference()) as trained:
        trained.restore("latest")
        for graph in trained.graphs:
            trained.session.run(graph.begin)
            trained.session.run(graph.images)
            profile = cProfile.Profile()
            profile.runcall(scores.score, trained.session, graph)
            _print(graph, profile)


def _print(graph: walk.EvaluationGraph, profile: cProfile.Profile) -> None:
    spent = dict.fromkeys(WORK.values(), 0.0)
    entries = profile.getstats()
    for entry in entries:
        code = entry.code
        if isinstance(code, types.CodeType) and code.co_name in WORK and code.co_filename.endswith(FILES):
            spent[WORK[code.co_name]] += entry.totaltime
    total = sum(entry.inlinetime for entry in entries)
    print(f"{graph.name}: {len(graph.source.paths)} images in {total:.1f} s")
    for work, seconds in spent.items():
        print(f"  {seconds / total:6.1%}  {work}")
    print(f"  {sum(spent.values()) / total:6.1%}  in all")


if __name__ == "__main__":
    main()
