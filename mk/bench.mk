# Measurements: ratios beside a peer in the same run, and memory while large files move.

.PHONY: bench bench-stores memory memory-stores
bench: ## Compare with plain httpd, mod_dav, radosgw and Azurite (half an hour; FHIR_BENCH_ROUNDS, FHIR_BENCH_SECONDS)
	@dev/install-deps.sh check
	@$(MAKE) --no-print-directory all
	@status=0; $(PYTHON) bench/compare.py || status=1; \
		sh tests/servers/with.sh radosgw azurite -- $(PYTHON) bench/stores.py || status=1; exit $$status

bench-stores: ## Compare with radosgw and Azurite asked directly (part of bench; FHIR_BENCH_APART=0: on the same processors)
	@dev/install-deps.sh check
	@$(MAKE) --no-print-directory all
	@sh tests/servers/with.sh radosgw azurite -- $(PYTHON) bench/stores.py

memory: ## Does memory stay flat while 1 GiB files move? (FHIR_MEMORY_SIZE=bytes; FHIR_BENCH_DIR=where)
	@dev/install-deps.sh check
	@$(MAKE) --no-print-directory all
	@$(PYTHON) bench/memory.py

memory-stores: ## The same with content in radosgw, then in Azurite (13 GiB below TMPDIR)
	@dev/install-deps.sh check
	@$(MAKE) --no-print-directory all
	@FHIR_TEST_S3_OBJECTSTORE=bluestore FHIR_TEST_STORE=s3-http FHIR_MEMORY_FORMS=1 sh tests/servers/with.sh radosgw -- $(PYTHON) bench/memory.py
	@FHIR_TEST_STORE=azure FHIR_TEST_STORE_OPTIONS="stall_timeout=10min request_timeout=10min" FHIR_MEMORY_FORMS=1 sh tests/servers/with.sh azurite -- $(PYTHON) bench/memory.py
