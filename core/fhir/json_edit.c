/* Edits of JSON text: every edit becomes splices (bytes that go, text that comes), which are sorted and applied at
 * once.
 *
 * In a container that loses or gains children a comma belongs to the child after it: text and comma of what goes are
 * cut together, and the child that comes to be first loses its comma. */
#include "json_edit.h"

#include <apr_tables.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef enum edit_kind_t { EDIT_INSERT = 0, EDIT_REMOVE } edit_kind_t; /* in the order they take at one place */

/* A child that comes or goes. */
typedef struct edit_t {
    int container;
    int position; /* of the child, or of the one before which it comes; INT_MAX: of none */
    edit_kind_t kind;
    int sequence;
    const char *text; /* INSERT: `"name":value` or the item */
} edit_t;

/* At one offset, what only comes stands before what goes, and what came first is first. */
typedef struct splice_t {
    apr_size_t offset;
    apr_size_t removed;
    int sequence;
    const char *before; /* a comma or nothing */
    const char *text;
} splice_t;

struct fhir_json_edits_t {
    const fhir_json_document_t *document;
    apr_pool_t *pool;
    apr_array_header_t *edits;    /* of edit_t */
    apr_array_header_t *replaced; /* of splice_t */
    const char *wrong;            /* an edit that can't be made */
};

fhir_json_edits_t *fhir_json_edits_create(const fhir_json_document_t *document, apr_pool_t *pool)
{
    fhir_json_edits_t *edits = apr_pcalloc(pool, sizeof(*edits));
    edits->document = document;
    edits->pool = pool;
    edits->edits = apr_array_make(pool, 8, sizeof(edit_t));
    edits->replaced = apr_array_make(pool, 8, sizeof(splice_t));
    return edits;
}

static const fhir_json_node_t *node_of(const fhir_json_edits_t *edits, int node)
{
    return node >= 0 && node < edits->document->count ? &edits->document->nodes[node] : NULL;
}

static void add_splice(apr_array_header_t *splices, apr_size_t offset, apr_size_t removed, const char *text)
{
    splice_t *splice = apr_array_push(splices);
    splice->offset = offset;
    splice->removed = removed;
    splice->sequence = splices->nelts;
    splice->before = "";
    splice->text = text;
}

static void add_edit(fhir_json_edits_t *edits, int container, int position, edit_kind_t kind, const char *text)
{
    edit_t *edit = apr_array_push(edits->edits);
    edit->container = container;
    edit->position = position;
    edit->kind = kind;
    edit->sequence = edits->edits->nelts;
    edit->text = text;
}

void fhir_json_edit_replace(fhir_json_edits_t *edits, int node, const char *json)
{
    const fhir_json_node_t *found = node_of(edits, node);
    if (!found) {
        edits->wrong = "a value that is not there is to be replaced";
        return;
    }
    add_splice(edits->replaced, found->offset, found->length, json);
}

/* Orders the children of one container: items by their index, members by their node, which needs no counting. */
static int position_of(const fhir_json_document_t *document, int node)
{
    int parent = document->nodes[node].parent;
    return document->nodes[parent].kind == FHIR_JSON_ARRAY ? (int)document->nodes[node].index : node;
}

void fhir_json_edit_remove(fhir_json_edits_t *edits, int node)
{
    const fhir_json_node_t *found = node_of(edits, node);
    if (!found || found->parent < 0) {
        edits->wrong = "a value that is not there, or the whole document, is to be removed";
        return;
    }
    add_edit(edits, found->parent, position_of(edits->document, node), EDIT_REMOVE, NULL);
}

void fhir_json_edit_add_member(fhir_json_edits_t *edits, int object, const char *name, const char *json)
{
    const fhir_json_node_t *found = node_of(edits, object);
    fhir_text_t member;
    if (!found || found->kind != FHIR_JSON_OBJECT) {
        edits->wrong = "a member is to be added to what is no object";
        return;
    }
    fhir_text_init(&member, edits->pool);
    fhir_text_add_json_string(&member, name);
    fhir_text_add(&member, ":");
    fhir_text_add(&member, json);
    add_edit(edits, object, INT_MAX, EDIT_INSERT, member.text);
}

