/* Fuzzes the parameters of signed URLs. Input: lines; binary id, version id, then name=value each. */
#include "core/auth/auth.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts the next line off *text; "" at the end. */
static char *next_line(char **text)
{
    char *line = *text;
    char *end = strchr(line, '\n');
    if (end) {
        *end = '\0';
        *text = end + 1;
    } else {
        *text = line + strlen(line);
    }
    return line;
}

static void check(const fhir_presign_t *presign, const char *signature, apr_pool_t *pool)
{
    static const char key[] = "a key that the fuzzer does not know";
    const char *url;
    if (!fhir_presign_verify(presign, signature, key, sizeof(key), 0, pool)) {
        abort(); /* forged */
    }
    url = fhir_presign_url("", presign, key, sizeof(key), pool);
    if (fhir_presign_verify(presign, strstr(url, "&Signature=") + 11, key, sizeof(key), -1, pool)) {
        abort(); /* what parses can be signed */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;
    apr_table_t *query;
    fhir_presign_t presign;
    const char *signature;
    const char *binary_id;
    const char *version_id;
    char *text;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    text = apr_pstrmemdup(pool, (const char *)data, size);
    query = apr_table_make(pool, 4);
    binary_id = next_line(&text);
    version_id = next_line(&text);
    while (*text) {
        char *name = next_line(&text);
        char *value = strchr(name, '=');
        if (value) {
            *value++ = '\0';
        }
        apr_table_addn(query, name, value ? value : "");
    }
    if (!fhir_presign_parse(&presign, &signature, "GET", binary_id, version_id, query, pool)) {
        check(&presign, signature, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
