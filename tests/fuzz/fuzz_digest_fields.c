/* The same text as each of the digest fields. */
#include "core/http/fields.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"Content-MD5", "Digest", "Content-Digest", "Repr-Digest"};
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    int n;
    for (n = 0; n < 4; n++) {
        fhir_expected_digest_t expected[FHIR_EXPECTED_DIGEST_MAX];
        apr_table_t *headers = apr_table_make(pool, 1);
        fhir_request_t request;
        int count = -1;
        int i;
        memset(&request, 0, sizeof(request));
        request.pool = pool;
        request.headers = headers;
        apr_table_setn(headers, names[n], text);
        if (fhir_expected_digests(expected, &count, &request)) {
            continue;
        }
        FUZZ_CHECK(count >= 0 && count <= 4);
        for (i = 0; i < count; i++) {
            FUZZ_CHECK(expected[i].length >= 16 && expected[i].length <= 64 && expected[i].value);
        }
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
