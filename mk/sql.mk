# The migrations sql/NNN_name.sql become part of libfhircore.a, so that module and fhirbinctl carry their own schema.
MIGRATIONS := $(sort $(wildcard sql/[0-9]*.sql))

$(BUILD)/generated/migrations.c: $(MIGRATIONS) mk/embed_sql.sh
	@mkdir -p $(@D)
	$(Q)mk/embed_sql.sh $(MIGRATIONS) > $@

$(BUILD)/generated/migrations.o: LAYER_INCLUDES := -I.
$(BUILD)/generated/migrations.o: $(BUILD)/generated/migrations.c core/meta/migrations.h $(BUILD)/flags
	$(Q)$(COMPILE) -c $< -o $@
