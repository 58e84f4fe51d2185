"""Exported state_dicts are loaded by PyTorch as its own, and the lines of the README give the outputs of the run."""

import functools
import re
import sys
import types

import numpy as np
import pytest
from PIL import Image

from common.export import Export, export
from common.images import Images
from common.run import Run
from common.translate import Inference, Translator
from common.weights import Source, import_weights, pytorch, state_dict, to_pytorch
from contrastive import Contrastive
from cyclegan import CycleGAN
from pix2pix import Pix2Pix

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from tests import small  # noqa: E402
from tests.parity import published_modules as published  # noqa: E402

NORMS = {"instance": "instance", "instance_affine": "instance_affine", "batch": "batch", "none": "bare"}
KINDS = {"InstanceNorm2d": "instance", "BatchNorm2d": "batch", "Identity": "none"}


def networks():
    """The published networks by name: of each norm, number of blocks or depth, with and without dropout."""
    for kind in NORMS:
        for blocks, dropout in ((6, True), (9, False)):
            yield f"resnet {blocks} {kind}", CycleGAN, published.resnet(3, 1, 2, blocks, kind, dropout)
        yield f"unet {kind}", Pix2Pix, published.Unet(1, 3, 2, 7, kind)
    for blocks, dropout in ((6, True), (9, False)):
        network = published.resnet(3, 3, 2, blocks, "instance", dropout, halves=True, doubles=True)
        yield f"resnet {blocks} blurred", Contrastive, network


@pytest.mark.parametrize(("model", "network"), [pytest.param(*rest, id=name) for name, *rest in networks()])
def test_a_state_dict_comes_back_in_its_order(tmp_path, model, network):
    """As the published programs load it: strictly; every array bit for bit, except for the counters of batches."""
    expected = published.tracked(published.randomized(network)).state_dict()
    arrays = {name: value.numpy() for name, value in expected.items() if "InstanceNorm" not in name}
    running = any(name.endswith("running_var") for name in arrays) and isinstance(norm_of(network), nn.BatchNorm2d)
    read = pytorch.recognize("net.pth", arrays, running)
    values = {
        name: foreign.read(read.arrays[foreign.name])
        for name, foreign in read.variables.items()
        if foreign.name in read.arrays
    }
    dual = model(**{"dropout": 0.5, **read.fields}, running_statistics=running)
    state_dict.write(tmp_path / "net.pth", to_pytorch.state_dict_of(dual, values))
    loaded = torch.load(tmp_path / "net.pth", weights_only=True)
    tracks = [name for name in expected if pytorch.STATISTICS.search(name) and not running]
    assert type(loaded) is type(expected) and [*loaded] == [name for name in expected if name not in tracks]
    for name, value in loaded.items():
        assert value.dtype == expected[name].dtype
        assert torch.equal(value, expected[name]) or name.endswith("num_batches_tracked"), name


def norm_of(network):
    return next((layer for layer in network.modules() if type(layer).__name__ in KINDS), None)


def kind_of(norm_layer):
    """The norm, and its epsilon, that a class of PyTorch or a partial of one stands for."""
    layer = norm_layer(2)
    kind = KINDS[type(layer).__name__]
    affine = kind == "instance" and layer.affine
    return ("instance_affine" if affine else kind), getattr(layer, "eps", 1e-5)


def with_epsilon(network, epsilon):
    for layer in network.modules():
        if hasattr(layer, "eps"):
            layer.eps = epsilon
        if isinstance(layer, nn.InstanceNorm2d):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return network


def resnet_generator(input_nc, output_nc, ngf, norm_layer, use_dropout, n_blocks, **blurs):
    kind, epsilon = kind_of(norm_layer)
    return with_epsilon(published.resnet(input_nc, output_nc, ngf, n_blocks, kind, use_dropout, **blurs), epsilon)


