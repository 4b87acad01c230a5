# Chores. `make demo` and `make test` set everything up in .venv by themselves.
#
#   PYTHON=python3.12        the Python to make .venv with (3.11 or newer)
#
# On Linux pip's ordinary index gives torch with CUDA, which is large and works without a GPU, too. For the small CPU build
# set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds (its address is on PyTorch's "Get started" page).

PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done),python3)
BIN := .venv/bin
READY := .venv/ready
EXTRAS := dev,train,separation
DEMO := demo-out
PROOFS := .proofs
TOOLS := jspsych label_studio psychopy visqol
ONE_THREAD_EACH := OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 OMP_NUM_THREADS=1

.PHONY: setup demo test minimum fuzz proofs check format bench results constraints clean

setup: $(READY)
	$(BIN)/emomod doctor

demo: $(READY)
	$(BIN)/emomod run demo --target articulation --gain-db 6 --out $(DEMO)
	@echo "Open $(DEMO)/report.html in a browser."

test: $(READY)
	$(ONE_THREAD_EACH) $(BIN)/python -m pytest -n 2

# The main job, prediction, explanation, modification and report with the lowest versions that pyproject.toml allows and the
# oldest Python, in one process: two would race for the code that numba keeps. Old libraries warn that they
# use what newer ones will drop; that is all that is not an error here.
#
#   MINIMUM_TORCH=2.6   torch's own lower bound, where the package indexes have a CPU build of it or CUDA is wanted;
#                       by default the version of constraints.txt
MINIMUM := .minimum
MINIMUM_EXTRAS := batch components fast onnx study train
MINIMUM_TOOLS := pytest hypothesis httpx lime onnx
MINIMUM_TORCH ?= $(shell sed -n 's/^torch==//p' constraints.txt)
MINIMUM_TESTS := $(patsubst %,tests/test_%.py,attribution_methods audio cli components_kinds datasets_tables \
	explanation lime model_checkpoint model_engines model_onnx model_predictor \
	modification pipeline replay report rescoring result sentences spectrogram whole_file windows)

minimum: $(MINIMUM)/ready
	$(ONE_THREAD_EACH) $(MINIMUM)/bin/python -m pytest -p no:cacheprovider -W ignore::DeprecationWarning \
		-W ignore::PendingDeprecationWarning $(MINIMUM_TESTS)

$(MINIMUM)/ready: pyproject.toml constraints.txt scripts/minimum.py
	rm -rf $(MINIMUM)
	"$$(command -v python3.11 || echo "$(PYTHON)")" -m venv $(MINIMUM)
	$(MINIMUM)/bin/python scripts/minimum.py $(MINIMUM_EXTRAS) --also $(MINIMUM_TOOLS) --instead torch==$(MINIMUM_TORCH) \
		> $(MINIMUM)/requirements.txt
	$(MINIMUM)/bin/python -m pip install --quiet --disable-pip-version-check -r $(MINIMUM)/requirements.txt
	@touch $@

# Broken files for every reader, read in processes that are watched; finds come into build/finds.
INPUTS := 10000
fuzz: $(READY)
	$(ONE_THREAD_EACH) $(BIN)/python -m tests.fuzz --inputs $(INPUTS) --json

# Other tools' own code, against which the exports for them are tested, and the optional ViSQOL: 160 MB; it needs npm and
# g++. tests/proofs has the versions, written by hand; what a tool has in common with .venv it takes from there.
proofs: $(TOOLS:%=$(PROOFS)/%/ready)

$(PROOFS)/jspsych/ready: tests/proofs/package.json tests/proofs/package-lock.json
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --loglevel=error --ignore-scripts
	@touch $@

$(PROOFS)/%/ready: tests/proofs/%.txt $(READY)
	rm -rf $(@D)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(@D) -r $<
	@touch $@

