# The two commands: `make demo` and `make test`. Needs: Rust 1.95, make, Python 3.11.
#
# Everything is built into one folder, $CARGO_TARGET_DIR or `target`; keep it outside the checkout to share it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

CARGO ?= cargo
PYTHON ?= python3
# dev, release or dist
PROFILE ?= dev
# What the demo writes: tables, catalog database, logins.
STATE ?= .countinghouse
# Further arguments of the demo, as ARGS="--http 127.0.0.1:9000"
ARGS ?=

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# cargo calls the folder of its profile `dev` by another name
FOLDER = $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
VENV := .venv
# The features of every test build: one set, so that nothing is built twice.
FEATURES := --features failpoints

BENCH_CUSTOMERS ?= 100000
BENCH_MONTHS ?= 24
BENCH_SEED ?= 1
BENCH_RUNS ?= 50
BENCH := $(TARGET)/bench-$(BENCH_CUSTOMERS)-$(BENCH_MONTHS)-$(BENCH_SEED)

# Scale factor of the Star Schema Benchmark: 1 is 6 million fact rows.
SF ?= 1
# Its data, states, results and Python: one folder for each scale factor, and venv.
SSB := $(TARGET)/ssb

# The OpenID provider that the login tests start, and clients for Node.
NODE := tests/clients/oidc/node_modules
NPM := tests/clients/npm/node_modules
# flightsql-dbapi takes SQLAlchemy 1.4: an environment of its own.
DBAPI := $(VENV)/dbapi
# What `make clients` downloads, each once: Java's client, Superset, other Flight SQL servers.
JARS := $(TARGET)/java-jars
# Superset pins what it needs: an environment of its own (about 1 GB).
SUPERSET := $(TARGET)/superset
PEERS := $(TARGET)/peers
# Apache Arrow's Java client comes in a wheel of 251 MB, of which 18 MB stay; arrow-compression is left out: the JDBC driver has none.
JAR_NAMES := arrow failureaccess flatbuffers flight grpc guava jackson netty perfmark protobuf-java slf4j-api
# Seconds of each fuzz target.
FUZZ_SECONDS ?= 15

.PHONY: help demo test check setup packages fmt architecture clippy unit it slt definitions quick-clients clients java superset peers dependencies fuzz oracle crash bench ssb flight publication look clean-state

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 22

demo: ## Build, load the sample bank once, create logins, serve (PROFILE=release for speed, STATE=, ARGS=)
	$(CARGO) build --locked --profile $(PROFILE)
	exec "$(FOLDER)/countinghouse" demo --state "$(STATE)" $(ARGS)

test: setup fmt architecture clippy unit it slt definitions quick-clients dependencies fuzz ## Everything that has to pass, cheapest refusal first
	@echo "make test: all steps passed"

check: ## Compile without building, all targets and features
	$(CARGO) check --locked --all-targets --all-features

setup: packages $(VENV)/.installed $(DBAPI)/.installed $(NODE)/.installed $(NPM)/.installed ## What the tests need beyond Rust: a browser, Chinese fonts, Python and Node clients, an OpenID provider
	@echo "setup: $(VENV) holds the clients of tests/clients/requirements.txt"

# Only what is missing, only where apt-get and root are there; elsewhere it says what is missing and goes on.
packages:
	@missing=(); \
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing+=(chromium); \
	fonts=("$${COUNTINGHOUSE_FONTS:-/usr/share/fonts}"/opentype/noto/NotoSansCJK*); [ -e "$${fonts[0]}" ] || missing+=(fonts-noto-cjk); \
	"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv); \
	command -v npm >/dev/null || missing+=(npm); \
	command -v c++ >/dev/null || missing+=(g++); \
	if [ "$${#missing[@]}" -eq 0 ]; then echo "setup: no system package is missing"; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" -eq 0 ]; then \
	  echo "setup: installing $${missing[*]}"; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; } \
	    || echo "setup: could not install $${missing[*]}; what needs them will say so"; \
	else echo "setup: missing $${missing[*]} (not root, or no apt-get): install them by hand; what needs them will say so"; fi

$(VENV)/.installed: tests/clients/requirements.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "setup: installing the Python clients into $(VENV)"
	"$(PYTHON)" -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/clients/requirements.txt
	@touch $@

$(NODE)/.installed: tests/clients/oidc/package-lock.json
	@if command -v npm >/dev/null && npm ci --prefix tests/clients/oidc --no-audit --no-fund --silent; then touch $@; \
	else echo "setup: npm is missing or failed: the tests with a real OpenID provider are skipped"; fi

