"""The first lines of a training: what is trained on what and where, how often images are seen, and what is unusual."""

from __future__ import annotations

import math

from common import sizes
from common.dual import Dual, schedules
from common.images.folders import Files
from common.run import Run, gpu
from common.train.loop import Training

SMALL_CROP = 2  # --load_size of so many --image_size leaves little of an image in a crop


def lines(training: Training, done: int, total: int) -> list[str]:
    """Returns a few lines that describe the training of steps `done` + 1 to `total`."""
    dual, run, data, size = training.dual, training.run, training.data, training.group.size
    gpus = sum(device.device_type == "GPU" for device in training.session.list_devices())
    where = (f"{gpus} GPU" if gpus else "the CPU") + (f", by {size} processes" if size > 1 else "")
    epochs = total * run.images_in_step(dual, size) / data.images_in_epoch
    texts = [
        f"{type(dual).__name__} on {training.images.name}: {len(data.files.A):,} images of A, {len(data.files.B):,} of"
        f" B; {total:,} steps ({epochs:.1f} epochs) on {where}, into {run.run_dir}.",
        how_often(dual, run, data.files, total, size),
        schedule(dual, run, epochs),
    ]
    if not done:
        texts.append(crops(dual))
    if dual.identity_weight and dual.channels_A != dual.channels_B:
        texts.append("The identity loss is off: A and B have different channels.")
    if not gpus and run.device == "auto" and gpu.is_there():
        texts.append(f"There is a GPU, but TensorFlow does not find it. {gpu.missing()}")
    if done:
        texts.append(f"Resuming from step {done:,}.")
    return [text for text in texts if text]


def how_often(dual: Dual, run: Run, files: Files, total: int, processes: int) -> str:
    """Returns a sentence on the images that a step reads, and how often `total` steps see the images of a domain."""
    images = run.images_in_step(dual, processes)
    factors = [f"--batch_size {run.batch_size}"]
    factors += [f"--accumulate {run.accumulate}"] if run.accumulate > 1 else []
    factors += [f"{dual.batches_in_step} batches"] if dual.batches_in_step > 1 else []
    factors += [f"{processes} processes"] if processes > 1 else []
    counts = {" of A": len(files.A), " of B": len(files.B)}
    if len(files.A) == len(files.B):
        counts = {"": len(files.A)}
    seen = ", and ".join(_seen(total * images, count, domain) for domain, count in counts.items())
    noun = "image" if images == 1 else "images"
    return f"A step reads {images:,} {noun} of each domain ({' x '.join(factors)}): training sees {seen}."


def _seen(reads: int, count: int, domain: str) -> str:
    """Returns how often images are seen, or how many: none is read again before all are. `domain`: "" for both."""
    if reads < count:
        return f"{reads:,} of the {count:,} images{domain or ' of each domain'} once"
    return f"each image{domain} {reads / count:,.1f} times"


def schedule(dual: Dual, run: Run, epochs: float) -> str:
    """Returns a sentence if training ends before the schedule of the learning rates does; "" if not."""
    whole = schedules.length(dual)
    if epochs >= whole:
        return ""
    decay = "" if dual.lr_policy == "cosine" else f" --n_epochs_decay {dual.n_epochs_decay}"
    length = f"--steps {run.steps}" if run.steps else f"--epochs {run.epochs:g}"
    return (
        f"{length} does not shorten the schedule of the learning rates, which takes {whole:,} epochs (--n_epochs"
        f" {dual.n_epochs}{decay})."
    )


def crops(dual: Dual) -> str:
    """Returns a sentence if training crops are small parts of the images; "" if not."""
    shares = [side / load for side, load in zip(dual.image_sides, dual.load_sides)]
    if dual.preprocess == "crop" or math.prod(shares) > 1.0 / SMALL_CROP**2:
        return ""
    return (
        f"Images are resized to --load_size {dual.load_size}, of which a crop of --image_size {dual.image_size} shows"
        f" at most {math.prod(shares):.1%}. For crops of most of an image, use --load_size"
        f" {sizes.of_sides(*(side * 9 // 8 for side in dual.image_sides))}."
    )
