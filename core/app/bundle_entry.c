/* Bundle.entry -> a request. */
#include "bundle_entry.h"

#include "../base/text.h"
#include "../fhir/search.h"
#include "../http/conditional.h"

#include <apr_strings.h>
#include <string.h>

/* Each relative reference of the entry is looked up behind it. */
#define FULL_URL_MAX 2048

static fhir_error_t *refuse(const fhir_bundle_entry_t *entry, const char *member, fhir_error_code_t code,
                            const char *why, apr_pool_t *pool)
{
    const char *where = apr_pstrcat(pool, entry->place, member, NULL);
    fhir_error_t *error = fhir_error_public(pool, code, "%s %s", where, why);
    error->expression = where;
    return error;
}

static const char *string(const fhir_json_document_t *document, int object, const char *name, apr_pool_t *pool)
{
    return fhir_json_string(document, fhir_json_member(document, object, name), pool);
}

static fhir_error_t *take_method(fhir_bundle_entry_t *entry, const char *name, apr_pool_t *pool)
{
    static const struct {
        const char *name;
        fhir_method_t method;
    } methods[] = {{"GET", FHIR_METHOD_GET},
                   {"POST", FHIR_METHOD_POST},
                   {"PUT", FHIR_METHOD_PUT},
                   {"PATCH", FHIR_METHOD_PATCH},
                   {"DELETE", FHIR_METHOD_DELETE}};
    size_t i;
    for (i = 0; name && i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].name, name) == 0) {
            entry->method = methods[i].method;
            entry->method_name = methods[i].name;
            return NULL;
        }
    }
    return refuse(entry, ".request.method", FHIR_ERROR_REQUIRED, "must be GET, POST, PUT, PATCH or DELETE.", pool);
}

static fhir_error_t *take_url(fhir_bundle_entry_t *entry, const char *url, const fhir_settings_t *settings,
                              apr_pool_t *pool)
{
    fhir_error_t *error;
    if (!url || !*url) {
        return refuse(entry, ".request.url", FHIR_ERROR_REQUIRED, "is required: such as Patient or Patient/1.", pool);
    }
    error = fhir_bundle_url(&entry->path, &entry->query, url, settings, pool);
    if (error) {
        error->expression = apr_pstrcat(pool, entry->place, ".request.url", NULL);
    }
    return error;
}

/* A member that became a header would be lost if it were no string: then a condition would not be kept. */
static fhir_error_t *condition(const char **value, const fhir_bundle_entry_t *entry,
                               const fhir_json_document_t *document, int request, const char *name, apr_pool_t *pool)
{
    int member = fhir_json_member(document, request, name);
    *value = fhir_json_string(document, member, pool);
    return member < 0 || (*value && **value)
               ? NULL
               : refuse(entry, apr_pstrcat(pool, ".request.", name, NULL), FHIR_ERROR_INVALID, "must be a text.", pool);
}

static fhir_error_t *take_modified_since(fhir_bundle_entry_t *entry, const fhir_json_document_t *document, int request,
                                         apr_pool_t *pool)
{
    const char *instant;
    apr_time_t low;
    apr_time_t high;
    FHIR_TRY(condition(&instant, entry, document, request, "ifModifiedSince", pool));
    if (!instant) {
        return NULL;
    }
    if (!fhir_date_range(&low, &high, instant)) {
        return refuse(entry, ".request.ifModifiedSince", FHIR_ERROR_INVALID,
                      "must be an instant, such as 2026-11-21T03:15:00Z.", pool);
    }
    apr_table_setn(entry->headers, "If-Modified-Since", fhir_http_date(low, pool));
    return NULL;
}

static fhir_error_t *take_conditions(fhir_bundle_entry_t *entry, const fhir_json_document_t *document, int request,
                                     apr_pool_t *pool)
{
    const char *if_match;
    const char *if_none_match;
    FHIR_TRY(condition(&if_match, entry, document, request, "ifMatch", pool));
    FHIR_TRY(condition(&if_none_match, entry, document, request, "ifNoneMatch", pool));
    FHIR_TRY(condition(&entry->if_none_exist, entry, document, request, "ifNoneExist", pool));
    if (if_match) {
        apr_table_setn(entry->headers, "If-Match", if_match);
    }
    if (if_none_match) {
        apr_table_setn(entry->headers, "If-None-Match", if_none_match);
    }
    /* Elsewhere than at a create it says nothing (FHIR R4 bundle.html). */
    if (entry->if_none_exist && entry->method == FHIR_METHOD_POST) {
        apr_table_setn(entry->headers, "If-None-Exist", entry->if_none_exist);
    }
    return take_modified_since(entry, document, request, pool);
}

static fhir_error_t *take_resource(fhir_bundle_entry_t *entry, const fhir_json_document_t *document, int node,
                                   apr_pool_t *pool)
{
    int needed = entry->method == FHIR_METHOD_PUT || entry->method == FHIR_METHOD_PATCH ||
                 (entry->method == FHIR_METHOD_POST && !strchr(entry->path, '$'));
    entry->resource = fhir_json_member(document, node, "resource");
    if (entry->resource < 0 && needed) {
        return refuse(entry, ".resource", FHIR_ERROR_REQUIRED, "is required: this entry writes it.", pool);
    }
    return entry->resource < 0 || document->nodes[entry->resource].kind == FHIR_JSON_OBJECT
               ? NULL
               : refuse(entry, ".resource", FHIR_ERROR_INVALID, "must be a resource.", pool);
}

