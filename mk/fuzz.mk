# Fuzzing. tests/fuzz/fuzz.h tells how a target is written.

FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(FUZZ_SOURCES:%.c=$(BUILD)/%)
LIBFUZZER_PROGRAMS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/libfuzzer/%)
FUZZ_ASAN := $(BUILD)/sanitize-address-undefined
FUZZ_CLANG := $(BUILD)/fuzz-clang
FUZZ_TARGET ?= all
FUZZ_SECONDS ?= 60

.PHONY: check-fuzz fuzz fuzz-programs libfuzzer-programs
check-fuzz: ## Replay the fuzzing corpora and fixed mutations under ASan and UBSan
	@tests/run.sh fuzz

fuzz: ## Search with libFuzzer (clang): FUZZ_TARGET=range FUZZ_SECONDS=60; findings in BUILD/fuzz-clang
	$(Q)$(MAKE) CC=clang SANITIZE=address,undefined,fuzzer-no-link BUILD=$(FUZZ_CLANG) libfuzzer-programs
	$(Q)for target in $(if $(filter all,$(FUZZ_TARGET)),$(FUZZ_SOURCES:tests/fuzz/fuzz_%.c=%),$(FUZZ_TARGET)); do \
	    mkdir -p $(FUZZ_CLANG)/corpus/$$target; \
	    $(FUZZ_CLANG)/libfuzzer/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -print_final_stats=1 \
	        -artifact_prefix=$(FUZZ_CLANG)/$$target- $(FUZZ_CLANG)/corpus/$$target tests/fuzz/corpus/$$target || exit 1; \
	done

fuzz-programs: $(FUZZ_PROGRAMS)
	@:

libfuzzer-programs: $(LIBFUZZER_PROGRAMS)
	@:

$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/obj/tests/fuzz/standalone.o $(CORE_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -pie -o $@ $^ $(CORE_LIBS) $(APR_LIBS)

$(BUILD)/libfuzzer/%: $(BUILD)/obj/tests/fuzz/%.o $(CORE_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(CORE_LIBS) $(APR_LIBS)
