# Measurements: ratios beside a peer in the same run, and memory while large files move.

.PHONY: bench bench-stores memory
bench: ## Compare with plain httpd and mod_dav (some minutes; FHIR_BENCH_ROUNDS, FHIR_BENCH_SECONDS)
	@dev/install-deps.sh check
	@$(MAKE) --no-print-directory all
	@$(PYTHON) bench/compare.py
	@sh tests/servers/with.sh radosgw azurite -- $(PYTHON) bench/stores.py

bench-stores: ## Compare with radosgw and Azurite asked directly (part of bench)
	@dev/install-deps.sh check
	@$(MAKE) --no-print-directory all
	@sh tests/servers/with.sh radosgw azurite -- $(PYTHON) bench/stores.py

memory: ## Does memory stay flat while 1 GiB files move? (FHIR_MEMORY_SIZE=bytes; FHIR_BENCH_DIR=where)
	@dev/install-deps.sh check
	@$(MAKE) --no-print-directory all
	@$(PYTHON) bench/memory.py
