# What one does here. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help
help: ## List these targets
	@echo "telesurv: make TARGET [ARGS=\"…\"]"; echo
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'
	@echo; echo "  make demo ARGS=\"--no-browser --duration 60s\""
	@echo "  make test ARGS=\"tests/kernels -k beats\""

.PHONY: install
install: $(VENV)/installed ## Create .venv with everything in it, at the locked versions (quick when nothing changed)
	@:

# The stamp is younger than what decides about the content of .venv, so that the other
# targets can ask for it each time.
$(VENV)/installed: requirements.lock pyproject.toml
	@python=""; \
	for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
		if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			python="$$name"; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "telesurv needs Python 3.11 or later; found: $$(python3 --version 2>&1 || true)." >&2; \
		echo "Install one, or name it: make install PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "$$python cannot make virtual environments (on Debian: apt install python3-venv)." >&2; \
		exit 1; \
	fi; \
	[ -x $(BIN)/python ] || "$$python" -m venv $(VENV)
	@echo "Installing into $(VENV); this takes a minute the first time."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: install ## Simulated patients, service and console on this machine, no broker needed
	@exec $(BIN)/telesurv demo $(ARGS)

.PHONY: test
test: install ## Run the tests (TELESURV_RECORDINGS=DIR adds those on whole databases)
	@$(BIN)/telesurv warm >/dev/null # once, not in each of the processes that test
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -q -rfEs --durations=10 $(ARGS)

.PHONY: lint
lint: install ## ruff, format, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

.PHONY: format
format: install ## Let ruff order imports and format
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

.PHONY: bench
bench: install ## Measure, and write benchmarks/results
	@$(BIN)/python -m benchmarks $(ARGS)

RESULTS ?= benchmarks/results
SCORED = $(RESULTS)/accuracy-
SCORE = $(BIN)/telesurv evaluate
RHYTHMS = mitdb vfdb afdb-rr nsr2db-rr cpsc2021 perform-af
QUALITY = cinc2017 vfdb mitdb challenge-2015

.PHONY: accuracy
accuracy: install ## Score the databases in TELESURV_RECORDINGS, and write benchmarks/results
	@[ -d "$$TELESURV_RECORDINGS" ] || { echo "TELESURV_RECORDINGS names no folder" >&2; exit 1; }
	@$(SCORE) beats "$$TELESURV_RECORDINGS/mitdb" --json $(SCORED)mitdb.json
	@$(SCORE) beats "$$TELESURV_RECORDINGS/noise" --noise-from 5m --json $(SCORED)noise.json
	@for name in mitdb noise; do \
		$(SCORE) leads "$$TELESURV_RECORDINGS/$$name" --json $(SCORED)leads-$$name.json; \
	done
	@$(SCORE) classes "$$TELESURV_RECORDINGS/mitdb" --json $(SCORED)classes-mitdb.json
	@for name in $(RHYTHMS); do \
		$(SCORE) rhythm "$$TELESURV_RECORDINGS/$$name" --json $(SCORED)rhythm-$$name.json; \
	done
	@$(SCORE) alarms "$$TELESURV_RECORDINGS/challenge-2015" --json $(SCORED)challenge-2015.json
	@for name in $(QUALITY); do \
		$(SCORE) quality "$$TELESURV_RECORDINGS/$$name" --json $(SCORED)quality-$$name.json; \
	done
	@$(SCORE) quality "$$TELESURV_RECORDINGS/noise" --lead 0 --noise-from 5m --json $(SCORED)quality-noise.json
	@$(SCORE) table $(foreach name,mitdb noise leads-mitdb leads-noise classes-mitdb $(RHYTHMS:%=rhythm-%) challenge-2015 \
		$(QUALITY:%=quality-%) quality-noise,$(SCORED)$(name).json) --out $(RESULTS)/ACCURACY.md

COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes \
	--strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --no-emit-options
IMAGE = $(COMPILE) --no-annotate --constraint requirements.lock

.PHONY: lock
lock: install ## Choose versions anew: pyproject.toml → requirements.lock, and the image's
	@$(COMPILE) --upgrade --all-extras --all-build-deps -o requirements.lock pyproject.toml
	@$(IMAGE) --only-build-deps --all-build-deps -o docker/build.lock pyproject.toml
	@$(IMAGE) -o docker/service.lock pyproject.toml
	@$(IMAGE) --extra simulate -o docker/simulate.lock pyproject.toml

.PHONY: clean
clean: ## Remove .venv and what the tools left
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
