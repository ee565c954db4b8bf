# The interpreter that makes the virtual environment: 3.11 or newer.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
TEST_FLAGS ?=

.PHONY: install install-dev run dev test browser-test lint format secret-key

install: $(VENV)/installed secret-key

install-dev: $(VENV)/installed-dev

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11: name a newer one, as in make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): a few minutes the first time."
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

secret-key: $(VENV)/installed
	@$(RUN) -m emotion_site.secret_key

# The real thing, for this machine alone: plain HTTP, and nothing listens beyond loopback.
run: export LOOPBACK_HTTP = 1
run: install
	@$(RUN) manage.py prepare_site
	@exec $(RUN) -m emotion_site.serve

dev: export LOOPBACK_HTTP = 1
dev: export DEBUG = 1
dev: install
	@$(RUN) manage.py prepare_site
	@exec $(RUN) -m emotion_site.serve Procfile.dev

test: install-dev
	@$(RUN) -m pytest -q -n auto --ignore=tests/browser $(TEST_FLAGS)

browser-test: install-dev
	@$(RUN) -m pytest -q tests/browser $(TEST_FLAGS)

lint: install-dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy .
	@DJANGO_SETTINGS_MODULE=tests.settings $(RUN) manage.py makemigrations --check --dry-run

format: install-dev
	@$(RUN) -m ruff check --fix-only .
	@$(RUN) -m ruff format .
