"""Settings are checked, saved and loaded; differences are named."""

import dataclasses
import json
import sys

import pytest

from common import report, settings
from common.errors import UserError
from common.run import Run
from common.settings import FREE, setting
from common.sizes import Size
from dualgan import DualGAN
from tests import small


@dataclasses.dataclass(frozen=True)
class Part:
    """A part."""

    kind: str = setting("round", "Its shape.", ("round", "square"))
    count: int = setting(1, "How many.", minimum=1)
    name: str = setting("", "Its name.", resume=FREE)
    share: float = setting(0.0, "Its share.", minimum=0.0, maximum=1.0)
    decay: float = setting(0.0, "Its decay.", minimum=0.0, below=1.0)

    def __post_init__(self):
        settings.check(self)


def test_values_are_checked():
    with pytest.raises(UserError, match="--kind oval is not valid: it must be one of round, square"):
        Part(kind="oval")
    with pytest.raises(UserError, match="--count 0 is too small: it must be at least 1"):
        Part(count=0)
    with pytest.raises(UserError, match=r"--share 1.5 is too large: it must be at most 1\.0"):
        Part(share=1.5)
    with pytest.raises(UserError, match=r"--decay 1.0 is too large: it must be less than 1\.0"):
        Part(decay=1.0)
    assert Part(count=1, share=1.0, decay=0.9999).share == 1.0


@pytest.mark.parametrize("count", [2**63, 2**64 - 1, 2**20000], ids=int.bit_length)
def test_a_number_that_no_settings_file_can_hold_is_refused(count):
    with pytest.raises(UserError, match="--count has too many digits: it must be at most 9223372036854775807"):
        Part(count=count)


@pytest.mark.parametrize("seed", [2**63, -(2**63), 2**64 - 1])
def test_a_run_whose_seed_no_settings_file_can_hold_is_refused(tmp_path, seed):
    with pytest.raises(UserError, match="--seed has too many digits"):
        Run(str(tmp_path), seed=seed)


@pytest.mark.parametrize("seed", [0, 2**63 - 1, -(2**63) + 1])
def test_a_run_with_the_largest_numbers_is_read_again(tmp_path, seed):
    run = Run(str(tmp_path), seed=seed, steps=10**15 - 1)
    settings.save(tmp_path / "config.json", {}, run=run)
    assert settings.load(tmp_path / "config.json")["run"] == run


def test_a_field_that_is_not_a_setting_is_named():
    @dataclasses.dataclass(frozen=True)
    class Bare(Part):
        weight: float = 2.0

    with pytest.raises(
        UserError, match=r"Bare.weight is not a setting. Define it as weight: .*float.* = setting\(2.0, "
    ):
        Bare()


def test_not_a_number_is_below_every_minimum():
    with pytest.raises(UserError, match="--lambda_A nan"):
        DualGAN(lambda_A=float("nan"))


def test_override_changes_the_default_alone():
    (field,) = (field for field in dataclasses.fields(small.Gain) if field.name == "image_size")
    (inherited,) = (field for field in dataclasses.fields(DualGAN) if field.name == "image_size")
    assert field.default == 2
    assert field.metadata == inherited.metadata


def test_settings_come_back_as_they_were(tmp_path):
    path = tmp_path / "config.json"
    settings.save(path, {"environment": {"tensorflow": "2"}}, dual=DualGAN(lambda_A=3.0), part=Part(count=2))
    assert settings.load(path) == {
        "dual": DualGAN(lambda_A=3.0),
        "part": Part(count=2),
        "environment": {"tensorflow": "2"},
    }
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_differences_say_what_they_do_on_resume():
    assert settings.differences(Part(), Part(count=2, name="x")) == [
        settings.Difference("count", 1, 2, settings.FIXED),
        settings.Difference("name", "", "x", FREE),
    ]
    assert settings.differences(Part(), Part()) == []
    (other,) = settings.differences(Part(), DualGAN())
    assert (other.saved, other.requested) == ("Part", "DualGAN")


