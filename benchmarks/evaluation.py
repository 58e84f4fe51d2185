"""How much of the time of an evaluation is spent in the network and the metrics.

python -m benchmarks.evaluation --run_dir runs/pix2pix-facades --dataset facades --data_root datasets --limit 100

By Python's own profiler, without what TensorFlow takes to build the graph and to run it first.
"""

import argparse
import cProfile
import dataclasses
import pstats

from common.evaluate import evaluation, scores
from common.run.folder import load_run
from common.translate import Inference

WORK = {  # functions, and what is counted as spent in them
    "run": "network, and images made ready for it",
    **dict.fromkeys(("l1", "psnr", "ssim", "ms_ssim", "_correlation", "_classes"), "metrics of an image"),
    **dict.fromkeys(("sliced_wasserstein", "diversity", "frechet", "kernel"), "metrics of a set"),
}
FILES = ("session.py", "metrics.py", "distances.py", "scores.py")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--data_root", default="datasets")
    parser.add_argument("--limit", type=int, default=100)
    asked = parser.parse_args()
    saved = load_run(asked.run_dir)
    before = saved.images
    images = dataclasses.replace(before, dataset=asked.dataset, data_root=asked.data_root, limit=asked.limit)
    with evaluation.opened(asked.run_dir, saved.dual, images, Inference()) as trained:
        trained.restore("latest")
        for graph in trained.graphs:
            trained.session.run(graph.begin)
            trained.session.run(graph.images)
            profile = cProfile.Profile()
            profile.runcall(scores.score, trained.session, graph)
            _say(graph, pstats.Stats(profile))


def _say(graph, stats):
    spent = dict.fromkeys(WORK.values(), 0.0)
    for (file, _, name), (_, _, _, seconds, _) in stats.stats.items():
        if name in WORK and file.endswith(FILES):
            spent[WORK[name]] += seconds
    print(f"{graph.name}: {len(graph.source.paths)} images in {stats.total_tt:.1f} s")
    for what, seconds in spent.items():
        print(f"  {seconds / stats.total_tt:6.1%}  {what}")
    print(f"  {sum(spent.values()) / stats.total_tt:6.1%}  in all")


if __name__ == "__main__":
    main()
