"""The table of phases: what each takes is what parsing accepts and what a refusal names."""

import dataclasses
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import typing

import pytest

from common.errors import UserError
from common.images import Images
from common.run import Run
from common.run.folder import load_run
from common.settings import former_names
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import command as command_line
from flags import phases
from flags.parsing import parse
from flags.phases import PHASES
from pix2pix import Pix2Pix
from tests import small

DUALS = (CycleGAN, DualGAN, Pix2Pix)
QUICK = ("train", "translate", "export")  # phases of which all flags are tried in each `make test`
VALUES = {"format": {"translate": "keep", "export": "npz"}}  # flags of one name that have other choices in each phase


@pytest.fixture(scope="module")
def quick_parsing():
    """Types of settings are looked up once: that is half of the time of a parse, of which tests do hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typing, "get_type_hints", functools.cache(typing.get_type_hints))
        yield


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param(name, model, marks=[pytest.mark.thorough] if model is DualGAN and name not in QUICK else [])
        for name in PHASES
        for model in DUALS
    ],
)
def test_each_flag_is_taken_or_refused_with_the_phases_that_take_it(name, model, quick_parsing):
    """All of DualGAN's, and of the other methods those that it has not: a parse takes milliseconds."""
    everything = {field.name: field for cls in phases.all_classes(model) for field in dataclasses.fields(cls)}
    if model is not DualGAN:
        shared = {field.name for cls in phases.all_classes(DualGAN) for field in dataclasses.fields(cls)}
        everything = {flag: field for flag, field in everything.items() if flag not in shared}
    runs = ["a", "b"] if PHASES[name].names_runs else []
    for flag, field in everything.items():
        if flag == "phase" or (flag in former_names(model).values() and flag not in PHASES[name].takes(model)):
            continue  # the phase is given, and a former name is tested below
        value = VALUES.get(flag, {}).get(name, field.default)
        argument = f"--{flag}" if isinstance(field.default, bool) else f"--{flag}={value}"
        line = ["main", *runs, f"--phase={name}", argument]
        if flag in PHASES[name].takes(model):
            assert parse(model, line).given >= {flag}
            continue
        with pytest.raises(UserError) as refused:
            parse(model, line)
        assert str(refused.value).startswith(f"--{flag} ") and str(refused.value).endswith("Leave it out.")
        takers = {other for other, phase in PHASES.items() if flag in phase.takes(model)}
        named = set(re.findall(r"\w+", str(refused.value).partition("only to --phase ")[2].partition(".")[0]))
        of_run = "takes it from the run folder" in str(refused.value)
        assert named - {"or"} == takers or (of_run and "train" in takers)


@pytest.mark.parametrize(
    "words",
    [
        "--run_dir runs/one --run_dir=runs/two",
        "runs/one runs/two",
        "--run_dir runs/one runs/two --samples 3 runs/one/",
        "-run_dir runs/one/ --queue 2 runs/../runs/two",
    ],
)
def test_runs_to_serve_side_by_side(words):
    request = parse(DualGAN, ["main", "--phase", "serve", *words.split()])
    assert [pathlib.Path(run_dir).resolve() for run_dir in request.served_run_dirs()] == [
        pathlib.Path("runs", name).resolve() for name in ("one", "two")
    ]


def test_a_run_to_serve_is_named_once():
    assert parse(DualGAN, ["main", "--phase", "serve", "--dataset", "toy"]).served_run_dirs() == ["runs/dualgan-toy"]
    for other in ("--dataset", "--pretrained"):
        with pytest.raises(UserError, match=f"{other} names one run to serve, but there are also run folders"):
            parse(DualGAN, ["main", "--phase", "serve", "a", other, "rain"]).served_run_dirs()


