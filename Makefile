# `make demo` shows it, `make test` proves it. Everything lands in .venv; `make clean` removes every trace.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
# Compiling on first import instead of at install saves half of a first `make demo`.
LOCKED := $(PIP) --no-compile --require-hashes
UV_VERSION := 0.13.9
CYCLONEDX_VERSION := 7.5.0

.DEFAULT_GOAL := help
.PHONY: help setup demo sandbox test lint types layers pytest pytest-scenarios pytest-rest coverage fmt crds rbac docs install uninstall sbom lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## Make the virtual environment for development

demo: $(VENV)/.sandbox ## Serve and publish the sample on an embedded Kubernetes API, then delete it again
	@$(BIN)/maas-operator sandbox demo

sandbox: $(VENV)/.sandbox ## Start the same and stay, for kubectl
	@$(BIN)/maas-operator sandbox start

test: lint types layers pytest coverage ## Lint, types, layers, sizes, all tests, coverage

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

# The scenarios take about as long as all the rest, and one core like that.
pytest: $(VENV)/.dev
	$(BIN)/coverage erase
	$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target pytest-scenarios pytest-rest
	$(BIN)/coverage combine --quiet

# The sandbox is measured by its own tests; here that would cost a sixth of the time.
pytest-scenarios: $(VENV)/.dev
	$(BIN)/coverage run --parallel-mode --omit='maas_operator/sandbox/*' -m pytest tests/scenarios

pytest-rest: $(VENV)/.dev
	$(BIN)/coverage run --parallel-mode -m pytest --ignore=tests/scenarios

# What decides and what writes is covered branch by branch; the whole has the floor of pyproject.toml.
coverage: pytest
	$(BIN)/coverage report --include='maas_operator/domain/*,maas_operator/engine/*' --fail-under=100
	$(BIN)/coverage report --format=total

fmt: $(VENV)/.dev ## Format, and repair what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

crds: $(VENV)/.dev ## Write crds/ from the models
	$(BIN)/maas-operator crds --output crds

rbac: $(VENV)/.dev ## Write deploy/rbac/ from the table of kinds
	$(BIN)/python -m maas_operator.app.rbac deploy/rbac

docs: $(VENV)/.dev ## Write the reference pages from the models
	$(BIN)/python docs/generate.py

# Variables: OVERLAY (operator, openshift or yours), IMAGE, THREESCALE_NAMESPACE, TIMEOUT_SECONDS.
install: ## Install or upgrade the operator in the cluster of your kubeconfig
	@deploy/scripts/install

uninstall: ## Delete all that the operator made there, and then the operator
	@deploy/scripts/uninstall

sbom: ## Write dist/sbom.cdx.json: what the image has in it, as CycloneDX
	@$(PYTHON) -m venv $(VENV)-sbom
	@$(VENV)-sbom/bin/python -m pip install --quiet cyclonedx-bom==$(CYCLONEDX_VERSION)
	@mkdir -p dist
	@$(VENV)-sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file dist/sbom.cdx.json requirements/runtime.lock
	@rm -rf $(VENV)-sbom

lock: ## Refresh requirements/*.lock from pyproject.toml
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv==$(UV_VERSION)
	PATH="$(VENV)-lock/bin:$$PATH" requirements/lock $(LOCK_FLAGS)
	rm -rf $(VENV)-lock

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) $(VENV)-lock $(VENV)-sbom .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* .sandbox build dist
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.sandbox: requirements/build.lock requirements/sandbox.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }
	@echo 'Setting up $(VENV) (once)'
	@$(PYTHON) -m venv $(VENV)
	@$(LOCKED) -r requirements/build.lock -r requirements/sandbox.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.sandbox requirements/dev.lock
	@echo 'Adding the development tools'
	@$(LOCKED) -r requirements/dev.lock
	@touch $@
