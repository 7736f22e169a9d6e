/* What the tests of resources share. */
#ifndef FHIR_TESTS_META_RESOURCE_TEST_H
#define FHIR_TESTS_META_RESOURCE_TEST_H

#include "core/meta/resources.h"
#include "meta_test.h"

static inline apr_array_header_t *no_values(void)
{
    return apr_array_make(pool, 8, sizeof(fhir_index_value_t));
}

static inline fhir_store_resource_t *stored_of(const char *meta_text, const char *body)
{
    fhir_store_resource_t *stored = apr_pcalloc(pool, sizeof(*stored));
    stored->meta = meta_text;
    stored->body = body;
    stored->body_length = strlen(body);
    stored->attachments = apr_array_make(pool, 2, sizeof(fhir_attachment_t));
    return stored;
}

static inline fhir_resource_change_t resource_change(fhir_change_kind_t kind, const char *project_id, const char *type,
                                                     const char *id)
{
    fhir_resource_change_t change = {.kind = kind, .project_id = project_id, .type = type, .id = id};
    change.membership_id = uuid();
    change.version_id = uuid();
    if (kind != FHIR_CHANGE_DELETE) {
        change.stored = stored_of("", "\"active\":true");
        change.index_values = no_values();
    }
    return change;
}

static inline void add_link(const fhir_resource_change_t *change, const char *path, const char *binary_id,
                            const char *pin)
{
    fhir_attachment_t link = {.path = path, .binary_id = binary_id, .binary_version_id = pin};
    link.url_offset = 10 * change->stored->attachments->nelts;
    link.url_length = 7;
    link.end_offset = link.url_offset + 9;
    link.present = FHIR_ATTACHMENT_SIZE | FHIR_ATTACHMENT_TITLE;
    APR_ARRAY_PUSH(change->stored->attachments, fhir_attachment_t) = link;
}

static inline fhir_index_value_t *push_value(apr_array_header_t *values, const char *name, fhir_search_type_t type)
{
    fhir_index_value_t *value = apr_array_push(values);
    memset(value, 0, sizeof(*value));
    value->name = name;
    value->type = type;
    value->system = value->code = "";
    return value;
}

static inline void push_token(apr_array_header_t *values, const char *name, const char *system, const char *code)
{
    fhir_index_value_t *value = push_value(values, name, FHIR_SEARCH_TOKEN);
    value->system = system;
    value->code = code;
}

static inline void push_reference(apr_array_header_t *values, const char *name, const char *type, const char *id)
{
    fhir_index_value_t *value = push_value(values, name, FHIR_SEARCH_REFERENCE);
    value->system = type;
    value->code = id;
}

static inline fhir_search_t search_for(const char *type)
{
    fhir_search_t search = {.type = type, .count = 20};
    search.criteria = apr_array_make(pool, 2, sizeof(fhir_criterion_t));
    search.includes = apr_array_make(pool, 2, sizeof(fhir_include_t));
    return search;
}

/* Gives its one value, to be filled in. */
static inline fhir_search_value_t *add_criterion(fhir_search_t *search, const char *name, fhir_search_type_t type,
                                                 fhir_search_modifier_t modifier)
{
    fhir_criterion_t *criterion = apr_array_push(search->criteria);
    fhir_search_value_t *value;
    criterion->name = name;
    criterion->type = type;
    criterion->modifier = modifier;
    criterion->values = apr_array_make(pool, 2, sizeof(fhir_search_value_t));
    value = apr_array_push(criterion->values);
    memset(value, 0, sizeof(*value));
    return value;
}

static inline fhir_search_value_t *add_code(fhir_search_t *search, const char *name, fhir_search_type_t type,
                                            const char *code)
{
    fhir_search_value_t *value = add_criterion(search, name, type, FHIR_MODIFIER_NONE);
    value->code = code;
    return value;
}

#endif
