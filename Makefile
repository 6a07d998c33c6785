# The index of what one does here. Each target does its own set-up on a Debian machine that has cargo, make and root.
.DEFAULT_GOAL := help
.PHONY: help demo demo-once test test-full fuzz bench lint lint-deps lint-spelling fmt

# Kill cycles and power-loss runs of the full tests; the tests' own defaults are for every day.
CYCLES ?= 5000
POWER_LOSS_RUNS ?= 100000
# How long each fuzz target runs.
SECONDS ?= 60
# gateway, registry, store, log or idle: `make bench WHICH=store`.
WHICH ?= gateway registry store log idle

help: ## show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: ## build the release and run the demo shop, with a platform and a gateway node; it stays up until Ctrl-C
	@scripts/setup build
	@echo "Building guildhall (release; several minutes the first time) ..."
	@cargo build --release --package guildhall-server
	@exec "$$(scripts/target-dir)/release/guildhall" demo

demo-once: ## the same story once, on a debug build; fails unless each step's check holds
	@scripts/setup build
	@echo "Building guildhall (debug) ..."
	@cargo build --package guildhall-server
	@"$$(scripts/target-dir)/debug/guildhall" demo --once </dev/null

test: lint ## format, clippy, tidy, every test and doc test, and the atomics under loom
	@echo "== tests"
	@cargo test --workspace
	@cargo test --package guildhall-resilience --features redis redis
	@cargo test --package guildhall-hello
	@echo "== loom"
	@RUSTFLAGS="--cfg loom" CARGO_PROFILE_DEV_DEBUG=0 cargo test --quiet --package guildhall-resilience \
		--no-default-features --test loom --target-dir "$$(scripts/target-dir)/loom"

test-full: test ## what takes longer: CYCLES (5000) kills, POWER_LOSS_RUNS (100000); writes docs/verification.md
	@echo "== $(CYCLES) kill cycles, $(POWER_LOSS_RUNS) power-loss runs"
	@CYCLES=$(CYCLES) POWER_LOSS_RUNS=$(POWER_LOSS_RUNS) scripts/verify

fuzz: ## every fuzz target for SECONDS (60)
	@scripts/setup test
	@cargo xtask fuzz --seconds $(SECONDS)

bench: ## every benchmark beside its peers, into bench/RESULTS.md; one alone: make bench WHICH=store
	@scripts/setup build
	@scripts/bench-setup
	@set -e; for which in $(WHICH); do cargo xtask bench $$which; done

lint: ## format check, clippy and tidy
	@scripts/setup test
	@echo "== format"
	@cargo fmt --all --check
	@cargo fmt --manifest-path fuzz/Cargo.toml --check
	@echo "== clippy"
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	@cargo clippy --package guildhall --lib --quiet -- -D warnings
	@cargo clippy --package guildhall --lib --features config --quiet -- -D warnings
	@cargo clippy --package guildhall-resilience --features redis --all-targets --quiet -- -D warnings
	@echo "== tidy"
	@cargo xtask tidy

lint-deps: ## licences, bans and advisories of the dependencies, with cargo-deny
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install --locked cargo-deny"; exit 1; }
	@cargo deny check

lint-spelling: ## spelling, with typos
	@typos --version >/dev/null 2>&1 || { echo "typos is missing: cargo install --locked typos-cli"; exit 1; }
	@typos

fmt: ## format the code
	@cargo fmt --all
	@cargo fmt --manifest-path fuzz/Cargo.toml
