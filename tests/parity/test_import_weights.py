"""Networks of PyTorch, saved by it and imported, make what they make there."""

import functools
import itertools

import numpy as np
import pytest
from PIL import Image

from common import tensorflow as tf
from common.dual import Network
from common.images import Images
from common.run import Run
from common.run.checkpoint_files import newest, reading
from common.run.checkpoints import Checkpoints
from common.translate import Inference, Translator
from common.weights import Source, import_weights, state_dict
from contrastive import Contrastive, patches
from cyclegan import CycleGAN
from pix2pix import Pix2Pix

torch = pytest.importorskip("torch")
from common.run.folder import load_trained  # noqa: E402
from tests import small  # noqa: E402
from tests.parity import published_modules as published  # noqa: E402

IMAGES = Images("unknown")
NEAR = 1e-4  # on images in [-1, 1]


def save(network, path, legacy=False):
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    return str(path)


def save_both(network, path, legacy):
    """In one container, after a look that the other says the same."""
    one, other = (state_dict.read(save(network, path, kind)) for kind in (not legacy, legacy))
    assert one.keys() == other.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(one[name], value.numpy(), err_msg=name)
        np.testing.assert_array_equal(other[name], value.numpy(), err_msg=name)
    return str(path)


def imported(tmp_path, model, *files, **given):
    run = Run(str(tmp_path / "run"))
    return import_weights(model, Source(",".join(files)), run, IMAGES, **given).dual


def made_by(tmp_path, name, images, given=None):
    """What a network of the run folder makes of `images`, in the graph and by the checkpoint that people use."""
    dual = load_trained(tmp_path / "run").dual
    direction, role = name.split("/")
    with small.session_of_a_run() as session:
        network = dual.network(direction, role)
        made = network(tf.constant(images), tf.constant(given) if role == "critic" else None)
        Checkpoints(tmp_path / "run", variables=network.variables).restore(session)
        return session.run(made)


def random_images(size, channels, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [2, *size, channels]).astype(np.float32)


def compare(tmp_path, name, network, images, given=None):
    seen = images if given is None else np.concatenate([given, images], axis=-1)
    expected = np.stack(published.run(network, seen))
    assert expected.std() > 0.01
    given = images if given is None else given
    np.testing.assert_allclose(made_by(tmp_path, name, images, given), expected, rtol=0, atol=NEAR)


def slow_but(soon, thorough, *values):
    """All combinations of `values`; `soon` and those of `thorough` show one of each, all others are slow."""
    marks = {soon: (), **dict.fromkeys(thorough, pytest.mark.thorough)}
    return [pytest.param(*each, marks=marks.get(each, pytest.mark.slow)) for each in itertools.product(*values)]


NORMS = {"instance": "instance", "batch": "batch", "none": "bare"}  # name there -> name here
RESNETS = slow_but((6, "none", False), [(6, "batch", True), (9, "instance", False)], (6, 9), NORMS, (False, True))
UNETS = slow_but((64, "none"), [(128, "instance"), (256, "batch")], (64, 128, 256), NORMS)
CRITICS = slow_but(("pixel", "none"), [("patch", "batch"), ("pixel", "instance")], ("patch", "pixel"), NORMS)


@pytest.mark.parametrize(("blocks", "norm", "dropout"), RESNETS)
def test_resnet(tmp_path, blocks, norm, dropout):
    network = published.randomized(published.resnet(3, 1, 4, blocks, norm, dropout))
    file = save_both(network, tmp_path / "latest_net_G.pth", legacy=dropout != (norm == "batch"))
    dual = imported(tmp_path, CycleGAN, file)
    assert (dual.netG, dual.ngf, dual.norm) == (f"resnet_{blocks}blocks", 4, NORMS[norm])
    assert (dual.dropout, dual.channels_A, dual.channels_B, dual.only) == (0.5 * dropout, 3, 1, "A2B")
    compare(tmp_path, "A2B/generator", network, random_images((20, 24), 3))


