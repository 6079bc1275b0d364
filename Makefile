# make reproduce [PROFILE=smoke|lite|full]   set up, pull the embedded data, run the pipeline (`sebridge repro`)
# make test                                  set up, then ruff, mypy, pytest and nbval
# make hard [SEED=0]                         the long checks: bad input, kills, determinism, small faults in the code (half an hour)
# make lab [LAB="--no-browser"]               JupyterLab on the first notebook, with its own options
# make real                                  the study on recordings of a person, in a copy of this folder, real/
# make notebooks                             execute the committed notebooks again, in place, on the run that is here
# make book                                  one site of notebooks, docs and exercises, into results/book/
# make bench                                 benchmarks, each against a named peer, into results/bench.json
# make gpu-check                              what a GPU does here: parity, speed, memory; into results/gpu.json
# make clean                                 remove what was made (.venv, outputs, caches); keep data/ and what git keeps
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Waiting threads must sleep, not spin: two processes on two cores otherwise slow each other several times.
export OMP_WAIT_POLICY := PASSIVE
export DVC_NO_ANALYTICS := 1
export HF_HUB_OFFLINE ?= 1

.PHONY: reproduce test hard lab real notebooks book bench gpu-check clean
.DEFAULT_GOAL := reproduce

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

# What travels inside the repository: raw data, and the outputs of the frozen stages.
data/text: $(VENV)/.installed data.dvc dvc.lock
	dvc pull --quiet data.dvc parts codebook
	touch -c $@

reproduce: data/text
	@start=$$(date +%s); set -e; \
	$(if $(PROFILE),sebridge profile $(PROFILE);) \
	$(if $(filter full,$(PROFILE)),pip install --quiet --no-deps -c constraints.txt resemblyzer;) \
	sebridge plan; \
	sebridge repro; \
	cat results/claims/brief.txt; \
	seconds=$$(( $$(date +%s) - start )); \
	echo "done in $$(( seconds / 60 )) min $$(( seconds % 60 )) s; start reading at results/start/00_start_here.ipynb"

# The tests read a small run of the whole pipeline that is made first, in a folder of its own (tests/pipeline.py).
test: data/text
	ruff check .
	ruff format --check .
	mypy
	@outputs=$$(mktemp -d); trap 'rm -rf "$$outputs"' EXIT; set -e; \
	export SEBRIDGE_HEADLESS=1 OMP_NUM_THREADS=1; \
	python -m tests.pipeline "$$outputs"; \
	SEBRIDGE_OUTPUTS="$$outputs" python -m pytest tests notebooks --numprocesses=auto --dist=loadfile --durations=20 \
	  --nbval-lax --nbval-current-env --nbval-sanitize-with tests/nbval.cfg --nbval-cell-timeout 300

# What is too long for `make test`: 600 bad inputs, 20 kills, load, full disks, a second run of the small pipeline and a third
# on two threads, 120 small faults in the code; SEED draws others of them.
SEED ?= 0
hard: data/text
	@outputs=$$(mktemp -d); trap 'rm -rf "$$outputs"' EXIT; set -e; \
	export SEBRIDGE_HEADLESS=1 OMP_NUM_THREADS=1; \
	python -m tests.pipeline "$$outputs/one"; \
	SEBRIDGE_OUTPUTS="$$outputs/one" python tests/faults/fuzz.py 600; \
	python tests/faults/kill.py 20; \
	python tests/faults/load.py; \
	SEBRIDGE_OUTPUTS="$$outputs/one" python tests/faults/disk.py; \
	python tests/faults/two.py; \
	python -m tests.faults.determinism "$$outputs/one" "$$outputs/two"; \
	OMP_NUM_THREADS=2 python -m tests.faults.determinism "$$outputs/one" "$$outputs/three" --near 1e-4; \
	SEBRIDGE_OUTPUTS="$$outputs/one" python tests/faults/mutants.py 120 $(SEED)

lab: data/text
	jupyter lab $(LAB) notebooks/00_start_here.ipynb

# A copy, so that params.yaml, data/ and results/ of this folder stay as they are; run again, it goes on where it was.
real: data/text
	sebridge real
	cd real && export PYTHONPATH=$(CURDIR)/real && sebridge repro && sebridge claims --publish
	cp -r real/results/real results/

notebooks: data/text
	@sebridge notebooks

# No stage: what is read is what stands in the folder. The site replaces the old one when it is whole.
book: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[book]'
	@made=$$(mktemp -d -p results); trap 'rm -rf "$$made"' EXIT; set -e; \
	sphinx-build --quiet --fail-on-warning -d "$$made/doctrees" -c docs . "$$made/book"; \
	rm -rf results/book; mv "$$made/book" results/book; \
	echo "$$(du -sh results/book | cut -f1), open results/book/index.html"

bench: data/text
	python benchmarks/bench.py

# Needs only what a bare GPU machine has (torch, transformers, peft, pandas, scipy), so nothing is installed first.
gpu-check:
	@PYTHONPATH=. $(PYTHON) benchmarks/gpu_check.py

clean:
	find results -mindepth 1 -maxdepth 1 -type d ! -name real ! -name no-clock -exec rm -rf {} +
	rm -rf $(VENV) artifacts .dvc/cache .dvc/tmp .pytest_cache .ruff_cache .mypy_cache *.egg-info
