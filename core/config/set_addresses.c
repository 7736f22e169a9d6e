/* FhirBinaryBaseURL and FhirBinaryStorageBaseURL. */
#include "directives.h"

#include <apr_lib.h>
#include <apr_uri.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define EXAMPLE "https://fhir.example.org/"

int fhir_is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* Unreserved characters only: httpd compares decoded paths, so that an escape here would never match. */
static int is_plain_path(const char *path)
{
    size_t length;
    for (length = 0; path[length]; length++) {
        if (!apr_isalnum(path[length]) && !strchr("-._~/", path[length])) {
            return 0;
        }
    }
    for (; (path = strchr(path, '/')) != NULL && path[1]; path++) {
        length = strcspn(path + 1, "/");
        if (length == 0 || (length == 1 && path[1] == '.') || (length == 2 && path[1] == '.' && path[2] == '.')) {
            return 0;
        }
    }
    return 1;
}

static int is_host(const char *host)
{
    const char *at = host;
    for (; at && *at; at++) {
        if (!apr_isalnum(*at) && !strchr("-.:[]_", *at)) {
            return 0;
        }
    }
    return host && *host;
}

static fhir_error_t *refuse(const char *text, const char *reason, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "'%.256s' %s. Write a complete URL, for example " EXAMPLE, text,
                             reason);
}

static const char *lower(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text);
    char *at;
    for (at = copy; *at; at++) {
        *at = (char)apr_tolower(*at);
    }
    return copy;
}

static int is_port(const char *port)
{
    long number;
    if (!port) {
        return 1;
    }
    if (strlen(port) > 5 || strspn(port, "0123456789") != strlen(port)) {
        return 0;
    }
    number = strtol(port, NULL, 10);
    return number > 0 && number <= 65535;
}

static fhir_error_t *check_parts(const apr_uri_t *parts, const char *text, apr_pool_t *pool)
{
    if (!parts->scheme || (strcasecmp(parts->scheme, "https") != 0 && strcasecmp(parts->scheme, "http") != 0)) {
        return refuse(text, "is neither an https nor an http URL", pool);
    }
    if (parts->user || parts->password) {
        return refuse(text, "holds a user name", pool);
    }
    if (!is_host(parts->hostname) || !is_port(parts->port_str)) {
        return refuse(text, "has no usable host and port", pool);
    }
    if (parts->query || parts->fragment || strpbrk(text, "?#")) {
        return refuse(text, "has a query or a fragment, which a base URL can't have", pool);
    }
    if (parts->path && !is_plain_path(parts->path)) {
        return refuse(text,
                      "has a path with empty or dot segments or with characters other than letters, digits and - . _ ~",
                      pool);
    }
    return NULL;
}

/* *url in normal form with '/' at its end, *path its path. */
static fhir_error_t *parse_base(const char **url, const char **path, const char *text, apr_pool_t *pool)
{
    apr_uri_t parts = {0};
    const char *host;
    if (apr_uri_parse(pool, text, &parts) != APR_SUCCESS) {
        return refuse(text, "is not a URL", pool);
    }
    FHIR_TRY(check_parts(&parts, text, pool));
    *path = parts.path && *parts.path ? parts.path : "/";
    if ((*path)[strlen(*path) - 1] != '/') {
        *path = apr_pstrcat(pool, *path, "/", NULL);
    }
    host = strchr(parts.hostname, ':') ? apr_pstrcat(pool, "[", parts.hostname, "]", NULL) : parts.hostname;
    *url = apr_pstrcat(pool, lower(parts.scheme, pool), "://", lower(host, pool), parts.port_str ? ":" : "",
                       parts.port_str ? parts.port_str : "", *path, NULL);
    return NULL;
}

fhir_error_t *fhir_set_base_url(fhir_settings_t *settings, int count, const char *const *values)
{
    (void)count;
    return parse_base(&settings->base_url, &settings->base_path, values[0], settings->pool);
}

fhir_error_t *fhir_set_storage_base_url(fhir_settings_t *settings, int count, const char *const *values)
{
    const char *url;
    const char *path;
    (void)count;
    FHIR_TRY(parse_base(&url, &path, values[0], settings->pool));
    if (strcmp(path, "/") == 0) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%.256s' has no path, so that signed URLs could not be told from other ones. Write a "
                                 "path too, for example %sstorage/",
                                 values[0], url);
    }
    settings->storage_base_url = url;
    settings->storage_base_path = path;
    return NULL;
}
