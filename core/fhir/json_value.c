/* Access to the values of a JSON document: members, decoded strings, places. */
#include "json_document.h"

#include "json_compare.h"
#include "json_text.h"

#include <string.h>

static const fhir_json_node_t *container(const fhir_json_document_t *document, int node)
{
    if (node < 0 || (document->nodes[node].kind != FHIR_JSON_OBJECT && document->nodes[node].kind != FHIR_JSON_ARRAY)) {
        return NULL;
    }
    return &document->nodes[node];
}

int fhir_json_first(const fhir_json_document_t *document, int node)
{
    const fhir_json_node_t *found = container(document, node);
    return found && found->count ? node + 1 : -1;
}

/* A string as sent, against plain text. Escapes only make longer what is sent. */
static int is_text(const char *string, apr_size_t length, const char *text)
{
    apr_size_t text_length = strlen(text);
    apr_size_t inner = length - 2;
    const char *decoded;
    char buffer[4];
    char *out;
    if (inner < text_length) {
        return 0;
    }
    if (inner == text_length) {
        return memcmp(string + 1, text, inner) == 0 && !memchr(text, '\\', text_length);
    }
    for (decoded = string + 1, string += length - 1; decoded < string;) {
        out = buffer;
        if (*decoded == '\\') {
            decoded = fhir_json_decode_escape(decoded, string, &out);
        } else {
            *out++ = *decoded++;
        }
        if (!decoded || strncmp(buffer, text, (size_t)(out - buffer)) != 0) {
            return 0;
        }
        text += out - buffer;
    }
    return *text == '\0';
}

int fhir_json_named(const fhir_json_document_t *document, int node, const char *name)
{
    const fhir_json_node_t *found = node < 0 ? NULL : &document->nodes[node];
    return found && found->key_length && is_text(document->text + found->key_offset, found->key_length, name);
}

int fhir_json_member(const fhir_json_document_t *document, int object, const char *name)
{
    int child =
        object >= 0 && document->nodes[object].kind == FHIR_JSON_OBJECT ? fhir_json_first(document, object) : -1;
    while (child >= 0 && !fhir_json_named(document, child, name)) {
        child = document->nodes[child].next;
    }
    return child;
}

static const char *decode(const char *string, apr_size_t length, apr_pool_t *pool)
{
    fhir_json_slice_t slice;
    if (!memchr(string, '\\', length)) {
        return apr_pstrmemdup(pool, string + 1, length - 2);
    }
    slice.text = string;
    slice.length = length;
    return fhir_json_decode(slice, pool);
}

const char *fhir_json_name(const fhir_json_document_t *document, int node, apr_pool_t *pool)
{
    const fhir_json_node_t *found = node < 0 ? NULL : &document->nodes[node];
    return found && found->key_length ? decode(document->text + found->key_offset, found->key_length, pool) : NULL;
}

const char *fhir_json_string(const fhir_json_document_t *document, int node, apr_pool_t *pool)
{
    const fhir_json_node_t *found = node < 0 ? NULL : &document->nodes[node];
    return found && found->kind == FHIR_JSON_STRING ? decode(document->text + found->offset, found->length, pool)
                                                    : NULL;
}

int fhir_json_equals(const fhir_json_document_t *document, int node, const char *text)
{
    const fhir_json_node_t *found = node < 0 ? NULL : &document->nodes[node];
    return found && found->kind == FHIR_JSON_STRING && is_text(document->text + found->offset, found->length, text);
}

const char *fhir_json_raw(const fhir_json_document_t *document, int node, apr_pool_t *pool)
{
    const fhir_json_node_t *found = node < 0 ? NULL : &document->nodes[node];
    return found ? apr_pstrmemdup(pool, document->text + found->offset, found->length) : NULL;
}

/* ---- Places ---- */

static int is_identifier(const char *name)
{
    const char *at = name;
    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_' ||
           (at > name && *at >= '0' && *at <= '9')) {
        at++;
    }
    return at > name && !*at;
}

/* Names that are no FHIRPath identifiers stand between backticks. */
static void add_step(fhir_text_t *path, const fhir_json_document_t *document, int node)
{
    const char *name = fhir_json_name(document, node, path->pool);
    if (!name) {
        fhir_text_addf(path, "[%u]", document->nodes[node].index);
        return;
    }
    if (path->length) {
        fhir_text_add(path, ".");
    }
    if (is_identifier(name)) {
        fhir_text_add(path, name);
        return;
    }
    fhir_text_add(path, "`");
    for (; *name; name++) {
        if (*name == '`' || *name == '\\') {
            fhir_text_add(path, "\\");
        }
        fhir_text_add_bytes(path, name, 1);
    }
    fhir_text_add(path, "`");
}

const char *fhir_json_path(const fhir_json_document_t *document, int node, const char *root, apr_pool_t *pool)
{
    fhir_text_t path;
    int *steps;
    int count = 0;
    int at;
    int i;
    fhir_text_init(&path, pool);
    fhir_text_add(&path, root);
    for (at = node; at > 0; at = document->nodes[at].parent) {
        count++;
    }
    steps = apr_palloc(pool, ((apr_size_t)count + 1) * sizeof(*steps));
    for (at = node, i = count; i > 0; at = document->nodes[at].parent) {
        steps[--i] = at;
    }
    for (i = 0; i < count; i++) {
        add_step(&path, document, steps[i]);
    }
    return path.text;
}