$(DBAPI)/.installed: tests/clients/dbapi/requirements.txt | $(VENV)/.installed
	@echo "setup: installing flightsql-dbapi into $(DBAPI)"
	"$(PYTHON)" -m venv $(DBAPI)
	$(DBAPI)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(NPM)/.installed: tests/clients/npm/package-lock.json
	@if command -v npm >/dev/null && npm ci --prefix tests/clients/npm --no-audit --no-fund --ignore-scripts --silent; then touch $@; \
	else echo "setup: npm is missing or failed: the tests with clients for Node are skipped"; fi

$(JARS)/.installed:
	@rm -rf "$(JARS)"
	"$(PYTHON)" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$(JARS)/wheel" deephaven-server==42.7
	unzip -q -j "$(JARS)"/wheel/*.whl $(foreach name,$(JAR_NAMES),'deephaven_server/jars/$(name)-*') -x '*/arrow-compression-*' -d "$(JARS)"
	@rm -r "$(JARS)/wheel"
	@touch $@

$(SUPERSET)/.installed: tests/clients/superset/requirements.txt
	@echo "superset: installing Apache Superset into $(SUPERSET)"
	"$(PYTHON)" -m venv "$(SUPERSET)"
	"$(SUPERSET)/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# --no-deps: each of these is one program; what their packages depend on is not used and takes 450 MB.
$(PEERS)/%/.installed: tests/clients/conformance/peers/%.txt
	"$(PYTHON)" -m venv "$(PEERS)/$*"
	"$(PEERS)/$*/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

fmt:
	$(CARGO) fmt --check

# By rustc alone: it uses the standard library only, so a breach shows before anything is built.
architecture:
	@mkdir -p "$(TARGET)"
	rustc --edition 2024 --test tests/architecture.rs -o "$(TARGET)/architecture"
	"$(TARGET)/architecture"

clippy:
	$(CARGO) clippy --locked --all-targets --all-features -- -D warnings

unit:
	$(CARGO) test --locked $(FEATURES) --lib

it:
	$(CARGO) test --locked $(FEATURES) --test it

slt:
	$(CARGO) test --locked $(FEATURES) --test slt

definitions:
	$(CARGO) build --locked $(FEATURES)
	"$(TARGET)/debug/countinghouse" check

quick-clients: setup
	$(CARGO) build --locked $(FEATURES)
	COUNTINGHOUSE_BIN="$(TARGET)/debug/countinghouse" $(VENV)/bin/python -m pytest tests/clients -m "not heavy" -rs -p no:cacheprovider
	COUNTINGHOUSE_BIN="$(TARGET)/debug/countinghouse" $(DBAPI)/bin/python -m pytest tests/clients/dbapi -rs -p no:cacheprovider

clients: quick-clients java superset peers ## All client programs, also those with large downloads: Java, Superset, other servers

java: setup $(JARS)/.installed ## The official Java client against the server (Java 17, unzip; 251 MB once)
	$(CARGO) build --locked $(FEATURES)
	COUNTINGHOUSE_BIN="$(TARGET)/debug/countinghouse" COUNTINGHOUSE_JAVA_JARS="$(JARS)" $(VENV)/bin/python -m pytest tests/clients/test_java.py -rs -p no:cacheprovider

superset: setup $(SUPERSET)/.installed ## Apache Superset against the server: charts, SQL Lab, a page in the browser
	$(CARGO) build --locked $(FEATURES)
	COUNTINGHOUSE_BIN="$(TARGET)/debug/countinghouse" $(SUPERSET)/bin/python -m pytest tests/clients/superset -rs -p no:cacheprovider

peers: setup $(PEERS)/roapi/.installed $(PEERS)/benostreamdb/.installed $(PEERS)/sail/.installed ## Ask us and other Flight SQL servers the same; writes tests/clients/RESULTS.md
	$(CARGO) build --locked $(FEATURES)
	cd tests/clients && COUNTINGHOUSE_BIN="$(TARGET)/debug/countinghouse" "$(abspath $(VENV))/bin/python" -m conformance --peers "$(PEERS)" RESULTS.md

# Two versions of one of these would not understand each other's batches.
dependencies:
	@$(CARGO) tree --locked --all-features --duplicates --depth 0 --prefix none \
	  | awk '$$1 ~ /^(arrow|datafusion|object_store)$$/ && !seen[$$1 $$2]++ { versions[$$1]++ } \
	    END { for (name in versions) if (versions[name] > 1) { print "more than one version of " name; bad = 1 } exit bad }'
	@echo "dependencies: one arrow, one datafusion, one object_store"

