"""Translation: files or arrays of a person's own, of any size, through a trained run."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import tqdm

from common import ndimage
from common import tensorflow as tf
from common.dual import Dual
from common.errors import UserError, reason
from common.images import files, pixels, tensors
from common.images.pixels import Domain, Image
from common.run.checkpoint_files import selected_one
from common.run.checkpoints import Checkpoints
from common.run.folder import load_trained
from common.run.session import building_for, open_session
from common.translate.inference import Inference, translated
from common.translate.jobs import Job, Translation

if TYPE_CHECKING:
    from typing_extensions import Self  # of typing since Python 3.11

Array: TypeAlias = npt.NDArray[Any]
Failures: TypeAlias = list[tuple[pathlib.Path, str]]  # (path, sentence)
OutputSize: TypeAlias = str | tuple[int, int]  # "original", "model", or (height, width)

THREADS = 4  # that decode, and as many that encode
AHEAD = 8  # images read before they are needed, and images that may wait to be written
ROOM = 2**28  # bytes of them, if they are more than one


class Outcome(NamedTuple):
    """What became of the files."""

    written: int
    skipped: int
    failed: Failures
    opaque: int = 0  # of those written: how many lost their transparency, which their format does not hold
    changed: dict[str, int] | None = None  # {".jpg as .png": count} of those whose format does not hold the output


class Translator:
    """A trained run as a function of images: Translator(run_dir)("A2B", images).

    Holds one graph and one session of its own, may be used by several threads at once, and
    beside other TensorFlow code. Close it, or use it in a with statement. `inference` says which weights,
    directions and size; `test_dropout` takes the place of the run's own. Raises UserError if there is no trained
    run, or its networks do not take the size asked for.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        inference: Inference | None = None,
        *,
        threads: int | None = None,
        test_dropout: bool | None = None,
    ) -> None:
        saved, inference = load_trained(run_dir), inference or Inference()
        self.run_dir, self.dual, self._domains = run_dir, saved.dual, saved.domains
        if test_dropout is not None:
            self.dual = dataclasses.replace(self.dual, test_dropout=test_dropout)
        self._directions = [name for name in self.dual.directions if inference.direction in ("both", name)]
        with tf.Graph().as_default() as graph, building_for(inference.device):
            tf.set_random_seed(saved.run.seed)
            self._build(inference)
            weights = inference.restored(self.dual, tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
            checkpoints = Checkpoints(run_dir, variables=weights)
            graph.finalize()
            threads = saved.run.threads if threads is None else threads
            self._session = open_session(threads, inference.device, inference.xla)
            self.step = checkpoints.restore(self._session, selected_one(run_dir, inference.checkpoint))

    @overload
    def __call__(self, direction: str, images: Array, output_size: OutputSize = ..., first: int = ...) -> Array: ...
    @overload
    def __call__(
        self, direction: str, images: list[Array] | tuple[Array, ...], output_size: OutputSize = ..., first: int = ...
    ) -> list[Array]: ...
    def __call__(
        self,
        direction: str,
        images: Array | list[Array] | tuple[Array, ...],
        output_size: OutputSize = "original",
        first: int = 0,
    ) -> Array | list[Array]:
        """Translates `images`: [N, H, W, C], [H, W, C], gray [H, W], or a list of such of any sizes.

        The output is of the same kind, with the type and the channels of the target's Domain. Other
        types and channels than those of the source's Domain are brought to them as by Domain.of.
        `output_size`: "original", "model", or (height, width). `first` numbers the first image;
        noise, if the run draws any, is keyed by these numbers. Raises UserError if the run has no such
        `direction`, or the images cannot be brought to its source's Domain.
        """
        if isinstance(images, (list, tuple)):
            return [self(direction, image, output_size, first + i) for i, image in enumerate(images)]
        if np.ndim(images) in (2, 3):
            output = self(direction, _with_channel_axis(images)[None], output_size, first)[0]
            return output[..., 0] if np.ndim(images) == 2 and output.shape[-1] == 1 else output
        return self._translate_batch(direction, images, output_size, first)

    def in_floats(self, direction: str, image: Array) -> npt.NDArray[np.float32]:
        """Translates one image [H, W, C]: float32 in [-1, 1], in the size that the networks give."""
        batch, graph = self._as_source(direction, image[None]), self._graphs[direction]
        return self._session.run(graph.translated, {graph.images: batch, graph.indices: [0]})[0]

    def _build(self, inference: Inference) -> None:
        """Makes the graph of each direction."""
        self._graphs = {
            name: _direction_graph(
                self.dual,
                name,
                inference.scale(self.dual),
                self.source(name),
                self.target(name),
                self_ensemble=inference.self_ensemble,
            )
            for name in self._directions
        }

    def _translate_batch(self, direction: str, images: Array, output_size: OutputSize, first: int) -> Array:
        """Translates images [N, H, W, C]; arguments and errors as for a call."""
        batch, graph = self._as_source(direction, images), self._graphs[direction]
        size = _size(output_size, batch.shape[1:3])
        fed = {graph.images: batch, graph.size: size, graph.indices: np.arange(first, first + len(batch))}
        return self._session.run(graph.output, fed)

    def _as_source(self, direction: str, images: Array) -> Array:
        """Returns images [N, H, W, C] as the source's Domain has them."""
        if direction not in self._directions:
            raise UserError(f"This run has no direction {direction}: it has {' and '.join(self._directions)}.")
        batch = np.asarray(images)
        if batch.ndim != 4 or batch.dtype.kind not in "buif" or 0 in batch.shape:
            raise UserError(
                f"{direction} takes images of numbers, [N, H, W, C], [H, W, C] or [H, W], and these are"
                f" {batch.dtype} {list(batch.shape)}."
            )
        batch = batch * np.uint8(255) if batch.dtype == bool else batch
        return self.source(direction).of(Image(batch), "The array")

    def source(self, direction: str) -> Domain:
        """The Domain of the images that a direction takes."""
        return self._domains[direction[0]]

    def target(self, direction: str) -> Domain:
        """The Domain of the images that a direction makes."""
        return self._domains[direction[-1]]

    def close(self) -> None:
        """Closes the session."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class DirectionGraph(NamedTuple):
    """The graph of one direction, for images of any size."""

    images: tf.Tensor  # placeholder, [N, H, W, C] of the source
    size: tf.Tensor  # placeholder, int32 (height, width) of the output; 0: as the networks give it
    indices: tf.Tensor  # placeholder, int64 [N]: numbers of the images
    translated: tf.Tensor  # float32 in [-1, 1], in the size that the networks give
    output: tf.Tensor  # of `size`, as the target has it


def _direction_graph(
    dual: Dual, name: str, scale: tuple[int, int] | None, source: Domain, target: Domain, *, self_ensemble: int
) -> DirectionGraph:
    """Makes the graph of one direction between two Domains; `scale` (height, width) to resize to first, or None."""
    images = tf.placeholder(source.dtype, [None, None, None, source.channels])
    size, indices = tf.placeholder(tf.int32, [2]), tf.placeholder(tf.int64, [None])
    x = tensors.from_pixels(images, source)
    x = x if scale is None else tensors.resize(x, tf.constant(scale), dual, source)
    y = tensors.in_own_size(
        x, dual, lambda padded: translated(dual, name, padded, indices, self_ensemble=self_ensemble)
    )
    output_size = tf.where(size > 0, size, tf.shape(y)[1:3])
    same = tf.reduce_all(tf.equal(output_size, tf.shape(y)[1:3]))
    resized = tf.cond(same, lambda: y, lambda: tensors.resize(y, output_size, dual, target))
    return DirectionGraph(images, size, indices, y, tensors.to_pixels(resized, target))


def translate(
    translator: Translator, direction: str, jobs: Iterable[Job], options: Translation, batch_size: int = 1
) -> Outcome:
    """Translates the files of `jobs`, as `options` say; a bad file never stops the others.

    Decoding and encoding run in threads, while the network computes.
    """
    jobs = list(jobs)
    remaining = [job for job in jobs if not (options.skip_existing and job.target.is_file())]
    written: list[Job] = []
    failed: Failures = []
    opaque = 0
    waiting: collections.deque[tuple[Job, concurrent.futures.Future[bool]]] = collections.deque()

    def finish(count: int) -> None:
        """Waits until at most `count` images remain to be written."""
        nonlocal opaque
        while len(waiting) > count:
            job, writing = waiting.popleft()
            if error := writing.exception():
                failed.append((job.source, _sentence(job.target, error)))
            else:
                written.append(job)
                opaque += writing.result()
            bar.update()

    with (
        concurrent.futures.ThreadPoolExecutor(THREADS) as readers,
        concurrent.futures.ThreadPoolExecutor(THREADS) as writers,
        tqdm.tqdm(total=len(remaining), desc=direction, unit="image", disable=None) as bar,
    ):
        reading = _read_ahead(readers, remaining, translator.source(direction), failed, bar)
        for group in _groups(reading, batch_size):
            try:
                outputs = translator(direction, _stacked(group), options.size, group[0][0].number)
            except (tf.errors.OpError, MemoryError) as error:
                failed += [(job.source, f"{job.source}: {_reason(error)}.") for job, _ in group]
                bar.update(len(group))
                continue
            for (job, image), output in zip(group, outputs):
                translation = Image(output, image.alpha if options.alpha == "keep" else None)
                waiting.append((job, writers.submit(write_image, job.target, translation, options.quality)))
            finish(_capacity(outputs[0].nbytes) - 1)
        finish(0)
    changed = collections.Counter(f"{job.source.suffix} as {job.target.suffix}" for job in written if job.changed)
    return Outcome(len(written), len(jobs) - len(remaining), failed, opaque, changed)


def _read_ahead(
    readers: concurrent.futures.Executor,
    jobs: Iterable[Job],
    domain: Domain,
    failed: Failures,
    bar: tqdm.tqdm[Any],
) -> Iterator[tuple[Job, Image]]:
    """Yields (job, Image) of every job whose file can be read, in order; the others are added to `failed`."""
    jobs, largest = iter(jobs), ROOM
    pending: collections.deque[tuple[Job, concurrent.futures.Future[Image]]] = collections.deque()
    while True:
        for job in itertools.islice(jobs, max(0, _capacity(largest) - len(pending))):
            pending.append((job, readers.submit(read_image, job.source, domain)))
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


def read_image(path: str | os.PathLike[str], domain: Domain) -> Image:
    """Reads a file as an Image of a Domain, with the transparency that is no channel of it."""
    return of_domain(files.decode(path), domain, path)


def of_domain(image: Image, domain: Domain, name: str | os.PathLike[str]) -> Image:
    """Returns an Image as one of a Domain, with the transparency that is no channel; UserErrors call it `name`."""
    is_channel = image.pixels.shape[-1] + 1 == domain.channels
    return Image(domain.of(image, name), None if is_channel else image.alpha)


def write_image(path: pathlib.Path, image: Image, quality: int) -> bool:
    """Writes an Image in the format of `path`; returns whether that does not hold its transparency."""
    colours, alpha = image
    if alpha is not None and not files.holds(path.suffix.lower(), str(colours.dtype), colours.shape[-1], alpha=True):
        files.write_whole(path, colours, None, quality)
        return True
    if alpha is not None:
        factors = [after / before for after, before in zip(colours.shape[:2], alpha.shape[:2])]
        if factors != [1.0, 1.0]:
            alpha = ndimage.zoom(alpha, [*factors, 1], order=1, mode="nearest", grid_mode=True)
        alpha = pixels.cast_alpha(alpha, colours.dtype)
    files.write_whole(path, colours, alpha, quality)
    return False


def _capacity(nbytes: int) -> int:
    """Returns how many images of `nbytes` bytes may wait."""
    return max(1, min(AHEAD, ROOM // nbytes))


def _groups(images: Iterable[tuple[Job, Image]], batch_size: int) -> Iterator[list[tuple[Job, Image]]]:
    """Yields lists of at most `batch_size` neighbours of one shape, with consecutive numbers."""
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


def _stacked(group: Sequence[tuple[Job, Image]]) -> Array:
    """Returns the pixels of a group as [N, H, W, C]; one image, which may be large, is not copied."""
    arrays = [image.pixels for _, image in group]
    return np.stack(arrays) if len(arrays) > 1 else arrays[0][None]


def _size(output_size: OutputSize, original: tuple[int, ...]) -> tuple[int, ...]:
    """Returns (height, width) of the output, zeros for that of the model; raises UserError if it is no size."""
    if isinstance(output_size, str) and output_size in ("original", "model"):
        return original if output_size == "original" else (0, 0)
    sides = np.asarray(output_size)
    if sides.shape != (2,) or sides.dtype.kind not in "ui" or sides.min() < 1:
        raise UserError(f"output_size {output_size!r} is none of: original, model, (height, width) in pixels.")
    return tuple(map(int, sides))


def _with_channel_axis(image: Array) -> Array:
    """Returns an array [H, W] as [H, W, 1], any other as it is."""
    image = np.asarray(image)
    return image[..., None] if image.ndim == 2 else image


def _reason(error: Exception) -> str:
    """Returns why the networks could not take an image, in words."""
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    return f"TensorFlow says: {reason(error)}"


def _sentence(path: pathlib.Path, error: BaseException) -> str:
    """Returns what is wrong with a file, naming it."""
    if isinstance(error, UserError):
        return str(error)
    return f"{path}: {getattr(error, 'strerror', None) or error}."
