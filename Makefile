# `make demo` and `make test` do all on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak lint format bench docs clean

help:  ## list what there is to do
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready  ## make .venv with the project and all its tools

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group lint --group docs
	@touch $@

demo: setup  ## run a real flow on real input: a census of this machine's standard library
	$(BIN)/flows run examples/stdlib_census.py:census

test: setup  ## the whole suite, Dask and Ray included, a file at a time on each core
	$(BIN)/python -m pytest --numprocesses=logical --dist=loadfile

soak: setup  ## the long campaigns of the suite
	$(BIN)/python -m pytest --soak

lint: setup  ## ruff, pyright, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup  ## let ruff put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## the tables of docs/reference/benchmarks.md, measured on this machine
	$(BIN)/python -m benchmarks

docs: setup  ## the documentation as a site in site/
	$(BIN)/mkdocs build --strict

clean:  ## forget what was built
	rm -rf $(VENV) build dist site .pytest_cache .ruff_cache .coverage*
