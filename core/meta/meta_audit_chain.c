/* The hash of an audit event: over the event before and its own fields in a form that has one reading only. */
#include "audit.h"

#include <string.h>

#define NULL_LENGTH 0xffffffffU

static void add_length(fhir_text_t *form, apr_uint32_t length)
{
    char bytes[4] = {(char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length};
    fhir_text_add_bytes(form, bytes, sizeof(bytes));
}

static void add_number(fhir_text_t *form, apr_int64_t number)
{
    apr_uint64_t rest = (apr_uint64_t)number;
    char bytes[8];
    for (int i = 7; i >= 0; i--) {
        bytes[i] = (char)(rest & 0xff);
        rest >>= 8;
    }
    add_length(form, sizeof(bytes));
    fhir_text_add_bytes(form, bytes, sizeof(bytes));
}

static void add_text(fhir_text_t *form, const char *text)
{
    apr_size_t length = text ? strlen(text) : 0;
    add_length(form, text ? (apr_uint32_t)length : NULL_LENGTH);
    fhir_text_add_bytes(form, text ? text : "", length);
}

fhir_error_t *fhir_audit_chain(unsigned char hash[FHIR_SHA256_LENGTH], const unsigned char previous[FHIR_SHA256_LENGTH],
                               const fhir_audit_event_t *event, apr_pool_t *pool)
{
    fhir_text_t form;
    fhir_digest_t *digest;
    const unsigned char *value;
    apr_size_t length;
    fhir_text_init(&form, pool);
    fhir_text_add_bytes(&form, (const char *)previous, FHIR_SHA256_LENGTH);
    add_number(&form, event->sequence);
    for (const fhir_audit_field_t *field = fhir_audit_fields; field->name; field++) {
        if (field->kind == FHIR_AUDIT_FIELD_TEXT || field->kind == FHIR_AUDIT_FIELD_UUID) {
            add_text(&form, fhir_audit_text(event, field));
        } else {
            add_number(&form, fhir_audit_number(event, field));
        }
    }
    FHIR_TRY(fhir_digest_create(&digest, FHIR_DIGEST_SHA256, pool));
    fhir_digest_update(digest, form.text, form.length);
    fhir_digest_finish(digest);
    value = fhir_digest_value(digest, FHIR_DIGEST_SHA256, &length);
    if (!value) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The server could not compute a checksum.",
                                 "no SHA-256 of an audit event");
    }
    memcpy(hash, value, FHIR_SHA256_LENGTH);
    return NULL;
}