BEFORE_TENSORFLOW = {  # a command line to the beginning of its last line; {run} is a run at step 7
    "--phase train --run_dir {run} --steps 5": "Nothing to do: {run} has already trained 7 steps.",
    "--phase train --run_dir {run} --steps 9 --device gpu": "error: --device gpu is not available: CUDA_",
    "--phase train --dataset {run}/none": "error: No dataset at",
    "--phase plan --dataset {run}/none": "error: No dataset at",
    "--phase test --run_dir {run}/none": "error: There is no trained run in",
    "--phase serve {run} {run}/none": "error: There is no trained run in",
    "--phase test --run_dir {run} --checkpoint 6": "error: {run} has no checkpoint of step 6: it has 7",
    "--phase evaluate --run_dir {run} --checkpoint best": "error: {run} has no best checkpoint",
    "--phase export --run_dir {run} --output {run}/new --checkpoint 6": "error: {run} has no checkpoint of step 6",
    "--phase export --run_dir {run} --output {run}": "error: --output {run} already exists.",
    "--phase translate --run_dir {run} --direction A2B --input {run}/no --output x": "error: No images in --input",
    "--phase translate --run_dir {run} --direction A2B --input {run}/in.mp4": "error: Missing --output.",
    "--phase translate --run_dir {run} --direction A2B --input {run}/in.png --output {run}/out --checkpoint 6": (
        "error: {run} has no checkpoint of step 6"
    ),
    "--phase translate --run_dir {run} --direction A2B --input {run}/in.png --output {run}/done --skip_existing": (
        "0 written to {run}/done, 1 skipped, 0 failed."
    ),
    "--phase translate --pretrained no --direction A2B --input {run}/no --output x": "error: No images in --input",
    "--phase translate --pretrained no --direction A2B --input {run}/in.png --output x": (
        "error: There is no pretrained network 'no' of DualGAN"
    ),
    "--phase translate --pretrained rain --direction A2B --input {run}/in.png --output {run}/in.png/new": (
        "error: {run}/in.png/new cannot be written to"
    ),
    "--phase export --pretrained rain --output {run}/in.png/new": "error: {run}/in.png cannot be written to",
    "--dataset toy --run_dir {run}/new --init_from {run}/no": "error: --init_from {run}/no is neither a run folder nor",
    "--phase evaluate --run_dir {run} --shard 5/4": "error: --shard 5/4 is not a valid shard",
    "--phase evaluate --run_dir {run} --merge 2": "error: No shards of step 7 in {run}/evaluation/shards",
    "--dir_A {run} --dir_B {run} --run_dir {run}/in.png/new": "error: {run}/in.png/new cannot be written to",
    "--phase test --run_dir {run} --output {run}/in.png": (
        "error: {run}/in.png cannot be written to ({run}/in.png is a file). Choose a different --output."
    ),
    "--phase export --run_dir {run} --output {run}/in.png/new": "error: {run}/in.png cannot be written to",
    "--phase translate --run_dir {run} --direction A2B --input {run}/in.png --output {run}/in.png/new": (
        "error: {run}/in.png/new cannot be written to"
    ),
    "--phase translate --run_dir {run} --direction A2B --input {run}/in.png --output {run}/in.png/new/out.png": (
        "error: {run}/in.png/new cannot be written to"
    ),
    "--phase check_data --dir_A {run} --dir_B {run} --output {run}/in.png/new/all.csv": (
        "error: {run}/in.png/new cannot be written to"
    ),
    "--phase compare {run} {run} --output {run}/in.png/new/page.html": "error: {run}/in.png/new cannot be written to",
    "--phase evaluate --run_dir {run} --output {run}": "error: --output {run} holds",
    "--phase evaluate --run_dir {run} --features {run}/no.pb": "error: --features {run}/no.pb does not exist",
    "--phase import_weights --run_dir {run}/new --source {run}/no.pth": "error: There is no file or checkpoint",
    "--phase test --run_dir {run} --dataset none/none": "error: No dataset at",
    "--phase evaluate --run_dir {run} --dataset none/none": "error: No dataset at",
    "--phase serve {run} --checkpoint 6": "error: {run} has no checkpoint of step 6: it has 7",
    "--phase export --run_dir {run} --output {run}/new --input {run}/no": "error: --input {run}/no does not exist",
    "--phase export --run_dir {run} --output {run}/new --format web --web_runtime {run}/no": (
        "error: --web_runtime {run}/no does not exist."
    ),
    "--phase train --run_dir {run} --lr_G 1": "error: {run} was trained with --lr_G 5e-05, but --lr_G 1.0 was given.",
    "--phase train --run_dir {run} --seed 5": "error: {run} was trained with --seed 0, but --seed 5 was given.",
    "--phase evaluate --run_dir {run} --device gpu:1": "error: --device gpu:1 is not available: CUDA_VISIBLE_DEVICES",
}


