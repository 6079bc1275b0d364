# make reproduce [PROFILE=smoke|lite|full]   set up, pull the embedded data, run the pipeline
# make test                                  set up, then ruff, pytest and nbval
# make lab [LAB="--no-browser"]               JupyterLab on the first notebook, with its own options
# make notebooks                             execute the committed notebooks again (smoke), in place
# make bench                                 benchmarks, each against a named peer, into results/bench.json
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

.PHONY: reproduce test lab notebooks bench clean
.DEFAULT_GOAL := reproduce

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

data/text: $(VENV)/.installed data.dvc
	dvc pull --quiet data.dvc
	touch -c $@

artifacts/pretrained results/codebook: $(VENV)/.installed
	dvc pull --quiet $(if $(filter artifacts/%,$@),pretrain,codebook)
	touch -c $@

# Two lanes of stages that need nothing of each other, then two more and again two, on half of the threads each: models this
# small, and the imports of many short stages, keep little more than one core busy. A lane runs its own stages and looks at no
# other (-s), since even a look locks what a stage reads. `dvc repro` alone makes the same, one stage after the other. Each lane
# is a process group, so that Ctrl-C or a failure ends both; finished stages stay.
FIRST := judges decoder tokens critique_start critique tdsc
SECOND := sft speech_lm
THIRD := scaling worlds erosion
FOURTH := pairs align dgsa
FIFTH := systems
SIXTH := dpo listening confirm
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

reproduce: data/text artifacts/pretrained results/codebook
	@start=$$(date +%s); set -e; \
	$(if $(PROFILE),sebridge profile $(PROFILE);) \
	dvc repro encode codebook; \
	export OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$(( ($(CORES) + 1) / 2 ))}; \
	trap 'exit 130' INT TERM; trap 'kill -- -$$one -$$other 2>/dev/null' EXIT; \
	lanes() { \
	  set -m; \
	  dvc --wait-for-lock repro -s $$1 </dev/null & one=$$!; \
	  dvc --wait-for-lock repro -s $$2 </dev/null & other=$$!; \
	  set +m; wait $$one; wait $$other; \
	}; \
	lanes "$(FIRST)" "$(SECOND)"; lanes "$(THIRD)" "$(FOURTH)"; lanes "$(FIFTH)" "$(SIXTH)"; trap - EXIT; \
	dvc repro; \
	seconds=$$(( $$(date +%s) - start )); \
	echo "done in $$(( seconds / 60 )) min $$(( seconds % 60 )) s; start reading at results/start/00_start_here.ipynb"

test: data/text artifacts/pretrained results/codebook
	ruff check .
	ruff format --check .
	@outputs=$$(mktemp -d); trap 'rm -rf "$$outputs"' EXIT; \
	SEBRIDGE_OUTPUTS="$$outputs" SEBRIDGE_HEADLESS=1 OMP_NUM_THREADS=1 python -m pytest tests notebooks \
	  --nbval-lax --nbval-current-env --nbval-sanitize-with tests/nbval.cfg --nbval-cell-timeout 300

lab: data/text artifacts/pretrained results/codebook
	jupyter lab $(LAB) notebooks/00_start_here.ipynb

notebooks: data/text artifacts/pretrained results/codebook
	sebridge refresh

bench: data/text artifacts/pretrained
	python benchmarks/bench.py

clean:
	find results -mindepth 1 -maxdepth 1 -type d ! -name notebooks -exec rm -rf {} +
	rm -rf $(VENV) artifacts .dvc/cache .dvc/tmp .pytest_cache .ruff_cache *.egg-info
