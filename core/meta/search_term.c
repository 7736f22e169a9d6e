/* The terms of the search index: 64 bits of SHA-256, the same as fhir_binary.search_term of sql/002 makes. */
#include "pg_resource.h"

#include <openssl/sha.h>
#include <string.h>

apr_int64_t fhir_search_term(const char *project_id, const char *type, const char *name, const char *value,
                             apr_pool_t *pool)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    apr_uint64_t term = 0;
    const char *text = apr_pstrcat(pool, project_id, "\n", type, "\n", name, value ? "\n" : NULL, value, NULL);
    SHA256((const unsigned char *)text, strlen(text), digest);
    for (int i = 0; i < 8; i++) {
        term = term << 8 | digest[i];
    }
    return (apr_int64_t)term;
}
