# Tests. A suite is a script in tests/suites; tests/run.sh tells how they are written, run and counted.

export UNIT MAKE

.PHONY: check check-fast check-guards check-unit check-live check-asan check-valgrind
check: ## Install what tests need, build, run every test; the last line is "N passed, N failed"
	@dev/install-deps.sh check
	@tests/run.sh all

check-fast: ## Tests without servers, under 60 s: guards, unit, conformance, fuzz replay
	@tests/run.sh fast

check-guards: ## The guard scripts alone
	@tests/run.sh build guards

check-unit: ## Unit tests alone (only tests/unit/test_range.c: make check-unit UNIT=range)
	@tests/run.sh unit

check-live: ## Tests on a real httpd and PostgreSQL
	@tests/run.sh live

check-asan: ## Unit and live tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tests/run.sh unit-asan live-asan

check-valgrind: ## Unit tests under valgrind
	@tests/run.sh unit-valgrind