# Our own crate alone is compiled to report what an input reaches; what libFuzzer finds new stays under the target folder.
fuzz: ## Throw mutated bytes at the SQL gate, the feed reader, the YAML readers and Flight tickets (FUZZ_SECONDS= of each)
	@for target in sql feed yaml ticket; do \
	  mkdir -p "$(TARGET)/fuzz/$$target"; \
	  RUSTC_WORKSPACE_WRAPPER="$(abspath tests/fuzz/rustc.sh)" FUZZ_TARGET=$$target \
	    $(CARGO) run --quiet --locked $(FEATURES) --example fuzz -- "$(TARGET)/fuzz/$$target" "$(abspath tests/fuzz/corpus)/$$target" \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=4096 -max_len=8192 -artifact_prefix="$(TARGET)/fuzz/" \
	    -verbosity=0 -print_final_stats=1 2>&1 | grep -E "panicked|ERROR|SUMMARY|number_of_executed_units|slowest" | sed "s/^/$$target: /"; \
	done

oracle: ## Ask 20,000 random questions with rollups, without, and of a plain evaluator (release build, half an hour)
	COUNTINGHOUSE_ORACLE_QUESTIONS=$${COUNTINGHOUSE_ORACLE_QUESTIONS:-20000} $(CARGO) test --release --locked $(FEATURES) --test it -- oracle::random --nocapture

crash: ## Kill a load and a refresh fifty times, and two servers that publish two hundred times, at random moments
	COUNTINGHOUSE_CRASHES=$${COUNTINGHOUSE_CRASHES:-50} $(CARGO) test --locked $(FEATURES) --test it -- faults:: --nocapture
	COUNTINGHOUSE_PUBLISH_KILLS=$${COUNTINGHOUSE_PUBLISH_KILLS:-100} $(CARGO) test --locked $(FEATURES) --test it -- publish::kill_nine --nocapture

bench: ## First row over each face, on a bank of BENCH_CUSTOMERS customers that is made and loaded once; cost of a refresh
	$(CARGO) build --locked --release
	@[ -f "$(BENCH)/loaded" ] || { rm -rf "$(BENCH)"; mkdir -p "$(BENCH)"; \
	  "$(TARGET)/release/countinghouse" sample --out "$(BENCH)/feed" --customers $(BENCH_CUSTOMERS) --months $(BENCH_MONTHS) --seed $(BENCH_SEED); \
	  "$(TARGET)/release/countinghouse" load --state "$(BENCH)/state" "$(BENCH)/feed/batch-0001/feed.yaml" "$(BENCH)/feed/batch-0002/feed.yaml"; \
	  "$(TARGET)/release/countinghouse" refresh --state "$(BENCH)/state"; \
	  touch "$(BENCH)/loaded"; }
	$(CARGO) bench --locked --bench serving -- "$(BENCH)/state" $(BENCH_RUNS)
	"$(PYTHON)" benches/refresh.py --binary "$(TARGET)/release/countinghouse" --dir "$(BENCH)/refresh"

ssb: $(SSB)/venv/.installed ## Star Schema Benchmark beside DuckDB and DataFusion, ratios as a table (SF=1, ARGS=--fresh)
	$(CARGO) build --locked --release
	COUNTINGHOUSE_BIN="$(TARGET)/release/countinghouse" "$(SSB)/venv/bin/python" benches/ssb/run.py --scale $(SF) --dir "$(SSB)" $(ARGS)

$(SSB)/venv/.installed: benches/ssb/requirements.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "ssb: installing the other engines into $(SSB)/venv"
	"$(PYTHON)" -m venv "$(SSB)/venv"
	"$(SSB)/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r benches/ssb/requirements.txt
	@touch $@

flight: $(SSB)/flight/.installed ## Flight SQL beside a server that holds the batches in memory, 200 clients, killed readers; after `make ssb`
	$(CARGO) build --locked --release
	"$(SSB)/flight/bin/python" benches/flight.py --binary "$(TARGET)/release/countinghouse" --ssb "$(SSB)/1" $(ARGS)

$(SSB)/flight/.installed: benches/flight-requirements.txt
	"$(PYTHON)" -m venv "$(SSB)/flight"
	"$(SSB)/flight/bin/python" -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

publication: ## A burst of head office and every branch: seconds, memory, query sets; live page and edition against their goals
	$(CARGO) build --locked --release
	"$(PYTHON)" benches/publish.py --binary "$(TARGET)/release/countinghouse" $(ARGS)

look: setup ## Pictures of every report: both languages, screen and telephone, light and dark, PDF pages; an index of them
	$(CARGO) build --locked --profile $(PROFILE)
	$(VENV)/bin/python tests/clients/look.py --binary "$(FOLDER)/countinghouse" --out "$(TARGET)/look" $(ARGS)

clean-state: ## Remove what the demo wrote
	rm -rf "$(STATE)"
