/* Decodes a Binary in one piece and in two: the outcome must be the same. What was accepted must render, and what was
 * rendered must decode to the same again, in both formats. */
#ifndef FHIR_TESTS_FUZZ_BINARY_H
#define FHIR_TESTS_FUZZ_BINARY_H

#include "core/base/text.h"
#include "core/fhir/binary_form.h"
#include "fuzz.h"

#include <jansson.h>

typedef struct fuzz_binary_t {
    fhir_error_t *error;
    const fhir_binary_resource_t *resource;
    fhir_text_t data;
} fuzz_binary_t;

static fhir_error_t *fuzz_sink(void *baton, const char *data, apr_size_t length)
{
    fhir_text_add_bytes(baton, data, length);
    return NULL;
}

static fuzz_binary_t fuzz_decode(fhir_format_t format, const char *text, size_t size, size_t split, apr_pool_t *pool)
{
    fuzz_binary_t decoded;
    fhir_binary_decoder_t *decoder = NULL;
    memset(&decoded, 0, sizeof(decoded));
    fhir_text_init(&decoded.data, pool);
    decoded.error = fhir_binary_decoder_create(&decoder, format, fuzz_sink, &decoded.data, pool);
    if (!decoded.error) {
        decoded.error = fhir_binary_decoder_feed(decoder, text, split);
    }
    if (!decoded.error) {
        decoded.error = fhir_binary_decoder_feed(decoder, text + split, size - split);
    }
    if (!decoded.error) {
        decoded.error = fhir_binary_decoder_finish(&decoded.resource, decoder);
    }
    return decoded;
}

static int fuzz_same(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

static void fuzz_check_same(const fuzz_binary_t *one, const fuzz_binary_t *other)
{
    FUZZ_CHECK(!one->error == !other->error);
    if (one->error) {
        FUZZ_CHECK(one->error->code == other->error->code);
        FUZZ_CHECK(!strcmp(one->error->public_text, other->error->public_text));
        FUZZ_CHECK(fhir_utf8_valid(one->error->public_text, strlen(one->error->public_text)));
        return;
    }
    FUZZ_CHECK(fuzz_same(one->resource->content_type, other->resource->content_type));
    FUZZ_CHECK(fuzz_same(one->resource->security_context, other->resource->security_context));
    FUZZ_CHECK(one->resource->has_data == other->resource->has_data);
    FUZZ_CHECK(one->data.length == other->data.length);
    FUZZ_CHECK(!memcmp(one->data.text, other->data.text, one->data.length));
}

static void fuzz_check_elements(const char *one, const char *other)
{
    json_error_t error;
    json_t *first = one ? json_loads(one, JSON_REJECT_DUPLICATES, &error) : NULL;
    json_t *second = other ? json_loads(other, JSON_REJECT_DUPLICATES, &error) : NULL;
    /* jansson alone has limits for numbers: what it can't read is not compared. */
    FUZZ_CHECK(!one == !other);
    FUZZ_CHECK(!first || !second || json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

static void fuzz_round_trip(const fuzz_binary_t *decoded, fhir_format_t format, apr_pool_t *pool)
{
    fhir_binary_t binary;
    fhir_binary_render_t how;
    fuzz_binary_t again;
    const char *prefix = NULL;
    const char *suffix = NULL;
    const char *data = fhir_base64_encode(decoded->data.text, decoded->data.length, pool);
    const char *text;
    memset(&binary, 0, sizeof(binary));
    memset(&how, 0, sizeof(how));
    binary.id = decoded->resource->id ? decoded->resource->id : "b";
    binary.version_id = "v";
    binary.change = FHIR_CHANGE_CREATE;
    binary.content_type = decoded->resource->content_type;
    binary.security_context = decoded->resource->security_context;
    binary.elements = decoded->resource->elements;
    how.format = format;
    how.with_data = decoded->resource->has_data;
    how.subsetted = 1;
    FUZZ_CHECK(!fhir_binary_render(&prefix, &suffix, &binary, &how, pool));
    text = apr_pstrcat(pool, prefix, how.with_data ? data : "", suffix, NULL);
    again = fuzz_decode(format, text, strlen(text), 0, pool);
    if (again.error && again.error->code == FHIR_ERROR_TOO_LARGE) {
        return; /* what the server adds and escapes may pass the bound */
    }
    FUZZ_CHECK(!again.error);
    fuzz_check_same(decoded, &again);
    fuzz_check_elements(decoded->resource->elements, again.resource->elements);
}

static void fuzz_binary(fhir_format_t format, const uint8_t *bytes, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    const char *text = (const char *)bytes;
    fuzz_binary_t whole = fuzz_decode(format, text, size, size, pool);
    fuzz_binary_t halves = fuzz_decode(format, text, size, size / 2, pool);
    fuzz_binary_t thirds = fuzz_decode(format, text, size, size / 3, pool);
    fuzz_check_same(&whole, &halves);
    fuzz_check_same(&whole, &thirds);
    if (!whole.error) {
        fuzz_round_trip(&whole, FHIR_FORMAT_JSON, pool);
        fuzz_round_trip(&whole, FHIR_FORMAT_XML, pool);
    }
    apr_pool_destroy(pool);
}

#endif
