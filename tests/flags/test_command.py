"""The command line: what it understands, and what it says of what it does not."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images, files, toy
from common.run import Run
from common.run.folder import load_run
from common.settings import FIXED
from common.train import Progress
from contrastive import Contrastive
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import command, fields, parsing, presets, training_phases
from pix2pix import Pix2Pix
from tests import small

ROOT = pathlib.Path(__file__).parents[2]
SMALL = "--image_size 32 --depth 2 --ngf 4 --ndf 4 --gan_loss classic --steps 1"
TINY = "--image_size 32 --steps 1"  # of the duals of tests/small.py, whose graphs are built in a moment

pytestmark = pytest.mark.usefixtures("few_patches")


def parse(line):
    return command.parse(DualGAN, ["main", *line.split()])


def run(line, dual=DualGAN):
    command.main(dual, ["main", *line.split()])


def refusal(line, dual=DualGAN):
    """What the command line says when it refuses; it exits with a sentence, which Python turns into code 1."""
    with pytest.raises(SystemExit) as end:
        run(line, dual)
    assert isinstance(end.value.code, str)
    assert "\n" not in end.value.code
    return end.value.code


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder, and a toy set of two scenes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(toy, "TRAIN", 2)
    monkeypatch.setattr(toy, "VAL", 2)
    return tmp_path


@pytest.fixture(scope="module")
def untrained_once(tmp_path_factory):
    """A folder with a run of the toy set that was not trained."""
    folder = tmp_path_factory.mktemp("untrained")
    small.untrained(folder / "runs/dualgan-toy", small.dualgan(), images=Images("toy"))
    return folder


@pytest.fixture
def untrained(here, untrained_once):
    """The working folder, with a copy of that run."""
    shutil.copytree(untrained_once, here, dirs_exist_ok=True)
    return here


@pytest.mark.parametrize(
    "how", [["mine.py"], pytest.param(["-m", "mine"], marks=pytest.mark.thorough)], ids=["file", "module"]
)
def test_a_dual_of_ones_own_is_run_from_its_folder(tmp_path, how):
    (tmp_path / "mine.py").write_text((ROOT / "examples" / "geometry.py").read_text())
    ended = subprocess.run(
        [sys.executable, *how, "--phase", "train", "--lambda_geometry", "much"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.stderr == "error: --lambda_geometry 'much' is not valid: it must be a number.\n"


@pytest.mark.thorough
def test_errors_in_flags_come_without_tensorflow():
    script = "import sys; from dualgan.main import main; sys.argv = ['main', '--lamda_A', '3']\ntry: main()\n"
    script += "except SystemExit as end: print(end.code, 'tensorflow' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert "There is no flag --lamda_A. Did you mean --lambda_A" in printed
    assert printed.endswith("False\n")


def test_the_interface():
    """Names that people and scripts rely on."""
    values = parse("").values
    names = """
        phase dataset data_root run_dir preset image_size batch_size steps epochs seed save_every log_every
        sample_every gan_loss n_gen n_critic lambda_A lambda_B lambda_identity lambda_gp ngf ndf lr_G lr_D
        direction limit debug
    """
    assert set(names.split()) <= set(values)


def test_flags_become_settings():
    asked = parse("--lambda_A=3 --flip --n_gen 4 --gan_loss wgan --dataset_name horses --noantialias")
    dual, images = fields.read(DualGAN, asked.values), fields.read(Images, asked.values)
    assert dual == DualGAN(lambda_A=3.0, flip=True, n_gen=4, gan_loss="wgan")
    assert images.dataset == "horses"
    assert asked.given == {"lambda_A", "flip", "n_gen", "gan_loss", "dataset", "antialias"}


def test_own_flags_win_over_the_preset_wherever_they_stand():
    for line in ("--preset demo --ngf 8", "--ngf 8 --preset demo"):
        asked = parse(line)
        assert (asked.values.ngf, asked.values.image_size) == (8, 64)
        assert asked.given == {"preset", "ngf"}


@pytest.mark.parametrize("dual", [Contrastive, CycleGAN, DualGAN, Pix2Pix])
def test_every_preset_parses(dual):
    model = dual.__name__.lower()
    for name in presets.names(model):
        values = command.parse(dual, ["main", *f"--preset {name} --dataset x --run_dir y".split()]).values
        for part in (dual, Images, Run):
            fields.read(part, values)
        assert presets.summary(model, name).endswith(".")
    assert "demo" in presets.names(model)


@pytest.mark.parametrize(
    ("dual", "name", "generator", "critic"),
    [
        (DualGAN, "2017-classic", 85_022_787, 4_321_153),
        pytest.param(CycleGAN, "torch", 7_845_123, 2_766_529, marks=pytest.mark.thorough),
        pytest.param(CycleGAN, "tfgan", 7_841_216, None, marks=pytest.mark.thorough),
    ],
)
def test_presets_have_the_published_numbers_of_parameters(session, dual, name, generator, critic):
    dual = fields.read(dual, command.parse(dual, ["main", "--preset", name, "--dataset", "x"]).values)
    images = tf.zeros([1, *dual.image_sides, 3])
    for role, other, count in (("generator", None, generator), ("critic", images, critic)):
        if count is not None:
            network = dual.network("A2B", role)
            network(images, other)
            assert count == sum(variable.shape.num_elements() for variable in network.variables)


@pytest.mark.parametrize(("dual", "name"), [(CycleGAN, "pytorch"), (Pix2Pix, "pytorch"), (Contrastive, "cut")])
def test_the_preset_that_is_written_out_is_the_defaults(dual, name):
    own, *_ = parsing.parse_flags(dual, ["main", f"--flagfile={presets.path(dual.__name__.lower(), name)}"])
    assert {field.name for field in dataclasses.fields(dual)} <= {name for name in own if own[name].present}
    assert fields.read(dual, own) == dual()


def test_the_published_settings():
    """By the authors' PyTorch code, options/*.py and models/*.py."""
    assert CycleGAN() == CycleGAN(
        **{"image_size": 256, "load_size": 286, "netG": "resnet_9blocks", "netD": "patch", "n_layers": 3, "ngf": 64},
        **{"ndf": 64, "norm": "instance", "gan_loss": "lsgan", "lambda_A": 10.0, "lambda_B": 10.0, "beta1": 0.5},
        **{"lambda_identity": 0.5, "pool_size": 50, "lr_G": 2e-4, "lr_D": 2e-4, "n_epochs": 100, "n_epochs_decay": 100},
        **{"dropout": 0.0, "flip": True, "interpolation": "bicubic", "n_gen": 1, "n_critic": 1},
    )
    assert Pix2Pix() == Pix2Pix(
        **{"image_size": 256, "load_size": 286, "netG": "unet_256", "netD": "patch", "n_layers": 3, "ngf": 64},
        **{"ndf": 64, "norm": "batch", "gan_loss": "classic", "lambda_L1": 100.0, "beta1": 0.5, "dropout": 0.5},
        **{"pool_size": 0, "lr_G": 2e-4, "lr_D": 2e-4, "n_epochs": 100, "n_epochs_decay": 100, "test_dropout": True},
        **{"flip": True, "interpolation": "bicubic", "train_direction": "A2B"},
    )


