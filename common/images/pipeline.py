"""Batches of images, read from files beside the training; what each holds depends on its number alone."""

from __future__ import annotations

import contextlib
import sys
import zlib
from typing import NamedTuple

import numpy as np

from common import tensorflow as tf
from common.errors import UserError
from common.images import files, shards, tensors
from common.ops import randomness

THREADS = 4  # that decode
AHEAD = 2  # batches prepared before they are asked for


class Batch(NamedTuple):
    """A training batch, as tensors."""

    index: tf.Tensor  # int64 [N], global sample indices
    A: tf.Tensor  # [N, S, S, C] in [-1, 1]
    B: tf.Tensor
    matched: tf.Tensor  # float [N]: 1 where B shows what A shows, else 0
    file_A: tf.Tensor  # int64 [N], positions in the list of files
    file_B: tf.Tensor
    waited: tf.Tensor  # seconds from when it was asked for until it was ready, if it was not


class Loader:
    """Reads the images of one domain by number, and remembers them while there is room.

    `skip`: whether those that do not read are passed over, where that can be. Raises UserError, when it is called,
    if an image does not read, or is another than it was when it was read before.
    """

    def __init__(self, paths, domain, room, smallest=0, half=None, skip=False):
        self.paths, self.domain, self.smallest, self.half, self.skip = paths, domain, smallest, half, skip
        self.failure = None  # the UserError that ended a session
        self._room, self._read, self._checksums, self._bad = room, {}, {}, {}

    def __call__(self, number):
        if (image := self._read.get(number)) is not None:
            return image
        if number in self._bad:
            raise self._bad[number].with_traceback(None)  # else each time adds to it, with what its frames hold
        try:
            image = self.read(self.paths[number])
            self._refuse_another(number, image)
        except UserError as error:
            if self.skip:
                self._bad[number] = error
                print(f"warning: {error} Another takes its place (--on_bad_image skip).", file=sys.stderr, flush=True)
            raise
        if self._room >= image.nbytes:
            self._room -= image.nbytes
            self._read[number] = image
        return image

    def first(self, number, read):
        """(n, read(n)) of `number`, or, if images are passed over, of the first after it that reads."""
        for tried in range(len(self.paths) if self.skip else 1):
            found = (number + tried) % len(self.paths)
            try:
                return found, read(found)
            except UserError as error:
                failure = error
        raise failure

    def tensor(self, number, instead=False):
        """The image of a number that is a tensor: [H, W, C] of the type of the domain.

        `instead`: whether another may take its place, where images are passed over.
        """

        def image(number):
            return self.first(int(number), self)[1] if instead else self(int(number))

        image = tf.numpy_function(_noting([self], image), [number], self.domain.dtype)
        image.set_shape([None, None, self.domain.channels])
        return image

    def read(self, path):
        """The image of a file; raises UserError if it does not read or is too small."""
        image = files.read(path, self.domain, self.half)
        height, width = image.shape[:2]
        if min(height, width) < self.smallest:
            raise UserError(
                f"{path} is {height}x{width}, smaller than the crop of {self.smallest}x{self.smallest} that"
                " --preprocess crop takes. Remove it, make --image_size smaller, or use --preprocess resize_and_crop."
            )
        return image

    def _refuse_another(self, number, image):
        checksum = zlib.crc32(np.ascontiguousarray(image))
        if self._checksums.setdefault(number, checksum) != checksum:
            raise UserError(
                f"{self.paths[number]} shows something else than when it was read before: an image must not change"
                " during a training. Bring it back to go on, or begin again in another --run_dir."
            )


class Pairs:
    """Reads an image of A and one of B: the partner of that of A, if it has one, or one of a number of its own."""

    def __init__(self, loaders, partners):
        self._loaders, self._partners = loaders, partners

    def __call__(self, number_A, number_B):
        """(A, B, number of A, number of B, whether they are partners)."""
        A, B = self._loaders
        number_A, (image_A, image_B) = A.first(int(number_A), self._with_partner)
        matched = image_B is not None
        if matched:
            number_B = self._partners[number_A]
        else:
            number_B, image_B = B.first(int(number_B), B)
        return image_A, image_B, np.int64(number_A), np.int64(number_B), np.bool_(matched)

    def tensors(self, number_A, number_B):
        """The same of tensors."""
        dtypes = [loader.domain.dtype for loader in self._loaders]
        types = [*dtypes, tf.int64, tf.int64, tf.bool]
        *images, number_A, number_B, matched = tf.numpy_function(
            _noting(self._loaders, self), [number_A, number_B], types
        )
        for image, loader in zip(images, self._loaders):
            image.set_shape([None, None, loader.domain.channels])
        for scalar in (number_A, number_B, matched):
            scalar.set_shape([])
        return *images, number_A, number_B, matched

    def _with_partner(self, number):
        A, B = self._loaders
        partner = int(self._partners[number])
        return A(number), (B(partner) if partner >= 0 else None)


