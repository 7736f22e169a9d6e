/* A resource on its way in and out: checked, prepared, rendered with signed URLs and in views, and read again. */
#include "core/fhir/resource.h"
#include "fuzz.h"

#include <apr_tables.h>

static const fhir_addresses_t addresses = {"http://localhost:8080/fhir/R4/", "http://localhost:8080/storage/"};

static const fhir_json_document_t *parse(const char *text, size_t size, apr_pool_t *pool)
{
    const fhir_json_document_t *document = NULL;
    fhir_error_t *error = fhir_json_parse(&document, text, size, &fhir_json_resource_limits, pool);
    FUZZ_CHECK(!error || (error->code == FHIR_ERROR_INVALID && *error->public_text));
    return error ? NULL : document;
}

static const char *resolve(void *baton, const char *value)
{
    (void)baton;
    return strncmp(value, "urn:", 4) ? NULL : "Patient/\"1\"&";
}

static void check_attachments(const fhir_store_resource_t *stored, apr_pool_t *pool)
{
    int before = -1;
    int i;
    FUZZ_CHECK(stored->document->length == stored->body_length + 2);
    FUZZ_CHECK(!memcmp(stored->document->text + 1, stored->body, stored->body_length));
    for (i = 0; i < stored->attachments->nelts; i++) {
        const fhir_attachment_t *found = &APR_ARRAY_IDX(stored->attachments, i, fhir_attachment_t);
        const fhir_json_document_t *url;
        FUZZ_CHECK(found->url_offset > before && found->url_length > 2);
        FUZZ_CHECK((size_t)found->url_offset + (size_t)found->url_length < stored->body_length);
        FUZZ_CHECK((size_t)found->end_offset < stored->body_length && stored->body[found->end_offset] == '}');
        FUZZ_CHECK(fhir_id_valid(found->binary_id));
        url = parse(stored->body + found->url_offset, (size_t)found->url_length, pool);
        FUZZ_CHECK(url && fhir_json_equals(url, 0,
                                           apr_pstrcat(pool, "Binary/", found->binary_id,
                                                       found->binary_version_id ? "/_history/" : NULL,
                                                       found->binary_version_id, NULL)));
        before = found->url_offset;
    }
}

static int is_ours(const fhir_json_document_t *document, int member)
{
    return fhir_json_named(document, member, "resourceType") || fhir_json_named(document, member, "id") ||
           fhir_json_named(document, member, "meta");
}

/* An Attachment.url may differ: then it named one of ours before, and does now. */
static void same_token(const fhir_json_document_t *sent, int one, const fhir_json_document_t *stored, int other,
                       apr_pool_t *pool)
{
    const char *before = fhir_json_raw(sent, one, pool);
    const char *after = fhir_json_raw(stored, other, pool);
    const char *id;
    const char *version;
    FUZZ_CHECK(sent->nodes[one].kind == stored->nodes[other].kind);
    if (sent->nodes[one].count == 0 && strcmp(before, after) != 0) {
        FUZZ_CHECK(fhir_json_named(sent, one, "url"));
        FUZZ_CHECK(fhir_attachment_url(&id, &version, &version, &addresses, fhir_json_string(sent, one, pool), pool));
        FUZZ_CHECK(!strncmp(after, "\"Binary/", 8));
    }
}

/* Token by token, the server's own members aside. */
static void same_tokens(const fhir_json_document_t *sent, const fhir_json_document_t *stored, apr_pool_t *pool)
{
    int one = 1;
    int other = 1;
    while (one < sent->count) {
        if (sent->nodes[one].parent == 0 && is_ours(sent, one)) {
            one = sent->nodes[one].next < 0 ? sent->count : sent->nodes[one].next;
            continue;
        }
        FUZZ_CHECK(other < stored->count);
        same_token(sent, one++, stored, other++, pool);
    }
    FUZZ_CHECK(other == stored->count);
}

