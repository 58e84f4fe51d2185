"""An image that needs more memory than there is, is refused before the system ends the process."""

import itertools
import math

import numpy as np
import pytest

from common.errors import UserError
from common.images import files
from common.translate import TiledTranslator, Translator, memory, pipeline
from common.translate.jobs import Translation
from common.translate.memory import Footprint
from pix2pix import Pix2Pix
from tests import small

MEMINFO = "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    4000000 kB\nSwapFree:  50 kB\n"
MB = 10**6


@pytest.fixture
def machine(monkeypatch):
    """A process of 100 MB on a machine where 900 MB are free; images of more than 20 x 20 pixels are large."""
    state = {"resident": 100 * MB, "available": 900 * MB}
    for name in state:
        monkeypatch.setattr(memory, name, lambda name=name: state[name])
    monkeypatch.setattr(memory, "LARGE", 400)
    monkeypatch.setattr(memory, "PROBE", 100)
    monkeypatch.setattr(memory, "PROBE_ROWS", 10)
    return state


class Translations:
    """Translations on a machine, of one MB a pixel, which is kept for the next."""

    def __init__(self, machine):
        self.machine, self.kept, self.calls, self.footprint = machine, 0, [], Footprint()

    def __call__(self, count, height, width):
        shape = (count, height, width)
        return self.footprint.within(shape, lambda: self.translate(*shape), lambda *part: self.translate(1, *part))

    def translate(self, *shape):
        more = max(0, math.prod(shape) * MB - self.kept)
        self.kept += more
        if self.machine["resident"] is not None:
            self.machine["resident"] += more
        if self.machine["available"] is not None:
            self.machine["available"] -= more
        self.calls.append(shape)
        return "translated"


def test_a_large_image_is_refused_if_it_needs_more_than_there_is(machine):
    large = Translations(machine)
    with pytest.raises(
        UserError,
        match=r"46 x 20 pixels need about 0\.9 GB of memory, but 0\.9 GB are available\. Use tiles .*--tile 1024",
    ):
        large(1, 46, 20)
    assert large.calls == [(1, 10, 10)]  # PROBE pixels of it
    assert large(1, 45, 20) == "translated"
    assert large.calls == [(1, 10, 10), (1, 45, 20)]


def test_a_batch_that_needs_too_much_may_fit_in_parts(machine):
    text = r"3 images of 20 x 20 pixels need about 1\.2 GB .* Use a smaller --batch_size\."
    with pytest.raises(UserError, match=text):
        Translations(machine)(3, 20, 20)


@pytest.mark.parametrize("shape, part", [((1, 4, 200), (1, 4, 25)), ((1, 200, 4), (1, 10, 4))])
def test_the_part_that_is_measured_lies_within_the_image(machine, shape, part):
    translations = Translations(machine)
    translations(*shape)
    assert translations.calls == [part, shape]


def test_images_that_are_not_large_are_neither_measured_nor_refused(machine):
    machine["available"] = 0
    translations = Translations(machine)
    assert translations(1, 20, 20) == "translated"
    assert translations.calls == [(1, 20, 20)]


def test_what_earlier_images_took_tells_what_a_larger_one_takes(machine):
    translations = Translations(machine)
    translations(1, 5, 5)
    translations(1, 10, 10)
    machine["resident"] += 300 * MB  # of something else
    with pytest.raises(UserError, match=r"40 x 30 pixels need about 1\.2 GB of memory, but 0\.9 GB are"):
        translations(1, 40, 30)
    translations(1, 20, 30)
    machine["available"] = 0
    translations(1, 20, 30)  # in the memory of the one before
    assert translations.calls == [(1, 5, 5), (1, 10, 10), (1, 20, 30), (1, 20, 30)]


@pytest.mark.parametrize("unknown", ["resident", "available"])
def test_nothing_is_refused_where_the_system_does_not_tell(machine, unknown):
    machine[unknown] = None
    assert Translations(machine)(1, 100, 100) == "translated"


@pytest.mark.parametrize(
    "container, expected",
    [
        ({}, 4_000_050 * 1024),
        ({"memory.max": "max\n", "memory.current": "5\n", "memory.stat": "inactive_file 2\n"}, 4_000_050 * 1024),
        ({"memory.max": "900\n", "memory.current": "500\n", "memory.stat": "file 7\ninactive_file 20\n"}, 420),
        ({"memory.max": "900\n", "memory.current": "950\n", "memory.stat": "file 7\n"}, 0),
        (
            {
                "memory/memory.limit_in_bytes": "900",
                "memory/memory.usage_in_bytes": "500",
                "memory/memory.stat": "inactive_file 20\n",
            },
            420,
        ),
    ],
)
def test_what_is_available_is_that_of_the_machine_or_of_the_container(tmp_path, container, expected):
    contents = {"proc/meminfo": MEMINFO, **{f"sys/fs/cgroup/{name}": text for name, text in container.items()}}
    for name, text in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory.available(tmp_path) == expected


def test_a_system_that_is_not_linux_says_nothing(tmp_path):
    assert memory.available(tmp_path) is None
    assert memory.resident(tmp_path) is None


def test_a_process_holds_what_it_has_written():
    """64 MiB, so that other allocations do not matter."""
    before = memory.resident()
    held = np.ones(2**23)
    assert held.nbytes * 0.9 < memory.resident() - before < held.nbytes * 1.5


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, one_block):
    shape = {"image_size": 32, "load_size": 0, "ngf": 2, "ndf": 2, "n_layers": 1}
    dual = Pix2Pix(**shape, netG="resnet_6blocks", norm="instance", dropout=0.0, antialias=False)
    path = tmp_path_factory.mktemp("memory") / "run"
    small.untrained(path, dual)
    return str(path)


@pytest.fixture
def crowded(monkeypatch):
    """A machine without free memory, where images of more than 32 x 32 pixels are large; a call takes a GB."""
    held = itertools.count(0, 10**9)
    for name, value in {"available": lambda: 0, "resident": lambda: next(held), "LARGE": 1024, "PROBE": 1024}.items():
        monkeypatch.setattr(memory, name, value)


@pytest.mark.usefixtures("crowded")
def test_only_the_image_that_does_not_fit_fails(run_dir, tmp_path):
    for name, side in (("large", 64), ("small", 32)):
        files.write(tmp_path / "in" / f"{name}.png", np.zeros([side, side, 3], np.uint8))
    options = Translation(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    with Translator(run_dir) as translator:
        outcome = pipeline.translate(translator, "A2B", options.jobs(), options)
        with pytest.raises(UserError, match="64 x 64 pixels need about"):
            translator.in_floats("A2B", np.zeros([64, 64, 3], np.uint8))
    ((path, sentence),) = outcome.failed
    assert path.name == "large.png" and f"{path}: 64 x 64 pixels need about" in sentence
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small.png"]


@pytest.mark.usefixtures("crowded")
def test_tiles_are_not_refused(run_dir):
    with TiledTranslator(run_dir, 48, 4) as translator:
        assert translator("A2B", np.zeros([64, 64, 3], np.uint8)).shape == (64, 64, 3)
