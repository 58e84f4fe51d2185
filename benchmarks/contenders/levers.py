"""Single optimizations of this toolkit turned off, and unused ones turned on: see benchmarks.levers."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from unittest import mock

if TYPE_CHECKING:
    from common import tensorflow as tf
    from common.dual import Direction, Dual, Network

Change: TypeAlias = contextlib.AbstractContextManager[Any]  # within which the toolkit is changed


class Lever(NamedTuple):
    """One change: of code before the graph is built, of the environment of the process, or of its threads."""

    change: Callable[[], Change] = contextlib.nullcontext
    environment: Mapping[str, str] = MappingProxyType({})
    threads: int = 0  # 0: as without it


def _calls_of_single_images(role: str) -> Change:
    """Networks process real images and fakes separately instead of as one batch."""
    from common import tensorflow as tf
    from common.dual import Network

    called = Network.__call__

    def call(self: Network, images: tf.Tensor, *rest: tf.Tensor | None) -> tf.Tensor:
        if not self.scope.endswith(role) or images.shape[0] == 1:
            return called(self, images, *rest)
        count = int(images.shape[0])
        parts = [[None] * count if batch is None else tf.split(batch, count) for batch in (images, *rest)]
        return tf.concat([called(self, *single) for single in zip(*parts)], axis=0)

    return mock.patch.object(Network, "__call__", call)


def _fakes_computed_again() -> Change:
    """Generators compute the critics' fakes again, in the same run, without a pool."""
    from common import tensorflow as tf
    from common.train import objectives

    def recalled(dual: Dual, direction: Direction) -> tuple[Direction, list[tf.Operation]]:
        fake = tf.stop_gradient(direction.generator(direction.real, direction.key))
        return direction._replace(fake=fake), []

    return mock.patch.object(objectives, "_recalled", recalled)


def _a_run_for_each_update() -> Change:
    from common.train import step

    return mock.patch.object(step, "roles_of_passes", lambda *_: [("critic",), ("generator",)])


def _nothing_read_ahead() -> Change:
    """Only changes the cases that read files, DualGAN's."""
    from common.images import pipeline

    return mock.patch.multiple(pipeline, AHEAD=0, THREADS=None)


def _single_convolutions() -> Change:
    return _without("matrices", "winograd", "columns", "taps", "phases")


def _without(*names: str) -> Change:
    """Replaces algorithms of convolutions by TensorFlow's own operations."""
    from common.ops import algorithms

    usual = algorithms.usual

    def other(convolution: algorithms.Convolution) -> algorithms.Names:
        return algorithms.Names(*("library" if name in names else name for name in usual(convolution)))

    return mock.patch.object(algorithms, "usual", other)


def _norms_by_their_formula() -> Change:
    from common import tensorflow as tf
    from common.ops import layers

    def standardized(x: tf.Tensor, axes: list[int], epsilon: float) -> tf.Tensor:
        centred = x - tf.reduce_mean(x, axes, keepdims=True)
        return centred * tf.rsqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True) + epsilon)

    def scaled_and_shifted(
        x: tf.Tensor, axes: list[int], epsilon: float, scale: tf.Tensor, shift: tf.Tensor
    ) -> tf.Tensor:
        return standardized(x, axes, epsilon) * scale + shift

    return mock.patch.multiple(layers, standardized=standardized, scaled_and_shifted=scaled_and_shifted)


def _norms_not_fused() -> Change:
    from common.ops import batch_norm

    return mock.patch.object(batch_norm, "is_applicable", lambda axes: False)


def _squares_written() -> Change:
    from common import tensorflow as tf
    from common.ops import standardization

    def mean_square(x: tf.Tensor, axes: list[int]) -> tf.Tensor:
        return standardization.mean_along(tf.square(x), axes)

    return mock.patch.object(standardization, "_mean_square", mean_square)


def _margins_not_gathered() -> Change:
    from common.ops import reflection

    return mock.patch.object(reflection, "CHANNELS", sys.maxsize)


def _usual_algorithms() -> Change:
    """No measured algorithms, those of the shipped table."""
    from common.train import tuned

    return mock.patch.object(tuned, "shipped", lambda threads: {})


def _no_phases() -> Change:
    """Products of matrices in place of phases."""
    from common.ops import algorithms

    return mock.patch.object(algorithms, "PLACES_OF_PHASES", sys.maxsize)


def _configured(change: Callable[[tf.GraphOptions], None]) -> Change:
    """Sessions have other options of graphs."""
    from common.run import session

    configured = session.session_config

    def config(threads: int, device: str = "auto", xla: bool = False) -> tf.ConfigProto:
        options = configured(threads, device, xla)
        change(options.graph_options)
        return options

    return mock.patch.object(session, "session_config", config)


def _graphs_rewritten() -> Change:
    def change(options: tf.GraphOptions) -> None:
        options.rewrite_options.disable_meta_optimizer = False

    return _configured(change)


def _constants_folded() -> Change:
    """As TensorFlow does by default; initial values are constants for it."""
    from common import tensorflow as tf

    def change(options: tf.GraphOptions) -> None:
        options.optimizer_options.opt_level = tf.OptimizerOptions.L1

    return _configured(change)


def _inputs_kept() -> Change:
    """Graphs of inference can be differentiated by gradients of their own; steps are as they are."""
    from common.ops import gradients

    return mock.patch.object(gradients, "derived", contextlib.nullcontext)


LEVERS = {
    "generators-image-by-image": Lever(lambda: _calls_of_single_images("generator")),
    "critics-image-by-image": Lever(lambda: _calls_of_single_images("critic")),
    "fakes-computed-again": Lever(_fakes_computed_again),
    "a-run-for-each-update": Lever(_a_run_for_each_update),
    "nothing-read-ahead": Lever(_nothing_read_ahead),
    "single-convolutions": Lever(_single_convolutions),
    "usual-algorithms": Lever(_usual_algorithms),
    "no-winograd": Lever(lambda: _without("winograd")),
    "no-matrices": Lever(lambda: _without("matrices", "phases")),
    "no-columns": Lever(lambda: _without("columns")),
    "no-taps": Lever(lambda: _without("taps")),
    "no-phases": Lever(_no_phases),
    "margins-not-gathered": Lever(_margins_not_gathered),
    "norms-not-fused": Lever(_norms_not_fused),
    "squares-written": Lever(_squares_written),
    "norms-by-their-formula": Lever(_norms_by_their_formula),
    "one-thread": Lever(threads=1),
    "onednn-off": Lever(environment={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "graphs-rewritten": Lever(_graphs_rewritten),
    "constants-folded": Lever(_constants_folded),
    "inputs-kept": Lever(_inputs_kept),
    "bfc": Lever(environment={"TF_CPU_ALLOCATOR_USE_BFC": "1"}),
    "one-arena": Lever(environment={"MALLOC_ARENA_MAX": "1"}),
    "huge-pages": Lever(environment={"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}),
}
