/* Fuzzes SMART scopes. A scope may only widen what a text without it permits by what it says itself. */
#include "core/auth/scope_private.h"
#include "fuzz.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};
static const char BODY[] = "{\"status\":\"completed\",\"subject\":{\"reference\":\"Patient/p1\"}}";

typedef struct subjects_t {
    fhir_subject_t media;
    fhir_subject_t context;
    fhir_subject_t binary;
} subjects_t;

static void make_subjects(subjects_t *subjects, apr_pool_t *pool)
{
    fhir_store_resource_t stored = {0};
    FUZZ_CHECK(!fhir_json_parse(&stored.document, BODY, strlen(BODY), &fhir_json_resource_limits, pool));
    fhir_subject_of_values(&subjects->media, "Media", "m", fhir_search_index("Media", "m", &stored, &ADDRESSES, pool));
    subjects->context = subjects->media;
    subjects->context.is_context = 1;
    fhir_subject_of_binary(&subjects->binary, "b", 0, pool);
}

/* Adding a scope that permits nothing must leave no text permitting what it did only for lack of scopes. */
static void check(const char *scope, fhir_interaction_t interaction, const subjects_t *subjects, apr_pool_t *pool)
{
    const fhir_scopes_t *alone = fhir_scopes_parse(scope, pool);
    const fhir_scopes_t *with_other = fhir_scopes_parse(apr_pstrcat(pool, scope, " user/Patient.rs", NULL), pool);
    const fhir_scopes_t *with_all = fhir_scopes_parse(apr_pstrcat(pool, scope, " user/*.*", NULL), pool);
    int permitted = fhir_scopes_permit(alone, interaction, "Binary", "p1", &subjects->context, pool);
    FUZZ_CHECK(permitted || !fhir_scopes_permit(with_other, interaction, "Binary", "p1", &subjects->context, pool));
    FUZZ_CHECK(!permitted || fhir_scopes_permit_type(alone, interaction, "Binary", "p1"));
    FUZZ_CHECK(fhir_scopes_permit(with_all, interaction, "Binary", NULL, &subjects->binary, pool));
    FUZZ_CHECK(!fhir_scopes_permit(with_other, interaction, "Binary", "p1", &subjects->binary, pool) ||
               strstr(scope, "user/") || strstr(scope, "system/"));
    FUZZ_CHECK(!fhir_scopes_permit(with_other, interaction, "Binary", NULL, &subjects->context, pool) ||
               strstr(scope, "user/") || strstr(scope, "system/"));
}

/* A search finds just what may be read by it. */
static void check_restriction(const char *scope, fhir_interaction_t interaction, const subjects_t *subjects,
                              apr_pool_t *pool)
{
    const fhir_scopes_t *scopes = fhir_scopes_parse(scope, pool);
    const fhir_restriction_t *restriction = fhir_scopes_restriction(scopes, interaction, "Media", "p1", pool);
    int found = !restriction;
    int i;
    for (i = 0; restriction && i < restriction->alternatives->nelts; i++) {
        found |= fhir_subject_matches(&subjects->media,
                                      APR_ARRAY_IDX(restriction->alternatives, i, const apr_array_header_t *));
    }
    FUZZ_CHECK(found == fhir_scopes_permit(scopes, interaction, "Media", "p1", &subjects->media, pool));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *scope = fuzz_text(data, size);
    subjects_t subjects;
    int interaction;
    make_subjects(&subjects, pool);
    for (interaction = FHIR_INTERACTION_CREATE; interaction <= FHIR_INTERACTION_HISTORY; interaction++) {
        check(scope, (fhir_interaction_t)interaction, &subjects, pool);
        check_restriction(scope, (fhir_interaction_t)interaction, &subjects, pool);
    }
    free(scope);
    apr_pool_destroy(pool);
    return 0;
}
