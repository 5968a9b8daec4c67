# Everything a newcomer needs: `make demo` shows Pulih at work, `make test` proves it. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
# What a stock Debian 12 or Ubuntu lacks; what the tests need beside that, plain programs and real servers,
# tests/testbed/missing.sh knows.
NEEDED := git zstd age sqlite3
APT_LINE := sudo apt install git make python3-venv zstd age sqlite3 openssl poppler-utils postgresql mariadb-server jq chromium attr debootstrap openssh-client openssh-server radosgw ceph-mon ceph-osd
# Ubuntu has Chromium as a snap only, and apt refuses a whole line for one name that it does not know.
DISTRIBUTION := $(shell . /etc/os-release 2>/dev/null; echo $$ID)
ifeq ($(DISTRIBUTION),ubuntu)
APT_LINE := $(filter-out chromium,$(APT_LINE)) && sudo snap install chromium
endif

# What `make test` must take of recovery/, in per cent of its lines and branches together. Asked of the file: together with
# several processes slipcover's own --fail-under sees the first of them alone.
COVERED := 99.8
COVERAGE := .coverage.json

# Some shells have a variable of this name; only `make demo HOST=…` is meant.
DEMO_HOST = $(if $(findstring command,$(origin HOST)),--host $(HOST))

.PHONY: help install demo up down test test-fast test-sweep test-endurance check bench screenshots clean needed needed-by-tests
.DEFAULT_GOAL := help

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

install: $(INSTALLED) ## install the pinned packages into .venv

demo: needed $(INSTALLED) ## back up, really damage, and restore a small application on a real Prefect server; ENGINE=postgresql, ENGINE=mariadb, HOST=systemd, STORE=s3, STORE=ceph
	@$(RUN) -m demo story $(if $(ENGINE),--engine $(ENGINE)) $(DEMO_HOST) $(if $(STORE),--store $(STORE))

up: needed $(INSTALLED) ## start server, worker and the demo application, to be tried in the browser
	@$(RUN) -m demo up $(if $(ENGINE),--engine $(ENGINE)) $(DEMO_HOST) $(if $(STORE),--store $(STORE))

down: $(INSTALLED) ## stop what `make up` started
	@$(RUN) -m demo down

test: needed needed-by-tests $(INSTALLED) ## run all tests, and measure which lines and branches of recovery/ they take
	@status=0; \
	$(RUN) -m slipcover --format json --out $(COVERAGE) -m pytest -n 5 --dist loadgroup --no-loadscope-reorder -m "not endurance" || status=$$?; \
	$(RUN) -m slipcover --merge $(COVERAGE) --out $(COVERAGE) --fail-under $(COVERED) || status=$$?; \
	$(RUN) -m tests.explained_coverage $(COVERAGE) || status=$$?; \
	exit $$status

test-fast: needed $(INSTALLED) ## run the tests that need no server and no large data
	$(RUN) -m pytest -n 2 --dist loadgroup -m "not slow and not endurance" --timeout=60

test-sweep: needed $(INSTALLED) ## let processes die and calls fail everywhere; writes docs/reliability.md (takes long)
	$(RUN) -m tests.recovery.procedures.whole_sweep

test-endurance: needed needed-by-tests $(INSTALLED) ## repeat what `make test` does once: engines under load, at full size, killed anywhere (takes long)
	$(RUN) -m pytest -m endurance --timeout=3600

check: $(INSTALLED) ## lint, type check, import rule
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -q tests/test_imports.py

bench: $(INSTALLED) ## measure the data path against the plain shell pipeline (takes minutes)
	$(RUN) bench/bench_step1.py
	$(RUN) bench/bench_swap.py
	$(RUN) bench/bench_ssh.py
	$(RUN) bench/bench_database.py
	$(RUN) bench/bench_demands.py
	$(RUN) bench/bench_store.py

screenshots: needed $(INSTALLED) ## take the pictures in docs/ from a running `make up` (needs chromium)
	$(RUN) -m demo.screenshots

clean: ## remove the virtual environment and the demonstration
	@for link in run/demo/postgresql run/demo/mariadb; do [ ! -L $$link ] || rm -rf "$$(readlink -f $$link)"; done
	rm -rf $(VENV) run

# --no-deps: the lock is complete, and every file's hash is checked. pip byte-compiles what it installs, without which
# the first import of great-expectations takes 12 seconds instead of 4.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "python3-venv is missing. First: $(APT_LINE)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Python 3.11 to 3.13 is needed; say which: make PYTHON=python3.11"; exit 1; }
	@echo "Installing packages into $(VENV) (a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)

needed:
	@for program in $(NEEDED); do command -v $$program >/dev/null || { echo "$$program is missing. First: $(APT_LINE)"; exit 1; }; done

needed-by-tests:
	@missing=$$(tests/testbed/missing.sh | xargs); [ -z "$$missing" ] || { echo "missing: $$missing. First: $(APT_LINE)"; exit 1; }
