"""An image that needs more memory than there is, is refused before the system ends the process."""

import concurrent.futures
import itertools
import math
import sys
import time

import numpy as np
import pytest

from common.errors import UserError
from common.images import files
from common.translate import Inference, TiledTranslator, Translator, memory, pipeline
from common.translate.jobs import Translation
from common.translate.memory import Footprint
from pix2pix import Pix2Pix
from tests import small

MEMINFO = "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    4000000 kB\nSwapFree:  50 kB\n"
MB = 10**6
GB = 1000 * 1000 * 1024  # as the system counts it


@pytest.fixture
def machine(monkeypatch):
    """A process of 100 MB on a machine where 800 MB are free; more than 400 pixels are large, and 100 are measured."""
    state = {"resident": 100 * MB, "peak": 5000 * MB, "available": 800 * MB}
    for name in state:
        monkeypatch.setattr(memory, name, lambda name=name: state[name])
    monkeypatch.setattr(memory, "forget_peak", lambda: state.update(peak=state["resident"]))
    for name, value in {"LARGE": 400, "PROBE": 100, "PROBE_SIDE": 10, "TELLING": 50, "FIRST": 3, "SURE": 1.0}.items():
        monkeypatch.setattr(memory, name, value)
    return state


class Translations:
    """Translations of one MB a pixel, which is kept for the next or given back, and of 50 MB more for the first."""

    def __init__(self, machine, keeps=True):
        self.machine, self.keeps, self.kept, self.calls, self.footprint = machine, keeps, 0, [], Footprint()

    def __call__(self, *shape):
        return self.footprint.within(shape, lambda: self.translate(shape), self.translate)

    def translate(self, shape):
        self.take(0 if self.calls else 50)
        more = max(0, math.prod(shape) - self.kept)
        self.take(more)
        if self.keeps:
            self.kept += more
        else:
            self.take(-more)
        self.calls.append(shape)
        return "translated"

    def take(self, megabytes):
        self.machine["resident"] += megabytes * MB
        self.machine["peak"] = max(self.machine["peak"], self.machine["resident"])
        self.machine["available"] -= megabytes * MB


@pytest.mark.parametrize(("keeps", "most"), [(True, 40), (False, 37)])
def test_a_large_image_is_refused_if_it_needs_more_than_there_is(machine, keeps, most):
    """750 MB are left after the 50 of the first. If those of its 3 x 3 pixels are kept, the 10 x 10 that are measured
    take only 91 MB more, and 741 MB are available to 0.91 MB a pixel."""
    translations = Translations(machine, keeps)
    with pytest.raises(
        UserError, match=rf"^{most + 1} x 20 pixels need about 0\.[78] GB of memory, but 0\.[78] GB are"
    ):
        translations(1, most + 1, 20)
    assert translations.calls == [(1, 3, 3), (1, 10, 10)]
    assert translations(1, most, 20) == "translated"


def test_what_is_refused_has_a_cure(machine):
    translations = Translations(machine)
    with pytest.raises(UserError, match=r"Use --phase translate with --tile 1024, or a smaller size \(--scale_to\)\.$"):
        translations(1, 90, 20)
    text = r"^3 images of 20 x 20 pixels need about 1\.1 GB .* Use a smaller --batch_size\.$"
    with pytest.raises(UserError, match=text):
        translations(3, 20, 20)


def test_a_little_more_than_there_is_may_fit(machine, monkeypatch):
    """Estimates may be too high by a fifth."""
    monkeypatch.setattr(memory, "SURE", 1.25)
    translations = Translations(machine, keeps=False)
    with pytest.raises(UserError):
        translations(1, 47, 20)  # 940 MB, where 750 are free
    assert translations(1, 46, 20) == "translated"


