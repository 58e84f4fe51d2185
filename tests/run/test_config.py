"""Whatever config.json holds, a run folder is what it says, or it is a sentence that names the place."""

import dataclasses
import functools
import importlib
import json
import re
import typing

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from common import methods, settings
from common.errors import UserError
from common.images import Images
from common.images.folders import Files
from common.images.pixels import EIGHT_BITS, Domain
from common.run import Run
from common.run.folder import load_run, record_run
from common.sizes import Size
from common.weights import Source, import_weights, npz
from dualgan import DualGAN

MODELS = [getattr(importlib.import_module(method.package), method.name) for method in methods.METHODS]
OTHERS = re.compile(r"\b[A-Z]\w+(Error|Exception)\b|unexpected keyword|not subscriptable|codec can't|NoneType")
KINDS = {
    bool: (bool, int),
    int: (int,),
    float: (float, int),
    str: (str,),
    Size: (int, str),
}  # what a setting may be in Python
WRONG = (None, True, "10", "", 1.5, -1, 10**12, 10**18, 10**30, -(10**30), [], [3], {}, {"a": 1}, "a\0b", "\ud800")

anything = some.recursive(
    some.sampled_from(WRONG) | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.text(), inner, max_size=2),
    max_leaves=5,
)


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.__name__)
def run_dir(request, tmp_path_factory):
    """A run folder of a method with its config.json."""
    folder = tmp_path_factory.mktemp("run")
    domains = {"A": Domain(), "B": dataclasses.replace(EIGHT_BITS, dtype="uint16", high=4000.0)}
    record_run(Run(str(folder)), request.param(), Images("none"), Files([], []), domains)
    (folder / "whole.json").write_text((folder / "config.json").read_text())
    return folder


def places(value, path=()):
    """The path of every value in nested tables, theirs too."""
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*path, name))


def changed(run_dir, path, value):
    """Writes config.json with another value at a path."""
    config = json.loads((run_dir / "whole.json").read_text())
    inner = outer = {"": config}
    for name in ("", *path[:-1]):
        inner = inner[name]
    if path:
        inner[path[-1]] = value
    else:
        outer[""] = value
    (run_dir / "config.json").write_text(json.dumps(outer[""]))


@functools.cache
def kinds_of(part):
    """{setting: its type} of a class of settings."""
    return typing.get_type_hints(part)


def loads(run_dir):
    """Whether config.json is loaded, as values of the types of the settings; a refusal is in plain English."""
    try:
        saved = load_run(run_dir)
    except UserError as error:
        assert str(run_dir / "config.json") in str(error) and not OTHERS.search(str(error)), error
        return False
    for part in (saved.dual, saved.images, saved.run):
        kinds = kinds_of(type(part))
        for field in dataclasses.fields(part):
            assert isinstance(getattr(part, field.name), KINDS[kinds[field.name]]), field.name
    assert all(domain.low < domain.high and domain.channels > 0 for domain in saved.domains.values())
    return True


@pytest.mark.thorough
def test_every_value_may_be_any_wrong_one(run_dir):
    """Wrong types, numbers that are too large, nothing at all: at every place of the file, one after the other.

    What is not of the method is the same in all files, and changed in that of the first method.
    """
    assert loads(run_dir)
    whole = json.loads((run_dir / "whole.json").read_text())
    is_first = whole["dual"]["class"] == settings.class_path(MODELS[0])
    for path in places(whole) if is_first else places(whole["dual"], ("dual",)):
        for value in WRONG:
            changed(run_dir, path, value)
            accepted = loads(run_dir)
            before = whole
            for name in path:
                before = before[name]
            if accepted and len(path) > 1 and path[0] in ("dual", "images", "run"):
                is_number = isinstance(before, (int, float)) and not isinstance(before, bool)
                assert isinstance(value, str if isinstance(before, str) else (int, float)), (path, value)
                assert not (is_number and isinstance(value, bool)), (path, value)


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.data())
def test_any_value_anywhere_is_loaded_or_refused(run_dir, data):  # in the files of all methods, 160 in all
    path = data.draw(some.sampled_from([*places(json.loads((run_dir / "whole.json").read_text()))]))
    changed(run_dir, path, data.draw(anything))
    loads(run_dir)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("run", "threads"), 10**12, "run.threads is 1000000000000, but a whole number from 0 to 4,096 is expected"),
        (("run", "steps"), "10", 'run.steps is "10", but a whole number from 0 is expected'),
        (("dual", "flip"), "yes", 'dual.flip is "yes", but true or false is expected'),
        (("dual", "lr_G"), float("nan"), "it has NaN, which is not a JSON number"),
        (("images", "range_A"), 3, "images.range_A is 3, but a text is expected"),
        (("domains", "A", "low"), float("-inf"), "it has -Infinity, which is not a JSON number"),
        (("domains", "A", "low"), 300, "the range of domains.A, from 300 to 255, does not increase"),
        (("domains", "A", "dtype"), "object", 'domains.A.dtype is "object", but one of uint8,'),
        (("domains", "A", "higi"), 3, 'domains.A has "higi", but may only have channels, dtype, low, high'),
        (("domains", "A", "channels"), 4, "domains.A.channels is 4, but dual.channels_A is 3"),
        (("files",), [], "files is a list, but a table of names and values is expected"),
        (("environment", "processes"), "2", 'environment.processes is "2", but a whole number from 1 is expected'),
        (("imported",), 3, "imported is 3, but a table of names and values is expected"),
        (("run", "class"), "common.run:Nothing", "common.run:Nothing is not a settings class"),
        (("dual", "class"), "common.dual:Dual", "common.dual:Dual is not a settings class"),
    ],
)
def test_one_sentence_names_the_place_the_value_and_what_is_expected(run_dir, path, value, message):
    changed(run_dir, path, value)
    with pytest.raises(UserError, match=f"config.json cannot be read as the settings of a run: {re.escape(message)}"):
        load_run(run_dir)


def test_the_settings_in_a_file_of_weights_are_checked_alike(tmp_path):
    dual = {"class": "dualgan:DualGAN"}
    for text in ('{"dual": null}', json.dumps({"dual": {**dual, "depth": 10**12}})):
        npz.write(tmp_path / "weights.npz", text, {})
        with pytest.raises(UserError, match=r"weights\.npz cannot be read as the settings of a run"):
            import_weights(DualGAN, Source(str(tmp_path / "weights.npz")), Run(str(tmp_path / "run")), Images("none"))


def test_a_run_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "run").write_text("kept")
    files, domains = Files([], []), {"A": EIGHT_BITS, "B": EIGHT_BITS}
    with pytest.raises(UserError, match=r"run is a file, but a run needs a folder\. Choose a different --run_dir"):
        record_run(Run(str(tmp_path / "run")), DualGAN(), Images("none"), files, domains)
    assert (tmp_path / "run").read_text() == "kept"
