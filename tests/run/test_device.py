"""Devices: a step runs where it is told to, and nothing in it needs the CPU."""

import collections
import functools

import pytest
from tensorflow.python.framework import kernels

from common import tensorflow as tf
from common.errors import UserError
from common.ops import randomness
from common.run import Run
from common.run.session import building_for, open_session, session_config
from common.train import step
from common.translate import Inference
from cyclegan import CycleGAN
from enhancement import Enhancement
from enhancement.kinds import KINDS
from pix2pix import Pix2Pix
from tests import small
from tests.reliability.little.pix2pix import Pix2Pix as LittlePix2Pix

pytestmark = pytest.mark.usefixtures("one_block")
ELSEWHERE = "/cpu:1"  # a second processor, in place of a GPU
TINY = {"image_size": 16, "load_size": 16, "ngf": 2, "ndf": 2, "n_layers": 1, "pool_size": 2}


def built(dual):
    """The pass of a step on images in memory."""
    A, B = (tf.zeros([1, *dual.image_sides, 3]) for _ in "AB")
    (one_pass,) = step.build(dual, A, B, tf.constant([0], tf.int64), images_in_epoch=4).passes
    return one_pass


@pytest.fixture(params=[LittlePix2Pix, pytest.param(CycleGAN, marks=pytest.mark.thorough)])
def step_elsewhere(one_block, request):
    """(graph, pass) of a step that is told to run elsewhere."""
    with tf.Graph().as_default() as graph, tf.device(ELSEWHERE):
        one_pass = built(request.param(**TINY, netG="resnet_6blocks"))
        graph.add_to_collection("initialize", tf.global_variables_initializer())
    return graph, one_pass


def test_initial_values_are_drawn_in_the_session_and_not_kept_as_constants():
    """Which would take their memory again for as long as the session lives, and be drawn in the graph's preparation."""
    trace = tf.RunMetadata()
    with tf.Graph().as_default():
        variable = tf.get_variable("x", [64, 64], initializer=randomness.normal_initializer(0.0, 1.0)("x"))
        with open_session(1, "cpu") as session:
            options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
            session.run(variable.initializer, options=options, run_metadata=trace)
    labels = [node.timeline_label for device in trace.step_stats.dev_stats for node in device.node_stats]
    assert [label for label in labels if "StatelessRandomNormal" in label]


def needed(fetches):
    """All ops that `fetches` depend on."""
    ops, waiting = set(), list(fetches)
    while waiting:
        op = waiting.pop()
        if op not in ops:
            ops.add(op)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return ops


def has_kernel(op, device):
    """Whether TensorFlow, as it is installed, has code for `op` with its types on a kind of device."""
    return any(
        own in (device, "DEFAULT") and all(_types(op, name) <= allowed for name, allowed in types.items())
        for own, types in kernels_of(op.type)
    )


@functools.cache
def kernels_of(kind):
    """[(kind of device, {attribute: the types that it may have})] of all code for ops of a kind."""
    return [
        (
            kernel.device_type,
            {
                constraint.name: {*constraint.allowed_values.list.type}
                for constraint in kernel.constraint
                if constraint.allowed_values.list.type  # others allow words
            },
        )
        for kernel in kernels.get_registered_kernels_for_op(kind).kernel
    ]


def _types(op, name):
    types = op.get_attr(name)
    return {dtype.as_datatype_enum for dtype in (types if isinstance(types, list) else [types])}


LAYERS = {"image_size": 32, "patch_size": 16, "ngf": 2, "ndf": 2, "n_layers": 1, "recolored_share": 0.5}
DUALS = {
    "little": LittlePix2Pix(**TINY, netG="resnet_6blocks", dropout=0.5),
    "cyclegan": CycleGAN(**TINY, netG="resnet_6blocks"),
    "pix2pix": Pix2Pix(**{**TINY, "image_size": 64, "load_size": 64}, netG="unet_64"),
    "dualgan": small.dualgan(gan_loss="wgan-gp", dropout=0.3, image_size=16, ema_decay=0.9),
    **{
        f"enhancement of {layer}": Enhancement(**LAYERS, layer=layer, prior_share=0.5, lambda_adversarial=0.1)
        for layer in KINDS
    },
}
MARKS = dict.fromkeys(DUALS, pytest.mark.slow)  # layers are looked at alone
MARKS |= dict.fromkeys(("cyclegan", "pix2pix", "dualgan", "enhancement of any"), pytest.mark.thorough)
MARKS["little"] = ()
needs_cuda = pytest.mark.skipif(
    "not __import__('tensorflow').test.is_built_with_cuda()", reason="knows of no kernels for GPUs"
)


@needs_cuda
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks) for name, marks in MARKS.items()])
def test_every_op_of_a_step_has_a_kernel_for_gpus(session, name):
    with building_for("gpu"):
        ops = needed([built(DUALS[name]).update])
    assert {op.type for op in ops if not has_kernel(op, "CPU")} == set()
    assert {op.type for op in ops if not has_kernel(op, "GPU")} == set()
    assert not has_kernel(tf.io.decode_png(b"").op, "GPU")


@needs_cuda
@pytest.mark.parametrize(
    "layer", [pytest.param(kind, marks=pytest.mark.thorough if kind == "any" else ()) for kind in KINDS]
)
def test_every_op_of_a_layer_has_a_kernel_for_gpus(session, layer):
    kind, images = KINDS[layer], tf.placeholder(tf.float32, [1, 32, 32, 3])
    key = randomness.key("test", 0, tf.constant([0], tf.int64))
    with building_for("gpu"):
        ops = needed([x.op for x in (*kind.draw(key, images), *kind.prior(images), kind.evidence(images))])
    assert {op.type for op in ops if op.type != "Placeholder" and not has_kernel(op, "GPU")} == set()


def test_a_step_is_placed_where_it_is_told(step_elsewhere):
    graph, one_pass = step_elsewhere
    (initialize,) = graph.get_collection("initialize")
    config = session_config(0)
    config.device_count["CPU"] = 2
    with tf.Session(graph=graph, config=config) as session:
        session.run(initialize)
        about, options = tf.RunMetadata(), tf.RunOptions(output_partition_graphs=True)
        session.run(one_pass.update, options=options, run_metadata=about)
    places = collections.Counter(
        node.device.rpartition("/")[2]
        for partition in about.partition_graphs
        for node in partition.node
        if node.op not in ("_Send", "_Recv", "NoOp", "Const")
    )
    assert places["device:CPU:1"] > 200
    assert set(places) == {"device:CPU:1"}


def test_sessions_on_devices_that_are_not_there():
    for part in (lambda: Run("unused", device="tpu"), lambda: Inference(device="gpu0")):
        with pytest.raises(UserError, match="must be one of auto, cpu, gpu, gpu:0, gpu:1"):
            part()
    number = len(tf.config.list_physical_devices("GPU"))
    with pytest.raises(UserError, match=f"--device gpu:{number} is not available: TensorFlow finds"):
        open_session(1, f"gpu:{number}")
    with open_session(1, "cpu") as session:
        assert {device.device_type for device in session.list_devices()} <= {"CPU", "XLA_CPU"}


def test_xla_has_to_be_let_in_before_tensorflow_is_imported(monkeypatch):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("XLA compiles for GPUs without it")
    monkeypatch.setenv("TF_XLA_FLAGS", "")
    with pytest.raises(UserError, match="needs --tf_xla_cpu_global_jit in TF_XLA_FLAGS before TensorFlow"):
        open_session(1, xla=True)
