# What one does with this project. `make` alone lists it.
#
# Everything runs in .venv, which is made when it is missing or when what it should hold has changed; after that nothing
# here needs a network. ARGS go to the tool behind a target: make test ARGS="-k feedback".

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?=
ARGS ?=
JOBS ?= auto

PY := .venv/bin/python
FORGE := .venv/bin/forge-db
PYTEST := $(PY) -m pytest -n $(JOBS) --dist worksteal

##@ Local database

.PHONY: up
up: install ## start the local database, migrated and seeded; keeps its data
	@$(FORGE) up $(ARGS)

.PHONY: down
down: install ## stop it; the data stays
	@$(FORGE) down $(ARGS)

.PHONY: status
status: install ## say what runs, and how to connect
	@$(FORGE) status $(ARGS)

.PHONY: psql
psql: install ## open psql on it
	@$(FORGE) psql $(ARGS)

.PHONY: reset
reset: install ## throw its data away and start anew; asks first
	@$(FORGE) reset $(ARGS)

##@ Tests and checks

.PHONY: test
test: install ## run every test
	@$(PYTEST) -m "not supabase_cli and not second_opinions and not pgtap and not pgbouncer and not pg_cron and not browser and not slow" $(ARGS)

.PHONY: test-rls
test-rls: install ## run the access tests on PostgreSQL 17: who may see and do what
	@$(PYTEST) -m access --platform pg17-explicit $(ARGS)

.PHONY: test-slow
test-slow: install-supabase-cli ## run the long versions of some tests: two hours instead of minutes
	@$(PYTEST) -m slow $(ARGS)

.PHONY: test-mutants
test-mutants: install ## break the schema in every way there is, one at a time, and see whether a test notices
	@PYTHONPATH=tests $(PY) -m mutants $(ARGS)

.PHONY: bench
bench: install ## measure the schema against its baselines, as ratios; make bench ARGS=--quick sees that it runs
	@$(FORGE) bench $(ARGS)

.PHONY: test-pgbouncer
test-pgbouncer: install ## run the tests with a pooler in between (needs pgbouncer: apt install pgbouncer)
	@$(PYTEST) -m pgbouncer $(ARGS)

.PHONY: test-pg-cron
test-pg-cron: install ## run the tests with pg_cron, which take minutes (needs it: apt install postgresql-15-cron)
	@$(PY) -m pytest -m pg_cron $(ARGS)

.PHONY: test-pgtap
test-pgtap: install ## run the pgTAP tests, and see them catch what is planted (needs Debian's PostgreSQL 15, pgTAP)
	@[ -e /usr/share/postgresql/15/extension/pgtap.control ] && command -v pg_prove >/dev/null || { \
		echo "error: PostgreSQL 15 with pgTAP and pg_prove is needed, as Debian packages them" >&2; \
		echo "hint: apt install postgresql-15 postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl" >&2; exit 1; }
	@$(PYTEST) -m pgtap --platform pg15-auto $(ARGS)

.PHONY: test-supabase-cli
test-supabase-cli: install-supabase-cli ## run the tests against the real Supabase CLI (needs npm, or SUPABASE_CLI=path)
	@$(PYTEST) -m "supabase_cli and not slow" $(ARGS)

.PHONY: test-browser
test-browser: install-supabase-cli ## open the report in a browser (needs one: apt install chromium chromium-driver; npm)
	@$(PY) -m pytest -m browser --platform pg17-explicit $(ARGS)

# In the regime that hands out every privilege first: what was not taken back shows.
.PHONY: second-opinions
second-opinions: install-opinions ## ask other tools what they find in the schema (needs Debian's PostgreSQL 15, npm)
	@$(PYTEST) -m second_opinions --platform pg15-auto $(ARGS)

.PHONY: lint
lint: lint-sql ## check the style of everything, and the types of the Python
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check --quiet || { echo "hint: .venv/bin/ruff format" >&2; exit 1; }
	@$(PY) -m mypy

