/* Elements hidden and put back: the first line has their names with blanks between them, the rest is a resource. */
#include "core/fhir/element_names.h"
#include "core/fhir/resource_members.h"
#include "fuzz.h"

static const fhir_addresses_t addresses = {"http://localhost:8080/fhir/R4/", "http://localhost:8080/storage/"};

static apr_array_header_t *elements_of(char *line, apr_pool_t *pool)
{
    apr_array_header_t *elements = apr_array_make(pool, 4, sizeof(const char *));
    char *state = NULL;
    char *name = apr_strtok(line, " ", &state);
    for (; name; name = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(elements, const char *) = name;
    }
    return elements;
}

static const fhir_json_document_t *parse(const char *text, apr_pool_t *pool)
{
    const fhir_json_document_t *document = NULL;
    fhir_error_t *error = fhir_json_parse(&document, text, strlen(text), &fhir_json_resource_limits, pool);
    return error ? NULL : document;
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
        edit->text = "\"http://localhost:8080/storage/1/2?Signature=x\"";
    }
    return edits;
}

static const fhir_json_document_t *render(const fhir_resource_t *resource, const apr_array_header_t *edits,
                                          apr_pool_t *pool)
{
    const fhir_json_document_t *document;
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_resource_render(&json, resource, edits, NULL);
    document = parse(json.text, pool);
    FUZZ_CHECK(document);
    return document;
}

/* None of the elements is there, and each edit replaces what is a URL of ours. */
static void check_visible(const fhir_resource_t *visible, const apr_array_header_t *edits,
                          const apr_array_header_t *elements, apr_pool_t *pool)
{
    const fhir_json_document_t *document = parse(apr_pstrcat(pool, "{", visible->body, "}", NULL), pool);
    apr_size_t before = 0;
    int member;
    int i;
    FUZZ_CHECK(document && strlen(visible->body) == visible->body_length);
    for (member = fhir_json_first(document, 0); member >= 0; member = document->nodes[member].next) {
        const char *name = fhir_json_name(document, member, pool);
        FUZZ_CHECK(!fhir_element_listed(elements, visible->type, name, strlen(name)));
    }
    for (i = 0; i < edits->nelts; i++) {
        const fhir_body_edit_t *edit = &APR_ARRAY_IDX(edits, i, fhir_body_edit_t);
        FUZZ_CHECK(edit->offset >= before && edit->removed <= visible->body_length - edit->offset);
        FUZZ_CHECK(!strncmp(visible->body + edit->offset, "\"Binary/", 8) ||
                   memchr(visible->body + edit->offset, '\\', edit->removed));
        before = edit->offset + edit->removed;
    }
}

static void check_restored(const fhir_resource_t *visible, const fhir_resource_t *whole,
                           const fhir_store_resource_t *stored, const apr_array_header_t *elements, apr_pool_t *pool)
{
    fhir_prepare_t how = {.addresses = &addresses};
    fhir_store_resource_t again;
    fhir_sent_resource_t sent;
    fhir_sent_resource_t restored;
    FUZZ_CHECK(!fhir_resource_check(&sent, render(visible, NULL, pool), 0, whole->type, pool));
    FUZZ_CHECK(!fhir_resource_restore(&restored, &sent, whole, elements, pool));
    FUZZ_CHECK(!fhir_resource_prepare(&again, &restored, &how, pool));
    FUZZ_CHECK(!strcmp(again.meta, stored->meta) && again.body_length == stored->body_length);
    FUZZ_CHECK(fhir_json_same(again.document, 0, stored->document, 0, pool));
    /* Whoever may change nothing of it leaves nothing. */
    FUZZ_CHECK(!fhir_resource_check(&sent, render(whole, NULL, pool), 0, whole->type, pool));
    FUZZ_CHECK(!fhir_resource_restore(&restored, &sent, NULL, elements, pool));
    FUZZ_CHECK(!fhir_resource_prepare(&again, &restored, &how, pool));
    FUZZ_CHECK(again.body_length == visible->body_length && !strcmp(again.meta, visible->meta));
    FUZZ_CHECK(!strcmp(again.body, visible->body));
}

static void check_resource(const fhir_sent_resource_t *sent, const apr_array_header_t *elements, apr_pool_t *pool)
{
    fhir_prepare_t how = {.addresses = &addresses};
    fhir_store_resource_t stored;
    fhir_resource_t whole = {0};
    const fhir_resource_t *visible;
    apr_array_header_t *edits;
    FUZZ_CHECK(!fhir_resource_prepare(&stored, sent, &how, pool));
    edits = edits_of(&stored, pool);
    whole.type = sent->type;
    whole.id = "x";
    whole.version_id = "v";
    whole.change = FHIR_CHANGE_UPDATE;
    whole.meta = stored.meta;
    whole.body = stored.body;
    whole.body_length = stored.body_length;
    FUZZ_CHECK(!fhir_resource_hide(&visible, &edits, &whole, elements, pool));
    check_visible(visible, edits, elements, pool);
    render(visible, edits, pool);
    check_restored(visible, &whole, &stored, elements, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *line = fuzz_text(data, size);
    char *json = strchr(line, '\n');
    fhir_sent_resource_t sent;
    const fhir_json_document_t *document;
    if (json) {
        *json++ = '\0';
        document = parse(json, pool);
        if (document && !fhir_resource_check(&sent, document, 0, NULL, pool)) {
            check_resource(&sent, elements_of(line, pool), pool);
        }
    }
    free(line);
    apr_pool_destroy(pool);
    return 0;
}
