"""Imported weights become a run folder, by the command line, without PyTorch; what does not fit is named."""

import pathlib

import numpy as np
import pytest

from common import tensorflow as tf
from common.images import files
from common.run.checkpoint_files import newest, reading
from common.run.folder import has_begun, load_run, load_trained
from common.weights import state_dict
from common.weights.prefixed import recognize
from contrastive import Contrastive
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import command
from pix2pix import Pix2Pix
from tests.published_arrays import patch_critic, pixel_critic, resnet, save, unet

pytestmark = pytest.mark.usefixtures("few_patches")
PROGRAM = "python -m cyclegan.main"


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


def test_a_run_folder_that_translates(pair, dataset, capsys):
    left = pathlib.Path("run", "checkpoints", ".2147483647-1-1.partial.index")  # of a process that was killed
    left.parent.mkdir(parents=True)
    left.touch()
    run(CycleGAN, f"{pair} --run_dir run --image_size 32 --load_size 32")
    assert not left.exists()
    shown = "netG resnet_6blocks, ngf 2, norm instance, dropout 0.0"
    printed = capsys.readouterr().out.replace(PROGRAM, "PROGRAM")
    assert printed == (
        f"A2B/generator from latest_net_G_A.pth: {shown}; 8,141 parameters.\n"  # counted by hand
        f"B2A/generator from latest_net_G_B.pth: {shown}; 8,143 parameters.\n"
        "Imported into run. Translate, or train further, with:\n"
        "  PROGRAM --phase translate --run_dir run --direction A2B --input FOLDER --output FOLDER\n"
        "  PROGRAM --phase train --init_from run --dataset NAME --run_dir FOLDER\n"
    )
    saved = load_trained("run")
    assert saved.dual == CycleGAN(netG="resnet_6blocks", ngf=2, channels_B=1, image_size=32, load_size=32, dropout=0.0)
    assert saved.imported["B2A/generator"]["file"] == "latest_net_G_B.pth"
    files.write("in/x.png", np.full([21, 18, 3], 200, np.uint8))
    run(CycleGAN, "--phase translate --run_dir run --direction A2B --input in --output out")
    assert files.decode("out/x.png").pixels.shape == (21, 18, 1)
    dataset("set", train_A=1, train_B=1)
    assert "--init_from run" in refusal(CycleGAN, "--phase train --run_dir run --dataset set --data_root .")
    assert "unknown" in refusal(CycleGAN, "--phase test --run_dir run")
    assert "run already" in refusal(CycleGAN, f"{pair} --run_dir run")
    line = "--phase import_weights --source run --run_dir other"
    assert "run is a run folder: use it directly" in refusal(CycleGAN, line)


@pytest.mark.thorough
def test_one_way_alone(pair, capsys):
    run(CycleGAN, "--phase import_weights --source latest_net_G_B.pth --run_dir run --image_size 32")
    assert "--direction" not in capsys.readouterr().out.partition("with:")[2].split("\n")[1]
    assert load_run("run").dual.directions == ("B2A",)
    files.write("x.png", np.full([16, 16, 3], 200, np.uint8))
    run(CycleGAN, "--phase translate --run_dir run --input x.png --output y.png")
    assert files.read("y.png").shape == (16, 16, 3)
    run(CycleGAN, "--phase import_weights --source latest_net_G_B.pth --run_dir other --only A2B")
    assert load_run("other").dual.directions == ("A2B",)
    run(Pix2Pix, "--phase import_weights --source latest_net_G_B.pth --run_dir pix2pix --train_direction A2B")
    assert (load_run("pix2pix").dual.netG, load_run("pix2pix").dual.channels_A) == ("resnet_6blocks", 1)


