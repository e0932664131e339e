# Needs Python 3.11 or newer and make. Everything else goes into .venv, inside this folder.
# Recipes use relative paths only, so that the folder may lie anywhere and have spaces in its name.

.DEFAULT_GOAL := help
.PHONY: help demo up quick test test-full test-kafka test-faults test-apache test-alone steady test-engines test-web test-mutants test-fresh dashboards deploy-check test-cluster node-modules check bench pictures docs translations sbom clean

PY := .venv/bin/python

# Tried first when .venv is made: make PYTHON=/usr/bin/python3 demo
PYTHON ?=

help:
	@echo "make demo   the reopening of 2021, played on the whole system, checked"
	@echo "make quick  make check, and the tests nearest to what you changed, in four minutes; before each commit"
	@echo "make test   every test that needs nothing but Python"
	@echo "make test-full  the same with all of its random tests, of which make test plays a sample"
	@echo "make test-kafka   the bus and the journeys on Apache Kafka; needs Java 17 and Maven"
	@echo "make test-faults  the fault tests on Apache Kafka, with 200 seeds of kill -9; prints the table of results"
	@echo "make test-apache  test-kafka and test-faults in one run"
	@echo "make test-alone  the fault tests of clusters of three nodes, one at a time"
	@echo "make steady TEST=… [TIMES=20] [MARKS=web]  one test again and again beside a load on all processors; says how often it failed"
	@echo "make test-engines  the events and tables on Spark, Flink, Kafka Connect and Quix Streams; needs Java 17 and Maven, and fetches 800 MB the first time"
	@echo "make test-web   the pages in a real browser, the AsyncAPI document in its parser; needs chromium and npm, on Debian with fonts-noto-cjk; quicker with chromium-headless-shell too"
	@echo "make test-mutants  rules broken on purpose; the test of the state model must detect each"
	@echo "make test-fresh  make demo and make test in a bare Debian 13; needs root and debootstrap"
	@echo "make dashboards  Grafana's dashboards, as JSON in .data/dashboards"
	@echo "make deploy-check  the manifests, rules and dashboards of deploy/, in 3 minutes; needs kubectl and Debian's prometheus"
	@echo "make test-cluster  the manifests rolled out by Kubernetes' own controllers under load, in a quarter of an hour; needs kubectl, Go 1.24 and Debian's etcd-server"
	@echo "make check  lint, format, types, language, contracts, import rules"
	@echo "make up     the system on embedded infrastructure, its page and people to log in as, until Ctrl-C"
	@echo "make translations   the texts of pages and notifications into their translations/*.po, to be translated there"
	@echo "make bench  the benchmarks on the embedded infrastructure, in less than a quarter of an hour of a quiet machine"
	@echo "make docs   the topics and the API as pages that read without a network, in .data/docs; needs npm"
	@echo "make sbom   the bills of materials of the image and of what analysts install, from the lock files, as CycloneDX in .data/sbom"
	@echo "make clean  remove .venv, caches, and the data of make up"

demo: .venv/project.stamp
	@$(PY) -m ops demo

up: .venv/project.stamp
	@$(PY) -m ops up --demonstration

quick: .venv/project.stamp
	@$(MAKE) -s check
	@$(PY) -m tests.quick

# Four processes: with three, a tenth of the processors' time is idle.
test: .venv/project.stamp
	@SUITE=test $(PY) -m pytest --numprocesses=4 tests

# As make test, which plays a sample of the random tests (tests/sampling.py).
test-full: .venv/project.stamp
	@SUITE=test-full TEST_SEED=all $(PY) -m pytest --numprocesses=4 tests

# Tests marked embedded are in make test. The longest test is in the journeys, so these begin.
# CARREL_TEST_KAFKA=apache-secured make test-kafka, test-faults, test-apache or test-alone: the same on secured servers.
ON_KAFKA := tests/journeys tests/shared/test_bus.py tests/ops/test_apache.py
test-kafka: .venv/project.stamp
	@SUITE=test-kafka CARREL_TEST_KAFKA=$${CARREL_TEST_KAFKA:-apache} $(PY) -m pytest -m "not embedded" $(ON_KAFKA)

