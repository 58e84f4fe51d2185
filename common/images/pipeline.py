"""Batches of images, read in the background during training; the content of a batch depends only on its index."""

from __future__ import annotations

import contextlib
import pathlib
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from absl import logging

from common import tensorflow as tf
from common.errors import ImageError, UserError
from common.images import alignment, bounds, files, order, shards, tensors
from common.images.image_settings import ImageSettings
from common.images.measure import INSTEAD
from common.images.notices import Notices
from common.images.pixels import Array, Domain, Note
from common.ops import randomness

THREADS = 4  # decoding threads
AHEAD = 2  # prefetched batches

Content = TypeVar("Content")


class Batch(NamedTuple):
    """A training batch, as tensors."""

    index: tf.Tensor  # type: ignore[assignment]  # hides tuple.index. int64 [N], global sample indices
    A: tf.Tensor  # [N, S, S, C] in [-1, 1]
    B: tf.Tensor
    matched: tf.Tensor  # float [N]: 1 where B shows what A shows, else 0
    file_A: tf.Tensor  # int64 [N], positions in the list of files
    file_B: tf.Tensor
    waited: tf.Tensor  # seconds from the request until the batch was ready; 0 if it was prefetched


class BrokenImage(ImageError):
    """An image of a Loader cannot be used.

    `was_read`: whether it was used before. `index`: the global sample index at which it was requested, if known.
    """

    def __init__(self, error: UserError, path: pathlib.Path, *, was_read: bool, skip: bool) -> None:
        problem, cure = (error.problem, error.cure) if isinstance(error, ImageError) else (str(error), "")
        super().__init__(problem, cure if skip else f"{cure} {INSTEAD}".strip())
        self.path, self.was_read, self.index = path, was_read, -1


class Loader:
    """Reads the images of one domain by number, and caches them while there is room.

    `room`: size of the cache in bytes. `dual`: for which images must be large enough, and not too narrow; None: any.
    `half`: the part of each file that is the image, A (left), B (right) or None (all). `skip`: whether images that
    cannot be read are skipped, where that is possible. A call raises UserError if an image cannot be read, or has
    changed since it was read before.
    """

    def __init__(
        self,
        paths: Sequence[pathlib.Path],
        domain: Domain,
        room: int,
        *,
        dual: ImageSettings | None = None,
        half: str | None = None,
        skip: bool = False,
    ) -> None:
        self.paths, self.domain, self.half, self.skip = paths, domain, half, skip
        self._dual = dual
        self.failures: list[UserError] = []  # that ended a session; several, as batches are prefetched
        self.notices = Notices()
        self.on_skip: Callable[[pathlib.Path], None] | None = None  # called once for each image that is skipped
        self._room = room
        self._cache: dict[int, Array] = {}
        self._checksums: dict[int, int] = {}
        self._failures: dict[int, UserError] = {}

    def __call__(self, number: int) -> Array:
        if (image := self._cache.get(number)) is not None:
            return image
        if number in self._failures:
            # without its traceback: each raise would extend it, and its frames keep their objects alive
            raise self._failures[number].with_traceback(None)
        try:
            image = self._read(self.paths[number])
            self._refuse_another(number, image)
        except UserError as error:
            broken = BrokenImage(error, self.paths[number], was_read=number in self._checksums, skip=self.skip)
            if self.skip and self._failures.setdefault(number, broken) is broken:  # the first of several threads
                logging.warning(f"warning: {broken.problem} Another image takes its place (--on_bad_image skip).")
                if self.on_skip:
                    self.on_skip(broken.path)
            raise broken from error
        if self._room >= image.nbytes:
            self._room -= image.nbytes
            self._cache[number] = image
        return image

    def first(self, number: int, read: Callable[[int], Content]) -> tuple[int, Content]:
        """Returns (n, read(n)) for n = `number`; with `skip`, for the first n from there on that can be read."""
        for offset in range(len(self.paths) if self.skip else 1):
            candidate = (number + offset) % len(self.paths)
            try:
                return candidate, read(candidate)
            except UserError as error:
                failure = error
        raise failure

    def tensor(self, number: tf.Tensor, instead: bool = False) -> tf.Tensor:
        """The image with a number that is a tensor: [H, W, C] of the type of the domain.

        `instead`: whether another image takes its place if it is skipped.
        """

        def read(number: np.int64) -> Array:
            return self.first(int(number), self)[1] if instead else self(int(number))

        image = tf.numpy_function(_noting([self], read), [number], self.domain.dtype)
        image.set_shape([None, None, self.domain.channels])
        return image

    def read(self, path: pathlib.Path) -> Array:
        """Reads the image of a file; raises BrokenImage if it cannot be read or is too small, or too narrow."""
        try:
            return self._read(path)
        except UserError as error:
            raise BrokenImage(error, path, was_read=False, skip=self.skip) from error

    def _read(self, path: pathlib.Path) -> Array:
        image = files.read(path, self.domain, self.half, self.notices)
        if self._dual:
            _refuse_size(path, image.shape[:2], self._dual)
        return image

    def _refuse_another(self, number: int, image: Array) -> None:
        checksum = zlib.crc32(np.ascontiguousarray(image).data)
        if self._checksums.setdefault(number, checksum) != checksum:
            raise ImageError(
                f"{self.paths[number]} has changed since it was first read: images must not change during training.",
                "Restore it to resume, or start a new run with a different --run_dir.",
            )


