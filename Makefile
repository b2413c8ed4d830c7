# Thin: a target is a line of what uv has installed. Paths are relative, so a clone's folder may have any name.

PYTHON ?= python3
UV_VERSION := 0.13.9
# The uv that is there, when it is new enough; else one in an environment of its own: `uv sync`
# would remove it from .venv, where no lock names it.
UV := $(shell printf '0.9\n%s\n' "$$(uv --version 2>/dev/null | cut -d' ' -f2)" | sort -V -C && echo uv || echo .uv/bin/uv)
# By its own path: with that of a shim, uv would make .venv anew each time.
SYNC := $(UV) sync --frozen --python "$(shell $(PYTHON) -c 'import sys; print(sys.executable)')"
SOURCES := $(wildcard */src gateway/client/src provider-service/sdk/src provider-service/plugins/*/src provider-service/template/src deploy/local/src)
BUF := $(if $(shell command -v npm),protos/node_modules/.package-lock.json)
SHIPPED := $(filter-out tests/src,$(SOURCES))
SEMGREP := tests/security/semgrep
CLIENTS := tests/clients
PARTS := $(patsubst %/src,%,$(filter-out tests/src,$(SOURCES)))

export UV_PYTHON_DOWNLOADS := never
# The tests start many processes, and none of them goes on with gRPC.
export GRPC_ENABLE_FORK_SUPPORT := 0
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

.DEFAULT_GOAL := up
.PHONY: up test check fmt protos openapi bench faults security sync

up: $(filter .uv/%,$(UV))  ## All of Parley on this machine, until Ctrl-C.
	@$(SYNC) --no-dev --inexact
	@.venv/bin/parley up

test: sync  ## Every test that needs no vendor's key.
	@$(UV) sync --quiet --frozen --project $(CLIENTS) --python .venv/bin/python
	.venv/bin/pytest -n auto --dist loadfile

check: sync protos  ## What CI demands beside the tests.
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy $(SOURCES)
	@for part in $(PARTS); do MYPYPATH=$$part .venv/bin/mypy $$part/tests || exit 1; done
	MYPYPATH=tests/bench .venv/bin/mypy tests
	.venv/bin/lint-imports
	.venv/bin/bandit --quiet --recursive --configfile pyproject.toml $(SHIPPED)
	@$(UV) sync --quiet --frozen --project $(SEMGREP) --python .venv/bin/python
	$(SEMGREP)/.venv/bin/semgrep scan --quiet --error --disable-version-check --metrics=off --config $(SEMGREP)/rules.yaml $(SHIPPED)
	.venv/bin/pytest -q tests/test_house_rules.py tests/security/test_rules.py

fmt: sync  ## Formats, and mends what can be mended.
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

protos: $(BUF)  ## Lints the contracts, where there is an npm to bring buf.
ifdef BUF
	protos/node_modules/.bin/buf lint protos
	protos/node_modules/.bin/buf format --diff --exit-code protos
else
	@echo "No npm: the contracts are not linted."
endif

openapi: sync  ## Keeps the gateway's OpenAPI document as it is now, once a change is meant.
	.venv/bin/python -m parley_gateway openapi > gateway/openapi.json.new
	mv gateway/openapi.json.new gateway/openapi.json

bench: sync  ## CPU time per turn and per streamed token.
	.venv/bin/python tests/bench/run.py

security: sync  ## Schemathesis over all routes, 200 examples of each (ARGS='--examples 50 --seed 7').
	.venv/bin/python -m tests.security.exploration $(ARGS)

faults: sync  ## Kills, freezes and cuts for half an hour, then the rules (ARGS='--seed 7').
	.venv/bin/python -m parley_tests.checker $(ARGS)

sync: $(filter .uv/%,$(UV))
	@$(SYNC)

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Not `npm ci`: that insists on the packages of all platforms, and mirrors tend to lack some.
protos/node_modules/.package-lock.json: protos/package-lock.json
	npm --prefix protos install --no-save --no-audit --no-fund