def test_the_upstream_preset_is_the_defaults():
    """All settings of the model are written out, and are the defaults; of the others it names two that are not."""
    own, *_ = parsing.parse_flags(DualGAN, ["main", f"--flagfile={presets.path('dualgan', 'upstream')}"])
    written = {name for name in own if own[name].present}
    fixed = {f.name for f in dataclasses.fields(DualGAN)}
    assert fixed <= written
    assert fields.read(DualGAN, own) == DualGAN()
    others = {name for name in written - fixed if own[name].value != own[name].default}
    assert others == {"epoch_size", "save_every"}


def test_settings_that_resume_otherwise_than_fixed_are_known():
    free = {
        field.name
        for part in (DualGAN, Images, Run)
        for field in dataclasses.fields(part)
        if field.metadata["resume"] != FIXED
    }
    assert free == {
        *("test_dropout", "data_root", "cache_gb", "run_dir", "steps", "epochs"),
        *("save_every", "keep", "keep_every", "log_every", "sample_every", "tensorboard", "threads", "device", "xla"),
        *("precise", "tune"),
        *("eval_every", "select_by", "patience", "labels_A", "labels_B", "on_nan", "on_bad_image"),
        *("dataset", "dir_A", "dir_B"),  # places
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--gan_loss foo", "--gan_loss 'foo' is not valid: it must be one of wgan-gp, wgan, classic, lsgan, hinge."),
        ("--n_gen 0", "--n_gen '0' is not valid: it must be a whole number from 1 to 1000."),
        ("--n_layers 2 --phase train", "There is no flag --n_layers."),
        ("--lr_g 2", "There is no flag --lr_g. Did you mean --lr_G? Use --phase train --help for a list."),
        ("--phase translate --imput x", "Did you mean --input? Use --phase translate --help for a list."),
        ("--lr 2", "There is no flag --lr. Did you mean --lr_D, --lr_G or --lr_decay_epochs?"),
        ("--phase trian", "--phase 'trian' is not valid: it must be one of train, test, evaluate, translate, compare,"),
        ("--phase trian", "import_weights, export, serve. Did you mean train?"),
        ("--phase", "--phase needs a value: write --phase VALUE."),
        ("--run_dir --port 3", "--run_dir needs a value, but --port follows. Write --run_dir VALUE."),
        ("--ngf --ndf=3", "--ngf needs a value, but --ndf follows. Write --ngf VALUE."),
        ("--run_dir", "--run_dir needs a value: write --run_dir VALUE. Use --phase train --help for a list."),
        ("train", "'train' has no flag before it: write --phase train."),
        ("x", "'x' has no flag before it: write --NAME VALUE."),
        ("--flip=no way", "--flip 'no' is not valid: it must be true or false."),
        ("--lr_G -1", "--lr_G '-1' is not valid: it must be a number, 0 or more."),
        ("--steps -1", "--steps '-1' is not valid: it must be a whole number, 0 or more."),
        ("--keep 0", "--keep '0' is not valid: it must be a whole number, 1 or more."),
        ("--kernel 2", "--kernel '2' is not valid: it must be a whole number from 3 to 255."),
        ("--channels_A -2", "--channels_A '-2' is not valid: it must be a whole number, 0 or more."),
        (
            "--preset upsteam",
            "dualgan has no preset upsteam: it must be one of 2017-classic, 2017-wgan, demo, paper, upstream.",
        ),
        (
            "--phase train",
            "No run named: use --dataset NAME (toy needs no files), --run_dir FOLDER, or --dir_A and --dir_B.",
        ),
        (
            "--dataset toy --batch_size big",
            "--batch_size 'big' is not valid: it must be a whole number.",
        ),
        ("--dataset toy --lr_G fast", "--lr_G 'fast' is not valid: it must be a number."),
        ("--flagfile nope.flags", "--flagfile 'nope.flags': No such file or directory. Check the name."),
        (
            "--phase train --run_dir somewhere --steps 9",
            "There is no run in somewhere to resume. For a new run: Missing --dataset. Use --dataset NAME",
        ),
        ("--dataset toy --steps 1 --epochs 1", "--steps 1 and --epochs 1 both set the length"),
        ("--dataset nowhere", "No dataset at datasets/nowhere: the folder does not exist"),
        ("--dataset toy --image_size 100", "it must be a multiple of 256. Use --image_size 256, or --depth 2."),
        ("--phase test --dataset toy", "There is no trained run in runs/dualgan-toy"),
        ("--flagfile nowhere", "nowhere"),
        ("--flagfile", "--flagfile needs a value: write --flagfile FILE."),
        ("--flagfile=", "--flagfile needs a value: write --flagfile FILE."),
    ],
)
def test_refusals(here, line, said):
    assert said in refusal(line)
    assert not (here / "runs").exists()


