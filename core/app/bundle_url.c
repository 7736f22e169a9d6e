/* The addresses of Bundle entries. */
#include "../base/text.h"
#include "bundle_entry.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#define URL_MAX ((apr_size_t)65536)

static fhir_error_t *malformed(apr_pool_t *pool, const char *why)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "The url of a Bundle entry is the address below the FHIR base, such as Patient/1 or "
                             "Patient?name=Simpson; this one %s.",
                             why);
}

/* What follows `base`, which ends with '/', in `url`; NULL if that lies elsewhere. */
static const char *after(const char *url, const char *base)
{
    size_t length = strlen(base) - 1;
    if (strncmp(url, base, length) != 0) {
        return NULL;
    }
    return url[length] == '/' ? url + length + 1 : strchr("?#", url[length]) ? url + length : NULL;
}

/* What follows the FHIR base; NULL if the address is another server's. */
static const char *below_base(const char *url, const fhir_settings_t *settings, const char *base_path)
{
    const char *rest;
    if (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0) {
        return after(url, settings->fhir_base);
    }
    rest = after(url, base_path);
    return rest ? rest : url + (*url == '/');
}

/* Once decoded, the path must still be what its segments say. */
static int plain(unsigned char byte, int escaped)
{
    return byte >= 0x20 && byte != 0x7F && byte != '\\' && !(escaped && (byte == '/' || byte == '%'));
}

static const char *decode(const char *sent, apr_size_t length, apr_pool_t *pool)
{
    char *path = apr_palloc(pool, length + 1);
    char *to = path;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)sent[i];
        int escaped = byte == '%';
        if (escaped) {
            char digits[3] = {0};
            if (length - i < 3) {
                return NULL;
            }
            memcpy(digits, sent + i + 1, 2);
            if (!fhir_hex_decode(&byte, 1, digits)) {
                return NULL;
            }
            i += 2;
        }
        if (!plain(byte, escaped)) {
            return NULL;
        }
        *to++ = (char)byte;
    }
    *to = '\0';
    return fhir_utf8_valid(path, (apr_size_t)(to - path)) ? path : NULL;
}

/* No `.`, no `..`, no empty segment but behind a slash at the end. */
static int segments_ok(const char *path)
{
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 0 || (length == 1 && *path == '.') || (length == 2 && memcmp(path, "..", 2) == 0)) {
            return 0;
        }
        path += length + (path[length] ? 1 : 0);
    }
    return 1;
}

fhir_error_t *fhir_bundle_url(const char **path, const char **query, const char *url, const fhir_settings_t *settings,
                              apr_pool_t *pool)
{
    /* fhir_base is base_url and a rest, base_path the path of base_url. */
    const char *base_path =
        apr_pstrcat(pool, settings->base_path, settings->fhir_base + strlen(settings->base_url), NULL);
    const char *rest = below_base(url, settings, base_path);
    const char *decoded;
    size_t length;
    if (!rest) {
        return malformed(pool, "leads to another server");
    }
    if (strlen(url) > URL_MAX) {
        return malformed(pool, "is too long");
    }
    if (strchr(rest, '#')) {
        return malformed(pool, "has a fragment");
    }
    length = strcspn(rest, "?");
    decoded = decode(rest, length, pool);
    if (!decoded || !segments_ok(decoded)) {
        return malformed(pool, "has characters or segments that no address here has");
    }
    *path = apr_pstrcat(pool, base_path, decoded, NULL);
    *query = rest[length] == '?' ? rest + length + 1 : NULL;
    return NULL;
}
