/* PostgreSQL connection strings, as far as a configuration test needs them: are they well formed, and is a password in
 * them? libpq itself is only seen by core/meta. */
#include "directives.h"

#include <apr_lib.h>
#include <string.h>
#include <strings.h>

static fhir_error_t *malformed(const char *reason, apr_pool_t *pool)
{
    return fhir_error_public(
        pool, FHIR_ERROR_INVALID,
        "the connection string %s. Write for example \"host=/var/run/postgresql dbname=fhir_binary "
        "user=www-data\" or \"postgresql://www-data@db.example.org/fhir_binary\".",
        reason);
}

static int is_password_key(const char *key, size_t length)
{
    return (length == 8 && strncasecmp(key, "password", 8) == 0) ||
           (length == 11 && strncasecmp(key, "sslpassword", 11) == 0);
}

/* postgresql://user:password@host/db?password=... */
static int uri_has_password(const char *uri)
{
    const char *authority = strstr(uri, "://") + 3;
    size_t length = strcspn(authority, "/?#");
    const char *at = memchr(authority, '@', length);
    const char *query = strchr(uri, '?');
    if (at && memchr(authority, ':', (size_t)(at - authority))) {
        return 1;
    }
    while (query) {
        query++;
        if (is_password_key(query, strcspn(query, "=&"))) {
            return 1;
        }
        query = strchr(query, '&');
    }
    return 0;
}

static const char *skip_blanks(const char *text)
{
    while (apr_isspace(*text)) {
        text++;
    }
    return text;
}

/* Past a value, quoted or not; NULL if its quote is not closed. */
static const char *skip_value(const char *text)
{
    int quoted = *text == '\'';
    text += quoted;
    for (; *text; text++) {
        if (*text == '\\' && text[1]) {
            text++;
        } else if (quoted ? *text == '\'' : apr_isspace(*text)) {
            return text + quoted;
        }
    }
    return quoted ? NULL : text;
}

static fhir_error_t *check_pairs(int *has_password, const char *text, apr_pool_t *pool)
{
    for (text = skip_blanks(text); *text; text = skip_blanks(text)) {
        const char *key = text;
        size_t length = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
        text = skip_blanks(key + length);
        if (length == 0 || *text != '=') {
            return malformed("is not a row of key=value pairs", pool);
        }
        *has_password |= is_password_key(key, length);
        text = skip_value(skip_blanks(text + 1));
        if (!text) {
            return malformed("has a quote that is not closed", pool);
        }
    }
    return NULL;
}

fhir_error_t *fhir_conninfo_check(int *has_password, const char *conninfo, apr_pool_t *pool)
{
    *has_password = 0;
    if (!*skip_blanks(conninfo)) {
        return malformed("is empty", pool);
    }
    if (strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0) {
        *has_password = uri_has_password(conninfo);
        return NULL;
    }
    return check_pairs(has_password, conninfo, pool);
}
