"""How long a run is, which settings of it contradict each other, and which processes may resume it."""

import dataclasses
import json
import pathlib

import pytest

from common.documents import Misfit
from common.errors import UserError
from common.images import Images
from common.images.folders import Files
from common.images.pixels import EIGHT_BITS, Domain
from common.run import Run
from common.run.folder import (
    domains_of,
    load_run,
    load_trained,
    record_run,
    refuse_contradictions,
    refuse_other_processes,
    with_same_total,
)
from tests import small


@pytest.mark.parametrize(
    ("run", "dual", "processes", "steps"),
    [
        ({}, {"n_epochs": 3, "n_epochs_decay": 2}, 1, 50),  # 5 epochs of 10 images
        ({"epochs": 4.0}, {"n_epochs": 3, "n_epochs_decay": 2}, 1, 40),
        ({"batch_size": 3}, {"n_epochs": 3}, 1, 10),
        ({"batch_size": 3}, {"n_epochs": 1}, 1, 4),  # 3, 3, 3, 1
        ({"batch_size": 2, "accumulate": 5}, {"n_epochs": 3}, 1, 3),
        ({}, {"n_epochs": 6, "n_critic": 2, "n_gen": 3}, 1, 20),  # 3 batches in a step
        ({}, {"n_epochs": 6, "n_critic": 2, "n_gen": 3, "fresh_batches": False}, 1, 30),
        ({}, {"n_epochs": 4}, 2, 20),
        ({"steps": 7}, {"n_epochs": 4}, 2, 7),
    ],
)
def test_a_run_is_as_long_as_its_epochs_or_its_steps(run, dual, processes, steps):
    assert Run("x", **run).total_steps(small.Gain(**dual), 10, processes) == steps


