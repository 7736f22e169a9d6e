/* Audit events as plain data: their fields, ids, bounds and copies. */
#include "audit_event.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FHIR_AUDIT_FIELD(kind, member, sql_type)                                                                       \
    {FHIR_AUDIT_FIELD_##kind, #member, offsetof(fhir_audit_event_t, member)},
const fhir_audit_field_t fhir_audit_fields[] = {
#include "audit_event.def"
    {0, NULL, 0}};
#undef FHIR_AUDIT_FIELD

_Static_assert(sizeof(fhir_audit_fields) / sizeof(fhir_audit_fields[0]) == FHIR_AUDIT_FIELD_COUNT + 1,
               "FHIR_AUDIT_FIELD_COUNT is the number of rows of audit_event.def");

static const void *member_of(const fhir_audit_event_t *event, const fhir_audit_field_t *field)
{
    return (const char *)event + field->offset;
}

static int is_text(const fhir_audit_field_t *field)
{
    return field->kind == FHIR_AUDIT_FIELD_TEXT || field->kind == FHIR_AUDIT_FIELD_UUID;
}

const char *fhir_audit_text(const fhir_audit_event_t *event, const fhir_audit_field_t *field)
{
    return is_text(field) ? *(const char *const *)member_of(event, field) : NULL;
}

apr_int64_t fhir_audit_number(const fhir_audit_event_t *event, const fhir_audit_field_t *field)
{
    return is_text(field) ? 0 : *(const apr_int64_t *)member_of(event, field);
}

static const char **text_member(fhir_audit_event_t *event, const fhir_audit_field_t *field)
{
    return (const char **)(void *)((char *)event + field->offset);
}

/* ---- ids ---- */

fhir_error_t *fhir_audit_event_id(const char **id, apr_time_t recorded, apr_pool_t *pool)
{
    unsigned char bytes[16];
    apr_uint64_t milliseconds = (apr_uint64_t)apr_time_as_msec(recorded);
    const char *hex;
    int i;
    FHIR_TRY(fhir_random_bytes(bytes, sizeof(bytes), pool));
    for (i = 0; i < 6; i++) {
        bytes[i] = (unsigned char)(milliseconds >> (8 * (5 - i)));
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x70);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    hex = fhir_hex_encode(bytes, sizeof(bytes), pool);
    *id = apr_psprintf(pool, "%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    return NULL;
}

int fhir_audit_event_time(apr_time_t *low, apr_time_t *high, const char *id)
{
    unsigned char bytes[6];
    char hex[13];
    apr_time_t milliseconds = 0;
    int i;
    if (!fhir_is_uuid(id) || id[14] != '7') {
        return 0;
    }
    memcpy(hex, id, 8);
    memcpy(hex + 8, id + 9, 4);
    hex[12] = '\0';
    if (!fhir_hex_decode(bytes, sizeof(bytes), hex)) {
        return 0;
    }
    for (i = 0; i < 6; i++) {
        milliseconds = milliseconds << 8 | bytes[i];
    }
    *low = milliseconds * 1000;
    *high = *low + 999;
    return 1;
}

/* ---- bounds ---- */

/* At a character's end. */
static apr_size_t cut_at(const char *text, apr_size_t length)
{
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
        length--;
    }
    return length;
}

static const char *clean_text(const char *text, apr_pool_t *pool)
{
    apr_size_t length = strnlen(text, FHIR_AUDIT_TEXT_MAX + 1);
    int too_long = length > FHIR_AUDIT_TEXT_MAX;
    char *copy;
    char *at;
    if (too_long) {
        length = cut_at(text, FHIR_AUDIT_TEXT_MAX);
    }
    if (fhir_utf8_valid(text, length)) {
        return too_long ? apr_pstrmemdup(pool, text, length) : text;
    }
    copy = apr_pstrmemdup(pool, text, length);
    for (at = copy; *at; at++) {
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    }
    return copy;
}

/* The form that the database gives back: else the hash would not be found again. */
static const char *clean_uuid(const char *text, apr_pool_t *pool)
{
    char *copy;
    char *at;
    if (!fhir_is_uuid(text)) {
        return NULL;
    }
    copy = apr_pstrdup(pool, text);
    for (at = copy; *at; at++) {
        *at = *at >= 'A' && *at <= 'F' ? (char)(*at + ('a' - 'A')) : *at;
    }
    return copy;
}

void fhir_audit_event_clean(fhir_audit_event_t *event, apr_pool_t *pool)
{
    const fhir_audit_field_t *field;
    for (field = fhir_audit_fields; field->name; field++) {
        const char **text = is_text(field) ? text_member(event, field) : NULL;
        if (text && *text) {
            *text = field->kind == FHIR_AUDIT_FIELD_UUID ? clean_uuid(*text, pool) : clean_text(*text, pool);
        }
    }
}

/* ---- copies ---- */

fhir_audit_event_t *fhir_audit_event_copy(const fhir_audit_event_t *event)
{
    const fhir_audit_field_t *field;
    apr_size_t size = sizeof(*event);
    fhir_audit_event_t *copy;
    char *next;
    for (field = fhir_audit_fields; field->name; field++) {
        const char *text = fhir_audit_text(event, field);
        size += text ? strlen(text) + 1 : 0;
    }
    copy = malloc(size);
    if (!copy) {
        return NULL;
    }
    *copy = *event;
    next = (char *)(copy + 1);
    for (field = fhir_audit_fields; field->name; field++) {
        const char *text = fhir_audit_text(event, field);
        if (text) {
            apr_size_t length = strlen(text) + 1;
            memcpy(next, text, length);
            *text_member(copy, field) = next;
            next += length;
        }
    }
    return copy;
}