def _refuse_size(path: pathlib.Path, size: tuple[int, ...], dual: ImageSettings) -> None:
    """Raises ImageError if an image of `size`, (height, width), is too narrow to scale or smaller than the crop."""
    if dual.preprocess.startswith("scale"):
        scaled = alignment.loaded_size(size, dual)
        bounds.check_growth(path, size, scaled, min(scaled))
    if dual.preprocess == "crop" and any(side < least for side, least in zip(size, dual.image_sides)):
        sides, least = ("x".join(map(str, sides)) for sides in (size, dual.image_sides))
        raise ImageError(
            f"{path} is {sides}, smaller than the crop of {least} that --preprocess crop takes.",
            "Remove it, make --image_size smaller, or use --preprocess resize_and_crop.",
        )


class Pairs:
    """Reads an image of A and one of B: the partner of the image of A if it has one, else one with its own number."""

    def __init__(self, loaders: Sequence[Loader], partners: npt.NDArray[np.int64], dual: ImageSettings) -> None:
        self._loaders, self._partners, self._dual = loaders, partners, dual

    def __call__(self, number_A: np.int64, number_B: np.int64) -> tuple[Array, Array, np.int64, np.int64, np.bool_]:
        """Returns (A, B, number of A, number of B, whether they are partners)."""
        A, B = self._loaders
        read_A, (image_A, partner) = A.first(int(number_A), self._with_partner)
        if partner is not None:
            return image_A, partner, np.int64(read_A), np.int64(self._partners[read_A]), np.bool_(True)
        read_B, image_B = B.first(int(number_B), B)
        return image_A, image_B, np.int64(read_A), np.int64(read_B), np.bool_(False)

    def tensors(
        self, index: tf.Tensor, number_A: tf.Tensor, number_B: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Does the same with tensors: images [H, W, C] of the types of their domains, int64 [] and bool [].

        `index` is the global sample index that a BrokenImage reports.
        """

        def read(index: np.int64, *numbers: np.int64) -> tuple[Array, Array, np.int64, np.int64, np.bool_]:
            try:
                return self(*numbers)
            except BrokenImage as error:
                error.index = int(index)
                raise

        dtypes = [loader.domain.dtype for loader in self._loaders]
        types = [*dtypes, tf.int64, tf.int64, tf.bool]
        image_A, image_B, number_A, number_B, matched = tf.numpy_function(
            _noting(self._loaders, read), [index, number_A, number_B], types
        )
        for image, loader in zip((image_A, image_B), self._loaders):
            image.set_shape([None, None, loader.domain.channels])
        for scalar in (number_A, number_B, matched):
            scalar.set_shape([])
        return image_A, image_B, number_A, number_B, matched

    def _with_partner(self, number: int) -> tuple[Array, Array | None]:
        A, B = self._loaders
        partner = int(self._partners[number])
        if partner < 0:
            return A(number), None
        images = A(number), B(partner)
        if why := alignment.misfit((image.shape[:2] for image in images), self._dual):
            if A.skip:
                A.notices.say(A.paths[number], [Note("pair sizes", f"and {B.paths[partner]} {why}: they are left out")])
            raise UserError(alignment.sentence(A.paths[number], B.paths[partner], why))
        return images


def _noting(loaders: Sequence[Loader], read: Callable[..., Content]) -> Callable[..., Content]:
    """Returns `read`, whose UserErrors are recorded in the first of `loaders`: see naming_failures."""

    def noted(*numbers: np.int64) -> Content:
        try:
            return read(*numbers)
        except UserError as error:
            loaders[0].failures.append(error)
            raise

    return noted


def training_batches(
    loaders: Sequence[Loader],
    dual: ImageSettings,
    batch_size: int,
    start: tf.Tensor,
    partners: npt.NDArray[np.int64],
    *,
    shuffle: bool = True,
    rank: int = 0,
    processes: int = 1,
) -> tuple[Batch, tf.Operation]:
    """Endless batches from the global sample index `start`, an int64 placeholder.

    With several processes, each reads its own `batch_size` images of every global batch; together they read the same
    images, whatever the number of processes.

    `loaders` are those of A and B. Each domain has its own order of files, so that unpaired datasets do not become
    pairs; an image of A that has a partner (int64 [|A|], positions in B, -1: none) comes with it, with the same crop
    and flip. Without `shuffle`, files are read in the order of `loaders`, in every epoch. Returns the Batch and the
    operation that starts reading.
    """

    @tf.autograph.experimental.do_not_convert
    def own(index: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        return tf.equal((index - start) // batch_size % processes, rank)

    @tf.autograph.experimental.do_not_convert
    def stamped(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {**batch, "ready": _now()}

    names = ("pair/order", "pair/order") if dual.pairing == "all" else ("A/order", "B/order")
    orders = [order.numbers(name, len(loader.paths), start, shuffle) for name, loader in zip(names, loaders)]
    dataset = tf.data.Dataset.zip((order.positions(start), *orders))
    if processes > 1:
        dataset = dataset.filter(own)
    dataset = dataset.map(_sampler(loaders, dual, partners), num_parallel_calls=THREADS, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True).map(stamped).prefetch(AHEAD)
    iterator = tf.data.make_initializable_iterator(dataset)
    requested = _now()
    with tf.control_dependencies([requested]):
        batch = iterator.get_next()
    waited = tf.maximum(batch.pop("ready") - requested, 0.0)
    return Batch(waited=waited, **batch), iterator.initializer


def _now() -> tf.Tensor:
    """Seconds since 1970 at the time of evaluation; TensorFlow's own clock is refused in deterministic mode."""
    return tf.numpy_function(_clock, [], tf.float64)


def _clock() -> np.float64:
    """The time as NumPy's float64; in a host program with eager mode, a Python float would become float32."""
    return np.float64(time.time())


def _sampler(
    loaders: Sequence[Loader], dual: ImageSettings, partners: npt.NDArray[np.int64]
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]:
    """The function (index, number of A, number of B) -> {field of Batch: its tensor for one image}."""
    read = Pairs(loaders, partners, dual).tensors

    def draw(name: str, index: tf.Tensor) -> tf.Tensor:
        return randomness.uniform(randomness.key(f"{name}/crop", 0, index[None]), [3])[0]

    @tf.autograph.experimental.do_not_convert
    def sample(index: tf.Tensor, number_A: tf.Tensor, number_B: tf.Tensor) -> dict[str, tf.Tensor]:
        image_A, image_B, number_A, number_B, matched = read(index, number_A, number_B)
        pair_draw = draw("pair", index)
        images = {}
        for domain, loader, image in zip("AB", loaders, (image_A, image_B)):
            place = tf.where(matched, pair_draw, draw(domain, index))
            images[domain] = tensors.prepare(image, dual, place, loader.domain)
        matched = tf.cast(matched, tf.float32)
        return {"index": index, "matched": matched, "file_A": number_A, "file_B": number_B, **images}

    return sample


def all_images(
    loader: Loader, dual: ImageSettings, batch_size: int, repeat: bool = False, shard: shards.Shard = shards.WHOLE
) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Operation]:
    """Batches of the images of a shard of a loader in order, once, or with `repeat` endlessly.

    With `repeat`, another image takes the place of one that is skipped. Returns ((numbers [N], images [N, S, S, C] in
    [-1, 1]), the operation that starts reading).
    """

    @tf.autograph.experimental.do_not_convert
    def numbered(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return number, tensors.prepare(loader.tensor(number, instead=repeat), dual, domain=loader.domain)

    number, count = shard
    dataset = tf.data.Dataset.range(number - 1, len(loader.paths), count)
    dataset = dataset.repeat() if repeat else dataset
    dataset = dataset.map(numbered, num_parallel_calls=THREADS, deterministic=True).batch(batch_size).prefetch(1)
    iterator = tf.data.make_initializable_iterator(dataset)
    return iterator.get_next(), iterator.initializer


@contextlib.contextmanager
def naming_failures(loaders: Sequence[Loader]) -> Iterator[None]:
    """A context in which a session that fails because an image cannot be read raises that image's UserError."""
    try:
        yield
    except tf.errors.OpError as error:
        failures = [failure for loader in loaders for failure in loader.failures]
        raise min(failures, key=_index, default=error) from None


def _index(failure: UserError) -> int:
    return failure.index if isinstance(failure, BrokenImage) else -1
