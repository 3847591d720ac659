# The portal's commands. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
TEMPLATES := templates gitlab_simulator/site/templates
# Tests that make examples up: few in CI, many in drills.
PROPERTIES := $(shell grep -rlE "^from hypothesis|^    @given" tests/rules tests/services tests/sync)
SHEETS := $(wildcard static/*.css gitlab_simulator/site/*.css)

.PHONY: help run dev test test-fast test-services mutants lint format drills bench bench-pages bench-sync bench-transitions bench-api bench-start bench-hand bench-proof bench-growth bench-audit bench-migration bench-forget messages map decisions screenshots requirements clean bench-asof

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# Installed when the hash of the requirements differs from the last time.
.venv/run.stamp: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/test.stamp: requirements-dev.txt .venv/run.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: .venv/run.stamp ## start the portal at http://localhost:8000 (PORT=…)
	@exec $(BIN)/python -m config.run

dev: .venv/test.stamp ## the same for developers: what is saved runs at once, a debug toolbar, mail in var/mail
	@exec $(BIN)/python -m config.run --dev

test: .venv/test.stamp ## all tests but drills
	@$(BIN)/python -m tests.tools chromium redis-server postgresql nginx curl openssl prometheus
	@$(BIN)/python -m pytest -p tests.spent -n 2 --dist loadgroup -m "not drill and not benchmark and not screenshots"

test-fast: .venv/test.stamp ## rules, services and models alone, while one writes
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not drill" tests/rules tests/models tests/services

test-services: .venv/test.stamp ## what a database can change, on a throw-away PostgreSQL and Redis
	@$(BIN)/python -m tests.tools chromium redis-server postgresql prometheus
	@$(BIN)/python -m tests.on_services -p tests.spent -n 2 --dist loadgroup -m "not drill and not benchmark and not screenshots and not embedded and not same_anywhere"

mutants: .venv/test.stamp ## sow a hundred faults into rules, services and sync: do the tests of their floor see them? (FLOORS=rules)
	@$(BIN)/python -m tests.mutants $(FLOORS)

lint: .venv/test.stamp ## ruff, djlint, formats of templates and style sheets, import-linter, mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/djangofmt --check --quiet --indent-width 2 $(TEMPLATES)
	@$(BIN)/djlint $(TEMPLATES) --lint --quiet
	@for sheet in $(SHEETS); do $(BIN)/css-beautify -s 2 -n --space-around-combinator $$sheet | cmp -s - $$sheet \
	  || { echo "$$sheet is not as 'make format' writes it"; exit 1; }; done
	@$(BIN)/lint-imports
	@$(BIN)/mypy

format: .venv/test.stamp ## let ruff, djangofmt and css-beautify format
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .
	@$(BIN)/djangofmt --quiet --indent-width 2 $(TEMPLATES)
	@for sheet in $(SHEETS); do $(BIN)/css-beautify -s 2 -n --space-around-combinator -r $$sheet > /dev/null; done

drills: .venv/test.stamp ## slow fault drills: kill workers, drop connections, restart the database; the real engines of flags
	@$(BIN)/python -m tests.tools redis-server postgresql nginx curl openssl ruby-flipper prometheus
	@$(BIN)/python -m pytest -v -s -m drill
	@$(BIN)/python -m pytest -q -m "not drill" --hypothesis-profile deep --timeout 0 $(PROPERTIES)

bench: .venv/test.stamp ## benchmarks, with their figures
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks

bench-pages: .venv/test.stamp ## pages at 100, 10,000 and 100,000 rollouts beside a bare page, on SQLite and PostgreSQL
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_pages.py
	@$(BIN)/python -m tests.on_services -q -m benchmark -s tests/benchmarks/bench_pages.py

bench-sync: .venv/test.stamp ## the sync at 10,000 issues, beside the floor and the naive way
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_sync_scale.py tests/benchmarks/bench_webhooks.py

bench-transitions: .venv/test.stamp ## queries of each transition, item and plan, on SQLite and PostgreSQL
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_transitions.py
	@$(BIN)/python -m tests.on_services -q -m benchmark -s tests/benchmarks/bench_transitions.py

bench-api: .venv/test.stamp ## the API beside the portfolio page, and beside unleash-server where npm is
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_api.py
	@$(BIN)/python -m tests.on_services -q -m benchmark -s tests/benchmarks/bench_api.py

bench-start: .venv/test.stamp ## how long processes take to start, beside a bare Django, and which imports cost most
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_start.py

bench-hand: .venv/test.stamp ## pages that people decide on, a transition by its button, an open page's hour
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_hand.py

bench-proof: .venv/test.stamp ## sealing and verifying the history, beside merely reading it
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_proof.py

bench-migration: .venv/test.stamp ## a history of 1,000,000 events (EVENTS=…) of an earlier release: taken over, killed midway, gone on with
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_migration.py

bench-forget: .venv/test.stamp ## for how long others wait while somebody is forgotten, on SQLite and PostgreSQL
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_forget.py
	@$(BIN)/python -m tests.on_services -q -m benchmark -s tests/benchmarks/bench_forget.py

bench-growth: .venv/test.stamp ## bytes that each thing which happens leaves in the database, on SQLite and PostgreSQL
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_growth.py
	@$(BIN)/python -m tests.on_services -q -m benchmark -s tests/benchmarks/bench_growth.py

bench-audit: .venv/test.stamp ## look-ups in a history of 5,000,000 events (EVENTS=…) beside bare SQL, on SQLite and PostgreSQL
	@$(BIN)/python -m tests.tools redis-server postgresql
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_audit.py
	@$(BIN)/python -m tests.on_services -q -m benchmark -s tests/benchmarks/bench_audit.py

bench-asof: .venv/test.stamp ## a rollout with 10,000 events as it was, beside its page of now
	@$(BIN)/python -m pytest -q -m benchmark -s tests/benchmarks/bench_asof.py

messages: .venv/test.stamp ## find what is to translate, update and compile locale/*/LC_MESSAGES
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python -m tests.translations

map: .venv/test.stamp ## draw docs/architecture.svg anew from what imports what
	@$(BIN)/python -m tests.docs.picture

decisions: .venv/test.stamp ## date what was decided, and make the index of docs/decisions anew
	@$(BIN)/python -m tests.docs.decisions

screenshots: .venv/test.stamp ## pictures of all pages into docs/screenshots
	@$(BIN)/python -m tests.tools chromium
	@$(BIN)/python -m pytest -q -m screenshots tests/browser

requirements: .venv/test.stamp ## make the pinned requirements anew from *.in
	@for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --no-annotate --python-version 3.11 --no-emit-index-url --no-header $$name.in -o $$name.txt; done

clean: ## remove what was installed and made, but not the data in var/
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
