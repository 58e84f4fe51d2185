"""How the pages of help are laid out: where lines break, what stands in brackets, and which examples are shown."""

import dataclasses

import pytest

from common.settings import FREE, setting
from cyclegan import CycleGAN
from dualgan import DualGAN
from enhancement import Enhancement
from flags import groups, help, listing, presets
from flags.phases import PHASES, Example, Phase
from tests import small

TYPES = {"N|auto": (int, True), "X": (float, False), "TEXT": (str, False), "": (bool, False)}


def flag(name="thing", values="TEXT", default="", choices=(), about="What it is.", resume=FREE):
    kind, auto = TYPES[values]
    return listing.Flag(name, kind, default, choices, auto, resume, "", "", about)


@pytest.mark.parametrize(
    ("shown", "with_resume", "lines"),
    [
        (flag(), False, ["  --thing TEXT", "      What it is."]),
        (flag(), True, ["  --thing TEXT  [free]", "      What it is."]),
        (flag(values="", default="true"), False, ["  --[no]thing  [true]", "      What it is."]),
        (flag(values="N|auto", default="0"), True, ["  --thing N|auto  [0, free]", "      What it is."]),
        (flag(default="d" * 62), False, [f"  --thing TEXT  [{'d' * 62}]", "      What it is."]),  # 80 columns
        (flag(default="d" * 63), False, ["  --thing TEXT", f"      [{'d' * 63}] What it", "      is."]),
        (flag(choices=("a" * 34, "b" * 35)), False, [f"  --thing {'a' * 34}|{'b' * 35}", "      What it is."]),
        (
            flag(choices=("a" * 35, "b" * 35)),
            False,
            ["  --thing CHOICE", f"      What it is. CHOICE is one of {'a' * 35},", f"      {'b' * 35}."],
        ),
        (flag(about=f"{'a' * 40} {'b' * 33}"), False, ["  --thing TEXT", f"      {'a' * 40} {'b' * 33}"]),
        (flag(about=f"{'a' * 40} {'b' * 34}"), False, ["  --thing TEXT", f"      {'a' * 40}", f"      {'b' * 34}"]),
    ],
)
def test_a_flag_is_written_with_its_values_and_its_default(shown, with_resume, lines):
    assert help._entry(shown, with_resume).splitlines() == lines


def test_a_flag_that_means_something_else_in_a_phase_names_the_phase():
    assert help._entry(flag(default="1"), False, "--phase test: ") == (
        "  --thing TEXT  [1]\n      --phase test: What it is.\n"
    )


def test_phases_share_a_meaning_in_the_full_help():
    text = " ".join(help.full_page(DualGAN).split())
    assert "--source FILE,... --phase import_weights: " in text
    assert "--output PATH --phase test: Folder to write to; default: test/ in the run folder." in text
    assert "--port N [8000] --phase serve: " in text
    assert "--lr_G X [5e-05, fixed] Learning rate of the generators." in text  # of --phase train


@pytest.mark.parametrize(
    ("name", "about", "lines"),
    [
        ("short", "few words", ["  short           few words"]),
        ("n" * 15, "few words", [f"  {'n' * 15} few words"]),
        ("n" * 16, "few words", [f"  {'n' * 16}", f"{'':18}few words"]),
        ("short", f"{'a' * 30} {'b' * 31}", [f"  short           {'a' * 30} {'b' * 31}"]),  # 80 columns
        ("short", f"{'a' * 30} {'b' * 32}", [f"  short           {'a' * 30}", f"{'':18}{'b' * 32}"]),
        ("short", "well-known", ["  short           well-known"]),
    ],
)
def test_a_name_stands_beside_its_meaning(name, about, lines, monkeypatch):
    """As those of phases, in 16 columns."""
    monkeypatch.setattr(help, "PHASES", {"train": PHASES["train"], name: Phase(f"{about}: and more", print)})
    monkeypatch.setattr(help, "FIRST_EXAMPLES", {})
    text = help.first_page(CycleGAN).partition("\nPhases\n")[2].partition("\n\nFlags to begin with")[0]
    assert text.splitlines()[1:] == lines


