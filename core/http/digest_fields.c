/* The digests that a client announces for its body (RFC 1864, RFC 3230, RFC 9530). */
#include "../base/text.h"
#include "field_syntax.h"
#include "fields.h"

#include <string.h>

typedef struct collector_t {
    fhir_expected_digest_t *expected;
    int count;
    apr_pool_t *pool;
} collector_t;

static const struct {
    const char *name;
    fhir_digest_kind_t kind;
    apr_size_t length;
} algorithms[] = {
    {"sha-256", FHIR_DIGEST_SHA256, 32}, {"sha-512", FHIR_DIGEST_SHA512, 64}, {"sha", FHIR_DIGEST_SHA1, 20},
    {"sha-1", FHIR_DIGEST_SHA1, 20},     {"md5", FHIR_DIGEST_MD5, 16},
};
#define ALGORITHM_COUNT ((int)(sizeof(algorithms) / sizeof(algorithms[0])))

static fhir_error_t *malformed(const char *field, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "%s is malformed. Write the digest in base64 as the field's specification says, or leave "
                             "the field out.",
                             field);
}

static fhir_error_t *mismatch(const char *field, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "The body does not have the digest that %s announces. Nothing was stored. Send it again.",
                             field);
}

/* -1 for an algorithm that we don't know. */
static int algorithm(const char *name, apr_size_t length)
{
    int i;
    for (i = 0; i < ALGORITHM_COUNT; i++) {
        if (fhir_is_name(name, length, algorithms[i].name)) {
            return i;
        }
    }
    return -1;
}

/* The same digest in two fields counts once; two different ones can't both be right. So there never are more than
 * there are algorithms. */
static fhir_error_t *expect(collector_t *collector, const char *field, int which, const char *base64)
{
    fhir_expected_digest_t *entry;
    apr_size_t length = 0;
    const unsigned char *value = fhir_base64_decode(&length, base64, collector->pool);
    int i;
    if (!value || length != algorithms[which].length) {
        return malformed(field, collector->pool);
    }
    for (i = 0; i < collector->count; i++) {
        entry = &collector->expected[i];
        if (entry->kind == algorithms[which].kind) {
            return memcmp(entry->value, value, length) == 0 ? NULL : mismatch(field, collector->pool);
        }
    }
    if (collector->count == FHIR_EXPECTED_DIGEST_MAX) {
        return malformed(field, collector->pool);
    }
    entry = &collector->expected[collector->count++];
    entry->kind = algorithms[which].kind;
    entry->field = field;
    entry->length = length;
    entry->value = value;
    return NULL;
}

/* `algorithm=value` of Digest, or of a structured dictionary where the value stands between colons. */
static fhir_error_t *add_element(collector_t *collector, const char *field, const char *element, int structured)
{
    apr_size_t name_length = fhir_token_length(element);
    const char *value = element + name_length;
    const char *end;
    int which = algorithm(element, name_length);
    if (name_length == 0 || (*value != '=' && which >= 0)) {
        return malformed(field, collector->pool);
    }
    if (which < 0) {
        return NULL;
    }
    value++;
    if (!structured) {
        return expect(collector, field, which, value);
    }
    end = *value == ':' ? strchr(value + 1, ':') : NULL;
    if (!end || (*fhir_skip_blanks(end + 1) != '\0' && *fhir_skip_blanks(end + 1) != ';')) {
        return malformed(field, collector->pool);
    }
    return expect(collector, field, which, apr_pstrmemdup(collector->pool, value + 1, (apr_size_t)(end - value - 1)));
}

static fhir_error_t *add_list(collector_t *collector, const char *field, const char *text, int structured)
{
    const char *at = text ? text : "";
    while (*at) {
        const char *end = fhir_element_end(at);
        const char *element = fhir_trimmed(at, (apr_size_t)(end - at), collector->pool);
        if (*element) {
            FHIR_TRY(add_element(collector, field, element, structured));
        }
        at = *end ? end + 1 : end;
    }
    return NULL;
}

fhir_error_t *fhir_expected_digests(fhir_expected_digest_t expected[FHIR_EXPECTED_DIGEST_MAX], int *count,
                                    const fhir_request_t *request)
{
    collector_t collector = {expected, 0, request->pool};
    const char *md5 = fhir_request_header(request, "Content-MD5");
    *count = 0;
    if (md5) {
        md5 = fhir_trimmed(md5, strlen(md5), request->pool);
        FHIR_TRY(expect(&collector, "Content-MD5", algorithm("md5", 3), md5));
    }
    FHIR_TRY(add_list(&collector, "Digest", fhir_request_header(request, "Digest"), 0));
    FHIR_TRY(add_list(&collector, "Content-Digest", fhir_request_header(request, "Content-Digest"), 1));
    FHIR_TRY(add_list(&collector, "Repr-Digest", fhir_request_header(request, "Repr-Digest"), 1));
    *count = collector.count;
    return NULL;
}

fhir_error_t *fhir_body_expecting(fhir_body_t **body, fhir_digest_t **digest, const fhir_expected_digest_t *expected,
                                  int count, apr_pool_t *pool)
{
    unsigned kinds = 0;
    int i;
    *digest = NULL;
    for (i = 0; i < count; i++) {
        kinds |= (unsigned)expected[i].kind;
    }
    if (kinds) {
        FHIR_TRY(fhir_digest_create(digest, kinds, pool));
        *body = fhir_body_digested(*body, *digest, pool);
    }
    return NULL;
}

fhir_error_t *fhir_check_digests(const fhir_expected_digest_t *expected, int count, const fhir_digest_t *digest,
                                 apr_pool_t *pool)
{
    int i;
    for (i = 0; i < count; i++) {
        apr_size_t length = 0;
        const unsigned char *value = fhir_digest_value(digest, expected[i].kind, &length);
        if (!value || length != expected[i].length) {
            return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The body's digest can't be verified.",
                                     "the digest that %s needs was not computed", expected[i].field);
        }
        if (memcmp(value, expected[i].value, length) != 0) {
            return mismatch(expected[i].field, pool);
        }
    }
    return NULL;
}

const char *fhir_repr_digest(const unsigned char sha256[FHIR_SHA256_LENGTH], apr_pool_t *pool)
{
    return apr_pstrcat(pool, "sha-256=:", fhir_base64_encode(sha256, FHIR_SHA256_LENGTH, pool), ":", NULL);
}
