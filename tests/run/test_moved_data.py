"""Images may lie elsewhere when a run is resumed, if they are the same by their names and sizes."""

import shutil

import pytest

from common import settings
from common.errors import UserError
from common.images import Images
from common.run import Run
from common.run.checkpoint_files import newest, reading
from common.run.folder import load_run, refuse_contradictions
from common.train import train
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags.parsing import parse
from tests import small
from tests.reliability.little.dualgan import DualGAN as LittleDualGAN

pytestmark = pytest.mark.usefixtures("one_block")


def trained(root, images, run_dir, steps):
    train(small.Gain(), images, Run(str(root / run_dir), steps=steps, save_every=1, tensorboard=False))


def weights(run_dir):
    with reading(newest(run_dir / "checkpoints")) as reader:
        return {name: reader.value(name).tobytes() for name in reader.shapes}


def places(root):
    """The same images as a set in two folders, by an absolute name, and as two folders."""
    a, b = root / "moved/set/train/A", root / "moved/set/train/B"
    return {
        "data_root": Images("set", data_root=str(root / "moved")),
        "absolute": Images(str(root / "moved/set")),
        "folders": Images(dir_A=str(a), dir_B=str(b)),
    }


@pytest.mark.thorough
def test_a_run_is_resumed_where_its_images_are_now(dataset):
    root = dataset(size=2, train_A=3, train_B=3)
    trained(root, Images("set", data_root=str(root)), "run", 1)
    (root / "moved").mkdir()
    shutil.move(root / "set", root / "moved/set")
    images = places(root)["folders"]
    trained(root, images, "run", 2)
    assert load_run(root / "run").images == images


@pytest.mark.thorough
def test_a_run_is_resumed_wherever_its_images_are(dataset):
    """It ends in the same bits as one whose images stay, and remembers where they are now."""
    root = dataset(size=2, train_A=3, train_B=3)
    here = Images("set", data_root=str(root))
    trained(root, here, "whole", 5)
    trained(root, here, "run", 1)
    (root / "moved").mkdir()
    shutil.move(root / "set", root / "moved/set")
    for steps, images in enumerate([*places(root).values(), here], 2):
        if images == here:
            shutil.move(root / "moved/set", root / "set")
        trained(root, images, "run", steps)
        assert load_run(root / "run").images == images
    assert weights(root / "run") == weights(root / "whole")


def test_other_images_are_refused_and_the_cure_is_named(dataset):
    root = dataset(size=2, train_A=3, train_B=3)
    trained(root, Images("set", data_root=str(root)), "run", 1)
    before, other = weights(root / "run"), root / "moved/set/train/B"
    changes = {
        "renamed": lambda: (other / "000.png").rename(other / "x.png"),
        "grown": lambda: (other / "000.png").write_bytes((other / "000.png").read_bytes() + b"more"),
        "added": lambda: shutil.copy(other / "000.png", other / "x.png"),
    }
    for change in changes.values():
        shutil.rmtree(root / "moved", ignore_errors=True)
        shutil.copytree(root / "set", root / "moved/set")
        change()
        for images in places(root).values():
            with pytest.raises(
                UserError,
                match=rf"The images of B have changed .* a new --run_dir, .* --init_from {root}/run\.",
            ):
                trained(root, images, "run", 2)
        assert weights(root / "run") == before


@pytest.mark.thorough
def test_a_new_run_from_the_weights_takes_other_images(dataset):
    root = dataset(size=2, train_A=3, train_B=3)
    trained(root, Images("set", data_root=str(root)), "run", 1)
    shutil.copy(root / "set/train/B/000.png", root / "set/train/B/x.png")
    images = Images("set", data_root=str(root))
    train(small.Gain(rate=0.1), images, Run(str(root / "next"), steps=1, init_from=str(root / "run"), batch_size=2))


def little(**fields):
    return LittleDualGAN(**{"image_size": 16, "depth": 2, "ngf": 2, "ndf": 2, **fields})


def test_a_setting_that_is_fixed_names_the_cure(tmp_path):
    run_dir = small.untrained(tmp_path / "a run", little())
    run = Run(run_dir)
    for dual, changed in ((little(lr_G=1.0), run), (little(), Run(run_dir, batch_size=4))):
        with pytest.raises(UserError, match=r"Leave it out .* a new --run_dir, .*--init_from '.*a run'\."):
            refuse_contradictions(run_dir, dual, run=changed)
    with pytest.raises(
        UserError, match=r"--ngf 2, but --ngf 8 .* a new --run_dir, without its weights, which"
    ) as error:
        refuse_contradictions(run_dir, little(ngf=8), run=run)
    assert "--init_from" not in str(error.value)
    with pytest.raises(UserError, match=r"--init_from '.*a run' and --noinit_critics\."):
        refuse_contradictions(run_dir, little(ndf=8), run=run)
    with pytest.raises(UserError, match=r"Leave it out .* train a new run in a new --run_dir") as error:
        refuse_contradictions(run_dir, little(lr_G=1.0))  # as test and evaluate do
    assert "--init_from" not in str(error.value)


def test_another_method_is_told_whose_run_it_is_and_offered_a_new_one(tmp_path):
    run_dir = small.untrained(
        tmp_path / "run", CycleGAN(image_size=16, load_size=0, ngf=2, ndf=2, n_layers=1, netG="resnet_6blocks")
    )
    said = r"run holds a run of CycleGAN, not of DualGAN\. Use {}.* a new run in a new --run_dir\."
    with pytest.raises(UserError, match=said.format("CycleGAN")):
        refuse_contradictions(run_dir, DualGAN(), run=Run(run_dir))
    with pytest.raises(UserError, match=said.format("python -m cyclegan.main to resume it")):
        parts(run_dir)


def parts(run_dir, *flags):
    return parse(DualGAN, ["main", "--run_dir", str(run_dir), *flags]).parts()


def test_flags_of_one_kind_of_place_take_the_place_of_the_other(tmp_path):
    run_dir = small.untrained(tmp_path / "run", small.dualgan(), images=Images("set"))
    assert parts(run_dir).images == Images("set")
    assert parts(run_dir, "--dir_A", "x", "--dir_B", "y").images == Images(dir_A="x", dir_B="y")
    assert parts(run_dir, "--dataset", "/x").images == Images("/x")
    run_dir = small.untrained(tmp_path / "other", small.dualgan(), images=Images(dir_A="x", dir_B="y"))
    assert parts(run_dir, "--dataset", "set").images == Images("set")
    assert parts(run_dir, "--dir_A", "z").images == Images(dir_A="z", dir_B="y")
    assert {difference.resume for difference in settings.differences(Images("a"), Images("b"))} == {settings.PLACE}
