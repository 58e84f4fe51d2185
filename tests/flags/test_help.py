"""What --help shows: every flag once, in groups by need, in 80 columns, with examples that run."""

import dataclasses
import re
import shlex
import subprocess
import sys

import pytest

from common.dual import PublishedNetworks
from common.methods import METHODS
from common.settings import FREE, setting
from contrastive import Contrastive
from cyclegan import CycleGAN
from docs.reference import dual_class
from dualgan import DualGAN
from enhancement import Enhancement
from examples.geometry import GcGAN
from flags import command, groups, help, listing, parsing
from flags.phases import PHASES, all_classes
from pix2pix import Pix2Pix
from tests.small import ROOT

DUALS = [dual_class(method) for method in METHODS]
WIDTH = 80


def flags_shown(page):
    """The names of the flags in a page, in its order."""
    return re.findall(r"^  --(?:\[no\])?(\w+)", page, flags=re.MULTILINE)


def headings(page):
    """{heading: flags below it} of a page."""
    parts = re.split(r"^(\S.*)\n(?=  --)", page, flags=re.MULTILINE)[1:]
    return {title: flags_shown(body) for title, body in zip(parts[::2], parts[1::2])}


def examples(page):
    """The arguments of the commands at the end of a page."""
    lines = page.partition("\nExamples\n")[2].replace("\\\n", " ").splitlines()
    return [shlex.split(line)[3:] for line in lines if line.startswith("    python -m ")]


def shown_by(argv, capsys):
    command.main(CycleGAN, ["main", *argv.split()])
    return capsys.readouterr().out


def test_help_comes_without_what_takes_long():
    """A second is the limit; imports are what would take longer, whatever the machine does beside it."""
    script = """
import sys
from dualgan.main import main
for arguments in (["--help"], ["--phase", "train", "--help"], ["--helpfull"]):
    sys.argv = ["main", *arguments]
    main()
    print("imported:", any(name in sys.modules for name in ("tensorflow", "scipy", "keras")))
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert ended.stdout.count("usage: ") == ended.stdout.count("\nimported: False\n") == 3


@pytest.mark.parametrize("model", DUALS)
def test_every_setting_is_in_exactly_one_group(model):
    listed = [name for names in groups.GROUPS.values() for name in names]
    assert len(listed) == len(set(listed))
    assert {field.name for cls in all_classes(model) for field in dataclasses.fields(cls)} <= set(listed)


def test_the_tables_name_settings_that_there_are():
    names = {field.name for model in DUALS for cls in all_classes(model) for field in dataclasses.fields(cls)}
    assert {name for members in groups.GROUPS.values() for name in members} == names
    assert set(groups.FIRST) <= names and set(groups.VALUES) <= names
    assert {title for phase in PHASES.values() for title in phase.first} <= set(groups.GROUPS)
    for phase in PHASES.values():
        assert set(phase.meanings) <= phase.takes(DualGAN) and set(phase.without).isdisjoint(phase.meanings)


@dataclasses.dataclass(frozen=True)
class Own(PublishedNetworks):
    """A method of one's own."""

    sharpness: float = setting(1.0, "Weight of the sharpness. More is sharper.", minimum=0.0)
    lambda_A: float = setting(3.0, "Weight of the cycle.", minimum=0.0)


def test_settings_of_a_dual_of_ones_own_are_those_of_the_method():
    page = headings(help.phase_page(Own, "train"))
    assert page["Method"] == ["sharpness"] and page["Losses"][:2] == ["gan_loss", "lambda_A"]
    assert "  --sharpness X               Weight of the sharpness [1.0]\n" in help.first_page(Own)
    assert headings(help.phase_page(GcGAN, "train"))["Method"] == ["train_direction", "geometry", "lambda_geometry"]


@pytest.mark.parametrize("model", [*DUALS, GcGAN])
@pytest.mark.parametrize("name", PHASES)
def test_help_of_a_phase_shows_what_it_takes_and_no_more(model, name):
    page = help.phase_page(model, name)
    fixed = {field.name for field in dataclasses.fields(model) if field.metadata["resume"] != FREE}
    taken = PHASES[name].takes(model) - {"phase"}
    expected = taken - fixed if PHASES[name].from_run else taken  # those of the run are fixed
    if listed := PHASES[name].listed:
        assert "Takes all other flags of --phase train" in page
        assert set(listed) - {"lambda_pairs"} <= taken  # only the enhancement has it
        expected = taken & set(listed)
    shown = flags_shown(page)
    assert set(shown) == expected and len(shown) == len(set(shown))
    assert " ".join(page.split()).partition(f"{name}: {PHASES[name].about}.")[1]
    assert [flag for members in headings(page).values() for flag in members] == shown
    assert list(headings(page))[: len(PHASES[name].first)] == list(PHASES[name].first)


@pytest.mark.parametrize("model", [*DUALS, GcGAN])
def test_full_help_shows_every_flag_with_each_of_its_meanings(model):
    page = help.full_page(model)
    variants = listing.variants(model)
    assert set(variants) == set().union(*(phase.takes(model) for phase in PHASES.values()))
    shown = flags_shown(page)
    assert {name: shown.count(name) for name in shown} == {name: len(flags) for name, flags in variants.items()}
    text = " ".join(page.split())
    assert all(flag.about in text for flags in variants.values() for flag in flags)
    assert "--phase export: savedmodel: for TensorFlow" in text
    assert list(headings(page)) == [title for title in groups.GROUPS if title in headings(page)]


