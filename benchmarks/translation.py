"""How much of the bare network's rate translating a folder keeps.

python -m benchmarks.translation --run_dir runs/pix2pix-facades --input datasets/facades/train/A

Files against the same images from memory, turn by turn; medians of the ratios.
"""

import argparse
import statistics
import tempfile
import time

from common.images import files
from common.translate import Translator
from common.translate.jobs import Translation
from common.translate.translator import translate


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--direction", default="A2B")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with Translator(asked.run_dir) as translator, tempfile.TemporaryDirectory() as output:
        how = Translation(input=asked.input, output=output)
        jobs = how.jobs(asked.limit, translator.target(asked.direction))
        images = [files.read(job.source, translator.source(asked.direction)) for job in jobs]
        translator(asked.direction, images[:3])  # what is built when it first runs is built
        ratios = []
        for _ in range(asked.rounds):
            bare = _seconds(lambda: translator(asked.direction, images))
            whole = _seconds(lambda: translate(translator, asked.direction, jobs, how))
            ratios.append(bare / whole)
            print(f"from memory {len(jobs) / bare:.2f} images/s, files {len(jobs) / whole:.2f} images/s", flush=True)
    print(f"files at {statistics.median(ratios):.1%} of the bare network's rate, median of {asked.rounds} rounds")


def _seconds(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
