"""A broken image file is read, or it is named: no crash, no other error, no long wait, no memory without bounds."""

import collections
import concurrent.futures
import itertools
import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import threading

import pytest

from tests.reliability import image_fuzz

ROOT = pathlib.Path(__file__).parent.parent.parent
SECONDS = 10.0  # for one file
MEGABYTES = 1500  # for one file: an image of MAX_PIXELS in RGB, twice, with what Pillow has of it
LIBTIFF = r"[\w.]+: "  # how what it says begins; in Pillow, it has no switch for this
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")


class Worker:
    """A process that reads files, so that what crashes or hangs is known by its number."""

    def __init__(self, seed, first, last, folder):
        command = [sys.executable, "-m", "tests.reliability.image_fuzz", *map(str, (seed, first, last, folder))]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}  # as flags/quiet.py has it
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=ROOT, env=quiet, **pipes)
        self.lines = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(b"")

    def line(self, seconds):
        """What it says next; None at its end. Raises queue.Empty."""
        line = self.lines.get(timeout=seconds)
        return json.loads(line) if line else None

    def end(self):
        self.process.kill()
        self.thread.join()
        with self.process:
            said = self.process.stderr.read().decode(errors="replace")
        return self.process.returncode, said


def outcomes(seed, first, last, folder):
    """What became of each file, also where the process did not live to tell."""
    found = []
    while first < last:
        worker, begun, waiting = Worker(seed, first, last, folder), None, 60.0
        try:
            while (said := worker.line(waiting)) is not None:
                waiting = SECONDS
                if "became" in said:
                    found.append({**begun, **said})
                begun = None if "became" in said else said
            hangs = False
        except queue.Empty:
            hangs = True
        code, text = worker.end()
        if begun is not None:
            became = f"hangs: more than {SECONDS} seconds" if hangs else f"crash: exit code {code}"
            found.append({"became": became, "seconds": SECONDS * hangs, "megabytes": 0.0, "said": "", **begun})
        elif len(found) == 0 or found[-1]["number"] < last - 1:
            raise AssertionError(f"the worker ends before file {first}: {text[-2000:]}")
        first = found[-1]["number"] + 1
    return found


def outcomes_of_all(seed, count, folder, workers):
    """The same, by several processes."""
    edges = [count * i // workers for i in range(workers + 1)]
    for i in range(workers):
        (folder / str(i)).mkdir()
    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
        parts = [
            threads.submit(outcomes, seed, begin, end, folder / str(i))
            for i, (begin, end) in enumerate(itertools.pairwise(edges))
        ]
        return [each for part in parts for each in part.result()]


def check(found, count):
    """Every file became an image or a named error, quietly, soon, and in bounded memory."""
    assert len(found) == count
    print(summary(found))
    wrong = [each for each in found if each["became"] not in ("image", "error")]
    loud = [each for each in found if any(not re.match(LIBTIFF, line) for line in each["said"].splitlines())]
    large = [each for each in found if each["megabytes"] > MEGABYTES]
    assert (wrong[:9], len(wrong)) == ([], 0)
    assert (loud[:9], len(loud)) == ([], 0)
    assert (large[:9], len(large)) == ([], 0)
    both = collections.Counter(each["became"] for each in found)
    assert both["image"] > count / 20 and both["error"] > count / 4  # mutations are neither all deadly nor all harmless


def summary(found):
    """A line for each suffix of what was mutated."""
    kinds = collections.defaultdict(list)
    for each in found:
        kinds[each["done"].split(":")[0].rsplit(".", 1)[1]].append(each)
    lines = [f"{'':6}{'files':>7}{'images':>7}{'errors':>7}{'longest s':>11}{'most MB':>9}"]
    for kind, some in [*sorted(kinds.items()), ("all", found)]:
        counts = [sum(each["became"] == became for each in some) for became in ("image", "error")]
        longest, most = (max(each[key] for each in some) for key in ("seconds", "megabytes"))
        lines.append(f"{kind:6}{len(some):7}{counts[0]:7}{counts[1]:7}{longest:11.2f}{most:9.0f}")
    return "\n".join(lines)


def test_a_file_is_a_function_of_its_number():
    first = [image_fuzz.mutated(3, number) for number in range(50)]
    assert [image_fuzz.mutated(3, number) for number in reversed(range(50))][::-1] == first
    assert len({data for _, data, _ in first}) == 50


def test_what_is_mutated_reads(tmp_path):
    for name, data in image_fuzz.originals().items():
        (tmp_path / name).write_bytes(data)
        assert image_fuzz.attempt(tmp_path / name) == "image", name


def test_a_few_broken_files_are_read_or_named(tmp_path):
    """In this process; those below are read by processes that may crash or hang."""
    became = collections.Counter()
    for number in range(60):
        name, data, _ = image_fuzz.mutated(1, number)
        (tmp_path / name).write_bytes(data)
        became[image_fuzz.attempt(tmp_path / name)] += 1
    assert became.keys() == {"image", "error"} and min(became.values()) > 3


@pytest.mark.thorough
def test_broken_files_are_read_or_named(tmp_path):
    check(outcomes_of_all(1, 400, tmp_path, workers=1), 400)


@pytest.mark.slow
def test_ten_thousand_broken_files_are_read_or_named(tmp_path):
    check(outcomes_of_all(2, 10_000, tmp_path, workers=2), 10_000)
