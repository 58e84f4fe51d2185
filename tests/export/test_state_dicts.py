"""Runs exported as state_dicts: imported weights are in the files again, and networks without a layout are refused."""

import dataclasses
import pathlib
import re
import shlex

import numpy as np
import pytest

from common.errors import UserError
from common.export import Export, export, exporting, state_dicts
from common.images import Images
from common.run.folder import load_run
from common.weights import safetensors, state_dict
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import command
from pix2pix import Pix2Pix
from tests import small
from tests.published_arrays import resnet, save, unet

READ = {"pth": state_dict.read, "safetensors": safetensors.read}
IMPORT = "--phase import_weights --run_dir"


def run(model, line):
    command.main(model, ["main", *shlex.split(line)])


def refusal(model, line):
    with pytest.raises(SystemExit) as end:
        run(model, line)
    assert isinstance(end.value.code, str)
    return end.value.code


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A folder with runs of networks as PyTorch saves them: cyclegan, two ResNets; pix2pix, a U-Net."""
    folder = tmp_path_factory.mktemp("imported")
    ways = [
        save(folder / f"x_G_{name}.pth", arrays) for name, arrays in (("A", resnet(3, 1, 2)), ("B", resnet(1, 3, 2, 1)))
    ]
    run(CycleGAN, f"{IMPORT} {folder / 'cyclegan'} --source {','.join(ways)} --image_size 32 --load_size 32")
    unets = save(folder / "x_G.pth", unet(3, 3, 1))
    more = "--train_direction B2A --running_statistics --norm_epsilon 0.001 --dropout 0.25"
    run(Pix2Pix, f"{IMPORT} {folder / 'pix2pix'} --source {unets} {more}")
    return folder


def assert_equal(arrays, expected):
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, err_msg=name)


def import_line(folder):
    """The flags in the README that turn the files into a run."""
    (line,) = re.findall(r"--phase import_weights .*NEW", (folder / "README.md").read_text())
    return line


@pytest.mark.thorough
@pytest.mark.parametrize("name", READ)
def test_both_directions_of_cyclegan(imported, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    run(CycleGAN, f"--phase export --run_dir {imported / 'cyclegan'} --format {name} --output out")
    printed = capsys.readouterr().out
    assert f"latest_net_G_A.{name} A2B: weights (36 arrays) read back bit-exactly; outputs not compared" in printed
    assert "Step 0, verified on weights read back from the files." in printed
    assert "Dropout" not in printed and "pixels" not in printed
    files = {f"latest_net_G_A.{name}": resnet(3, 1, 2), f"latest_net_G_B.{name}": resnet(1, 3, 2, 1)}
    assert {path.name for path in pathlib.Path("out").iterdir()} == {*files, "README.md"}
    for file, arrays in files.items():
        assert_equal(READ[name](f"out/{file}"), arrays)


@pytest.mark.thorough
def test_an_export_is_imported_again(imported, tmp_path, monkeypatch):
    """By the command in the README: the settings are the same, and so are the bits of the next export."""
    export(imported / "cyclegan", Export(format="pth", output=str(tmp_path / "out")), Images("unknown"))
    monkeypatch.chdir(tmp_path / "out")
    run(CycleGAN, import_line(pathlib.Path()).replace("NEW", "run"))
    assert load_run("run").dual == load_run(imported / "cyclegan").dual
    export("run", Export(format="pth", output="again"), Images("unknown"))
    for name in ("latest_net_G_A.pth", "latest_net_G_B.pth"):
        assert pathlib.Path("again", name).read_bytes() == pathlib.Path(name).read_bytes()


@pytest.mark.thorough
def test_running_statistics_of_pix2pix(imported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = export(imported / "pix2pix", Export(format="safetensors", output="out"), Images("unknown"))
    (file,) = result.read_back
    assert (file.file, file.direction, file.arrays) == ("latest_net_G.safetensors", "B2A", 58)
    assert result.kept == [] and result.takes_pixels
    expected = {
        name: np.array(0) if name.endswith("num_batches_tracked") else array for name, array in unet(3, 3, 1).items()
    }
    assert_equal(safetensors.read("out/latest_net_G.safetensors"), expected)
    text = pathlib.Path("out/README.md").read_text()
    assert "UnetGenerator(3, 3, 6, 1, functools.partial(nn.BatchNorm2d, eps=0.001), use_dropout=True)" in text
    assert "network.eval()" in text and "one at a time" not in text
    monkeypatch.chdir("out")
    run(Pix2Pix, import_line(pathlib.Path()).replace("NEW", "run"))
    assert load_run("run").dual == load_run(imported / "pix2pix").dual


def test_one_direction_alone(imported, tmp_path):
    options = Export(format="pth", direction="B2A", output=str(tmp_path / "out"))
    export(imported / "cyclegan", options, Images("unknown"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"latest_net_G_B.pth", "README.md"}
    assert_equal(state_dict.read(tmp_path / "out" / "latest_net_G_B.pth"), resnet(1, 3, 2, 1))
    text = (tmp_path / "out" / "README.md").read_text()
    assert "ResnetGenerator(1, 3, 2, nn.InstanceNorm2d, use_dropout=False, n_blocks=6)" in text


def test_networks_and_options_that_do_not_apply(imported, tmp_path):
    start = f"--phase export --output {tmp_path / 'out'} --format"
    cyclegan = f"--run_dir {imported / 'cyclegan'}"
    dualgan = small.untrained(tmp_path / "run", small.dualgan())
    message = refusal(DualGAN, f"{start} pth --run_dir {dualgan}")
    assert "DualGAN has generators of its own" in message and "resnet_9blocks" in message
    for name in READ:
        assert f"--format {name} does not support --test_dropout" in refusal(
            CycleGAN, f"{start} {name} {cyclegan} --test_dropout"
        )
        assert f"--format {name} has weights only, whose verification needs no images. Leave out --input." in refusal(
            CycleGAN, f"{start} {name} {cyclegan} --input photos"
        )
    assert "--precision is for --phase train" in refusal(CycleGAN, f"{start} pth {cyclegan} --precision float64")
    assert "--scale_to does not apply to --phase export" in refusal(CycleGAN, f"{start} pth {cyclegan} --scale_to 64")
    assert not (tmp_path / "out").exists()


def test_other_weights_in_a_file_are_noticed(imported, tmp_path, monkeypatch):
    def damaged(path):
        arrays = state_dict.read(path)
        return {**arrays, "model.4.weight": np.nextafter(arrays["model.4.weight"], np.float32(1))}

    monkeypatch.setitem(exporting.FORMATS, "pth", dataclasses.replace(state_dicts.PTH, load=damaged))
    with pytest.raises(UserError, match=r"latest_net_G_A\.pth was read back with other weights .* down_1/kernel"):
        options = Export(format="pth", direction="A2B", output=str(tmp_path / "out"))
        export(imported / "cyclegan", options, Images("unknown"))
    assert list(tmp_path.iterdir()) == []


def test_hostile_files_are_refused_by_the_import(tmp_path):
    (tmp_path / "net.safetensors").write_bytes(b"\xff" * 8 + b"{}")
    message = refusal(CycleGAN, f"{IMPORT} {tmp_path / 'run'} --source {tmp_path / 'net.safetensors'}")
    assert "net.safetensors cannot be read as a safetensors file: its header has" in message
