# All that a developer does here; `make` alone lists it. What it needs: Python 3.11 or newer and a network, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test check fmt cover bench proto fuzz screenshots

ARGS ?=
# How many test files at a time. Most of their time is waiting, but the faults are made under load: more than two of
# them starve each other on a machine of two cores.
JOBS ?= 2
BIN := .venv/bin
# The least share of the code, in percent, that the tests must run: a little below what they do.
FLOOR := 90

help: ## List what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1	/' | expand -t 16

# exec, so that signals to make reach the server and not a shell in between.
run: .venv/.installed ## Serve on :9091 with the data in pgw-data/; ARGS="--workers=1" for flags
	@exec $(BIN)/pgw serve $(ARGS)

test: .venv/.developed ## Run all tests; ARGS="-k inspect" for some
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(JOBS) --dist loadfile $(ARGS)
	$(BIN)/coverage combine --quiet

check: .venv/.developed .coverage ## Run the linters, the types, the layers, and look at the coverage of the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/coverage report --skip-covered --fail-under=$(FLOOR)

fmt: .venv/.developed ## Format the code and mend what ruff can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

cover: .venv/.developed .coverage ## Show which lines the tests do not run
	$(BIN)/coverage report --show-missing --skip-covered

bench: .venv/.developed ## Measure all of bench/ into bench/RESULTS.md, quickly; ARGS="full" takes hours, ARGS="quick latency" one thing
	$(BIN)/pip install --quiet --group bench
	$(BIN)/python bench/run.py $(ARGS)

fuzz: .venv/.developed ## Send a million hostile requests, in some minutes; ARGS="2000000 7" for more and another seed
	cd tests/support && ../../$(BIN)/python storm.py $(or $(ARGS),1000000)

screenshots: .venv/.developed ## Take the pictures of the web page in docs/img/ anew; wants chromium and chromium-driver
	cd tests/support && PYTHONPATH=../.. ../../$(BIN)/python screenshots.py

proto: .venv/.developed ## Generate the code of pgw/formats/metrics.proto
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. pgw/formats/metrics.proto

# The newest test run; made again only where the code or the tests are newer.
.coverage: $(shell find pgw tests -name '*.py' -o -name '*.lua')
	$(MAKE) test ARGS=

# A virtual environment of the first Python that is new enough. The system's own comes first: distributions have theirs
# optimized for what it runs; one that was compiled without, as pyenv does, took up to 1.6 times as long.
$(BIN)/python:
	@for python in /usr/bin/python3 python3.13 python3.12 python3.11 python3; do \
	  if $$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $$python -m venv .venv && exit; rm -rf .venv; exit 1; \
	  fi; \
	done; echo 'Python 3.11 or newer is needed, and python3 is none: install one (Debian: apt-get install python3 python3-venv)' >&2; exit 1

# The stamps are older than pyproject.toml where what is installed may be.
.venv/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable \
	  "$$(command -v redis-server valkey-server >/dev/null && echo . || echo '.[private-redis]')"
	@touch $@

# pip 25.1 is the first that knows dependency groups.
.venv/.developed: pyproject.toml .venv/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --group dev
	@touch $@
