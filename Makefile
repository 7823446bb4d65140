# Everything a developer does often. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -r requirements.txt
	touch $@

.PHONY: install
install: .venv/installed ## make .venv with everything that development needs

.PHONY: test
test: install ## run the suite on SQLite, or on what DATABASE_URL names
	$(BIN)/python -m pytest -n 2

.PHONY: test-great
test-great: install ## import the great data sets, killed and run again, where they are
	$(BIN)/python -m pytest -n 2 -m great

.PHONY: test-faults
test-faults: install ## stop servers and break files under load; alone on the machine
	$(BIN)/python -m pytest -m faults

.PHONY: test-browser
test-browser: install ## drive Depict's own client and the example shop in Chromium; needs node
	$(BIN)/python -m pytest -m browser

.PHONY: images
images: install ## the same, and keep pictures of it in docs/images
	UPDATE_IMAGES=1 $(BIN)/python -m pytest -m browser

.PHONY: coverage
coverage: install ## run the suite, show the branches that it misses, fail below 92 %
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term-missing:skip-covered --cov-fail-under=92

.PHONY: lint
lint: install ## look for mistakes and bad form
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: install ## mend the form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: typecheck
typecheck: install ## check the types
	$(BIN)/mypy depict_reco example_project

.PHONY: migrations
migrations: install ## write missing migrations
	$(BIN)/python manage.py makemigrations depict_reco

.PHONY: check
check: lint typecheck ## lint, types, system checks, migrations
	$(BIN)/python manage.py check
	$(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: demo
demo: install ## fill, train and serve the example shop
	$(BIN)/python manage.py demo

.PHONY: data
data: install ## make the example's data anew: make data SOURCE=online_retail.csv.gz
	$(BIN)/python example_project/data/extract.py $(SOURCE)

.PHONY: matrix
matrix: install ## run the suite on every supported Python and Django that is here
	$(BIN)/tox run

.PHONY: docs
docs: install ## write the tables of settings and commands from the code
	$(BIN)/python docs/tables.py --write

.venv/rivals: .venv/installed
	$(BIN)/pip install "implicit>=0.7"
	touch $@

bench-%: .venv/rivals ## measure: make bench-accuracy, make bench-soak ARGS="--seconds 60"
	$(BIN)/python -m benchmarks.$* $(ARGS)

.PHONY: build
build: install ## build the wheel and the source distribution
	$(BIN)/python -m build

.PHONY: openapi
openapi: install ## store the OpenAPI document that the tests compare with, to be reviewed
	UPDATE_OPENAPI=1 $(BIN)/python -m pytest tests/api/test_openapi.py -q
