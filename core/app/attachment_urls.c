/* Stored attachment links -> signed URLs and the details that R4 knows of an Attachment (datatypes.html#Attachment). */
#include "attachment_urls.h"

#include "../base/text.h"
#include "access.h"
#include "presign.h"

#include <apr_strings.h>
#include <stdlib.h>

#define UNSIGNED_INT_MAX 2147483647 /* FHIR R4 datatypes.html#unsignedInt */

static void add_edit(apr_array_header_t *edits, int offset, int removed, const char *text)
{
    fhir_body_edit_t *edit = apr_array_push(edits);
    edit->offset = (apr_size_t)offset;
    edit->removed = (apr_size_t)removed;
    edit->text = text;
}

static void add_member(fhir_text_t *json, const char *name, const char *value)
{
    fhir_text_addf(json, ",\"%s\":", name);
    fhir_text_add_json_string(json, value);
}

/* What the client gave stays: it may speak of another moment than ours. */
static const char *missing_members(const fhir_attachment_t *link, const fhir_binary_t *binary, apr_pool_t *pool)
{
    const fhir_content_t *content = binary->content;
    fhir_text_t json;
    fhir_text_init(&json, pool);
    if (!(link->present & FHIR_ATTACHMENT_CONTENT_TYPE) && binary->content_type) {
        add_member(&json, "contentType", binary->content_type);
    }
    if (!(link->present & FHIR_ATTACHMENT_SIZE) && content && content->size <= UNSIGNED_INT_MAX) {
        fhir_text_addf(&json, ",\"size\":%" APR_OFF_T_FMT, content->size);
    }
    if (!(link->present & FHIR_ATTACHMENT_HASH) && content) {
        add_member(&json, "hash", fhir_base64_encode(content->sha1, sizeof(content->sha1), pool));
    }
    if (!(link->present & FHIR_ATTACHMENT_TITLE) && binary->filename) {
        add_member(&json, "title", binary->filename);
    }
    if (!(link->present & FHIR_ATTACHMENT_CREATION) && content) {
        add_member(&json, "creation", fhir_instant(binary->last_updated, pool));
    }
    return json.length > 0 ? json.text : NULL;
}

static const char *quoted(const char *url, apr_pool_t *pool)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_text_add_json_string(&json, url);
    return json.text;
}

static void edit_attachment(apr_array_header_t *edits, const fhir_attachment_facts_t *facts,
                            const fhir_presigner_t *presigner)
{
    const fhir_exchange_t *exchange = presigner->exchange;
    const fhir_attachment_t *link = &facts->link;
    const char *members;
    add_edit(edits, link->url_offset, link->url_length,
             quoted(fhir_presigner_read_url(presigner, facts->version), exchange->pool));
    members = exchange->settings->fill_attachments ? missing_members(link, facts->version, exchange->pool) : NULL;
    if (members) {
        add_edit(edits, link->end_offset, 0, members);
    }
}

static int is_there(const fhir_attachment_facts_t *facts)
{
    return facts->current && facts->current->change != FHIR_CHANGE_DELETE && facts->version &&
           facts->version->change != FHIR_CHANGE_DELETE;
}

/* Of each link: may the Binary be read, as it is now and as the link pins it? */
static fhir_error_t *find_readable(const int **readable, const fhir_exchange_t *exchange,
                                   const fhir_membership_t *membership, const apr_array_header_t *links)
{
    apr_size_t count = (apr_size_t)links->nelts;
    const fhir_binary_t **binaries = apr_pcalloc(exchange->pool, sizeof(*binaries) * (2 * count + 1));
    int *answers = apr_pcalloc(exchange->pool, sizeof(*answers) * (2 * count + 1));
    apr_size_t i;
    for (i = 0; i < count; i++) {
        const fhir_attachment_facts_t *facts = &APR_ARRAY_IDX(links, i, fhir_attachment_facts_t);
        if (is_there(facts)) {
            binaries[i] = facts->current;
            binaries[count + i] = facts->version;
        }
    }
    FHIR_TRY(fhir_may_read_binaries(answers, exchange, membership, binaries, (int)(2 * count)));
    for (i = 0; i < count; i++) {
        answers[i] = answers[i] && answers[count + i];
    }
    *readable = answers;
    return NULL;
}

static int by_offset(const void *a, const void *b)
{
    const fhir_body_edit_t *left = a;
    const fhir_body_edit_t *right = b;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* An Attachment may hold another one in an extension: its own end comes after the inner one's. */
static void sort_edits(apr_array_header_t *edits)
{
    qsort(edits->elts, (size_t)edits->nelts, sizeof(fhir_body_edit_t), by_offset);
}

static int has_attachments(const apr_array_header_t *resources)
{
    int i;
    for (i = 0; i < resources->nelts; i++) {
        if (APR_ARRAY_IDX(resources, i, const fhir_resource_t *)->attachment_count > 0) {
            return 1;
        }
    }
    return 0;
}

static apr_array_header_t **slots(apr_array_header_t **edits, int count, apr_pool_t *pool)
{
    *edits = apr_array_make(pool, count, sizeof(apr_array_header_t *));
    (*edits)->nelts = count;
    return (apr_array_header_t **)(void *)(*edits)->elts;
}

fhir_error_t *fhir_attachment_edits(apr_array_header_t **edits, const fhir_exchange_t *exchange,
                                    const fhir_membership_t *membership, const apr_array_header_t *resources)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    apr_array_header_t **of_resource = slots(edits, resources->nelts, exchange->pool);
    apr_array_header_t *found;
    fhir_presigner_t presigner;
    const int *readable;
    int i;
    if (!has_attachments(resources)) {
        return NULL;
    }
    FHIR_TRY(fhir_presigner_init(&presigner, exchange, membership->id));
    FHIR_TRY(fhir_meta_load_attachments(&found, exchange->app->meta, membership->project_id, resources, &call));
    FHIR_TRY(find_readable(&readable, exchange, membership, found));
    for (i = 0; i < found->nelts; i++) {
        const fhir_attachment_facts_t *facts = &APR_ARRAY_IDX(found, i, fhir_attachment_facts_t);
        if (readable[i]) {
            if (!of_resource[facts->resource]) {
                of_resource[facts->resource] = apr_array_make(exchange->pool, 8, sizeof(fhir_body_edit_t));
            }
            edit_attachment(of_resource[facts->resource], facts, &presigner);
        }
    }
    for (i = 0; i < resources->nelts; i++) {
        if (of_resource[i]) {
            sort_edits(of_resource[i]);
        }
    }
    return NULL;
}
