# mod_fhir_binary. `make help` lists what there is.
#
# Sources are found by wildcard:
#   core/*/*.c                  -> $(BUILD)/libfhircore.a       (all of the product, without httpd)
#   httpd/*.c mod_fhir_binary.c -> $(BUILD)/mod_fhir_binary.so
#   cli/*.c                     -> $(BUILD)/fhirbinctl
#   storage-plugins/NAME/*.c    -> $(BUILD)/fhir_storage_NAME.so (storage-plugins/common is an archive for all of them)
#   tests/unit/test_*.c         -> $(BUILD)/tests/unit/test_*
# More rules are in mk/*.mk, one file per topic. Test suites are the scripts in tests/suites (see tests/run.sh).

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

# ---- What may be set on the command line ----
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
# SANITIZE=address,undefined builds beside the plain build.
SANITIZE ?=
comma := ,
BUILD ?= build$(if $(SANITIZE),/sanitize-$(subst $(comma),-,$(SANITIZE)))
PORT ?= 8080
RUN_DIR ?= run
DESTDIR ?=
WERROR ?= -Werror
APXS ?= apxs
PYTHON ?= /usr/bin/python3
# V=1 shows the commands.
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))
export BUILD CC CFLAGS WERROR SANITIZE PORT RUN_DIR PYTHON APXS

# ---- Tools of the system; empty where something is missing (then `tools` below says so) ----
APR_CPPFLAGS := $(shell apr-1-config --cppflags 2>/dev/null)
APR_INCLUDES := $(patsubst -I%,-isystem %,$(filter-out -I/usr/include,$(sort $(shell apr-1-config --includes 2>/dev/null) \
                $(shell apu-1-config --includes 2>/dev/null))))
APR_LIBS := $(shell apu-1-config --link-ld 2>/dev/null) $(shell apr-1-config --link-ld 2>/dev/null)
HTTPD_INCLUDES := $(addprefix -isystem ,$(shell $(APXS) -q INCLUDEDIR 2>/dev/null))
LIBPQ_INCLUDES := $(addprefix -isystem ,$(shell pg_config --includedir 2>/dev/null))

# ---- Flags ----
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla $(WERROR)
HARDENING := -fstack-protector-strong -fstack-clash-protection -fno-strict-overflow
ifeq ($(shell uname -m),x86_64)
HARDENING += -fcf-protection
endif
ifeq ($(SANITIZE),)
ifneq ($(filter -O1 -O2 -O3 -Os -Og,$(CFLAGS)),)
HARDENING += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
DEFS := -Wl,-z,defs
else
# A sanitizer's runtime is found when the program starts, so its symbols stay undefined in a shared object.
SANITIZER := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
# The module stays mapped, so that reports name its functions.
DEFS := -Wl,-z,nodelete
endif
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE $(APR_CPPFLAGS) -Iinclude $(LAYER_INCLUDES) $(APR_INCLUDES) $(CPPFLAGS) \
          -fPIC -fvisibility=hidden -pthread $(WARNINGS) $(HARDENING) $(SANITIZER) $(CFLAGS) -MMD -MP
LINK = $(CC) -pthread $(CFLAGS) $(SANITIZER) -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
CORE_LIBS := -lpq -lcurl -ljansson -lcrypto -lcrypt -lz
PLUGIN_LIBS := -lcurl -lssl -lcrypto
# A plugin with libraries of its own names them here: PLUGIN_LIBS_name. One whose libraries leave destructors behind
# must stay mapped over a restart of httpd: PLUGIN_LIBS_name += -Wl,-z,nodelete
PLUGIN_LIBS_libs3 := -ls3 -Wl,-z,nodelete
PLUGIN_LIBS_azure := -ljansson -Wl,-z,nodelete
PLUGIN_LIBS_s3 := -ljansson -Wl,-z,nodelete

# ---- Sources ----
CORE_SOURCES := $(sort $(wildcard core/*/*.c))
HTTPD_SOURCES := $(sort $(wildcard httpd/*.c) $(wildcard mod_fhir_binary.c))
CLI_SOURCES := $(sort $(wildcard cli/*.c))
COMMON_SOURCES := $(sort $(wildcard storage-plugins/common/*.c))
# What a plugin needs that not everybody has; it is left out where that is missing.
LIBS3_HEADER := $(firstword $(wildcard /usr/include/libs3.h /usr/local/include/libs3.h))
PLUGINS_LEFT_OUT := $(if $(LIBS3_HEADER),,libs3)
PLUGINS := $(filter-out common $(PLUGINS_LEFT_OUT),$(sort $(foreach file,$(wildcard storage-plugins/*/*.c),$(word 2,$(subst /, ,$(file))))))
UNIT_SOURCES := $(filter-out $(PLUGINS_LEFT_OUT:%=tests/unit/test_%.c),$(sort $(wildcard tests/unit/test_*.c)))

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CORE_ARCHIVE := $(BUILD)/libfhircore.a
COMMON_ARCHIVE := $(if $(COMMON_SOURCES),$(BUILD)/libfhirstoragecommon.a)
MODULE := $(if $(wildcard mod_fhir_binary.c),$(BUILD)/mod_fhir_binary.so)
CLI := $(if $(CLI_SOURCES),$(BUILD)/fhirbinctl)
# mk/sql.mk makes it: the migrations as text.
MIGRATIONS_OBJECT := $(if $(wildcard sql/[0-9]*.sql),$(BUILD)/generated/migrations.o)
PLUGIN_OBJECTS := $(PLUGINS:%=$(BUILD)/fhir_storage_%.so)
UNIT_PROGRAMS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/unit/%)