@pytest.mark.thorough
def test_train_and_test_and_what_they_print(here, capsys):
    run(f"--phase train --dataset toy {SMALL}")
    assert "python -m dualgan.main --phase test --run_dir runs/dualgan-toy" in capsys.readouterr().out
    run("--phase test --dataset toy")
    printed = capsys.readouterr().out
    for part in ("psnr", "ssim", "cycle_l1", "A2B     input", "B2A     input", "runs/dualgan-toy/test"):
        assert part in printed
    assert "Test images" in (here / "runs/dualgan-toy/report.html").read_text()
    run("--phase compare runs/dualgan-toy runs/dualgan-toy/../dualgan-toy --output two.html")
    assert (here / "two.html").exists() and "Compared 2 runs: two.html" in capsys.readouterr().out
    assert "needs two or more run folders, got 1" in refusal("--phase compare runs/dualgan-toy")
    assert "nowhere is not a run folder" in refusal("--phase compare runs/dualgan-toy nowhere")
    assert "--steps does not apply to --phase compare" in refusal("--phase compare a b --steps 3")
    run("--phase evaluate --dataset toy --metrics psnr,swd --direction A2B")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed[:2]] == [["Step", "1"], ["A2B", "input"]]
    assert [line.split()[0] for line in printed[2:4]] == ["psnr", "swd"]
    assert "--n_samples does not apply to --phase evaluate" in refusal("--phase evaluate --dataset toy --n_samples 2")
    said = refusal("--phase train --dataset toy --lambda_A 3")
    assert "runs/dualgan-toy was trained with --lambda_A 500.0, but --lambda_A 3.0 was given" in said
    said = refusal("--phase test --run_dir runs/dualgan-toy --ngf 8")
    assert "with --ngf 4, but --ngf 8" in said