void fhir_json_edit_insert_item(fhir_json_edits_t *edits, int array, int index, const char *json)
{
    const fhir_json_node_t *found = node_of(edits, array);
    if (!found || found->kind != FHIR_JSON_ARRAY || index < 0 || index > found->count) {
        edits->wrong = "an item is to be inserted outside of an array";
        return;
    }
    add_edit(edits, array, index < found->count ? index : INT_MAX, EDIT_INSERT, json);
}

/* ---- From edits to splices ---- */

static int compare_edits(const void *a, const void *b)
{
    const edit_t *a_edit = a;
    const edit_t *b_edit = b;
    if (a_edit->container != b_edit->container) {
        return a_edit->container < b_edit->container ? -1 : 1;
    }
    if (a_edit->position != b_edit->position) {
        return a_edit->position < b_edit->position ? -1 : 1;
    }
    if (a_edit->kind != b_edit->kind) {
        return a_edit->kind < b_edit->kind ? -1 : 1;
    }
    return a_edit->sequence < b_edit->sequence ? -1 : a_edit->sequence > b_edit->sequence;
}

/* A walk over the children of one container and the edits that belong to it, both in order. */
typedef struct rewrite_t {
    apr_array_header_t *splices;
    const edit_t *edit;
    const edit_t *edits_end;
    int none_before; /* nothing stays or came so far: no comma needed */
    apr_size_t gap;  /* where the child before ended; 0: there is none */
} rewrite_t;

/* What comes before the child at `position`. */
static void rewrite_inserts(rewrite_t *rewrite, int position, apr_size_t at)
{
    while (rewrite->edit < rewrite->edits_end && rewrite->edit->position == position &&
           rewrite->edit->kind == EDIT_INSERT) {
        add_splice(rewrite->splices, at, 0, rewrite->edit->text);
        ((splice_t *)rewrite->splices->elts)[rewrite->splices->nelts - 1].before = rewrite->none_before ? "" : ",";
        rewrite->none_before = 0;
        rewrite->edit++;
    }
}

/* The child from `start` to `end`; a gap with a comma lies before all but the first. */
static int rewrite_child(rewrite_t *rewrite, int position, apr_size_t start, apr_size_t end)
{
    apr_size_t from = rewrite->gap ? rewrite->gap : start;
    int removed = 0;
    rewrite_inserts(rewrite, position, from);
    while (rewrite->edit < rewrite->edits_end && rewrite->edit->position == position) {
        removed++;
        rewrite->edit++;
    }
    if (removed) {
        add_splice(rewrite->splices, from, end - from, "");
    } else {
        if (rewrite->none_before && rewrite->gap) {
            add_splice(rewrite->splices, from, start - from, "");
        } else if (!rewrite->none_before && !rewrite->gap) {
            add_splice(rewrite->splices, from, 0, ",");
        }
        rewrite->none_before = 0;
    }
    rewrite->gap = end;
    return removed <= 1;
}

/* The edits of one container; 0 if a child is removed twice. */
static int rewrite_container(const fhir_json_document_t *document, rewrite_t *rewrite)
{
    const fhir_json_node_t *container = &document->nodes[rewrite->edit->container];
    int child = fhir_json_first(document, rewrite->edit->container);
    rewrite->none_before = 1;
    rewrite->gap = 0;
    for (; child >= 0; child = document->nodes[child].next) {
        const fhir_json_node_t *node = &document->nodes[child];
        apr_size_t start = node->key_length ? node->key_offset : node->offset;
        if (!rewrite_child(rewrite, position_of(document, child), start, (apr_size_t)node->offset + node->length)) {
            return 0;
        }
    }
    rewrite_inserts(rewrite, INT_MAX, rewrite->gap ? rewrite->gap : (apr_size_t)container->offset + 1);
    return 1;
}

