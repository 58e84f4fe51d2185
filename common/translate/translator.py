"""Translation: files or arrays of a person's own, of any size, through a trained run."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import tqdm

from common import ndimage
from common import tensorflow as tf
from common.errors import UserError, reason
from common.images import files, pixels, tensors
from common.images.pixels import Image
from common.run.checkpoints import Checkpoints, selected_one
from common.run.folder import load_trained
from common.run.session import open_session
from common.translate import inference
from common.translate.inference import Use

THREADS = 4  # that decode, and as many that encode
AHEAD = 8  # images read before they are needed, and images that may wait to be written
ROOM = 2**28  # bytes of them, if they are more than one


class Outcome(NamedTuple):
    """What became of the files."""

    written: int
    skipped: int
    failed: list  # of (path, sentence)
    opaque: int = 0  # of those written: how many lost their transparency, which their format does not hold
    changed: dict | None = None  # {".jpg as .png": how many} of those whose format does not hold what is made


class Translator:
    """A trained run as a function of images: Translator(run_dir)("A2B", images).

    Holds one graph and one session of its own, may be used by several threads at once, and
    beside other TensorFlow code. Close it, or use it in a with statement. `how` is a Use, and
    `test_dropout` takes the place of the run's own. Raises UserError if there is no trained run, or its
    networks do not take the size asked for.
    """

    def __init__(self, run_dir, how=None, threads=None, test_dropout=None):
        saved, how = load_trained(run_dir), how or Use()
        self.run_dir, self.dual, self._domains = run_dir, saved.dual, saved.domains
        if test_dropout is not None:
            self.dual = dataclasses.replace(self.dual, test_dropout=test_dropout)
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(saved.run.seed)
            asked = [name for name in self.dual.directions if how.direction in ("both", name)]
            self._ways = {name: self._connect(name, how) for name in asked}
            weights = how.restored(self.dual, tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
            checkpoints = Checkpoints(run_dir, variables=weights)
            graph.finalize()
            self._session = open_session(saved.run.threads if threads is None else threads, how.device, how.xla)
            self.step = checkpoints.restore(self._session, selected_one(run_dir, how.checkpoint))

    def __call__(self, direction, images, output_size="original", first=0):
        """`images` translated: [N, H, W, C], [H, W, C], gray [H, W], or a list of such of any sizes.

        What comes back is of the same kind, with the type and the channels of the target's Domain. Other
        types and channels than those of the source's Domain are brought to them as by Domain.of.
        `output_size`: "original", "model", or (height, width). `first` numbers the first image;
        noise, if the run draws any, goes by these numbers. Raises UserError if the run has no such
        `direction`, or the images cannot be brought to its source's Domain.
        """
        if isinstance(images, (list, tuple)):
            return [self(direction, image, output_size, first + i) for i, image in enumerate(images)]
        if np.ndim(images) in (2, 3):
            made = self(direction, _three(images)[None], output_size, first)[0]
            return made[..., 0] if np.ndim(images) == 2 and made.shape[-1] == 1 else made
        batch, way = self._brought(direction, images), self._ways[direction]
        size = _size(output_size, batch.shape[1:3])
        fed = {way.images: batch, way.size: size, way.index: np.arange(first, first + len(batch))}
        return self._session.run(way.made, fed)

    def in_floats(self, direction, image):
        """One image [H, W, C] translated: float32 in [-1, 1], in the size that the networks give."""
        batch, way = self._brought(direction, image[None]), self._ways[direction]
        return self._session.run(way.translated, {way.images: batch, way.index: [0]})[0]

    def _connect(self, name, how):
        """The graph of one direction."""
        return _way(self.dual, name, how.scale(self.dual), self.source(name), self.target(name))

    def _brought(self, direction, images):
        """Images [N, H, W, C] as the source's Domain has them."""
        if direction not in self._ways:
            raise UserError(f"This run has no direction {direction}: it has {' and '.join(self._ways)}.")
        batch = np.asarray(images)
        if batch.ndim != 4 or batch.dtype.kind not in "buif" or 0 in batch.shape:
            raise UserError(
                f"{direction} takes images of numbers, [N, H, W, C], [H, W, C] or [H, W], and these are"
                f" {batch.dtype} {list(batch.shape)}."
            )
        batch = batch * np.uint8(255) if batch.dtype == bool else batch
        return self.source(direction).of(Image(batch), "The array")

    def source(self, direction):
        """The Domain of the images that a direction takes."""
        return self._domains[direction[0]]

    def target(self, direction):
        """The Domain of the images that a direction makes."""
        return self._domains[direction[-1]]

    def close(self):
        """Ends the session."""
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class _Way(NamedTuple):
    images: tf.Tensor  # placeholder, [N, H, W, C] of the source
    size: tf.Tensor  # placeholder, of what is to come out; 0: as the networks give it
    index: tf.Tensor  # placeholder, int64 [N]
    translated: tf.Tensor  # float32 in [-1, 1], in the size that the networks give
    made: tf.Tensor  # as the target has it


def _way(dual, name, scale, source, target):
    """The graph of one direction between two Domains; `scale` (height, width) to resize to first, or None."""
    images = tf.placeholder(source.dtype, [None, None, None, source.channels])
    size, index = tf.placeholder(tf.int32, [2]), tf.placeholder(tf.int64, [None])
    x = tensors.from_pixels(images, source)
    x = x if scale is None else tensors.resize(x, tf.constant(scale), dual)
    translated = tensors.in_own_size(x, dual, lambda padded: inference.translated(dual, name, padded, index))
    wanted = tf.where(size > 0, size, tf.shape(translated)[1:3])
    same = tf.reduce_all(tf.equal(wanted, tf.shape(translated)[1:3]))
    made = tf.cond(same, lambda: translated, lambda: tensors.resize(translated, wanted, dual))
    return _Way(images, size, index, translated, tensors.to_pixels(made, target))


