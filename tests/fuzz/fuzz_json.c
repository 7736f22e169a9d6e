/* JSON documents, edits and patches. Input: a document, then perhaps a line of three hyphens and a JSON Patch for it.
 * Two readers of ours must agree on what JSON is; what edits and patches make must be JSON again. */
#include "core/fhir/json_document.h"
#include "core/fhir/json_edit.h"
#include "core/fhir/json_patch.h"
#include "core/fhir/json_stream.h"
#include "fuzz.h"

#define SEPARATOR "\n---\n"
#define LIMIT (1 << 18)

static fhir_error_t *ignore_event(void *baton, const fhir_json_event_t *event)
{
    (void)baton;
    (void)event;
    return NULL;
}

static int stream_accepts(const char *text, size_t length, apr_pool_t *pool)
{
    static const fhir_json_options_t options = {"The input", NULL, FHIR_JSON_DEPTH_MAX, (apr_size_t)1 << 30, 0};
    fhir_json_stream_t *stream;
    fhir_json_stream_create(&stream, &options, ignore_event, NULL, pool);
    return !fhir_json_stream_feed(stream, text, length) && !fhir_json_stream_finish(stream);
}

static const fhir_json_document_t *parse(const char *text, apr_size_t length, apr_pool_t *pool)
{
    const fhir_json_document_t *document = NULL;
    return fhir_json_parse(&document, text, length, &fhir_json_resource_limits, pool) ? NULL : document;
}

/* Applies the edits and parses what came out. */
static const fhir_json_document_t *applied(const fhir_json_edits_t *edits, apr_pool_t *pool)
{
    const fhir_json_document_t *document;
    const char *text;
    apr_size_t length;
    FUZZ_CHECK(!fhir_json_edits_apply(&text, &length, edits));
    document = parse(text, length, pool);
    FUZZ_CHECK(document != NULL);
    return document;
}

static void check_nodes(const fhir_json_document_t *document, apr_pool_t *pool)
{
    int step = document->count / 50 + 1;
    int i;
    for (i = 0; i < document->count; i += step) {
        const fhir_json_node_t *node = &document->nodes[i];
        const char *path = fhir_json_path(document, i, "Root", pool);
        const char *name = fhir_json_name(document, i, pool);
        const char *string = fhir_json_string(document, i, pool);
        FUZZ_CHECK(path[0] == 'R' && node->length > 0 && node->offset + node->length <= document->length);
        FUZZ_CHECK(!string || fhir_json_equals(document, i, string));
        FUZZ_CHECK(!name ||
                   (fhir_json_named(document, i, name) && fhir_json_member(document, node->parent, name) == i));
        FUZZ_CHECK(fhir_json_same(document, i, document, i, pool));
    }
}

/* No edits: the same bytes. */
static void check_no_edits(const fhir_json_document_t *document, apr_pool_t *pool)
{
    const char *text;
    apr_size_t length;
    FUZZ_CHECK(!fhir_json_edits_apply(&text, &length, fhir_json_edits_create(document, pool)));
    FUZZ_CHECK(length == document->length && memcmp(text, document->text, length) == 0);
}

/* Some children of the root go, one changes, one comes: chosen by the text's own bytes. */
static void check_edits(const fhir_json_document_t *document, apr_pool_t *pool)
{
    fhir_json_edits_t *edits = fhir_json_edits_create(document, pool);
    const fhir_json_document_t *edited;
    int child = fhir_json_first(document, 0);
    int removed = 0;
    int i;
    if (document->nodes[0].kind != FHIR_JSON_OBJECT && document->nodes[0].kind != FHIR_JSON_ARRAY) {
        return;
    }
    for (i = 0; child >= 0; i++, child = document->nodes[child].next) {
        int choice = (i * 7 + document->text[document->length / 2]) % 3;
        removed += choice == 0;
        if (choice == 0) {
            fhir_json_edit_remove(edits, child);
        } else if (choice == 1) {
            fhir_json_edit_replace(edits, child, "[0.10]");
        }
    }
    if (document->nodes[0].kind == FHIR_JSON_ARRAY) {
        fhir_json_edit_insert_item(edits, 0, i / 2, "\"new\"");
        edited = applied(edits, pool);
        FUZZ_CHECK(edited->nodes[0].count == i - removed + 1);
    } else if (fhir_json_member(document, 0, "new") < 0) {
        fhir_json_edit_add_member(edits, 0, "new", "1E400");
        edited = applied(edits, pool);
        FUZZ_CHECK(edited->nodes[0].count == i - removed + 1);
        FUZZ_CHECK(strcmp(fhir_json_raw(edited, fhir_json_member(edited, 0, "new"), pool), "1E400") == 0);
    }
}

static void check_patch(const char *text, size_t length, const fhir_json_document_t *patch, apr_pool_t *pool)
{
    const char *patched = NULL;
    apr_size_t patched_length = 0;
    fhir_error_t *error = fhir_json_patch(&patched, &patched_length, text, length, patch, LIMIT, pool);
    if (!error) {
        FUZZ_CHECK(parse(patched, patched_length, pool) != NULL);
        FUZZ_CHECK(patch->nodes[0].count == 0 || patched_length <= LIMIT || patched_length == length);
        return;
    }
    FUZZ_CHECK(error->code == FHIR_ERROR_INVALID || error->code == FHIR_ERROR_UNPROCESSABLE ||
               error->code == FHIR_ERROR_TOO_LARGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    const char *separator = size ? memmem(data, size, SEPARATOR, strlen(SEPARATOR)) : NULL;
    size_t length = separator ? (size_t)(separator - (const char *)data) : size;
    char *text = malloc(length ? length : 1);
    const fhir_json_document_t *document;
    if (!text) {
        abort();
    }
    if (length) {
        memcpy(text, data, length);
    }
    document = parse(text, length, pool);
    FUZZ_CHECK((document != NULL) == stream_accepts(text, length, pool));
    if (document) {
        check_nodes(document, pool);
        check_no_edits(document, pool);
        check_edits(document, pool);
    }
    if (separator) {
        const char *rest = separator + strlen(SEPARATOR);
        const fhir_json_document_t *patch = parse(rest, size - length - strlen(SEPARATOR), pool);
        if (patch) {
            check_patch(text, length, patch, pool);
        }
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
