/* What is this body? The first byte of the input chooses format and kind of media type. */
#include "core/fhir/binary_form.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fhir_format_t format = size && (data[0] & 1) ? FHIR_FORMAT_XML : FHIR_FORMAT_JSON;
    int fhir_type = size ? data[0] >> 1 & 1 : 0;
    const char *text = (const char *)data + (size ? 1 : 0);
    size_t length = size ? size - 1 : 0;
    apr_pool_t *pool = fuzz_pool(); /* starts APR: the function makes a pool of its own */
    fhir_sniff_t whole = fhir_binary_sniff(format, fhir_type, text, length, 1);
    fhir_sniff_t open = fhir_binary_sniff(format, fhir_type, text, length, 0);
    fhir_sniff_t half = fhir_binary_sniff(format, fhir_type, text, length / 2, 0);
    FUZZ_CHECK(whole != FHIR_SNIFF_MORE);
    if (length < FHIR_SNIFF_WINDOW) {
        /* An early answer is the final one. */
        FUZZ_CHECK(open == FHIR_SNIFF_MORE || open == whole);
        FUZZ_CHECK(half == FHIR_SNIFF_MORE || half == open);
    } else {
        FUZZ_CHECK(open != FHIR_SNIFF_MORE);
    }
    apr_pool_destroy(pool);
    return 0;
}
