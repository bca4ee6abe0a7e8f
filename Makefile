# demo   the whole loop on this machine, no keys; FAULT=500, AGAIN=1, KEEP=1
# test   all tests            lint   style, types, import rules, workflows
# bench  benchmarks           lock   the lock files anew
.PHONY: help setup demo up test lint bench lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE := # empty: what one worker has compiled the others need not compile again
FAULT ?= dependency-timeout

help:
	@sed -n '1,3p' Makefile | sed 's/^# //'

setup: $(VENV)/installed-locks $(VENV)/kernel

$(VENV)/installed-locks: requirements/dev.lock requirements/serve.lock requirements/think.lock requirements/userplane.lock scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh

$(VENV)/kernel: $(VENV)/installed-locks $(wildcard bot/telemetry/native/*.[ch])
	@$(BIN)/python -m bot.telemetry.native.library && touch $@

demo: setup
	@$(BIN)/python -m bot demo --fault "$(FAULT)" $(if $(AGAIN),--again) $(if $(KEEP),--keep) $(if $(JSON),--json) $(if $(SEED),--seed $(SEED))

up: setup
	@$(BIN)/python -m bot demo --fault none

test: setup
	@$(BIN)/python scripts/test.py $(ARGS)

lint: setup
	@sh scripts/lint.sh

bench: setup
	@$(BIN)/python -m benchmarks.loop

lock:
	@sh scripts/lock.sh

clean:
	rm -rf .sre .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
