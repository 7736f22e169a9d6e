/* Fuzzes the Authorization header. */
#include "core/auth/auth.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const fhir_credentials_t *credentials)
{
    int bearer = credentials->kind == FHIR_CREDENTIALS_BEARER && credentials->token && *credentials->token;
    int basic = credentials->kind == FHIR_CREDENTIALS_BASIC && credentials->user && *credentials->user &&
                credentials->password && *credentials->password && !strchr(credentials->user, ':');
    if (bearer == basic) {
        abort(); /* a header that is there gives exactly one kind, complete */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    fhir_credentials_t credentials;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (!fhir_credentials_parse(&credentials, apr_pstrmemdup(pool, (const char *)data, size), pool)) {
        check(&credentials);
    }
    apr_pool_destroy(pool);
    return 0;
}
