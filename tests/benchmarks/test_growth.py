"""Curves of a cost over a size: exponents by hand, and the points that are measured for them."""

import math
import subprocess

import imageio.v3 as imageio
import numpy as np
import pytest

from benchmarks.growth import __main__ as growth
from benchmarks.growth.__main__ import Cost
from benchmarks.growth.curve import Curve, table


@pytest.mark.parametrize(("power", "factor"), [(0.0, 5.0), (1.0, 0.25), (2.0, 3.0)])
def test_the_exponent_of_a_power_law_is_its_power(power, factor):
    sizes = (64, 128, 512)
    curve = Curve("x", sizes, [factor * size**power for size in sizes])
    assert curve.exponent == pytest.approx(power, abs=1e-9)
    assert curve.last_exponent == pytest.approx(power, abs=1e-9)


def test_a_fixed_cost_hides_less_of_the_growth_at_large_sizes():
    curve = Curve("x", (1, 10, 100), [101.0, 110.0, 200.0])
    assert curve.last_exponent == pytest.approx(math.log10(200.0 / 110.0))
    assert curve.exponent == pytest.approx(math.log10(200.0 / 101.0) / 2)  # three points, evenly spaced: from the ends
    assert 0.0 < curve.exponent < curve.last_exponent < 1.0


@pytest.mark.parametrize("curve", [Curve("x", (1,), (2.0,)), Curve("x", (1, 2), (0.0, 1.0))])
def test_without_two_costs_above_zero_there_is_no_exponent(curve):
    assert math.isnan(curve.exponent)


def test_the_table_has_a_row_for_each_size_and_both_exponents():
    curves = [Curve("step, s", (1_000, 10_000), (0.5, 50.0)), Curve("MiB", (1_000, 10_000), (1234.0, 1234.0))]
    assert table("files", curves).splitlines() == [
        "| files | step, s | MiB |",
        "|---|---|---|",
        "| 1,000 | 0.500 | 1,234 |",
        "| 10,000 | 50.0 | 1,234 |",
        "| exponent | 2.00 | 0.00 |",
        "| exponent of the last two | 2.00 | 0.00 |",
    ]


def test_points_are_medians_of_rounds_that_are_interleaved():
    order, seconds = [], iter([9.0, 1.0, 2.0, 5.0, 4.0, 6.0])

    def measure(size):
        order.append(size)
        return Cost(next(seconds), float(len(order)))

    assert growth.repeated(3, (10, 20), measure) == [Cost(4.0, 5.0), Cost(5.0, 6.0)]
    assert order == [10, 20, 10, 20, 10, 20]


def test_a_failing_command_is_not_a_cost():
    with pytest.raises(subprocess.CalledProcessError):
        growth.run("cyclegan.main --phase no_such_phase")


def test_a_command_costs_time_and_memory():
    held = bytearray(b"x" * (400 << 20))  # whoever asks may be large
    cost = growth.run("timeit -n 1 -r 1 'bytearray(200 << 20)'")
    assert cost.seconds > 0.0
    assert 200.0 < cost.MiB < 300.0 < len(held) >> 20


def test_smaller_datasets_are_the_first_files_of_the_largest(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "FILES", (2, 6))
    growth.draw_datasets(tmp_path)
    files = {
        count: sorted(path.relative_to(tmp_path / str(count)) for path in (tmp_path / str(count)).rglob("*.png"))
        for count in growth.FILES
    }
    assert [str(path) for path in files[2]] == ["set/train/A/000000.png", "set/train/B/000001.png"]
    assert len(files[6]) == 6 and set(files[2]) < set(files[6])
    images = [imageio.imread(tmp_path / "6" / path) for path in files[6]]
    assert all(image.shape == (growth.PIXELS, growth.PIXELS, 3) for image in images)
    assert len({image.tobytes() for image in images}) == 6
    assert all(np.ptp(image) > 50 for image in images)


def test_unknown_curves_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["growth", "--curves", "steps,speed"])
    with pytest.raises(SystemExit) as ended:
        growth.main()
    assert ended.value.code == 2 and "There is no curve speed." in capsys.readouterr().err