@pytest.mark.parametrize("model", [*DUALS, GcGAN])
def test_pages_are_80_columns_wide(model):
    pages = [help.first_page(model), help.full_page(model), *(help.phase_page(model, name) for name in PHASES)]
    for page in pages:
        assert all(len(line) <= WIDTH and line == line.rstrip() for line in page.splitlines())
        assert page.endswith("\n") and "\n\n\n" not in page


@pytest.mark.parametrize("model", DUALS)
def test_the_first_page_is_two_screens_at_most(model):
    page = help.first_page(model)
    assert len(page.splitlines()) <= 60
    for name in PHASES:
        assert f"\n  {name} " in page
    of_method = {"layer", "pretrained"} if model is Enhancement else set()
    of_method |= {"train_direction"} if model in (Contrastive, Pix2Pix) else set()
    common = {"dataset", "dir_A", "dir_B", "run_dir", "preset", "image_size", "n_gen", "steps", "n_epochs", "device"}
    assert common | of_method <= set(flags_shown(page))
    assert {"layer", "pretrained", "train_direction"} & set(flags_shown(page)) == of_method
    for line in re.findall(r"^  --.*$", page, flags=re.MULTILINE):
        assert re.fullmatch(r"  --\S+( \S+)? {1,30}\S.*", line)  # each flag and its meaning in one line


def test_the_first_page_names_the_folders_of_a_dataset_and_the_other_methods():
    page = " ".join(help.first_page(CycleGAN).split())
    assert "--dataset NAME Folder in datasets/: train/A, train/B, val/A, val/B; or toy" in page
    assert "Other methods: dualgan.main, pix2pix.main, contrastive.main, enhancement.main. " in page
    assert "cyclegan.main, pix2pix.main" in help.first_page(GcGAN)


@pytest.mark.parametrize("model", [*DUALS, GcGAN])
@pytest.mark.parametrize("name", [*PHASES, None])
def test_examples_run_as_they_stand(model, name):
    page = help.phase_page(model, name) if name else help.first_page(model)
    commands = examples(page)
    assert commands
    for arguments in commands:
        request = parsing.parse(model, ["main", *arguments])
        assert request.values.phase == (name or request.values.phase)
        if request.values.phase in ("train", "plan", "check_data") and request.given & {"dataset", "dir_A"}:
            request.parts()
        if request.values.phase == "translate":
            assert request.values.direction in model().learned_directions


def test_a_value_has_a_name():
    page = help.phase_page(CycleGAN, "train")
    assert (
        "\n  --image_size N|HxW  [256, fixed]\n      Height and width in pixels of training images: one number" in page
    )
    assert "\n  --[no]flip  [true, fixed]\n" in page and "\n  --channels_A N|auto  [3, fixed]\n" in page
    assert "\n  --dir_A FOLDER  [place]\n" in page and "\n  --lr_G X  [0.0002, fixed]\n" in page
    assert (
        "\n  --lr_policy constant|linear|linear_early|linear_torch|step|cosine|plateau\n      [linear, fixed] Factor"
        in page
    )
    assert "\n  --phase PHASE" not in page and "whether you may change" in page
    assert "\n  --batch_size N  [1]\n      Images of one size" in help.phase_page(CycleGAN, "translate")


def test_choices_too_long_for_a_line_are_below_it():
    flag = listing.Flag("mode", str, "a" * 30, tuple(letter * 30 for letter in "abc"), False, FREE, "", "", "How.")
    lines = help._entry(flag, False).splitlines()
    assert lines[0] == f"  --mode CHOICE  [{'a' * 30}]" and "CHOICE is one of aaaa" in lines[1]
    assert all(len(line) <= WIDTH for line in lines)


@pytest.mark.parametrize(
    ("limits", "valid"),
    [
        ({}, ""),
        ({"minimum": 0}, "0 or more"),
        ({"minimum": 1, "maximum": 2**20}, "1 to 1,048,576"),
        ({"minimum": 0, "maximum": 16, "auto": True}, "auto, or 1 to 16"),
        ({"minimum": 0.0, "maximum": 1.0}, "0 to 1"),
        ({"minimum": 1e-3}, "0.001 or more"),
        ({"minimum": 0.0, "below": 1.0}, "0 or more, less than 1"),
    ],
)
def test_ranges_in_words(limits, valid):
    numbers = dataclasses.make_dataclass("Numbers", [("number", int, setting(1, "Number.", **limits))])
    assert [flag.valid for flag in listing.flags_of_class(numbers)] == [valid]


def test_the_flags_of_help(capsys):
    first = shown_by("--help", capsys)
    assert first == help.first_page(CycleGAN) == shown_by("-h", capsys) == shown_by("--phase --help", capsys)
    for line in (
        "serve --help",
        "--help serve",
        "--help --phase serve",
        "--phase=serve --help",
        "-h --phase serve",
        "--phase serve --port 3 -h",
    ):
        assert shown_by(line, capsys) == help.phase_page(CycleGAN, "serve")
    for line in ("--helpfull", "--helpshort", "--phase serve --helpfull"):
        assert shown_by(line, capsys) == help.full_page(CycleGAN)
    with pytest.raises(SystemExit) as ended:
        command.main(CycleGAN, ["main", "--help", "--phase", "trian"])
    assert str(ended.value.code).endswith("export, serve. Did you mean train?")


@pytest.mark.parametrize("columns", [60, pytest.param(200, marks=pytest.mark.thorough)])
def test_the_width_of_the_terminal_and_pipes_change_nothing(columns):
    line = f"COLUMNS={columns} {sys.executable} -m cyclegan.main --helpfull | head -n 3"
    ended = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True)
    assert ended.stdout == "".join(help.full_page(CycleGAN).splitlines(keepends=True)[:3]) and not ended.stderr
