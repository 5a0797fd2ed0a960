# The commands of a working day. Each one stands alone: what it needs is installed first, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint types studies bench bench-short soak namespaces dashboard clean

VENV ?= .venv
# One more than cores: tests often wait, for Ray, for browsers, for what they have killed.
TEST_PROCESSES ?= 3
BIN = $(VENV)/bin
# pip would compile sixteen thousand modules, one by one, of which few are ever imported. Python
# compiles those when it first imports them, and must be free to keep that: some environments
# forbid it, and then each of the many processes of a test run compiles them all again.
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet install --no-compile \
  --constraint constraints.txt
unexport PYTHONDONTWRITEBYTECODE
RUN_STAMP = $(VENV)/.installed-run
TEST_STAMP = $(VENV)/.installed-test
FOLDERS = workloads services storage dashboard

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(RUN_STAMP) ## install, run the built-in descent study, say how to look at it
	@$(BIN)/talweg run descent
	@echo "talweg is in $(BIN); make dashboard opens the charts."

dashboard: $(RUN_STAMP) ## the charts of ./talweg.duckdb in a browser
	@$(BIN)/talweg dashboard

# The type checker, one process, runs beside the tests, which often wait; what it said comes last.
test: lint chromium ## install what tests need, then lint, types and tests
	@mkdir -p build
	@$(MAKE) --no-print-directory types >build/types.log 2>&1 & types=$$!; failed=0; \
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) || failed=$$?; \
	wait $$types || failed=$$?; \
	cat build/types.log; exit $$failed

lint: $(TEST_STAMP) ## ruff: rules and format
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet

# Type checkers do not see through an editable install: links lay the packages out as talweg.*.
types: $(TEST_STAMP) $(FOLDERS:%=build/src/talweg/%) ## mypy --strict on code, tests and benchmarks
	@$(BIN)/mypy

studies: $(RUN_STAMP) ## the small twin of every study, into ./talweg.duckdb: minutes
	@for grid in workloads/studies/*.yaml; do \
	  $(BIN)/talweg run "$$(basename "$$grid" .yaml)" --small; \
	done

bench: $(TEST_STAMP) ## 120 trials: talweg beside Ray Tune, a plain loop and the hand-batched bound
	@$(BIN)/python -m benchmarks.run

bench-short: $(TEST_STAMP) ## the same harness on a few trials: shows that it works, not how fast
	@$(BIN)/python -m benchmarks.run --short

# Most kills are of made-up trials, which takes minutes; a tenth of them of real sweeps.
SOAK_KILLS ?= 200
soak: $(TEST_STAMP) ## faults at random moments, SOAK_KILLS of them kills: nothing lost, nothing twice
	@$(BIN)/python -m benchmarks.soak --kills $(SOAK_KILLS) --sweep-kills $$(($(SOAK_KILLS) / 10))

namespaces: $(TEST_STAMP) ## the compose file on network namespaces, a worker cut off and killed: a minute, root
	@bash deploy/iproute.sh
	@$(BIN)/python -m pytest --quiet tests/namespaces.py

clean: ## remove what was built; the store (talweg.duckdb) stays
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find $(FOLDERS) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: chromium
chromium:
	@bash deploy/chromium.sh

$(BIN)/pip:
	@bash deploy/venv.sh $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing talweg into $(VENV) (once, a few minutes)"
	@$(PIP) --editable .
	@touch $@

$(TEST_STAMP): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing talweg and what its tests need into $(VENV) (once, a few minutes)"
	@$(PIP) --editable '.[test]'
	@touch $(RUN_STAMP) $@

build/src/talweg/%:
	@mkdir -p $(@D)
	@ln -sfn ../../../$* $@
