.PHONY: setup demo test lint bench docs marble
BIN := .venv/bin
# the size and length that marble was trained on most, and draws best
LIKED := --size 144x80 --seconds 2
PROMPT ?= a red ball rolls to the left across a meadow at sunset

demo: setup
	$(BIN)/worldreel generate "$(PROMPT)" $(LIKED) -o demo.mp4 --contact-sheet demo.png

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/pyright

bench: setup
	$(BIN)/python benchmarks/run.py

marble: setup
	$(BIN)/python recipes/marble.py

docs: setup
	$(BIN)/python scripts/docs.py

setup:
	@sh scripts/setup.sh
