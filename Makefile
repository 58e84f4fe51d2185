# make demo   trains DualGAN on the toy set, tests it, and says what it scores: minutes on two cores
# make test   ruff, then the tests; with EXTRAS=test,parity those against PyTorch, too
# make audit  bandit over the code, pip-audit over what is installed: the latter asks pypi.org
# make docs   writes the pages of flags and presets, and builds site/
# make bench  steps and translations beside PyTorch and graphs of TensorFlow 1, interleaved: about 20 minutes
# Each makes .venv first, where everything is installed; all that is needed is Python 3.10 or later.

PYTHON ?= python3
EXTRAS ?= test
BIN := .venv/bin
DEMO := runs/demo
SOURCES := common flags dualgan cyclegan pix2pix benchmarks docs examples setup.py

.PHONY: demo test test-all audit docs bench clean

demo: .venv/.core
	$(BIN)/python -m dualgan.main --phase train --dataset toy --preset demo --run_dir $(DEMO)
	$(BIN)/python -m dualgan.main --phase test --run_dir $(DEMO)

test: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

test-all: .venv/.test
	$(BIN)/python -m pytest -m "slow or not slow" --timeout 7200 -n 1

audit: .venv/.audit
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(SOURCES)
	$(BIN)/python -m pip freeze --all --exclude-editable > .venv/installed.txt
	$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement .venv/installed.txt

docs: .venv/.docs
	$(BIN)/python -m docs.reference
	$(BIN)/mkdocs build --strict

bench: .venv/.bench
	$(BIN)/python -m benchmarks.speed $(BENCH)

clean:
	rm -rf .venv build site *.egg-info runs/demo

.venv/.core: setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.test: setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	touch $@ .venv/.core

.venv/.audit: setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[audit]'
	touch $@ .venv/.core

.venv/.docs: setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@ .venv/.core

.venv/.bench: setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@ .venv/.core
