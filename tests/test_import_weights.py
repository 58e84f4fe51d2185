"""Imported weights become a run folder, by the command line, without PyTorch; what does not fit is named."""

import json

import numpy as np
import pytest

from common import run as runs
from common.images import files
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import command
from pix2pix import Pix2Pix
from tests.torch_files import program, write_zip


def resnet(inputs, outputs, filters, seed=0, blocks=6, wide=7):
    """{name: array} of a ResNet with instance norm, as its layers are listed in what was published."""
    random, shapes = np.random.default_rng(seed), {}

    def layer(name, shape, biases):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, (biases,)

    layer("model.1", (filters, inputs, wide, wide), filters)
    for number, width in ((4, 2 * filters), (7, 4 * filters)):
        layer(f"model.{number}", (width, width // 2, 3, 3), width)
    for block in range(blocks):
        for number in (1, 5):
            layer(f"model.{10 + block}.conv_block.{number}", (4 * filters, 4 * filters, 3, 3), 4 * filters)
    for number, width in ((10 + blocks, 4 * filters), (13 + blocks, 2 * filters)):
        layer(f"model.{number}", (width, width // 2, 3, 3), width // 2)
    layer(f"model.{17 + blocks}", (outputs, filters, 7, 7), outputs)
    return {name: (0.1 * random.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}


def save(path, arrays):
    return str(write_zip(path, program(arrays), arrays))


def run(model, line):
    command.main(model, ["main", *line.split()])


def refusal(model, line):
    with pytest.raises(SystemExit) as end:
        run(model, line)
    assert isinstance(end.value.code, str) and "\n" not in end.value.code
    return end.value.code


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """G_A and G_B of two filters, and a working folder to import them in."""
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "latest_net_G_A.pth", resnet(3, 1, 2))
    save(tmp_path / "latest_net_G_B.pth", resnet(1, 3, 2, seed=1))
    return "--phase import_weights --source latest_net_G_A.pth,latest_net_G_B.pth"


def test_a_run_folder_that_translates_tests_and_evaluates(pair, dataset, capsys):
    run(CycleGAN, f"{pair} --run_dir run --image_size 32 --load_size 32")
    said = capsys.readouterr().out
    shown = "netG resnet_6blocks, ngf 2, norm instance, dropout 0.0; 8,141 parameters."  # counted by hand
    assert f"A2B/generator from latest_net_G_A.pth: {shown}" in said
    assert "--phase translate --run_dir run --direction A2B" in said and "--init_from run" in said
    saved = runs.load_trained("run")
    assert saved["dual"] == CycleGAN(
        netG="resnet_6blocks", ngf=2, channels_B=1, image_size=32, load_size=32, dropout=0.0
    )
    assert saved["imported"]["B2A/generator"]["file"] == "latest_net_G_B.pth"
    files.write("in/x.png", np.full([21, 18, 3], 200, np.uint8))
    run(CycleGAN, "--phase translate --run_dir run --direction A2B --input in --output out")
    assert files.decode("out/x.png").pixels.shape == (21, 18, 1)
    dataset("set", val_A=2, val_B=2)
    run(CycleGAN, "--phase test --run_dir run --dataset set --data_root .")
    assert "Step 0." in capsys.readouterr().out
    assert json.loads((runs.pathlib.Path("run") / "test" / "metrics.json").read_text())["images"] == 4
    run(CycleGAN, "--phase evaluate --run_dir run --dataset set --data_root .")
    assert "--init_from run" in refusal(CycleGAN, "--phase train --run_dir run --dataset set --data_root .")
    assert "unknown" in refusal(CycleGAN, "--phase test --run_dir run")
    assert "run already" in refusal(CycleGAN, f"{pair} --run_dir run")


def test_one_way_alone(pair, capsys):
    run(CycleGAN, "--phase import_weights --source latest_net_G_B.pth --run_dir run --image_size 32")
    assert "--direction" not in capsys.readouterr().out.partition("with:")[2].split("\n")[1]
    assert runs.load("run")["dual"].directions == ("B2A",)
    files.write("x.png", np.full([16, 16, 3], 200, np.uint8))
    run(CycleGAN, "--phase translate --run_dir run --input x.png --output y.png")
    assert files.read("y.png").shape == (16, 16, 3)
    run(CycleGAN, "--phase import_weights --source latest_net_G_B.pth --run_dir other --only A2B")
    assert runs.load("other")["dual"].directions == ("A2B",)
    run(Pix2Pix, "--phase import_weights --source latest_net_G_B.pth --run_dir pix2pix --direction A2B")
    assert (runs.load("pix2pix")["dual"].netG, runs.load("pix2pix")["dual"].channels_A) == ("resnet_6blocks", 1)


def test_what_does_not_fit_is_named(pair, tmp_path):
    line = "--phase import_weights --run_dir run --source"

    def of(arrays, model=CycleGAN, more=""):
        said = refusal(model, f"{line} {save(tmp_path / 'net.pth', arrays)} {more}")
        assert not runs.has_begun("run")
        return said

    good = resnet(3, 3, 2)
    assert "model.1.weight is [2, 3, 5, 5], not [2, 3, 7, 7]" in of(resnet(3, 3, 2, wide=5))
    without = {name: array for name, array in good.items() if name != "model.12.conv_block.5.bias"}
    assert "model.12.conv_block.5.bias [8] is missing" in of(without)
    assert "extra.weight [1] has no place" in of({**good, "extra.weight": np.ones(1, np.float32)})
    said = of(
        {**{f"{name}.x": array for name, array in good.items()}, "model.9.conv_block.1.weight": good["model.4.weight"]}
    )
    assert "It begins with model.1.weight.x [2, 3, 7, 7]" in said
    assert "8 residual blocks" in of(resnet(3, 3, 2, blocks=8))
    assert "too few convolutions" in of({"fc.weight": np.ones([2, 2], np.float32)})
    assert "model.1.weight that are not finite" in of({**good, "model.1.weight": good["model.1.weight"] * np.nan})
    assert "have ngf 2" in of(good, more="--ngf 64")
    assert "cyclegan.main or pix2pix.main" in of(good, DualGAN)
    assert "no file missing.pth" in refusal(CycleGAN, f"{line} missing.pth")
    (tmp_path / "text.pth").write_text("weights")
    assert "neither a file of torch.save" in refusal(CycleGAN, f"{line} text.pth")
    assert "a generator too many" in refusal(CycleGAN, f"{line} latest_net_G_A.pth,{save(tmp_path / 'G_A.pth', good)}")
    assert "too many" in refusal(Pix2Pix, f"{line} latest_net_G_A.pth,latest_net_G_B.pth")
    other = save(tmp_path / "other_G_B.pth", resnet(1, 3, 4))
    assert "latest_net_G_A.pth has ngf 2, and" in refusal(CycleGAN, f"{line} latest_net_G_A.pth,{other}")
    other = save(tmp_path / "other_G_B.pth", resnet(3, 3, 2))
    assert "channels_B 1" in refusal(CycleGAN, f"{line} latest_net_G_A.pth,{other}")


def test_flags_that_have_no_use(pair):
    assert "--steps has no use" in refusal(CycleGAN, f"{pair} --run_dir run --steps 3")
    assert "--run_dir" in refusal(CycleGAN, pair)
    assert "--source FILE" in refusal(CycleGAN, "--phase import_weights --run_dir run")
    assert "each once" in refusal(CycleGAN, "--phase import_weights --run_dir run --source a,a")
    assert "is for --phase import_weights" in refusal(CycleGAN, "--phase train --dataset x --source a")
    assert "both directions" in refusal(CycleGAN, "--phase plan --dataset x --only A2B")