def test_a_run_is_trained_further_without_its_settings(here, capsys):
    run(f"--phase train --dataset toy {TINY}", small.Gain)
    run("--phase train --run_dir runs/gain-toy", small.Gain)
    assert "Nothing to do: runs/gain-toy has already trained 1 steps. Use a larger --steps" in capsys.readouterr().out
    run("--phase train --dataset toy --epochs 1", small.Gain)
    assert load_run("runs/gain-toy").run.steps == 0
    assert "Trained steps 2 to 2." in capsys.readouterr().out


def test_a_batch_size_is_that_of_before_unless_it_is_given(here, monkeypatch):
    """What processes share is that of folder.with_same_total; here 6 images by two processes."""
    run(f"--phase train --dataset toy {TINY} --batch_size 6", small.Gain)
    trained_with = []

    def train(dual, images, run, cluster):
        trained_with.append(run.batch_size)
        return Progress(1, 1, 1)

    monkeypatch.setattr(training_phases, "train", train)
    for more in ("", "--batch_size 2"):
        run(f"--phase train --run_dir runs/gain-toy --workers a:1,b:2 {more}", small.Gain)
    assert trained_with == [3, 2]


def test_a_plan_says_whose_settings_it_takes(untrained, monkeypatch, capsys):
    monkeypatch.setattr(training_phases.plan, "plan", lambda *_: None)
    monkeypatch.setattr(training_phases.plan, "text", lambda _: "planned")
    run(f"--phase plan --dataset toy {SMALL} --run_dir runs/new")
    assert "\nPlanning a new run: " in capsys.readouterr().out  # the toy dataset is drawn first
    run("--phase plan --dataset toy --steps 5")
    printed = capsys.readouterr().out
    assert printed.startswith("Planning runs/dualgan-toy with the flags given: ") and "planned\n" in printed


