"""Checkpoints of the authors' DualGAN: networks built by their tables, saved by TensorFlow, imported, make the same."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images
from common.run import Run
from common.run.checkpoints import Checkpoints
from common.run.folder import load_trained
from common.weights import Source, dualgan, import_weights
from dualgan import DualGAN
from tests import small

FILTERS = 2
RANDOM = np.random.default_rng(0)


def variable(name, shape, mean=0.0):
    return tf.get_variable(name, initializer=tf.constant(RANDOM.normal(mean, 0.1, shape), tf.float32))


def conv(x, filters, name, kernel, stride=2):
    with tf.variable_scope(name):
        w = variable("w", [kernel, kernel, x.shape[-1], filters])
        return tf.nn.conv2d(x, w, stride, "SAME") + variable("biases", [filters])


def deconv(x, filters, name, kernel, side):
    with tf.variable_scope(name):
        n, _, _, channels = x.shape.as_list()
        w = variable("w", [kernel, kernel, filters, channels])
        shape = [n, side, side, filters]
        return tf.nn.conv2d_transpose(x, w, shape, 2, "SAME") + variable("biases", [filters])


def norm(x, name):
    with tf.variable_scope(name):
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean((x - mean) ** 2, [1, 2], keepdims=True)
        scale, center = variable("scale", [x.shape[-1]], 1.0), variable("center", [x.shape[-1]])
        return (x - mean) / tf.sqrt(variance + 1e-6) * scale + center


def lrelu(x):
    return tf.maximum(x, 0.2 * x)


def generator(x, outputs, own, inner):
    """The table of eight halvings: decoder before skip, the skip with its norm and without its activation.

    A decoder has the side of its skip, `image_size / 2^n`: at 128 pixels the innermost two maps have one pixel.
    """
    size = x.shape.as_list()[1]
    widths = [FILTERS * n for n in (1, 2, 4, 8, 8, 8, 8, 8)]
    encoded = [conv(x, widths[0], f"{own}e1_conv", 5)]
    for n in range(1, 8):
        encoded.append(norm(conv(lrelu(encoded[-1]), widths[n], f"{own}e{n + 1}_conv", inner), f"{own}bn_e{n + 1}"))
    x = encoded[-1]
    for n in range(1, 8):
        x = deconv(tf.nn.relu(x), widths[7 - n], f"{own}d{n}", inner, size // 2 ** (8 - n))
        x = norm(x, f"{own}bn_d{n}")
        x = tf.concat([x, encoded[7 - n]], 3)
    return tf.tanh(deconv(tf.nn.relu(x), outputs, f"{own}d8", 5, size))


def critic(x, own, inner, late, linear):
    h = lrelu(conv(x, FILTERS, f"{own}h0_conv", 5))
    for n, width, stride in [(1, 2, 2), (2, 4, 2), (3, 8, 2 if late else 1)]:
        h = lrelu(norm(conv(h, width * FILTERS, f"{own}h{n}_conv", inner, stride), f"{own}bn{n}"))
    if late:
        h = lrelu(norm(conv(h, 8 * FILTERS, f"{own}h3_1_conv", inner), f"{own}bn3_1"))
    if not linear:
        return conv(h, 1, f"{own}h4", inner, 2 if late else 1)
    with tf.variable_scope(f"{own}{linear}"):
        h = tf.reshape(h, [h.shape[0], -1])
        matrix, bias = ("Matrix", "bias") if late else ("w", "biases")  # names that are not known by heart
        return tf.matmul(h, variable(matrix, [h.shape[1], 1])) + variable(bias, [1])


def saved(path, inner, late, linear, images, names):
    """Saves networks as they were; returns what they make of `images`, {"A": images, "B": images}, by name."""
    with small.session_of_a_run() as session:
        A, B = (tf.constant(images[name]) for name in "AB")
        networks = {
            "A2B/generator": lambda: generator(A, B.shape[-1], "A_g_", inner),
            "A2B/critic": lambda: critic(B, "A_d_", inner, late, linear),
            "B2A/generator": lambda: generator(B, A.shape[-1], "B_g_", inner),
            "B2A/critic": lambda: critic(A, "B_d_", inner, late, linear),
        }
        outputs = {name: build() for name, build in networks.items() if name in names}
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(path), global_step=1002)
        return session.run(outputs)


def outputs_here(run_dir, images, names):
    dual = load_trained(run_dir).dual
    with small.session_of_a_run() as session:
        outputs, variables = {}, []
        for name in names:
            direction, role = name.split("/")
            network = dual.network(direction, role)
            source = direction[0] if role == "generator" else direction[-1]
            outputs[name] = network(tf.constant(images[source]), None)
            variables += network.variables
        Checkpoints(run_dir, variables=variables).restore(session)
        return session.run(outputs)


@pytest.mark.parametrize(
    ("inner", "late", "linear", "netD", "size"),
    [
        pytest.param(3, True, "d_h3_lin", "global", 256, id="2020", marks=pytest.mark.slow),
        pytest.param(3, True, "", "patch", 256, id="2020-patches", marks=pytest.mark.slow),
        pytest.param(5, False, "", "patch_2017", 256, id="2017-later", marks=pytest.mark.thorough),
        pytest.param(5, False, "h3_lin", "global_2017", 256, id="2017", marks=pytest.mark.slow),
        pytest.param(3, True, "d_h3_lin", "global", 128, id="2020-small", marks=pytest.mark.thorough),
        pytest.param(5, False, "", "patch_2017", 128, id="2017-small"),
    ],
)
def test_networks_of_every_year(tmp_path, inner, late, linear, netD, size):
    images = {name: RANDOM.uniform(-1, 1, [1, size, size, 3 if name == "A" else 1]).astype(np.float32) for name in "AB"}
    names = [f"{way}/{role}" for way in ("A2B", "B2A")[: 1 + (netD == "global")] for role in ("generator", "critic")]
    expected = saved(tmp_path / "theirs" / "DualNet.model", inner, late, linear, images, names)
    source = Source(str(tmp_path / "theirs"))
    explicit = {} if linear or size == 256 else {"image_size": size}  # a critic of whole images shows it
    dual = import_weights(DualGAN, source, Run(str(tmp_path / "run")), Images("unknown"), **explicit).dual
    assert (dual.depth, dual.ngf, dual.kernel, dual.kernel_outer) == (8, FILTERS, inner, 5)
    assert (dual.netD, dual.channels_A, dual.channels_B, dual.image_size) == (netD, 3, 1, size)
    assert dual.dropout == (0.5 if inner == 5 else 0.0)
    rgb = {name: image[..., ::-1] if inner == 3 else image for name, image in images.items()}
    outputs = outputs_here(tmp_path / "run", rgb, names)
    if netD == "global":  # trained on blue, green, red; here A is red, green, blue
        outputs["B2A/generator"] = outputs["B2A/generator"][..., ::-1]
    for name, values in expected.items():
        assert values.std() > 0.01 or values.size == 1
        np.testing.assert_allclose(outputs[name], values, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("source", [".", "/", "::x", ".."])
def test_a_source_without_a_name_is_a_sentence(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--source"):
        import_weights(DualGAN, Source(source), Run(str(tmp_path / "run")), Images("unknown"))


def test_what_is_no_such_checkpoint(tmp_path):
    with small.session_of_a_run() as session:
        tf.get_variable("weights", initializer=1.0)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(tmp_path / "model"))
    run = Run(str(tmp_path / "run"))
    with pytest.raises(UserError, match="no variables of DualGAN"):
        import_weights(DualGAN, Source(str(tmp_path / "model")), run, Images("unknown"))
    (tmp_path / "model.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError, match="no variables of DualGAN"):
        import_weights(DualGAN, Source(f"{tmp_path}/model.index"), run, Images("unknown"))
    (tmp_path / "model.index").write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="cannot be read: its files are damaged"):
        import_weights(DualGAN, Source(str(tmp_path / "model")), run, Images("unknown"))


def stored(prefix, shapes):
    """Saves variables that count their numbers; returns `prefix`."""
    with small.session_of_a_run() as session:
        for name, shape in shapes.items():
            values = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
            tf.get_variable(name, initializer=tf.constant(values))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(prefix), write_meta_graph=False)
    return str(prefix)


def shapes_of_generator(own, inner, inputs=3, outputs=3):
    """Of two halvings: the least that has all kinds of layers."""
    return {
        f"{own}e1_conv/w": [5, 5, inputs, 2],
        f"{own}e2_conv/w": [inner, inner, 2, 4],
        f"{own}bn_e2/scale": [4],
        f"{own}d1/w": [inner, inner, 2, 4],
        f"{own}d2/w": [5, 5, outputs, 4],
        f"{own}d2/biases": [outputs],
    }


def shapes_of_critic(own, inner, late, linear, rows):
    widths = {"0": (3, 2), "1": (2, 4), "2": (4, 8), "3": (8, 16), **({"3_1": (16, 16)} if late else {})}
    shapes = {f"{own}h{name}_conv/w": [5 if name == "0" else inner] * 2 + [*ends] for name, ends in widths.items()}
    if not linear:
        return {**shapes, f"{own}h4/w": [inner, inner, 16, 1]}
    return {**shapes, f"{own}{linear}/w": [rows, 1], f"{own}{linear}/biases": [1]}


@pytest.mark.parametrize(
    ("inner", "late", "linear", "rows", "fields"),
    [
        (5, False, "h3_lin", 16 * 8**2, {"netD": "global_2017", "image_size": 64}),
        (5, False, "", 0, {"netD": "patch_2017"}),
        (3, True, "d_h3_lin", 16 * 3**2, {"netD": "global", "image_size": 96}),
        (3, True, "", 0, {"netD": "patch"}),
    ],
)
def test_a_critic_has_the_settings_that_its_variables_show(tmp_path, inner, late, linear, rows, fields):
    prefix = stored(tmp_path / "model", shapes_of_critic("B_d_", inner, late, linear, rows))
    (network,) = dualgan.recognize(prefix)
    usual = {"ndf": 2, "kernel": inner, "kernel_outer": 5, "norm_D": "instance"}
    assert network.fields == {**usual, **fields} and network.assumed == {}
    assert (network.role, network.direction, network.channels, network.note) == ("critic", "B2A", (3, 1), "")
    names = [f"down_{level}" for level in range(5 if late else 4)]
    assert [name for name in network.variables if name.endswith("kernel")] == [f"{n}/kernel" for n in [*names, "out"]]


@pytest.mark.parametrize("order", ["auto", "rgb", "bgr"])
@pytest.mark.parametrize("inner", [3, 5])
def test_channels_are_reversed_if_they_were_blue_green_red(tmp_path, inner, order):
    shapes = shapes_of_generator("A_g_", inner) | shapes_of_critic("A_d_", inner, inner == 3, "", 0)
    generator, critic = dualgan.recognize(stored(tmp_path / "model", shapes), order)
    is_reversed = order == "bgr" or (order, inner) == ("auto", 3)
    words = "blue, green, red" if is_reversed else "red, green, blue"
    assert generator.note == f"Assumed channel order of its images: {words} (--channel_order)."
    own = {"depth": 2, "ngf": 2, "kernel": inner, "kernel_outer": 5, "norm_bottleneck": True}
    assert generator.fields == own and generator.channels == (3, 3)
    assert generator.assumed == {"dropout": 0.5 if inner == 5 else 0.0, "halve_odd": True}
    step = -1 if is_reversed else 1
    for network, name, axis in [
        *((generator, "A_g_e1_conv/w", 2), (generator, "A_g_d2/w", 2), (generator, "A_g_d2/biases", 0)),
        (critic, "A_d_h0_conv/w", 2),
    ]:
        values = np.arange(np.prod(shapes[name])).reshape(shapes[name])
        np.testing.assert_array_equal(network.arrays[name], values[::step] if axis == 0 else values[:, :, ::step])
    kept = np.arange(np.prod(shapes["A_g_d1/w"])).reshape(shapes["A_g_d1/w"])
    np.testing.assert_array_equal(generator.arrays["A_g_d1/w"], kept)


def test_one_channel_has_no_order(tmp_path):
    shapes = shapes_of_generator("B_g_", 3, inputs=1, outputs=2)
    del shapes["B_g_bn_e2/scale"], shapes["B_g_d2/biases"]
    (network,) = dualgan.recognize(stored(tmp_path / "model", shapes), "bgr")
    assert (network.direction, network.channels, network.fields["norm_bottleneck"]) == ("B2A", (1, 2), False)
    for array in network.arrays.values():
        np.testing.assert_array_equal(array.ravel(), np.arange(array.size))


@pytest.mark.parametrize(
    "changed", [{"A_d_h3_lin/biases": [1, 1]}, {"A_d_h3_lin/other": [2]}, {"A_d_h3_lin/more": [2, 2]}]
)
def test_a_linear_layer_has_one_matrix_and_one_bias(tmp_path, changed):
    shapes = shapes_of_critic("A_d_", 5, False, "h3_lin", 64) | changed
    with pytest.raises(UserError, match=r"\(A_d_h3_lin is not a linear layer with a matrix and a bias\)"):
        dualgan.recognize(stored(tmp_path / "model", shapes))


def test_an_index_that_claims_more_than_its_files_hold_is_refused(tmp_path):
    prefix = stored(tmp_path / "model", {"A_g_e1_conv/w": [5, 5, 3, 64]})
    (tmp_path / "model.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError) as error:
        dualgan.recognize(prefix)
    said = f"The checkpoint {prefix} is damaged: its index claims more numbers than its files hold."
    assert str(error.value) == said


def test_of_a_folder_the_newest_checkpoint_is_taken(tmp_path):
    for name in ("v2-9", "v1-10", "v3-2"):
        for ending in ("index", "data-00000-of-00001", "meta"):
            (tmp_path / f"{name}.{ending}").touch()
    newest = str(tmp_path / "v1-10")
    assert dualgan.prefix_of(tmp_path) == newest
    for name in ("v1-10", "v1-10.index", "v1-10.meta", "v1-10.data-00000-of-00001"):
        assert dualgan.prefix_of(tmp_path / name) == newest
    (tmp_path / "empty").mkdir()
    for name in ("empty", "v1-11", "v1-1", "v1-10.txt"):
        assert dualgan.prefix_of(tmp_path / name) is None
