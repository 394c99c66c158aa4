# Everything an operator or a developer does with the desk. 'make help' lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup run up down demo test lint bench chaos chaos-races chaos-mutants

VENV := .venv
BIN := $(VENV)/bin
# The first Python here that is new enough; PYTHON=… chooses another.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
	$(if $(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("yes")' 2>/dev/null),$(p))))
REQUIREMENTS := requirements.txt requirements-dev.txt
STAMP := $(VENV)/.requirements-$(shell cat $(REQUIREMENTS) | cksum | cut -d' ' -f1)
ARGS ?=
CHAOS_SEED ?=
CHAOS_FAULTS ?= 300

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' \
		| while IFS='|' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Make .venv with every requirement and generate the desk's secrets
	@$(BIN)/python -m desk secrets

$(STAMP): $(REQUIREMENTS)
	@if [ -z "$(PYTHON)" ]; then echo "make: Python 3.11 or later is needed; there is $$(python3 --version 2>&1 || true)." >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: Python's venv is missing (on Debian: apt-get install python3-venv)." >&2; exit 1; }
	@touch . 2>/dev/null && [ -w . ] || { echo "make: the folder $(CURDIR) cannot be written." >&2; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version): a few minutes of downloads the first time."
	@[ -x $(BIN)/python ] && $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -r requirements-dev.txt
	@rm -f $(VENV)/.requirements-*; touch $@
	@echo "Set up."

run: setup ## Run the whole desk in the foreground; Ctrl-C stops it
	@exec $(BIN)/python -m desk run

up: setup ## Run the desk in the background; returns when it is ready
	@$(BIN)/python -m desk up

down: $(STAMP) ## Stop the desk, leave no process, keep the data
	@$(BIN)/python -m desk down

demo: setup ## Real alerts in, filled orders out, as a readable story
	@started=0; $(BIN)/python -m desk status >/dev/null 2>&1 || { $(BIN)/python -m desk up; started=1; }; \
	code=0; $(BIN)/python manage.py demo || code=$$?; \
	if [ $$started = 1 ]; then $(BIN)/python -m desk down; fi; exit $$code

test: setup ## Run every test; ARGS="-k webhook" goes to pytest
	@$(BIN)/python -m pytest $(ARGS)

bench: setup ## Measure alert to answer through the real desk, warm and cold
	@$(BIN)/python manage.py bench $(ARGS)

chaos: setup ## Break the whole desk by a seed, let it heal, compare the books; CHAOS_SEED, CHAOS_FAULTS
	@$(BIN)/python -m tests.chaos --seed "$(CHAOS_SEED)" --faults "$(CHAOS_FAULTS)" $(ARGS)

chaos-races: setup ## Let the price leap over stop and target at once, 200 times while things break; ARGS="--races 20"
	@$(BIN)/python -m tests.chaos.races $(ARGS)

chaos-mutants: setup ## Break one guarantee at a time in a copy, and see that chaos finds it; ARGS=sweep tries one
	@$(BIN)/python -m tests.chaos.mutants $(ARGS)

lint: setup ## Style, types, import rules, templates, migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

# The settings that a production desk must have; none of these values is a secret of anyone's.
PRODUCTION := PRODUCTION=1 DEBUG=0 ALLOWED_HOSTS=desk.example.com CSRF_TRUSTED_ORIGINS=https://desk.example.com \
	BASE_URL=https://desk.example.com SECRET_KEY=check-only-x7Jq2vLr9TzBn4WcYp8DsKf3HgUa6MeRtVb1QiZo5XyC0wEl \
	DATABASE_URL=postgres://app:check@localhost/desk OWNER_DATABASE_URL=postgres://owner:check@localhost/desk \
	REDIS_URL=redis://localhost:6379/0