@pytest.mark.parametrize(
    ("shape", "first", "part"),
    [
        ((1, 4, 200), (1, 3, 3), (1, 4, 25)),
        ((1, 200, 4), (1, 3, 3), (1, 25, 4)),
        ((1, 60, 50), (1, 3, 3), (1, 10, 10)),
        ((1, 7, 90), (1, 3, 3), (1, 7, 14)),
        ((300, 2, 2), (1, 2, 2), (25, 2, 2)),
        ((3, 20, 20), (1, 3, 3), (1, 10, 10)),
    ],
)
def test_the_part_that_is_measured_has_a_hundred_pixels_of_the_images(machine, shape, first, part):
    machine["available"] = 10**12
    translations = Translations(machine)
    translations(*shape)
    assert translations.calls == [first, part, shape]


def test_images_that_are_not_large_are_neither_measured_nor_refused(machine):
    machine["available"] = 0
    translations = Translations(machine)
    assert translations(1, 20, 20) == "translated"
    assert translations.calls == [(1, 20, 20)]


def test_what_earlier_images_took_tells_what_a_larger_one_takes(machine):
    translations = Translations(machine)
    translations(1, 5, 5)
    translations(1, 10, 10)
    translations.take(300)  # for something else
    with pytest.raises(UserError, match=r"40 x 30 pixels need about 1\.8 GB of memory, but 0\.5 GB are"):
        translations(1, 40, 30)  # at 1.5 MB a pixel, with the 50 of the first
    translations(1, 20, 20)
    translations(1, 20, 21)
    machine["available"] = 0
    translations(1, 20, 21)  # in the memory of the one before
    assert translations.calls == [(1, 5, 5), (1, 10, 10), (1, 20, 20), (1, 20, 21), (1, 20, 21)]


def test_the_peak_of_the_process_is_left_alone_by_small_images(machine):
    translations = Translations(machine, keeps=False)
    translations(1, 7, 7)
    assert machine["peak"] == 5000 * MB
    translations(1, 10, 10)
    assert machine["peak"] == 250 * MB


def test_memory_that_small_images_have_left_is_part_of_what_larger_ones_take(machine):
    translations = Translations(machine)
    translations(1, 7, 7)
    with pytest.raises(UserError, match=r"37 x 40 pixels need about 2\.2 GB"):  # 150 MB for 10 x 10, with the first 50
        translations(1, 37, 40)


def test_what_others_take_during_many_translations_does_not_add_up(machine):
    machine["available"] = 10**12
    translations = Translations(machine)
    translations(1, 20, 20)
    for _ in range(20):
        translations.footprint.within((1, 20, 20), lambda: translations.take(20), translations.translate)
    machine["available"] = 200 * MB
    assert translations(1, 20, 25) == "translated"


def test_large_images_are_translated_one_at_a_time(machine):
    """Otherwise each of them would find memory that the others are about to take."""
    machine["available"] = 10**12
    footprint, running, most = Footprint(), [], []

    def translate():
        running.append(None)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for side in (21, 22, 23, 23, 23, 23):
            threads.submit(footprint.within, (1, side, side), translate, lambda shape: None)
    assert most == [1] * 6


@pytest.mark.parametrize("unknown", ["resident", "peak", "available"])
def test_nothing_is_refused_where_the_system_does_not_tell(machine, monkeypatch, unknown):
    monkeypatch.setattr(memory, unknown, lambda: None)
    assert Translations(machine)(1, 100, 100) == "translated"