static apr_array_header_t *edits_of(const fhir_store_resource_t *stored, apr_pool_t *pool)
{
    apr_array_header_t *edits = apr_array_make(pool, 4, sizeof(fhir_body_edit_t));
    int i;
    for (i = 0; i < stored->attachments->nelts; i++) {
        const fhir_attachment_t *found = &APR_ARRAY_IDX(stored->attachments, i, fhir_attachment_t);
        fhir_body_edit_t *edit = apr_array_push(edits);
        edit->offset = (size_t)found->url_offset;
        edit->removed = (size_t)found->url_length;
        edit->text = apr_psprintf(pool, "\"%s%s/1?Signature=x\"", addresses.storage_base_url, found->binary_id);
    }
    return edits;
}

static const fhir_json_document_t *render(const fhir_sent_resource_t *sent, const fhir_store_resource_t *stored,
                                          const apr_array_header_t *edits, const fhir_view_t *view, apr_pool_t *pool)
{
    const fhir_json_document_t *document;
    fhir_resource_t resource = {0};
    fhir_text_t json;
    resource.type = sent->type;
    resource.id = sent->id ? sent->id : "x";
    resource.version_id = "v";
    resource.meta = stored->meta;
    resource.body = stored->body;
    resource.body_length = stored->body_length;
    fhir_text_init(&json, pool);
    fhir_resource_render(&json, &resource, edits, view);
    document = parse(json.text, json.length, pool);
    FUZZ_CHECK(document);
    FUZZ_CHECK(fhir_json_equals(document, fhir_json_member(document, 0, "id"), resource.id));
    return document;
}

static void check_views(const fhir_sent_resource_t *sent, const fhir_store_resource_t *stored,
                        const apr_array_header_t *edits, apr_pool_t *pool)
{
    fhir_view_t view = {FHIR_SUMMARY_FALSE, "photo,content,extension"};
    render(sent, stored, edits, &view, pool);
    view.elements = NULL;
    for (view.summary = FHIR_SUMMARY_TRUE; view.summary <= FHIR_SUMMARY_COUNT; view.summary++) {
        render(sent, stored, edits, &view, pool);
    }
}

/* What is read and written back has the same Binaries and the same tokens, the pins aside. */
static void round_trip(const fhir_sent_resource_t *sent, const fhir_store_resource_t *stored,
                       const apr_array_header_t *edits, apr_pool_t *pool)
{
    fhir_prepare_t how = {.addresses = &addresses};
    fhir_store_resource_t again;
    fhir_sent_resource_t read;
    FUZZ_CHECK(!fhir_resource_check(&read, render(sent, stored, NULL, NULL, pool), 0, sent->type, pool));
    FUZZ_CHECK(!fhir_resource_prepare(&again, &read, &how, pool));
    FUZZ_CHECK(!strcmp(again.body, stored->body) && !strcmp(again.meta, stored->meta));
    FUZZ_CHECK(!fhir_resource_check(&read, render(sent, stored, edits, NULL, pool), 0, sent->type, pool));
    FUZZ_CHECK(!fhir_resource_prepare(&again, &read, &how, pool));
    FUZZ_CHECK(again.attachments->nelts == stored->attachments->nelts);
    check_attachments(&again, pool);
}

static void check_resource(const fhir_sent_resource_t *sent, apr_pool_t *pool)
{
    fhir_prepare_t how = {.addresses = &addresses};
    fhir_store_resource_t stored;
    fhir_store_resource_t resolved;
    const apr_array_header_t *edits;
    FUZZ_CHECK(!fhir_resource_prepare(&stored, sent, &how, pool));
    check_attachments(&stored, pool);
    same_tokens(sent->document, stored.document, pool);
    edits = edits_of(&stored, pool);
    check_views(sent, &stored, edits, pool);
    round_trip(sent, &stored, edits, pool);
    how.resolve = resolve;
    FUZZ_CHECK(!fhir_resource_prepare(&resolved, sent, &how, pool));
    check_attachments(&resolved, pool);
    render(sent, &resolved, NULL, NULL, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    const fhir_json_document_t *document = parse((const char *)data, size, pool);
    fhir_sent_resource_t sent;
    fhir_error_t *error = document ? fhir_resource_check(&sent, document, 0, NULL, pool) : NULL;
    if (error) {
        FUZZ_CHECK(error->code == FHIR_ERROR_INVALID && error->expression);
        FUZZ_CHECK(fhir_utf8_valid(error->public_text, strlen(error->public_text)));
    } else if (document) {
        check_resource(&sent, pool);
    }
    apr_pool_destroy(pool);
    return 0;
}
