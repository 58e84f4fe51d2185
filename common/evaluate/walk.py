"""Walking the validation images: each through a trained dual, there and back, beside its target."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tqdm

from common import tensorflow as tf
from common.images import pipeline, pixels, shards, tensors
from common.images.pixels import Domain
from common.translate import inference

BACK = {"A2B": "A2B2A", "B2A": "B2A2B"}


class Native(NamedTuple):
    """An image as files of a domain have it, and what that is in the size of the model, as another domain has it."""

    image: tf.Tensor  # placeholder
    prepared: tf.Tensor


class Way(NamedTuple):
    """A direction to be walked: its images, and what is made of them, as tensors of pixels."""

    name: str
    source: pipeline.Loader
    target: pipeline.Loader  # of the other domain
    shard: tuple  # which part of the images of each is walked; see shards
    batch_size: int
    begin: tf.Operation
    number: tf.Tensor
    made: dict  # images [N, H, W, C] by the name of the folder they go to: A (as it is), A2B, A2B_2 and so on, A2B2A
    as_target: Native  # of images of the target
    as_source: Native  # of images of the source, as the target has them

    def domain(self, folder):
        """The Domain of the images of one of `made`."""
        return self.target.domain if folder.split("_")[0] == self.name else self.source.domain


class Walked(NamedTuple):
    """One image that was walked: arrays [H, W, C] in the size of the model."""

    path: object
    made: dict  # by folder, as in Way
    target: np.ndarray | None  # the image of the same stem, if there is one
    untouched: np.ndarray | None  # the input in the pixels of the target, if it can be had


def ways(dual, loaders, names, batch_size=1, n_samples=1, shard=shards.WHOLE):
    """A Way for each of the directions `names`, between `loaders`, {"A": Loader, "B": Loader}."""
    return [_way(dual, name, loaders, batch_size, n_samples, shard) for name in names]


def walk(session, way):
    """Yields a Walked for every image of a Way, in the order of the files."""
    session.run(way.begin)
    targets = {path.stem: path for path in way.target.paths}
    count = len(shards.of(way.source.paths, way.shard))
    with tqdm.tqdm(total=count, desc=way.name, unit="image", disable=None, leave=False) as bar:
        for _ in range(-(-count // way.batch_size)):
            with pipeline.naming_failures([way.source]):
                numbers, made = session.run([way.number, way.made])
            for i, number in enumerate(numbers):
                path, one = way.source.paths[number], {name: each[i] for name, each in made.items()}
                yield _walked(session, way, path, targets.get(path.stem), one)
                bar.update()


def targets(session, way):
    """Yields every image of a Way's target domain, [H, W, C] in the size of the model, in the order of the files."""
    for path in shards.of(way.target.paths, way.shard):
        yield _prepared(session, way.as_target, way.target, path)


def _way(dual, name, loaders, batch_size, n_samples, shard):
    source, target = loaders[name[0]], loaders[name[-1]]
    (number, real), begin = pipeline.all_images(source, dual, batch_size, shard=shard)
    direction, cycle = inference.connect(dual, name, real, number)
    made = {name[0]: tensors.to_pixels(real, source.domain), name: tensors.to_pixels(direction.fake, target.domain)}
    if cycle is not None:
        made[BACK[name]] = tensors.to_pixels(cycle.reconstructed, source.domain)
    for sample in range(1, n_samples):
        another, _ = inference.connect(dual, name, real, number, sample)
        made[f"{name}_{sample + 1}"] = tensors.to_pixels(another.fake, target.domain)
    natives = (_native(dual, loader.domain, target.domain) for loader in (target, source))
    return Way(name, source, target, shard, batch_size, begin, number, made, *natives)


def _native(dual, domain: Domain, target: Domain):
    image = tf.placeholder(domain.dtype, [None, None, domain.channels])
    return Native(image, tensors.to_pixels(tensors.prepare(image, dual, domain=domain), target, clip=False))


def _walked(session, way, path, target_path, made):
    if target_path is None:
        return Walked(path, made, None, None)
    target = _prepared(session, way.as_target, way.target, target_path)
    untouched = _prepared(session, way.as_source, way.source, path)
    return Walked(path, made, target, pixels.with_channels(untouched, target.shape[-1]))


def _prepared(session, native, loader, path):
    return session.run(native.prepared, {native.image: loader.read(path)})
