# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Prerequisites: Python ≥ 3.11, Rust (rustup reads rust-toolchain.toml), a C linker.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name 'Cargo.toml' 2>/dev/null)

.PHONY: demo test check setup setup-dev format bench bench-peers reference clean

demo: setup ## set up, then run the main job on real data
	@$(BIN)/moiety demo credit $(DEMO_ARGS)

test: setup-dev ## set up, then run all tests
	cargo test --release --quiet --locked
	$(BIN)/pytest -q -n auto $(TEST_ARGS)

check: setup-dev ## format, lint, types, layers, docs in step with the code
	cargo fmt --check
	cargo clippy --release --all-targets --quiet -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_repository.py

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

$(VENV)/.python: scripts/prerequisites.sh
	@bash scripts/prerequisites.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.packages: requirements/run.txt | $(VENV)/.python
	@echo "setting up: Python packages, locked by hash (about a minute)"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.packages-dev: requirements/dev.txt | $(VENV)/.packages
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.packages pyproject.toml $(RUST_SOURCES)
	@echo "setting up: the Rust core (about a minute)"
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --release --quiet --locked
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed $(VENV)/.packages-dev
	@touch $@

format: setup-dev
	cargo fmt
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## reproduce every figure that README and docs quote
	$(BIN)/python benches/run.py

bench-peers: setup ## compare with PyPI spu in one run (sets it up in an environment of its own)
	$(BIN)/python benches/run.py peers

reference: setup ## write the generated pages of docs/reference anew
	$(BIN)/python scripts/make_reference.py

clean:
	rm -rf $(VENV) target moiety-demo
