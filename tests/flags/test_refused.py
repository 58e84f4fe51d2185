"""What is said of a command line that cannot be performed, to the last word; and what just can be."""

import errno
import importlib
import logging
import os
import runpy
import sys

import pytest

from common import methods
from common.cluster.watchdog import RESTART
from common.errors import Restart, UserError
from common.images import Images
from common.tuning import processors
from contrastive import Contrastive
from cyclegan import CycleGAN
from dualgan import DualGAN
from flags import command, fields, parsing, presets, program, quiet, refusals, written
from flags.phases import PHASES
from pix2pix import Pix2Pix
from tests import small


def parse(line, model=DualGAN):
    return parsing.parse(model, ["main", *line.split()])


def said(line, model=DualGAN):
    with pytest.raises(UserError) as error:
        parse(line, model)
    return str(error.value)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "--phase serve --dataset x --ngf 4",
            "--ngf is for --phase train: --phase serve takes it from the run folder. Leave it out.",
        ),
        (
            "--phase export --output x --queue 3",
            "--queue does not apply to --phase export, only to --phase serve. Leave it out.",
        ),
        (
            "--phase train --features x",
            "--features does not apply to --phase train, only to --phase evaluate. Leave it out.",
        ),
        (
            "--phase compare a b --test_dropout",
            "--test_dropout does not apply to --phase compare, only to --phase train, test, evaluate, translate, plan,"
            " check_data, import_weights, export or serve. Leave it out.",
        ),
        (
            "--phase import_weights --keep 3",
            "--keep does not apply to --phase import_weights, only to --phase train, plan or check_data. Leave it out.",
        ),
        ("--image_size 0", "--image_size '0' is not valid: its sides must be from 1 to 65536."),
        ("--image_size 4x65537", "--image_size '4x65537' is not valid: its sides must be from 1 to 65536."),
        (
            "--image_size big",
            "--image_size 'big' is not valid: it must be a number of pixels, or HEIGHTxWIDTH such as 512x256.",
        ),
        ("--patience -1", "--patience '-1' is not valid: it must be a whole number, 0 or more."),
        ("--plateau_factor 1.5", "--plateau_factor '1.5' is not valid: it must be a number from 0.0 to 1.0."),
        ("--kernel 256", "--kernel '256' is not valid: it must be a whole number from 3 to 255."),
        ("--lr 2", "There is no flag --lr. Did you mean --lr_D, --lr_G or --lr_decay_epochs?"
         " Use --phase train --help for a list."),
        ("--ndff 2", "There is no flag --ndff. Did you mean --ndf? Use --phase train --help for a list."),
        ("--qqqqq 2", "There is no flag --qqqqq. Use --phase train --help for a list."),
        ("--phase", "--phase needs a value: write --phase VALUE. Use --help for a list."),
        (
            "--gan_loss wgn",
            "--gan_loss 'wgn' is not valid: it must be one of wgan-gp, wgan, classic, lsgan, hinge. Did you mean wgan?",
        ),
        ("--gan_loss q", "--gan_loss 'q' is not valid: it must be one of wgan-gp, wgan, classic, lsgan, hinge."),
        ("--run_dir --flip", "--run_dir needs a value, but --flip follows. Write --run_dir VALUE."),
        ("-run_dir --ngf=3", "--run_dir needs a value, but --ngf follows. Write --run_dir VALUE."),
        ("test --ngf 3", "'test' has no flag before it: write --phase test."),
        ("3 --ngf 3", "'3' has no flag before it: write --NAME VALUE."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_whole_sentence(line, sentence):
    assert said(line) == sentence


def test_a_method_without_presets_says_so():
    assert said("--dataset x --preset demo", small.Gain) == "gain has no preset demo: it has none; leave out --preset."
    assert said("--dataset x --preset q", Pix2Pix) == (
        f"pix2pix has no preset q: it must be one of {', '.join(presets.names('pix2pix'))}."
    )


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("--flip --run_dir x", {"flip", "run_dir"}),  # a switch has no value
        ("--noflip --dataset x", {"flip", "dataset"}),
        ("--run_dir=--flip", {"run_dir"}),
        ("--dataset --odd", {"dataset"}),  # which is no flag
        ("--image_size 1x65536 --image_size 1", {"image_size"}),
        ("--kernel 3 --kernel 255", {"kernel"}),
        ("--plateau_factor 0 --plateau_factor 1", {"plateau_factor"}),
        ("--channels_A 0 --channels_B auto", {"channels_A", "channels_B"}),
    ],
)
def test_what_is_right_is_taken(line, given):
    assert parse(line).given == given