@pytest.mark.parametrize(("size", "norm"), UNETS)
def test_unet(tmp_path, size, norm):
    network = published.randomized(published.Unet(1, 3, 2, size.bit_length() - 1, norm))
    file = save_both(network, tmp_path / "latest_net_G.pth", legacy=norm == "batch")
    dual = imported(tmp_path, Pix2Pix, file, train_direction="B2A")
    assert (dual.netG, dual.ngf, dual.norm, dual.image_size) == (f"unet_{size}", 2, NORMS[norm], size)
    assert (dual.dropout, dual.channels_A, dual.channels_B) == (0.5, 3, 1)
    compare(tmp_path, "B2A/generator", network, random_images((size, size), 1))


@pytest.mark.parametrize(("kind", "norm"), CRITICS)
def test_critics(tmp_path, kind, norm):
    critic = {
        "patch": lambda: published.patch_critic(3, 2, 2, norm),
        "pixel": lambda: published.pixel_critic(3, 2, norm),
    }
    generator = published.randomized(published.resnet(3, 3, 2, 6))
    critic = published.randomized(critic[kind](), 1)
    for values in critic.parameters():  # scores of these small weights would be near 0 without a norm
        values.data *= 5 if norm == "none" else 1
    files = [save(generator, tmp_path / "latest_net_G_B.pth"), save(critic, tmp_path / "latest_net_D_B.pth")]
    dual = imported(tmp_path, CycleGAN, *files)
    assert (dual.netD, dual.ndf, dual.norm_D, dual.only) == (kind, 2, NORMS[norm], "B2A")
    compare(tmp_path, "B2A/critic", critic, random_images((36, 44), 3))


@pytest.mark.thorough
@pytest.mark.parametrize("blurred", [False, True])
@pytest.mark.parametrize("blocks", [6, pytest.param(9, marks=pytest.mark.slow)])
def test_cut(tmp_path, blurred, blocks):
    """With the layout of its authors, blurs or not, and with the network that only training needs."""
    generator = published.randomized(published.resnet(3, 3, 4, blocks, halves=blurred, doubles=blurred))
    critic = published.randomized(published.patch_critic(3, 2, halves=blurred), 1)
    heads = published.randomized(published.Heads((3, 8, 16, 16, 16), 6), 2)
    networks = {"G": generator, "D": critic, "F": heads}
    files = [save(network, tmp_path / f"latest_net_{name}.pth") for name, network in networks.items()]
    dual = imported(tmp_path, Contrastive, *files, train_direction="B2A", nce_layers="0,4,8,12,15")
    names = (f"resnet_{blocks}blocks{'_blur' * blurred}", f"patch{'_blur' * blurred}", 4, 2, 3, 6)
    assert (dual.netG, dual.netD, dual.ngf, dual.ndf, dual.n_layers, dual.nce_filters) == names
    compare(tmp_path, "B2A/generator", generator, random_images((20, 24), 3))
    compare(tmp_path, "B2A/critic", critic, random_images((36, 44), 3))
    samples = [np.random.default_rng(n).normal(size=[2, 5, count]) for n, count in enumerate((3, 8, 16, 16, 16))]
    samples = [values.astype(np.float32) for values in samples]
    with torch.no_grad():
        expected = heads([torch.tensor(values) for values in samples])
    with small.session_of_a_run() as session:
        network = Network("B2A/heads", functools.partial(patches.project, filters=6))
        actual = network(*map(tf.constant, samples))
        Checkpoints(tmp_path / "run", variables=network.variables).restore(session)
        for one, other in zip(session.run(actual), expected):
            np.testing.assert_allclose(one, other.numpy(), rtol=0, atol=1e-6)


