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
        ("x += 1", ["pass", "x += (1 + 1)"]),
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


@pytest.mark.parametrize(
    "source, at_import",
    [
        ("x = a < b", True),
        ("def f():\n    return a < b", False),
        ("f = lambda: a < b", False),
        ("def f(x=a < b): ...", True),
        ("class C:\n    x = a < b", True),
        ("class C:\n    def f(self):\n        return a < b", False),
        ("def f():\n    def g(x=a < b): ...", False),
    ],
)
def test_lines_run_at_import_are_outside_of_functions(source, at_import):
    assert [mutant.at_import for mutant in mutants.mutants_of("file.py", source)] == [at_import]


class Recorded:
    """What coverage.py recorded: lines of one file with their contexts."""

    def __init__(self, lines):
        self.lines = lines

    def contexts_by_lineno(self, path):
        assert path == str(mutants.ROOT / "common/ops/file.py")
        return self.lines

    def measured_contexts(self):
        names = ("tests/ops/test_a.py", "tests/ops/test_b.py", "tests/run/test_c.py", "tests/test_language.py")
        return {"", *names}


@pytest.mark.parametrize(
    "lines, source, files",
    [
        ({2: ["tests/run/test_c.py"]}, "def f():\n    a < b", ["tests/run/test_c.py"]),
        (
            {2: ["tests/run/test_c.py", "tests/ops/test_b.py"]},
            "def f():\n    a < b",
            ["tests/ops/test_b.py", "tests/run/test_c.py"],
        ),
        ({2: ["tests/test_language.py"]}, "def f():\n    a < b", []),
        ({}, "def f():\n    a < b", ["tests/ops/test_a.py", "tests/ops/test_b.py"]),
        ({2: [""]}, "def f():\n    a < b", ["tests/ops/test_a.py", "tests/ops/test_b.py", "tests/run/test_c.py"]),
        (
            {1: ["tests/ops/test_b.py"]},
            "a < b",
            ["tests/ops/test_b.py", "tests/ops/test_a.py", "tests/run/test_c.py"],
        ),
    ],
    ids=["one", "near first", "tests that read the source", "not recorded", "unnamed process", "at import"],
)
def test_files_that_may_notice_a_fault(lines, source, files):
    mutant = mutants.mutants_of("common/ops/file.py", source)[0]
    assert mutants.tests_of(mutant, Recorded(lines)) == files


def test_a_test_that_fails_notices_a_fault(tmp_path):
    (tmp_path / "test_file.py").write_text(
        "import pytest\n"
        "from value import value\n"
        "def test_two():\n    assert value == 2\n"
        "@pytest.mark.thorough\ndef test_three():\n    assert value == 3\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    thorough\n    slow\n")
    (tmp_path / "value.py").write_text("value = 2\n")
    quick, thorough = mutants.QUICK_FIRST
    assert mutants.failure(quick, ["test_file.py"], tmp_path) == ""
    assert mutants.failure(thorough, ["test_file.py"], tmp_path).startswith("FAILED test_file.py::test_three")
    assert mutants.failure("slow", ["test_file.py"], tmp_path) == ""
    (tmp_path / "value.py").write_text("value = \n")
    assert mutants.failure(quick, ["test_file.py"], tmp_path).startswith("ERROR test_file.py")


def test_what_a_test_notices_that_fails_without_a_fault_does_not_count(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_file.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('value', ['a b', 'c'])\ndef test_text(value):\n    assert value == 'c'\n"
    )
    caught = {"FAILED test_file.py::test_text[a b] - AssertionError: a - b": ""}
    caught |= {line: line for line in ("FAILED test_file.py::test_text[c] - KeyError: 'x'", "time limit", "")}
    rows = mutants.without_vacuous([{"line": 3, "caught": line} for line in caught], tmp_path)
    assert rows == [{"line": 3, "caught": line} for line in caught.values()]
    survivors = [{"line": 3, "caught": ""}]
    assert mutants.without_vacuous(survivors, tmp_path / "missing") == survivors  # nothing is run


def test_a_digest_of_code_and_tests_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    names = ["code.py", "page.md", "removed.py"]
    for name in names[:2]:
        (tmp_path / name).write_text("one")
    before = mutants.digest_of(names)
    (tmp_path / "page.md").write_text("two")
    assert mutants.digest_of(names) == before
    (tmp_path / "code.py").write_text("two")
    assert mutants.digest_of(names) != before
