PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
# PyTorch spins in its threads: more threads than cores starve each other.
THREADS ?= 2
export OMP_NUM_THREADS ?= $(THREADS)
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE ?= 1

.PHONY: run test test-all check format bench tiny-model clean

run: $(INSTALLED)
	$(BIN)/videor2 quickstart --out runs/quickstart

test: $(INSTALLED)
	$(BIN)/pytest -m "not slow"

test-all: $(INSTALLED)
	$(BIN)/pytest

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED)
	for script in bench/*.py; do $(BIN)/python $$script --quick || exit 1; done

# The model that ships: about half an hour. FAMILIES leaves out the questions with the misleading scene.
FAMILIES = $(foreach family,order when count duration state,--family $(family))
SYNTH = $(BIN)/videor2 data synth --out runs/tiny/data
tiny-model: $(INSTALLED)
	$(SYNTH) --name look --clips 4500 --questions 4 --seed 1 --mix careful $(FAMILIES)
	$(SYNTH) --name words --clips 6000 --questions 4 --seed 2 --mix careful $(FAMILIES) --words
	$(SYNTH) --name distilled --clips 1200 --questions 5 --seed 3 --mix distilled
	$(BIN)/videor2 train sft --config tiny_sft
	cp runs/tiny/sft/*.json runs/tiny/sft/*.jsonl runs/tiny/sft/*.jinja runs/tiny/sft/model.safetensors src/videor2/models/checkpoint/

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# One virtual environment with the tested versions, made anew when they change.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	touch $@