@dataclasses.dataclass(frozen=True)
class Later(Part):
    """A part that has a number to choose, a renamed setting, and one that files before it did not have."""

    workers: int = setting(0, "How many work.", minimum=0, resume=settings.WARN, auto=True)
    side: Size = setting(8, "Its side.", minimum=1, maximum=64, formerly="edge")
    smooth: bool = setting(True, "Whether it is smooth.", earlier=False)


def test_a_number_to_choose_matches_every_saved_one():
    assert settings.differences(Later(workers=3), Later(workers=0)) == []
    differences = settings.differences(Later(workers=0), Later(workers=1))
    assert differences == [settings.Difference("workers", 0, 1, settings.WARN)]
    (count,) = settings.differences(Later(share=1.0), Later())  # 0 is a share as any other
    assert count == settings.Difference("share", 1.0, 0.0, settings.FIXED)


def test_the_text_of_a_file_of_settings(tmp_path):
    settings.save(tmp_path / "config.json", {"facts": {"a": [1]}}, part=Part(count=2))
    described = {"class": f"{__name__}:Part", "kind": "round", "count": 2, "name": "", "share": 0.0, "decay": 0.0}
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in described.items())
    facts = '  "facts": {\n    "a": [\n      1\n    ]\n  }'
    assert (tmp_path / "config.json").read_text() == f'{{\n  "part": {{\n{lines}\n  }},\n{facts}\n}}\n'


def test_a_class_is_called_by_the_outermost_package_that_exports_it():
    assert settings.class_path(DualGAN) == "dualgan:DualGAN"
    assert settings.class_path(Run) == "common.run:Run"
    assert settings.class_path(Outer.Inner) == f"{__name__}:Outer.Inner"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kind", "oval", 'is "oval", but one of round, square is expected'),
        ("kind", 3, "is 3, but one of round, square is expected"),
        ("count", 0, "is 0, but a whole number from 1 is expected"),
        ("count", True, "is true, but a whole number from 1 is expected"),
        ("count", 1.0, "is 1.0, but a whole number from 1 is expected"),
        ("name", None, "is null, but a text is expected"),
        ("share", "x", 'is "x", but a finite number from 0.0 to 1.0 is expected'),
        ("share", 1.5, "is 1.5, but a finite number from 0.0 to 1.0 is expected"),
        ("smooth", 2, "is 2, but true or false is expected"),
        ("side", 65, "is 65, but a whole number from 1 to 64 or HEIGHTxWIDTH is expected"),
        ("side", "8x", 'is "8x", but a whole number from 1 to 64 or HEIGHTxWIDTH is expected'),
        ("class", 3, "is 3, but a text is expected"),
    ],
)
def test_a_value_of_another_kind_in_a_file_is_named(name, value, message):
    text = json.dumps({"part": {"class": f"{__name__}:Later", name: value}})
    with pytest.raises(UserError) as error:
        settings.parse(text, "run/config.json")
    problem = f"part.{name} {message}. Correct it, or restore a copy."
    assert str(error.value) == f"run/config.json cannot be read as the settings of a run: {problem}"


def test_files_of_earlier_versions_have_what_they_meant():
    def parsed(**fields):
        return settings.parse(json.dumps({"part": {"class": f"{__name__}:Later", **fields}}), "config.json")["part"]

    assert parsed() == Later(smooth=False) and parsed(smooth=True) == Later()
    assert parsed(edge="8x16") == Later(side="8x16", smooth=False)
    with pytest.raises(UserError, match='it has unknown settings of Later: "edge", "x"'):
        parsed(side=8, edge=8, x=1)


