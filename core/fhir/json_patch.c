/* JSON Patch: each operation becomes edits of the text, which is parsed anew for the next one. Two pools take turns, so
 * that memory does not grow with the number of operations. */
#include "json_patch.h"

#include "json_edit.h"
#include "json_pointer.h"

#include <string.h>

#define POINTER_SHOWN_MAX 100

typedef enum op_t { OP_ADD = 0, OP_REMOVE, OP_REPLACE, OP_MOVE, OP_COPY, OP_TEST, OP_COUNT } op_t;

static const char *const op_names[] = {"add", "remove", "replace", "move", "copy", "test"};

typedef struct operation_t {
    int number;
    op_t op;
    const char *path;
    const char *from; /* MOVE, COPY */
    int value;        /* ADD, REPLACE, TEST: its node in the patch */
} operation_t;

typedef struct patching_t {
    apr_pool_t *pool;      /* the caller's: errors and the result */
    apr_pool_t *now;       /* holds the text as it is now and its document */
    apr_pool_t *following; /* takes what comes out of the operation */
    const fhir_json_document_t *patch;
    const fhir_json_document_t *document;
    apr_size_t limit;
    apr_size_t work;
} patching_t;

/* ---- The patch document ---- */

/* A pointer for an error sentence. */
static const char *shown(const char *pointer, apr_pool_t *pool)
{
    apr_size_t length = strlen(pointer);
    if (length <= POINTER_SHOWN_MAX) {
        return pointer;
    }
    for (length = POINTER_SHOWN_MAX; ((unsigned char)pointer[length] & 0xc0) == 0x80; length--) {
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, pointer, length), "...", NULL);
}

static fhir_error_t *no_operation(int number, const char *why, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "Operation %d of the patch %s.", number, why);
}

static fhir_error_t *read_pointer(const char **pointer, const fhir_json_document_t *patch, int object, const char *name,
                                  int number, apr_pool_t *pool)
{
    *pointer = fhir_json_string(patch, fhir_json_member(patch, object, name), pool);
    if (!*pointer) {
        return no_operation(number, apr_psprintf(pool, "needs the member \"%s\", a string", name), pool);
    }
    if (!fhir_json_pointer_valid(*pointer)) {
        return no_operation(
            number, apr_psprintf(pool, "has a \"%s\" that is no JSON Pointer; it must be empty or begin with /", name),
            pool);
    }
    return NULL;
}

/* Does a value at `inner` lie inside the one at `outer`? */
static int is_inside(const char *outer, const char *inner)
{
    apr_size_t length = strlen(outer);
    return strncmp(outer, inner, length) == 0 && inner[length] == '/';
}

static fhir_error_t *read_operation(operation_t *operation, const fhir_json_document_t *patch, int object,
                                    apr_pool_t *pool)
{
    int op = fhir_json_member(patch, object, "op");
    int number = operation->number;
    for (operation->op = OP_ADD; operation->op < OP_COUNT; operation->op++) {
        if (op >= 0 && fhir_json_equals(patch, op, op_names[operation->op])) {
            break;
        }
    }
    if (operation->op == OP_COUNT) {
        return no_operation(number, "needs an \"op\": add, remove, replace, move, copy or test", pool);
    }
    FHIR_TRY(read_pointer(&operation->path, patch, object, "path", number, pool));
    if (operation->op == OP_MOVE || operation->op == OP_COPY) {
        FHIR_TRY(read_pointer(&operation->from, patch, object, "from", number, pool));
    }
    if (operation->op == OP_MOVE && is_inside(operation->from, operation->path)) {
        return no_operation(number, "moves a value into itself", pool);
    }
    operation->value = fhir_json_member(patch, object, "value");
    if (operation->value < 0 && (operation->op == OP_ADD || operation->op == OP_REPLACE || operation->op == OP_TEST)) {
        return no_operation(number, "needs the member \"value\"", pool);
    }
    return NULL;
}