@pytest.mark.thorough
def test_images_that_are_not_right(here):
    random = np.random.default_rng(0)
    for path, size in (("set/train/A/a.png", 24), ("set/train/B/b.png", 40)):
        files.write(here / path, random.integers(0, 256, [size, size, 3], np.uint8))
    line = f"--dataset set --data_root . {TINY} --run_dir runs/new"
    assert "set/train/A/a.png is 24x24, smaller than the crop" in refusal(f"{line} --preprocess crop", small.Gain)
    (here / "set/train/A/a.png").write_bytes(b"")
    assert "set/train/A/a.png cannot be read as an image" in refusal(line, small.Gain)
    (here / "set/train/A/a.png").unlink()
    assert "No images of A to train on" in refusal(line, small.Gain)
    assert not (here / "runs/new/checkpoints").exists()
    files.write(here / "set/train/A/a.png", random.integers(0, 256, [24, 24, 3], np.uint8))
    files.write(here / "set/val/A/v.png", random.integers(0, 256, [24, 24, 3], np.uint8))
    (here / "set/val/A/v.png").write_bytes(b"")
    assert "set/val/A/v.png cannot be read as an image" in refusal(line, small.Gain)


def test_a_checkpoint_of_another_shape(untrained):
    config = untrained / "runs/dualgan-toy/config.json"
    config.write_text(config.read_text().replace('"ngf": 4', '"ngf": 8'))
    said = refusal("--phase test --dataset toy")
    assert (
        "belongs to a different network: A2B/generator/down_0/kernel is [5, 5, 3, 8] here and [5, 5, 3, 4] in" in said
    )


def test_folders_anywhere_are_trained_on_and_another_set_is_tested(here):
    random = np.random.default_rng(0)
    for folder in ("mine/old", "mine/new", "set/val/A"):
        files.write(here / folder / "1.png", random.integers(0, 256, [40, 40, 3], np.uint8))
    run(f"--dir_A mine/old --dir_B mine/new {TINY}", small.Pointwise)
    assert (here / "runs/pointwise-old-new/config.json").exists()
    assert "--dir_A and --dir_B have no validation images" in refusal(
        "--phase test --run_dir runs/pointwise-old-new", small.Pointwise
    )
    run("--phase test --run_dir runs/pointwise-old-new --dataset set --data_root .", small.Pointwise)
    assert (here / "runs/pointwise-old-new/test/A2B/1.png").exists()
    translate = "--phase translate --run_dir runs/pointwise-old-new"
    run(f"{translate} --direction B2A --input mine --recursive --output out", small.Pointwise)
    assert sorted(str(path.relative_to(here / "out")) for path in (here / "out").rglob("*.png")) == [
        "new/1.png",
        "old/1.png",
    ]
    assert "use --direction A2B or B2A." in refusal(f"{translate} --input mine/old --output out", small.Pointwise)
    assert "--steps is for --phase train" in refusal(f"{translate} --steps 3", small.Pointwise)
    assert "--input does not apply to --phase test" in refusal(
        "--phase test --run_dir runs/pointwise-old-new --input mine", small.Pointwise
    )


def test_flags_that_testing_has_no_use_for_are_refused(here):
    assert "--steps is for --phase train" in refusal("--phase test --dataset toy --steps 3")
    assert "only to --phase test" in refusal("--dataset toy --n_samples 3")
    assert "--preset is for --phase train" in refusal("--phase test --dataset toy --preset demo")


def test_a_run_without_its_settings_is_not_begun_anew(untrained):
    (untrained / "runs/dualgan-toy/config.json").rename(untrained / "config.json")
    assert "config.json is missing" in refusal(f"--dataset toy {SMALL} --lambda_A 3")
    (untrained / "runs/dualgan-toy/config.json").write_text("[]")
    assert "cannot be read as the settings of a run" in refusal("--phase test --dataset toy")
    (untrained / "runs/dualgan-toy/config.json").write_text("{}")
    assert "dual is missing" in refusal("--phase test --dataset toy")


def test_what_tensorflow_says_is_a_sentence_too():
    class InternalError(Exception):
        __module__ = "tensorflow.python.framework.errors_impl"

    said = command._sentence(InternalError("something is wrong\n at node x"))
    assert said == "TensorFlow failed: something is wrong. Use --debug to see the traceback."
    assert command._sentence(KeyError("a mistake in the program")) is None