check: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/codespell --toml pyproject.toml

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Speed: where the seconds go, what each step brings, explanations beside lime; what docs/performance.md shows. It takes
# hours, and nothing else should run on the machine. What was stopped goes on where it was: $(BENCHED) keeps finished runs.
PERFORMANCE := docs/results/performance
BENCHED := build/bench
bench: $(READY)
	$(BIN)/python -m pytest benchmarks/stages.py --benchmark-columns=median,iqr,rounds --benchmark-sort=name
	$(BIN)/python -m benchmarks.main_job --out $(PERFORMANCE)
	$(BIN)/python -m benchmarks.steer_job --out $(PERFORMANCE)
	$(BIN)/python -m benchmarks.huge_pages --out $(PERFORMANCE)
	$(BIN)/python -m benchmarks.engines --out $(PERFORMANCE) $(if $(CLIP),--clip $(CLIP))
	$(BIN)/python -m benchmarks.scaling --out $(PERFORMANCE)
	$(BIN)/python -m benchmarks.gradient_prior --out $(PERFORMANCE)
	$(BIN)/python -m benchmarks.long_file --out $(PERFORMANCE)
	$(BIN)/python -m benchmarks.against_lime --width 1 --out $(PERFORMANCE) --pieces $(BENCHED)
	$(BIN)/python -m benchmarks.against_lime --out $(PERFORMANCE) --pieces $(BENCHED)
	rm -rf $(BENCHED)
	$(BIN)/python -m benchmarks.performance_page
	$(BIN)/python benchmarks/kinds_and_methods.py --out docs/results/kinds_and_methods.md
	$(BIN)/python benchmarks/study_recovery.py --out docs/results/study_recovery.md
	$(BIN)/python -m benchmarks.replays
	$(BIN)/python -m benchmarks.reliability

# The figures and pictures in docs/, measured again; a real clip is used where it is at hand. Rated phrases are looked at
# only with a reason, which docs/phrase_looks.csv keeps: make results WHY="the new default checkpoint"
#
#   TEST_CORPORA="DIR ..."   corpora rendered to test, with another seed than the training corpora
DATA := ../shared/data
CLIP := $(wildcard $(DATA)/clips/soundtracks_set1_001.mp3)
results: demo
	$(BIN)/python benchmarks/closed_loop.py demo $(CLIP) --out docs/results/closed_loop.md
	$(BIN)/python -m emomod.training.card --robustness 40 --pairs 200 $(if $(TEST_CORPORA),--test-corpus $(TEST_CORPORA)) \
		$(if $(WHY),--phrases $(DATA)/labelled_phrases --why "$(WHY)") $(if $(CLIP),--clip $(CLIP) \
		--published $(DATA)/published_example_001.json --ratings $(DATA)/soundtracks/mean_ratings_set1.csv) \
		> build-card.md && mv build-card.md docs/model_card.md
	$(BIN)/python benchmarks/training_speed.py --out docs/results/training_speed.md
	$(BIN)/python scripts/pictures.py $(DEMO)
	$(BIN)/python scripts/effects_pictures.py
	$(BIN)/python scripts/study_pictures.py

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "emomod needs Python 3.11 or newer; install it, or name it: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv || { rm -rf .venv; echo \
		"Python could not make a virtual environment; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --config-settings editable_mode=compat -e ".[$(EXTRAS)]"
	@touch $@

# Newest versions of everything, from scratch; run the tests before committing what comes out.
constraints:
	rm -rf .venv
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$(EXTRAS),notebook]"
	{ sed '/^[^#]/d' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | sed -e 's/+[a-z0-9]*$$//' -e '/^nvidia-/d' \
		-e '/^cuda-/d' -e '/^triton==/d'; } > constraints.new
	mv constraints.new constraints.txt
	touch $(READY)

clean:
	rm -rf .venv $(PROOFS) $(MINIMUM) build $(DEMO) .mypy_cache .pytest_cache .ruff_cache .hypothesis