# Tests on the embedded broker are in make test; their rows of the table are kept from there.
# Which seeds of kills are played: make test-faults SEEDS=1-40
SEEDS ?= 1-200
test-faults: .venv/project.stamp
	@SUITE=test-faults CARREL_TEST_KAFKA=$${CARREL_TEST_KAFKA:-apache} CARREL_SEEDS=$(SEEDS) \
		$(PY) -m pytest -m "not embedded and not alone" tests/faults

# Both in one run, in which the processors are idle at one end instead of two.
test-apache: .venv/project.stamp
	@SUITE=test-apache CARREL_TEST_KAFKA=$${CARREL_TEST_KAFKA:-apache} CARREL_SEEDS=$(SEEDS) \
		$(PY) -m pytest -m "not embedded and not alone" $(ON_KAFKA) tests/faults

# One test at a time: three nodes, the services and a load keep both cores busy.
test-alone: .venv/project.stamp
	@SUITE=test-alone CARREL_TEST_KAFKA=$${CARREL_TEST_KAFKA:-apache} $(PY) -m pytest --numprocesses=0 -m alone tests/faults

# An unsteady test of .ci/run: make steady TEST=tests/web/test_desk.py::test_… TIMES=20 MARKS=web
TIMES ?= 20
steady: .venv/project.stamp
	@$(PY) -m tests.steady "$(TEST)" $(TIMES) "$(MARKS)"

# These programs are in an environment of their own, since their libraries' versions differ from Carrel's.
test-engines: .venv/engines.stamp
	@SUITE=test-engines CARREL_TEST_KAFKA=apache $(PY) -m pytest --numprocesses=0 -m engines tests/engines

.venv/engines.stamp: .venv/project.stamp requirements-engines.lock
	@$(PY) -m venv .venv/engines
	@pip=".venv/engines/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes"; \
	$$pip -r requirements-build.lock && $$pip --no-build-isolation -r requirements-engines.lock
	@touch $@

# Kubernetes' schemas and Grafana's builders are not in Carrel's own environment.
.venv/deploy.stamp: .venv/project.stamp requirements-deploy.lock
	@$(PY) -m venv .venv/deploy
	@.venv/deploy/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-deploy.lock
	@touch $@

dashboards: .venv/deploy.stamp
	@.venv/deploy/bin/python deploy/grafana/dashboards.py .data/dashboards
	@echo "Written: .data/dashboards/*.json"

# The list of what it can't show stands in deploy/README.md.
deploy-check: .venv/deploy.stamp
	@SUITE=deploy-check $(PY) -m pytest --numprocesses=0 -m deploy tests/deploy
	@sed -n '/^## Not shown/,$$p' deploy/README.md

# API server, controllers and scheduler of Kubernetes as one program, which takes four minutes to compile the first time.
# tests/cluster/plane.py finds it.
CONTROL_PLANE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/carrel/control-plane
test-cluster: .venv/project.stamp
	@cd tests/cluster/control_plane && CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags="-s -w" -o "$(CONTROL_PLANE)" .
	@SUITE=test-cluster $(PY) -m pytest --numprocesses=0 -m cluster tests/cluster

# The claim of README.md, that nothing but Python and these few packages is needed. FRESH=demo leaves the tests out.
FRESH ?= demo test
test-fresh:
	@tests/fresh.sh $(FRESH)

test-mutants: .venv/project.stamp
	@SUITE=test-mutants $(PY) -m pytest -m mutants tests/circulation/test_mutants.py

# Screenshots of the pages are left in .data/screenshots, if CI is not set. Two processes: browsers leave no core idle.
test-web: .venv/project.stamp node-modules
	@SUITE=test-web $(PY) -m pytest --numprocesses=2 -m web tests/web tests/contracts

# The pictures of README.md, in docs/pictures.
pictures: .venv/project.stamp node-modules
	@SUITE=pictures $(PY) -m pytest --numprocesses=0 -m web tests/web/pictures.py

docs: .venv/project.stamp docs/reference/node_modules/.package-lock.json
	@$(PY) docs/reference/pages.py

