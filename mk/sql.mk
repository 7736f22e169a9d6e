# The migrations sql/NNN_name.sql become part of libfhircore.a, so that module and fhirbinctl carry their own schema.
MIGRATIONS := $(sort $(wildcard sql/[0-9]*.sql))
MIGRATIONS_OBJECT := $(BUILD)/obj/generated/migrations.o

$(BUILD)/generated/migrations.c: $(MIGRATIONS) mk/embed_sql.sh
	@mkdir -p $(@D)
	mk/embed_sql.sh $(MIGRATIONS) > $@

$(MIGRATIONS_OBJECT): LAYER_INCLUDES := -I.
$(MIGRATIONS_OBJECT): $(BUILD)/generated/migrations.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -c $< -o $@

$(CORE_ARCHIVE): $(MIGRATIONS_OBJECT)
