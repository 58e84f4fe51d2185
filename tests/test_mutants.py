"""The faults that `make mutants` puts into the code, compared with those written here by hand."""

import pytest

from tests import mutants


def all_of(source):
    return [mutant.applied(source) for mutant in mutants.mutants_of("file.py", source)]


@pytest.mark.parametrize(
    "source, faulty",
    [
        ("x = a < b", ["x = (a <= b)"]),
        ("x = a is not None", ["x = (a is None)"]),
        ("x = a + b", ["x = (a - b)"]),
        ("x = 2 * a", ["x = (2 / a)", "x = (2 + 1) * a"]),
        ("f(a)", ["pass"]),
        ("f(a, b)", ["pass", "f(b, a)"]),
        ("raise E(1)", ["pass", "raise E((1 + 1))"]),
        ("x += a", ["pass"]),
        ("x = 'é'; y = a - b", ["x = 'é'; y = (a + b)"]),
        ("x = (a +\n     b)", ["x = ((a - b))"]),
        ("def f(a: int = 3) -> g(1): ...", ["def f(a: int = (3 + 1)) -> g(1): ..."]),
    ],
)
def test_faults_of_a_line(source, faulty):
    assert all_of(source) == faulty


@pytest.mark.parametrize(
    "source", ["'text'", "...", "x = 'a' + b", "x = f'{a + 1}'", "x: f(1, 2)", "x = True", "x = f(a, a)"]
)
def test_what_has_no_faults(source):
    assert all_of(source) == []


def test_the_same_seed_draws_the_same_faults(monkeypatch):
    monkeypatch.setattr(mutants, "PACKAGES", ("flags",))  # of the whole project, a draw takes seconds
    first, second, other = ([(m.path, m.first, m.text) for m in mutants.drawn(30, seed)] for seed in (0, 0, 1))
    assert first == second != other
