# make setup [FLAVOUR=cpu|gpu] [PYTHON=path]   .venv from the lock, package installed in place
# make demo [QUICK=1]                          the whole chain on this machine, into runs/demo
# make test [TESTS="-k storage"]               set-up and the test suite
# make lint                                    ruff and mypy
# make lock                                    compile requirements/*.in anew
FLAVOUR ?=
PYTHON ?=
QUICK ?=
TESTS ?=
export FLAVOUR PYTHON

COMPILE = .venv/bin/uv pip compile --quiet --override requirements/overrides.txt --universal \
	--python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: setup demo test lint lock

setup:
	@requirements/setup.sh

demo: setup
	@.venv/bin/chexone demo $(if $(filter-out 0,$(QUICK)),--quick true)

test: setup
	.venv/bin/python -m pytest --durations=25 $(TESTS)

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

lock: setup
	$(COMPILE) requirements/cpu.in -o requirements/cpu.txt
	$(COMPILE) requirements/gpu.in -o requirements/gpu.txt
