# The two commands: make demo, make test. Both set up .venv first; the README says the same by hand.
#   PYTHON=python3.13   another Python than the first of 3.11, 3.12, 3.13 that is found (with VENV=.venv313: beside the other)
#   TORCH=cpu           the small torch for a machine without a GPU (with uv; the README tells the way with pip)
VENV   ?= .venv
COMMA  := ,
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
# uv installs ten times as fast where it is there; pip does the same, and needs what Debian splits off as python3-venv (ensurepip).
UV     := $(shell command -v uv)
# Each is run: a version manager leaves names that run nothing.
FITS   := import sys$(if $(UV),,$(COMMA) ensurepip); sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)
else
ASKED := yes
endif
INSTALL := $(if $(UV),uv pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet)
TORCH   ?=
LOCK    := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.PHONY: help setup setup-dev python demo test test-fast rehearse faults lint lock audit clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | while IFS="$$(printf '\t')" read -r t w; do printf 'make %-10s %s\n' "$$t" "$$w"; done

demo: setup  ## set up, then the quickstart: score, train, score again, export, ask (5 to 20 minutes on 2 cores, no GPU)
	$(BIN)/python scripts/run_recipe.py recipes/quickstart --output_dir runs/quickstart

test: setup-dev  ## set up, then all default tests (20 to 40 minutes on 2 cores, no GPU, no network)
	$(BIN)/python -m pytest

test-fast: setup-dev  ## the tests that load no model (2 minutes)
	$(BIN)/python -m pytest -q tests/common tests/recipes/test_run_recipe.py tests/reporting tests/scoring/test_evaluate_answers.py tests/data_prep/test_prepare.py

rehearse: setup-dev  ## every recipe, and the notebook, end to end with a tiny model (an hour and more)
	$(BIN)/python -m pytest -m "$(or $(MARKS),rehearsal)" --dist load

faults: setup-dev  ## stages killed at random moments, damaged files, full disks, odd texts (hours; FAULTS=minutes sets how long)
	$(BIN)/python tests/faults/faults.py --minutes $(or $(FAULTS),120)
	$(BIN)/python tests/faults/damage.py
	$(BIN)/python tests/faults/fuzz.py
	$(BIN)/python tests/faults/fuzz_commands.py

setup: python $(STAMP)  ## .venv with what the scripts need
setup-dev: setup $(DEV)  ## and with what the tests need

python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(FITS)' 2>/dev/null || { echo "Python 3.11, 3.12 or 3.13 with venv is needed (Debian, Ubuntu: apt install python3-venv); or: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
ifdef ASKED  # an environment of another Python must not pass for it
	@test ! -x $(BIN)/python || test "$$($(PYTHON) -c 'import sys; print(sys.version_info[:2])')" = "$$($(BIN)/python -c 'import sys; print(sys.version_info[:2])')" || { echo "$(VENV) is of another Python than $(PYTHON): make clean first, or add VENV=.venv-other"; exit 1; }
endif
	@test -z "$(TORCH)" || test -n "$(UV)" || { echo "TORCH=$(TORCH) needs uv; with pip install that torch into $(VENV) first, as the README says"; exit 1; }

# llama.cpp's converter lies in a folder of its own: its top-level packages would shadow others.
$(STAMP): requirements.txt requirements-nodeps.txt requirements-tools.txt
	test -x $(BIN)/python || $(if $(UV),uv venv --quiet --seed --python $(PYTHON),$(PYTHON) -m venv) $(VENV)
	$(INSTALL) $(if $(TORCH),--torch-backend $(TORCH)) -r requirements.txt
	$(INSTALL) --no-deps -r requirements-nodeps.txt
	rm -rf .tools/llama_cpp
	$(INSTALL) --no-deps --target .tools/llama_cpp -r requirements-tools.txt
	@touch $@

$(DEV): requirements-dev.txt $(STAMP)
	$(INSTALL) -r requirements-dev.txt
	@touch $@

lint: setup-dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lock:  ## requirements.lock anew: the hash of every package, for Python 3.11 to 3.13 (needs uv and the network)
	{ echo '# Every package with its hashes, Python 3.11 to 3.13; made by `make lock`. Installs just what was tested:'; \
	  echo '#   pip install --no-deps --require-hashes -r requirements.lock   (torch in its CUDA build, which runs without a card too)'; \
	  $(LOCK) requirements.txt && $(LOCK) --no-deps requirements-nodeps.txt; } > .requirements.lock
	mv .requirements.lock requirements.lock

audit:  ## known vulnerabilities of every locked package (pip-audit; needs the network)
	test -x .tools/audit/bin/pip-audit || { $(PYTHON) -m venv .tools/audit && .tools/audit/bin/pip install --quiet pip-audit==2.10.1; }
	.tools/audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r requirements.lock

clean:  ## remove .venv, tools and caches (models, data and runs stay)
	rm -rf $(VENV) .tools .pytest_cache .ruff_cache unsloth_compiled_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
