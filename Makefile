# Everything runs from .venv, which is built from the locks by whatever target needs it first: there is no second command.
# Needed on the machine: Python 3.11 or newer with its venv module, make, a shell.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PORT ?= 8080
# One PostgreSQL and one share of the tests for each.
WORKERS ?= 3
# A test of both engines runs on one of them, unless the engine matters to it; `both` runs all on both (docs/adr/0100).
ENGINES ?= one

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --engines $(ENGINES)
CODE := $(wildcard vault keys tests bench)
# Stamps are named by what the environment was made of, so that they hold whatever the clocks of a clone say: folder and Python, locks, project.
MADE := .venv/.made-$(shell { pwd; $(PYTHON) --version; } 2>/dev/null | cksum | cut -d ' ' -f 1)
BUILT := .venv/.built-$(shell cksum < requirements-dev.lock | cut -d ' ' -f 1)
LINKED := .venv/.linked-$(shell cksum < pyproject.toml | cut -d ' ' -f 1)
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

# Programs are started hundreds of times by the tests: what one of them compiled is kept for the next, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE

# Runs each file of a list, all of them even when one falls short; an empty list is a failure, not a silent success.
define run-each
	@test -n "$(strip $(1))" || { echo "$@: there is nothing of this kind in the tree"; exit 1; }
	@code=0; for file in $(1); do echo "== $$file"; $(BIN)/python $$file || code=1; done; exit $$code
endef

.PHONY: help setup run test check fix mutants bench bench-large soak lock clean
.DELETE_ON_ERROR:

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile | while read -r name does; do printf '%-12s %s\n' "$$name" "$$does"; done

setup: $(LINKED) ## build .venv from the locks, if it is not there or not of these locks

# Only an environment that was made here is ever replaced: one built by hand may be in use, and belongs to whoever built it.
$(MADE):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with PYTHON=…"; exit 1; }
	@test ! -e .venv || ls .venv/.made-* >/dev/null 2>&1 || \
		{ echo ".venv was not made by make and stays as it is; move it away, or remove it with make clean"; exit 1; }
	rm -rf .venv
	@mkdir .venv && touch $@
	$(PYTHON) -m venv .venv

# A new lock is installed over the old one, so that what runs from the environment meanwhile keeps running.
$(BUILT): $(MADE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@rm -f .venv/.built-*
	@touch $@

$(LINKED): $(BUILT)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@rm -f .venv/.linked-*
	@touch $@

run: setup ## serve a demonstration with invented people on PORT (8080)
	$(BIN)/amanah demo --serve --port $(PORT)

# `make check` runs the tests that docs/asvs.md names by themselves; here all of them run anyway. What is slow begins processes of its own,
# in which nothing is counted: it runs first, without being traced, and the gates are held by the others alone.
test: setup ## every test in random order, coverage and its gates, the skips counted last; ENGINES=both for a release
	@rm -rf build/coverage.json build/engines.json build/skips.json
	@code=0; $(PYTEST) -m slow || code=1; \
		$(PYTEST) -m "not slow" --deselect tests/docs/test_asvs.py::test_the_named_tests_pass \
		--cov --cov-report term-missing:skip-covered --cov-report json:build/coverage.json || code=1; exit $$code
	@$(BIN)/python -m tests.house.verdict

check: setup ## format, all rules, types, the walls of the house, documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest tests/house $(wildcard tests/docs) --quiet --durations 0

fix: setup ## format, and mend what ruff can mend by itself
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

mutants: setup ## change the code that matters most in small ways and see the tests fail; ONLY=door for one round
	$(BIN)/python -m tests.house.mutants $(ONLY)

bench: setup ## the benchmarks; falls short when a gate does
	$(call run-each,$(sort $(wildcard bench/*.py)))

bench-large: setup ## the benchmarks that take a million entries or a hundred thousand records
	$(call run-each,$(sort $(wildcard bench/large/*.py)))

soak: setup ## hours under load
	$(call run-each,$(sort $(wildcard bench/soak/*.py)))

lock: setup ## resolve the dependencies anew into the two locks
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --upgrade --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean: ## remove all that can be built again
	rm -rf .venv build dist mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