/* All of them first: nothing is done for a patch that is none. */
static fhir_error_t *read_patch(operation_t **operations, const fhir_json_document_t *patch, apr_pool_t *pool)
{
    int count = patch->nodes[0].count;
    int child = fhir_json_first(patch, 0);
    int i;
    if (patch->nodes[0].kind != FHIR_JSON_ARRAY) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "A JSON Patch is an array of operations; send one.");
    }
    if (count > FHIR_JSON_PATCH_OPERATIONS_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The patch has %d operations; at most %d are allowed, send it in parts.", count,
                                 FHIR_JSON_PATCH_OPERATIONS_MAX);
    }
    *operations = apr_pcalloc(pool, ((apr_size_t)count + 1) * sizeof(**operations));
    for (i = 0; i < count; i++, child = patch->nodes[child].next) {
        (*operations)[i].number = i + 1;
        FHIR_TRY(read_operation(&(*operations)[i], patch, child, pool));
    }
    return NULL;
}

/* ---- Operations ---- */

static fhir_error_t *refused(const patching_t *patching, const operation_t *operation, const char *why)
{
    return fhir_error_public(patching->pool, FHIR_ERROR_UNPROCESSABLE, "Operation %d of the patch (%s) failed: %s.",
                             operation->number, op_names[operation->op], why);
}

static fhir_error_t *not_there(const patching_t *patching, const operation_t *operation, const char *pointer)
{
    return refused(patching, operation,
                   apr_psprintf(patching->pool, "there is nothing at the path \"%s\"", shown(pointer, patching->pool)));
}

static fhir_error_t *find(int *node, const patching_t *patching, const operation_t *operation, const char *pointer)
{
    *node = fhir_json_pointer_find(patching->document, pointer, patching->now);
    return *node < 0 ? not_there(patching, operation, pointer) : NULL;
}

/* An edit that puts `json` at the operation's path: a new member or item, or instead of a member. */
static fhir_error_t *put(fhir_json_edits_t *edits, const patching_t *patching, const operation_t *operation,
                         const char *json)
{
    const fhir_json_document_t *document = patching->document;
    const char *last;
    int parent;
    int index;
    if (!*operation->path) {
        fhir_json_edit_replace(edits, 0, json);
        return NULL;
    }
    parent = fhir_json_pointer_find(document, fhir_json_pointer_parent(&last, operation->path, patching->now),
                                    patching->now);
    if (parent >= 0 && document->nodes[parent].kind == FHIR_JSON_OBJECT) {
        int member = fhir_json_member(document, parent, last);
        if (member >= 0) {
            fhir_json_edit_replace(edits, member, json);
        } else {
            fhir_json_edit_add_member(edits, parent, last, json);
        }
        return NULL;
    }
    if (parent >= 0 && document->nodes[parent].kind == FHIR_JSON_ARRAY) {
        index = fhir_json_pointer_index(last, document->nodes[parent].count);
        if (index >= 0) {
            fhir_json_edit_insert_item(edits, parent, index, json);
            return NULL;
        }
    }
    return refused(
        patching, operation,
        apr_psprintf(patching->pool, "nothing can be put at the path \"%s\"", shown(operation->path, patching->pool)));
}

static fhir_error_t *charge(patching_t *patching, const operation_t *operation)
{
    patching->work += patching->document->length;
    if (patching->work > FHIR_JSON_PATCH_WORK_MAX) {
        return fhir_error_public(patching->pool, FHIR_ERROR_TOO_LARGE,
                                 "Operation %d of the patch is too many for a resource of this size; send the whole "
                                 "resource, or fewer operations at a time.",
                                 operation->number);
    }
    return NULL;
}

/* What came out is what the next operation sees; the pools change places. */
static fhir_error_t *advance(patching_t *patching, const operation_t *operation, const fhir_json_edits_t *edits)
{
    apr_pool_t *old = patching->now;
    const char *text;
    apr_size_t length;
    fhir_error_t *error;
    FHIR_TRY(fhir_json_edits_apply(&text, &length, edits));
    if (length > patching->limit) {
        return fhir_error_public(patching->pool, FHIR_ERROR_TOO_LARGE,
                                 "Operation %d of the patch makes the resource larger than %" APR_SIZE_T_FMT " bytes.",
                                 operation->number, patching->limit);
    }
    error = fhir_json_parse(&patching->document, text, length, &fhir_json_resource_limits, patching->following);
    if (error) {
        apr_size_t sentence = strlen(error->public_text) - 1; /* without its full stop */
        return refused(patching, operation, apr_pstrmemdup(patching->pool, error->public_text, sentence));
    }
    patching->now = patching->following;
    patching->following = old;
    apr_pool_clear(old);
    return NULL;
}

