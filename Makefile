# Turnus. `make demo` shows it, `make test` proves it, `make help` lists the rest.
# One rule: whatever a command here needs, it sets up first, and a second time costs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python -m ops with $(BIN)/python manage.py
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help setup setup-dev demo run stop test lint types floors pytest bench bench-large scale faults mutants shots docs lock messages

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Make the environment and install what running needs (UV=0: with pip alone)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Turnus needs Python 3.11 or newer; PYTHON=python3.12 make setup chooses one." >&2; exit 1; }
	@$(PYTHON) -m ops setup

setup-dev: setup ## The same, with what tests and development need, a browser too
	@$(BIN)/python -m ops setup --dev

demo: setup ## Start everything with a believable test company
	@exec $(BIN)/python -m ops demo

run: setup ## Start everything with your own, at first empty, database
	@exec $(BIN)/python -m ops run

stop: ## Stop servers that were started in the background
	@$(BIN)/python -m ops stop && $(BIN)/python -m ops stop --test

test: setup-dev floors lint types pytest ## Check floors, style and types, then run every test on PostgreSQL

floors: setup-dev ## Check that rooms import only from lower floors
	@$(BIN)/lint-imports

lint: setup-dev ## Check style, the compose file, the Dockerfile and the requirement files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m ops lint

types: setup-dev ## Check types in the domain rooms
	@$(BIN)/mypy

pytest: setup-dev
	@$(BIN)/pytest --numprocesses $(or $(WORKERS),2) --dist loadfile --no-loadscope-reorder

bench: setup-dev ## Measure the billing run and PDFs against their floors
	@$(BIN)/python -m ops with $(BIN)/python -m benchmarks

bench-large: setup-dev ## The same up to a million subscriptions
	@$(BIN)/python -m ops with $(BIN)/python -m benchmarks --large

scale: setup-dev ## Measure what one PostgreSQL carries: 1, 2 and 4 workers, mails, bytes a year (CUSTOMERS=20000)
	@$(BIN)/python -m ops with $(BIN)/python -m benchmarks.scale --customers $(or $(CUSTOMERS),20000)

faults: setup-dev ## Strike 13 months of a company's life at named points and at random, and compare (SEED=1)
	@$(BIN)/python -m faults --seed $(or $(SEED),1)

mutants: setup-dev ## Plant faults in a copy of the product; each must be caught by the strikes aimed at it
	@$(BIN)/python -m faults.mutants

shots: setup-dev ## Take pictures of the demo's pages into .turnus/shots
	@$(BIN)/python -m ops with $(BIN)/python -m docs.shots
	@$(BIN)/python -m ops with $(BIN)/python -m docs.calendars

docs: setup-dev ## Write the reference pages that come from the code
	@$(MANAGE) write_openapi

lock: setup ## Choose versions anew and write them down with hashes
	@$(UV_COMPILE) --upgrade requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(UV_COMPILE) --upgrade requirements/runtime.in -o requirements/runtime.txt
	@$(UV_COMPILE) --upgrade requirements/dev.in -o requirements/dev.txt

messages: setup-dev ## Collect the strings people read and compile the translations
	@$(MANAGE) makemessages --all --no-obsolete --no-wrap --ignore=.venv --ignore=node_modules --ignore=.turnus
	@$(MANAGE) compilemessages --ignore=.venv
