# Needs a Python 3.11 or newer with pip, and nothing else: everything is installed into .venv.
# To build .venv from another Python: make clean && make test PYTHON=python3.13
.DEFAULT_GOAL := help
.PHONY: help demo test check coverage bench performance screenshots requirements clean

python := .venv/bin/python
ready := .venv/ready

help:  ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

demo: $(ready)  ## scaffold an environment, serve it and step it
	$(python) scripts/demo.py

test: check  ## check, then run every test
	scripts/engine --for-tests
	scripts/browser
	scripts/peer --for-tests
	$(python) -m pytest -n 2 --dist worksteal

check: $(ready)  ## format, lint and types
	$(python) -m ruff format --check
	$(python) -m ruff check
	$(python) -m mypy

coverage: $(ready)  ## run every test and say which lines none of them reached
	scripts/engine --for-tests
	scripts/browser
	scripts/peer --for-tests
	$(python) -m coverage run -m pytest -n 2 --dist worksteal
	$(python) -m coverage combine --quiet
	$(python) -m coverage report

bench: $(ready)  ## measure steps a second against a raw WebSocket
	$(python) -m benchmarks.steps

performance: $(ready)  ## measure everything beside peers, and write docs/performance.md anew
	$(python) -m benchmarks.report --write

screenshots: $(ready)  ## take pictures of the page at /web into build/screenshots, and the README's into docs
	scripts/browser
	$(python) -m pytest -q -n 2 tests/web/test_screenshots.py
	mkdir -p docs/images
	cp build/screenshots/readme.png docs/images/web.png

requirements: $(ready)  ## compile requirements/*.txt anew, pins that fit kept
	scripts/lock

clean:  ## remove .venv and every cache
	rm -rf .venv .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist

$(ready): pyproject.toml requirements/dev.txt scripts/bootstrap
	scripts/bootstrap
	@touch $@
