"""What a command line asks for: which run, which settings, and how it is translated."""

import pytest

from common.errors import UserError
from common.images import Images
from common.translate import Inference
from common.translate.jobs import Translation
from dualgan import DualGAN
from enhancement import Enhancement
from flags import inference_phases, quiet, request
from flags.parsing import parse
from tests import small


def asked(line, model=DualGAN):
    return parse(model, ["main", *line.split()])


def said(call):
    with pytest.raises(UserError) as error:
        call()
    return str(error.value)


TRANSLATE = "--phase translate --run_dir x --input i --output o"


@pytest.fixture
def translators(monkeypatch):
    """What translates: (kind, arguments, options)."""
    calls = []
    for kind in ("Translator", "TiledTranslator"):
        monkeypatch.setattr(
            request, kind, lambda *arguments, kind=kind, **named: calls.append((kind, arguments, named))
        )
    return calls


@pytest.mark.parametrize(
    ("more", "kind", "own", "threads", "dropout"),
    [
        ("", "Translator", [], None, None),
        ("--threads 3 --test_dropout", "Translator", [], 3, True),
        ("--threads 0 --notest_dropout", "Translator", [], 0, False),
        ("--tile 64", "TiledTranslator", [64, None], None, None),
        ("--tile 64 --tile_overlap 8 --threads 2", "TiledTranslator", [64, 8], 2, None),
    ],
)
def test_images_are_translated_whole_unless_tiles_are_asked_for(translators, more, kind, own, threads, dropout):
    found = asked(f"{TRANSLATE} {more}")
    found.translator("runs/x", found.read(Translation))
    if kind == "TiledTranslator":
        arguments, steady = ("runs/x", *own, Inference()), {}
    else:
        arguments, steady = ("runs/x", Inference()), {"steady": False}
    assert translators == [(kind, arguments, {"threads": threads, "test_dropout": dropout, "warns": False, **steady})]


def test_a_flag_beats_what_a_phase_would_do_about_dropout(translators):
    for line, dropout in ((TRANSLATE, False), (f"{TRANSLATE} --test_dropout", True)):
        asked(line).translator("x", None, test_dropout=False, steady=True)
        assert translators[-1][0] == "Translator"
        assert translators[-1][2] == {"threads": None, "test_dropout": dropout, "warns": False, "steady": True}


