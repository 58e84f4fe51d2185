"""Translates files: reads ahead, translates and writes concurrently."""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import tqdm

from common import ndimage, progress
from common import tensorflow as tf
from common.errors import UserError, reason
from common.images import files, pixels, tiff
from common.images.notices import Notices, of_scale
from common.images.pixels import ON_EARTH, Domain, Image, Place
from common.translate.jobs import Job, Translation
from common.translate.memory import TooLarge
from common.translate.translator import Translator

Array: TypeAlias = npt.NDArray[Any]
Failures: TypeAlias = list[tuple[pathlib.Path, str]]  # (path, sentence)

TRANSPARENCY, RESOLUTION = "transparency", "resolution"  # that an output may lack, like ON_EARTH and tags
THREADS = 4  # decoding threads, and as many encoding threads
AHEAD = 8  # images read ahead, and images waiting to be written
ROOM = 2**28  # bytes of these images, if there are several


class Outcome(NamedTuple):
    """The result of translating files."""

    written: int
    skipped: int
    failed: Failures
    lost: dict[str, int] | None = None  # {TRANSPARENCY: count}: files written without it; see write_image
    changed: dict[str, int] | None = None  # {".jpg as .png": count}: files whose format cannot store the output


def translate(
    translator: Translator, direction: str, jobs: Iterable[Job], options: Translation, batch_size: int = 1
) -> Outcome:
    """Translates the files of `jobs` with `options`; a bad file never stops the others.

    Decoding and encoding run in threads while the network computes.
    """
    jobs = list(jobs)
    remaining = options.remaining(jobs)
    written: list[Job] = []
    failed: Failures = []
    lost: collections.Counter[str] = collections.Counter()
    waiting: collections.deque[tuple[Job, concurrent.futures.Future[list[str]]]] = collections.deque()

    def finish(count: int) -> None:
        """Waits until at most `count` images remain to be written."""
        while len(waiting) > count:
            job, writing = waiting.popleft()
            if error := writing.exception():
                failed.append((job.source, _sentence(job.target, error)))
            else:
                written.append(job)
                lost.update(writing.result())
            bar.update()

    with (
        concurrent.futures.ThreadPoolExecutor(THREADS) as readers,
        concurrent.futures.ThreadPoolExecutor(THREADS) as writers,
        progress.bar(total=len(remaining), desc=direction, unit="image") as bar,
    ):
        reading = _read_ahead(readers, remaining, translator.source(direction), failed, bar)
        for group in _groups(reading, batch_size):
            outputs = _translated(translator, direction, group, options, failed)
            bar.update(len(group) - len(outputs))
            for job, image, output in outputs:
                translation = Image(output, image.alpha if options.alpha == "keep" else None, image.place)
                size = image.pixels.shape[:2]
                waiting.append((job, writers.submit(write_image, job.target, translation, size, options.quality)))
            if outputs:
                finish(_capacity(outputs[0][-1].nbytes) - 1)
        finish(0)
    changed = collections.Counter(f"{job.source.suffix} as {job.target.suffix}" for job in written if job.changed)
    return Outcome(len(written), len(jobs) - len(remaining), failed, dict(lost), changed)


def _read_ahead(
    readers: concurrent.futures.Executor,
    jobs: Iterable[Job],
    domain: Domain,
    failed: Failures,
    bar: tqdm.tqdm[Any],
) -> Iterator[tuple[Job, Image]]:
    """Yields (job, Image) for every job whose file can be read, in order; adds the others to `failed`."""
    jobs, largest, notices = iter(jobs), ROOM, Notices()
    pending: collections.deque[tuple[Job, concurrent.futures.Future[Image]]] = collections.deque()
    while True:
        for job in itertools.islice(jobs, max(0, _capacity(largest) - len(pending))):
            pending.append((job, readers.submit(read_image, job.source, domain, notices)))
        if not pending:
            return
        job, reading = pending.popleft()
        if error := reading.exception():
            failed.append((job.source, _sentence(job.source, error)))
            bar.update()
        else:
            image = reading.result()
            largest = max(image.pixels.nbytes, largest if largest < ROOM else 0)
            yield job, image


def read_image(path: str | os.PathLike[str], domain: Domain, notices: Notices) -> Image:
    """Reads a file as an Image of a Domain; transparency is kept unless the Domain has a channel for it."""
    stored = files.decode(path)
    image = of_domain(stored, domain, path)
    notices.say(path, [*stored.notes, *of_scale(stored.pixels, domain)])
    return image


