/* What a policy says, in sentences for `fhirbinctl explain`. */
#include "policy_private.h"

#include <string.h>

static void add_entry_name(fhir_text_t *text, const fhir_policy_entry_t *entry)
{
    fhir_text_addf(text, "Policy %s%s%s, entry %d (%s", entry->source->id, entry->source->version_id ? " version " : "",
                   entry->source->version_id ? entry->source->version_id : "", entry->number, entry->type);
    if (entry->criteria.text) {
        fhir_text_addf(text, ", criteria %s", entry->criteria.text);
        fhir_text_addf(text, *entry->criteria.parameters ? ", where %s" : "%s", entry->criteria.parameters);
    }
    fhir_text_add(text, ") ");
}

static const char *refusal(const fhir_policy_entry_t *entry, fhir_interaction_t interaction,
                           const fhir_subject_t *subject)
{
    if (!(entry->interactions & fhir_interaction_bit(interaction))) {
        return "it is not among its interactions";
    }
    if (!subject->there) {
        return "the resource is not there";
    }
    if (entry->needs_content && !subject->complete) {
        return "the resource was not loaded, so its criteria can't be evaluated";
    }
    return "its criteria do not hold";
}

static void explain_entry(fhir_text_t *text, const fhir_policy_entry_t *entry, fhir_interaction_t interaction,
                          const fhir_subject_t *subject)
{
    add_entry_name(text, entry);
    if (fhir_policy_entry_permits(entry, interaction, subject)) {
        fhir_text_addf(text, "permits %s of %s/%s.\n", fhir_interaction_name(interaction), subject->type, subject->id);
    } else {
        fhir_text_addf(text, "does not permit %s of %s/%s: %s.\n", fhir_interaction_name(interaction), subject->type,
                       subject->id, refusal(entry, interaction, subject));
    }
}

void fhir_policy_explain(fhir_text_t *text, const fhir_policy_t *policy, fhir_interaction_t interaction,
                         const fhir_subject_t *subject)
{
    int found = 0;
    int i;
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        const fhir_policy_entry_t *entry = &APR_ARRAY_IDX(policy->entries, i, fhir_policy_entry_t);
        if (fhir_policy_entry_covers(entry, subject->type)) {
            explain_entry(text, entry, interaction, subject);
            found = 1;
        }
    }
    if (!found) {
        fhir_text_addf(text, "No entry of the access policies is for %s.\n", subject->type);
    }
}

void fhir_policy_explain_type(fhir_text_t *text, const fhir_policy_t *policy, fhir_interaction_t interaction,
                              const char *type)
{
    int i;
    for (i = 0; policy && i < policy->entries->nelts; i++) {
        const fhir_policy_entry_t *entry = &APR_ARRAY_IDX(policy->entries, i, fhir_policy_entry_t);
        if (fhir_policy_entry_covers(entry, type)) {
            add_entry_name(text, entry);
            fhir_text_addf(text,
                           !(entry->interactions & fhir_interaction_bit(interaction))
                               ? "does not permit %s of any %s.\n"
                           : entry->criteria.parsed ? "permits %s of each %s that its criteria hold for.\n"
                                                    : "permits %s of every %s.\n",
                           fhir_interaction_name(interaction), type);
        }
    }
}