def translate(translator, direction, jobs, how, batch_size=1):
    """Translates the files of `jobs`, as `how`, a Translation, says; a bad file never stops the others.

    Decoding and encoding run beside the network. Returns the Outcome.
    """
    skipped = [job for job in jobs if how.skip_existing and job.target.is_file()]
    jobs = [job for job in jobs if not (how.skip_existing and job.target.is_file())]
    failed, written, opaque, waiting = [], [], [], collections.deque()

    def finish(count):
        while len(waiting) > count:
            job, done = waiting.popleft()
            if error := done.exception():
                failed.append((job.source, _sentence(job.target, error)))
            else:
                written.append(job)
                opaque.append(done.result())
            bar.update()

    with (
        concurrent.futures.ThreadPoolExecutor(THREADS) as readers,
        concurrent.futures.ThreadPoolExecutor(THREADS) as writers,
        tqdm.tqdm(total=len(jobs), desc=direction, unit="image", disable=None) as bar,
    ):
        source = translator.source(direction)
        for group in _groups(_read_ahead(readers, jobs, source, failed, bar), batch_size):
            members, images = zip(*group)
            try:
                stacked = [image.pixels for image in images]
                batch = np.stack(stacked) if len(stacked) > 1 else stacked[0][None]  # one may be large: no copy
                made = translator(direction, batch, how.size, members[0].number)
            except (tf.errors.OpError, MemoryError) as error:
                failed += [(job.source, f"{job.source}: {_why(error)}.") for job in members]
                bar.update(len(members))
                continue
            for job, image, translated in zip(members, images, made):
                alpha = image.alpha if how.alpha == "keep" else None
                waiting.append((job, writers.submit(write_image, job.target, Image(translated, alpha), how.quality)))
            finish(_many(made[0].nbytes) - 1)
        finish(0)
    changed = collections.Counter(f"{job.source.suffix} as {job.target.suffix}" for job in written if job.changed)
    return Outcome(len(written), len(skipped), failed, sum(opaque), changed)


def _read_ahead(readers, jobs, domain, failed, bar):
    """(job, Image) of every job that reads, in order; those that do not are added to `failed`."""
    jobs, pending, largest = iter(jobs), collections.deque(), ROOM
    while True:
        for job in itertools.islice(jobs, max(0, _many(largest) - len(pending))):
            pending.append((job, readers.submit(read_image, job.source, domain)))
        if not pending:
            return
        job, read = pending.popleft()
        if error := read.exception():
            failed.append((job.source, _sentence(job.source, error)))
            bar.update()
        else:
            image = read.result()
            largest = max(image.pixels.nbytes, largest if largest < ROOM else 0)
            yield job, image


def read_image(path, domain):
    """The Image of a file as one of a Domain, with the transparency that is no channel of it."""
    return of_domain(files.decode(path), domain, path)


def of_domain(image, domain, name):
    """An Image as one of a Domain, with the transparency that is no channel of it; UserErrors call it `name`."""
    is_channel = image.pixels.shape[-1] + 1 == domain.channels
    return Image(domain.of(image, name), None if is_channel else image.alpha)


def _many(size):
    """How many images of so many bytes may wait."""
    return max(1, min(AHEAD, ROOM // size))


def write_image(path, image, quality):
    """Writes an Image in the format of `path`; returns whether that does not hold its transparency."""
    made, alpha = image
    if alpha is not None and not files.holds(path.suffix.lower(), str(made.dtype), made.shape[-1], alpha=True):
        files.write_whole(path, made, None, quality)
        return True
    if alpha is not None:
        factors = [after / before for after, before in zip(made.shape[:2], alpha.shape[:2])]
        if factors != [1.0, 1.0]:
            alpha = ndimage.zoom(alpha, [*factors, 1], order=1, mode="nearest", grid_mode=True)
        alpha = pixels.cast_alpha(alpha, made.dtype)
    files.write_whole(path, made, alpha, quality)
    return False


def _groups(read, batch_size):
    """Lists of at most `batch_size` neighbours of one shape, with numbers that follow each other."""
    group = []
    for job, image in read:
        if group:
            before, neighbour = group[-1]
            together = image.pixels.shape == neighbour.pixels.shape and job.number == before.number + 1
            if len(group) == batch_size or not together:
                yield group
                group = []
        group.append((job, image))
    if group:
        yield group


def _size(asked, original):
    """(height, width) of what is to come out, zeros for that of the model; raises UserError if it is no size."""
    if isinstance(asked, str) and asked in ("original", "model"):
        return original if asked == "original" else (0, 0)
    sides = np.asarray(asked)
    if sides.shape != (2,) or sides.dtype.kind not in "ui" or sides.min() < 1:
        raise UserError(f"output_size {asked!r} is none of: original, model, (height, width) in pixels.")
    return tuple(map(int, sides))


def _three(image):
    """An array [H, W] as [H, W, 1], any other as it is."""
    image = np.asarray(image)
    return image[..., None] if image.ndim == 2 else image


def _why(error):
    """What to say of an image that the networks could not take."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    return f"TensorFlow says: {reason(error)}"


def _sentence(path, error):
    if isinstance(error, UserError):
        return str(error)
    return f"{path}: {getattr(error, 'strerror', None) or error}."
