# Two commands on a fresh machine: `make demo` and `make test`. Set-up happens by itself, once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BASE   := $(VENV)/.base
READY  := $(VENV)/.ready
PIP    := $(BIN)/pip --disable-pip-version-check install --progress-bar on

.PHONY: demo test unit campaigns check bench docs docs-site dist deploy-check cover lock clean format

# What the demo stands on; pip shows how far it is.
$(BASE): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "heddle needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	@echo "setting up $(VENV), once: a minute or less"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

# What tests and tools need beside that.
$(READY): $(BASE)
	@echo "installing what the tests need, once: a few minutes"
	@$(PIP) --editable '.[dev]'
	@touch $@

# A copy to play with, whose answer ends its line on a terminal: git and the tests know only the one
# in examples/.
demo/ping.yaml:
	@mkdir -p demo
	@sed 's/code: pong$$/code: "pong\\n"/' examples/ping.yaml > $@

demo: $(BASE) demo/ping.yaml  ## run the demo flow on http://localhost:8000/ping
	@$(BIN)/heddle start demo/ping.yaml -e PORT=8000

test: $(READY)  ## run the tests, without the campaigns
	@$(BIN)/python -m pytest -n auto -q -m "not campaign"

unit: $(READY)  ## run the tests that stay in their process: a minute
	@$(BIN)/python -m pytest -n auto -q -m "unit and not campaign"

campaigns: $(READY)  ## run the tests that try many thousands of inputs
	@$(BIN)/python -m pytest -n auto -q -m campaign

check: $(READY)  ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/deptry .
	@$(BIN)/python -m pytest -q tests/test_layers.py

format: $(READY)  ## rewrite in our style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY)  ## measure; writes benchmarks/results/
	@$(BIN)/python -m benchmarks

docs: $(READY)  ## write the generated pages of docs/
	@$(BIN)/python docs/build.py

docs-site: $(READY)  ## build the searchable site, with the API reference, into build/site
	@$(BIN)/pip --disable-pip-version-check --quiet install --editable '.[docs]'
	@$(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

dist: $(READY)  ## build the wheel and the sdist, and check them
	@$(BIN)/pip --disable-pip-version-check --quiet install --editable '.[release]'
	@rm -rf dist
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/twine check --strict dist/*

deploy-check: $(READY)  ## check the files of deploy/ with the tools that are on the PATH
	@$(BIN)/python deploy/check.py

cover: $(READY)  ## run the tests and report which lines none of them reaches
	@$(BIN)/pip --disable-pip-version-check --quiet install coverage pytest-cov
	@$(BIN)/python -m pytest -n auto -q --cov --cov-report=term --cov-report=html:build/coverage

lock: $(READY)  ## write requirements-dev.lock: the versions that development was last tested with
	@$(BIN)/pip --disable-pip-version-check --quiet install pip-tools
	@$(BIN)/pip-compile --quiet --extra dev --strip-extras --no-header --output-file requirements-dev.lock pyproject.toml

clean:  ## remove everything that set-up and tests made
	rm -rf $(VENV) demo build dist *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