def _noting(loaders, read):
    """`read`, whose UserError is noted in the first of `loaders`: see naming_failures."""

    def noted(*numbers):
        try:
            return read(*numbers)
        except UserError as error:
            loaders[0].failure = error
            raise

    return noted


def training_batches(loaders, dual, batch_size, start, partners, rank=0, processes=1):
    """Batches for ever, from the global sample index `start`, an int64 placeholder.

    Of several processes, each takes its own part of `batch_size` images of every batch of them all: what they
    read together does not depend on how many they are.

    `loaders` are those of A and B. Each domain passes over its files in an order of its own,
    so that unpaired sets do not turn into pairs; an image of A that has a partner (int64 [|A|],
    positions in B, -1: none) comes with it, and with the same crop and flip.
    Returns the Batch and the op that begins.
    """

    def draw(name, index):
        return randomness.uniform(randomness.key(f"{name}/crop", 0, index[None]), [3])[0]

    read = Pairs(loaders, partners).tensors

    @tf.autograph.experimental.do_not_convert
    def own(index, *_):
        return tf.equal((index - start) // batch_size % processes, rank)

    @tf.autograph.experimental.do_not_convert
    def sample(index, number_A, number_B):
        image_A, image_B, number_A, number_B, matched = read(number_A, number_B)
        together, chosen = draw("pair", index), {"file_A": number_A, "file_B": number_B}
        for domain, loader, image in zip("AB", loaders, (image_A, image_B)):
            placed = tf.where(matched, together, draw(domain, index))
            chosen[domain] = tensors.prepare(image, dual, placed, loader.domain)
        return {"index": index, "matched": tf.cast(matched, tf.float32), **chosen}

    @tf.autograph.experimental.do_not_convert
    def stamped(batch):
        return {**batch, "ready": tf.timestamp()}

    names = ("pair/order", "pair/order") if dual.pairing == "all" else ("A/order", "B/order")
    orders = [_numbers(name, len(loader.paths), start) for name, loader in zip(names, loaders)]
    dataset = tf.data.Dataset.zip((_count_from(start), *orders))
    if processes > 1:
        dataset = dataset.filter(own)
    dataset = dataset.map(sample, num_parallel_calls=THREADS, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True).map(stamped).prefetch(AHEAD)
    iterator = tf.data.make_initializable_iterator(dataset)
    asked = tf.timestamp()
    with tf.control_dependencies([asked]):
        batch = iterator.get_next()
    waited = tf.maximum(batch.pop("ready") - asked, 0.0)
    return Batch(waited=waited, **batch), iterator.initializer


def all_images(loader, dual, batch_size, repeat=False, shard=shards.WHOLE):
    """Every image of a shard of a loader's in order, once, or for ever, to be looked at.

    Returns ((numbers [N], images [N, S, S, C]), the op that begins).
    """

    @tf.autograph.experimental.do_not_convert
    def one(number):
        return number, tensors.prepare(loader.tensor(number, instead=repeat), dual, domain=loader.domain)

    number, count = shard
    dataset = tf.data.Dataset.range(number - 1, len(loader.paths), count)
    dataset = dataset.repeat() if repeat else dataset
    dataset = dataset.map(one, num_parallel_calls=THREADS, deterministic=True).batch(batch_size).prefetch(1)
    iterator = tf.data.make_initializable_iterator(dataset)
    return iterator.get_next(), iterator.initializer


@contextlib.contextmanager
def naming_failures(loaders):
    """Within it, a session that fails because an image does not read raises that image's UserError."""
    try:
        yield
    except tf.errors.OpError as error:
        raise next((loader.failure for loader in loaders if loader.failure), error) from None


def _numbers(name, count, start):
    """Numbers of files for ever, from position `start`: pass after pass, each in an order of its own."""

    @tf.autograph.experimental.do_not_convert
    def order(number):
        return tf.data.Dataset.from_tensor_slices(randomness.permutation(name, number, count))

    return _count_from(start // count).flat_map(order).skip(start % count)


def _count_from(start):
    return tf.data.Dataset.range(start, np.iinfo(np.int64).max)