def test_a_run_is_named_once(monkeypatch):
    monkeypatch.setattr(quiet, "import_tensorflow", lambda: None)
    monkeypatch.setattr(request, "pretrained", lambda name, model: f"network {name} of {model.__name__}")
    monkeypatch.setattr(request.shipped, "find", lambda name, model: None)
    translate = "--phase translate --input i --output o"
    assert asked(f"{translate} --run_dir x").trained_run_dir() == "x"
    assert asked(f"{translate} --dataset toy").trained_run_dir() == "runs/dualgan-toy"
    named = asked(f"{translate} --pretrained rain", Enhancement)
    assert named.trained_run_dir() == "network rain of Enhancement"
    for line, sentence in (
        ("--run_dir x --dataset y", "--run_dir and --dataset both name the run. Use one of them."),
        (
            "--pretrained rain --run_dir x",
            "--pretrained rain replaces a run, but --run_dir names one. Use one of them.",
        ),
        (
            "--pretrained rain --dataset x",
            "--pretrained rain replaces a run, but --dataset names one. Use one of them.",
        ),
        (
            "",
            "No run named: use --dataset NAME (toy needs no files), --run_dir FOLDER, or --dir_A and --dir_B.",
        ),
    ):
        assert said(asked(f"{translate} {line}", Enhancement).trained_run_dir) == sentence


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("--dataset toy", "runs/dualgan-toy"),
        ("--dataset some/where/set", "runs/dualgan-set"),
        ("--dir_A one/old --dir_B two/new", "runs/dualgan-old-new"),
        ("--dataset toy --run_dir x", "x"),
    ],
)
def test_a_run_folder_has_the_name_of_the_images_unless_it_has_its_own(line, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert asked(line).parts().run.run_dir == folder


def test_a_folder_without_a_run_may_be_misspelt(tmp_path):
    place = tmp_path / "none"
    new = said(asked(f"--run_dir {place} --seed 3").parts)
    assert new.startswith(f"There is no run in {place} to resume. For a new run: Missing --dataset. ")
    assert said(asked(f"--run_dir {place} --dir_A x").parts).startswith("--dir_A needs --dir_B")


@pytest.mark.parametrize(
    ("more", "steps", "epochs"), [("", 9, 0.0), ("--epochs 4", 0, 4.0), ("--steps 5", 5, 0.0), ("--keep 3", 9, 0.0)]
)
def test_a_new_length_takes_the_place_of_the_one_before(tmp_path, more, steps, epochs):
    small.untrained(tmp_path, small.Gain(), images=Images("none"))
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"steps": 0', '"steps": 9'))
    run = asked(f"--run_dir {tmp_path} {more}", small.Gain).parts().run
    assert (run.steps, run.epochs) == (steps, epochs)


def test_settings_of_a_saved_run_change_only_if_they_are_given(tmp_path):
    small.untrained(tmp_path, small.Gain(rate=0.25, image_size=4), images=Images("none", limit=3))
    parts = asked(f"--run_dir {tmp_path} --limit 7 --save_every 5 --lambda_A 3", small.Gain).parts()
    assert parts.dual == small.Gain(rate=0.25, image_size=4, lambda_A=3.0)
    assert (parts.images.limit, parts.run.save_every, parts.run.keep) == (7, 5, 2)


@pytest.mark.parametrize(("more", "imported"), [("", 1), ("--debug", 0)])
def test_tensorflow_is_imported_in_silence_unless_errors_are_looked_for(monkeypatch, more, imported):
    calls = []
    monkeypatch.setattr(quiet, "import_tensorflow", lambda: calls.append(1))
    asked(f"--dataset x {more}").import_tensorflow()
    assert len(calls) == imported


class Stood:
    """A run that is served, without its networks."""

    def __init__(self, run_dir, about, load, newest):
        self.run_dir, self.about, self.load, self.newest, self.closed = run_dir, about, load, newest, False

    def close(self):
        self.closed = True


def test_runs_are_served_one_beside_the_other_until_the_server_ends(tmp_path, monkeypatch):
    for name, side in (("one", 32), ("two", 64)):
        small.untrained(tmp_path / name, small.Gain(image_size=side), images=Images("none", data_root="/nowhere"))
    monkeypatch.setattr(quiet, "import_tensorflow", lambda: None)
    monkeypatch.setattr(inference_phases, "Served", Stood)
    monkeypatch.setattr(inference_phases.about, "of_run", lambda *arguments, **named: (arguments, named))
    monkeypatch.setattr(inference_phases, "warmed", lambda translator, sides: (translator, sides))
    monkeypatch.setattr(request.Request, "translator", lambda request, run_dir: f"translator of {run_dir}")
    served = []

    def serve(runs, service):
        served.append((runs, service, [run.closed for run in runs], [run.load() for run in runs]))

    monkeypatch.setattr(inference_phases, "serve", serve)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    inference_phases.serve_phase(
        asked(f"--phase serve {one} {two} --port 1234 --samples 3 --data_root sets", small.Gain)
    )
    ((runs, service, closed, loaded),) = served
    assert [run.run_dir for run in runs] == [one, two] and service.port == 1234
    assert closed == [False, False] and [run.closed for run in runs] == [True, True]
    assert loaded == [(f"translator of {one}", (32, 32)), (f"translator of {two}", (64, 64))]
    for run, side in zip(runs, (32, 64)):
        ((saved, samples), named) = run.about
        assert (saved.dual.image_size, saved.images.data_root, samples, named) == (
            side,
            "sets",
            3,
            {"has_report": True},
        )
        assert run.newest() is not None


@pytest.mark.parametrize(("checkpoint", "has"), [("7", True), ("8", False), ("latest", True)])
def test_a_step_that_is_not_there_is_refused_before_anything_is_served(tmp_path, monkeypatch, checkpoint, has):
    place, served = small.untrained(tmp_path / "run", small.Gain(), images=Images("none")), []
    monkeypatch.setattr(quiet, "import_tensorflow", lambda: None)
    monkeypatch.setattr(inference_phases, "Served", Stood)
    monkeypatch.setattr(inference_phases.about, "of_run", lambda *_, **__: None)
    monkeypatch.setattr(inference_phases, "serve", lambda *_: served.append(1))
    found = asked(f"--phase serve {place} --checkpoint {checkpoint}", small.Gain)
    if has:
        inference_phases.serve_phase(found)
    else:
        assert said(lambda: inference_phases.serve_phase(found)) == (
            f"{place} has no checkpoint of step 8: it has 7 (see --keep and --keep_every)."
        )
    assert bool(served) == has
