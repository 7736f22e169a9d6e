/* From what a client sent to what is stored: values that change are edited in the text, then the server's own members
 * are left out. */
#include "narrative_links.h"
#include "resource.h"
#include "resource_walk.h"

#include <stdlib.h>
#include <string.h>

/* JSON instead of a value of the sent document. */
typedef struct change_t {
    unsigned offset;
    unsigned length;
    const char *json;
} change_t;

typedef struct prepare_t {
    const fhir_sent_resource_t *sent;
    const fhir_prepare_t *how;
    apr_array_header_t *changes; /* of change_t, in the order of the text */
    apr_pool_t *pool;
} prepare_t;

/* ---- what changes ---- */

static const char *json_string(const char *text, apr_pool_t *pool)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_text_add_json_string(&json, text);
    return json.text;
}

/* A value that says the same already keeps its notation. */
static void change(prepare_t *prepare, int node, const char *value)
{
    const fhir_json_document_t *document = prepare->sent->document;
    change_t *made;
    if (!value || fhir_json_equals(document, node, value)) {
        return;
    }
    made = apr_array_push(prepare->changes);
    made->offset = document->nodes[node].offset;
    made->length = document->nodes[node].length;
    made->json = json_string(value, prepare->pool);
}

static const char *resolve(const prepare_t *prepare, const char *value)
{
    return prepare->how->resolve ? prepare->how->resolve(prepare->how->resolve_baton, value) : NULL;
}

static const char *resolve_reference(const prepare_t *prepare, const char *value)
{
    const fhir_prepare_t *how = prepare->how;
    return how->resolve_reference ? how->resolve_reference(how->resolve_baton, value) : resolve(prepare, value);
}

static int keeps_pin(const fhir_prepare_t *how, const char *id, const char *version)
{
    return version && how->pinned && how->pinned(how->pinned_baton, id, version);
}

/* `Binary/{id}` if the URL names a Binary, else what it was resolved to. */
static const char *attachment_url(const prepare_t *prepare, const char *sent)
{
    const char *resolved = resolve(prepare, sent);
    const char *url = resolved ? resolved : sent;
    const char *id;
    const char *pin;
    const char *signed_version;
    if (!fhir_attachment_url(&id, &pin, &signed_version, prepare->how->addresses, url, prepare->pool)) {
        return url;
    }
    if (keeps_pin(prepare->how, id, signed_version)) {
        pin = signed_version;
    }
    return apr_pstrcat(prepare->pool, "Binary/", id, pin ? "/_history/" : NULL, pin, NULL);
}

/* What stands there instead, NULL: what was sent. */
static const char *new_value(const prepare_t *prepare, const fhir_place_t *place, const char *sent)
{
    if (fhir_place_is(place, FHIR_ELEMENT_ATTACHMENT, "url")) {
        return attachment_url(prepare, sent);
    }
    if (fhir_place_is(place, FHIR_ELEMENT_REFERENCE, "reference")) {
        return resolve_reference(prepare, sent);
    }
    if (place->kind == FHIR_ELEMENT_URL) {
        return resolve(prepare, sent);
    }
    return prepare->how->resolve
               ? fhir_narrative_resolve(sent, prepare->how->resolve, prepare->how->resolve_baton, prepare->pool)
               : NULL;
}

static fhir_error_t *change_place(void *baton, const fhir_place_t *place)
{
    prepare_t *prepare = baton;
    int has_link = place->kind == FHIR_ELEMENT_URL || fhir_place_is(place, FHIR_ELEMENT_REFERENCE, "reference") ||
                   fhir_place_is(place, FHIR_ELEMENT_NARRATIVE, "div");
    const char *sent = has_link ? fhir_json_string(prepare->sent->document, place->node, prepare->pool) : NULL;
    if (sent) {
        change(prepare, place->node, new_value(prepare, place, sent));
    }
    return NULL;
}

/* ---- what is left ---- */

/* Copies the text from `start` to `end` with its changes. *next is the first of them that was not passed. */
static void copy(fhir_text_t *text, const prepare_t *prepare, unsigned start, unsigned end, int *next)
{
    const char *sent = prepare->sent->document->text;
    for (; *next < prepare->changes->nelts; (*next)++) {
        const change_t *made = &APR_ARRAY_IDX(prepare->changes, *next, change_t);
        if (made->offset >= end) {
            break;
        }
        if (made->offset >= start) {
            fhir_text_add_bytes(text, sent + start, made->offset - start);
            fhir_text_add(text, made->json);
            start = made->offset + made->length;
        }
    }
    fhir_text_add_bytes(text, sent + start, end - start);
}

static int is_one_of(const fhir_json_document_t *document, int member, const char *const *names)
{
    while (*names && !fhir_json_named(document, member, *names)) {
        names++;
    }
    return *names != NULL;
}

/* The members of an object but those `without`. */
static void copy_members(fhir_text_t *text, const prepare_t *prepare, int object, const char *const *without)
{
    const fhir_json_document_t *document = prepare->sent->document;
    apr_size_t start = text->length;
    int next = 0;
    int member;
    for (member = fhir_json_first(document, object); member >= 0; member = document->nodes[member].next) {
        const fhir_json_node_t *node = &document->nodes[member];
        if (!is_one_of(document, member, without)) {
            fhir_text_add(text, text->length > start ? "," : "");
            copy(text, prepare, node->key_offset, node->offset + node->length, &next);
        }
    }
}

