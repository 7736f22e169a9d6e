/* Ids and literal references of FHIR R4. */
#include "binary.h"

#include "../base/text.h"

#include <string.h>
#include <strings.h>

static int is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static int id_valid(const char *id, apr_size_t length)
{
    apr_size_t i;
    for (i = 0; i < length; i++) {
        if (!is_id_character(id[i])) {
            return 0;
        }
    }
    return length >= 1 && length <= FHIR_ID_MAX;
}

int fhir_id_valid(const char *id)
{
    return id && id_valid(id, strlen(id));
}

static int type_known(const char *name, apr_size_t length)
{
    char type[64];
    if (length >= sizeof(type)) {
        return 0;
    }
    memcpy(type, name, length);
    type[length] = '\0';
    return fhir_resource_type_known(type);
}

/* Where the last but `back` segment of a path begins. */
static const char *segment_from_end(const char *text, int back)
{
    const char *at = text + strlen(text);
    while (at > text) {
        if (at[-1] == '/' && back-- == 0) {
            return at;
        }
        at--;
    }
    return text;
}

/* `Type/id` and nothing else. */
static int is_type_and_id(const char *text, apr_size_t length)
{
    const char *slash = memchr(text, '/', length);
    apr_size_t type_length = slash ? (apr_size_t)(slash - text) : 0;
    return slash && type_known(text, type_length) && id_valid(slash + 1, length - type_length - 1);
}

/* The `Type/id[/_history/vid]` at the end of a reference; NULL if there is none. */
static const char *literal_part(const char *reference)
{
    static const char HISTORY[] = "/_history/";
    const char *history = strstr(reference, HISTORY);
    const char *start;
    apr_size_t length = strlen(reference);
    if (history) {
        const char *version = history + sizeof(HISTORY) - 1;
        if (!fhir_id_valid(version)) {
            return NULL;
        }
        length = (apr_size_t)(history - reference);
        start = segment_from_end(reference, 3);
    } else {
        start = segment_from_end(reference, 1);
    }
    if (start >= reference + length || !is_type_and_id(start, length - (apr_size_t)(start - reference))) {
        return NULL;
    }
    return start;
}

/* http://host/path/ up to `end`: a host, and only characters that FHIR allows in a base. */
static int is_base_url(const char *text, const char *end)
{
    const char *host = strchr(text, ':') + 3;
    const char *at;
    if (host >= end || *host == '/' || end[-1] != '/') {
        return 0;
    }
    for (at = host; at < end; at++) {
        if (!is_id_character(*at) && !strchr("_~:%$@+[]/", *at)) {
            return 0;
        }
    }
    return 1;
}

static int is_oid(const char *text)
{
    const char *at = text + 1;
    if (*text < '0' || *text > '2') {
        return 0;
    }
    while (*at == '.') {
        apr_size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0 || (digits > 1 && at[1] == '0')) {
            return 0;
        }
        at += 1 + digits;
    }
    return *at == '\0' && at > text + 1;
}

fhir_error_t *fhir_reference_check(const char *reference, apr_pool_t *pool)
{
    int valid = 0;
    if (reference && !strncmp(reference, "urn:uuid:", 9)) {
        valid = fhir_is_uuid(reference + 9);
    } else if (reference && !strncmp(reference, "urn:oid:", 8)) {
        valid = is_oid(reference + 8);
    } else if (reference) {
        int absolute = !strncasecmp(reference, "http://", 7) || !strncasecmp(reference, "https://", 8);
        const char *literal = literal_part(reference);
        valid = literal && (absolute ? is_base_url(reference, literal) : literal == reference);
    }
    if (valid) {
        return NULL;
    }
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_SUCCESS,
                             "The reference is not valid; write Type/id with an R4 resource type, for example "
                             "Patient/123, or an absolute URL that ends so.",
                             NULL);
}
