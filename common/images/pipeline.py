"""Batches of images, read from files beside the training; what each holds depends on its number alone."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np

from common import randomness
from common import tensorflow as tf
from common.errors import UserError
from common.images import files, tensors

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
    """Reads the images of one domain by number, and remembers them while there is room."""

    def __init__(self, paths, domain, room, smallest=0, half=None):
        self.paths, self.domain, self.smallest, self.half = paths, domain, smallest, half
        self.failure = None  # the UserError of the image that could not be read
        self._room, self._read = room, {}

    def __call__(self, number):
        if (image := self._read.get(int(number))) is not None:
            return image
        try:
            image = self.read(self.paths[number])
        except UserError as error:
            self.failure = error
            raise
        if self._room >= image.nbytes:
            self._room -= image.nbytes
            self._read[int(number)] = image
        return image

    def tensor(self, number):
        """The image of a number that is a tensor: [H, W, C] of the type of the domain."""
        image = tf.numpy_function(self, [number], self.domain.dtype)
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


def training_batches(loaders, dual, batch_size, start, partners):
    """Batches for ever, from the global sample index `start`, an int64 placeholder.

    `loaders` are those of A and B. Each domain passes over its files in an order of its own,
    so that unpaired sets do not turn into pairs; an image of A that has a partner (int64 [|A|],
    positions in B, -1: none) comes with it, and with the same crop and flip.
    Returns the Batch and the op that begins.
    """

    def draw(name, index):
        return randomness.uniform(randomness.key(f"{name}/crop", 0, index[None]), [3])[0]

    @tf.autograph.experimental.do_not_convert
    def sample(index, number_A, number_B):
        partner = tf.gather(partners, number_A)
        matched = partner >= 0
        numbers = number_A, tf.where(matched, partner, number_B)
        together, chosen = draw("pair", index), {}
        for domain, loader, number in zip("AB", loaders, numbers):
            placed = tf.where(matched, together, draw(domain, index))
            chosen[domain] = tensors.prepare(loader.tensor(number), dual, placed, loader.domain)
            chosen[f"file_{domain}"] = number
        return {"index": index, "matched": tf.cast(matched, tf.float32), **chosen}

    @tf.autograph.experimental.do_not_convert
    def stamped(batch):
        return {**batch, "ready": tf.timestamp()}

    names = ("pair/order", "pair/order") if dual.pairing == "all" else ("A/order", "B/order")
    orders = [_numbers(name, len(loader.paths), start) for name, loader in zip(names, loaders)]
    dataset = tf.data.Dataset.zip((_count_from(start), *orders))
    dataset = dataset.map(sample, num_parallel_calls=THREADS, deterministic=True)
    dataset = dataset.batch(batch_size, drop_remainder=True).map(stamped).prefetch(AHEAD)
    iterator = tf.data.make_initializable_iterator(dataset)
    asked = tf.timestamp()
    with tf.control_dependencies([asked]):
        batch = iterator.get_next()
    waited = tf.maximum(batch.pop("ready") - asked, 0.0)
    return Batch(waited=waited, **batch), iterator.initializer


def all_images(loader, dual, batch_size, repeat=False):
    """Every image of a loader in order, once or for ever.

    Returns ((numbers [N], images [N, S, S, C]), the op that begins).
    """

    @tf.autograph.experimental.do_not_convert
    def one(number):
        return number, tensors.prepare(loader.tensor(number), dual, domain=loader.domain)

    dataset = tf.data.Dataset.range(len(loader.paths))
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
