# make dorsal_sweep   makes the environment and runs the main job
# make test           makes the environment and runs the tests
# make robosuite      makes the environment and robosuite's own beside it
# make lint           style and types
# ARGS passes options on:  make dorsal_sweep ARGS="--scale debug --seeds 1"

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
GL := $(VENV)/.gl
ARGS ?=

# The first interpreter that is new enough; only looked for when the environment is made.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)

.PHONY: help venv gl dorsal_sweep test robosuite lint clean

help:
	@sed -n 's/^# \?//p' Makefile | head -5

venv: $(INSTALLED)

gl: $(GL)

dorsal_sweep: $(GL)
	@MUJOCO_GL="$${MUJOCO_GL:-$$(cat $(GL))}" $(BIN)/uamsim experiment dorsal_sweep $(ARGS)

# One thread a worker: the tests are many and small.
test: $(GL)
	@MUJOCO_GL="$${MUJOCO_GL:-$$(cat $(GL))}" OMP_NUM_THREADS=1 \
		$(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal $(ARGS)

# Its ids and their tests need it; without it the tests are skipped.
robosuite: $(INSTALLED)
	@$(BIN)/uamsim install robosuite

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "No Python >= 3.11 found. Install one and run" \
		"make PYTHON=/path/to/python3.11, or use conda: environment.yml." >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo \
		"$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu:" \
		"apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch $@

# Holds the name of the backend that rendered: egl or osmesa.
$(GL): $(INSTALLED)
	@if $(BIN)/uamsim doctor --gl >$@.new; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Mesa for headless rendering." >&2; \
		apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			libegl1 libgl1 libgl1-mesa-dri libosmesa6 >/dev/null; \
		$(BIN)/uamsim doctor --gl >$@.new; \
	else exit 1; fi
	@mv $@.new $@
	@echo "MuJoCo renders with $$(cat $@)."
