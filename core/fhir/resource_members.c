/* Leaves out top-level elements of a resource, and puts them back as they were: text is cut and joined, never written
 * anew, so that everything else keeps its digits, escapes and white space. */
#include "resource_members.h"

#include "element_names.h"
#include "json_text.h"

#include <string.h>

/* A member at the top of a resource: its text with its name. */
typedef struct member_t {
    const char *name; /* decoded */
    fhir_json_slice_t text;
    int used;
} member_t;

static fhir_error_t *unreadable(const fhir_resource_t *resource, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_SUCCESS,
                             "The stored resource can't be read; ask the server's administrator.", "the text of %s/%s",
                             resource->type, resource->id);
}

/* The members of a stored body, array of member_t; their texts lie in `*text`, one byte behind where they are in the
 * body. */
static fhir_error_t *read_members(apr_array_header_t **members, const char **text, const fhir_resource_t *resource,
                                  apr_pool_t *pool)
{
    apr_size_t length = resource->body ? resource->body_length : 0;
    char *object = apr_palloc(pool, length + 3);
    fhir_json_slice_t slice = {object, length + 2};
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    int walks;
    object[0] = '{';
    memcpy(object + 1, resource->body ? resource->body : "", length);
    memcpy(object + 1 + length, "}", 2);
    *text = object;
    *members = apr_array_make(pool, 16, sizeof(member_t));
    walks = fhir_json_walk(&walk, slice, '{');
    while (walks && fhir_json_next(&walk, &key, &value)) {
        member_t *member = apr_array_push(*members);
        member->name = fhir_json_decode(key, pool);
        member->text.text = key.text;
        member->text.length = (apr_size_t)(value.text - key.text) + value.length;
        member->used = 0;
        if (!member->name) {
            return unreadable(resource, pool);
        }
    }
    return walks && !walk.failed && walk.at == walk.end ? NULL : unreadable(resource, pool);
}

static int is_listed(const apr_array_header_t *elements, const char *type, const char *name)
{
    return fhir_element_listed(elements, type, name, strlen(name));
}

static void add_text(fhir_text_t *text, const char *member, apr_size_t length)
{
    fhir_text_add(text, text->length > 0 ? "," : "");
    fhir_text_add_bytes(text, member, length);
}

/* ---- hiding ---- */

/* The edits inside of a member that moved by `to - from`; *next is the first that was not looked at. */
static void move_edits(apr_array_header_t *moved, const apr_array_header_t *edits, int *next, apr_size_t from,
                       apr_size_t length, apr_size_t to)
{
    for (; edits && *next < edits->nelts; (*next)++) {
        fhir_body_edit_t edit = APR_ARRAY_IDX(edits, *next, fhir_body_edit_t);
        if (edit.offset >= from + length) {
            return;
        }
        if (edit.offset >= from && edit.removed <= from + length - edit.offset) {
            edit.offset = edit.offset - from + to;
            APR_ARRAY_PUSH(moved, fhir_body_edit_t) = edit;
        }
    }
}

/* The body without the elements; NULL: all of it stays. */
static const char *visible_body(apr_array_header_t *moved, apr_size_t *length, const fhir_resource_t *resource,
                                const apr_array_header_t *edits, const apr_array_header_t *members, const char *text,
                                const apr_array_header_t *elements)
{
    fhir_text_t body;
    int next = 0;
    int kept = 0;
    int i;
    fhir_text_init(&body, moved->pool);
    for (i = 0; i < members->nelts; i++) {
        const member_t *member = &APR_ARRAY_IDX(members, i, member_t);
        apr_size_t from = (apr_size_t)(member->text.text - text) - 1;
        if (!is_listed(elements, resource->type, member->name)) {
            kept++;
            add_text(&body, member->text.text, member->text.length);
            move_edits(moved, edits, &next, from, member->text.length, body.length - member->text.length);
        }
    }
    *length = body.length;
    return kept < members->nelts ? (body.length > 0 ? body.text : "") : NULL;
}

