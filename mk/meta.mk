# Tests of core/meta on a private PostgreSQL, and of fhirbinctl with it.
META_SOURCES := $(sort $(wildcard tests/meta/test_*.c))
META_PROGRAMS := $(META_SOURCES:tests/meta/%.c=$(BUILD)/tests/meta/%)

# The plans of searches are looked at below the interface.
$(BUILD)/obj/tests/meta/%.o: LAYER_INCLUDES := -I. $(LIBPQ_INCLUDES)

$(BUILD)/tests/meta/%: $(BUILD)/obj/tests/meta/%.o $(CORE_ARCHIVE)
	@mkdir -p $(@D)
	$(LINK) -pie $(DEFS) -o $@ $^ $(CORE_LIBS) -lcunit $(APR_LIBS)

.PHONY: meta-programs check-meta
meta-programs: $(META_PROGRAMS)

check-meta: $(META_PROGRAMS) ## Tests of the PostgreSQL layer alone, on a private cluster
	tests/meta/run.sh $(META_PROGRAMS)

.PHONY: measure-meta
measure-meta: $(BUILD)/tests/meta/measure_load $(BUILD)/tests/meta/measure_audit
	tests/meta/run.sh $^