def test_what_does_not_fit_is_named(pair, tmp_path):
    line = "--phase import_weights --run_dir run --source"

    def refusal_of(arrays, model=CycleGAN, more=""):
        message = refusal(model, f"{line} {save(tmp_path / 'net.pth', arrays)} {more}")
        assert not has_begun("run")
        return message

    good = resnet(3, 3, 2)
    assert "model.1.weight is [2, 3, 5, 5], not [2, 3, 7, 7]" in refusal_of(resnet(3, 3, 2, wide=5))
    without = {name: array for name, array in good.items() if name != "model.12.conv_block.5.bias"}
    assert "model.12.conv_block.5.bias [8] is missing" in refusal_of(without)
    assert "extra.weight [1] is not part of it" in refusal_of({**good, "extra.weight": np.ones(1, np.float32)})
    message = refusal_of(
        {**{f"{name}.x": array for name, array in good.items()}, "model.9.conv_block.1.weight": good["model.4.weight"]}
    )
    assert "Its first entries are model.1.weight.x [2, 3, 7, 7]" in message
    assert "8 residual blocks" in refusal_of(resnet(3, 3, 2, blocks=8))
    assert "too few convolutions" in refusal_of({"fc.weight": np.ones([2, 2], np.float32)})
    assert "model.1.weight that are not finite" in refusal_of(
        {**good, "model.1.weight": good["model.1.weight"] * np.nan}
    )
    assert "have ngf 2" in refusal_of(good, more="--ngf 64")
    assert "cyclegan.main, pix2pix.main or" in refusal_of(good, DualGAN)
    assert "no file or checkpoint missing.pth" in refusal(CycleGAN, f"{line} missing.pth")
    (tmp_path / "text.pth").write_text("weights")
    assert "it must be a file of torch.save" in refusal(CycleGAN, f"{line} text.pth")
    again = save(tmp_path / "G_A.pth", good)
    assert refusal(CycleGAN, f"{line} latest_net_G_A.pth,{again}").endswith(
        f"{again} is one generator too many: CycleGAN has one for A2B and one for B2A. Name each file once in --source;"
        " files of CycleGAN must end with _A or _B, as they were saved."
    )
    assert "too many" in refusal(Pix2Pix, f"{line} latest_net_G_A.pth,latest_net_G_B.pth")
    other = save(tmp_path / "other_G_B.pth", resnet(1, 3, 4))
    assert "latest_net_G_A.pth has ngf 2, but" in refusal(CycleGAN, f"{line} latest_net_G_A.pth,{other}")
    other = save(tmp_path / "other_G_B.pth", resnet(3, 3, 2))
    assert "channels_B 1" in refusal(CycleGAN, f"{line} latest_net_G_A.pth,{other}")


def heads(filters=4, channels=(3, 4, 8, 8, 8)):
    """{name: array} of network F of CUT, which a ResNet of 2 filters has, for maps of so many channels."""
    random = np.random.default_rng(3)
    shapes = {f"mlp_{n}.0": count for n, count in enumerate(channels)}
    shapes |= {f"mlp_{n}.2": filters for n in range(len(channels))}
    weights = {f"{name}.weight": random.normal(size=[filters, count]) for name, count in shapes.items()}
    biases = {f"{name}.bias": random.normal(size=[filters]) for name in shapes}
    return {name: array.astype(np.float32) for name, array in {**weights, **biases}.items()}