def test_images_are_counted_in_an_update_and_in_a_step():
    run, dual = Run("x", batch_size=2, accumulate=3), small.Gain(n_critic=5)
    assert run.images_in_update == 6
    assert run.images_in_step(dual) == 30 and run.images_in_step(dual, 4) == 120


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"run_dir": ""}, "A run needs a folder: use --run_dir."),
        ({"patience": 1}, "--patience needs evaluations: use --eval_every, too."),
        ({"select_by": "psnr"}, "--select_by needs evaluations: use --eval_every, too."),
        ({"init_from": "x"}, "--init_from x is the run itself. Choose a different --run_dir."),
        (
            {"tune": True, "precise": True},
            "--tune selects the fastest algorithms, and --precise those that round least. Use one of them.",
        ),
        (
            {"steps": 3, "epochs": 2.5},
            "--steps 3 and --epochs 2.5 both set the length. Use one of them.",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_named(fields, said):
    with pytest.raises(UserError) as error:
        Run(**{"run_dir": "x", **fields})
    assert str(error.value) == said


@pytest.mark.parametrize(
    "fields",
    [
        {"patience": 1, "select_by": "psnr", "eval_every": 5},
        {"init_from": "y"},
        {"tune": True},
        {"precise": True},
        {"steps": 3},
        {"epochs": 2.5},
    ],
)
def test_settings_that_agree_are_taken(fields):
    run = Run("x", **fields)
    assert {name: getattr(run, name) for name in fields} == fields


def history(tmp_path, table, text):
    (tmp_path / f"{table}.csv").write_text(text)
    return Run(str(tmp_path)).history(table)


def test_a_history_has_a_column_for_each_name(tmp_path):
    columns = history(tmp_path, "log", "step,loss\n10,0.5\n20,\n")
    assert columns["step"].tolist() == [10, 20]
    assert columns["loss"][0] == 0.5 and columns["loss"][1] != columns["loss"][1]


@pytest.mark.parametrize(("table", "cure"), [("log", "train the run"), ("evaluation", "train with eval_every")])
def test_a_history_without_rows_names_what_fills_it(tmp_path, table, cure):
    with pytest.raises(UserError) as error:
        history(tmp_path, table, "step,loss\n")
    assert str(error.value) == f"{tmp_path}/{table}.csv has no rows yet: {cure}."
    with pytest.raises(UserError) as error:
        Run(str(tmp_path)).history("health")
    assert str(error.value) == "history('health') is not valid: must be 'log' or 'evaluation'."


def recorded(folder, dual=None, **fields):
    """The folder of a run with a checkpoint, as by so many `processes`."""
    processes = fields.pop("processes", 1)
    run = Run(str(folder / "run"), **fields)
    domains = {"A": EIGHT_BITS, "B": EIGHT_BITS}
    record_run(run, dual or small.Gain(), Images("none"), Files([], []), domains, processes=processes)
    run.path("checkpoints").mkdir()
    run.path("checkpoints", "model-00000001.index").touch()
    return run


@pytest.mark.parametrize(
    ("processes", "accumulate", "batch_size"),
    [(1, 1, 24), (2, 1, 12), (1, 2, 12), (2, 3, 4), (4, 6, 1), (5, 1, 1), (3, 16, 1)],
)
def test_processes_share_the_images_of_before_if_they_can(tmp_path, processes, accumulate, batch_size):
    """Two processes with batches of 4, three times: 24 images."""
    recorded(tmp_path, batch_size=4, accumulate=3, processes=2)
    run = Run(str(tmp_path / "run"), accumulate=accumulate)
    assert with_same_total(run, processes) == dataclasses.replace(run, batch_size=batch_size)


def test_a_new_run_keeps_its_batch_size(tmp_path):
    run = Run(str(tmp_path), batch_size=7)
    assert with_same_total(run, 2) is run


def test_other_processes_need_as_many_images(tmp_path):
    recorded(tmp_path, batch_size=4, accumulate=3, processes=2)
    place = str(tmp_path / "run")
    refuse_other_processes(place, Run(place, batch_size=6), 4)
    refuse_other_processes(place, Run(place, batch_size=5), 2)  # a setting, which is another function's
    with pytest.raises(UserError) as error:
        refuse_other_processes(place, Run(place, batch_size=5), 4)
    assert str(error.value) == (
        f"{place} was trained with batches of 24 images (2 x --batch_size 4 x --accumulate 3), but now they have 20"
        " (4 x --batch_size 5). Use the same total to resume. Or start a new run in a new --run_dir, afresh or with"
        f" its weights: --init_from {place}."
    )


def test_batches_may_differ_with_another_number_of_processes_alone(tmp_path):
    place = str(recorded(tmp_path, batch_size=4, processes=2).path())
    refuse_contradictions(place, small.Gain(), run=Run(place, batch_size=2), processes=4)
    with pytest.raises(UserError, match="was trained with --batch_size 4, but --batch_size 2 was given"):
        refuse_contradictions(place, small.Gain(), run=Run(place, batch_size=2), processes=2)
    with pytest.raises(UserError, match="was trained with --seed 0, but --seed 1 was given"):
        refuse_contradictions(place, small.Gain(), run=Run(place, batch_size=2, seed=1), processes=4)


@pytest.mark.parametrize("policy", ["plateau", "constant"])
def test_what_selects_the_best_is_fixed_where_rates_depend_on_it(tmp_path, policy):
    dual = small.Gain(lr_policy=policy)
    place = str(recorded(tmp_path, dual, eval_every=2, select_by="psnr").path())
    other = Run(place, eval_every=2, select_by="ssim")
    if policy == "constant":
        refuse_contradictions(place, dual, run=other)
        return
    with pytest.raises(UserError) as error:
        refuse_contradictions(place, dual, run=other)
    assert str(error.value) == (
        f"{place} was trained with --select_by psnr, but --select_by ssim was given. Leave it out to keep the saved"
        " value. Or start a new run in a new --run_dir, afresh or with its weights: --init_from"
        f" {place}."
    )


def test_only_what_has_changed_around_a_run_is_told(tmp_path):
    run = recorded(tmp_path, threads=1)
    parts = small.Gain(), Images("none"), Files([], []), {"A": EIGHT_BITS, "B": EIGHT_BITS}
    assert record_run(run, *parts) == []
    assert record_run(dataclasses.replace(run, threads=2), *parts, processes=3) == [
        "threads was 1 and is 2 now",
        "processes was 1 and is 3 now",
    ]
    config = json.loads(run.path("config.json").read_text())
    del config["environment"]["arithmetic"], config["environment"]["processes"]  # as in the first versions
    run.path("config.json").write_text(json.dumps(config))
    changes = record_run(dataclasses.replace(run, threads=2), *parts)
    assert changes == ["arithmetic was 1 and is 2 now"]


def test_a_run_without_checkpoints_has_no_earlier_surroundings(tmp_path):
    run = recorded(tmp_path, threads=1)
    run.path("checkpoints", "model-00000001.index").unlink()
    parts = small.Gain(), Images("none"), Files([], []), {"A": EIGHT_BITS, "B": EIGHT_BITS}
    assert record_run(dataclasses.replace(run, threads=2), *parts) == []


def test_where_weights_and_algorithms_come_from_is_recorded_if_it_is_known(tmp_path):
    run = Run(str(tmp_path))
    parts = small.Gain(), Images("none"), Files([], []), {"A": EIGHT_BITS, "B": EIGHT_BITS}
    record_run(run, *parts)
    saved = load_run(tmp_path)
    assert saved.imported is None and dict(saved.algorithms) == {}
    record_run(run, *parts, imported={}, algorithms={"conv": "winograd"})
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["imported"] == {} and content["algorithms"] == {"conv": "winograd"}


INDEX, DATA = "model-0000000{}.index", "model-0000000{}.data-00000-of-00001"


@pytest.mark.parametrize(
    ("files", "lacking", "others"),
    [
        (["1.data-00000-of-00001"], [INDEX.format(1)], False),
        (["1.sha256", "2.data-00000-of-00001"], [INDEX.format(1), DATA.format(1), INDEX.format(2)], False),
        (["1.sha256", "2.sha256"], [INDEX.format(1), DATA.format(1), INDEX.format(2)], True),
        (["1.rank-1-of-2.index"], [DATA.format("1.rank-1-of-2")], False),
    ],
)
def test_up_to_three_missing_files_of_checkpoints_are_named(tmp_path, files, lacking, others):
    (tmp_path / "checkpoints").mkdir()
    for name in files:
        (tmp_path / "checkpoints" / f"model-0000000{name}").touch()
    with pytest.raises(UserError) as error:
        load_trained(tmp_path)
    missing = f"{', '.join(lacking)}{' and others' if others else ''} {'is' if len(lacking) == 1 else 'are'} missing"
    assert str(error.value) == (
        f"There is no trained run in {tmp_path}: {missing} from its checkpoints, so the folder may be copied in part."
        " Copy all of checkpoints/."
    )


PALETTE = {"encoding": "palette", "values": "00 01", "colours": "000000 ffffff"}


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        (
            {"channels": 1, "classes": {**PALETTE, "colours": "000000 ffffff 00ff00"}},
            "domains.A.classes has 2 values and 3 colours, which must be RGB for each value",
        ),
        (
            {"channels": 1, "classes": {**PALETTE, "colours": "00 ff"}},
            "domains.A.classes has 2 values and 2 colours, which must be RGB for each value",
        ),
        (
            {"channels": 3, "classes": PALETTE},
            "domains.A.classes has values of 1 channels of uint8, unlike domains.A",
        ),
        (
            {"channels": 1, "dtype": "uint16", "classes": PALETTE},
            "domains.A.classes has values of 1 channels of uint8, unlike domains.A",
        ),
        ({"channels": 4}, "domains.A.channels is 4, but dual.channels_A is 2"),
        (
            {"channels": 2, "low": 5.0, "high": 5.0},
            "the range of domains.A, from 5 to 5, does not increase",
        ),
    ],
)
def test_a_description_of_images_that_contradicts_itself_is_named(domain, said):
    with pytest.raises(Misfit) as error:
        domains_of(small.Gain(channels_A=2), {"A": domain})
    assert str(error.value) == said


