/* The project's resources as its operator reads and writes them: through the application, by the rules of REST. */
#include "ctl.h"

#include "../core/base/text.h"
#include "../core/fhir/binary.h"

#include <apr_user.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "_count=500"
#define PAGES_MAX 200
#define FILE_MAX 4194304 /* bytes */

/* ---- asking ---- */

/* Who runs this, for the audit trail; behind sudo too, as far as sudo says it. */
static const char *account(apr_pool_t *pool)
{
    const char *before = getenv("SUDO_USER");
    apr_uid_t user;
    apr_gid_t group;
    char *name;
    if (apr_uid_current(&user, &group, pool) != APR_SUCCESS || apr_uid_name_get(&name, user, pool) != APR_SUCCESS) {
        name = apr_pstrdup(pool, "unknown");
    }
    return before && *before && strcmp(before, name) != 0 ? apr_psprintf(pool, "%s (sudo by %.64s)", name, before)
                                                          : name;
}

static fhir_error_t *operate(const char **text, fhir_ctl_t *ctl, fhir_operation_t *operation)
{
    int status;
    operation->operator_name = account(ctl->pool);
    FHIR_TRY(fhir_operate(&status, text, ctl->app, operation, ctl->pool));
    return status >= 400 ? fhir_operation_failed(status, *text, ctl->pool) : NULL;
}

fhir_error_t *fhir_ctl_operate(const char **text, fhir_ctl_t *ctl, const char *project_id, fhir_method_t method,
                               const char *path, const char *if_match, const char *body)
{
    fhir_operation_t operation = {.project_id = project_id, .method = method, .path = path, .body = body};
    operation.if_match = if_match;
    return operate(text, ctl, &operation);
}

static fhir_error_t *read_json(const fhir_json_document_t **document, fhir_ctl_t *ctl, const char *project_id,
                               const char *path, const char *query)
{
    fhir_operation_t operation = {.project_id = project_id, .method = FHIR_METHOD_GET, .path = path, .query = query};
    const char *text;
    FHIR_TRY(operate(&text, ctl, &operation));
    return fhir_json_parse(document, text, strlen(text), &fhir_json_resource_limits, ctl->pool);
}

fhir_error_t *fhir_ctl_read(const fhir_json_document_t **document, fhir_ctl_t *ctl, const char *project_id,
                            const char *path)
{
    return read_json(document, ctl, project_id, path, NULL);
}

/* The query of the link to the next page; NULL: this is the last. */
static const char *next_page(const fhir_json_document_t *bundle, apr_pool_t *pool)
{
    int links = fhir_json_member(bundle, 0, "link");
    int link = links < 0 ? -1 : fhir_json_first(bundle, links);
    for (; link >= 0; link = bundle->nodes[link].next) {
        if (fhir_json_equals(bundle, fhir_json_member(bundle, link, "relation"), "next")) {
            const char *url = fhir_ctl_string(bundle, link, "url", pool);
            const char *query = url ? strchr(url, '?') : NULL;
            return query ? query + 1 : NULL;
        }
    }
    return NULL;
}

fhir_error_t *fhir_ctl_search(apr_array_header_t **resources, fhir_ctl_t *ctl, const char *project_id, const char *type)
{
    const char *query = PAGE;
    *resources = apr_array_make(ctl->pool, 16, sizeof(fhir_ctl_resource_t));
    for (int page = 0; query && page < PAGES_MAX; page++) {
        const fhir_json_document_t *bundle;
        int entries;
        FHIR_TRY(read_json(&bundle, ctl, project_id, type, query));
        entries = fhir_json_member(bundle, 0, "entry");
        for (int entry = entries < 0 ? -1 : fhir_json_first(bundle, entries); entry >= 0;
             entry = bundle->nodes[entry].next) {
            fhir_ctl_resource_t *resource = apr_array_push(*resources);
            resource->document = bundle;
            resource->root = fhir_json_member(bundle, entry, "resource");
        }
        query = next_page(bundle, ctl->pool);
    }
    return NULL;
}

/* ---- reading what came ---- */

const char *fhir_ctl_string(const fhir_json_document_t *document, int node, const char *path, apr_pool_t *pool)
{
    const char *dot;
    while (node >= 0 && (dot = strchr(path, '.')) != NULL) {
        node = fhir_json_member(document, node, apr_pstrmemdup(pool, path, (apr_size_t)(dot - path)));
        path = dot + 1;
    }
    return fhir_json_string(document, fhir_json_member(document, node, path), pool);
}

const char *fhir_ctl_resource_id(const char *type, const char *given)
{
    size_t length = strlen(type);
    const char *id = strncmp(given, type, length) == 0 && given[length] == '/' ? given + length + 1 : given;
    return fhir_id_valid(id) ? id : NULL;
}

static fhir_error_t *unreadable(apr_pool_t *pool, apr_status_t status, const char *name)
{
    fhir_error_t *error = fhir_error_public(pool, FHIR_ERROR_INVALID, "%s can't be read.", name);
    error->status = status;
    return error;
}

fhir_error_t *fhir_ctl_read_file(const char **text, fhir_ctl_t *ctl, const char *name)
{
    apr_file_t *file;
    char *bytes = apr_palloc(ctl->pool, FILE_MAX + 1);
    apr_size_t length;
    apr_status_t status = strcmp(name, "-") == 0
                              ? apr_file_open_stdin(&file, ctl->pool)
                              : apr_file_open(&file, name, APR_READ | APR_BUFFERED, APR_OS_DEFAULT, ctl->pool);
    if (status != APR_SUCCESS) {
        return unreadable(ctl->pool, status, name);
    }
    status = apr_file_read_full(file, bytes, FILE_MAX + 1, &length);
    if (status != APR_SUCCESS && status != APR_EOF) {
        return unreadable(ctl->pool, status, name);
    }
    if (length > FILE_MAX || memchr(bytes, '\0', length)) {
        return fhir_error_public(ctl->pool, FHIR_ERROR_INVALID, "%s is too large or no text.", name);
    }
    bytes[length] = '\0';
    *text = bytes;
    return NULL;
}

/* ---- showing ---- */

static void new_line(fhir_text_t *out, int depth)
{
    fhir_text_addf(out, "\n%*s", depth * 2, "");
}

/* Behind a string that begins at `at`. The text is well-formed. */
static const char *after_string(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        at += *at == '\\' && at[1];
    }
    return *at ? at + 1 : at;
}

static int is_empty_container(const char *at)
{
    const char *next = at + 1 + strspn(at + 1, " \t\r\n");
    return *next == '}' || *next == ']';
}

void fhir_ctl_print_json(const char *json, apr_pool_t *pool)
{
    fhir_text_t out;
    int depth = 0;
    fhir_text_init(&out, pool);
    while (*json) {
        const char *end = *json == '"' ? after_string(json) : json + 1;
        int closes = *json == '}' || *json == ']';
        if (closes && depth > 0 && out.length && !strchr("{[", out.text[out.length - 1])) {
            new_line(&out, depth - 1);
        }
        depth -= closes;
        if (!strchr(" \t\r\n", *json)) {
            fhir_text_add_bytes(&out, json, (apr_size_t)(end - json));
        }
        if (*json == '{' || *json == '[') {
            depth++;
            if (!is_empty_container(json)) {
                new_line(&out, depth);
            }
        } else if (*json == ',') {
            new_line(&out, depth);
        } else if (*json == ':') {
            fhir_text_add(&out, " ");
        }
        json = end;
    }
    puts(out.text);
}