fhir_error_t *fhir_resource_hide(const fhir_resource_t **visible, apr_array_header_t **edits,
                                 const fhir_resource_t *resource, const apr_array_header_t *elements, apr_pool_t *pool)
{
    apr_array_header_t *moved = apr_array_make(pool, 4, sizeof(fhir_body_edit_t));
    apr_array_header_t *members;
    fhir_resource_t *made;
    const char *text;
    const char *body;
    apr_size_t length;
    int hides_meta;
    *visible = resource;
    if (!elements || elements->nelts == 0 || resource->change == FHIR_CHANGE_DELETE) {
        return NULL;
    }
    hides_meta = is_listed(elements, resource->type, "meta") && resource->meta && *resource->meta;
    FHIR_TRY(read_members(&members, &text, resource, pool));
    body = visible_body(moved, &length, resource, edits ? *edits : NULL, members, text, elements);
    if (!body && !hides_meta) {
        return NULL;
    }
    made = apr_pmemdup(pool, resource, sizeof(*made));
    made->meta = hides_meta ? "" : resource->meta;
    if (body) {
        made->body = body;
        made->body_length = length;
        if (edits && *edits) {
            *edits = moved;
        }
    }
    *visible = made;
    return NULL;
}

/* ---- restoring ---- */

typedef struct restoring_t {
    const fhir_sent_resource_t *sent;
    const fhir_resource_t *current; /* NULL: none */
    apr_array_header_t *members;    /* of `current`, of member_t */
    const apr_array_header_t *elements;
    fhir_text_t text; /* members with commas between them */
    apr_pool_t *pool;
} restoring_t;

/* As it was sent, its name included. */
static void add_sent(restoring_t *restoring, int node)
{
    const fhir_json_document_t *document = restoring->sent->document;
    const fhir_json_node_t *member = &document->nodes[node];
    add_text(&restoring->text, document->text + member->key_offset,
             member->offset + member->length - member->key_offset);
}

static void add_current(restoring_t *restoring, member_t *member)
{
    if (!member->used) {
        member->used = 1;
        add_text(&restoring->text, member->text.text, member->text.length);
    }
}

/* In the place where another was sent. */
static void add_current_named(restoring_t *restoring, const char *name)
{
    int i;
    for (i = 0; i < restoring->members->nelts; i++) {
        member_t *member = &APR_ARRAY_IDX(restoring->members, i, member_t);
        if (strcmp(member->name, name) == 0) {
            add_current(restoring, member);
        }
    }
}

/* What the server adds to it needs no restoring. */
static void add_meta(restoring_t *restoring)
{
    const char *meta = restoring->current ? restoring->current->meta : NULL;
    if (meta && *meta) {
        meta = apr_pstrcat(restoring->pool, "\"meta\":{", meta, "}", NULL);
        add_text(&restoring->text, meta, strlen(meta));
    }
}

static void add_members(restoring_t *restoring)
{
    const fhir_sent_resource_t *sent = restoring->sent;
    int member = fhir_json_first(sent->document, sent->root);
    for (; member >= 0; member = sent->document->nodes[member].next) {
        const char *name = fhir_json_name(sent->document, member, restoring->pool);
        if (strcmp(name, "resourceType") == 0 || strcmp(name, "id") == 0 ||
            !is_listed(restoring->elements, sent->type, name)) {
            add_sent(restoring, member);
        } else {
            add_current_named(restoring, name);
        }
    }
}

static void add_missing(restoring_t *restoring)
{
    int i;
    for (i = 0; i < restoring->members->nelts; i++) {
        member_t *member = &APR_ARRAY_IDX(restoring->members, i, member_t);
        if (is_listed(restoring->elements, restoring->sent->type, member->name)) {
            add_current(restoring, member);
        }
    }
    if (is_listed(restoring->elements, restoring->sent->type, "meta")) {
        add_meta(restoring);
    }
}

fhir_error_t *fhir_resource_restore(fhir_sent_resource_t *restored, const fhir_sent_resource_t *sent,
                                    const fhir_resource_t *current, const apr_array_header_t *elements,
                                    apr_pool_t *pool)
{
    restoring_t restoring = {sent, current, NULL, elements, {0}, pool};
    const char *ignored;
    const char *json;
    *restored = *sent;
    if (!elements || elements->nelts == 0) {
        return NULL;
    }
    fhir_text_init(&restoring.text, pool);
    if (current) {
        FHIR_TRY(read_members(&restoring.members, &ignored, current, pool));
    } else {
        restoring.members = apr_array_make(pool, 1, sizeof(member_t));
    }
    add_members(&restoring);
    add_missing(&restoring);
    json = apr_pstrcat(pool, "{", restoring.text.text, "}", NULL);
    restored->root = 0;
    return fhir_json_parse(&restored->document, json, restoring.text.length + 2, &fhir_json_resource_limits, pool);
}
