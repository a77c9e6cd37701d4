# `make quickstart` and `make test` work from a fresh clone, each alone. PYTHON=/path/to/python3 chooses the interpreter.
.PHONY: help quickstart test lint bench build clean
.DEFAULT_GOAL := help
export PYTHON
BIN := .venv/bin

help: ## This list.
	@sed -n 's/^\([a-z]*\):.*## /make \1|/p' $(MAKEFILE_LIST) | awk -F '|' '{printf "%-16s %s\n", $$1, $$2}'

quickstart: ## Train a small vision-language model on a web task in a real browser, and write the report.
	@.ci/setup
	@$(BIN)/turngym train quickstart $(ARGS)

test: ## All tests. ARGS="-k words" passes arguments to pytest.
	@.ci/setup test
	@$(BIN)/python -m pytest $(ARGS)

lint: ## ruff and mypy.
	@.ci/setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: ## Throughput and latency, beside the other packages' environments.
	@.ci/setup bench
	@$(BIN)/turngym bench turngym/MiniWoB-v0 --task click-color
	@$(BIN)/python tests/bench/miniwob_peers.py
	@$(BIN)/python tests/bench/throughput.py
	@$(BIN)/python tests/bench/observations.py
	@$(BIN)/turngym sites install
	@$(BIN)/python tests/bench/websites.py

build: ## sdist, and the wheel from it, in dist/.
	@.ci/setup
	@rm -rf dist
	@$(BIN)/python -m build

clean: ## Remove what was built; .venv and runs/ stay.
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