def of_domain(image: Image, domain: Domain, name: str | os.PathLike[str]) -> Image:
    """Converts an Image to a Domain, keeping transparency unless it becomes a channel; UserErrors call it `name`."""
    is_channel = image.pixels.shape[-1] + 1 == domain.channels
    return image._replace(pixels=domain.of(image, name), alpha=None if is_channel else image.alpha)


def write_image(path: pathlib.Path, image: Image, size: tuple[int, ...], quality: int) -> list[str]:
    """Writes a translation, with the transparency and the place of its source, which has the `size` (H, W).

    Returns the names of lost metadata: TRANSPARENCY, ON_EARTH or RESOLUTION, if the format of `path` or a changed size
    cannot hold them, and those that the place has already lost.
    """
    output, alpha, place, _ = image
    suffix, lost = path.suffix.lower(), list(place.left)
    factors = [after / before for after, before in zip(output.shape[:2], size)]
    if place.tags and (factors != [1.0, 1.0] or suffix not in (".tif", ".tiff")):
        lost.append(ON_EARTH)
    if place.resolution and (factors != [1.0, 1.0] or suffix == ".npy"):
        lost.append(RESOLUTION)
    if factors != [1.0, 1.0]:
        place = Place()
    if alpha is not None and not files.holds(suffix, str(output.dtype), output.shape[-1], alpha=True):
        lost.append(TRANSPARENCY)
        alpha = None
    if alpha is not None:
        if factors != [1.0, 1.0]:
            alpha = ndimage.zoom(alpha, [*factors, 1], order=1, mode="nearest", grid_mode=True)
        alpha = pixels.cast_alpha(alpha, output.dtype)
    files.write_whole(path, output, alpha, quality, place)
    return lost


def loss(lost: str) -> str:
    """A clause that names lost metadata, as returned by `write_image`, and the reason."""
    if lost in tiff.OF_VALUES.values():
        return f"{lost}, which describes the values of the input"
    return f"{lost}, which its format or its size cannot hold"


def _capacity(nbytes: int) -> int:
    """Returns the number of images of `nbytes` bytes that may wait."""
    return max(1, min(AHEAD, ROOM // nbytes))


def _groups(images: Iterable[tuple[Job, Image]], batch_size: int) -> Iterator[list[tuple[Job, Image]]]:
    """Yields lists of at most `batch_size` consecutive images of the same shape."""
    group: list[tuple[Job, Image]] = []
    for job, image in images:
        if group:
            previous, neighbour = group[-1]
            fits = image.pixels.shape == neighbour.pixels.shape and job.number == previous.number + 1
            if len(group) == batch_size or not fits:
                yield group
                group = []
        group.append((job, image))
    if group:
        yield group


def _translated(
    translator: Translator, direction: str, group: Sequence[tuple[Job, Image]], options: Translation, failed: Failures
) -> list[tuple[Job, Image, Array]]:
    """Returns (job, image, translation) of the images that can be translated; adds the others to `failed`.

    Tries those of a group one by one if there is not enough memory for all.
    """
    try:
        outputs = translator(direction, _stacked(group), options.size, group[0][0].number)
        return [(job, image, output) for (job, image), output in zip(group, outputs)]
    except (tf.errors.OpError, MemoryError, UserError) as error:
        lacks_memory = isinstance(error, (TooLarge, MemoryError, tf.errors.ResourceExhaustedError))
        if not lacks_memory or len(group) == 1:
            failed += [(job.source, _sentence(job.source, error)) for job, _ in group]
            return []
    singles = (_translated(translator, direction, [single], options, failed) for single in group)
    return list(itertools.chain.from_iterable(singles))


def _stacked(group: Sequence[tuple[Job, Image]]) -> Array:
    """Returns the pixels of a group as [N, H, W, C]; does not copy a single image, which may be large."""
    arrays = [image.pixels for _, image in group]
    return np.stack(arrays) if len(arrays) > 1 else arrays[0][None]


def _sentence(path: pathlib.Path, error: BaseException) -> str:
    """Returns a sentence with the path and the reason of a failure."""
    if isinstance(error, UserError):
        return str(error) if str(path) in str(error) else f"{path}: {error}"
    if isinstance(error, tf.errors.OpError):
        return f"{path}: TensorFlow reports: {reason(error)}."
    return f"{path}: {reason(error)}."
