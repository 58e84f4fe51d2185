"""A bit is flipped in a small file of a run folder: what is used are weights that were saved, or it is a sentence.

`make test` flips a bit of every file, `make test-thorough` some of each, and `make test-all` all of them.
"""

import pathlib
import re

import numpy as np
import pytest

from common import report
from common import tensorflow as tf
from common.errors import UserError
from common.evaluate.selection import Selection
from common.images import Images, files
from common.run import Run, lock
from common.run.checkpoint_files import reading, selected_one, step_of
from common.run.checkpoints import Checkpoints
from common.run.folder import load_run
from common.train import train
from common.train.monitor import Extent, Monitor
from tests import small

FLIPS = 200  # in `make test-thorough`
NAMES = ("best.json", "config.json", "log.csv", "checkpoints/checkpoint", "checkpoints/model-00000002.sha256")
RESUMED = (  # files of which a bit is flipped before a training
    "checkpoints/model-00000002.index",
    *(pytest.param(name, marks=pytest.mark.thorough) for name in NAMES),
)
REPORTED = 8  # so many flips to a report, which takes longer than all else
LARGE = 4096  # bytes; files that are larger, events and the report, are not read by the program
OTHERS = r"\b[A-Z]\w+(Error|Exception)\b|Traceback|unexpected keyword|not subscriptable|codec can't"  # Python's words
STEPS = (1, 2)  # of the checkpoints


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The run folder of a training with evaluations, of two steps."""
    root, noise = tmp_path_factory.mktemp("flips"), np.random.default_rng(0)
    for place in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(2):
            files.write(root / "set" / place / f"{number}.png", noise.integers(0, 256, [4, 4, 3], np.uint8))
    images = Images("set", data_root=str(root))
    for steps in STEPS:  # the second writes what a resumed training writes
        train(small.Gain(), images, run(root / "run", steps))
    return root / "run"


@pytest.fixture(scope="module")
def contents(folder):
    """{path: content} of its small files."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and is_small(path)}


@pytest.fixture(scope="module")
def restored(folder):
    """A function that resumes: moves damaged checkpoints aside, and returns the step and the values of variables."""
    saved = {}
    for step in STEPS:
        with reading(str(folder / f"checkpoints/model-{step:08d}")) as reader:
            saved[step] = {name: reader.value(name) for name in reader.shapes}
    with tf.Graph().as_default(), tf.Session() as session:
        variables = {name: tf.get_variable(name, initializer=value) for name, value in saved[1].items()}
        checkpoints, initialize = Checkpoints(folder), tf.global_variables_initializer()

        def restore():
            session.run(initialize)
            checkpoints.sweep()
            step = checkpoints.restore(session)
            for name, value in session.run(variables).items():
                assert value.tobytes() == saved[step][name].tobytes(), name
            return step

        yield restore


def run(run_dir, steps):
    return Run(str(run_dir), steps=steps, save_every=1, eval_every=1, select_by="psnr", log_every=1, threads=1)


def is_small(path):
    return path.stat().st_size <= LARGE and path.suffix != ".html" and "tfevents" not in path.name


def bring_back(folder, contents):
    """Makes the small files of the run folder what they were."""
    for path in folder.rglob("*"):
        if path.is_file() and is_small(path) and path not in contents:
            path.unlink()
    for path, content in contents.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    if (folder / "checkpoints/damaged").exists():
        (folder / "checkpoints/damaged").rmdir()


def flipped(content, bit):
    at, shift = divmod(bit, 8)
    return content[:at] + bytes([content[at] ^ 1 << shift]) + content[at + 1 :]


def bits_of(contents, count):
    """(path, bit) of `count` flips, equally many of each file; all for None."""
    draws, share = np.random.default_rng(0), count and -(-count // len(contents))
    for path, content in contents.items():
        for bit in draws.permutation(8 * len(content))[:share]:
            yield path, int(bit)


def succeeds(use):
    """Whether `use` does what it does; it may refuse in plain English, and may raise nothing else."""
    try:
        use()
    except UserError as error:
        assert not re.search(OTHERS, str(error)) and "\n" not in str(error), error
        return False
    return True


def hold(folder):
    with lock.held(folder):
        pass


def check(folder, path, restored, said):
    """Uses a run folder, in which `path` has a flipped bit, in all ways; only that file's fault may refuse."""
    is_checkpoint = re.search(r"checkpoints/model-0*(\d)\.", str(path))
    read = succeeds(lambda: load_run(folder))
    assert read or path.name == "config.json"
    newest = step_of(selected_one(folder, "latest"))
    assert newest == (1 if is_checkpoint and is_checkpoint[1] == "2" else 2)
    assert succeeds(lambda: selected_one(folder, "best")) or path.name == "best.json"
    assert succeeds(lambda: hold(folder)) or path.name == "lock"
    assert restored() == newest
    warned = said()
    if newest == 1:
        assert "model-00000002 is damaged (" in warned and "checkpoints/model-00000001 is used instead" in warned
    else:
        assert warned == ""
    selected = succeeds(lambda: Selection(str(folder), "psnr", ("A2B", "B2A"), done=2))
    assert selected or path.name == "evaluation.csv"
    Monitor(folder / "log.csv", ["A2B/generator"], Extent(2, 4, 1, 2), log_every=1)


def flip_and_check(folder, contents, restored, capsys, count):
    failures = []
    for number, (path, bit) in enumerate(bits_of(contents, count)):
        path.write_bytes(flipped(contents[path], bit))
        capsys.readouterr()
        try:
            check(folder, path, restored, lambda: capsys.readouterr().err)
            if number % REPORTED == 0:
                assert succeeds(lambda: report.write(folder)) or path.name == "config.json"
        except Exception as error:
            failures.append((str(path.relative_to(folder)), bit, repr(error)[:300]))
        bring_back(folder, contents)
    assert failures == []


@pytest.mark.parametrize("count", [1, pytest.param(FLIPS, marks=pytest.mark.thorough)])
def test_some_bits(folder, contents, restored, capsys, count):
    assert {path.name for path in contents} >= {"config.json", "best.json", "evaluation.csv", "log.csv", "lock"}
    flip_and_check(folder, contents, restored, capsys, count)


@pytest.mark.slow
def test_all_bits(folder, contents, restored, capsys):
    flip_and_check(folder, contents, restored, capsys, None)


@pytest.mark.parametrize("name", RESUMED)
def test_a_training_resumes_from_weights_that_were_saved(folder, contents, name):
    path = folder / name
    ((_, bit),) = bits_of({path: contents[path]}, 1)
    path.write_bytes(flipped(contents[path], bit))
    images = Images("set", data_root=str(folder.parent))
    try:
        progress = train(small.Gain(), images, run(folder, 3))
        assert progress.began in STEPS and progress.done == 3
    except UserError as error:
        assert not re.search(OTHERS, str(error)), error
        assert path.name == "config.json"
    succeeds(lambda: report.write(folder))
    bring_back(folder, contents)


@pytest.mark.parametrize(
    "stride", [401, pytest.param(13, marks=pytest.mark.thorough), pytest.param(1, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_no_bit_without_a_digest_gives_other_weights(folder, contents, restored, suffix, stride):
    """As a kill before the digest leaves it: TensorFlow's own checksums tell."""
    path = folder / f"checkpoints/model-00000002.{suffix}"
    for bit in range(0, 8 * len(contents[path]), stride):
        pathlib.Path(folder, "checkpoints/model-00000002.sha256").unlink(missing_ok=True)
        path.write_bytes(flipped(contents[path], bit))
        restored()  # compares the values with those that were saved
        bring_back(folder, contents)