@pytest.mark.thorough
def test_heads_of_cut_are_imported_for_training_and_refused_by_others(pair, tmp_path):
    file = save(tmp_path / "latest_net_F.pth", {f"module.{name}": array for name, array in heads().items()})
    both = f"{save(tmp_path / 'latest_net_G.pth', resnet(3, 3, 2))},{file}"
    line = "--image_size 32 --load_size 32 --netD patch --phase import_weights --source"
    layers = "--run_dir run --nce_layers 0,4,8,12,15"
    message = refusal(CycleGAN, f"{line} {both} --run_dir run")
    assert "holds heads (nce_filters 4), but CycleGAN has none" in message and "contrastive.main" in message
    fewer = "--nce_layers 0,4,8,10"
    assert "mlp_4.0.bias [4] is not part of it" in refusal(Contrastive, f"{line} {both} --run_dir run {fewer}")
    assert "train without A2B/heads" in refusal(Contrastive, f"{line} {both} {layers} --lambda_NCE 0")
    assert "no generator of that direction" in refusal(Contrastive, f"{line} {file} {layers}")
    message = refusal(Contrastive, f"{line} {both} --run_dir run")
    assert "--nce_layers 0,4,8,12,16 does not fit --netG resnet_6blocks: use numbers of 0,1,4,7,8,9,10" in message
    run(Contrastive, f"{line} {both} {layers}")
    with reading(newest(tmp_path / "run" / "checkpoints")) as reader:
        kernel = reader.value("A2B/heads/map_1/hidden/kernel")
    np.testing.assert_array_equal(kernel, heads()["mlp_1.0.weight"].T)


def test_heads_without_the_first_one_are_unknown(tmp_path):
    file = save(tmp_path / "latest_net_F.pth", {"mlp_1.0.weight": np.zeros([4, 4], np.float32)})
    message = refusal(Contrastive, f"--run_dir run --phase import_weights --source {file}")
    assert "mlp_0.0.weight is missing" in message


def test_other_blurs_than_the_published_ones_are_refused(pair, tmp_path):
    row = np.array([1, 2, 1], np.float32) / 4
    filters = np.outer(row, row)[None, None].repeat(2, axis=0)
    line = "--phase import_weights --run_dir run --source"
    arrays = resnet(3, 3, 2)
    for shape in ([2, 1, 3, 3], [2, 1, 3, 4], [2]):
        file = save(tmp_path / "latest_net_G.pth", {**arrays, "model.7.filt": np.ones(shape, np.float32)})
        assert "has a blur model.7.filt" in refusal(Contrastive, f"{line} {file}")
    for name, flag in (("model.7.filt", "--no_antialias_up alone"), ("model.16.filt", "--no_antialias alone")):
        file = save(tmp_path / "latest_net_G.pth", {**arrays, name: filters})
        assert flag in refusal(Contrastive, f"{line} {file}")


def test_advice_names_what_can_be_changed(pair, tmp_path):
    line = f"--phase import_weights --run_dir run --source {save(tmp_path / 'net.pth', unet(3, 3, 1))}"
    message = refusal(Pix2Pix, f"{line} --image_size 100 --load_size 100")
    assert "Use --image_size 128" in message and message.endswith(
        "The weights determine --netG unet_64, which cannot be changed."
    )
    assert not has_begun("run")
    run(Pix2Pix, f"{line} --image_size 128 --load_size 128")


def test_two_networks_in_a_file(pair, tmp_path):
    arrays = resnet(3, 3, 2)
    both = {**arrays, **{f"module.{name}": array for name, array in arrays.items()}}
    message = refusal(CycleGAN, f"--phase import_weights --run_dir run --source {save(tmp_path / 'net.pth', both)}")
    assert "model.1.weight and module.model.1.weight, which are both model.1.weight of a network" in message


def test_flags_that_have_no_use(pair):
    assert "--steps does not apply" in refusal(CycleGAN, f"{pair} --run_dir run --steps 3")
    assert "--run_dir" in refusal(CycleGAN, pair)
    assert "--source FILE" in refusal(CycleGAN, "--phase import_weights --run_dir run")
    assert "each once" in refusal(CycleGAN, "--phase import_weights --run_dir run --source a,a")
    assert "only to --phase import_weights" in refusal(CycleGAN, "--phase train --dataset x --source a")
    assert "both directions" in refusal(CycleGAN, "--phase plan --dataset x --only A2B")
    assert "both directions" in refusal(CycleGAN, "--phase check_data --dataset x --only A2B")


