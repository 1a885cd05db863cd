# Every target works from a fresh clone: what is missing from the system is installed first.
PREFIX  ?= /usr/local
DESTDIR ?=
SWIFT   ?= swift

STRICT  := --explicit-target-dependency-import-check error
# One scratch path per set of flags: SwiftPM rebuilds everything when the flags of a path change.
STATIC  := .build/static
LINKED  := $(STATIC)/linked
RELEASE := -c release --static-swift-stdlib -Xlinker -s -Xlinker --no-export-dynamic -Xlinker -L$(LINKED) \
	--scratch-path $(STATIC) $(STRICT)
BIN     := $(STATIC)/release
STEPS   ?= 1000000
# Of the simulation: the same for everyone here, another for each commit in CI.
SEED    ?= 1
# Of each that `make chaos` counts; `full` are the numbers in docs/explanation/survival.md.
ROUNDS  ?= 20
# Where programs are whose journal has an earlier form: `make chaos` counts upgrades from them too.
EARLIER ?=
SWIFT_SOURCES := Package.swift Sources Tests

.PHONY: demo test test-modes build bench format check install clean soak chaos packages test-packages

# Brings the quickstart up, shows it recover from a crash, takes it down. Leaves nothing running.
demo: build
	Scripts/demo $(BIN)

# Everything a change must pass: warnings are errors, and so are imports no target declares.
test: test-packages $(LINKED)
	$(SWIFT) build --build-tests $(STRICT)
	$(SWIFT) test --skip-build $(STRICT)
	$(SWIFT) build --product simulate $(RELEASE)
	$(BIN)/simulate --seed $(SEED) --steps $(STEPS) --coverage --small-world 6

# The programs as they are installed: no Swift runtime needed, stripped.
build: packages $(LINKED)
	$(SWIFT) build $(RELEASE)

# Speed beside the raw system calls that do the same work; a table here, JSON in bench-results/.
bench: build
	Scripts/bench $(BIN)

format:
	$(SWIFT) format --in-place --recursive $(SWIFT_SOURCES)

# What needs no test run: format, freshness of generated files, size budgets.
check: build
	$(SWIFT) format lint --strict --recursive $(SWIFT_SOURCES)
	Scripts/check-generated $(BIN)
	Scripts/check-sizes $(BIN)

install: build
	Scripts/install $(BIN) "$(DESTDIR)" "$(PREFIX)"

# Many more simulated steps than `make test` takes, from a fresh seed.
soak: packages $(LINKED)
	$(SWIFT) build --product simulate $(RELEASE)
	$(BIN)/simulate --soak --seed $$(date +%s) --steps 50000000

# Counts `kill -9`, stops and upgrades at random instants, also on a disk that stalls and while the wall clock jumps, and
# prints a table. A round that fails prints its seed: `make chaos SEED=n ROUNDS=1`; WHAT='slow-disk clock' counts only these.
chaos: build
	$(BIN)/chaos $(if $(filter full,$(ROUNDS)),--full,--rounds $(ROUNDS)) $(if $(filter file,$(origin SEED)),,--seed $(SEED)) \
		$(if $(EARLIER),--earlier $(EARLIER)) $(WHAT)

# The tests that start processes, in each way a machine lets us run. MODES names some of them; QUICK=--quick leaves out what
# is not about processes.
test-modes: test-packages
	$(SWIFT) build --build-tests $(STRICT)
	Scripts/test-modes $(QUICK) $(MODES)

# Of the C++ library that the Swift runtime needs only the archive is to be found here, so that it goes into the programs:
# to load it would be a fifth of what a command takes to start. Without the archive the library is loaded after all.
$(LINKED):
	@mkdir -p $@
	@archive=$$(PATH="$$(dirname "$$(command -v $(SWIFT))"):$$PATH" clang -print-file-name=libstdc++.a || true); \
		case $$archive in /*) ln -sf "$$archive" $@/ ;; esac

packages:
	@Scripts/install-packages build

test-packages:
	@Scripts/install-packages build test

clean:
	rm -rf .build bench-results
