"""TensorBoard reads back what the run folder holds, each step once."""

import csv
import dataclasses
import io
import json
import resource
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import imageio.v3 as imageio
import numpy as np
import pytest

from common import tensorflow as tf
from common.images import Images, files
from common.run import Run
from common.train import training as training
from common.train.events import Events
from tests import small

SAID = "TensorBoard events could not be written"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a training of six steps, stopped after four and gone on with from the third, and its Run."""
    folder = tmp_path_factory.mktemp("events")
    random = np.random.default_rng(0)
    for name in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(2):
            files.write(folder / "set" / name / f"{number}.png", random.integers(0, 256, [40, 36, 3], np.uint8))
    images, dual = Images("set", data_root=str(folder)), small.Gain(image_size=32)
    run = Run(str(folder / "runs" / "one"), steps=4, log_every=1, save_every=3, sample_every=2)
    training.train(dual, images, run)
    for path in run.path("checkpoints").glob("model-00000004.*"):
        path.unlink()
    run = dataclasses.replace(run, steps=6)
    assert training.train(dual, images, run).began == 3
    return folder / "runs", run


def accumulated(run):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(run.run_dir), {"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


def test_scalars_are_the_rows_of_the_log_each_once(runs):
    _, run = runs
    found = accumulated(run)
    with open(run.path("log.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    names = rows[0].keys() - {"step", "epoch", "images", "seconds"}
    assert {"A2B/critic/adversarial", "learning_rate/generator", "images_per_s", "waiting"} < names
    assert set(found.Tags()["scalars"]) == names
    for name in names:
        events = found.Scalars(name)
        assert [event.step for event in events] == [1, 2, 3, 4, 5, 6]
        rough = {"images_per_s": 0.006, "waiting": 6e-5}.get(name, 0.0)  # digits in log.csv
        expected = [float(row[name]) for row in rows]
        np.testing.assert_allclose([event.value for event in events], expected, rtol=1e-5, atol=rough)


def test_images_are_the_strips(runs):
    _, run = runs
    events = accumulated(run).Images("samples")
    assert [event.step for event in events] == [0, 2, 4, 6]
    for event in events:
        strip = imageio.imread(run.path("samples", f"{event.step:08d}.png"))
        assert (event.height, event.width) == strip.shape[:2]
        np.testing.assert_array_equal(imageio.imread(io.BytesIO(event.encoded_image_string)), strip)


def test_the_text_is_the_config(runs):
    _, run = runs
    *_, event = accumulated(run).Tensors("config")
    text = event.tensor_proto.string_val[0].decode()
    assert all(line.startswith("    ") for line in text.splitlines())
    config = json.loads(text)
    assert config == json.loads(run.path("config.json").read_text())
    assert config["run"]["steps"] == 6


@pytest.mark.slow  # the tests above read the same files by TensorBoard's own reader
def test_tensorboard_shows_it_in_a_browser(runs):
    pytest.importorskip("tensorboard")
    folder, _ = runs
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0", "--host", "127.0.0.1"]
    server = subprocess.Popen([*command, "--load_fast=false"], stderr=subprocess.PIPE, text=True)
    try:
        address = next(word for line in server.stderr for word in line.split() if word.startswith("http://127"))
        tags = _soon(f"{address}data/plugin/scalars/tags")["one"]
        assert {"A2B/critic/adversarial", "learning_rate/critic", "waiting"} < tags.keys()
        query = urllib.parse.urlencode({"run": "one", "tag": "waiting"})
        assert [step for _, step, _ in _soon(f"{address}data/plugin/scalars/scalars?{query}")] == [1, 2, 3, 4, 5, 6]
        assert _soon(f"{address}data/plugin/images/tags")["one"].keys() == {"samples"}
        (shown, *_) = _soon(f"{address}data/plugin/text/text?run=one&tag=config")
        assert "<pre><code>{" in shown["text"]
    finally:
        server.terminate()
        server.communicate()


def _soon(address):
    """What a server answers, as soon as it has read its files."""
    for _ in range(100):
        with urllib.request.urlopen(address) as answer:
            if found := json.load(answer):
                return found
        time.sleep(0.1)
    raise AssertionError(f"nothing at {address}")


@pytest.mark.thorough
def test_none_are_written_where_they_are_not_wanted_or_nothing_is_left_to_do(runs, tmp_path):
    _, run = runs
    before = sorted(run.path().glob("events.*"))
    assert len(before) == 2
    images = Images("set", data_root=str(run.path("..", "..")))
    training.train(small.Gain(image_size=32), images, run)
    assert sorted(run.path().glob("events.*")) == before
    training.train(small.Gain(image_size=32), images, Run(str(tmp_path / "run"), steps=1, tensorboard=False))
    assert not list(tmp_path.glob("run/events.*"))


def written(folder):
    """The events in the only file of a folder, in order."""
    (path,) = folder.glob("events.out.tfevents.*")
    return [tf.Event.FromString(record) for record in tf.python_io.tf_record_iterator(str(path))]


@pytest.mark.parametrize(("done", "first"), [(0, 0), (1, 2), (6, 7)])
def test_what_a_file_begins_with_replaces_the_steps_after_those_done(tmp_path, done, first):
    (tmp_path / "config.json").write_text("{\n}")
    Events(tmp_path, done).close()
    version, start, config = written(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (first, tf.SessionLog.START)
    assert (config.step, config.summary.value[0].tag) == (first, "config")
    assert config.summary.value[0].tensor.string_val == [b"    {\n    }"]
    assert config.summary.value[0].metadata.plugin_data.plugin_name == "text"


def test_events_are_in_the_file_at_once_with_their_time(tmp_path, monkeypatch):
    """Before it is closed: a training may be killed."""
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("common.train.events.time.time", lambda: 1234.5)
    events = Events(tmp_path, 0)
    events.scalars(3, {"loss": 0.5, "rate": 0.25})
    *_, scalars = written(tmp_path)
    assert (scalars.step, scalars.wall_time) == (3, 1234.5)
    assert [(value.tag, value.simple_value) for value in scalars.summary.value] == [("loss", 0.5), ("rate", 0.25)]
    files.write(tmp_path / "strip.png", np.zeros([5, 7, 3], np.uint8))
    events.picture(4, tmp_path / "strip.png")
    *_, picture = written(tmp_path)
    (value,) = picture.summary.value
    assert (picture.step, value.tag, value.image.height, value.image.width) == (4, "samples", 5, 7)
    assert value.image.colorspace == 3  # RGB
    assert value.image.encoded_image_string == (tmp_path / "strip.png").read_bytes()
    events.close()


def test_a_folder_that_cannot_be_written_warns_once(tmp_path, capsys):
    events = Events(tmp_path / "gone", 0)
    events.scalars(1, {"loss": 0.0})
    events.picture(1, tmp_path / "gone.png")
    events.close()
    assert capsys.readouterr().err.count(SAID) == 1


def test_a_full_disk_warns_once(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    events = Events(tmp_path, 0)
    limits, ignored = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        for number in range(100):
            events.scalars(number, {"loss": 0.0})
        events.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert capsys.readouterr().err.count(SAID) == 1
