"""What translated images score, whoever made them.

python -m benchmarks.scores --run_dir runs/cyclegan-apple2orange64 --output runs/cyclegan-apple2orange64/test
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

from common.metrics import metrics
from common.metrics.distances import sliced_wasserstein
from common.run.folder import load_run


def read(path, size):
    """An image file as RGB, [S, S, 3], resized by Pillow's smoothed bicubic filter if need be."""
    image = Image.open(path).convert("RGB")
    return np.array(image if image.size == (size, size) else image.resize([size, size], Image.BICUBIC))


def table(output, dual, images):
    """A line for each direction below the folder `output`."""
    files, lines = dict(zip("AB", images.validation_files(dual))), []
    for name in dual.directions:
        made = {path.stem: path for path in sorted(pathlib.Path(output, name).glob("*.png"))}
        fakes = np.stack([read(path, dual.image_size) for path in made.values()])
        sources = {path.stem: path for path in files[name[0]]}
        source = np.stack([read(sources[stem], dual.image_size) for stem in made])
        real = np.stack([read(path, dual.image_size) for path in files[name[-1]]])
        said = {
            "SWD": sliced_wasserstein(fakes, real),
            "SWD of the input": sliced_wasserstein(source, real),
            "SWD of two halves of real images": sliced_wasserstein(real[::2], real[1::2]),
        }
        targets = {path.stem: path for path in files[name[-1]]}
        if paired := [stem for stem in made if stem in targets]:
            for metric, function in metrics.PAIRED.items():
                values = [
                    function(read(made[stem], dual.image_size), read(targets[stem], dual.image_size)) for stem in paired
                ]
                measured = [value for value in values if value is not None]
                if len(measured) == len(values):  # images may be too small for a metric
                    said[metric] = float(np.mean(measured))
        lines.append(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in said.items()))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run_dir", required=True, help="a run of the same dual and images")
    parser.add_argument("--output", required=True, help="a folder with A2B or B2A, or both")
    asked = parser.parse_args()
    saved = load_run(asked.run_dir)
    print(table(asked.output, saved.dual, saved.images))


if __name__ == "__main__":
    main()
