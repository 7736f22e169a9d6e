/* Subjects of decisions: their values, whether criteria fit them, and what a security context names. */
#include "subject.h"

#include <string.h>

#define HISTORY "/_history/"

/* ---- values ---- */

/* `{body}`, parsed. 0: there is no text, or none that can be looked at. */
static int parse_stored(fhir_store_resource_t *stored, const fhir_resource_t *resource, apr_pool_t *pool)
{
    char *text;
    apr_size_t length;
    memset(stored, 0, sizeof(*stored));
    if (!resource || !resource->body) {
        return 0;
    }
    length = resource->body_length + 2;
    text = apr_palloc(pool, length + 1);
    text[0] = '{';
    memcpy(text + 1, resource->body, resource->body_length);
    memcpy(text + length - 1, "}", 2);
    stored->meta = resource->meta;
    return !fhir_json_parse(&stored->document, text, length, &fhir_json_resource_limits, pool);
}

void fhir_subject_complete(fhir_subject_t *subject, const fhir_addresses_t *addresses, apr_pool_t *pool)
{
    fhir_store_resource_t stored;
    if (subject->complete) {
        return;
    }
    if (!subject->there || !parse_stored(&stored, subject->resource, pool)) {
        subject->there = 0;
        return;
    }
    subject->values = fhir_search_index(subject->type, subject->id, &stored, addresses, pool);
    subject->complete = subject->values->nelts <= FHIR_INDEX_VALUES_MAX;
    subject->there = subject->complete;
}

static void fill(fhir_subject_t *subject, const char *type, const char *id, apr_time_t last_updated,
                 const apr_array_header_t *values)
{
    memset(subject, 0, sizeof(*subject));
    subject->type = type;
    subject->id = id;
    subject->there = 1;
    subject->last_updated = last_updated;
    subject->values = values;
    subject->complete = 1;
}

void fhir_subject_of_values(fhir_subject_t *subject, const char *type, const char *id, const apr_array_header_t *values)
{
    fill(subject, type, id, apr_time_now(), values);
}

void fhir_subject_of_binary(fhir_subject_t *subject, const char *id, apr_time_t last_updated, apr_pool_t *pool)
{
    fill(subject, "Binary", id, last_updated, apr_array_make(pool, 1, sizeof(fhir_index_value_t)));
}

/* ---- contexts ---- */

/* The id at the beginning of `text`, up to its end or a slash; NULL: it is none. */
static const char *leading_id(const char **rest, const char *text, apr_pool_t *pool)
{
    apr_size_t length = strcspn(text, "/");
    const char *id = length <= FHIR_ID_MAX ? apr_pstrmemdup(pool, text, length) : NULL;
    *rest = text + length;
    return id && fhir_id_valid(id) ? id : NULL;
}

/* Nothing, or the version that the context was when it was named: the current one counts. */
static int is_end(const char *rest, apr_pool_t *pool)
{
    if (strncmp(rest, HISTORY, strlen(HISTORY)) == 0) {
        return leading_id(&rest, rest + strlen(HISTORY), pool) && !*rest;
    }
    return !*rest;
}

int fhir_context_target(const char **type, const char **id, const char *reference, const fhir_addresses_t *addresses,
                        apr_pool_t *pool)
{
    apr_size_t base = strlen(addresses->fhir_base);
    apr_size_t length;
    const char *rest;
    *type = NULL;
    *id = NULL;
    if (!reference) {
        return 0;
    }
    reference += strncmp(reference, addresses->fhir_base, base) == 0 ? base : 0;
    length = strcspn(reference, "/");
    if (length > FHIR_ID_MAX || !reference[length]) {
        return 0;
    }
    *type = apr_pstrmemdup(pool, reference, length);
    *id = leading_id(&rest, reference + length + 1, pool);
    return *id && is_end(rest, pool) && fhir_resource_type_known(*type) && strcmp(*type, "Binary") != 0;
}

/* ---- criteria ---- */

/* A column of every resource and Binary, no row of the index. */
static int is_own(const char *name)
{
    return strcmp(name, "_id") == 0 || strcmp(name, "_lastUpdated") == 0;
}

int fhir_criteria_need_content(const apr_array_header_t *criteria)
{
    int i;
    for (i = 0; i < criteria->nelts; i++) {
        const char *name = APR_ARRAY_IDX(criteria, i, fhir_criterion_t).name;
        if (!is_own(name) && strcmp(name, "_compartment") != 0) {
            return 1;
        }
    }
    return 0;
}

/* A Binary has no searchable values: `_tag:not=x` would hold for it, and means nothing. */
static int can_be_said(const fhir_subject_t *subject, const apr_array_header_t *criteria)
{
    int i;
    if (strcmp(subject->type, "Binary") != 0) {
        return subject->complete || !fhir_criteria_need_content(criteria);
    }
    for (i = 0; i < criteria->nelts; i++) {
        if (!is_own(APR_ARRAY_IDX(criteria, i, fhir_criterion_t).name)) {
            return 0;
        }
    }
    return 1;
}

int fhir_subject_matches(const fhir_subject_t *subject, const apr_array_header_t *criteria)
{
    fhir_resource_t resource = {0};
    resource.type = subject->type;
    resource.id = subject->id;
    resource.last_updated = subject->last_updated;
    return subject->there && can_be_said(subject, criteria) &&
           fhir_criteria_match(criteria, &resource, subject->values);
}