def test_a_description_of_images_that_fits_is_taken():
    dual = small.Gain(channels_A=0, channels_B=7)
    found = domains_of(dual, {"A": {"channels": 1, "classes": PALETTE}, "B": {"channels": 7, "low": 5.0, "high": 5.1}})
    assert found["A"].classes.table.tolist() == [[0], [1]]
    assert found["A"].classes.palette.tolist() == [[0, 0, 0], [255, 255, 255]]
    assert found["B"] == Domain(7, low=5.0, high=5.1)
    assert domains_of(dual, {})["B"] == Domain(7)


def test_paths_are_those_of_the_folder():
    assert Run("some/run").path("a", "b.csv") == pathlib.Path("some/run/a/b.csv")


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ({"channels": 65537}, "domains.A.channels is 65537, but a whole number from 1 to 65,536 is expected"),
        ({"channels": 0}, "domains.A.channels is 0, but a whole number from 1 to 65,536 is expected"),
    ],
)
def test_channels_that_no_image_has_are_refused(domain, expected):
    dual = small.Gain(channels_A=0)
    with pytest.raises(Misfit) as error:
        domains_of(dual, {"A": domain})
    assert str(error.value) == expected
    assert domains_of(dual, {"A": {"channels": 65536}})["A"].channels == 65536
