/* Access policies and the resources that they are asked about, written in tests with ' instead of ". */
#ifndef FHIR_TESTS_POLICY_HELP_H
#define FHIR_TESTS_POLICY_HELP_H

#include "core/auth/policy_private.h"
#include "resource_help.h"

/* A resource that is there, with all its values. */
static inline fhir_subject_t *subject_of(const char *type, const char *id, const char *members)
{
    const char *text = apr_psprintf(pool, "{'resourceType':'%s'%s%s}", type, *members ? "," : "", members);
    fhir_store_resource_t stored = prepared(text);
    fhir_subject_t *subject = apr_palloc(pool, sizeof(*subject));
    fhir_subject_of_values(subject, type, id, fhir_search_index(type, id, &stored, &addresses, pool));
    return subject;
}

static inline fhir_subject_t *context_of(const char *type, const char *id, const char *members)
{
    fhir_subject_t *subject = subject_of(type, id, members);
    subject->is_context = 1;
    return subject;
}

static inline fhir_subject_t *binary_of(const char *id)
{
    fhir_subject_t *subject = apr_palloc(pool, sizeof(*subject));
    fhir_subject_of_binary(subject, id, 0, pool);
    return subject;
}

static inline fhir_subject_t *missing(fhir_subject_t *subject)
{
    subject->there = 0;
    return subject;
}

static inline void add_source(apr_array_header_t *sources, const char *id, const char *body)
{
    fhir_policy_source_t *source = apr_array_push(sources);
    source->id = id;
    source->version_id = "v1";
    source->body = body ? quoted(body) : NULL;
}

/* One policy `p` with this body; `parameters` are the items of its parameter list. */
static inline const fhir_policy_t *compiled_body(const char *parameters, const char *profile, const char *body)
{
    apr_array_header_t *sources = apr_array_make(pool, 1, sizeof(fhir_policy_source_t));
    add_source(sources, "p", body);
    return fhir_policy_compile(quoted(apr_pstrcat(pool, "[{'policy':'p','parameter':[", parameters, "]}]", NULL)),
                               profile, sources, &addresses, pool);
}

/* `entries`: the items of AccessPolicy.resource. */
static inline const fhir_policy_t *compiled(const char *parameters, const char *profile, const char *entries)
{
    return compiled_body(parameters, profile, apr_pstrcat(pool, "'name':'P','resource':[", entries, "]", NULL));
}

#endif
