/* The Authorization header: Bearer (RFC 6750) and Basic (RFC 7617). */
#include "../base/text.h"
#include "auth.h"

#include <string.h>
#include <strings.h>

#define BASIC_TEXT_MAX 4096

static fhir_error_t *unusable(apr_pool_t *pool, const char *what_to_do)
{
    return fhir_error_public(pool, FHIR_ERROR_UNAUTHENTICATED, "The Authorization header is not usable: %s",
                             what_to_do);
}

/* The text after `scheme` and its blanks; NULL if the header has another scheme. */
static const char *after_scheme(const char *authorization, const char *scheme)
{
    apr_size_t length = strlen(scheme);
    if (strncasecmp(authorization, scheme, length) != 0 || authorization[length] != ' ') {
        return NULL;
    }
    authorization += length;
    return authorization + strspn(authorization, " ");
}

/* RFC 6750 section 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static int is_b64token(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    apr_size_t length = strspn(text, letters);
    return length > 0 && text[length + strspn(text + length, "=")] == '\0';
}

static int has_control_character(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F) {
            return 1;
        }
    }
    return 0;
}

static fhir_error_t *parse_basic(fhir_credentials_t *credentials, const char *encoded, apr_pool_t *pool)
{
    apr_size_t length = 0;
    const unsigned char *decoded =
        strlen(encoded) <= BASIC_TEXT_MAX ? fhir_base64_decode(&length, encoded, pool) : NULL;
    char *text;
    char *colon;
    if (!decoded || !fhir_utf8_valid((const char *)decoded, length)) {
        return unusable(pool, "after Basic comes the base64 of client id, colon and secret.");
    }
    text = apr_pstrmemdup(pool, (const char *)decoded, length);
    colon = strchr(text, ':');
    if (!colon || colon == text || colon[1] == '\0' || has_control_character(text)) {
        return unusable(pool, "after Basic comes the base64 of client id, colon and secret, both not empty.");
    }
    *colon = '\0';
    credentials->kind = FHIR_CREDENTIALS_BASIC;
    credentials->user = text;
    credentials->password = colon + 1;
    return NULL;
}

fhir_error_t *fhir_credentials_parse(fhir_credentials_t *credentials, const char *authorization, apr_pool_t *pool)
{
    const char *rest;
    memset(credentials, 0, sizeof(*credentials));
    if (!authorization) {
        return NULL;
    }
    rest = after_scheme(authorization, "Basic");
    if (rest) {
        return parse_basic(credentials, rest, pool);
    }
    rest = after_scheme(authorization, "Bearer");
    if (!rest) {
        return unusable(pool, "send Bearer with an access token, or Basic with client id and secret.");
    }
    if (!is_b64token(rest)) {
        return unusable(pool, "after Bearer comes one access token.");
    }
    credentials->kind = FHIR_CREDENTIALS_BEARER;
    credentials->token = apr_pstrdup(pool, rest);
    return NULL;
}