@pytest.mark.parametrize("text", ['{"part": 3}', '{"part": {"count": NaN}}'])
def test_what_a_text_lacks_to_be_settings_is_said_of_its_file(text):
    with pytest.raises(UserError, match=r"^run/config\.json cannot be read as the settings of a run: .* Correct it"):
        settings.parse(text, "run/config.json")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("__main__:Mine", "__main__:Mine was defined in a notebook or in a main program, not in a module. Define Mine"),
        (
            "nowhere:Mine",
            "nowhere:Mine is not a settings class of this project. If it is yours, use `python -m nowhere`",
        ),
        ("common.nowhere:Mine", "There is no module common.nowhere with the settings common.nowhere:Mine."),
        ("common.run:load_run", "common.run:load_run is not a settings class."),
        (f"{__name__}:Outer", f"{__name__}:Outer is not a settings class."),
    ],
)
def test_a_class_that_is_not_to_be_had_is_named(reference, message):
    with pytest.raises(UserError) as error:
        settings.part_class(reference)
    assert str(error.value).startswith(message)


def test_what_does_not_read_is_named(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(UserError, match="is missing"):
        settings.load(path)
    path.write_text("{")
    with pytest.raises(UserError, match="cannot be read as the settings of a run"):
        settings.load(path)
    settings.save(path, {}, part=Part())
    text = json.loads(path.read_text())
    text["part"]["colour"] = "red"
    path.write_text(json.dumps(text))
    with pytest.raises(UserError, match='unknown settings of Part: "colour"'):
        settings.load(path)


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that creates a file when it is imported; yields the path of that file."""
    code = f"import pathlib\npathlib.Path({str(tmp_path / 'sprung')!r}).touch()\nclass Part:\n    pass\n"
    (tmp_path / "trapped.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "sprung"
    sys.modules.pop("trapped", None)


@pytest.mark.parametrize(
    "reference", ["trapped:Part", "trapped", "trapped.part:Part", "antigravity:Part", ":Part", "..os:x"]
)
def test_a_file_does_not_choose_what_is_imported(tmp_path, trap, reference):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"dual": {"class": reference}}))
    with pytest.raises(UserError, match=r"config\.json cannot be read as the settings of a run: .*import .* before\."):
        settings.load(path)
    report.write(tmp_path)
    assert not trap.exists() and "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "reference",
    [
        "os:system",
        "subprocess:Popen",
        "builtins:exec",
        "json:JSONDecoder",
        "common.run.checkpoints:found",
        "common.images.pixels:Domain",  # a dataclass, but not of settings
        "common.settings:part_class",
        "common.nowhere:Part",
        "common:",
    ],
)
def test_nothing_but_settings_is_made_from_a_file(tmp_path, reference):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"dual": {"class": reference, "args": ["touch", str(tmp_path / "sprung")]}}))
    with pytest.raises(UserError, match="cannot be read as the settings of a run"):
        settings.load(path)
    report.write(tmp_path)
    assert not (tmp_path / "sprung").exists()


class Outer:
    """Holds a settings class."""

    @dataclasses.dataclass(frozen=True)
    class Inner(Part):
        """A part of a class."""


def test_a_class_within_a_class_is_found_again(tmp_path):
    settings.save(tmp_path / "config.json", {}, part=Outer.Inner(count=3))
    assert settings.load(tmp_path / "config.json") == {"part": Outer.Inner(count=3)}
    for name in ("Outer.Missing", "Outer.__doc__", "sys.modules", "Outer.__init__.__globals__"):
        with pytest.raises(UserError, match="is not a settings class"):
            settings.part_class(f"{__name__}:{name}")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"dual": ' * 100_000, '{"dual": null}', '{"dual": {"class": 3}}', "3"]
)
def test_any_text_is_settings_or_an_error(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match="cannot be read as the settings of a run"):
        settings.load(tmp_path / "config.json")


def test_a_part_of_one_s_own_is_found_once_it_is_imported(tmp_path):
    settings.save(tmp_path / "config.json", {}, part=Part(count=3))
    assert settings.part_class(f"{__name__}:Part") is Part
    assert settings.load(tmp_path / "config.json") == {"part": Part(count=3)}
