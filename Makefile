# `make demo` shows what e2edebug does; `make test` checks everything. Both set up what they need.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATABASE_URL ?=
ARGS ?=
STEPS ?= 200000
# Each worker starts a MariaDB of its own. Much of the suite waits for processes, so two workers pay even on one core.
WORKERS ?= 2
SECONDS ?= 60
RATE ?= 500

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-compare bench-document test-faults test-load fuzz test-matrix test-mysql test-contract lint format django-migration clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.demo ## The example shop under traffic, and what was found; DATABASE_URL=mysql+pymysql://... for MySQL
	@$(BIN)/python examples/shop/demo.py $(if $(DATABASE_URL),--database-url '$(DATABASE_URL)') $(ARGS)

test: $(VENV)/.test ## The whole suite, on SQLite and on a MariaDB of its own
	@tests/ensure_mariadb.sh
	@tests/ensure_caches.sh
	$(BIN)/python -m pytest --numprocesses $(WORKERS) $(ARGS)

test-faults: $(VENV)/.test ## Every fault of the matrix, Galera and the long ones too, with a table of what each cost
	@tests/ensure_mariadb.sh
	$(BIN)/python -m pytest -m fault $(ARGS)

test-load: $(VENV)/.test ## A steady load: SECONDS=300 RATE=1000 (spans a second); no id may be missing, and memory stays capped
	@tests/ensure_mariadb.sh
	$(BIN)/python tests/load/steady_load.py --seconds $(SECONDS) --rate $(RATE) $(ARGS)

fuzz: $(VENV)/.test ## Let atheris search for what breaks the exporters' readers and writers: SECONDS=60 for each target
	$(BIN)/python -m pip install --quiet --group fuzz
	$(BIN)/python tests/fuzz/search.py --seconds $(SECONDS) $(ARGS)

.PHONY: test-scale test-browser
test-scale: $(VENV)/.test ## Pages and retention on a large MariaDB store; STEPS=5000000 for the size that the bounds are for
	@tests/ensure_mariadb.sh
	PYTHONPATH=tests $(BIN)/python -m scale --steps $(STEPS) $(ARGS)

test-browser: $(VENV)/.test ## Hostile strings on every page of the admin in a real Chromium, under a strict policy
	@tests/ensure_chromium.sh
	@$(BIN)/python -m pip install --quiet --group browser
	PYTHONPATH=tests $(BIN)/python -m browser

bench: $(VENV)-bench/.bench ## What it costs, beside the peers, into tests/benchmarks/results; ARGS="request_overhead --quick" for some
	@tests/ensure_mariadb.sh
	@tests/ensure_caches.sh
	@tests/ensure_valgrind.sh
	PYTHONPATH=tests $(VENV)-bench/bin/python -m benchmarks $(ARGS)

bench-compare: $(VENV)-bench/.bench ## Measure again and compare with what was kept; ARGS="--with FILE" compares two runs
	@tests/ensure_mariadb.sh
	@tests/ensure_caches.sh
	@tests/ensure_valgrind.sh
	PYTHONPATH=tests $(VENV)-bench/bin/python -m benchmarks compare $(ARGS)

bench-document: $(VENV)/.test ## Write docs/performance.md, its chart and the README's figures from what was kept
	PYTHONPATH=tests $(BIN)/python -m benchmarks document

test-matrix: $(VENV)/.test ## The suite on every supported Python that is installed, with each Django it takes
	@tests/ensure_mariadb.sh
	@tests/ensure_caches.sh
	$(BIN)/python -m pip install --quiet "nox>=2024.4"
	@# pyenv's python3.12 and its like work only for the versions that PYENV_VERSION names: all of them.
	PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste --serial --delimiters=: -)" $(BIN)/nox $(ARGS)

test-mysql: $(VENV)/.test ## The suite on MySQL 8.4 in Docker
	docker compose up --detach --wait mysql
	E2EDEBUG_TEST_DATABASE_URL=mysql+pymysql://root:e2edebug@127.0.0.1:33084/ $(BIN)/python -m pytest $(ARGS); \
	  status=$$?; docker compose down --volumes; exit $$status

test-contract: $(VENV)/.test ## The REST API against its OpenAPI document, at length: boundaries and sequences of calls too
	@tests/ensure_mariadb.sh
	E2EDEBUG_TEST_CONTRACT_EXAMPLES=20 E2EDEBUG_TEST_CONTRACT_PHASES=examples,coverage,fuzzing,stateful \
	  E2EDEBUG_TEST_CONTRACT_TIMEOUT_S=3600 $(BIN)/python -m pytest tests/rest/test_contract.py $(ARGS)

lint: $(VENV)/.lint ## Formatting, rules, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.lint ## Format the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

django-migration: $(VENV)/.lint ## Write the Django migration of a new table: NAME=what_is_new
	$(BIN)/python tests/django_app/write_migration.py '$(NAME)'
	$(BIN)/ruff format --quiet e2edebug/django/migrations
	$(BIN)/ruff check --quiet --fix e2edebug/django/migrations

clean: ## Remove what was installed and made here
	rm -rf $(VENV) $(VENV)-bench .nox .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis examples/shop/.demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "e2edebug needs Python 3.11 or newer; $$($(PYTHON) --version) is $(PYTHON). Set PYTHON=python3.12, say."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.demo: $(BIN)/python pyproject.toml
	@echo "Installing e2edebug and the shop into $(VENV): about half a minute, once …"
	$(BIN)/python -m pip install --quiet --editable ".[shop]"
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml
	@echo "Installing what the tests need into $(VENV) …"
	$(BIN)/python -m pip install --quiet --editable ".[shop]" --group test
	@touch $@

$(VENV)-bench/.bench: $(BIN)/python pyproject.toml
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)-bench/bin/python -m pip install --quiet --editable ".[shop]" --group test --group bench
	@touch $@

$(VENV)/.lint: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[shop]" --group test --group lint
	@touch $@
