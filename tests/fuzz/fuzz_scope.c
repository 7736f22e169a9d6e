/* Fuzzes SMART scopes. A scope may only widen what a text without it permits by what it says itself. */
#include "core/auth/auth.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Adding a scope that permits nothing must leave no text permitting what it did only for lack of scopes. */
static void check(const char *scope, fhir_interaction_t interaction, apr_pool_t *pool)
{
    const fhir_scopes_t *alone = fhir_scopes_parse(scope, pool);
    const fhir_scopes_t *with_other = fhir_scopes_parse(apr_pstrcat(pool, scope, " user/Patient.rs", NULL), pool);
    const fhir_scopes_t *with_all = fhir_scopes_parse(apr_pstrcat(pool, scope, " user/*.*", NULL), pool);
    int permitted = fhir_scopes_permit(alone, interaction, "Patient/p1", "p1");
    if (fhir_scopes_permit(with_other, interaction, "Patient/p1", "p1") && !permitted) {
        abort();
    }
    if (!fhir_scopes_permit(with_all, interaction, NULL, NULL)) {
        abort();
    }
    if (fhir_scopes_permit(with_other, interaction, NULL, NULL) && !strstr(scope, "user/") &&
        !strstr(scope, "system/")) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    int interaction;
    const char *scope;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    scope = apr_pstrmemdup(pool, (const char *)data, size);
    for (interaction = FHIR_INTERACTION_CREATE; interaction <= FHIR_INTERACTION_SEARCH; interaction++) {
        check(scope, (fhir_interaction_t)interaction, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
