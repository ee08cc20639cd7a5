# make            build everything
# make run        a complete instance in ./run without root, and a first message through it (Ctrl-C stops it)
#                 SMTP_PORT=2525 another port · ONCE=1 stop when the message has arrived
# make test       install what the tests need where that is possible, build, and run all tests
# make bench      times and memory beside other programs; BENCH="tcprules loggers" only those
# make fuzz       every parser with bytes that look for trouble, 60 seconds each; FUZZ_SECONDS=600 longer, FUZZ="dns_reply" one
# make crash      the crash laboratory with all its points, 25,000 and more, as root; the table of what was tried comes at the end
# make soak       random processes of the whole suite killed under load, for ten minutes (SOAK_SECONDS=60: one); then 5,000
#                 services, one of them killed every ten milliseconds, for a minute, which needs 3 GB
# make check      format, lints and documentation, with warnings as errors
# make install    as root: accounts, programs, queue and services in QMAIL=/var/qmail

CARGO = cargo
QMAIL = /var/qmail
SMTP_PORT = 2525
ONCE =
BENCH =
FUZZ =
FUZZ_SECONDS = 60
SOAK_SECONDS = 600

RELEASE = target/release
REPORT = $(CURDIR)/target/crash-report

.PHONY: all build run test crash soak bench fuzz check install clean

all: build

build:
	$(CARGO) build --release --locked --workspace

run: build
	@exec $(RELEASE)/qmail-setup run run $(SMTP_PORT) $(if $(ONCE),once)

test:
	tests/install-needed
	$(CARGO) build --locked --workspace
	$(CARGO) test --locked --workspace

bench: build
	tests/install-needed bench
	$(CARGO) bench --locked -p tests --bench bench -- $(BENCH)

fuzz:
	tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ)

crash: build
	tests/install-needed
	$(CARGO) build --release --locked -p mta --examples
	rm -f $(REPORT)
	@# Most experiments wait most of their time, so there are more of them at once than processors.
	CRASH=whole CRASH_REPORT=$(REPORT) $(CARGO) test --release --locked -p tests --test crash --no-fail-fast -- --test-threads 6; \
	    status=$$?; tests/crash/summary $(REPORT); exit $$status

soak: build
	tests/install-needed
	CRASH=whole SOAK_SECONDS=$(SOAK_SECONDS) $(CARGO) test --release --locked -p tests --test crash -- --nocapture soak::
	MANY_SERVICES=5000 SOAK_SECONDS=60 \
	    $(CARGO) test --release --locked -p tests --test services -- --nocapture svscan::of_many

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

install: build
	$(RELEASE)/qmail-setup accounts
	$(RELEASE)/qmail-setup install $(QMAIL)

clean:
	$(CARGO) clean
