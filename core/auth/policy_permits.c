/* What a compiled policy says. Nothing is parsed or allocated to permit something. */
#include "policy_private.h"

#include <string.h>

typedef fhir_policy_entry_t entry_t;

static const entry_t *entry_at(const fhir_policy_t *policy, int i)
{
    return &APR_ARRAY_IDX(policy->entries, i, entry_t);
}

static int is_binary(const char *type)
{
    return strcmp(type, "Binary") == 0;
}

int fhir_policy_entry_covers(const entry_t *entry, const char *type)
{
    if (strcmp(entry->type, FHIR_EVERY_TYPE) == 0) {
        return !fhir_is_administrators_type(type) && (!is_binary(type) || entry->fits_binaries);
    }
    return strcmp(entry->type, type) == 0;
}

int fhir_policy_entry_permits(const entry_t *entry, fhir_interaction_t interaction, const fhir_subject_t *subject)
{
    return (entry->interactions & fhir_interaction_bit(interaction)) && subject->there &&
           fhir_policy_entry_covers(entry, subject->type) && !(subject->is_context && is_binary(subject->type)) &&
           (!entry->criteria.parsed || fhir_subject_matches(subject, entry->criteria.parsed));
}

int fhir_policy_needs_content(const fhir_policy_t *policy, const char *type)
{
    int i;
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        const entry_t *entry = entry_at(policy, i);
        if (entry->needs_content && (!type || fhir_policy_entry_covers(entry, type))) {
            return 1;
        }
    }
    return 0;
}

int fhir_policy_permits_type(const fhir_policy_t *policy, fhir_interaction_t interaction, const char *type)
{
    int i;
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        const entry_t *entry = entry_at(policy, i);
        if ((entry->interactions & fhir_interaction_bit(interaction)) && fhir_policy_entry_covers(entry, type)) {
            return 1;
        }
    }
    return 0;
}

int fhir_policy_permits_context_type(const fhir_policy_t *policy, fhir_interaction_t interaction)
{
    int i;
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        const entry_t *entry = entry_at(policy, i);
        if ((entry->interactions & fhir_interaction_bit(interaction)) && !is_binary(entry->type)) {
            return 1;
        }
    }
    return 0;
}

int fhir_policy_permits(const fhir_policy_t *policy, fhir_interaction_t interaction, const fhir_subject_t *subject)
{
    int i;
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        if (fhir_policy_entry_permits(entry_at(policy, i), interaction, subject)) {
            return 1;
        }
    }
    return 0;
}

const fhir_restriction_t *fhir_policy_restriction(const fhir_policy_t *policy, fhir_interaction_t interaction,
                                                  const char *type, apr_pool_t *pool)
{
    fhir_restriction_t *restriction = apr_palloc(pool, sizeof(*restriction));
    int i;
    restriction->alternatives = apr_array_make(pool, 4, sizeof(const apr_array_header_t *));
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        const entry_t *entry = entry_at(policy, i);
        if (!(entry->interactions & fhir_interaction_bit(interaction)) || !fhir_policy_entry_covers(entry, type)) {
            continue;
        }
        if (!entry->criteria.parsed) {
            return NULL;
        }
        APR_ARRAY_PUSH(restriction->alternatives, const apr_array_header_t *) = entry->criteria.parsed;
    }
    return restriction;
}

/* ---- elements ---- */

static int has_name(const apr_array_header_t *names, const char *name)
{
    int i;
    for (i = 0; names && i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Those of `names` that `others` has too; NULL: none. */
static const apr_array_header_t *common(const apr_array_header_t *names, const apr_array_header_t *others,
                                        apr_pool_t *pool)
{
    apr_array_header_t *both;
    int i;
    if (!names || !others) {
        return NULL;
    }
    both = apr_array_make(pool, names->nelts, sizeof(const char *));
    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        if (has_name(others, name)) {
            APR_ARRAY_PUSH(both, const char *) = name;
        }
    }
    return both->nelts > 0 ? both : NULL;
}

void fhir_policy_fields(fhir_policy_fields_t *fields, const fhir_policy_t *policy, fhir_interaction_t interaction,
                        const fhir_subject_t *subject, apr_pool_t *pool)
{
    int found = 0;
    int i;
    memset(fields, 0, sizeof(*fields));
    for (i = 0; policy && i < policy->entries->nelts && (!found || fields->hidden || fields->readonly); i++) {
        const entry_t *entry = entry_at(policy, i);
        if (!fhir_policy_entry_permits(entry, interaction, subject)) {
            continue;
        }
        fields->hidden = found ? common(fields->hidden, entry->hidden, pool) : entry->hidden;
        fields->readonly = found ? common(fields->readonly, entry->readonly, pool) : entry->readonly;
        found = 1;
    }
}

/* An entry that lets every resource be read in every way, and does not hide it. */
static int always_shown(const fhir_policy_t *policy, const char *type, const char *name)
{
    int i;
    for (i = 0; i < policy->entries->nelts; i++) {
        const entry_t *entry = entry_at(policy, i);
        if ((entry->interactions & FHIR_POLICY_READING) == FHIR_POLICY_READING && !entry->criteria.parsed &&
            fhir_policy_entry_covers(entry, type) && !has_name(entry->hidden, name)) {
            return 1;
        }
    }
    return 0;
}

const apr_array_header_t *fhir_policy_hidden_in_search(const fhir_policy_t *policy, const char *type, apr_pool_t *pool)
{
    apr_array_header_t *hidden = NULL;
    int i;
    int j;
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        const entry_t *entry = entry_at(policy, i);
        for (j = 0; entry->hidden && fhir_policy_entry_covers(entry, type) && j < entry->hidden->nelts; j++) {
            const char *name = APR_ARRAY_IDX(entry->hidden, j, const char *);
            if (!has_name(hidden, name) && !always_shown(policy, type, name)) {
                hidden = hidden ? hidden : apr_array_make(pool, 4, sizeof(const char *));
                APR_ARRAY_PUSH(hidden, const char *) = name;
            }
        }
    }
    return hidden;
}