def test_debug_shows_where_an_error_came_from():
    with pytest.raises(UserError):
        run("--debug --dataset nowhere")


def test_no_traceback_reaches_the_person(here):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "dualgan.main", "--phase", "train", "--dataset", "nowhere"]
    done = subprocess.run(line, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: No dataset at datasets/nowhere: the folder does not exist.")
    assert done.stderr.count("\n") == 1


def test_a_published_set_is_fetched_where_that_is_asked_for(here, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(command, "download", lambda *arguments: asked.append(arguments))
    assert "It is a published dataset: use --download to get it" in refusal("--dataset horse2zebra")
    assert asked == []
    refusal("--dataset horse2zebra --data_root sets --download")
    refusal("--dataset facades --download_from http://localhost/x.zip")
    assert asked == [("horse2zebra", "sets", None), ("facades", "datasets", "http://localhost/x.zip")]
    with pytest.raises(SystemExit) as end:
        run("--download")
    printed = capsys.readouterr().out
    assert end.value.code == 0 and "horse2zebra" in printed and "sketch-photo" in printed
    assert "--dir_A needs --dir_B" in refusal("--dataset facades --dir_A x --download") and len(asked) == 2


def test_one_folder_alone_is_told_of_the_other(here):
    assert "--dir_A needs --dir_B" in refusal("--phase check_data --dir_A x")
    assert "--dir_B needs --dir_A" in refusal("--dir_B x")


@pytest.mark.thorough
def test_a_video_goes_through_a_run(here, capsys):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    frames = np.random.default_rng(0).integers(0, 256, [7, 24, 36, 3], np.uint8)
    writer = ffmpeg.write_frames("clip.mp4", (36, 24), fps=12, macro_block_size=1)
    writer.send(None)
    for frame in frames:
        writer.send(frame)
    writer.close()
    small.untrained(here / "runs/dualgan-toy", small.dualgan(dropout=0.5, test_dropout=True))
    asked = "--phase translate --dataset toy --direction A2B --input clip.mp4"
    run(f"{asked} --output out --limit 5 --batch_size 2")
    assert "5 frames written to out/clip.mp4." in capsys.readouterr().out
    about = next(ffmpeg.read_frames("out/clip.mp4"))
    assert (about["size"], about["fps"]) == ((36, 24), 12.0)
    assert "--shard is for images, but --input clip.mp4 is a video" in refusal(f"{asked} --output out --shard 1/2")
    assert "use one of" in refusal(f"{asked} --output out.ts")


def test_depth_and_bands_by_the_command_line(here, capsys):
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        files.write(here / "sets/depth" / split / "A/0.jpg", random.integers(0, 256, [40, 40, 3], np.uint8))
        files.write(here / "sets/depth" / split / "B/0.png", random.integers(0, 4000, [40, 40, 1], np.uint16))
    depth = "--dataset depth --data_root sets"
    run(f"{depth} {TINY} --channels_B auto --range_B 0,5000", small.Pointwise)
    assert "Images of B are uint16 from 0 to 5,000, scaled to -1 to 1." in capsys.readouterr().out
    asked = "--phase translate --run_dir runs/pointwise-depth --direction A2B --input sets/depth/val/A --output out"
    run(asked, small.Pointwise)
    said = capsys.readouterr().out
    assert "Written in another format, because the input's format cannot hold the output: 1 .jpg as .png." in said
    assert files.decode("out/0.png").pixels.dtype == np.uint16
    assert "--run_dir and --dataset both name the run" in refusal(f"{asked} --dataset depth", small.Pointwise)
    assert ".jpg cannot store the output, which is uint16" in refusal(f"{asked} --format jpg", small.Pointwise)
    assert "trained with --range_B 0,5000, but --range_B 0,9" in refusal(
        f"{depth} --range_B 0,9 --steps 2", small.Pointwise
    )
    assert "--range_A 9,1 is not a valid range" in refusal(f"{depth} --run_dir r2 --range_A 9,1", small.Pointwise)