# axe-core, which looks at the pages in the tests, AsyncAPI's parser, the example's client of Kafka and
# its types, and what shows the pages of make docs. npm writes the target itself.
NODE_MODULES := $(patsubst %,%/node_modules/.package-lock.json,tests/web tests/contracts/node examples/node examples/types docs/reference)
node-modules: $(NODE_MODULES)

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@cd $* && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

check: .venv/project.stamp
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m tests.language
	@$(PY) -m ops contracts check
	@.venv/bin/lint-imports

bench: .venv/project.stamp
	@$(PY) -m benchmarks.hot_paths
	@$(PY) -m benchmarks.desk
	@$(PY) -m benchmarks.city --rates 20,40,60,80 --seconds 20 --overload 2
	@$(PY) -m benchmarks.at_rest
	@$(PY) -m benchmarks.overview
	@$(PY) -m benchmarks.event_throughput --events 5000
	@$(PY) -m benchmarks.handlers --events 300
	@$(PY) -m benchmarks.growth --small

# Sorted and without places, so that two who add words seldom touch the same lines.
translations: .venv/project.stamp
	@mkdir -p .data && for texts in services/gateway/web: services/gateway/web:desk services/notices:; do \
		part=$${texts#*:}; ( cd $${texts%:*} \
		&& $(CURDIR)/.venv/bin/pybabel -q extract -F $(CURDIR)/babel$${part:+-$$part}.cfg -k marked --no-location --sort-output \
			--no-wrap -o $(CURDIR)/.data/texts.pot . \
		&& for code in zh-Hant zh-Hans; do $(CURDIR)/.venv/bin/pybabel -q update -i $(CURDIR)/.data/texts.pot \
			-l $$(echo $$code | tr - _) -o translations/$${part:+$$part.}$$code.po --no-wrap --no-fuzzy-matching \
			--ignore-obsolete --omit-header; done ) || exit 1; done

# Names, versions and hashes of the lock files, without any look-up. The warning is about a graph that they do not have.
sbom: .venv/project.stamp
	@mkdir -p .data/sbom && for lock in requirements requirements-analytics; do \
		PYTHONWARNINGS=ignore .venv/bin/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml \
			-o .data/sbom/$$lock.cdx.json $$lock.lock || exit 1; done
	@echo "Written: .data/sbom/requirements.cdx.json, .data/sbom/requirements-analytics.cdx.json"

clean:
	@rm -rf .venv .data tests/web/node_modules tests/contracts/node/node_modules examples/node/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis ./*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# "compat" puts this folder itself on the path: packages that appear later are found without a new install.
# Installed in place where a working .venv is there, so that a changed lock does not start from nothing.
# uv takes seconds where pip takes a minute. pip is for networks in which only pip knows the way to an index.
# Compiled on all processors, which pip does on one; a module for another Python stays as it is, as with pip.
.venv/requirements.stamp: requirements.lock requirements-embedded.lock requirements-analytics.lock requirements-test.lock requirements-build.lock requirements-install.lock
	@set -e; \
	if ! $(PY) -c 'import pip' >/dev/null 2>&1; then \
		found=; \
		for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
			if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
			then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "No Python 3.11 or newer with its venv module was found: install one (on Debian also python3-venv) and run make again." >&2; \
			exit 1; \
		fi; \
		$$found -m venv --clear .venv; \
	fi; \
	echo "Installing the locked requirements into .venv (first run only, about half a minute)…"; \
	pip="$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --require-hashes"; \
	$$pip -r requirements-install.lock -r requirements-build.lock; \
	locked="-r requirements.lock -r requirements-embedded.lock -r requirements-analytics.lock -r requirements-test.lock"; \
	$(PY) -m uv pip install --quiet --python $(PY) --no-deps --require-hashes --no-build-isolation $$locked \
		|| { echo "Installing with pip instead, which takes a minute…"; $$pip --no-build-isolation $$locked; }; \
	$(PY) -m compileall -qq -j 0 .venv/lib || true; \
	touch $@

.venv/project.stamp: .venv/requirements.stamp pyproject.toml
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat -e .
	@touch $@
