.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Most tests wait for processes and servers more than they compute. Each file keeps to one worker.
PYTEST := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder
STAMP := .venv/.installed

help: ## what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@test -d .venv || $(PYTHON) -m venv .venv
	@echo "installing into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP) ## make .venv from requirements.lock, with `orderack` in its bin

demo: $(STAMP) ## the main job: nineteen order stories on a real Temporal server, about two minutes
	@$(BIN)/orderack demo --json build/demo.json

test: $(STAMP) ## the tests, without their long forms
	@$(PYTEST) -m "not long"

test-long: $(STAMP) ## long: every vendor with every fault, whole installations that die and come back
	@$(PYTEST) -m long

test-browser: $(STAMP) ## the buyer's page in chromium, with axe; pictures in build/browser
	@$(BIN)/pytest tests/browser

conformance: $(STAMP) ## every channel against what every channel must do, as a table; build/conformance.json
	@$(BIN)/python -m tests.conformance.table --json build/conformance.json

samples: $(STAMP) ## what becomes of each sample order that vendors have published, as a table; docs/samples.md
	@$(BIN)/python -m tests.conformance.samples --page

fuzz-api: $(STAMP) ## long: requests made from the gateway's own description, new ones each time; no 5xx, every answer as described
	@ORDERACK_FUZZ_EXAMPLES=$${ORDERACK_FUZZ_EXAMPLES:-500} $(BIN)/pytest tests/gateway/test_fuzz.py

check: $(STAMP) ## ruff, mypy, import rules, the policy, its triggers, the tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/orderack policy check
	@$(BIN)/orderack audit triggers
	@$(PYTEST) -m "not long"

bench-history: $(STAMP) ## events, bytes and billed Actions of each story, beside a bare workflow
	@$(BIN)/python -m tests.bench.history --json build/bench-history.json

bench-burst: $(STAMP) ## a burst of orders against a channel's rate, beside another store and another channel
	@$(BIN)/python -m tests.bench.burst --json build/bench-burst.json

bench: $(STAMP) ## throughput, latency, scale, cost and intake, beside a bare floor and beside DBOS; build/bench.json, some twenty minutes
	@$(BIN)/python -m tests.bench --json build/bench.json

faults: $(STAMP) ## everything that can die, lie or be late, on real processes: what was lost or doubled; build/faults.json, some 45 minutes
	@$(BIN)/python -m tests.faults --json build/faults.json

SEED ?= 1
ORDERS ?= 20000
simulate: $(STAMP) ## the real workflow through any interleaving, seeded: SEED=, ORDERS=; build/simulation.json
	@$(BIN)/python -m tests.simulation --seed $(SEED) --orders $(ORDERS) --json build/simulation.json

AUDIT := build/audit-venv
AUDITED := $(AUDIT)/.installed

$(AUDITED): audit.lock
	@test -d $(AUDIT) || $(PYTHON) -m venv $(AUDIT)
	@echo "installing into $(AUDIT) …"
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r audit.lock
	@touch $@

sbom: $(AUDITED) ## what it is made of, as CycloneDX; build/sbom.json
	@$(AUDIT)/bin/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.json

audit: $(AUDITED) ## known vulnerabilities of the locked dependencies (asks a public database)
	@$(AUDIT)/bin/pip-audit --requirement requirements.lock --disable-pip --strict > build/audit.txt 2>&1; code=$$?; cat build/audit.txt; \
	  if [ $$code -ne 0 ] && ! grep -q "known vulnerabilit" build/audit.txt; then \
	    echo "the database of vulnerabilities could not be asked: this command needs the public package index"; exit 3; fi; exit $$code

histories: $(STAMP) ## record the stories' histories anew (for the replay gate)
	@$(BIN)/python -m tests.replay.record

fingerprints: $(STAMP) ## take over the workflows' commands after a deliberate change
	@$(BIN)/python -m tests.replay.fingerprints --write

lock: ## pin every dependency with its hashes (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group dev pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --extra ses --extra telemetry --extra reports -c requirements.lock pyproject.toml -o runtime.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group pyproject.toml:audit -o audit.lock

clean: ## remove what was built
	rm -rf build dist .venv

.PHONY: help install demo test test-browser conformance samples fuzz-api check bench bench-history bench-burst faults simulate sbom audit histories fingerprints lock clean
