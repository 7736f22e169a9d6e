# Installing into the directories that apxs names, below DESTDIR.

PREFIX_LIBEXEC = $(shell $(APXS) -q LIBEXECDIR)
PREFIX_SYSCONF = $(shell $(APXS) -q SYSCONFDIR)
PREFIX_SBIN = $(shell $(APXS) -q sbindir)
PREFIX_INCLUDE ?= /usr/include
PREFIX_SHARE ?= /usr/share
PLUGIN_DIR = $(PREFIX_LIBEXEC)/fhir_binary
CONF_DIR = $(PREFIX_SYSCONF)$(if $(wildcard $(PREFIX_SYSCONF)/mods-available),/mods-available,/fhir_binary)
DOC_DIR = $(PREFIX_SHARE)/doc/mod_fhir_binary
INSTALLED_CONF = $(wildcard httpd-conf/*.load httpd-conf/*.conf)
INSTALLED_DOCS = $(wildcard README.md CHANGELOG.md SECURITY.md LICENSE docs/*.md)
# These two are for plugin authors; nothing else of include/ is needed.
INSTALLED_HEADERS = include/fhir_error.h include/fhir_storage.h

.PHONY: install uninstall
install: all ## Install where apxs says; DESTDIR= is honoured; existing configuration is kept
	install -d $(DESTDIR)$(PREFIX_LIBEXEC) $(DESTDIR)$(PLUGIN_DIR) $(DESTDIR)$(CONF_DIR) $(DESTDIR)$(PREFIX_SBIN) \
	    $(DESTDIR)$(PREFIX_INCLUDE)/fhir_binary $(DESTDIR)$(DOC_DIR)
	$(if $(MODULE),install -m 644 $(MODULE) $(DESTDIR)$(PREFIX_LIBEXEC)/)
	$(if $(PLUGIN_OBJECTS),install -m 644 $(filter-out %_faulty.so,$(PLUGIN_OBJECTS)) $(DESTDIR)$(PLUGIN_DIR)/)
	$(if $(CLI),install -m 755 $(CLI) $(DESTDIR)$(PREFIX_SBIN)/)
	install -m 644 $(INSTALLED_HEADERS) $(DESTDIR)$(PREFIX_INCLUDE)/fhir_binary/
	install -m 644 $(INSTALLED_DOCS) $(DESTDIR)$(DOC_DIR)/
	@for file in $(INSTALLED_CONF); do \
	    target=$(DESTDIR)$(CONF_DIR)/$${file##*/}; \
	    if [ -e "$$target" ] && ! cmp -s "$$file" "$$target"; then \
	        echo "kept $$target; the new one is $$target.new"; target=$$target.new; \
	    fi; \
	    install -m 644 "$$file" "$$target" || exit 1; \
	done

uninstall: ## Remove what install put there; configuration stays
	rm -f $(DESTDIR)$(PREFIX_LIBEXEC)/mod_fhir_binary.so $(DESTDIR)$(PREFIX_SBIN)/fhirbinctl
	rm -rf $(DESTDIR)$(PLUGIN_DIR) $(DESTDIR)$(PREFIX_INCLUDE)/fhir_binary $(DESTDIR)$(DOC_DIR)
	@echo "configuration is left in $(DESTDIR)$(CONF_DIR)"
