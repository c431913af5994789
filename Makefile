# Each target is a thin call of a documented command, so nobody needs make.
# The first Python that is new enough; set PYTHON=… to choose another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: setup engine kubernetes demo test built static test-long fix golden inventory claims mutation mutation-all corpus sandbox-up sandbox-down clean

setup:
	@$(or $(PYTHON),python3) tools/bootstrap.py

engine: setup
	@$(BIN)/python -m portway.engine ensure

kubernetes: setup
	@$(BIN)/python -m portway.sandbox.controlplane ensure

demo: engine
	@$(BIN)/portway demo

# The engine and the control plane are built while the checks that need neither run.
test: setup
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line built static
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

built: engine
	@$(BIN)/python -m portway.sandbox.controlplane ensure --if-possible

static: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

test-long: engine
	$(BIN)/python -m pytest -m long

fix: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

inventory: setup
	@$(BIN)/python tools/inventory.py

claims: setup
	@$(BIN)/python tools/claims.py

mutation: setup
	@$(BIN)/python tools/mutation.py --only portway_rules_residency

mutation-all: setup
	@$(BIN)/python tools/mutation.py

corpus: setup
	@$(BIN)/python tests/corpus/report.py

sandbox-up: engine
	@$(BIN)/portway sandbox start

sandbox-down:
	@if [ -x $(BIN)/portway ]; then $(BIN)/portway sandbox stop; fi

clean: sandbox-down
	rm -rf .venv .portway build/mutation .ruff_cache .import_linter_cache .hypothesis
	find components tests policies benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} +
