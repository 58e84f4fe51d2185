"""Translation: files or arrays of a person's own, of any size, through a trained run."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import glob
import itertools
import pathlib
import re
from typing import NamedTuple

import numpy as np
import tqdm

from common import run as runs
from common import settings, use
from common import tensorflow as tf
from common.checkpoints import Checkpoints
from common.errors import UserError
from common.images import files, folders, tensors
from common.settings import FREE, setting
from common.use import Use

THREADS = 4  # that decode, and as many that encode
AHEAD = 8  # images read before they are needed, and images that may wait to be written
FORMATS = ("keep", *dict.fromkeys(suffix[1:] for suffix in files.SUFFIXES))


@dataclasses.dataclass(frozen=True)
class Translation:
    """Which files are translated, and where to."""

    input: str = setting("", "A file, a folder, or a pattern such as 'photos/*.jpg'.", resume=FREE)
    output: str = setting("", "Folder to write to; for one file, also the file to write.", resume=FREE)
    recursive: bool = setting(False, "Whether to go through the folders below, too.", resume=FREE)
    format: str = setting("keep", "Format of what is written.", FORMATS, resume=FREE)
    suffix: str = setting("", "What comes between the name and the format, like _fake.", resume=FREE)
    output_size: str = setting(
        "original",
        "Size of what is written: original, as the input; model, as the networks give it; or HEIGHTxWIDTH.",
        resume=FREE,
    )
    tile: int = setting(
        0,
        "Pixels of the sides of tiles that images too large for memory are taken apart into; 0: none. For ResNets.",
        minimum=0,
        resume=FREE,
    )
    tile_overlap: str = setting(
        "auto", "Pixels by which tiles overlap on each side; auto: as far as one pixel sees.", resume=FREE
    )
    skip_existing: bool = setting(False, "Whether files that are there already are left as they are.", resume=FREE)
    shard: str = setting("1/1", "Which part of the files, of how many: 2/4 is the second of four.", resume=FREE)

    def __post_init__(self):
        settings.check(self)
        if self.output_size not in ("original", "model") and not re.fullmatch(r"[1-9]\d*x[1-9]\d*", self.output_size):
            raise UserError(f"--output_size {self.output_size} is none of: original, model, HEIGHTxWIDTH like 480x640.")
        if set(self.suffix) & {"/", "\\", "\0"}:
            raise UserError(
                f"--suffix {self.suffix!r} is no part of a name: it comes between name and format, like _B."
            )
        if self.tile_overlap != "auto" and not self.tile:
            raise UserError("--tile_overlap is for tiles: say --tile, too.")
        if self.tile_overlap != "auto" and not self.tile_overlap.isdecimal():
            raise UserError(f"--tile_overlap {self.tile_overlap} is neither auto nor a number of pixels.")
        part = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", self.shard)
        if not part or int(part[1]) > int(part[2]):
            raise UserError(f"--shard {self.shard} is no part: 1/4 is the first of four, 4/4 the last.")

    def jobs(self, limit=0):
        """The files to translate, each a Job; raises UserError if there are none, or two would write one file."""
        for name in ("input", "output"):
            if not getattr(self, name):
                raise UserError(f"Translate what, and where to? Say --{name}.")
        paths, root = self._inputs()
        self._refuse_output()
        jobs = [Job(number, path, self._target(path, root)) for number, path in enumerate(paths)]
        _refuse_collisions(jobs)
        number, count = (int(part) for part in self.shard.split("/"))
        return jobs[: limit or None][number - 1 :: count]

    def _inputs(self):
        """(the files, in the order of their names; the folder that their places are kept below)."""
        path, output = pathlib.Path(self.input), pathlib.Path(self.output)
        if path.is_dir():
            if self.recursive and output.resolve().is_relative_to(path.resolve()):
                raise UserError(
                    f"--output {output} lies in --input {path}, and --recursive would translate what is written there."
                    " Give another folder."
                )
            found, root = folders.images_in(path, self.recursive), path
        elif path.is_file():
            found, root = [path], path.parent
        else:
            found = sorted(map(pathlib.Path, glob.glob(self.input, recursive=True)))
            below = output.resolve()  # what is written there is no input
            found = [each for each in found if each.is_file() and not each.resolve().is_relative_to(below)]
            root = _fixed_part(path)
        if not found:
            raise UserError(
                f"No images in --input {self.input}: it is no file, no folder with images ({' '.join(files.SUFFIXES)};"
                " --recursive looks below), and no pattern that fits any file."
            )
        return found, root

    def _refuse_output(self):
        """Raises UserError if `output` cannot be what it would have to be."""
        if pathlib.Path(self.output).is_file() and not pathlib.Path(self.input).is_file():
            raise UserError(f"--output {self.output} is a file, and several images need a folder.")
        if self._to_a_file() and (self.suffix or self.format != "keep"):
            raise UserError(f"--output {self.output} is the name of a file: leave out --suffix and --format.")

    def _to_a_file(self):
        """Whether one file is translated to another, and not into a folder."""
        output = pathlib.Path(self.output)
        return pathlib.Path(self.input).is_file() and output.suffix.lower() in files.SUFFIXES and not output.is_dir()

    def _target(self, path, root):
        output = pathlib.Path(self.output)
        if self._to_a_file():
            return output
        suffix = path.suffix if self.format == "keep" else f".{self.format}"
        suffix = suffix if suffix.lower() in files.SUFFIXES else ".png"
        return output / path.relative_to(root).with_name(f"{path.stem}{self.suffix}{suffix}")


class Job(NamedTuple):
    """One file to translate."""

    number: int  # among all files, whatever the shard: noise goes by it
    source: pathlib.Path
    target: pathlib.Path


class Outcome(NamedTuple):
    """What became of the files."""

    written: int
    skipped: int
    failed: list  # of (path, sentence)


class Translator:
    """A trained run as a function of images: Translator(run_dir)("A2B", images).

    Holds one graph and one session of its own, may be used by several threads at once, and
    beside other TensorFlow code. Close it, or use it in a with statement. Raises UserError if
    there is no trained run, or its networks do not take the size asked for by `how`, a Use.
    """

    def __init__(self, run_dir, how=None, threads=None):
        if not runs.has_begun(run_dir):
            raise UserError(
                f"There is no trained run in {run_dir}. Train one first with --phase train, or say --run_dir."
            )
        saved, how = runs.load(run_dir), how or Use()
        self.dual = saved["dual"]
        with tf.Graph().as_default() as graph:
            tf.set_random_seed(saved["run"].seed)
            self._ways = {name: self._connect(name, how) for name in self.dual.directions}
            weights = how.restored(self.dual, tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
            checkpoints = Checkpoints(run_dir, variables=weights)
            graph.finalize()
            self._session = runs.session(saved["run"].threads if threads is None else threads)
            self.step = checkpoints.restore(self._session)

    def __call__(self, direction, images, output_size="original", first=0):
        """`images` translated: uint8 [N, H, W, C], [H, W, C], or a list of [H, W, C] of any sizes; the same comes back.

        `output_size`: "original", "model", or (height, width). `first` numbers the first image;
        noise, if the run draws any, goes by these numbers. Raises UserError if `direction`, the
        type or the channels are not those of the run.
        """
        if isinstance(images, (list, tuple)):
            return [self(direction, image, output_size, first + i) for i, image in enumerate(images)]
        batch = np.asarray(images)
        if batch.ndim == 3:
            return self(direction, batch[None], output_size, first)[0]
        self._refuse(direction, batch)
        way = self._ways[direction]
        size = {"original": batch.shape[1:3], "model": (0, 0)}.get(output_size, output_size)
        fed = {way.images: batch, way.size: size, way.index: np.arange(first, first + len(batch))}
        return self._session.run(way.made, fed)

    def _connect(self, name, how):
        """The graph of one direction."""
        return _way(self.dual, name, how.scale(self.dual))

    def _refuse(self, direction, batch):
        """Raises UserError unless `batch` is what a direction of the run takes."""
        if direction not in self._ways:
            raise UserError(f"This run has no direction {direction}: it has {' and '.join(self._ways)}.")
        channels = self.channels(direction)
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[-1] != channels:
            raise UserError(
                f"{direction} takes uint8 images [N, H, W, {channels}], and these are {batch.dtype}"
                f" {list(batch.shape)}."
            )

    def channels(self, direction):
        """Channels of the images that a direction takes."""
        return self.dual.channels_A if direction[0] == "A" else self.dual.channels_B

    def close(self):
        """Ends the session."""
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class _Way(NamedTuple):
    images: tf.Tensor  # placeholder, uint8 [N, H, W, C]
    size: tf.Tensor  # placeholder, of what is to come out; 0: as the networks give it
    index: tf.Tensor  # placeholder, int64 [N]
    translated: tf.Tensor  # float32 in [-1, 1], in the size that the networks give
    made: tf.Tensor  # uint8


def _way(dual, name, scale):
    """The graph of one direction; `scale` (height, width) to resize to first, or None."""
    channels = dual.channels_A if name[0] == "A" else dual.channels_B
    images = tf.placeholder(tf.uint8, [None, None, None, channels])
    size, index = tf.placeholder(tf.int32, [2]), tf.placeholder(tf.int64, [None])
    x = tensors.from_bytes(images)
    x = x if scale is None else tensors.resize(x, tf.constant(scale), dual)
    height, width = tf.unstack(tf.shape(x)[1:3])
    padded = tensors.pad_to_multiple(x, dual.multiple, dual.smallest)
    direction, _ = use.connect(dual, name, padded, index)
    translated = tensors.crop_to(direction.fake, height, width)
    wanted = tf.where(size > 0, size, tf.shape(translated)[1:3])
    same = tf.reduce_all(tf.equal(wanted, tf.shape(translated)[1:3]))
    made = tf.cond(same, lambda: translated, lambda: tensors.resize(translated, wanted, dual))
    return _Way(images, size, index, translated, tensors.to_bytes(made))


def translate(translator, direction, jobs, how, batch_size=1):
    """Translates the files of `jobs`, as `how`, a Translation, says; a bad file never stops the others.

    Decoding and encoding run beside the network. Returns the Outcome.
    """
    skipped = [job for job in jobs if how.skip_existing and job.target.exists()]
    jobs = [job for job in jobs if not (how.skip_existing and job.target.exists())]
    failed, written, waiting = [], 0, collections.deque()

    def finish(count):
        nonlocal written
        while len(waiting) > count:
            job, done = waiting.popleft()
            if error := done.exception():
                failed.append((job.source, _sentence(job.target, error)))
            else:
                written += 1
            bar.update()

    with (
        concurrent.futures.ThreadPoolExecutor(THREADS) as readers,
        concurrent.futures.ThreadPoolExecutor(THREADS) as writers,
        tqdm.tqdm(total=len(jobs), desc=direction, unit="image", disable=None) as bar,
    ):
        channels = translator.channels(direction)
        for group in _groups(_read_ahead(readers, jobs, channels, failed, bar), batch_size):
            members, images = zip(*group)
            try:
                made = translator(direction, np.stack(images), _size(how.output_size), members[0].number)
            except tf.errors.OpError as error:  # such as: out of memory
                said = str(error).strip().splitlines()[0]
                failed += [(job.source, f"{job.source}: TensorFlow says: {said}") for job in members]
                bar.update(len(members))
                continue
            for job, image in zip(members, made):
                waiting.append((job, writers.submit(files.write_whole, job.target, image)))
            finish(AHEAD)
        finish(0)
    return Outcome(written, len(skipped), failed)


def _read_ahead(readers, jobs, channels, failed, bar):
    """(job, image) of every job that reads, in order; those that do not are added to `failed`."""
    jobs, pending = iter(jobs), collections.deque()
    while True:
        for job in itertools.islice(jobs, AHEAD - len(pending)):
            pending.append((job, readers.submit(files.read, job.source, channels)))
        if not pending:
            return
        job, image = pending.popleft()
        if error := image.exception():
            failed.append((job.source, _sentence(job.source, error)))
            bar.update()
        else:
            yield job, image.result()


def _groups(read, batch_size):
    """Lists of at most `batch_size` neighbours of one shape, with numbers that follow each other."""
    group = []
    for job, image in read:
        if group:
            before, neighbour = group[-1]
            together = image.shape == neighbour.shape and job.number == before.number + 1
            if len(group) == batch_size or not together:
                yield group
                group = []
        group.append((job, image))
    if group:
        yield group


def _size(output_size):
    return output_size if output_size in ("original", "model") else tuple(map(int, output_size.split("x")))


def _sentence(path, error):
    if isinstance(error, UserError):
        return str(error)
    return f"{path}: {getattr(error, 'strerror', None) or error}."


def _refuse_collisions(jobs):
    first, sources = {}, {job.source.resolve() for job in jobs}
    for job in jobs:
        target = job.target.resolve()
        if (other := first.setdefault(target, job)) is not job:
            raise UserError(
                f"{job.target} would be written twice, from {other.source} and from {job.source}."
                " Rename one of them, or say --format keep."
            )
        if target in sources:
            raise UserError(
                f"{job.target} is one of the images to translate, and would be written over by the translation of"
                f" {job.source}. Give another --output."
            )


def _fixed_part(pattern):
    """The folder above the first part of a path that is a pattern."""
    fixed = itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)
    return pathlib.Path(*fixed)
