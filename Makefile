# make run     installs, makes demonstration bills, answers calls
# make test    installs what tests need and passes them
# make tester  installs what voicebot test needs
# make check   linting and types
# make graphs  compiles grammars/ and bg_lexicon/ into models/
# make model   synthesises, trains and exports the acoustic model into build/model-candidate (hours); SMOKE=1: a useless one in minutes
# make voice   makes a Piper voice of a Kokoro style into models/voices/ (days without an accelerator: docs/voice.md); SMOKE=1 likewise
# make screenshots  pictures of the voice widget in each state, into build/screenshots
# make fixtures  synthesises the recordings in tests/fixtures/ anew
# make browser-load  measures calls from browsers at once
# make phone   measures how many telephone calls this machine carries, and what 10,000 calls leave behind
# make bench   measures delays and memory, and the store
# make sets    renders and screens the sets of recordings by which hearing is measured (half an hour and more)
# make hearing measures how well the model hears them
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

# Telephones that speak in real time, which other tests beside them would starve of their sound.
CALLS = tests/legs/sip/test_conversation.py

.PHONY: run test tester check graphs model voice fixtures screenshots browser-load bench phone sets hearing
.DELETE_ON_ERROR:

run: .venv/run
	$(BIN)/voicebot serve --demonstration

test: .venv/dev
	$(BIN)/pytest -n 2 --dist loadfile --ignore $(CALLS)
	$(BIN)/pytest $(CALLS)

tester: .venv/run

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

graphs: .venv/dev
	$(BIN)/python -m voicebot.acoustics.graph

model: .venv/dev
	$(PIP) -e '.[train]'
	sh deploy/train-packages.sh $${XDG_CACHE_HOME:-$$HOME/.cache}/voicebot/acoustics/styles
	GOMP_SPINCOUNT=20000 $(BIN)/python -m voicebot.acoustics.recipe $(if $(SMOKE),--smoke --work build/smoke --out build/smoke/model)

voice: .venv/dev
	$(PIP) -e '.[voice-train]'
	$(BIN)/python -m voicebot.voice.training.recipe $(if $(SMOKE),--smoke --quality x_low --work build/smoke-voice --out build/smoke-voice)

fixtures: .venv/dev
	$(BIN)/python tests/fixtures/make.py

screenshots: .venv/dev
	$(BIN)/python -m tests.web.browser.screenshots

browser-load: .venv/dev
	$(BIN)/python benchmarks/browser_load.py

bench: .venv/dev
	$(BIN)/python benchmarks/call.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/harvest.py

phone: .venv/dev
	$(BIN)/python benchmarks/phone_load.py
	$(BIN)/python benchmarks/phone_soak.py

.venv/bench: pyproject.toml .venv/dev
	$(PIP) -e '.[bench]'
	sh deploy/bench-packages.sh build
	touch $@

# PEOPLE is a folder with recordings of people and an index.tsv (path, text, lang, speaker).
PEOPLE ?= build/people

sets: .venv/bench
	$(BIN)/python benchmarks/sets.py --people $(PEOPLE)
	$(BIN)/python benchmarks/screening.py strings phrases neural

hearing: .venv/bench
	$(BIN)/python benchmarks/hearing.py --det docs/detection.svg

.venv/bin/pip:
	sh deploy/debian-packages.sh $(PYTHON)
	$(PYTHON) -m venv .venv

.venv/run: pyproject.toml | .venv/bin/pip
	$(PIP) -e .
	touch $@

.venv/dev: pyproject.toml deploy/test-packages.sh | .venv/bin/pip
	$(PIP) -e '.[dev]'
	sh deploy/test-packages.sh
	touch $@ .venv/run

