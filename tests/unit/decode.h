/* Decodes a Binary from text that is fed in any pieces, for the unit tests of the decoders. */
#ifndef FHIR_TESTS_UNIT_DECODE_H
#define FHIR_TESTS_UNIT_DECODE_H

#include "core/base/text.h"
#include "core/fhir/binary_form.h"
#include "unit.h"

typedef struct decoded_t {
    fhir_error_t *error;
    const fhir_binary_resource_t *resource;
    fhir_text_t data;
} decoded_t;

static inline fhir_error_t *decode_sink(void *baton, const char *data, apr_size_t length)
{
    fhir_text_add_bytes(baton, data, length);
    return NULL;
}

/* Feeds [0, split) and [split, length); piece > 0: pieces of that many bytes instead. */
static inline decoded_t decode_pieces(fhir_format_t format, const char *text, apr_size_t length, apr_size_t split,
                                      apr_size_t piece)
{
    decoded_t decoded;
    fhir_binary_decoder_t *decoder = NULL;
    apr_size_t at = 0;
    memset(&decoded, 0, sizeof(decoded));
    fhir_text_init(&decoded.data, pool);
    decoded.error = fhir_binary_decoder_create(&decoder, format, decode_sink, &decoded.data, pool);
    while (!decoded.error && at < length) {
        apr_size_t end = piece ? at + piece : at < split ? split : length;
        /* A copy of the exact size, so that a sanitizer sees any read past the end. */
        char *copy;
        end = end > length ? length : end;
        copy = malloc(end - at);
        memcpy(copy, text + at, end - at);
        decoded.error = fhir_binary_decoder_feed(decoder, copy, end - at);
        free(copy);
        at = end;
    }
    if (!decoded.error) {
        decoded.error = fhir_binary_decoder_finish(&decoded.resource, decoder);
    }
    return decoded;
}

static inline decoded_t decode(fhir_format_t format, const char *text)
{
    return decode_pieces(format, text, strlen(text), 0, 0);
}

static inline int same_string(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

static inline const char *shown(const char *text)
{
    return text ? text : "(none)";
}

static inline int same_decoded(const decoded_t *one, const decoded_t *other)
{
    if (one->error || other->error) {
        return one->error && other->error && one->error->code == other->error->code &&
               same_string(one->error->public_text, other->error->public_text) &&
               same_string(one->error->expression, other->error->expression);
    }
    return same_string(one->resource->id, other->resource->id) &&
           same_string(one->resource->content_type, other->resource->content_type) &&
           same_string(one->resource->security_context, other->resource->security_context) &&
           same_string(one->resource->elements, other->resource->elements) &&
           one->resource->has_data == other->resource->has_data && one->data.length == other->data.length &&
           !memcmp(one->data.text, other->data.text, one->data.length);
}

/* The outcome must not depend on how the bytes arrive. Returns it. */
static inline decoded_t decode_every_way(fhir_format_t format, const char *text, apr_size_t length)
{
    decoded_t whole = decode_pieces(format, text, length, 0, 0);
    decoded_t other = decode_pieces(format, text, length, 0, 1);
    apr_size_t split;
    CU_ASSERT(same_decoded(&whole, &other));
    for (split = 1; split < length && length < 2000; split++) {
        other = decode_pieces(format, text, length, split, 0);
        CU_ASSERT(same_decoded(&whole, &other));
        if (!same_decoded(&whole, &other)) {
            printf("split at %d of: %s\n", (int)split, text);
            break;
        }
    }
    return whole;
}

/* INVALID with this expression (NULL: none) and this part of the sentence. */
static inline void refuse_every_way(fhir_format_t format, const char *text, const char *expression, const char *part)
{
    decoded_t decoded = decode_every_way(format, text, strlen(text));
    int right = decoded.error && decoded.error->code == FHIR_ERROR_INVALID &&
                same_string(decoded.error->expression, expression) && strstr(decoded.error->public_text, part);
    CU_ASSERT(right);
    if (!right) {
        printf("%s\n  -> %s (%s), wanted %s (%s)\n", text, decoded.error ? decoded.error->public_text : "accepted",
               shown(decoded.error ? decoded.error->expression : NULL), part, shown(expression));
    }
}

static inline void accept_every_way(fhir_format_t format, const char *text, const char *elements, const char *data)
{
    decoded_t decoded = decode_every_way(format, text, strlen(text));
    FHIR_ASSERT_OK(decoded.error);
    if (!decoded.error) {
        int right = same_string(decoded.resource->elements, elements) && !strcmp(decoded.data.text, data);
        CU_ASSERT(right);
        if (!right) {
            printf("%s\n  -> %s\n  != %s\n  data %s\n", text, shown(decoded.resource->elements), shown(elements),
                   decoded.data.text);
        }
    }
}

#endif
