# A fresh machine needs Python 3.11 to 3.13 (with venv) and make; everything else is installed into .venv.
# make ends with 2 whatever the recipe's code was; the code itself stands in its last line ("Error N").
.DEFAULT_GOAL := help
.PHONY: help demo package docs test test-quick test-all test-versions coverage lint format properties mutants bench clean

# PYTHON=python3.12 chooses another interpreter for .venv.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo "$$p" && break; done || echo python3)

help: ## this list
	@sed -n 's/^\([a-z-]*\): ## /  make \1\t/p' Makefile | expand -t 20
	@echo "  make demo EXIT=1 ends after the summary instead of leaving the UI open"

demo: ## the whole chain against the built-in sandbox, then Dagster's UI on http://127.0.0.1:3000
	@$(PYTHON) scripts/prepare.py
	@.venv/bin/lms-assets demo $(if $(filter-out 0,$(EXIT)),--exit)

test: ## lint, types, import rules and the suite: a test of every promise (CI=true: nothing may be left out)
	@$(PYTHON) scripts/suite.py

test-quick: ## within a minute: lint, types, import rules; rules, vendors, warehouse on SQLite, architecture
	@$(PYTHON) scripts/suite.py quick

test-all: ## make test and what takes long: the whole matrix of faults, more random histories
	@$(PYTHON) scripts/suite.py all

coverage: ## make test, and which lines of the product it does not run (page by page: htmlcov/index.html)
	@$(PYTHON) scripts/suite.py coverage

lint: ## lint, format, types and import rules only
	@$(PYTHON) scripts/suite.py lint

format: ## let ruff put the code in order
	@$(PYTHON) scripts/prepare.py --dev
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

package: ## the wheel and the source archive in dist/, checked as an index would
	@$(PYTHON) scripts/prepare.py --dev
	@.venv/bin/uv build --out-dir dist && .venv/bin/twine check --strict dist/*

docs: ## the documentation as a site in site/ (SERVE=1: on http://127.0.0.1:8000, made again at each change)
	@$(PYTHON) scripts/prepare.py --dev
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs $(if $(filter-out 0,$(SERVE)),serve,build --clean)

tour: ## the pictures of the docs' tour again, from a demo walked through in Chromium
	@$(PYTHON) scripts/prepare.py --dev
	@.venv/bin/python -m scripts.tour

properties: ## the property tests with a random seed (SEED=N repeats a run); a find becomes an @example
	@$(PYTHON) scripts/prepare.py --dev
	@seed=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; echo "SEED=$$seed"; \
	HYPOTHESIS_PROFILE=random .venv/bin/python -m pytest -q -m hypothesis --hypothesis-seed=$$seed lms_assets_tests

test-versions: ## do the lowest and the highest allowed dependencies work? (rules, vendors, one chain; several minutes)
	@$(PYTHON) scripts/prepare.py --dev
	@$(PYTHON) scripts/versions.py

mutants: ## do the tests notice small faults in rules, upsert and push? (SAMPLE=200 SEED=1)
	@$(PYTHON) scripts/mutants.py --sample $(or $(SAMPLE),200) --seed $(or $(SEED),1)

bench: ## how near the chain is to the API limits: a table, bench/bench.json, pictures (BENCH="--scale 1", "--help")
	@$(PYTHON) scripts/prepare.py --dev
	@.venv/bin/python -m benchmarks.chain $(BENCH)

bench-warehouse: ## writing, linking and counting by themselves, SQLite and MariaDB (BENCH="--scale 10", "--help")
	@$(PYTHON) scripts/prepare.py --dev
	@.venv/bin/python -m benchmarks.warehouse $(BENCH)

clean: ## removes .venv, the demo's data and every cache; configuration (.env) stays
	rm -rf .venv .demo mutants versions bench .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache build dist site htmlcov .coverage* *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
