# Each chore has one word. All of them make .venv when it is missing; ARGS="..." is passed on.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV := .venv
PY := $(VENV)/bin/python
RUN_STAMP := $(VENV)/.run-requirements
DEV_STAMP := $(VENV)/.dev-requirements
CHECKED := forwarder benchmarks $(wildcard tasks manage.py celeryconfig.py)

# Name another interpreter with: make PYTHON=/path/to/python3.12 ...
PYTHON ?=

.PHONY: help demo run test chaos lint bench format requirements

help:  ## Show the chores
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | while IFS=$$'\t' read -r word what; do printf '  make %-14s %s\n' "$$word" "$$what"; done
	@echo '  ARGS="..." is passed on, as in: make demo ARGS="--once --seed 7"'

demo: $(RUN_STAMP)  ## See posts travel, with no Telegram account
	@exec $(PY) manage.py demo $(ARGS)

run: $(RUN_STAMP)  ## Run all processes with the settings of .env
	@exec $(PY) manage.py run $(ARGS)

# Whole files to one worker, for they share a database; in the order that tests/conftest.py gives them.
test: $(DEV_STAMP)  ## Run the tests, two at a time
	@exec $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

chaos: $(DEV_STAMP)  ## Trouble of every kind against the whole system, and the verdict
	@exec $(PY) -m tests.chaos $(ARGS)

lint: $(DEV_STAMP)  ## Check style, format and types
	@$(VENV)/bin/ruff check $(ARGS) .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy $(CHECKED)

bench: $(RUN_STAMP)  ## Measure, as ratios within one run
	@exec $(PY) -m benchmarks $(ARGS)

format: $(DEV_STAMP)  ## Format the code and mend what ruff can mend
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

requirements: $(DEV_STAMP)  ## Compile the pinned requirements*.txt from the requirements*.in
	@$(PY) -m pip install -q pip-tools
	@for name in requirements requirements-embedded requirements-dev; do \
		CUSTOM_COMPILE_COMMAND="make requirements" $(VENV)/bin/pip-compile -q --strip-extras --no-emit-index-url \
			--no-emit-trusted-host --no-emit-find-links --output-file $$name.txt $$name.in $(ARGS); \
	done

$(PY):
	@.ci/make-venv "$(VENV)" "$(PYTHON)"

$(RUN_STAMP): requirements.txt requirements-embedded.txt | $(PY)
	@echo "Installing what the forwarder needs into $(VENV) (once) ..."
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements.txt -r requirements-embedded.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(RUN_STAMP) | $(PY)
	@echo "Installing what tests and checks need into $(VENV) (once) ..."
	@$(PY) -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@
