# make run    set up (first time only) and start Darkroom
# make test   set up, lint, type-check and test
PYTHON ?= python3
BIN := .venv/bin
SETUP := pyproject.toml constraints.txt

.PHONY: run test lint types soak clean

run: .venv/.installed
	@$(BIN)/darkroom run

test: .venv/.installed-test lint types
	@$(BIN)/pytest

lint: .venv/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/.installed-test
	@$(BIN)/mypy

soak: .venv/.installed-test
	@$(BIN)/pytest -m slow --timeout 1800

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Darkroom needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv .venv

.venv/.installed: $(SETUP) | .venv/bin/python
	@echo "Setting up .venv (the first time takes a few minutes)"
	@$(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt -e .
	@touch $@

.venv/.installed-test: $(SETUP) .venv/.installed
	@$(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[test]'
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
