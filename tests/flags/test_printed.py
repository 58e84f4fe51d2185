"""What the phases print once the work is done, to the last word; the work itself is left out."""

import contextlib
import sys
import types

import pytest

from common.errors import UserError
from common.export import Exported
from common.images import Images
from common.train import Progress
from common.translate import Inference
from common.translate.pipeline import Outcome
from dualgan import DualGAN
from flags import inference_phases, parsing, quiet, training_phases
from flags.phases import PHASES
from flags.request import Request
from tests import small

PROGRAM = "python -m dualgan.main"


def perform(line, model=DualGAN):
    request = parsing.parse(model, ["main", *line.split()])
    PHASES[request.values.phase].perform(request)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with runs of DualGAN and of a method for images of any size, both at step 7."""
    folder = tmp_path_factory.mktemp("runs")
    images = Images("none", data_root=str(folder))
    small.untrained(folder / "mine", small.dualgan(dropout=0.5), images=images)
    small.untrained(folder / "any", small.Pointwise(only="A2B"), images=images)
    return folder


@pytest.fixture
def here(runs, tmp_path, monkeypatch):
    """A working folder with the runs, a picture and a video; TensorFlow is not imported again."""
    for name in ("mine", "any"):
        (tmp_path / name).symlink_to(runs / name)
    for name in ("in.png", "in.mp4"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(quiet, "import_tensorflow", lambda: None)
    monkeypatch.setattr(Images, "validation_files", lambda *_: None)
    monkeypatch.setattr(Images, "refuse_missing", lambda *_: None)
    return monkeypatch


def returning(result, calls=None):
    """A function that returns `result`, and notes how it is called."""

    def function(*arguments, **named):
        if calls is not None:
            calls.append((arguments, named))
        return result

    return function


TABLE = f"{'':<22}{'A2B':>10}{'input':>10}\n{'images':<22}{'1,234':>10}\n{'psnr':<22}{'30.12':>10}{'25.83':>10}\n"
MEANS = {"A2B": {"images": 1234, "psnr": 30.1234, "input_psnr": 25.83}}


@pytest.mark.parametrize("output", ["", "out"])
@pytest.mark.parametrize("count", [0, 2])
def test_a_test_says_where_its_images_and_scores_are(here, capsys, tmp_path, output, count):
    folder, calls, checked = tmp_path / (output or "mine/test"), [], []
    for name in ("B2A", "A2B"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "metrics.csv").touch()
    here.setattr(inference_phases, "test", returning({"step": 12345, "images": count, **MEANS}, calls))
    here.setattr(inference_phases.outputs, "of_test", returning(None, checked))
    perform(f"--phase test --run_dir mine{' --output out' if output else ''}")
    none = "" if count else "No scores: no image of A and B share a name, so there are no pairs to compare.\n"
    report = "" if output else " Report: mine/report.html"
    place = output or "mine/test"
    assert capsys.readouterr().out == (
        f"Step 12,345. Images are in {place}: A2B, B2A.\n{none}{TABLE}Scores per image: {place}/metrics.csv.{report}\n"
    )
    assert calls[0][1] == {"batch_size": 1, "threads": 0, "output": output}
    assert checked == [(("mine", output), {})]  # that nothing of a person is written over


@pytest.mark.parametrize("phase", ["test", "evaluate"])
def test_batches_are_of_one_image_unless_asked_for(here, runs, phase):
    calls = []
    here.setattr(inference_phases, "test", returning({"step": 1, "images": 1}, calls))
    here.setattr(inference_phases, "evaluate", returning({7: MEANS}, calls))
    (runs / "mine" / "test").mkdir(exist_ok=True)
    for more, size in (("", 1), ("--batch_size 3 --threads 2", 3)):
        perform(f"--phase {phase} --run_dir mine {more}")
        assert calls[-1][1]["batch_size"] == size and calls[-1][1]["threads"] == (2 if more else 0)


@pytest.mark.parametrize("output", ["", "my out"])
def test_an_evaluation_has_a_table_for_each_checkpoint(here, capsys, output):
    calls = []
    here.setattr(inference_phases, "evaluate", returning({7: MEANS, 12345: MEANS}, calls))
    request = parsing.parse(
        DualGAN, ["main", "--phase", "evaluate", "--run_dir", "mine", *(["--output", output] if output else [])]
    )
    inference_phases.evaluate_phase(request)
    report = "" if output else " Report: mine/report.html"
    assert capsys.readouterr().out == (
        f"Step 7\n{TABLE}Step 12,345\n{TABLE}Scores per image: {output or 'mine/evaluation'}/metrics.csv.{report}\n"
    )
    assert calls[0][0][0] == "mine" and calls[0][1]["output"] == output


@pytest.mark.parametrize(("output", "elsewhere"), [("", ""), ("my out", " --output 'my out'")])
def test_a_shard_tells_the_command_that_merges_all(here, capsys, output, elsewhere):
    here.setattr(inference_phases, "evaluate", returning({7: {}}))
    line = ["main", "--phase", "evaluate", "--run_dir", "mine", "--shard", "2/4"]
    inference_phases.evaluate_phase(parsing.parse(DualGAN, [*line, *(["--output", output] if output else [])]))
    assert capsys.readouterr().out == (
        f"Evaluated shard 2/4. When all are done: --phase evaluate --run_dir mine --merge 4{elsewhere}\n"
    )


FAILED = [(types.SimpleNamespace(name=f"{number}.png"), f"{number}.png is\nbad.") for number in range(11)]


@pytest.mark.parametrize(
    ("outcome", "printed", "warned"),
    [
        (Outcome(1234, 1, []), "1,234 written to out, 1 skipped, 0 failed.\n", ""),
        (
            Outcome(0, 1000, FAILED[:1]),
            "0 written to out, 1,000 skipped, 1 failed: 0.png.\n",
            "failed: 0.png is\\nbad.\n",
        ),
        (
            Outcome(1, 0, FAILED[:10]),
            f"1 written to out, 0 skipped, 10 failed: {', '.join(f'{n}.png' for n in range(10))}.\n",
            "".join(f"failed: {n}.png is\\nbad.\n" for n in range(10)),
        ),
        (
            Outcome(1, 0, FAILED),
            f"1 written to out, 0 skipped, 11 failed: {', '.join(f'{n}.png' for n in range(10))}, ....\n",
            "".join(f"failed: {n}.png is\\nbad.\n" for n in range(11)),
        ),
        (
            Outcome(9, 0, [], lost={"transparency": 1234}, changed={".jpg as .png": 5678, ".bmp as .png": 1}),
            "Written in another format, because the input's format cannot hold the output: 5,678 .jpg as .png, 1 .bmp"
            " as .png.\nWritten without transparency, which its format or its size cannot hold: 1,234.\n"
            "9 written to out, 0 skipped, 0 failed.\n",
            "",
        ),
    ],
)
def test_a_translation_counts_its_files(here, capsys, outcome, printed, warned):
    here.setattr(inference_phases, "translate", returning(outcome))
    here.setattr(Request, "translator", lambda *_: contextlib.nullcontext())
    line = "--phase translate --run_dir any --input in.png --output out"
    if outcome.failed:
        with pytest.raises(SystemExit) as ended:
            perform(line, small.Pointwise)
        assert ended.value.code == 1
    else:
        perform(line, small.Pointwise)
    assert capsys.readouterr() == (printed, warned)


def test_a_video_is_counted_in_frames(here, capsys):
    calls, made = [], []
    here.setattr(inference_phases.video, "translate_video", returning(1234, calls))
    here.setattr(Request, "translator", lambda *a, **named: made.append(named) or contextlib.nullcontext("translator"))
    perform("--phase translate --run_dir any --input in.mp4 --output out --batch_size 3 --limit 5", small.Pointwise)
    assert capsys.readouterr().out == "1,234 frames written to out/in.mp4.\n"
    assert made == [{"test_dropout": False, "steady": True}]
    ((translator, direction, source, target), named) = calls[0]
    assert (translator, direction, source, str(target)) == ("translator", "A2B", "in.mp4", "out/in.mp4")
    assert named == {"output_size": "original", "batch_size": 3, "limit": 5}


def test_a_flag_for_images_is_refused_for_a_video(here):
    with pytest.raises(UserError) as error:
        perform("--phase translate --run_dir any --input in.mp4 --output out --shard 1/2", small.Pointwise)
    assert str(error.value) == "--shard is for images, but --input in.mp4 is a video. Leave it out."


def described(text, kind="bytes"):
    return types.SimpleNamespace(describe=lambda: text, ported=types.SimpleNamespace(kind=kind))


EXPORTING = "Exporting {} to out and verifying.\n"
PIXELS = (
    "--format onnx cannot take pixels of these types: its input is scaled to [-1, 1]. For pixels, use savedmodel or"
    " frozen.\n"
)
DROPOUT = "Dropout is off in the export; use --test_dropout to keep it, if the format supports random numbers.\n"
RESIZE = "The export resizes nothing, and its networks only saw 32 x 32 pixels: resize your input to that.\n"
END = "Step 12,345, verified on drawn images. Instructions: out/README.md\n"


@pytest.mark.parametrize(
    ("line", "exported", "printed"),
    [
        (
            "--run_dir mine",
            Exported([described("one"), described("two")], [described("three")], "drawn images", 12345),
            f"one\ntwo\nremoved, as it differs too much from the run: three\n{DROPOUT}{RESIZE}",
        ),
        ("--run_dir mine --test_dropout", Exported([described("one")], [], "drawn images", 12345), f"one\n{RESIZE}"),
        (
            "--run_dir mine --notest_dropout",
            Exported([], [], "drawn images", 12345, [described("read")]),
            f"read\n{RESIZE}",
        ),
        (
            "--run_dir any --format onnx",
            Exported([described("one", "float")], [], "drawn images", 12345),
            f"one\n{PIXELS}",
        ),
        ("--run_dir any --format npz", Exported([], [], "drawn images", 12345, [described("read")]), "read\n"),
    ],
)
def test_an_export_says_what_it_cannot_do(here, capsys, line, exported, printed):
    calls = []
    here.setattr(inference_phases, "export", returning(exported, calls))
    perform(f"--phase export {line} --output out --threads 2 --data_root sets")
    place = line.split()[1]
    assert capsys.readouterr().out == f"{EXPORTING.format(place)}{printed}{END}"
    ((run_dir, _, images, inference), named) = calls[0]
    assert (run_dir, images.data_root, inference) == (place, "sets", Inference())
    assert named == {"threads": 2, "test_dropout": line.endswith(" --test_dropout")}


def test_an_export_for_browsers_tells_its_sizes_and_how_to_try_it(here, capsys):
    here.setattr(inference_phases, "export", returning(Exported([described("one")], [], "drawn images", 12345)))
    here.setattr(inference_phases, "web_sizes", returning({"A2B.onnx": 12_345_678, "page": 5000}))
    perform("--phase export --run_dir mine --format web --output out --test_dropout")
    assert capsys.readouterr().out == (
        f"{EXPORTING.format('mine')}one\nSizes: A2B.onnx 12.35 MB, page 0.01 MB. To try it, open http://localhost:8000"
        f" after:\n  python -m http.server --directory out\n{END}"
    )


@pytest.mark.parametrize(("more", "page"), [("", "compare.html"), ("--output x.html", "x.html")])
def test_a_comparison_names_its_page(here, capsys, more, page):
    calls = []
    here.setattr(inference_phases.report, "compare", returning("the page", calls))
    perform(f"--phase compare mine any {more}")
    assert calls == [((["mine", "any"], page), {})]
    assert capsys.readouterr().out == "Compared 2 runs: the page\n"


TRAIN = "--run_dir a_run --dataset none"
LONGER = "Use a larger --steps or --epochs to train further."
NEXT = f"  {PROGRAM} --phase test --run_dir a_run\n"


@pytest.mark.parametrize(
    ("progress", "printed"),
    [
        (
            Progress(0, 1234, 1234),
            f"Trained 1,234 steps.\nA sentence.\nReport: a_run/report.html. Test with:\n{NEXT}",
        ),
        (
            Progress(1000, 1234, 1234, best="step 1100"),
            "Best: step 1100. Use it with --checkpoint best.\nTrained steps 1,001 to 1,234.\nA sentence.\nReport:"
            f" a_run/report.html. Test with:\n{NEXT}",
        ),
        (
            Progress(0, 1000, 1234),
            f"Stopped and saved at step 1,000 of 1,234. Resume with:\n  {PROGRAM} --phase train --run_dir a_run\n",
        ),
        (Progress(0, 1000, 1234, ended="It ended."), "It ended. Use a different --patience to train further.\n"),
        (
            Progress(1234, 1234, 1234),
            f"Nothing to do: a_run has already trained 1,234 steps. {LONGER}\n",
        ),
        (
            Progress(1235, 1235, 1234),
            f"Nothing to do: a_run has already trained 1,235 steps. {LONGER}\n",
        ),
    ],
)
def test_a_training_ends_with_what_comes_next(here, capsys, progress, printed):
    here.setattr(training_phases, "train", returning(progress))
    here.setattr(training_phases.ending, "sentences", returning(["A sentence."]))
    perform(f"{TRAIN} --image_size 32 --depth 2")
    assert capsys.readouterr().out == printed


def test_folders_without_validation_images_are_translated_next(here, capsys):
    here.setattr(training_phases, "train", returning(Progress(0, 1, 1)))
    perform("--run_dir a_run --dir_A photos/A --dir_B photos/B --image_size 32 --depth 2")
    assert capsys.readouterr().out == (
        "Trained 1 steps.\nReport: a_run/report.html. Translate with:\n"
        f"  {PROGRAM} --phase translate --direction A2B --input photos/A --output translated --run_dir a_run\n"
    )


def test_only_the_first_of_several_processes_prints(here, capsys):
    here.setattr(training_phases, "train", returning(Progress(0, 1, 1)))
    for rank, says in ((0, True), (1, False)):
        perform(f"{TRAIN} --image_size 32 --depth 2 --workers a:1,b:2 --rank {rank}")
        assert bool(capsys.readouterr().out) == says


def test_a_command_for_local_workers_is_repeated_for_each(here):
    calls = []
    here.setattr(training_phases, "supervise", returning(5, calls))
    with pytest.raises(SystemExit) as ended:
        perform("--run_dir mine --local_workers 2")
    assert ended.value.code == 5
    ((command, cluster, newest_step), _) = calls[0]
    assert command == [
        *(sys.executable, "-m", "dualgan.main", "--run_dir", "mine", "--local_workers", "2", "--local_workers", "0")
    ]
    assert cluster.local_workers == 2 and newest_step() == 7


@pytest.mark.parametrize(
    ("assumed", "only", "told", "direction"),
    [
        ({}, "B2A", "", ""),
        (
            {"norm": "batch", "ngf": 64},
            "both",
            "Assumed, as the files do not store it: --norm batch, --ngf 64. Use these flags if other values were"
            " trained.\n",
            " --direction A2B",
        ),
    ],
)
def test_an_import_tells_its_networks_and_what_to_do_with_them(here, capsys, assumed, only, told, direction):
    networks = {"A2B/generator": ("a.pth", "unet", 1234), "B2A/generator": ("b.pth", "", 5)}
    imported = types.SimpleNamespace(
        dual=small.dualgan(only=only), networks=networks, assumed=assumed, notes=["A note.", "Another."]
    )
    calls = []
    here.setattr(training_phases, "import_weights", returning(imported, calls))
    perform("--phase import_weights --source in.png --run_dir new --ngf 8 --preset demo")
    assert capsys.readouterr().out == (
        "A2B/generator from a.pth: unet; 1,234 parameters.\nB2A/generator from b.pth: DualGAN; 5 parameters.\n"
        f"{told}A note.\nAnother.\nImported into new. Translate, or train further, with:\n"
        f"  {PROGRAM} --phase translate --run_dir new{direction} --input FOLDER --output FOLDER\n"
        f"  {PROGRAM} --phase train --init_from new --dataset NAME --run_dir FOLDER\n"
    )
    ((model, source, run, images, preset), explicit) = calls[0]
    assert (model, source.source, run.run_dir, images.dataset) == (DualGAN, "in.png", "new", "unknown")
    assert explicit == {"ngf": 8} and preset["ngf"] == 8 and preset["image_size"] == 64
