# One word each. Every target sets up .venv by itself when it is missing or older than the lock file.
PYTHON ?= python3
# Half of the tests' time is waiting, so two run side by side; each has servers of its own.
JOBS ?= 2
# Tests start hundreds of Pythons, which would each compile Tailslide again where they may not keep bytecode.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The dashboard's Node.js is a package of .venv; `$(NODE) npm run dev` and the like run in tower/dashboard/.
DASHBOARD := $(BIN)/python tower/dashboard/packaging/dashboard_build.py
NODE := $(BIN)/python tower/dashboard/packaging/dashboard_node.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test check dashboard dashboard-types sdk-test sdk-package bench lock clean

help: ## show this
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv from the lock file, with everything for development

$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: install Python 3.11 or newer, or say which with PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V); Tailslide needs Python 3.11 or newer: say which with PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (about a minute and a half, once; 20 s of it for the dashboard) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
	@$(DASHBOARD) --in-passing

demo: $(READY) ## watch a circuit open and recover on real servers
	@$(DASHBOARD) --in-passing
	@$(BIN)/tailslide demo $(DEMO)

test: $(READY) ## run all tests, on real servers
	@$(DASHBOARD) --in-passing
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(TESTS)

dashboard: $(READY) ## build the dashboard into Tower, if its sources have changed
	@$(DASHBOARD)

check: $(READY) ## lint, types, import directions, of the dashboard too
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tower/dashboard/packaging/dashboard_check.py

dashboard-types: $(READY) ## regenerate the dashboard's API types from Tower's description
	@$(BIN)/python tower/dashboard/packaging/dashboard_check.py --write-types

sdk-test: ## run the own tests of each thin client whose language is installed
	@for each in sdk-thin/*/test.sh; do echo "== $$each"; $$each || test $$? -eq 69 || exit 1; done

sdk-package: ## build the package of each thin client whose language is installed into dist/sdk/
	@for each in sdk-thin/*/package.sh; do echo "== $$each"; $$each dist/sdk || test $$? -eq 69 || exit 1; done

bench: $(READY) ## run the benchmarks
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file $(BENCH) || exit 1; done

lock: ## resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.lock pyproject.toml

clean: ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist tests/conformance/*/node_modules tower/dashboard/node_modules tower/tailslide_tower/dashboard/built
