"""Translates arrays of any size with a trained run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.dual import Dual
from common.errors import UserError
from common.images import bounds, tensors
from common.images.notices import Notices, of_scale
from common.images.pixels import Domain, Image
from common.ops.dispatch import Dispatch
from common.report import notebook
from common.run import forks
from common.run.checkpoint_files import selected_one
from common.run.checkpoints import Checkpoints
from common.run.folder import load_trained
from common.run.session import building_for, open_session
from common.translate.inference import Inference, translated
from common.translate.memory import Footprint

if TYPE_CHECKING:
    from typing_extensions import Self  # of typing since Python 3.11

Array: TypeAlias = npt.NDArray[Any]
OutputSize: TypeAlias = str | tuple[int, int]  # "original", "model", or (height, width)

ARRAY = "The array"  # in messages


class Translator:
    """A trained run as a function of images: Translator(run_dir)("A2B", images).

    Owns a graph and a session; thread-safe, and independent of other TensorFlow code in the process. Close it, or use
    it in a with statement. `inference` selects weights, directions and size; `test_dropout` overrides the run's
    setting. Raises UserError if there is no trained run, or the size does not fit its networks. Logs one warning if an
    array has another scale than the training images, unless `warns` is false. `steady`: images are frames of a video,
    for all of which a direction that is not learned draws the same.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        inference: Inference | None = None,
        *,
        threads: int | None = None,
        test_dropout: bool | None = None,
        warns: bool = True,
        steady: bool = False,
    ) -> None:
        self._steady = steady
        self._notices = Notices() if warns else None
        saved, inference = load_trained(run_dir), inference or Inference()
        self.run_dir, self.dual, self._domains = run_dir, saved.dual, saved.domains
        if test_dropout is not None:
            self.dual = dataclasses.replace(self.dual, test_dropout=test_dropout)
        self._directions = [name for name in self.dual.directions if inference.direction in ("both", name)]
        dispatch = Dispatch(saved.algorithms)
        with tf.Graph().as_default() as graph, building_for(inference.device, inference.precise, dispatch):
            tf.set_random_seed(saved.run.seed)
            self._build(inference)
            weights = inference.restored(self.dual, tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
            checkpoints = Checkpoints(run_dir, variables=weights)
            graph.finalize()
            threads = saved.run.threads if threads is None else threads
            self._session = open_session(threads, inference.device, inference.xla)
            self.step = checkpoints.restore(self._session, selected_one(run_dir, inference.checkpoint))
        on_gpu = any(device.device_type == "GPU" for device in self._session.list_devices())
        self._footprints = {} if on_gpu else {name: Footprint() for name in self._directions}  # GPUs report a lack

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
        """Translates `images`: [N, H, W, C], [H, W, C], gray [H, W], or a list of such arrays of any sizes.

        The output has the same form, with the type and the channels of the target's Domain. Images of other types and
        channels than the source's Domain are converted by Domain.of. `output_size`: "original", "model", or (height,
        width). `first` is the number of the first image; noise, if the run draws any, is keyed by these numbers. Raises
        UserError if the run has no such `direction`, or the images cannot be converted to its source's Domain.
        """
        if isinstance(images, (list, tuple)):
            return [self(direction, image, output_size, first + i) for i, image in enumerate(images)]
        if np.ndim(images) in (2, 3):
            output = self(direction, _with_channel_axis(images)[None], output_size, first)[0]
            return output[..., 0] if np.ndim(images) == 2 and output.shape[-1] == 1 else output
        return self._translate_batch(direction, images, output_size, first)

    def in_floats(self, direction: str, image: Array) -> npt.NDArray[np.float32]:
        """Translates one image [H, W, C]: float32 in [-1, 1], in the size of the networks' output."""
        batch, graph = self._as_source(direction, image[None]), self._graphs[direction]
        return self._run(direction, batch, graph.translated, {graph.indices: [0]})[0]

    def _build(self, inference: Inference) -> None:
        """Builds the graph of each direction."""
        scale = inference.scale(self.dual)
        self._room = 0 if scale else bounds.PADDED
        self._graphs = {
            name: _direction_graph(
                self.dual,
                name,
                scale,
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
        numbers = np.arange(first, first + len(batch))
        if self._steady and direction not in self.dual.learned_directions:
            numbers[:] = 0
        return self._run(direction, batch, graph.output, {graph.size: size, graph.indices: numbers})

    def _run(self, direction: str, batch: Array, fetched: tf.Tensor, fed: Mapping[tf.Tensor, Any]) -> Array:
        """Returns an output for images [N, H, W, C]; raises UserError if they do not fit in memory."""
        graph = self._graphs[direction]

        def run() -> Array:
            return self._session.run(fetched, {graph.images: batch, **fed})

        def run_part(shape: tuple[int, int, int]) -> None:
            count, rows, columns = shape
            part = batch[:count, :rows, :columns]
            self._session.run(graph.translated, {graph.images: part, graph.indices: np.arange(count)})

        footprint = self._footprints.get(direction)
        if footprint is None or not self._room:  # not the size of the images, but that of --scale_to
            return run()
        return footprint.within(batch.shape[:3], run, run_part)

    def _as_source(self, direction: str, images: Array) -> Array:
        """Converts images [N, H, W, C] to the source's Domain."""
        forks.refuse()
        if direction not in self._directions:
            raise UserError(f"This run has no direction {direction}, only {' and '.join(self._directions)}.")
        batch = np.asarray(images)
        if batch.ndim != 4 or batch.dtype.kind not in "buif" or 0 in batch.shape:
            raise UserError(
                f"{direction} takes images of numbers, [N, H, W, C], [H, W, C] or [H, W], but got {batch.dtype} of"
                f" shape {list(batch.shape)}."
            )
        batch = batch * np.uint8(255) if batch.dtype == bool else batch
        if self._room:
            bounds.check_padding(batch.shape[1:3], self.dual.multiple, self.dual.smallest, self._room)
        source = self.source(direction)
        converted = source.of(Image(batch), ARRAY)
        if self._notices:
            self._notices.say_once(ARRAY, of_scale(batch, source))
        return converted

    def source(self, direction: str) -> Domain:
        """The Domain of the images that a direction takes."""
        return self._domains[direction[0]]

    def target(self, direction: str) -> Domain:
        """The Domain of the images that a direction outputs."""
        return self._domains[direction[-1]]

    def _repr_html_(self) -> str | None:
        """Returns what notebooks show: the run, the checkpoint, and what each direction takes."""
        facts = [(name, f"{_kind(self.source(name))} to {_kind(self.target(name))}") for name in self._directions]
        return notebook.summary(self.run_dir, [("checkpoint", f"step {self.step:,}"), *facts])

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
    size: tf.Tensor  # placeholder, int32 (height, width) of the output; 0: that of the networks' output
    indices: tf.Tensor  # placeholder, int64 [N]: numbers of the images
    translated: tf.Tensor  # float32 in [-1, 1], in the size of the networks' output
    output: tf.Tensor  # of `size`, in the target's Domain


def _direction_graph(
    dual: Dual, name: str, scale: tuple[int, int] | None, source: Domain, target: Domain, *, self_ensemble: int
) -> DirectionGraph:
    """Builds the graph of one direction between two Domains; `scale`: (height, width) to resize to first, or None."""
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


def _size(output_size: OutputSize, original: tuple[int, ...]) -> tuple[int, ...]:
    """Returns (height, width) of the output, zeros for that of the model; raises UserError if it is not valid."""
    if isinstance(output_size, str) and output_size in ("original", "model"):
        return original if output_size == "original" else (0, 0)
    sides = np.asarray(output_size)
    if sides.shape != (2,) or sides.dtype.kind not in "ui" or sides.min() < 1:
        raise UserError(
            f"output_size {output_size!r} is not valid: must be original, model or (height, width) in pixels."
        )
    return tuple(map(int, sides))


def _kind(domain: Domain) -> str:
    """The arrays of a domain: "uint8 [H, W, 3]"."""
    return f"{domain.dtype} [H, W, {domain.channels}]"


def _with_channel_axis(image: Array) -> Array:
    """Returns an array [H, W] as [H, W, 1], others unchanged."""
    image = np.asarray(image)
    return image[..., None] if image.ndim == 2 else image
