# The storage conformance suite: programs that load the built plugins as httpd would.
#   tests/conformance/{run,torture,loader,filesystem}.c   programs
#   tests/conformance/{support,cases_*}.c                 shared by them
#   tests/conformance/s3_requests*.c                      random requests to an S3 server, signed by the plugin's signer
#   tests/conformance/azure_live.c                        the plugin azure alone: signed URLs, unfinished uploads
#   tests/conformance/broken/NAME.c                       plugins that the loader must refuse

CONFORMANCE_DIR := $(BUILD)/tests/conformance
CONFORMANCE_SHARED := $(call objects,$(sort $(wildcard tests/conformance/support.c tests/conformance/cases_*.c)))
CONFORMANCE_PROGRAMS := $(patsubst tests/conformance/%.c,$(CONFORMANCE_DIR)/%,$(filter-out \
    tests/conformance/support.c tests/conformance/system_calls.c tests/conformance/s3_requests_changed.c tests/conformance/cases_%.c,$(sort $(wildcard tests/conformance/*.c))))
BROKEN_PLUGINS := $(patsubst tests/conformance/broken/%.c,$(CONFORMANCE_DIR)/broken/%.so,$(sort $(wildcard \
    tests/conformance/broken/*.c)))

# -rdynamic: tests/conformance/system_calls.c puts its own system calls before those of the C library.
$(CONFORMANCE_DIR)/filesystem: $(call objects,tests/conformance/system_calls.c)
$(CONFORMANCE_DIR)/%: $(BUILD)/obj/tests/conformance/%.o $(CONFORMANCE_SHARED) $(CORE_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -pie -rdynamic $(DEFS) -o $@ $^ $(CORE_LIBS) -lcunit -ldl $(APR_LIBS)

$(CONFORMANCE_DIR)/s3_requests: $(call objects,$(sort $(wildcard tests/conformance/s3_requests*.c storage-plugins/s3/sigv4*.c))) $(COMMON_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -pie $(DEFS) -o $@ $^ $(PLUGIN_LIBS) $(APR_LIBS)

$(CONFORMANCE_DIR)/azure_live: $(call objects,tests/conformance/azure_live.c $(sort $(wildcard storage-plugins/azure/*.c))) $(COMMON_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -pie $(DEFS) -o $@ $^ $(PLUGIN_LIBS) $(PLUGIN_LIBS_azure) -lcunit $(APR_LIBS)

$(CONFORMANCE_DIR)/broken/%.so: $(BUILD)/obj/tests/conformance/broken/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -shared -o $@ $^ $(APR_LIBS)

.PHONY: conformance-programs check-conformance
conformance-programs: $(CONFORMANCE_PROGRAMS) $(BROKEN_PLUGINS) $(PLUGIN_OBJECTS)
	@:

check-conformance: ## Storage plugins: the conformance suite on each, faults, loader
	@tests/run.sh conformance
