# One word each. Every target sets up .venv by itself when it is missing or older than the lock file.
PYTHON ?= python3
# Half of the tests' time is waiting, so two run side by side; each has servers of its own. They start hundreds of
# Pythons, which would all compile Tailslide anew if they were not to keep what they have compiled.
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test check dashboard-types bench lock clean

help: ## show this
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from the lock file, with everything for development

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: install Python 3.11 or newer, or say which with PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V); Tailslide needs Python 3.11 or newer: say which with PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (about a minute, once) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY) ## watch a circuit open and recover on real servers
	@$(BIN)/tailslide demo $(DEMO)

test: $(READY) ## run all tests, on real servers
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: $(READY) ## lint, types, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

dashboard-types: $(READY) ## write the dashboard's API types anew from Tower's description
	@$(BIN)/python -m tailslide_tower.described | (cd tower/dashboard && node generate_types.mjs)

bench: $(READY) ## run the benchmarks
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file $(BENCH) || exit 1; done

lock: ## resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.lock pyproject.toml

clean: ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist tests/conformance/*/node_modules
