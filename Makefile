# The verbs of Sentinel. `make help` lists them. Arguments: ID= (a pipeline), NAME= (a program), TOPIC=, ARGS= (anything).

PYTHON ?= python3
ARGS ?=
SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

# Relative, so that a checkout below a path with a space works.
BIN := .venv/bin
SENTINEL := $(BIN)/sentinel

.PHONY: help install up down restart status logs clean clean-checkpoints env-check server dashboard submit stop \
	spark-ui db-shell kafka-consume producer reconcile lake demo test test-unit chromium screenshots check format bench chaos fuzz \
	lock

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile

install: ## install everything into .venv (every verb does it when needed)
	@$(PYTHON) deploy/local/install.py

up: install ## start PostgreSQL, Redis, Kafka and S3, and apply the migrations
	@$(SENTINEL) up $(ARGS)

down: install ## stop everything; the data stays
	@$(SENTINEL) down

restart: install ## restart everything that runs, or NAME=
	@$(SENTINEL) restart $(NAME)

status: install ## show state, address, pid, memory and data size of each program
	@$(SENTINEL) status $(ARGS)

logs: install ## follow all logs, or the one of NAME=
	@$(SENTINEL) logs $(NAME) -f $(ARGS)

clean: install ## stop everything and delete its data (asks first)
	@$(SENTINEL) clean $(ARGS)

clean-checkpoints: install ## delete the streaming checkpoints; jobs go on from the ledger
	@$(SENTINEL) clean-checkpoints

env-check: install ## check Java, disk, memory, ports, versions and the stores
	@$(SENTINEL) doctor $(ARGS)

server: install ## start the configuration API (port 8000)
	@$(SENTINEL) server $(ARGS)

dashboard: install ## start the dashboard (port 8501)
	@$(SENTINEL) dashboard $(ARGS)

submit: install ## run the detection job of pipeline ID= (or ARGS=--all) under supervision
	@$(SENTINEL) submit $(ID) $(ARGS)

stop: install ## stop the job of pipeline ID=, or any program NAME=
	@$(SENTINEL) stop $(or $(ID),$(NAME))

spark-ui: install ## print the addresses of the running jobs' Spark UI
	@$(SENTINEL) spark-ui

db-shell: install ## open psql on the database, or a client of our own
	@$(SENTINEL) db-shell $(ARGS)

kafka-consume: install ## show the records of TOPIC=
	@$(SENTINEL) kafka-consume $(TOPIC) $(ARGS)

producer: install ## send card transactions; ARGS="--rate 5000 --duration 60"
	@$(SENTINEL) producer $(ARGS)

reconcile: install ## prove that topic, lake, alerts and scores of pipeline ID= agree
	@$(SENTINEL) reconcile $(ID) $(ARGS)

lake: install ## query the lake; ARGS='query "SELECT ..."'
	@$(SENTINEL) lake $(ARGS)

demo: install ## see all of it at work: pipeline, rules, job, traffic, changes, proof
	@$(SENTINEL) demo $(ARGS)

test: install ## run all tests with real servers on free ports (about three quarters of an hour on 2 cores)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 15 $(ARGS)

test-unit: install ## run the tests that need no server (some minutes)
	@$(BIN)/python -m pytest tests/unit $(ARGS)

chromium: ## install Debian's Chromium for the tests in tests/browser, where it is missing and this is root
	@command -v chromium >/dev/null || test -n "$$SENTINEL_TEST_CHROMIUM" || \
		{ test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
		echo "chromium: not installed; as root: apt-get install chromium" >&2

screenshots: install chromium ## picture every page of the dashboard into docs/images, with data of a small demo
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

check: install ## format, lint, types, import contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## format the code and repair what the linter can
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

bench: install ## measure throughput and latency beside bare Spark
	@$(BIN)/python -m tests.bench.detection $(ARGS)

chaos: install ## the whole fault campaign, hours, in parts if need be; ARGS=--list, ARGS="--only Redis"
	@$(BIN)/python -m tests.chaos --rounds 3 --continue $(ARGS)

fuzz: install ## the bad-input campaign: hostile requests and records; ARGS="--minutes 60 --seed 7"
	@$(BIN)/python -m tests.fuzz --write $(ARGS)

lock: install ## pin the newest versions that requirements/*.in allow (ARGS=--upgrade)
	@cd requirements && ../$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate bootstrap.in -o bootstrap.txt $(ARGS)
	@cd requirements && ../$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate runtime.in local.in dev.in -o lock.txt $(ARGS)