@pytest.mark.parametrize(("text", "number"), [("auto", 0), ("0", 0), ("7", 7)])
def test_auto_is_zero(text, number):
    assert parse(f"--channels_A {text}").values.channels_A == number


def test_files_without_a_flag_are_a_pattern_only_if_all_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    pattern = "; did the shell expand a pattern? Quote patterns, as in --input 'photos/*.png'."
    assert said("--phase translate --input x a.png") == f"'a.png' has no flag before it{pattern}"
    assert said("--phase translate --input x a.png b.png") == "'a.png' has no flag before it: write --NAME VALUE."
    (tmp_path / "test").touch()
    assert said("test") == f"'test' has no flag before it{pattern}"


def test_what_stands_after_two_hyphens_is_no_flag():
    assert parse("--phase compare a -- --run_dir --flip").stray == ["a", "--run_dir", "--flip"]
    assert written.expanded(["main", "--", "--flagfile", "none"]) == ["main", "--", "--flagfile", "none"]


@pytest.mark.parametrize(
    ("line", "steps", "epochs"),
    [("--steps 3", 3, 0.0), ("--epochs 3", 0, 3.0), ("", 2500, 0.0), ("--steps 3 --epochs 4", 3, 4.0)],
)
def test_a_length_of_ones_own_replaces_that_of_the_preset(line, steps, epochs):
    values = parse(f"--preset demo {line}").values
    assert (values.steps, values.epochs) == (steps, epochs)


def test_steps_replace_the_epochs_of_a_preset(monkeypatch, tmp_path):
    (tmp_path / "dualgan").mkdir()
    (tmp_path / "dualgan" / "long.flags").write_text("# Long.\n--epochs=9\n--ngf=4\n")
    monkeypatch.setattr(presets, "FOLDER", tmp_path)
    values = parse("--preset long --steps 3 --ngf 8").values
    assert (values.steps, values.epochs, values.ngf) == (3, 0.0, 8)
    assert presets.names("dualgan") == ["long"] and presets.summary("dualgan", "long") == "Long."


@pytest.mark.parametrize("depth", [21, 22])
def test_flag_files_may_be_nested_twenty_deep(tmp_path, depth):
    """The first may name another, and so on, twenty times."""
    for number in range(depth):
        inner = "--ngf 7" if number == depth - 1 else f"--flagfile {tmp_path}/{number + 1}"
        (tmp_path / f"{number}").write_text(f"{inner}\n")
    line = f"--flagfile {tmp_path}/0"
    if depth == 21:
        assert parse(line).values.ngf == 7
    else:
        assert said(line) == (f"--flagfile '{tmp_path}/21' includes itself, or more than 20 are nested. Leave it out.")


@pytest.mark.parametrize(
    ("name", "names", "similar"),
    [
        ("LR-g", ["lr_G", "lr_D"], ["lr_G"]),
        ("lr", ["lr_A", "lr_B", "lr_C", "lr_D"], ["lr_A", "lr_B", "lr_C"]),
        ("batchsize", ["image_size", "batch_size"], ["batch_size"]),
        ("lambd", ["lambda_A", "lambda", "seed"], ["lambda", "lambda_A"]),
        ("-", ["a", "b"], []),
        ("seed", ["feed"], ["feed"]),  # three of four letters
        ("seed", ["fee"], []),
    ],
)
def test_names_that_may_be_meant(name, names, similar):
    assert refusals.similar(name, names) == similar


def test_values_that_absl_has_no_words_for_are_told_in_its_own():
    error = ValueError("something else")
    assert refusals.translated(error, [], "plan") == "something else. Use --phase plan --help for a list."
    assert refusals.translated(error, [], None) == "something else. Use --help for a list."


def ended(monkeypatch, error, *argv):
    """How a command ends that raises an error."""

    def perform(request):
        raise error

    monkeypatch.setitem(PHASES, "plan", PHASES["plan"]._replace(perform=perform))
    with pytest.raises(SystemExit) as end:
        command.main(DualGAN, ["main", "--phase", "plan", *argv])
    return end.value.code


ResourceExhaustedError = type("ResourceExhaustedError", (Exception,), {"__module__": "tensorflow.errors"})
FREE = "Free space on its disk, then repeat the same command."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("Wrong\nhere."), "error: Wrong\\nhere."),
        (KeyboardInterrupt(), "Interrupted; existing checkpoints are intact."),
        (OSError(errno.ENOSPC, "No space left", "log.csv"), f"error: log.csv: No space left. {FREE}"),
        (OSError(errno.EDQUOT, "Quota exceeded", "log.csv"), f"error: log.csv: Quota exceeded. {FREE}"),
        (
            OSError(errno.EIO, "Input/output error", "log.csv"),
            "error: log.csv: Input/output error. Use --debug to see the traceback.",
        ),
        (OSError("odd"), "error: A file: odd. Use --debug to see the traceback."),
        (
            ResourceExhaustedError("OOM when allocating"),
            "error: Not enough memory: OOM when allocating. Use a smaller --batch_size, with --accumulate for the same"
            " updates, or a smaller --image_size, or --precision bf16; for large images, use --tile; or close other"
            " programs on the GPU. --phase plan measures the memory of a training.",
        ),
    ],
)
def test_an_error_ends_the_command_with_a_sentence(monkeypatch, error, sentence):
    assert ended(monkeypatch, error) == sentence


