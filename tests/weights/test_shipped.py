"""Pretrained networks: written in half precision, found by name, used like a run, and what is said of those missing."""

import json
import pathlib
import types

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.export import Export, export
from common.images import files
from common.ops import layers, randomness
from common.run.folder import load_run
from common.train import training
from common.translate import Inference, Translator
from common.weights import pretrained, pretrained_names, shipped
from cyclegan import CycleGAN
from enhancement import Enhancement
from flags import inference_phases, parsing
from tests import small

TINY = {"image_size": 32, "ngf": 8, "ndf": 2, "n_layers": 1, "levels": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run with weights that are drawn, and averages that are other ones."""
    run = str(tmp_path_factory.mktemp("trained") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "zeros", randomness.normal_initializer(0.0, 0.05))  # of what begins at zero
        small.untrained(run, Enhancement(**TINY, ema_decay=0.0))
    return run


@pytest.fixture
def networks(trained, tmp_path, monkeypatch):
    """The folder in which the pretrained networks of the enhancement are looked for; it has rain."""
    monkeypatch.setattr(shipped, "folder_of", lambda module: tmp_path / module.partition(".")[0] / shipped.FOLDER)
    shipped.ship(trained, tmp_path / "enhancement" / "pretrained" / "rain.npz")
    return tmp_path / "enhancement" / "pretrained"


def photograph(side=48):
    return np.random.default_rng(0).integers(0, 200, [side, side, 3], np.uint8)


@pytest.mark.thorough
def test_the_network_that_comes_with_the_package_removes_rain():
    random = np.random.default_rng(0)
    down, across = np.mgrid[0:96, 0:96] / 96.0
    clear = np.stack([60 + 80 * down, 90 + 40 * across, 120 - 60 * down * across], axis=-1)
    streaks = np.zeros([96, 96])
    for top, left in random.integers(0, 80, [25, 2]):
        streaks[top : top + 14, left : left + 2] = 90
    rainy = np.clip(clear + streaks[..., None], 0, 255).astype(np.uint8)
    with Translator(pretrained("rain", Enhancement)) as translator:
        output = translator("A2B", rainy)
    errors = [np.square(image - clear).mean() for image in (rainy, output)]
    assert errors[1] < errors[0] / 10  # 10 dB
    for card in (small.ROOT / "enhancement" / "pretrained").glob("*.npz"):
        assert "TO BE WRITTEN" not in card.with_suffix(".md").read_text()


@pytest.mark.thorough
def test_half_precision_changes_no_level_of_an_image(trained, networks):
    with Translator(trained) as before, Translator(pretrained("rain")) as after:
        expected = before.in_floats("A2B", photograph())
        assert np.abs(expected - (photograph() / 127.5 - 1)).max() > 0.05
        np.testing.assert_allclose(after.in_floats("A2B", photograph()), expected, atol=2 / 255, rtol=0)


def test_it_is_written_in_half_precision_and_names_no_place(trained, networks):
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(f"{trained}/checkpoints"))
    with np.load(networks / "rain.npz") as archive:
        assert {archive[name].dtype for name in archive.files if name != "config"} == {np.dtype(np.float16)}
        for name in archive.files:
            if name != "config":
                np.testing.assert_array_equal(archive[name], reader.get_tensor(name).astype(np.float16))
        config = archive["config"].tobytes().decode()
    assert trained not in config and "data_root" not in config
    assert json.loads(config).keys() == {"dual", "domains"} and config.startswith('{\n  "dual": {\n    "class": ')


@pytest.mark.thorough
def test_averages_are_what_is_shipped_and_used_as_both(tmp_path):
    source = str(tmp_path / "run")
    small.untrained(source, Enhancement(**TINY, ema_decay=0.0))
    path = tmp_path / "rain.npz"
    config = pathlib.Path(source, "config.json")
    config.write_text(config.read_text().replace('"ema_decay": 0.0', '"ema_decay": 0.9'))
    (checkpoint,) = pathlib.Path(source, "checkpoints").glob("*.index")
    reader = tf.train.load_checkpoint(str(checkpoint.with_suffix("")))
    values = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    with small.session_of_a_run() as session:
        for name, value in values.items():
            tf.get_variable(name, initializer=value)
            tf.get_variable(f"{name}/average", initializer=value + 1)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, str(checkpoint.with_suffix("")), write_meta_graph=False)
    checkpoint.with_suffix(".sha256").unlink()
    shipped.ship(source, path)
    run = shipped._run_folder(str(path), 0)
    assert load_run(run).dual == Enhancement(**TINY, ema_decay=0.9)
    reader = tf.train.load_checkpoint(f"{run}/checkpoints/model-00000000")
    names = [name for name in values if name.startswith("A2B/generator")]
    assert len(reader.get_variable_to_shape_map()) == 2 * len(names) > 0
    for name in names:
        for variable in (name, f"{name}/average"):
            np.testing.assert_allclose(reader.get_tensor(variable), values[name] + 1, atol=1e-3)
    for weights in ("average", "raw"):
        Translator(run, Inference(weights=weights)).close()


def test_names_that_are_none_list_those_that_are(networks, monkeypatch):
    assert pretrained_names() == ["enhancement/rain"]
    assert pretrained_names(Enhancement) == ["rain"]
    assert pretrained("enhancement/rain") == pretrained("rain", Enhancement)
    assert pathlib.Path(pretrained("rain")).name == "rain"  # as messages call it
    with pytest.raises(UserError, match=r"network 'snow' of Enhancement. Use one of: rain\."):
        pretrained("snow", Enhancement)
    with pytest.raises(UserError, match=r"network 'snow'. Use one of: enhancement/rain\."):
        pretrained("snow")
    with pytest.raises(UserError, match=r"'rain' of CycleGAN: it has none. Other methods have enhancement/rain\."):
        pretrained("rain", CycleGAN)
    with pytest.raises(UserError, match="There is no pretrained"):
        pretrained("../rain")
    (networks.parent.parent / "cyclegan").mkdir()
    networks.rename(networks.parent.parent / "cyclegan" / "pretrained")
    (networks.parent.parent / "cyclegan" / "pretrained" / "rain.npz").unlink()
    with pytest.raises(UserError, match="none is installed"):
        pretrained("rain")


def test_a_name_of_two_methods_is_asked_for_with_its_method(networks):
    other = networks.parent.parent / "cyclegan" / "pretrained"
    other.mkdir(parents=True)
    (other / "rain.npz").write_bytes((networks / "rain.npz").read_bytes())
    assert pretrained_names() == ["cyclegan/rain", "enhancement/rain"]
    with pytest.raises(UserError) as error:
        shipped.find("rain")
    assert str(error.value) == "Several methods have a pretrained network rain. Use METHOD/rain."
    assert shipped.find("cyclegan/rain") == shipped.find("rain", CycleGAN) == other / "rain.npz"
    assert shipped.find("rain", Enhancement) == networks / "rain.npz"


def test_the_run_folder_of_a_network_is_removed_at_the_end(networks, monkeypatch):
    at_the_end = []
    monkeypatch.setattr(shipped.atexit, "register", lambda *call, **named: at_the_end.append((*call, named)))
    run = pathlib.Path(pretrained("rain"))
    assert (run / "config.json").is_file()
    ((remove, root, named),) = at_the_end
    remove(root, **named)
    assert not run.exists() and not run.parent.exists()


def test_weights_beyond_half_precision_are_not_shipped():
    def halves(largest):
        values = {"A2B/generator/kernel": np.float32([1, -largest]), "A2B/critic/kernel": np.float32([1e9])}
        values |= {"A2B/generator/bias": np.float32([1e9]), "A2B/generator/bias/average": np.float32([3])}
        reader = types.SimpleNamespace(shapes={name: [2] for name in values}, value=values.get)
        return shipped._halves(reader, ("A2B/generator/",), "run")

    arrays = {"A2B/generator/bias": [3], "A2B/generator/kernel": [1, -65504]}
    assert {name: half.tolist() for name, half in halves(65504).items()} == arrays
    with pytest.raises(UserError) as error:
        halves(65536)
    said = "A2B/generator/kernel of run has weights beyond ±65504, the limit of half precision."
    assert str(error.value) == said


def test_the_folder_lies_beside_the_modules_of_a_method():
    assert shipped.folder_of("enhancement") == shipped.folder_of(Enhancement.__module__)
    assert shipped.folder_of("enhancement") == small.ROOT / "enhancement" / "pretrained"
    with pytest.raises(UserError, match="There is no method nowhere"):
        shipped.folder_of("nowhere")


def test_what_does_not_fit_is_not_shipped(trained, networks, tmp_path, monkeypatch):
    with np.load(networks / "rain.npz") as archive:
        size = sum(archive[name].nbytes for name in archive.files if name != "config")
    monkeypatch.setattr(shipped, "MAX_BYTES", size - 1)
    with pytest.raises(UserError, match=f" take {size:,} bytes in half precision, but at most {size - 1:,} are"):
        shipped.ship(trained, tmp_path / "rain.npz")
    assert not (tmp_path / "rain.npz").exists()
    monkeypatch.setattr(shipped, "MAX_BYTES", size)
    assert shipped.ship(trained, tmp_path / "rain.npz") == (tmp_path / "rain.npz").stat().st_size > size


def test_a_damaged_file_is_named(networks):
    path = networks / "rain.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"rain\.npz"):
        pretrained("rain")


@pytest.mark.thorough
def test_the_command_line_translates_without_a_run(networks, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write(tmp_path / "photos" / "one.png", photograph())

    def translate(*more):
        line = ["--phase", "translate", "--pretrained", "rain", "--input", "photos", "--output", "out"]
        inference_phases.translate_phase(parsing.parse(Enhancement, ["main", *line, *more]))

    translate()
    assert "1 written to out" in capsys.readouterr().out
    with Translator(pretrained("rain")) as translator:
        expected = translator("A2B", photograph())
    np.testing.assert_array_equal(files.decode(tmp_path / "out" / "one.png").pixels, expected)
    with pytest.raises(UserError, match="--run_dir names one"):
        translate("--run_dir", "runs/x")
    with pytest.raises(UserError, match="only to --phase translate, export or serve"):
        parsing.parse(Enhancement, ["main", "--phase", "train", "--pretrained", "rain"])


@pytest.mark.thorough
def test_it_is_exported(networks, tmp_path):
    export(pretrained("rain"), Export("npz", output=str(tmp_path / "out")), load_run(pretrained("rain")).images)
    assert (tmp_path / "out" / "weights.npz").is_file()


@pytest.mark.thorough
def test_a_training_begins_with_it(networks, dataset, tmp_path, monkeypatch, capsys):
    root = dataset("set", train_A=2, train_B=2)
    line = (
        f"--phase train --init_from pretrained:rain --run_dir {tmp_path / 'new'} --dataset set --data_root {root}"
        " --steps 1 --lr_G 0 --ema_decay 0.5 --preprocess resize_and_crop"
    )
    request = parsing.parse(Enhancement, ["main", *line.split()])
    dual, images, run = request.parts()
    assert dual == Enhancement(**TINY, ema_decay=0.5, lr_G=0.0, preprocess="resize_and_crop")
    training.train(dual, images, run)
    assert "Started with A2B/generator of pretrained:rain; new: optimizers." in capsys.readouterr().out
    reader = tf.train.load_checkpoint(f"{tmp_path}/new/checkpoints/model-00000001")
    with np.load(networks / "rain.npz") as archive:
        names = [name for name in archive.files if name != "config"]
        for name in names:
            np.testing.assert_array_equal(reader.get_tensor(name), archive[name].astype(np.float32))
            np.testing.assert_allclose(reader.get_tensor(f"{name}/average"), archive[name], rtol=1e-6, atol=1e-7)
    with pytest.raises(UserError, match="Use one of: enhancement/rain"):
        parsing.parse(Enhancement, ["main", *line.replace(":rain", ":snow").replace("new", "other").split()]).parts()