static fhir_error_t *test_value(const patching_t *patching, const operation_t *operation, int node)
{
    int same = fhir_json_same(patching->document, node, patching->patch, operation->value, patching->following);
    apr_pool_clear(patching->following);
    if (same) {
        return NULL;
    }
    return refused(
        patching, operation,
        apr_psprintf(patching->pool, "another value is at the path \"%s\"", shown(operation->path, patching->pool)));
}

static fhir_error_t *remove_value(patching_t *patching, const operation_t *operation, const char *pointer)
{
    fhir_json_edits_t *edits = fhir_json_edits_create(patching->document, patching->following);
    int node;
    FHIR_TRY(find(&node, patching, operation, pointer));
    if (node == 0) {
        return refused(patching, operation, "the whole resource can't be removed");
    }
    fhir_json_edit_remove(edits, node);
    return advance(patching, operation, edits);
}

static fhir_error_t *put_value(patching_t *patching, const operation_t *operation, const char *json)
{
    fhir_json_edits_t *edits = fhir_json_edits_create(patching->document, patching->following);
    FHIR_TRY(put(edits, patching, operation, json));
    return advance(patching, operation, edits);
}

/* Removed, then added, as the RFC says: indices after it count without the value. */
static fhir_error_t *move_value(patching_t *patching, const operation_t *operation, int node)
{
    apr_pool_t *pool;
    fhir_error_t *error;
    const char *json;
    if (strcmp(operation->from, operation->path) == 0) {
        return NULL;
    }
    FHIR_TRY(charge(patching, operation));
    apr_pool_create(&pool, patching->pool);
    json = fhir_json_raw(patching->document, node, pool);
    error = remove_value(patching, operation, operation->from);
    error = error ? error : put_value(patching, operation, json);
    apr_pool_destroy(pool);
    return error;
}

static fhir_error_t *apply(patching_t *patching, const operation_t *operation)
{
    fhir_json_edits_t *edits;
    int node;
    FHIR_TRY(charge(patching, operation));
    if (operation->op == OP_ADD) {
        return put_value(patching, operation, fhir_json_raw(patching->patch, operation->value, patching->following));
    }
    FHIR_TRY(find(&node, patching, operation, operation->from ? operation->from : operation->path));
    switch (operation->op) {
    case OP_REMOVE:
        return remove_value(patching, operation, operation->path);
    case OP_MOVE:
        return move_value(patching, operation, node);
    case OP_COPY:
        return put_value(patching, operation, fhir_json_raw(patching->document, node, patching->following));
    case OP_TEST:
        return test_value(patching, operation, node);
    default: /* OP_REPLACE */
        break;
    }
    edits = fhir_json_edits_create(patching->document, patching->following);
    fhir_json_edit_replace(edits, node, fhir_json_raw(patching->patch, operation->value, patching->following));
    return advance(patching, operation, edits);
}

fhir_error_t *fhir_json_patch(const char **patched, apr_size_t *patched_length, const char *text, apr_size_t length,
                              const fhir_json_document_t *patch, apr_size_t limit, apr_pool_t *pool)
{
    patching_t patching;
    operation_t *operations = NULL;
    int i;
    memset(&patching, 0, sizeof(patching));
    patching.pool = pool;
    patching.patch = patch;
    patching.limit = limit;
    FHIR_TRY(read_patch(&operations, patch, pool));
    apr_pool_create(&patching.now, pool);
    apr_pool_create(&patching.following, pool);
    FHIR_TRY(fhir_json_parse(&patching.document, text, length, &fhir_json_resource_limits, patching.now));
    for (i = 0; i < patch->nodes[0].count; i++) {
        FHIR_TRY(apply(&patching, &operations[i]));
    }
    *patched_length = patching.document->length;
    *patched = apr_pstrmemdup(pool, patching.document->text, *patched_length);
    apr_pool_destroy(patching.now);
    apr_pool_destroy(patching.following);
    return NULL;
}