def unet_generator(input_nc, output_nc, num_downs, ngf, norm_layer, use_dropout):
    kind, epsilon = kind_of(norm_layer)
    network = with_epsilon(published.Unet(input_nc, output_nc, ngf, num_downs, kind), epsilon)
    if use_dropout:  # the lines of the README must switch it off
        network.model.model[1].model.add_module("dropout", nn.Dropout(0.5))
    return network


@pytest.fixture
def in_their_folder(monkeypatch, made):
    """Modules with the names of the published programs, which the README imports: those of CUT blur."""
    networks = types.ModuleType("models.networks")
    blurs = {"halves": True, "doubles": True} if made is cut else {}
    networks.ResnetGenerator = functools.partial(resnet_generator, **blurs)
    networks.UnetGenerator = unet_generator
    monkeypatch.setitem(sys.modules, "models", types.ModuleType("models"))
    monkeypatch.setitem(sys.modules, "models.networks", networks)


def imported(run_dir, model, network, **explicit):
    torch.save(network.state_dict(), run_dir.with_suffix(".pth"))
    source = Source(str(run_dir.with_suffix(".pth")))
    import_weights(model, source, Run(str(run_dir)), Images("unknown"), **explicit)
    return run_dir


def cyclegan(folder):
    """Instance norm, with an epsilon of its own."""
    network = published.randomized(published.resnet(3, 3, 4, 6, "instance", dropout=True))
    return imported(folder / "run", CycleGAN, network, norm_epsilon=0.01)


def cut(folder):
    network = published.randomized(published.resnet(3, 3, 4, 6, "instance", halves=True, doubles=True))
    return imported(folder / "run", Contrastive, network)


def pix2pix(folder):
    """Batch norm without running statistics, as in a training here."""
    dual = Pix2Pix(netG="unet_64", ngf=4, image_size=64, load_size=64)
    return small.untrained(folder / "run", dual)


def pix2pix_evaluated(folder):
    network = published.tracked(published.randomized(published.Unet(3, 1, 4, 6, "batch")))
    return imported(folder / "run", Pix2Pix, network, running_statistics=True)


@pytest.mark.usefixtures("in_their_folder")
@pytest.mark.parametrize(
    "made", [pix2pix, *(pytest.param(each, marks=pytest.mark.thorough) for each in (cyclegan, cut, pix2pix_evaluated))]
)
def test_the_lines_of_the_readme_give_what_the_run_gives(tmp_path, monkeypatch, made):
    run_dir, photo = made(tmp_path), np.random.default_rng(0).integers(0, 256, [64, 128, 3], np.uint8)
    export(run_dir, Export(format="pth", direction="A2B", output=str(tmp_path / "out")), Images("unknown"))
    with Translator(run_dir, Inference(scale_to="keep"), test_dropout=False) as translator:
        expected, pixels = translator.in_floats("A2B", photo), translator("A2B", photo)
    assert expected.std() > 0.01
    monkeypatch.chdir(tmp_path / "out")
    Image.fromarray(photo).save("photo.png")
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "out" / "README.md").read_text(), flags=re.DOTALL)
    names = {}
    exec(code, names)
    np.testing.assert_allclose(names["translated"][0], expected, rtol=0, atol=1e-5)
    written = np.asarray(Image.open("translated.png")).reshape(pixels.shape).astype(int)
    assert np.abs(written - pixels).max() <= 1


def test_safetensors_are_read_by_their_library(tmp_path):
    library = pytest.importorskip("safetensors.torch")
    run_dir = pix2pix(tmp_path)
    for name in ("pth", "safetensors"):
        export(run_dir, Export(format=name, output=str(tmp_path / name)), Images("unknown"))
    expected = torch.load(tmp_path / "pth" / "latest_net_G.pth", weights_only=True)
    arrays = library.load_file(tmp_path / "safetensors" / "latest_net_G.safetensors")
    assert arrays.keys() == expected.keys() and all(torch.equal(arrays[name], expected[name]) for name in expected)