@dataclasses.dataclass(frozen=True)
class Own(small.Gain):
    """A method of one's own.

    With more about it.
    """

    some_quite_long_name: float = setting(0.0, "First sentence. Second.")
    mode: str = setting("a", "What it does; and how.", ("a", "b"))
    plain: str = setting("", "Nothing more")


def test_the_first_page_of_a_method_of_ones_own_has_its_settings():
    lines = help.first_page(Own).splitlines()
    assert lines[:2] == ["usage: python -m tests.flags.test_help_layout --phase PHASE [--FLAG VALUE ...]", ""]
    assert lines[2] == "Own: A method of one's own."
    assert "  --rate X                    Learning rate [0.5]" in lines
    assert "  --some_quite_long_name X    First sentence [0.0]" in lines
    assert "  --mode a|b                  What it does [a]" in lines
    assert "  --plain TEXT                Nothing more" in lines
    assert not [line for line in lines if line.startswith(("  --preset", "  --pretrained", "Presets: "))]


def test_presets_and_pretrained_networks_are_named_where_there_are_any():
    own, rain = help.first_page(DualGAN), help.first_page(Enhancement)
    assert f"\nPresets: {', '.join(presets.names('dualgan'))}.\n" in own
    assert "  --preset NAME  " in own and "  --pretrained NAME  " not in own
    assert "  --pretrained NAME  " in rain
    assert "--phase translate --pretrained " in rain and "--phase translate --run_dir runs/mine " in own


@pytest.mark.parametrize("model", [CycleGAN, Enhancement, Own])
def test_the_first_page_ends_with_examples_of_the_most_common_phases(model):
    page = help.first_page(model).partition("\nExamples\n")[2]
    abouts = [line.strip() for line in page.splitlines() if line.startswith("  ") and line[2] != " "]
    phases = ("train", "train", "train", "test", "translate", "export")
    numbers = (0, 1, 2, 0, 0, 0)
    assert abouts == [PHASES[name].examples[number].about for name, number in zip(phases, numbers)]


@pytest.mark.parametrize("name", PHASES)
def test_each_phase_shows_all_of_its_examples(name):
    page = help.phase_page(CycleGAN, name).partition("\nExamples\n")[2]
    assert page.count("    python -m cyclegan.main --phase") == len(PHASES[name].examples)
    assert [f"  {example.about}" for example in PHASES[name].examples] == [
        line for line in page.splitlines() if line[2] != " "
    ]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ("--phase plan --a 1", ["    own --phase plan --a 1"]),
        # "    own --phase plan --a " is 25 columns wide; a continued line ends with a space and a backslash
        (f"--phase plan --a {'x' * 53}", [f"    own --phase plan --a {'x' * 53}"]),
        (f"--phase plan --a {'x' * 54}", ["    own --phase plan \\", f"        --a {'x' * 54}"]),
        (f"--phase plan --a {'x' * 53} --b", [f"    own --phase plan --a {'x' * 53} \\", "        --b"]),
    ],
)
def test_long_commands_go_on_in_the_next_line(arguments, lines, monkeypatch):
    monkeypatch.setitem(PHASES, "plan", PHASES["plan"]._replace(examples=(Example("About:", arguments),)))
    page = help.phase_page(CycleGAN, "plan", "own")
    assert page.partition("\nExamples\n  About:\n")[2].splitlines() == lines


def test_a_command_names_the_networks_and_settings_of_its_method(monkeypatch):
    monkeypatch.setitem(PHASES, "plan", PHASES["plan"]._replace(examples=(Example("About:", "{network}{demo} --end"),)))
    for model, expected in (
        (CycleGAN, "own --run_dir runs/mine --preset demo --end"),
        (Own, "own --run_dir runs/mine --end"),
    ):
        assert help.phase_page(model, "plan", "own").endswith(f"\n  About:\n    {expected}\n")
    assert " --pretrained rain" in help.phase_page(Enhancement, "plan", "own")


