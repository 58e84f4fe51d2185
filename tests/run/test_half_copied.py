"""Run folders that are half copied or damaged, and methods of notebooks: what is said, in every phase."""

import re
import shutil
import sys
import types

import numpy as np
import pytest

from common import settings
from common.errors import UserError
from common.images import Images, files
from common.run import Run
from common.run.checkpoint_files import selected_one
from common.run.folder import load_run, load_trained
from common.train import train
from dualgan import DualGAN
from flags.command import main
from tests import small

PYTHONS = re.compile(
    r"Error\b|Errno|Traceback|attribute|NoneType|object has|argument|unpack|literal|Expecting|not supp"
)
PHASES = {
    "translate": "--direction A2B --input {root}/a.png --output {root}/out",
    "test": "",
    "evaluate": "",
    "export": "--direction A2B --output {root}/exported",
    "serve": "",
    "train": "--steps 8",
    "plan": "",
}
CONTENTS = {
    "empty": b"",
    "cut": b'{"dual": {"class": "dualgan:Du',
    "null": b"null",
    "list": b"[]",
    "numbers": b'{"dual": 3, "images": 4, "run": null}',
    "nothing": b"{}",
    "bytes": b"\xff\xfe\x00",
    "nested": b"[" * 100_000,
    "order": b'{"dual": {"class": "dualgan:DualGAN", "depth": null}}',
    "class": b'{"dual": {"class": {}}}',
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with a checkpoint of step 7."""
    return small.untrained(tmp_path_factory.mktemp("whole") / "run", small.dualgan())


@pytest.fixture
def copied(whole, tmp_path):
    files.write(tmp_path / "a.png", np.zeros([32, 32, 3], np.uint8))
    shutil.copytree(whole, tmp_path / "run")
    return tmp_path


def refusal(root, phase, capsys):
    """What a command says that is refused; it is one sentence or several, and none of Python's."""
    line = f"main --phase {phase} --run_dir {root}/run {PHASES[phase].format(root=root)}"
    with pytest.raises(SystemExit) as ended:
        main(DualGAN, line.split())
    said = str(ended.value.code)
    assert said.startswith("error: "), (said, capsys.readouterr().err)
    assert not PYTHONS.search(said), said
    return said


USING = [phase for phase in PHASES if phase not in ("train", "plan")]


@pytest.mark.parametrize("phase", USING)
def test_what_is_missing_is_named(copied, phase, capsys):
    run, checkpoint = copied / "run", copied / "run/checkpoints/model-00000007"
    index, config = checkpoint.with_suffix(".index"), run / "config.json"
    kept = config.read_bytes()
    config.unlink()
    assert re.search(
        r"config.json is missing, but there are checkpoints: .* copied in part", refusal(copied, phase, capsys)
    )
    config.write_bytes(kept)
    index.unlink()
    said = refusal(copied, phase, capsys)
    assert "model-00000007.index is missing" in said and "copied in part" in said and "Train one first" not in said
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    assert "its folder checkpoints is empty" in refusal(copied, phase, capsys)
    (run / "checkpoints").rmdir()
    if phase == "serve":
        return  # which begins with a training that has saved no checkpoint yet
    said = refusal(copied, phase, capsys)
    assert "the folder checkpoints is missing" in said and "copied in part" in said and "Train one first" not in said
    config.unlink()
    assert "Train one first with --phase train" in refusal(copied, phase, capsys)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("content", CONTENTS)
def test_damaged_settings_are_a_sentence_in_every_phase(copied, phase, content, capsys):
    (copied / "run/config.json").write_bytes(CONTENTS[content])
    said = refusal(copied, phase, capsys)
    assert "run/config.json cannot be read as the settings of a run" in said


@pytest.mark.parametrize("content", CONTENTS)
def test_damaged_settings_are_a_sentence_where_runs_are_compared_or_begun_with(copied, content, whole, capsys):
    (copied / "run/config.json").write_bytes(CONTENTS[content])
    for line in (
        f"--phase compare {whole} {copied}/run --output {copied}/compare.html",
        f"--phase train --dataset toy --data_root {copied} --run_dir {copied}/new --init_from {copied}/run",
    ):
        try:
            main(DualGAN, ["main", *line.split()])  # a page shows what it can
        except SystemExit as ended:
            assert str(ended.code).startswith("error: ") and not PYTHONS.search(str(ended.code))
        assert not PYTHONS.search(capsys.readouterr().err)
        assert not (copied / "new").exists()


@pytest.mark.parametrize("has_digest", [True, False])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_a_checkpoint_that_is_half_copied(copied, has_digest, damage):
    data = copied / "run/checkpoints/model-00000007.data-00000-of-00001"
    digest = data.with_name("model-00000007.sha256")
    content = data.read_bytes()
    data.write_bytes(b"" if damage == "empty" else content[:100])
    if damage == "missing":
        data.unlink()
    if not has_digest:
        digest.unlink()
    with pytest.raises(UserError, match=r"No checkpoint in .* is intact") as error:
        selected_one(copied / "run", "latest")
    said = str(error.value)
    assert not PYTHONS.search(said)
    assert ("sha256 is missing" in said) == (not has_digest)
    assert (
        not has_digest or f"{data.name} {'is missing' if damage == 'missing' else 'does not match its digest'}" in said
    )


def test_without_its_digest_a_whole_checkpoint_is_used(copied):
    (copied / "run/checkpoints/model-00000007.sha256").unlink()
    assert selected_one(copied / "run", "latest").endswith("model-00000007")


@pytest.fixture
def notebook(monkeypatch):
    """A method as a cell of a notebook defines it."""
    cell = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", cell)
    cell.Mine = type("Mine", (small.Gain,), {"__module__": "__main__"})
    return cell


def trained(root, model, steps=1):
    run = Run(str(root / "run"), steps=steps, tensorboard=False)
    return train(model(image_size=4), Images("set", data_root=str(root)), run)


def test_a_method_of_a_notebook_is_told_of_before_it_trains(dataset, notebook, capsys):
    root, mine = dataset(train_A=2, train_B=2), notebook.Mine
    trained(root, mine)
    said = capsys.readouterr().err
    assert said.startswith("warning: Mine is a method that other programs cannot import: it is defined in a notebook")
    assert "from my_methods import Mine" in said
    assert type(load_trained(root / "run").dual) is mine  # here it can be used
    del notebook.Mine  # and not in another program
    with pytest.raises(
        UserError, match=r"__main__:Mine was defined in a notebook.* Define Mine as it was before .* my_methods:Mi"
    ):
        load_run(root / "run")


@pytest.mark.thorough
def test_what_the_error_advises_helps(dataset, notebook, monkeypatch):
    root, mine = dataset(train_A=2, train_B=2), notebook.Mine
    trained(root, mine)
    del notebook.Mine
    module = types.ModuleType("my_methods")
    module.Mine = type("Mine", (small.Gain,), {"__module__": "my_methods"})
    monkeypatch.setitem(sys.modules, "my_methods", module)
    config = root / "run/config.json"
    config.write_text(config.read_text().replace("__main__:Mine", "my_methods:Mine"))
    assert trained(root, module.Mine, steps=2).done == 2


def test_which_classes_can_be_found_again():
    def local():
        class Local(small.Gain):
            pass

        return Local

    assert settings.why_passing(DualGAN) == settings.why_passing(small.Gain) == ""
    assert settings.why_passing(local()) == "it is defined in a function"
    assert "no module" in settings.why_passing(type("Odd", (small.Gain,), {"__module__": "nowhere.at.all"}))
