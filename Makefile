# make demo   trains DualGAN on the toy set, tests it, and says what it scores: minutes on two cores
# make test   ruff, codespell, mypy and the quick tests; with EXTRAS=test,parity those against PyTorch, too
# make test-thorough  the tests that take seconds each: many parameters, networks of full size, browsers, processes
# make test-all  all tests, also those that take minutes each
# make coverage  lines and branches that the tests run, in child processes, too
# make mutants  puts 100 faults into the code, one at a time, and runs the tests of the changed lines, which
#               make coverage records
# make format has ruff format the code, and fix what it can
# make audit  bandit over the code, pip-audit over what is installed: the latter asks pypi.org
# make docs   writes the pages of flags and presets and the picture of the packages, and builds site/
# make tutorial  runs the commands of docs/tutorial.md, and writes the page and its pictures: ten minutes on two cores
# make bench  steps and translations compared with PyTorch and TensorFlow 1 graphs, interleaved: about an hour
# make tune   measures algorithms of convolutions on this processor, and writes them into the shipped table: half an hour
# Each makes .venv first, where everything is installed; all that is needed is Python 3.10 or later.

PYTHON ?= python3
EXTRAS ?= test
BIN := .venv/bin
DEMO := runs/demo
TEST := .venv/.test-$(EXTRAS) # for each value of EXTRAS one, or other extras would not be installed
SETUP := setup.py common/__init__.py common/methods.py # what setup.py reads

unexport PYTHONDONTWRITEBYTECODE # pytest keeps the tests as it has compiled them, for each of its processes

.PHONY: demo test test-thorough test-all coverage mutants format audit docs tutorial bench tune clean

demo: .venv/.core
	$(BIN)/python -m dualgan.main --phase train --dataset toy --preset demo --run_dir $(DEMO)
	$(BIN)/python -m dualgan.main --phase test --run_dir $(DEMO)

test: $(TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/python -m pytest

test-thorough: $(TEST)
	$(BIN)/python -m pytest -m "thorough and not slow"

test-all: $(TEST)
	$(BIN)/python -m pytest -m "slow or not slow" --timeout 7200 -n 1

coverage: .venv/.coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not slow" -p tests.coverage_contexts
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: .venv/.coverage
	$(BIN)/python -m tests.mutants --output runs/mutants.jsonl

format: $(TEST)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

audit: .venv/.audit
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml .
	$(BIN)/python -m pip freeze --all --exclude-editable > .venv/installed.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement .venv/installed.txt

docs: .venv/.docs
	$(BIN)/python -m docs.reference
	$(BIN)/python -m docs.architecture
	$(BIN)/mkdocs build --strict

tutorial: .venv/.tutorial
	$(BIN)/python -m docs.tutorial

bench: .venv/.bench
	$(BIN)/python -m benchmarks.speed $(BENCH)

tune: .venv/.core
	$(BIN)/python -m benchmarks.tune $(TUNE)

clean:
	rm -rf .venv build site *.egg-info runs/demo

.venv/.core: $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(TEST): $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	touch $@ .venv/.core

.venv/.coverage: $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,parity,coverage]'
	touch $@ .venv/.core

.venv/.audit: $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[audit]'
	touch $@ .venv/.core

.venv/.docs: $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@ .venv/.core

.venv/.tutorial: $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[tutorial]'
	touch $@ .venv/.core

.venv/.bench: $(SETUP)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@ .venv/.core
