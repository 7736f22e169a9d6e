/* Referring resources -> the security context that a Binary lacks. */
#include "suggested_context.h"

#include <apr_strings.h>
#include <string.h>

typedef struct candidates_t {
    apr_array_header_t *names; /* of const char * */
    int there;                 /* the first one is */
    apr_pool_t *pool;
} candidates_t;

static void add(candidates_t *candidates, const char *type, const char *id, int there)
{
    const char *name = apr_pstrcat(candidates->pool, type, "/", id, NULL);
    int i;
    for (i = 0; i < candidates->names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(candidates->names, i, const char *), name) == 0) {
            return;
        }
    }
    if (candidates->names->nelts == FHIR_CANDIDATES_MAX) {
        return;
    }
    candidates->there = candidates->names->nelts == 0 ? there : candidates->there;
    APR_ARRAY_PUSH(candidates->names, const char *) = name;
}

static int is_person(const char *type)
{
    static const char *const types[] = {"Patient", "Person", "Practitioner", "RelatedPerson"};
    size_t i;
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* A Binary is never a context. */
static int can_be_context(const fhir_referrer_subject_t *subject)
{
    return fhir_resource_type_known(subject->type) && strcmp(subject->type, "Binary") != 0;
}

/* The subjects that are Patients, or those that are none. How many. */
static int add_subjects(candidates_t *candidates, const fhir_referrer_t *referrer, int patients)
{
    int count = 0;
    int i;
    for (i = 0; i < referrer->subjects->nelts; i++) {
        const fhir_referrer_subject_t *subject = &APR_ARRAY_IDX(referrer->subjects, i, fhir_referrer_subject_t);
        if (can_be_context(subject) && (strcmp(subject->type, "Patient") == 0) == patients) {
            add(candidates, subject->type, subject->id, subject->there);
            count++;
        }
    }
    return count;
}

static void add_referrer(candidates_t *candidates, const fhir_referrer_t *referrer)
{
    const fhir_resource_t *resource = referrer->resource;
    if (is_person(resource->type) ||
        (add_subjects(candidates, referrer, 1) == 0 && add_subjects(candidates, referrer, 0) == 0)) {
        add(candidates, resource->type, resource->id, 1);
    }
}

static fhir_suggestion_kind_t kind_of(const candidates_t *candidates, int foreign, int too_many)
{
    if (candidates->names->nelts == 0) {
        return foreign ? FHIR_SUGGESTION_FOREIGN : FHIR_SUGGESTION_UNREFERENCED;
    }
    if (candidates->names->nelts > 1) {
        return FHIR_SUGGESTION_AMBIGUOUS;
    }
    if (too_many) {
        return FHIR_SUGGESTION_TOO_MANY;
    }
    return candidates->there ? FHIR_SUGGESTION_FOLLOWS : FHIR_SUGGESTION_MISSING;
}

/* *next: the first referrer of this Binary; afterwards that of the following one. */
static void suggest(fhir_missing_context_t *missing, const fhir_binary_t *binary, int place,
                    const apr_array_header_t *referrers, int any_author, int *next, apr_pool_t *pool)
{
    candidates_t candidates = {0};
    int foreign = 0;
    int count = 0;
    candidates.pool = pool;
    candidates.names = apr_array_make(pool, 1, sizeof(const char *));
    memset(missing, 0, sizeof(*missing));
    missing->binary = binary;
    missing->referrers = apr_array_make(pool, 1, sizeof(const fhir_referrer_t *));
    while (*next < referrers->nelts) {
        const fhir_referrer_t *referrer = &APR_ARRAY_IDX(referrers, *next, fhir_referrer_t);
        if (referrer->binary != place) {
            break;
        }
        if (count++ < FHIR_REFERRERS_MAX) {
            APR_ARRAY_PUSH(missing->referrers, const fhir_referrer_t *) = referrer;
            if (any_author || !referrer->foreign) {
                add_referrer(&candidates, referrer);
            } else {
                foreign = 1;
            }
        }
        (*next)++;
    }
    missing->candidates = candidates.names;
    missing->kind = kind_of(&candidates, foreign, count > FHIR_REFERRERS_MAX);
    if (missing->kind == FHIR_SUGGESTION_FOLLOWS) {
        missing->context = APR_ARRAY_IDX(candidates.names, 0, const char *);
    }
}

apr_array_header_t *fhir_suggest_contexts(const apr_array_header_t *binaries, const apr_array_header_t *referrers,
                                          int any_author, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, binaries->nelts, sizeof(fhir_missing_context_t));
    int next = 0;
    int i;
    for (i = 0; i < binaries->nelts; i++) {
        suggest(apr_array_push(all), APR_ARRAY_IDX(binaries, i, const fhir_binary_t *), i, referrers, any_author, &next,
                pool);
    }
    return all;
}

fhir_error_t *fhir_missing_contexts(apr_array_header_t **missing, apr_off_t *total, fhir_meta_t *meta,
                                    const char *project_id, const char *after, int count, int with_text, int any_author,
                                    const fhir_call_t *call)
{
    apr_array_header_t *ids = apr_array_make(call->pool, 16, sizeof(const char *));
    apr_array_header_t *binaries;
    apr_array_header_t *referrers;
    int i;
    FHIR_TRY(fhir_meta_binaries_without_context(&binaries, total, meta, project_id, after, count, call));
    for (i = 0; i < binaries->nelts; i++) {
        APR_ARRAY_PUSH(ids, const char *) = APR_ARRAY_IDX(binaries, i, const fhir_binary_t *)->id;
    }
    FHIR_TRY(fhir_meta_referrers(&referrers, meta, project_id, ids, with_text, call));
    *missing = fhir_suggest_contexts(binaries, referrers, any_author, call->pool);
    return NULL;
}

static const char *listed(const apr_array_header_t *names, apr_pool_t *pool)
{
    const char *text = "";
    int i;
    for (i = 0; i < names->nelts; i++) {
        text = apr_pstrcat(pool, text, i ? ", " : "", APR_ARRAY_IDX(names, i, const char *), NULL);
    }
    return text;
}

const char *fhir_suggestion_text(const fhir_missing_context_t *missing, apr_pool_t *pool)
{
    switch (missing->kind) {
    case FHIR_SUGGESTION_UNREFERENCED:
        return "no resource points to it";
    case FHIR_SUGGESTION_FOREIGN:
        return "what points to it was written neither by its own writer nor by an administrator (--any-author counts "
               "it)";
    case FHIR_SUGGESTION_AMBIGUOUS:
        return apr_pstrcat(pool, "several could be it: ", listed(missing->candidates, pool), NULL);
    case FHIR_SUGGESTION_MISSING:
        return apr_pstrcat(pool, listed(missing->candidates, pool), " is not there", NULL);
    case FHIR_SUGGESTION_TOO_MANY:
        return apr_psprintf(pool, "more than %d resources point to it", FHIR_REFERRERS_MAX);
    case FHIR_SUGGESTION_FOLLOWS:
        break;
    }
    return "";
}