V1 = "memory/job/memory."  # below sys/fs/cgroup


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("", {}, 4 * GB),
        ("", {"memory.max": "max\n", "memory.current": "5\n", "memory.stat": "inactive_file 2\n"}, 4 * GB),
        (
            "",
            {"memory.max": "900\n", "memory.current": "500\n", "memory.stat": "inactive_file 20\nactive_file 3\n"},
            423,
        ),
        ("", {"memory.max": "900\n", "memory.current": "950\n", "memory.stat": "file 7\n"}, 0),
        ("0::/a/b\n", {"a/memory.max": "9", "a/memory.current": "2", "a/memory.stat": ""}, 7),
        ("0::/a/b\n", {"a/b/memory.max": "9", "a/b/memory.current": "2", "a/b/memory.stat": ""}, 7),
        ("0::/../a\n0:odd\nodd", {"a/memory.max": "9", "a/memory.current": "2"}, 7),  # without counts
        ("0::/a/b\n", {"c/memory.max": "9", "c/memory.current": "2", "c/memory.stat": ""}, 4 * GB),
        (
            "5:cpu:/x\n4:hugetlb,memory:/job\n",
            {
                f"{V1}limit_in_bytes": "900",
                f"{V1}usage_in_bytes": "500",
                f"{V1}stat": "active_file 9\ntotal_active_file 20",
            },
            420,
        ),
    ],
)
def test_what_is_available_is_that_of_the_machine_or_of_a_group_of_processes(tmp_path, groups, limits, expected):
    contents = {"proc/meminfo": MEMINFO, "proc/self/cgroup": groups}
    for name, text in (contents | {f"sys/fs/cgroup/{name}": text for name, text in limits.items()}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory.available(tmp_path) == expected + 50 * 1024  # and what can be swapped


def test_the_cache_of_zfs_is_available(tmp_path):
    arc = "13 1 0x01\nsize    4    900\nc_min   4    300\n"
    for name, text in {"meminfo": MEMINFO, "spl/kstat/zfs/arcstats": arc}.items():
        (tmp_path / "proc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc" / name).write_text(text)
    assert memory.available(tmp_path) == 4 * GB + 600 + 50 * 1024


def test_a_system_that_is_not_linux_says_nothing(tmp_path):
    assert memory.available(tmp_path) is None
    assert memory.resident(tmp_path) is memory.peak(tmp_path) is None
    memory.forget_peak(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells how much memory a process holds")
def test_a_process_holds_what_it_has_written():
    """64 MiB, so that other allocations do not matter."""
    memory.forget_peak()
    before = memory.resident()
    held = np.ones(2**23)
    assert held.nbytes * 0.9 < memory.resident() - before < held.nbytes * 1.5
    del held
    assert memory.peak() - before > 2**26 * 0.9


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
    state = {"available": lambda: 0, "resident": lambda: next(held), "peak": lambda: next(held)}
    for name, value in {**state, "LARGE": 1024, "PROBE": 1024, "TELLING": 512}.items():
        monkeypatch.setattr(memory, name, value)


@pytest.mark.usefixtures("crowded")
def test_only_the_image_that_does_not_fit_fails(run_dir, tmp_path):
    for name, side in (("large", 64), ("small", 32)):
        files.write(tmp_path / "in" / f"{name}.png", np.zeros([side, side, 3], np.uint8))
    options = Translation(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    with Translator(run_dir, Inference(device="cpu")) as translator:
        outcome = pipeline.translate(translator, "A2B", options.jobs(), options)
        with pytest.raises(UserError, match="64 x 64 pixels need about"):
            translator.in_floats("A2B", np.zeros([64, 64, 3], np.uint8))
    ((path, sentence),) = outcome.failed
    assert path.name == "large.png" and f"{path}: 64 x 64 pixels need about" in sentence
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small.png"]


@pytest.mark.usefixtures("crowded")
def test_images_that_do_not_fit_together_are_translated_one_by_one(run_dir, tmp_path):
    for name in "abcd":
        files.write(tmp_path / "in" / f"{name}.png", np.zeros([32, 32, 3], np.uint8))
    options = Translation(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    with Translator(run_dir, Inference(device="cpu")) as translator:
        outcome = pipeline.translate(translator, "A2B", options.jobs(), options, batch_size=3)
    assert outcome.failed == [] and outcome.written == 4


@pytest.mark.usefixtures("crowded")
def test_tiles_are_not_refused(run_dir):
    with TiledTranslator(run_dir, 48, 4, Inference(device="cpu")) as translator:
        assert translator("A2B", np.zeros([64, 64, 3], np.uint8)).shape == (64, 64, 3)
