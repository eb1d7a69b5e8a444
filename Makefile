# Two commands matter: `make run` and `make test`. Each sets up what it needs.
CARGO ?= cargo
ARGS ?=
export CARGO_TERM_COLOR ?= auto

.PHONY: run test test-full unit interop lint bench bench-full bench-exposure bench-door assess promises fuzz docs clean-data

run: ## build release, start a closed demo archive with real sample studies; Ctrl-C ends it
	scripts/setup.sh build
	$(CARGO) build --release --locked --package leadglass
	target/release/leadglass demo --samples testdata/samples $(ARGS)

test: unit interop ## everything a change must pass

unit:
	scripts/setup.sh build
	$(CARGO) test --workspace --locked

interop:
	scripts/setup.sh build interop
	$(CARGO) build --locked --package leadglass --package leadglass-verify --package leadglass-exposure --examples --bins
	.venv/bin/python -m pytest interop -q $(ARGS)

test-full: unit ## the slow judges too: power cuts, 2 GB objects, more kills
	scripts/setup.sh build interop
	$(CARGO) build --locked --package leadglass --package leadglass-verify --package leadglass-exposure --examples --bins
	LEADGLASS_FULL=1 .venv/bin/python -m pytest interop -q $(ARGS)

lint: ## format, clippy, dependency rules
	scripts/setup.sh build lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) deny --all-features check licenses bans sources

bench: ## ratios against Orthanc and against the machine's own floor -> docs/BENCHMARKS.md
	scripts/setup.sh build interop bench
	$(CARGO) build --release --locked --package leadglass --package leadglass-bench --package leadglass-exposure --bins --examples
	.venv/bin/python bench/run.py $(ARGS)

bench-full: ## the same with a million studies in the index
	$(MAKE) bench ARGS="--full $(ARGS)"

bench-exposure: ## the exposure audit's rows alone, with nmap beside them -> docs/BENCHMARKS-EXPOSURE.md
	scripts/setup.sh build interop bench
	$(CARGO) build --release --locked --package leadglass --package leadglass-exposure --bins --examples
	.venv/bin/python bench/exposure.py $(ARGS)

bench-door: ## what identity, rights, trail and brake cost -> docs/BENCHMARKS-DOOR.md
	scripts/setup.sh build interop bench
	$(CARGO) build --release --locked --package leadglass --package leadglass-bench --package leadglass-archive --bins --examples
	.venv/bin/python bench/door.py $(ARGS)

assess: ## nmap, testssl.sh, openssl and sqlmap at a configured archive -> interop/assessment/
	scripts/setup.sh build interop assess
	$(CARGO) build --locked --package leadglass --bins
	.venv/bin/python interop/assess.py $(ARGS)

promises: ## runs what the rows of ARGS name (P05 P08, or all) -> docs/PROMISES.md; without ARGS only writes the page
	scripts/setup.sh build interop
	.venv/bin/python scripts/promises.py $(ARGS)

fuzz: ## each decoder for SECONDS (60) on the kept seeds
	scripts/setup.sh build fuzz
	scripts/fuzz.sh $(or $(SECONDS),60)

docs: ## the generated documents
	$(CARGO) run --quiet --package leadglass -- config manual > docs/CONFIG.md
	$(CARGO) run --quiet --package leadglass -- edge config manual > docs/EDGE-CONFIG.md
	$(CARGO) run --quiet --package leadglass -- exposure checks --manual > docs/EXPOSURE.md
