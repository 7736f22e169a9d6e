/* Compressed bodies; the first byte chooses coding and size of the reads. */
#include "core/http/fields.h"
#include "fuzz.h"

#define LIMIT 200000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip", "deflate", "identity", "x-gzip"};
    static const apr_size_t chunks[] = {0, 1, 2, 100};
    apr_pool_t *pool = fuzz_pool();
    fhir_body_t *body = NULL;
    unsigned choice = size > 0 ? data[0] : 0;
    apr_off_t total = 0;
    fhir_error_t *error;
    const char *bytes = NULL;
    apr_size_t length = 1;
    if (size > 0) {
        data++;
        size--;
    }
    body = fhir_body_memory((const char *)data, size, chunks[choice / 4 % 4], pool);
    error = fhir_body_decode(&body, body, codings[choice % 4], LIMIT, pool);
    while (!error && length > 0) {
        error = body->read(body, &bytes, &length);
        total += error ? 0 : (apr_off_t)length;
    }
    FUZZ_CHECK(total <= LIMIT);
    FUZZ_CHECK(!error || error->code == FHIR_ERROR_INVALID || error->code == FHIR_ERROR_TOO_LARGE);
    apr_pool_destroy(pool);
    return 0;
}