@pytest.mark.thorough
def test_conditional_critic_and_affine_instance_norm(tmp_path):
    generator = published.randomized(published.Unet(3, 1, 2, 6, "instance_affine"))
    critic = published.randomized(published.patch_critic(4, 4, 3, "batch"), 1)
    files = [save(generator, tmp_path / "a.pth"), save(critic, tmp_path / "b.pth", legacy=True)]
    dual = imported(tmp_path, Pix2Pix, *files)
    assert (dual.norm, dual.norm_D, dual.n_layers) == ("instance_affine", "batch", 3)
    compare(tmp_path, "A2B/critic", critic, random_images((64, 64), 1, 1), random_images((64, 64), 3))


@pytest.mark.thorough
def test_both_ways_and_several_gpus(tmp_path):
    """Names say which is which, whatever their order; DataParallel puts a word before each name."""
    there, back = (
        published.randomized(published.resnet(*channels, 2, 6), n) for n, channels in enumerate([(3, 1), (1, 3)])
    )
    files = [
        save(torch.nn.DataParallel(back), tmp_path / "latest_net_G_B.pth"),
        save(there, tmp_path / "latest_net_G_A.pth"),
    ]
    dual = imported(tmp_path, CycleGAN, *files)
    assert (dual.channels_A, dual.channels_B, dual.directions) == (3, 1, ("A2B", "B2A"))
    compare(tmp_path, "A2B/generator", there, random_images((16, 16), 3))
    compare(tmp_path, "B2A/generator", back, random_images((16, 16), 1))


class Compiled(torch.nn.Module):
    """The names of a network that torch.compile wraps; torch.compile itself takes seconds to import."""

    def __init__(self, network):
        super().__init__()
        self._orig_mod = network


def with_part(network, wrap):
    network.model = wrap(network.model)
    return network


WRAPPED = {
    "compiled": lambda network, wrap: wrap(network),
    "compiled, then on several GPUs": lambda network, wrap: torch.nn.DataParallel(wrap(network)),
    "on several GPUs, then compiled": lambda network, wrap: wrap(torch.nn.DataParallel(network)),
    "averaged": lambda network, wrap: torch.optim.swa_utils.AveragedModel(wrap(network)),
    "a part compiled": with_part,
}