.PHONY: all
all: $(CORE_ARCHIVE) $(PLUGIN_OBJECTS) $(MODULE) $(CLI) ## Build the module, the plugins and fhirbinctl (default)
	$(if $(PLUGINS_LEFT_OUT),@echo 'make: without the plugin libs3: libs3.h is not there (Debian: libs3-dev)',@:)

# ---- Compiling ----
# Compiled anew when the compiler or a flag changes.
$(BUILD)/flags: FORCE | tools
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS) $(CPPFLAGS) $(SANITIZE) $(WERROR) $(WARNINGS) $(HARDENING)' | cmp -s - $@ || \
	 echo '$(CC) $(CFLAGS) $(CPPFLAGS) $(SANITIZE) $(WERROR) $(WARNINGS) $(HARDENING)' > $@
.PHONY: FORCE
FORCE:

# The headers of a library are found only where the layer may use it.
$(BUILD)/obj/core/meta/%.o: LAYER_INCLUDES := $(LIBPQ_INCLUDES)
$(BUILD)/obj/httpd/%.o $(BUILD)/obj/mod_fhir_binary.o: LAYER_INCLUDES := $(HTTPD_INCLUDES)
$(BUILD)/obj/tests/%.o: LAYER_INCLUDES := -I.
$(BUILD)/obj/bench/%.o: LAYER_INCLUDES := -I.

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -c $< -o $@

# ---- Linking ----
$(CORE_ARCHIVE): $(call objects,$(CORE_SOURCES)) $(MIGRATIONS_OBJECT)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcsD $@ $^

$(BUILD)/libfhirstoragecommon.a: $(call objects,$(COMMON_SOURCES))
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcsD $@ $^

# httpd gives the module its own symbols and APR's; so undefined ones are left open here and the guard `symbols`
# looks at them.
$(BUILD)/mod_fhir_binary.so: $(call objects,$(HTTPD_SOURCES)) $(CORE_ARCHIVE) mk/module.map
	$(call say,LD,$@)
	$(Q)$(LINK) -shared $(filter-out -Wl$(comma)-z$(comma)defs,$(DEFS)) -Wl,--version-script=mk/module.map -o $@ $(filter %.o %.a,$^) $(CORE_LIBS)

$(BUILD)/fhirbinctl: $(call objects,$(CLI_SOURCES)) $(CORE_ARCHIVE)
	$(call say,LD,$@)
	$(Q)$(LINK) -pie $(DEFS) -o $@ $^ $(CORE_LIBS) $(APR_LIBS)

define plugin_rule
$(BUILD)/fhir_storage_$(1).so: $(call objects,$(sort $(wildcard storage-plugins/$(1)/*.c))) $(COMMON_ARCHIVE) mk/plugin.map
	$$(call say,LD,$$@)
	$$(Q)$$(LINK) -shared $$(DEFS) -Wl,--version-script=mk/plugin.map -o $$@ $$(filter %.o %.a,$$^) $$(PLUGIN_LIBS) \
	    $$(PLUGIN_LIBS_$(1)) $$(APR_LIBS)
endef
$(foreach plugin,$(PLUGINS),$(eval $(call plugin_rule,$(plugin))))

# tests/unit/test_s3_sigv4.c is called after the plugin s3: it sees the plugin's objects, too.
plugin_of_test = $(filter $(PLUGINS),$(word 2,$(subst _, ,$(basename $(notdir $(1))))))
plugin_test_objects = $(call objects,$(sort $(wildcard $(foreach plugin,$(call plugin_of_test,$(1)),storage-plugins/$(plugin)/*.c))))
$(foreach program,$(UNIT_PROGRAMS),$(eval $(program): $(call plugin_test_objects,$(program))))

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(CORE_ARCHIVE) $(COMMON_ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -pie $(DEFS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CORE_LIBS) $(PLUGIN_LIBS) -lcunit \
	    $(foreach plugin,$(call plugin_of_test,$@),$(PLUGIN_LIBS_$(plugin))) $(APR_LIBS)

.PHONY: unit-programs
unit-programs: $(UNIT_PROGRAMS) $(PLUGIN_OBJECTS)
	@:

# ---- Missing tools ----
MISSING := $(strip $(if $(APR_INCLUDES),,libapr1-dev/libaprutil1-dev) $(if $(HTTPD_INCLUDES),,apache2-dev) \
           $(if $(LIBPQ_INCLUDES),,libpq-dev))
.PHONY: tools
tools:
	@$(if $(MISSING),echo 'make: missing to build: $(MISSING). Run `make deps` (as root or with sudo) to install it.' >&2; exit 1,:)

# ---- Everything else ----
include $(sort $(wildcard mk/*.mk))

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