def test_what_is_missing_and_what_is_done_is_said_before_tensorflow_is_imported(tmp_path):
    """Its import takes seconds. All in one process, which answers each command as the program does."""
    run = small.untrained(tmp_path / "run", small.dualgan())
    for name in ("in.png", "in.mp4", "done/in.png"):
        (tmp_path / "run" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "run" / name).write_bytes(b"not looked at")
    program = """
import json, sys
from dualgan.main import main
for line in json.loads(sys.argv[1]):
    sys.argv = ["main", *line]
    try:
        main()
    except SystemExit as ended:
        print(ended.code)
    print("tensorflow.python" in sys.modules)
"""
    lines = [line.format(run=run).split() for line in BEFORE_TENSORFLOW]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    ended = subprocess.run(
        [sys.executable, "-c", program, json.dumps(lines)], capture_output=True, text=True, cwd=small.ROOT, env=env
    )
    answers = ended.stdout.splitlines()
    assert dict(zip(BEFORE_TENSORFLOW, answers[1::2], strict=True)) == dict.fromkeys(BEFORE_TENSORFLOW, "False")
    assert ended.stderr == ""
    for answer, expected in zip(answers[::2], BEFORE_TENSORFLOW.values(), strict=True):
        assert answer.startswith(expected.format(run=run))


def test_settings_of_the_run_folder_are_said_to_be_there():
    with pytest.raises(UserError, match=r"--ngf is for --phase train: --phase export takes it from the run folder"):
        parse(DualGAN, ["main", "--phase", "export", "--output", "x", "--ngf", "3"])
    with pytest.raises(UserError, match=r"--port does not apply to --phase train, only to --phase serve"):
        parse(DualGAN, ["main", "--dataset", "x", "--port", "3"])


@pytest.mark.parametrize("line", ["--direction B2A", "--direction=B2A", "-direction=B2A", "--train_direction B2A"])
def test_what_pix2pix_is_trained_for_has_a_name_of_its_own(line, capsys):
    """--direction was the name of it; it is the ways that a phase walks."""
    request = parse(Pix2Pix, ["main", "--phase", "plan", "--dataset", "x", *line.split()])
    assert request.parts().dual.train_direction == "B2A"
    assert ("--direction was renamed: use --train_direction." in capsys.readouterr().err) == ("train" not in line)
    walked = parse(Pix2Pix, ["main", "--phase", "test", "--dataset", "x", "--direction", "B2A"])
    assert walked.values.direction == "B2A" and walked.values.train_direction == "A2B"
    assert not capsys.readouterr().err
    with pytest.raises(UserError, match="--direction does not apply to --phase train"):
        parse(DualGAN, ["main", "--dataset", "x", "--direction", "B2A"])


def test_a_flagfile_may_have_the_former_name(tmp_path):
    (tmp_path / "mine.flags").write_text("--dataset=x\n--direction=B2A\n")
    with pytest.raises(UserError, match="--direction does not apply to --phase train"):
        parse(DualGAN, ["main", f"--flagfile={tmp_path / 'mine.flags'}"])
    request = parse(Pix2Pix, ["main", f"--flagfile={tmp_path / 'mine.flags'}"])
    assert request.values.train_direction == "B2A"


def test_a_run_of_before_the_name_loads_and_says_the_new_one(tmp_path, capsys):
    dual = Pix2Pix(image_size=64, netG="unet_64", load_size=0, ngf=2, ndf=2, n_layers=1, train_direction="B2A")
    small.untrained(tmp_path, dual)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["dual"].pop("train_direction") == "B2A"
    config["dual"]["direction"] = "B2A"
    (tmp_path / "config.json").write_text(json.dumps(config))
    saved = load_run(tmp_path)
    assert saved.dual == dual and isinstance(saved.images, Images) and isinstance(saved.run, Run)
    load_run(tmp_path)
    told = f"{tmp_path / 'config.json'} has direction, which was renamed to train_direction."
    assert capsys.readouterr().err.count(told) == 1


def test_a_former_name_is_no_value():
    """What follows an equals sign is a value, whatever it looks like."""
    request = parse(Pix2Pix, ["main", "--dataset=--direction"])
    assert request.values.dataset == "--direction" and request.given == {"dataset"}


def test_the_former_name_is_told_once_with_a_preset(capsys):
    parse(Pix2Pix, ["main", "--dataset", "x", "--preset", "demo", "--direction", "B2A"])
    assert capsys.readouterr().err.count("--direction was renamed: use --train_direction.") == 1


@pytest.mark.parametrize(
    ("called", "command"),
    [
        ("/usr/bin/pix2pix", "pix2pix"),
        ("C:/bin/pix2pix.exe", "pix2pix"),
        ("/x/pix2pix/main.py", "python -m pix2pix.main"),
    ],
)
def test_commands_are_shown_as_the_person_calls_them(called, command, capsys):
    command_line.main(Pix2Pix, [called, "--help"])
    assert f"usage: {command} --phase PHASE" in capsys.readouterr().out
    assert parse(Pix2Pix, [called, "--dataset", "x"]).program == command
