# `make run` and `make test` work on a fresh Debian with Python 3.11 or newer, git and make. `make help` lists the rest.

# Empty: scripts/ensure-venv takes the first of python3.14 … python3.11, python3 that runs and is at least 3.11.
PYTHON ?=
PYTEST_ARGS ?=
RUN_ARGS ?=
BENCH_ARGS ?=
CLIENTS_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check
BENCH := $(BIN)/reactor bench $(BENCH_ARGS)

.DEFAULT_GOAL := help
.PHONY: run test check fuzz bench clean help

run: $(INSTALLED) ## serve examples/gradient and print its address (RUN_ARGS="--port 9000" is passed on)
	$(BIN)/reactor run --path examples/gradient $(RUN_ARGS)

test: check ## the checks, then the tests (PYTEST_ARGS="-k ring -x" is passed on)
	@chromium="$$(scripts/ensure-chromium)" && scripts/ensure-npm && set -x && \
	CHROMIUM="$$chromium" scripts/run-tests $(BIN)/python $(PYTEST_ARGS)

check: $(INSTALLED_DEV) ## lint, format, types and import floors; runs them all, fails if one fails
	@failed=; \
	for step in 'ruff check' 'ruff format --check' 'mypy' 'lint-imports'; do \
		echo "── $$step"; \
		$(BIN)/$$step || failed="$$failed, $$step"; \
	done; \
	if [ -n "$$failed" ]; then echo "make check: failed: $${failed#, }" >&2; exit 1; fi

fuzz: $(INSTALLED_DEV) ## send more than 5,000 half-right requests to a service, and tell how many; try random values
	FUZZ_EXAMPLES=100 $(BIN)/python -m pytest tests/service/test_fuzz.py tests/compat/test_any_json.py -q -s
	FUZZ_EXAMPLES=100 $(BIN)/python -m pytest tests/unit -q -m hypothesis

bench: $(INSTALLED_DEV) ## measure on this machine the served path, and how long the published clients wait
	$(BENCH) --size 1280x720 --fps 30 --viewers 1
	$(BENCH) --size 1280x720 --fps 30 --viewers 4
	$(BENCH) --size 1280x720 --fps 30 --batch 4 --buffer-size 8
	$(BENCH) --size 320x180 --fps 60
	$(BENCH) --size 1280x720 --emit
	@chromium="$$(scripts/ensure-chromium)" && scripts/ensure-npm && set -x && \
	CHROMIUM="$$chromium" $(BIN)/python -m benchmarks.clients $(CLIENTS_ARGS)

clean: ## remove what make and the tools have made, .venv included
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find src tests examples scripts -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml
	@PYTHON='$(PYTHON)' scripts/ensure-venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	$(PIP) install --quiet --editable .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(PIP) install --quiet --editable . --group dev
	@touch $@