.PHONY: lint-sql
lint-sql: install ## check the style of the SQL
	@$(PY) -m sqlfluff lint --disable-progress-bar --processes 0 supabase sql $(ARGS)
	@$(PY) -m sqlfluff lint --disable-progress-bar --templater jinja sql/templates/*.j2

.PHONY: check
check: install ## run what continuous integration runs, but for the Supabase CLI
	@$(FORGE) build --check
	@$(MAKE) lint test

##@ Building

.PHONY: build-migrations
build-migrations: install ## assemble supabase/migrations from supabase/schema
	@$(FORGE) build $(ARGS)

.PHONY: docs
docs: install ## describe the local database: structure, diagrams, access matrix, pgTAP tests, what the cleanup verifies
	@$(FORGE) structure $(ARGS)
	@$(FORGE) diagrams $(ARGS)
	@$(FORGE) matrix $(ARGS)
	@$(FORGE) definitions $(ARGS)
	@$(FORGE) emit-pgtap $(ARGS)

.PHONY: types
types: install-supabase-cli ## write supabase/types, the local database in TypeScript and Python (needs npm)
	@$(FORGE) types $(ARGS)

.PHONY: pins
pins: ## pin the newest versions of all packages in constraints.txt
	@$(find_python); rm -rf .venv/pins; "$$python" -m venv .venv/pins
	@.venv/pins/bin/python -m pip install -qq --editable ".[dev]"
	@{ sed -n '/^#/p' constraints.txt; .venv/pins/bin/python -m pip freeze --exclude-editable; } > .venv/pins/new
	@mv .venv/pins/new constraints.txt; rm -rf .venv/pins; $(MAKE) install

.PHONY: clean
clean: ## remove what can be installed again; the databases stay
	@if [ -x $(FORGE) ]; then $(FORGE) down >/dev/null; fi
	@rm -rf .venv node_modules .forge/second-opinions .hypothesis .mypy_cache .pytest_cache .ruff_cache scripts/*.egg-info
	@find scripts tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

# .venv/.installed says what was installed, and where: a moved folder, like a changed pin, is installed anew.
installed = { pwd -P; cat pyproject.toml constraints.txt; }

.PHONY: install
install: ## install what the rest needs (done on demand)
	@[ -x $(PY) ] && $(installed) | cmp -s - .venv/.installed || { \
		$(find_python); \
		echo "Installing into .venv with $$("$$python" --version), once" >&2; \
		"$$python" -m venv --clear .venv && \
		$(PY) -m pip install -qq --constraint constraints.txt --editable ".[dev]" || { \
			echo "error: the packages could not be installed; pip says above why" >&2; \
			echo "hint: a first run needs a network, or a package index in PIP_INDEX_URL" >&2; exit 1; }; \
		$(installed) > .venv/.installed; }

.PHONY: install-supabase-cli
install-supabase-cli: install
	@[ -n "$$SUPABASE_CLI" ] || cmp -s package-lock.json node_modules/.installed || { \
		command -v npm >/dev/null || { \
			echo "error: npm is needed to install the Supabase CLI, and there is none" >&2; \
			echo "hint: install Node.js 20 or newer, or set SUPABASE_CLI to the path of the CLI" >&2; exit 1; }; \
		echo "Installing the Supabase CLI into node_modules, once" >&2; \
		npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.installed; }

# Each in an environment of its own, because their pins contradict each other.
.PHONY: install-opinions
install-opinions: install-supabase-cli
	@[ -e /usr/lib/postgresql/15/lib/plpgsql_check.so ] && command -v pg_prove >/dev/null || { \
		echo "error: PostgreSQL 15 with plpgsql_check and pgTAP is needed, as Debian packages them" >&2; \
		echo "hint: apt install postgresql-15 postgresql-15-plpgsql-check postgresql-15-pgtap" \
			"libtap-parser-sourcehandler-pgtap-perl" >&2; exit 1; }
	@for pins in tests/second_opinions/requirements/*.txt; do \
		tool=$$(basename "$$pins" .txt); home=.forge/second-opinions/$$tool; \
		{ pwd -P; cat "$$pins"; } | cmp -s - "$$home/.installed" || { \
			echo "Installing $$tool into $$home, once" >&2; \
			$(PY) -m venv --clear "$$home" && \
			"$$home/bin/python" -m pip install -qq --requirement "$$pins" && \
			{ pwd -P; cat "$$pins"; } > "$$home/.installed" || { \
				echo "error: $$tool could not be installed; pip says above why" >&2; exit 1; }; }; \
	done

# The first Python that is new enough and can make environments, as $python of the shell.
define find_python
python=; \
if [ -n "$(PYTHON)" ]; then set -- "$(PYTHON)"; \
else set -- python3 python3.14 python3.13 python3.12 python3.11 python; fi; \
for candidate; do \
	if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python=$$candidate; break; \
	fi; \
done; \
if [ -z "$$python" ]; then \
	echo "error: Python 3.11 or newer with its venv module is needed; looked for $$*, and python3 is" \
		"$$(python3 --version 2>&1 | tail -n 1)" >&2; \
	echo "hint: apt install python3 python3-venv, or name another one: make PYTHON=/path/to/python3" >&2; exit 1; \
fi
endef