def values(run_dir):
    """{name: array} of the newest checkpoint of a run."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(f"{run_dir}/checkpoints"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.thorough
def test_what_was_imported_is_exported_scored_and_trained_on(tmp_path, monkeypatch, dataset, capsys):
    """A U-Net of pix2pix, and its critic, which sees A and B."""
    monkeypatch.chdir(tmp_path)
    dataset("set", size=64, train_A=1, train_B=1, val_A=1, val_B=1)
    source = f"{save('net_G.pth', unet(3, 1, 1))},{save('net_D.pth', patch_critic(4, 2, 1, 'batch'))}"
    run(Pix2Pix, f"--phase import_weights --source {source} --run_dir run --load_size 64")
    printed = capsys.readouterr().out
    assert "A2B/generator from net_G.pth: netG unet_64, ngf 1, norm batch;" in printed
    assert "A2B/critic from net_D.pth: netD patch, ndf 2, n_layers 1, norm_D batch; 331 parameters." in printed
    before = values("run")
    run(Pix2Pix, "--phase export --run_dir run --format npz --output model --input set/val/A")
    arrays = dict(np.load("model/weights.npz"))
    assert arrays.pop("config").size and arrays.keys() == {name for name in before if "generator" in name}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    run(Pix2Pix, "--phase import_weights --source model/weights.npz --run_dir again")
    again = values("again")
    assert again.keys() == arrays.keys() and load_run("again").dual == load_run("run").dual
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array, err_msg=name)
    own = "--dataset set --data_root ."
    run(Pix2Pix, f"--phase evaluate --run_dir run {own}")
    assert "Step 0" in capsys.readouterr().out
    assert len(pathlib.Path("run/evaluation/metrics.csv").read_text().splitlines()) == 2  # a line of names
    run(Pix2Pix, f"--phase train --init_from run {own} --run_dir more --steps 1 --lr_G 0 --lr_D 0 --notensorboard")
    assert "Started with A2B/generator and A2B/critic of run/checkpoints" in capsys.readouterr().out
    after = values("more")
    assert load_run("more").dual.netG == "unet_64"
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array, err_msg=name)


@pytest.mark.thorough
def test_critics_of_every_kind(tmp_path, monkeypatch):
    """D_A judges what G_A makes; those of pixels, and of other depths, are taken; what fits nowhere is named."""
    monkeypatch.chdir(tmp_path)
    for way, critic in {"A": pixel_critic(1, 2), "B": pixel_critic(3, 2, seed=1)}.items():
        save(f"latest_net_G_{way}.pth", resnet(*((3, 1) if way == "A" else (1, 3)), 1))
        save(f"latest_net_D_{way}.pth", critic)
    line, named = "--phase import_weights --source", ("G_A", "G_B", "D_A", "D_B")
    both = ",".join(f"latest_net_{name}.pth" for name in named)
    run(CycleGAN, f"{line} {both} --run_dir run --image_size 32 --load_size 32")
    assert (load_run("run").dual.netD, load_run("run").dual.ndf) == ("pixel", 2)
    imported = values("run")
    for way, channels in (("A2B", 1), ("B2A", 3)):
        kernel = pixel_critic(channels, 2, seed=way == "B2A")["net.0.weight"]
        np.testing.assert_array_equal(imported[f"{way}/critic/first/kernel"], kernel.transpose(2, 3, 1, 0))

    def refusal_of(sources, model=CycleGAN):
        message = refusal(model, f"{line} {sources} --run_dir other --image_size 32 --load_size 32")
        assert not has_begun("other")
        return message

    save("other_D_B.pth", patch_critic(3, 2, 2))
    ends = "latest_net_G_A.pth,latest_net_G_B.pth"
    assert "latest_net_D_A.pth has netD pixel, but other_D_B.pth has patch" in refusal_of(
        f"{ends},latest_net_D_A.pth,other_D_B.pth"
    )
    swapped = refusal_of(f"{ends},{save('x_D_A.pth', pixel_critic(3, 2))}")
    assert "net.0.weight is [2, 3, 1, 1], not [2, 1, 1, 1]" in swapped
    assert "no generator of that direction" in refusal_of("latest_net_G_A.pth,latest_net_D_B.pth")
    assert "no generator of that direction" in refusal_of("latest_net_D_A.pth")
    alone = refusal_of(f"latest_net_G_A.pth,{save('D.pth', patch_critic(1, 2))}", Pix2Pix)
    assert "model.0.weight is [2, 1, 4, 4], not [2, 4, 4, 4]" in alone
    run(Pix2Pix, f"{line} latest_net_G_A.pth,{save('p.pth', pixel_critic(4, 2, 'batch'))} --run_dir pair")
    assert (load_run("pair").dual.netD, load_run("pair").dual.norm_D) == ("pixel", "batch")


def prefixed(**networks):
    """{prefix.name: array} of networks in one state_dict."""
    return {f"{prefix}.{name}": array for prefix, arrays in networks.items() for name, array in arrays.items()}


@pytest.mark.parametrize("prefix", ["netG", "generator", "model", "net", "module.netG", "system.model.netG"])
@pytest.mark.parametrize("network", [resnet(3, 3, 2), unet(3, 3, 2)], ids=["resnet", "unet"])
def test_a_prefix_is_stripped(network, prefix, tmp_path):
    file = save(tmp_path / "net.pth", prefixed(**{prefix: network}))
    (recognized,) = recognize(str(file), state_dict.read(file))
    (plain,) = recognize("plain", network)
    assert recognized.fields == plain.fields and recognized.variables == plain.variables
    assert recognized.file == str(file) and recognized.arrays.keys() == plain.arrays.keys()
    for name, array in plain.arrays.items():
        np.testing.assert_array_equal(recognized.arrays[name], array)


@pytest.mark.thorough
def test_the_networks_of_one_file_have_their_directions(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    networks = {"netG_A": resnet(3, 1, 2), "netG_B": resnet(1, 3, 2, seed=1), "netD_A": patch_critic(1, 2)}
    save("last.ckpt", {**prefixed(**networks), "criterion.vgg.features.0.bias": np.zeros(3, np.float32)})
    run(CycleGAN, "--phase import_weights --source last.ckpt --run_dir run --image_size 32")
    assert "Ignored in last.ckpt, as not of a known network: criterion." in capsys.readouterr().out
    saved = load_trained("run")
    assert saved.imported.keys() == {"A2B/generator", "B2A/generator", "A2B/critic"}
    assert (saved.dual.channels_A, saved.dual.channels_B) == (3, 1)
    (recognized,) = recognize("last.ckpt", state_dict.read("last.ckpt"), "netG_B")
    np.testing.assert_array_equal(recognized.arrays["model.1.weight"], networks["netG_B"]["model.1.weight"])
    line = "--phase import_weights --source last.ckpt::netG_B --run_dir one --image_size 32"
    run(CycleGAN, line)
    assert load_trained("one").dual.directions == ("B2A",)


def test_networks_that_nothing_tells_apart_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save("last.ckpt", prefixed(first=resnet(3, 1, 2), second=resnet(1, 3, 2, seed=1)))
    line = "--phase import_weights --run_dir run --image_size 32 --source "
    said = refusal(CycleGAN, f"{line}last.ckpt")
    assert "several networks" in said and "first, second" in said
    assert said.endswith("--source last.ckpt::first,last.ckpt::second")
    assert "no network third. It must be one of: first, second" in refusal(CycleGAN, f"{line}last.ckpt::third")
    run(CycleGAN, f"{line}last.ckpt::second,last.ckpt::first")
    assert load_trained("run").dual.channels_A == 1  # the first named is A2B


def test_a_generator_and_its_critic_need_no_direction(tmp_path):
    networks = {"G": unet(3, 3, 2), "D": patch_critic(6, 2)}
    recognized = recognize("last.ckpt", prefixed(**networks))
    assert [network.role for network in recognized] == ["generator", "critic"]
