# Installing into the directories that apxs names, below DESTDIR.

PREFIX_LIBEXEC = $(shell $(APXS) -q LIBEXECDIR)
PREFIX_SYSCONF = $(shell $(APXS) -q SYSCONFDIR)
PREFIX_SBIN = $(shell $(APXS) -q sbindir)
PREFIX_INCLUDE ?= /usr/include
PREFIX_SHARE ?= /usr/share
PLUGIN_DIR ?= $(PREFIX_LIBEXEC)
CONF_DIR ?= $(PREFIX_SYSCONF)$(if $(wildcard $(PREFIX_SYSCONF)/mods-available),/mods-available)
DOC_DIR ?= $(PREFIX_SHARE)/doc/mod_fhir_binary
INSTALLED_CONF = httpd-conf/fhir_binary.load httpd-conf/fhir_binary.conf
INSTALLED_DOCS = $(wildcard README.md CHANGELOG.md SECURITY.md LICENSE docs/*.md)
INSTALLED_EXAMPLES = $(wildcard httpd-conf/fhir_binary-reference.conf httpd-conf/examples/*)
# The faulty store is for tests only.
INSTALLED_PLUGINS = $(filter-out %_faulty.so,$(PLUGIN_OBJECTS))
# These two are for plugin authors; nothing else of include/ is needed.
INSTALLED_HEADERS = include/fhir_error.h include/fhir_storage.h

.PHONY: install uninstall
install: all ## Install where apxs says; DESTDIR= is honoured; existing configuration is kept
	install -d $(DESTDIR)$(PREFIX_LIBEXEC) $(DESTDIR)$(PLUGIN_DIR) $(DESTDIR)$(CONF_DIR) $(DESTDIR)$(PREFIX_SBIN) \
	    $(DESTDIR)$(PREFIX_INCLUDE)/fhir_binary $(DESTDIR)$(DOC_DIR)/examples
	install -m 644 $(MODULE) $(DESTDIR)$(PREFIX_LIBEXEC)/
	install -m 644 $(INSTALLED_PLUGINS) $(DESTDIR)$(PLUGIN_DIR)/
	install -m 755 $(CLI) $(DESTDIR)$(PREFIX_SBIN)/
	install -m 644 $(INSTALLED_HEADERS) $(DESTDIR)$(PREFIX_INCLUDE)/fhir_binary/
	install -m 644 $(INSTALLED_DOCS) $(DESTDIR)$(DOC_DIR)/
	install -m 644 $(INSTALLED_EXAMPLES) $(DESTDIR)$(DOC_DIR)/examples/
	@for file in $(INSTALLED_CONF); do \
	    target=$(DESTDIR)$(CONF_DIR)/$${file##*/}; \
	    sed -e 's|/usr/lib/apache2/modules/fhir_storage_|$(PLUGIN_DIR)/fhir_storage_|' \
	        -e 's|/usr/lib/apache2/modules/mod_|$(PREFIX_LIBEXEC)/mod_|' "$$file" >"$$target.new" || exit 1; \
	    chmod 644 "$$target.new"; \
	    if [ ! -e "$$target" ] || cmp -s "$$target" "$$target.new"; then \
	        mv "$$target.new" "$$target"; \
	    else \
	        echo "kept $$target; the new one is $$target.new"; \
	    fi; \
	done

uninstall: ## Remove what install put there; configuration stays
	rm -f $(DESTDIR)$(PREFIX_LIBEXEC)/mod_fhir_binary.so $(DESTDIR)$(PREFIX_SBIN)/fhirbinctl
	rm -f $(addprefix $(DESTDIR)$(PLUGIN_DIR)/,$(notdir $(INSTALLED_PLUGINS)))
	rm -rf $(DESTDIR)$(PREFIX_INCLUDE)/fhir_binary $(DESTDIR)$(DOC_DIR)
	@echo "configuration is left in $(DESTDIR)$(CONF_DIR)"