static const char *meta_of(const prepare_t *prepare)
{
    static const char *const OURS[] = {"versionId", "lastUpdated", NULL};
    int meta = fhir_json_member(prepare->sent->document, prepare->sent->root, "meta");
    fhir_text_t text;
    if (meta < 0) {
        return "";
    }
    fhir_text_init(&text, prepare->pool);
    copy_members(&text, prepare, meta, OURS);
    return text.text;
}

/* ---- the attachments of what is stored ---- */

typedef struct collect_t {
    const fhir_json_document_t *document;
    const char *type;
    const fhir_addresses_t *addresses;
    apr_array_header_t *attachments;
    int most; /* 0: any number */
    apr_pool_t *pool;
} collect_t;

static int present_of(const fhir_json_document_t *document, int attachment)
{
    static const struct {
        const char *name;
        int bit;
    } MEMBERS[] = {{"contentType", FHIR_ATTACHMENT_CONTENT_TYPE},
                   {"size", FHIR_ATTACHMENT_SIZE},
                   {"hash", FHIR_ATTACHMENT_HASH},
                   {"title", FHIR_ATTACHMENT_TITLE},
                   {"creation", FHIR_ATTACHMENT_CREATION}};
    int present = 0;
    apr_size_t i;
    for (i = 0; i < sizeof(MEMBERS) / sizeof(MEMBERS[0]); i++) {
        present |= fhir_json_member(document, attachment, MEMBERS[i].name) >= 0 ? MEMBERS[i].bit : 0;
    }
    return present;
}

static fhir_error_t *too_many(const collect_t *collect)
{
    return fhir_error_public(collect->pool, FHIR_ERROR_TOO_LARGE,
                             "A resource may have %d attachments that name Binaries here. Send several resources.",
                             collect->most);
}

/* Offsets are those of the body, which lies behind the document's brace. */
static fhir_error_t *collect_place(void *baton, const fhir_place_t *place)
{
    collect_t *collect = baton;
    const fhir_json_node_t *nodes = collect->document->nodes;
    fhir_attachment_t found = {0};
    const char *signed_version;
    const char *value;
    int url;
    if (place->kind != FHIR_ELEMENT_ATTACHMENT) {
        return NULL;
    }
    url = fhir_json_member(collect->document, place->node, "url");
    value = fhir_json_string(collect->document, url, collect->pool);
    if (!value || !fhir_attachment_url(&found.binary_id, &found.binary_version_id, &signed_version, collect->addresses,
                                       value, collect->pool)) {
        return NULL;
    }
    if (collect->most && collect->attachments->nelts >= collect->most) {
        return too_many(collect);
    }
    found.path = fhir_json_path(collect->document, place->node, collect->type, collect->pool);
    found.url_offset = (int)nodes[url].offset - 1;
    found.url_length = (int)nodes[url].length;
    found.end_offset = (int)(nodes[place->node].offset + nodes[place->node].length) - 2;
    found.present = present_of(collect->document, place->node);
    APR_ARRAY_PUSH(collect->attachments, fhir_attachment_t) = found;
    return NULL;
}

/* An attachment inside an attachment (an extension of it) may end before, yet begin behind the outer one's url. */
static int compare_offsets(const void *one, const void *other)
{
    int first = ((const fhir_attachment_t *)one)->url_offset;
    int second = ((const fhir_attachment_t *)other)->url_offset;
    return (first > second) - (first < second);
}

static fhir_error_t *collect_attachments(fhir_store_resource_t *stored, const prepare_t *prepare)
{
    collect_t collect = {stored->document,    prepare->sent->type,           prepare->how->addresses,
                         stored->attachments, prepare->how->attachments_max, prepare->pool};
    FHIR_TRY(fhir_resource_walk(stored->document, 0, prepare->sent->type, collect_place, &collect, prepare->pool));
    qsort(stored->attachments->elts, (size_t)stored->attachments->nelts, sizeof(fhir_attachment_t), compare_offsets);
    return NULL;
}

fhir_error_t *fhir_resource_prepare(fhir_store_resource_t *stored, const fhir_sent_resource_t *sent,
                                    const fhir_prepare_t *how, apr_pool_t *pool)
{
    static const char *const OURS[] = {"resourceType", "id", "meta", NULL};
    prepare_t prepare = {sent, how, apr_array_make(pool, 16, sizeof(change_t)), pool};
    fhir_text_t text;
    FHIR_TRY(fhir_resource_walk(sent->document, sent->root, sent->type, change_place, &prepare, pool));
    fhir_text_init(&text, pool);
    fhir_text_add(&text, "{");
    copy_members(&text, &prepare, sent->root, OURS);
    stored->meta = meta_of(&prepare);
    stored->body_length = text.length - 1;
    stored->body = apr_pstrmemdup(pool, text.text + 1, stored->body_length);
    fhir_text_add(&text, "}");
    stored->attachments = apr_array_make(pool, 4, sizeof(fhir_attachment_t));
    FHIR_TRY(fhir_json_parse(&stored->document, text.text, text.length, &fhir_json_resource_limits, pool));
    return collect_attachments(stored, &prepare);
}
