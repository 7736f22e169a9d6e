/* Streaming base64: any split gives the same, and what was decoded encodes to the text without white space. */
#include "core/base/text.h"
#include "core/fhir/base64_stream.h"
#include "fuzz.h"

static fhir_error_t *sink(void *baton, const char *data, apr_size_t length)
{
    fhir_text_add_bytes(baton, data, length);
    return NULL;
}

static fhir_error_t *decode(fhir_text_t *out, const char *text, size_t size, size_t split, apr_pool_t *pool)
{
    fhir_base64_decoder_t decoder;
    fhir_text_init(out, pool);
    fhir_base64_decoder_init(&decoder, sink, out, pool);
    FHIR_TRY(fhir_base64_decoder_feed(&decoder, text, split));
    FHIR_TRY(fhir_base64_decoder_feed(&decoder, text + split, size - split));
    return fhir_base64_decoder_finish(&decoder);
}

static void check_encoder(const fhir_text_t *bytes, const char *text, size_t size, apr_pool_t *pool)
{
    fhir_base64_encoder_t encoder = {{0}, 0};
    char *encoded = malloc(4 * (bytes->length / 3 + 4));
    fhir_text_t plain;
    size_t half = bytes->length / 2;
    apr_size_t used;
    size_t i;
    FUZZ_CHECK(encoded != NULL);
    fhir_text_init(&plain, pool);
    for (i = 0; i < size; i++) {
        if (!strchr(" \t\r\n", text[i])) {
            fhir_text_add_bytes(&plain, text + i, 1);
        }
    }
    used = fhir_base64_encoder_feed(&encoder, encoded, bytes->text, half);
    used += fhir_base64_encoder_feed(&encoder, encoded + used, bytes->text + half, bytes->length - half);
    used += fhir_base64_encoder_finish(&encoder, encoded + used);
    FUZZ_CHECK(used == plain.length && !memcmp(encoded, plain.text, used));
    FUZZ_CHECK((apr_off_t)used == fhir_base64_length((apr_off_t)bytes->length));
    free(encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    const char *text = (const char *)data;
    fhir_text_t whole_bytes;
    fhir_text_t bytes;
    fhir_error_t *whole = decode(&whole_bytes, text, size, 0, pool);
    fhir_error_t *split = decode(&bytes, text, size, size / 3, pool);
    FUZZ_CHECK(!whole == !split);
    if (whole) {
        FUZZ_CHECK(!strcmp(whole->public_text, split->public_text));
    } else {
        FUZZ_CHECK(bytes.length == whole_bytes.length && !memcmp(bytes.text, whole_bytes.text, bytes.length));
        check_encoder(&bytes, text, size, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
