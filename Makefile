# Two commands: `make demo` and `make test`. Both set up .venv first if it is missing.
PYTHON ?= python3
# Tests run on as many workers as there are cores; WORKERS=0 runs them in one process (for a debugger, say).
WORKERS ?= auto
# On a machine without room for PyTorch: make test EXTRAS=dev (the tests of nets/ are then skipped, and say so).
EXTRAS ?= dev,nets,cluster,report
BIN := .venv/bin
ARGS ?=
PARALLEL = -n $(WORKERS) --dist worksteal

.PHONY: demo docs test scalar verify mutants fuzz figures report lint format bench clean

demo: .venv/.demo-ready
	@COLUMNS=100 $(BIN)/python -m sims.subset_sum --R 5 --eps 0.01 --seed 1

test: .venv/.test-ready
	$(BIN)/python -m pytest -m "not verification" $(PARALLEL) $(ARGS)

# once more what reaches the kernels, with the portable ones (tests/conftest.py says which tests these are)
scalar: .venv/.test-ready
	STRONGTICKETS_SCALAR=1 $(BIN)/python -m pytest -m kernels $(PARALLEL) $(ARGS) tests/sims

verify: .venv/.test-ready
	$(BIN)/python -m pytest -m verification tests $(ARGS)

# broken files for every parser; what crashes is kept under tests/fuzz/corpus. make fuzz ARGS="--minutes 60 onnx pt"
fuzz: .venv/.test-ready
	$(BIN)/python -m tests.fuzz $(ARGS)

# plants errors one at a time and reports those that no test notices (hours on one core; ARGS="--room sims --jobs 4")
mutants: .venv/.test-ready
	$(BIN)/python -m tests.mutants $(ARGS)

figures: .venv/.test-ready
	$(BIN)/python -m figures $(ARGS)

report: .venv/.test-ready
	$(BIN)/python -m figures.report $(ARGS)

docs: .venv/.docs-ready
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html $(ARGS)
	$(BIN)/python -m figures.report --docs . --out docs/_build/html/report.html --quiet --force
	@echo "open docs/_build/html/index.html"

lint: .venv/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: .venv/.test-ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# ours, peers, limits and goals on this machine (the record goes to tests/benchmarks/records), then every other speed;
# make bench ARGS=--quick: the first part alone, in a minute
bench: .venv/.bench-ready
	$(BIN)/python -m tests.benchmarks.race --keep $(ARGS)
	$(if $(filter --quick,$(ARGS)),@true,$(BIN)/python -m pytest tests/benchmarks -p no:xdist -o addopts="--import-mode=importlib" --benchmark-only --benchmark-disable-gc \
		--benchmark-columns=min,median,iqr,rounds)

clean:
	rm -rf .venv figures/out build dist docs/_build docs/_figures

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.demo-ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.test-ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@ .venv/.demo-ready

.venv/.docs-ready: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[nets,docs]"
	@touch $@ .venv/.demo-ready

.venv/.bench-ready: .venv/.test-ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS),bench]"
	@touch $@