def test_usage_breaks_between_arguments():
    command = f"python -m {'m' * 40}"
    assert help.full_page(CycleGAN, command).splitlines()[:3] == [
        f"usage: {command} --phase PHASE",
        "       [--FLAG VALUE ...]",
        "",
    ]
    runs = {name: help.phase_page(CycleGAN, name, "own").splitlines()[0] for name in ("plan", "compare", "serve")}
    assert runs == {
        "plan": "usage: own --phase plan [--FLAG VALUE ...]",
        "compare": "usage: own --phase compare RUN_DIR RUN_DIR ... [--FLAG VALUE ...]",
        "serve": "usage: own --phase serve [RUN_DIR ...] [--FLAG VALUE ...]",
    }


def after_about(name):
    """What a page says between the meaning of its phase and its flags."""
    return " ".join(help.phase_page(CycleGAN, name).split("\n\n")[2].split())


def test_pages_say_where_other_settings_come_from():
    default = "In brackets: the default."
    assert after_about("test") == f"All other settings come from the run folder. {default}"
    assert after_about("plan") == after_about("compare") == default
    assert after_about("check_data") == (
        "Takes all other flags of --phase train, too, so that you can repeat its command; the result does not depend on"
        f" them. {default}"
    )
    assert after_about("train").startswith("In brackets: the default, and whether you may change the setting when")


@pytest.mark.parametrize(("name", "has"), [("train", True), ("plan", True), ("import_weights", True), ("test", False)])
def test_presets_are_listed_where_they_may_be_named(name, has):
    page = help.phase_page(CycleGAN, name)
    assert ("\nPresets, for --preset\n" in page) == has
    if has:
        shown = page.partition("\nPresets, for --preset\n")[2].partition("\n\n")[0]
        names = [line.split()[0] for line in shown.splitlines() if line[2] != " "]
        assert names == presets.names("cyclegan")
    assert "\nPresets, for --preset\n" not in help.phase_page(Own, name)
    assert "\n--flagfile FILE reads flags from a file, with # before comments.\n\nExamples\n" in page


def test_settings_of_no_group_follow_those_of_the_method():
    grouped = groups.grouped(["b_own", "seed", "layer", "a_own", "run_dir"], first=("Run",))
    assert list(grouped.items()) == [("Run", ["run_dir", "seed"]), ("Method", ["layer", "b_own", "a_own"])]
    assert groups.unlisted(["b_own", "seed", "layer"]) == ["b_own"]
    assert groups.group_of("seed") == "Run" and groups.group_of("b_own") == groups.group_of("layer") == "Method"
    assert list(groups.grouped(["seed", "dataset"], first=("Data",))) == ["Data", "Run"]


@pytest.mark.parametrize(
    ("setting_of", "values", "written"),
    [
        (lambda: setting(True, "It."), "", "--[no]it"),
        (lambda: setting(1, "It.", minimum=0, auto=True), "N|auto", "--it"),
        (lambda: setting(1, "It.", (1, 2)), "1|2", "--it"),
        (lambda: setting(1.5, "It."), "X", "--it"),
        (lambda: setting("x", "It."), "TEXT", "--it"),
    ],
)
def test_values_are_called_by_their_type(setting_of, values, written):
    default = setting_of()
    kind = type(default.default)
    (shown,) = listing.flags_of_class(dataclasses.make_dataclass("Part", [("it", kind, default)]))
    assert (shown.values, shown.written) == (values, written)
    assert shown.default == str(default.default).lower()


def test_sizes_and_paths_have_names_of_their_own():
    shown = listing.flags_of("train", CycleGAN)
    assert {name: shown[name].values for name in ("image_size", "dir_A", "workers", "range_A")} == {
        **{"image_size": "N|HxW", "dir_A": "FOLDER", "workers": "HOST:PORT,...", "range_A": "LOW,HIGH"}
    }
    assert (shown["image_size"].valid, shown["keep"].valid, shown["beta1"].valid) == (
        *("1 to 65,536", "1 or more", "0 or more, less than 1"),
    )
    assert shown["epochs"].valid == "0 to 1e+18"