static fhir_error_t *defect(const fhir_json_edits_t *edits, const char *why)
{
    return fhir_error_create(edits->pool, FHIR_ERROR_INTERNAL, APR_SUCCESS,
                             "The resource could not be changed; report this to the operator.", "edit of JSON: %s",
                             why);
}

static fhir_error_t *add_rewrites(apr_array_header_t *splices, const fhir_json_edits_t *edits)
{
    int count = edits->edits->nelts;
    edit_t *sorted = apr_pmemdup(edits->pool, edits->edits->elts, (apr_size_t)count * sizeof(*sorted));
    int at = 0;
    qsort(sorted, (size_t)count, sizeof(*sorted), compare_edits);
    while (at < count) {
        rewrite_t rewrite;
        int end = at;
        while (end < count && sorted[end].container == sorted[at].container) {
            end++;
        }
        rewrite.splices = splices;
        rewrite.edit = sorted + at;
        rewrite.edits_end = sorted + end;
        if (!rewrite_container(edits->document, &rewrite)) {
            return defect(edits, "a value is removed twice");
        }
        at = end;
    }
    return NULL;
}

/* ---- Application ---- */

static int compare_splices(const void *a, const void *b)
{
    const splice_t *a_splice = a;
    const splice_t *b_splice = b;
    if (a_splice->offset != b_splice->offset) {
        return a_splice->offset < b_splice->offset ? -1 : 1;
    }
    if (!a_splice->removed != !b_splice->removed) {
        return a_splice->removed ? 1 : -1;
    }
    return a_splice->sequence < b_splice->sequence ? -1 : a_splice->sequence > b_splice->sequence;
}

static char *append(char *out, const char *bytes, apr_size_t length)
{
    if (length) {
        memcpy(out, bytes, length);
    }
    return out + length;
}

/* Splices that overlap would mean edits inside a value that goes. */
static fhir_error_t *new_length(apr_size_t *length, const fhir_json_edits_t *edits, const apr_array_header_t *splices)
{
    const splice_t *splice = (const splice_t *)splices->elts;
    apr_size_t at = 0;
    int i;
    *length = edits->document->length;
    for (i = 0; i < splices->nelts; i++, splice++) {
        if (splice->offset < at) {
            return defect(edits, "a value is changed twice, or inside a value that goes");
        }
        at = splice->offset + splice->removed;
        *length += strlen(splice->before) + strlen(splice->text);
        *length -= splice->removed;
    }
    return NULL;
}

static const char *spliced(const fhir_json_edits_t *edits, const apr_array_header_t *splices, apr_size_t length)
{
    const splice_t *splice = (const splice_t *)splices->elts;
    const char *text = edits->document->text;
    char *made = apr_palloc(edits->pool, length + 1);
    char *out = made;
    apr_size_t at = 0;
    int i;
    for (i = 0; i < splices->nelts; i++, splice++) {
        out = append(out, text + at, splice->offset - at);
        out = append(out, splice->before, strlen(splice->before));
        out = append(out, splice->text, strlen(splice->text));
        at = splice->offset + splice->removed;
    }
    out = append(out, text + at, edits->document->length - at);
    *out = '\0';
    return made;
}

fhir_error_t *fhir_json_edits_apply(const char **text, apr_size_t *length, const fhir_json_edits_t *edits)
{
    apr_array_header_t *splices = apr_array_copy(edits->pool, edits->replaced);
    if (edits->wrong) {
        return defect(edits, edits->wrong);
    }
    FHIR_TRY(add_rewrites(splices, edits));
    qsort(splices->elts, (size_t)splices->nelts, sizeof(splice_t), compare_splices);
    FHIR_TRY(new_length(length, edits, splices));
    *text = spliced(edits, splices, *length);
    return NULL;
}