fhir_error_t *fhir_bundle_entry_parse(fhir_bundle_entry_t *entry, const fhir_json_document_t *document, int node,
                                      int index, const fhir_settings_t *settings, apr_pool_t *pool)
{
    int request = fhir_json_member(document, node, "request");
    int full_url = fhir_json_member(document, node, "fullUrl");
    memset(entry, 0, sizeof(*entry));
    entry->index = index;
    entry->place = apr_psprintf(pool, "Bundle.entry[%d]", index);
    entry->headers = apr_table_make(pool, 4);
    entry->resource = -1;
    if (request < 0 || document->nodes[request].kind != FHIR_JSON_OBJECT) {
        return refuse(entry, ".request", FHIR_ERROR_REQUIRED, "is required: its method and url.", pool);
    }
    entry->full_url = fhir_json_string(document, full_url, pool);
    if (full_url >= 0 && (!entry->full_url || !*entry->full_url)) {
        return refuse(entry, ".fullUrl", FHIR_ERROR_INVALID, "must be an address or a urn:uuid.", pool);
    }
    if (entry->full_url && strlen(entry->full_url) > FULL_URL_MAX) {
        return refuse(entry, ".fullUrl", FHIR_ERROR_INVALID, "is too long.", pool);
    }
    FHIR_TRY(take_method(entry, string(document, request, "method", pool), pool));
    FHIR_TRY(take_url(entry, string(document, request, "url", pool), settings, pool));
    FHIR_TRY(take_conditions(entry, document, request, pool));
    return take_resource(entry, document, node, pool);
}

/* ---- the request ---- */

/* FHIR base64Binary may be broken into lines. */
static const char *without_space(const char *text, apr_pool_t *pool)
{
    char *copy = apr_palloc(pool, strlen(text) + 1);
    char *to = copy;
    for (; *text; text++) {
        if (!strchr(" \t\r\n", *text)) {
            *to++ = *text;
        }
    }
    *to = '\0';
    return copy;
}

static int is_binary(const fhir_json_document_t *document, int resource)
{
    return fhir_json_equals(document, fhir_json_member(document, resource, "resourceType"), "Binary");
}

/* FHIR R4 http.html#patch: in a Bundle a JSON Patch is the data of a Binary. */
static fhir_error_t *patch_body(fhir_request_t *request, apr_table_t *headers, const fhir_bundle_entry_t *entry,
                                const fhir_json_document_t *document)
{
    apr_pool_t *pool = request->pool;
    const char *type = string(document, entry->resource, "contentType", pool);
    const char *data = string(document, entry->resource, "data", pool);
    const unsigned char *patch;
    apr_size_t length;
    if (!is_binary(document, entry->resource) || !type || !data) {
        return refuse(entry, ".resource", FHIR_ERROR_INVALID,
                      "must be a Binary with contentType application/json-patch+json and the JSON Patch as its data.",
                      pool);
    }
    patch = fhir_base64_decode(&length, without_space(data, pool), pool);
    if (!patch) {
        return refuse(entry, ".resource.data", FHIR_ERROR_INVALID, "is not base64.", pool);
    }
    apr_table_setn(headers, "Content-Type", type);
    request->body = fhir_body_memory((const char *)patch, length, 0, pool);
    return NULL;
}

/* By itself a request may bring any file to Binary, JSON too. Here it is a resource. */
static fhir_error_t *add_body(fhir_request_t *request, apr_table_t *headers, const fhir_bundle_entry_t *entry,
                              const fhir_json_document_t *document, const fhir_exchange_t *outer)
{
    const fhir_json_node_t *node;
    fhir_route_t route;
    request->body = fhir_body_memory("", 0, 0, request->pool);
    if (entry->resource < 0 || entry->method == FHIR_METHOD_GET || entry->method == FHIR_METHOD_DELETE) {
        return NULL;
    }
    if (entry->method == FHIR_METHOD_PATCH) {
        return patch_body(request, headers, entry, document);
    }
    fhir_route(&route, outer->settings, entry->path, request->pool);
    if ((route.kind == FHIR_ROUTE_TYPE || route.kind == FHIR_ROUTE_INSTANCE) && !is_binary(document, entry->resource)) {
        return refuse(entry, ".resource", FHIR_ERROR_INVALID, "must be a Binary: it is sent to Binary.", request->pool);
    }
    node = &document->nodes[entry->resource];
    apr_table_setn(headers, "Content-Type", "application/fhir+json");
    request->body = fhir_body_memory(document->text + node->offset, node->length, 0, request->pool);
    return NULL;
}

fhir_error_t *fhir_bundle_entry_request(fhir_request_t **request, const fhir_bundle_entry_t *entry,
                                        const fhir_json_document_t *document, const fhir_exchange_t *outer,
                                        apr_pool_t *pool)
{
    fhir_request_t *made = apr_pmemdup(pool, outer->request, sizeof(*made));
    apr_table_t *headers = apr_table_copy(pool, entry->headers);
    const char *prefer = fhir_request_header(outer->request, "Prefer");
    apr_table_setn(headers, "Accept", "application/fhir+json");
    if (prefer) {
        apr_table_setn(headers, "Prefer", prefer);
    }
    made->pool = pool;
    made->method = entry->method;
    made->method_name = entry->method_name;
    made->path = entry->path;
    made->query = entry->query;
    made->headers = headers;
    made->received = apr_time_now();
    made->deadline = made->received + outer->settings->request_timeout;
    *request = made;
    return add_body(made, headers, entry, document, outer);
}

fhir_error_t *fhir_bundle_entry_error(fhir_error_t *error, const fhir_bundle_entry_t *entry, apr_pool_t *pool)
{
    const char *rest;
    if (!error || (error->expression && strncmp(error->expression, "Bundle.entry[", 13) == 0)) {
        return error;
    }
    rest = error->expression ? strchr(error->expression, '.') : NULL;
    error->expression = apr_pstrcat(pool, entry->place, error->expression ? ".resource" : "", rest, NULL);
    return error;
}