def test_a_restart_has_a_code_of_its_own(monkeypatch, capsys):
    assert ended(monkeypatch, Restart("Lost\nb:1.")) == RESTART
    assert capsys.readouterr().err == "error: Lost\\nb:1.\n"


@pytest.mark.parametrize("flag", ["--debug", "-debug", "--debug=true", "--debug=True", "--debug=1"])
def test_with_debug_errors_are_those_of_python(monkeypatch, flag):
    with pytest.raises(OSError, match="odd"):
        ended(monkeypatch, OSError("odd"), flag)
    with pytest.raises(ZeroDivisionError):  # a bug, which is shown in any case
        ended(monkeypatch, ZeroDivisionError())


@pytest.mark.parametrize("name", methods.PACKAGES)
def test_each_program_runs_its_own_method(name, monkeypatch, capsys):
    main = importlib.import_module(f"{name}.main")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    main.main()
    assert capsys.readouterr().out.startswith(f"usage: {name} --phase PHASE [--FLAG VALUE ...]\n")
    runpy.run_path(main.__file__, run_name="__main__")  # as python -m does
    assert capsys.readouterr().out.startswith(f"usage: python -m {name}.main --phase PHASE ")
    runpy.run_path(main.__file__, run_name="imported")
    assert capsys.readouterr().out == ""


def test_broken_tiffs_are_reported_by_the_program_alone(capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger("tifffile"), "level", logging.NOTSET)
    command.main(DualGAN, ["main", "--version"])
    assert logging.getLogger("tifffile").level == logging.CRITICAL


def test_downloads_are_made_before_a_phase_is_performed(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "download", lambda *arguments: asked.append(arguments))
    monkeypatch.setitem(PHASES, "plan", PHASES["plan"]._replace(perform=lambda request: asked.append("performed")))
    line = ["main", "--phase", "plan", "--dataset", "x"]
    command.main(DualGAN, [*line, "--download_from", "http://localhost/x.zip", "--download"])
    command.main(DualGAN, line)
    assert asked == [("x", "datasets", "http://localhost/x.zip"), "performed", "performed"]


@pytest.mark.parametrize(("more", "expected"), [([], "1"), (["--precise"], "0")])
def test_a_precise_run_is_computed_without_onednn(monkeypatch, tmp_path, more, expected):
    for name in ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "TF_USE_LEGACY_KERAS"):
        monkeypatch.setenv(name, "")  # so that it is as it was afterwards
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(processors, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags\t\t: fpu avx2\n")
    monkeypatch.setitem(PHASES, "plan", PHASES["plan"]._replace(perform=lambda request: None))
    command.main(DualGAN, ["main", "--phase", "plan", *more])
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == expected


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_held_back_is_shown_if_something_fails(capfd, fails):
    try:
        with quiet.held_back():
            os.write(2, b"held back\n")
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    os.write(2, b"after\n")
    assert capfd.readouterr().err == ("held back\nafter\n" if fails else "after\n")


@pytest.mark.parametrize(
    ("model", "called", "names"),
    [
        (CycleGAN, "/bin/cyclegan", ("cyclegan", "cyclegan.main", "cyclegan")),
        (CycleGAN, "/bin/other", ("cyclegan", "cyclegan.main", "python -m cyclegan.main")),
        (small.Gain, "/bin/small", ("gain", "tests.small", "python -m tests.small")),
        (small.Gain, "/bin/tests.small", ("gain", "tests.small", "tests.small")),
    ],
)
def test_a_method_has_its_names(model, called, names):
    found = program.model_name(model), program.program_name(model), program.command_name(model, [called])
    assert found == names


def settings_of(line, cls, model=DualGAN):
    return fields.read(cls, parse(line, model).values)


def test_only_the_settings_that_are_named_are_amended():
    values = parse("--dir_A x --dir_B y --limit 5").values
    assert fields.amend(Images("set"), values, {"limit", "ngf"}) == Images("set", limit=5)
    assert settings_of("--dataset x --limit 5", Images) == Images("x", limit=5)
    assert settings_of("", Contrastive, Contrastive) == Contrastive()