def weights_of(run_dir):
    with reading(newest(run_dir / "checkpoints")) as reader:
        return {name: reader.value(name) for name in reader.shapes}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The file of a network without wrappers, and the weights of the run that it is imported into."""
    folder = tmp_path_factory.mktemp("plain")
    file = save(published.randomized(published.resnet(3, 3, 2, 6, "batch")), folder / "plain.pth")
    imported(folder, CycleGAN, file)
    return file, weights_of(folder / "run")


@pytest.mark.parametrize("wrap", [Compiled, pytest.param(torch.compile, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(wrap, id=name, marks=() if name == "a part compiled" else pytest.mark.thorough)
        for name, wrap in WRAPPED.items()
    ],
)
def test_wrappers_leave_no_trace(tmp_path, plain, wrapped, wrap):
    expected = plain[1]
    file = save(wrapped(published.randomized(published.resnet(3, 3, 2, 6, "batch")), wrap), tmp_path / "wrapped.pth")
    assert state_dict.read(file).keys().isdisjoint(state_dict.read(plain[0]))
    imported(tmp_path, CycleGAN, file)
    actual = weights_of(tmp_path / "run")
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


@pytest.mark.thorough
def test_a_checkpoint_as_lightning_writes_it(tmp_path):
    """The weights of all networks below state_dict, next to optimizers, counts and settings."""
    networks = {f"netG_{side}": published.randomized(published.resnet(3, 3, 2, 6, "batch")) for side in "AB"}
    weights = torch.nn.ModuleDict(networks)
    moments = {  # as Adam's state_dict has them; torch.optim itself takes seconds to import
        number: {"step": torch.tensor(1.0), "exp_avg": torch.zeros_like(value), "exp_avg_sq": torch.ones_like(value)}
        for number, value in enumerate(weights.parameters())
    }
    optimizer = {"state": moments, "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999), "params": list(moments)}]}
    content = {
        **{"epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.4.0", "state_dict": weights.state_dict()},
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}, "is_last": True}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5), "dirpath": "x", "mode": None}},
        **{"optimizer_states": [optimizer], "lr_schedulers": [], "hyper_parameters": {"lr": 2e-4}},
    }
    torch.save(content, tmp_path / "last.ckpt")
    imported(tmp_path, CycleGAN, str(tmp_path / "last.ckpt"))
    for direction, network in zip(("A2B", "B2A"), networks.values()):
        compare(tmp_path, f"{direction}/generator", network, random_images((16, 16), 3))


def test_no_norm_with_biases_is_said_by_the_person(tmp_path):
    """Such files have the names of instance norm, and a fork may have saved them."""
    network = published.randomized(published.resnet(3, 3, 2, 6, "instance"))
    for module in network.modules():
        for name, layer in module.named_children():
            if isinstance(layer, torch.nn.InstanceNorm2d):
                setattr(module, name, torch.nn.Identity())
    file = save(network, tmp_path / "latest_net_G.pth")
    assert imported(tmp_path, CycleGAN, file, norm="none").norm == "none"
    compare(tmp_path, "A2B/generator", network, random_images((16, 16), 3))


def test_the_machine_that_wrote_it_is_of_no_account(tmp_path):
    """PyTorch itself reads a legacy file as little-endian, whatever it says of its machine."""
    network = published.resnet(3, 3, 1, 6)
    path = save(network, tmp_path / "net.pth", legacy=True)
    with open(path, "rb") as file:
        content = file.read()
    at = content.index(b"little_endian") + len(b"little_endian")
    turned = content[:at] + content[at : at + 8].replace(b"\x88", b"\x89") + content[at + 8 :]
    assert turned != content
    with open(path, "wb") as file:
        file.write(turned)
    expected = torch.load(path, weights_only=True)
    found = state_dict.read(path)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value.numpy())


def test_other_types_and_forms(tmp_path):
    """Half floats, parts of larger tensors, other orders of axes, and parameters, in either container."""
    base = torch.arange(48.0).reshape(6, 8)
    tensors = {
        "half": base.half(),
        "brain": base.bfloat16(),
        "double": base.double().t(),
        "part": base[1:4, 2:5],
        "last": base.reshape(2, 3, 2, 4).to(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base[:1]),
    }
    for legacy in (False, True):
        for name, value in tensors.items():
            torch.save({name: value}, tmp_path / "x.pth", _use_new_zipfile_serialization=not legacy)
            found = state_dict.read(tmp_path / "x.pth")[name]
            np.testing.assert_array_equal(found, value.detach().float().numpy(), err_msg=name)


@pytest.mark.thorough
def test_files_of_any_size_are_translated_as_by_the_published_program(tmp_path):
    """It resizes bytes by Pillow's bicubic filter, and cuts off what it makes. The images are like screenshots."""
    network = published.randomized(published.resnet(3, 3, 4, 6))
    imported(tmp_path, CycleGAN, save(network, tmp_path / "latest_net_G.pth"))
    with Translator(tmp_path / "run", Inference(scale_to="model")) as translator:
        for height, width in ((200, 300), (813, 1458)):
            image = np.full([height, width, 3], 255, np.uint8)
            image[:: height // 40] = 0
            image[:, :: width // 23] = (0, 128, 255)
            resized = np.asarray(Image.fromarray(image).resize((256, 256), Image.Resampling.BICUBIC))
            (made,) = published.run(network, resized[None] / np.float32(127.5) - 1)
            expected = ((made + 1) / 2 * 255).astype(np.uint8)
            assert expected.std() > 5
            assert np.abs(translator("A2B", image, "model").astype(int) - expected).max() <= 2
