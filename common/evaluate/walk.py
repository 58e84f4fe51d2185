"""Translates the validation images of a direction one by one, with fake, reconstruction and target of each."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

from common import progress
from common import tensorflow as tf
from common.dual import Dual
from common.images import alignment, folders, pipeline, pixels, shards, tensors
from common.images.pipeline import Loader
from common.images.pixels import Domain, Note
from common.translate import inference

Array: TypeAlias = npt.NDArray[Any]  # an image [H, W, C], or several
Shard: TypeAlias = tuple[int, int]  # (number, count); see shards

BACK = {"A2B": "A2B2A", "B2A": "B2A2B"}


class Native(NamedTuple):
    """An image as stored in the files of a domain, and converted to the size of the model and another domain."""

    image: tf.Tensor  # placeholder [H, W, C]
    prepared: tf.Tensor


class EvaluationGraph(NamedTuple):
    """The graph that evaluates a direction: its images and their translations, as tensors of pixels."""

    name: str
    source: Loader
    target: Loader  # of the other domain
    shard: Shard  # the part of the images of each domain to evaluate
    batch_size: int
    begin: tf.Operation
    number: tf.Tensor  # int64 [N], positions among the files of the source
    images: dict[str, tf.Tensor]  # [N, H, W, C] by output folder: A (the input), A2B, A2B_2 and so on, A2B2A
    as_target: Native  # for images of the target
    as_source: Native  # for images of the source, converted to the target's domain
    prior: tf.Tensor | None  # [N, H, W, C]: the output of a classical method, if the dual has one
    dual: Dual

    def domain(self, folder: str) -> Domain:
        """Returns the Domain of the images of a folder."""
        return self.target.domain if folder.split("_")[0] == self.name else self.source.domain


class Walked(NamedTuple):
    """One validation image and its translations: arrays [H, W, C] in the size of the model."""

    path: pathlib.Path
    images: dict[str, Array]  # by folder, as in EvaluationGraph
    target: Array | None  # the image with the same stem, if there is one
    untouched: Array | None  # the input converted to the target's domain, if its channels allow that
    prior: Array | None  # the output of a classical method, in the target's domain


def evaluation_graphs(
    dual: Dual,
    loaders: Mapping[str, Loader],
    names: Sequence[str],
    *,
    batch_size: int = 1,
    n_samples: int = 1,
    self_ensemble: int = 1,
    shard: Shard = shards.WHOLE,
) -> list[EvaluationGraph]:
    """Builds the graph of each of the directions `names`, between `loaders`, {"A": Loader, "B": Loader}."""
    return [
        _evaluation_graph(
            dual, name, loaders, batch_size=batch_size, n_samples=n_samples, self_ensemble=self_ensemble, shard=shard
        )
        for name in names
    ]


def walk(session: tf.Session, graph: EvaluationGraph) -> Iterator[Walked]:
    """Yields a Walked for every image of the source, in the order of the files."""
    session.run(graph.begin)
    targets = {folders.stem(path): path for path in graph.target.paths}
    count = len(shards.of(graph.source.paths, graph.shard))
    with progress.bar(total=count, desc=graph.name, unit="image", leave=False) as bar:
        for _ in range(-(-count // graph.batch_size)):
            with pipeline.naming_failures([graph.source]):
                numbers, batches, priors = session.run([graph.number, graph.images, _listed(graph.prior)])
            for i, number in enumerate(numbers):
                path, images = graph.source.paths[number], {folder: batch[i] for folder, batch in batches.items()}
                prior = priors[0][i] if priors else None
                target, untouched = _pair(session, graph, path, targets.get(folders.stem(path)))
                yield Walked(path, images, target, untouched, prior)
                bar.update()


def targets(session: tf.Session, graph: EvaluationGraph) -> Iterator[Array]:
    """Yields every image of the target domain, [H, W, C] in the size of the model, in the order of the files."""
    for path in shards.of(graph.target.paths, graph.shard):
        yield _prepared(session, graph.as_target, graph.target, path)


def _evaluation_graph(
    dual: Dual,
    name: str,
    loaders: Mapping[str, Loader],
    *,
    batch_size: int,
    n_samples: int,
    self_ensemble: int,
    shard: Shard,
) -> EvaluationGraph:
    source, target = loaders[name[0]], loaders[name[-1]]
    (number, real), begin = pipeline.all_images(source, dual, batch_size, shard=shard)
    direction, cycle = inference.connect(dual, name, real, number)
    fake = direction.fake
    if self_ensemble > 1:
        fake = inference.translated(dual, name, real, number, self_ensemble=self_ensemble)
    images = {name[0]: tensors.to_pixels(real, source.domain), name: tensors.to_pixels(fake, target.domain)}
    if cycle is not None:
        images[BACK[name]] = tensors.to_pixels(cycle.reconstructed, source.domain)
    for sample in range(1, n_samples):
        another = inference.translated(dual, name, real, number, self_ensemble=self_ensemble, sample=sample)
        images[f"{name}_{sample + 1}"] = tensors.to_pixels(another, target.domain)
    as_target = _native(dual, target.domain, target.domain)
    as_source = _native(dual, source.domain, source.domain if source.domain.classes else _values_of(target.domain))
    classical = dual.classical(name, real)
    return EvaluationGraph(
        *(name, source, target, shard, batch_size, begin, number, images, as_target, as_source),
        prior=None if classical is None else tensors.to_pixels(classical, target.domain),
        dual=dual,
    )


def _native(dual: Dual, domain: Domain, target: Domain) -> Native:
    image = tf.placeholder(domain.dtype, [None, None, domain.channels])
    return Native(image, tensors.to_pixels(tensors.prepare(image, dual, domain=domain, clip=False), target, clip=False))


def _values_of(domain: Domain) -> Domain:
    """A Domain for images of other domains: that of label maps without their classes."""
    return dataclasses.replace(domain, classes=None)


def _listed(tensor: tf.Tensor | None) -> list[tf.Tensor]:
    return [] if tensor is None else [tensor]


def _pair(
    session: tf.Session, graph: EvaluationGraph, path: pathlib.Path, target_path: pathlib.Path | None
) -> tuple[Array | None, Array | None]:
    """The target of an input, and the input in its domain; None without a target, or if channels differ."""
    if target_path is None:
        return None, None
    paths, natives, loaders = (path, target_path), (graph.as_source, graph.as_target), (graph.source, graph.target)
    images = [loader.read(path) for loader, path in zip(loaders, paths)]
    if why := alignment.misfit((image.shape[:2] for image in images), graph.dual):
        graph.source.notices.say(path, [Note("pair sizes", f"and {target_path} {why}: they are not compared")])
        return None, None
    untouched, target = (session.run(one.prepared, {one.image: image}) for one, image in zip(natives, images))
    if any(loader.domain.classes for loader in loaders):  # a label map is nothing like its photograph
        return target, None
    return target, pixels.with_channels(untouched, target.shape[-1])


def _prepared(session: tf.Session, native: Native, loader: Loader, path: pathlib.Path) -> Array:
    """Reads an image, [H, W, C] in the size of the model."""
    return session.run(native.prepared, {native.image: loader.read(path)})
