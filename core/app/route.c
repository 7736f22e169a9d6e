/* Target -> interaction and ids; the one place that knows our paths. */
#include "route.h"

#include "../fhir/binary.h"
#include "app.h"

#include <apr_strings.h>
#include <string.h>

#define FHIR_PATH "fhir/R4"
#define MAX_SEGMENTS 5

/* What follows `prefix` (which may end with '/') in `path`: "" for the prefix itself, NULL if it is no prefix. */
static const char *below(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    while (length > 0 && prefix[length - 1] == '/') {
        length--;
    }
    if (strncmp(path, prefix, length) != 0 || (path[length] != '/' && path[length] != '\0')) {
        return NULL;
    }
    return path[length] == '/' ? path + length + 1 : path + length;
}

static const char *fhir_path(const fhir_settings_t *settings, const char *path)
{
    const char *rest = below(path, settings->base_path);
    return rest ? below(rest, FHIR_PATH) : NULL;
}

static fhir_route_kind_t fixed_route(const char *rest)
{
    if (strcmp(rest, "oauth2/token") == 0) {
        return FHIR_ROUTE_TOKEN;
    }
    if (strcmp(rest, "auth/me") == 0) {
        return FHIR_ROUTE_AUTH_ME;
    }
    if (strcmp(rest, ".well-known/jwks.json") == 0) {
        return FHIR_ROUTE_JWKS;
    }
    if (strcmp(rest, ".well-known/smart-configuration") == 0) {
        return FHIR_ROUTE_SMART_CONFIGURATION;
    }
    return FHIR_ROUTE_UNKNOWN;
}

int fhir_app_claims(const fhir_settings_t *settings, const char *path)
{
    const char *rest;
    if (!settings->base_url || !path) {
        return 0;
    }
    if (fhir_path(settings, path) || below(path, settings->storage_base_path)) {
        return 1;
    }
    rest = below(path, settings->base_path);
    return rest && fixed_route(rest) != FHIR_ROUTE_UNKNOWN;
}

/* Splits at '/', a trailing one ignored; -1 if there are too many or empty segments. */
static int split(const char *segments[MAX_SEGMENTS], const char *path, apr_pool_t *pool)
{
    int count = 0;
    while (*path) {
        const char *end = strchr(path, '/');
        size_t length = end ? (size_t)(end - path) : strlen(path);
        if (count == MAX_SEGMENTS || length == 0) {
            return -1;
        }
        segments[count++] = apr_pstrmemdup(pool, path, length);
        path += length + (end ? 1 : 0);
    }
    return count;
}

static fhir_route_kind_t binary_route(const char *const *segments, int count)
{
    if (count == 1) {
        return FHIR_ROUTE_TYPE;
    }
    if (count == 2) {
        return strcmp(segments[1], "_search") == 0 ? FHIR_ROUTE_SEARCH : FHIR_ROUTE_INSTANCE;
    }
    if (strcmp(segments[2], "_history") == 0) {
        return count == 3 ? FHIR_ROUTE_HISTORY : count == 4 ? FHIR_ROUTE_VERSION : FHIR_ROUTE_UNKNOWN;
    }
    return count == 3 && strcmp(segments[2], "$presigned-url") == 0 ? FHIR_ROUTE_PRESIGNED_URL : FHIR_ROUTE_UNKNOWN;
}

static fhir_route_kind_t resource_route(const char *const *segments, int count)
{
    if (count == 1) {
        return FHIR_ROUTE_RESOURCE_TYPE;
    }
    if (count == 2 && strcmp(segments[1], "_history") == 0) {
        return FHIR_ROUTE_UNKNOWN; /* the history of a type is not kept together */
    }
    if (count == 2) {
        return strcmp(segments[1], "_search") == 0 ? FHIR_ROUTE_RESOURCE_SEARCH : FHIR_ROUTE_RESOURCE_INSTANCE;
    }
    if (strcmp(segments[2], "_history") == 0) {
        return count == 3 ? FHIR_ROUTE_RESOURCE_HISTORY : count == 4 ? FHIR_ROUTE_RESOURCE_VERSION : FHIR_ROUTE_UNKNOWN;
    }
    return FHIR_ROUTE_UNKNOWN;
}

/* Events never change: they have no versions. */
static fhir_route_kind_t audit_route(const char *const *segments, int count)
{
    if (count > 2 || (count == 2 && strcmp(segments[1], "_history") == 0)) {
        return FHIR_ROUTE_UNKNOWN;
    }
    if (count == 1) {
        return FHIR_ROUTE_AUDIT_TYPE;
    }
    return strcmp(segments[1], "_search") == 0 ? FHIR_ROUTE_AUDIT_SEARCH : FHIR_ROUTE_AUDIT_INSTANCE;
}

static fhir_route_kind_t typed_route(const char *const *segments, int count)
{
    if (strcmp(segments[0], "Binary") == 0) {
        return binary_route(segments, count);
    }
    return strcmp(segments[0], "AuditEvent") == 0 ? audit_route(segments, count) : resource_route(segments, count);
}

static int is_search(fhir_route_kind_t route)
{
    return route == FHIR_ROUTE_SEARCH || route == FHIR_ROUTE_RESOURCE_SEARCH || route == FHIR_ROUTE_AUDIT_SEARCH;
}

static void route_fhir(fhir_route_t *route, const char *rest, apr_pool_t *pool)
{
    const char *segments[MAX_SEGMENTS];
    int count = split(segments, rest, pool);
    if (count == 0) {
        route->kind = FHIR_ROUTE_BASE;
    } else if (count == 1 && strcmp(segments[0], "metadata") == 0) {
        route->kind = FHIR_ROUTE_METADATA;
    } else if (count == 2 && strcmp(segments[0], ".well-known") == 0) {
        /* SMART App Launch wants its configuration under the FHIR base too. */
        route->kind =
            strcmp(segments[1], "smart-configuration") == 0 ? FHIR_ROUTE_SMART_CONFIGURATION : FHIR_ROUTE_UNKNOWN;
    } else if (count >= 1 && fhir_resource_type_known(segments[0])) {
        route->kind = typed_route(segments, count);
        route->type = segments[0];
        route->id = count > 1 && !is_search(route->kind) ? segments[1] : NULL;
        route->version_id = count > 3 ? segments[3] : NULL;
    }
}

static void route_signed(fhir_route_t *route, const char *rest, apr_pool_t *pool)
{
    const char *segments[MAX_SEGMENTS];
    int count = split(segments, rest, pool);
    if (count == 2) {
        route->kind = FHIR_ROUTE_SIGNED;
        route->id = segments[0];
        route->version_id = segments[1];
    }
}

void fhir_route(fhir_route_t *route, const fhir_settings_t *settings, const char *path, apr_pool_t *pool)
{
    const char *rest;
    memset(route, 0, sizeof(*route));
    if ((rest = fhir_path(settings, path)) != NULL) {
        route_fhir(route, rest, pool);
    } else if ((rest = below(path, settings->storage_base_path)) != NULL) {
        route_signed(route, rest, pool);
    }
    if (route->kind == FHIR_ROUTE_UNKNOWN && (rest = below(path, settings->base_path)) != NULL) {
        route->kind = fixed_route(rest);
    }
}
