# make demo: install into .venv and show the loop on a real company's records.
# make test: the whole test suite. make lint: style and types. Nothing is written outside this folder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Byte code is compiled here: where it cannot be written later, as in many containers, each command would compile anew.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --no-cache-dir

.PHONY: demo test lint docs screenshots clean

demo: $(VENV)/.installed
	$(BIN)/datong demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --python $(VENV) src

# Every page of the web application in both languages, into the folder screenshots; needs Chromium.
screenshots: $(VENV)/.installed-dev
	$(BIN)/python tools/screenshots.py

docs: $(VENV)/.installed
	$(BIN)/python -m datong.connectors.files.tables_document docs

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Datong needs Python 3.11 or newer; name it: make PYTHON=python3.12"; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "This Python cannot make a virtual environment; install its venv package, or name another: make PYTHON=..."; exit 1; }
	@echo "Installing into $(VENV) (about half a minute) ..."
	$(PIP) --editable '.[web]'
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) datong-demo
