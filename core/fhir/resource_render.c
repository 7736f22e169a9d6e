/* A stored resource as the JSON that goes out: text put together, never parsed where the whole resource is asked for.
 */
#include "binary_members.h"
#include "json_text.h"
#include "resource.h"
#include "structure.h"

#include <apr_hash.h>
#include <string.h>

#define SUBSETTED_TAG                                                                                                  \
    "{\"system\":\"" FHIR_SUBSETTED_SYSTEM "\",\"code\":\"" FHIR_SUBSETTED_CODE                                        \
    "\",\"display\":\"Resource encoded in summary mode\"}"

/* ---- meta ---- */

/* `{...}` around stored members, to walk them. */
static fhir_json_slice_t in_braces(const char *members, apr_size_t length, apr_pool_t *pool)
{
    fhir_json_slice_t object;
    char *text = apr_palloc(pool, length + 3);
    text[0] = '{';
    memcpy(text + 1, members, length);
    memcpy(text + 1 + length, "}", 2);
    object.text = text;
    object.length = length + 2;
    return object;
}

/* Where in the members of meta the list of tags ends (its bracket); 0: there is none. */
static apr_size_t end_of_tags(int *is_empty, const char *meta, apr_pool_t *pool)
{
    fhir_json_slice_t object = in_braces(meta, strlen(meta), pool);
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    int walks = fhir_json_walk(&walk, object, '{');
    while (walks && fhir_json_next(&walk, &key, &value)) {
        const char *name = fhir_json_decode(key, pool);
        fhir_json_walk_t tags;
        fhir_json_slice_t tag;
        if (name && !strcmp(name, "tag") && fhir_json_walk(&tags, value, '[')) {
            *is_empty = !fhir_json_next(&tags, NULL, &tag);
            return (apr_size_t)(value.text - object.text) + value.length - 2;
        }
    }
    return 0;
}

static void add_subsetted_meta(fhir_text_t *json, const char *meta)
{
    int is_empty = 0;
    apr_size_t end = end_of_tags(&is_empty, meta, json->pool);
    if (end == 0) {
        fhir_text_add(json, ",\"tag\":[" SUBSETTED_TAG "]");
        fhir_text_add(json, *meta ? "," : "");
        fhir_text_add(json, meta);
        return;
    }
    fhir_text_add(json, ",");
    fhir_text_add_bytes(json, meta, end);
    fhir_text_add(json, is_empty ? "" : ",");
    fhir_text_add(json, SUBSETTED_TAG);
    fhir_text_add(json, meta + end);
}

static void add_head(fhir_text_t *json, const fhir_resource_t *resource, int subsetted)
{
    const char *meta = resource->meta ? resource->meta : "";
    fhir_text_add(json, "{\"resourceType\":");
    fhir_text_add_json_string(json, resource->type);
    fhir_text_add(json, ",\"id\":");
    fhir_text_add_json_string(json, resource->id);
    fhir_text_add(json, ",\"meta\":{\"versionId\":");
    fhir_text_add_json_string(json, resource->version_id);
    fhir_text_add(json, ",\"lastUpdated\":");
    fhir_text_add_json_string(json, fhir_instant(resource->last_updated, json->pool));
    if (subsetted) {
        add_subsetted_meta(json, meta);
    } else {
        fhir_text_add(json, *meta ? "," : "");
        fhir_text_add(json, meta);
    }
    fhir_text_add(json, "}");
}

/* ---- body ---- */

typedef struct splice_t {
    const char *body;
    const apr_array_header_t *edits; /* of fhir_body_edit_t, NULL: none */
    int next;                        /* the first edit that was not passed */
} splice_t;

/* The bytes of the body from `start` to `end`, edits that lie in them applied. */
static void add_spliced(fhir_text_t *json, splice_t *splice, apr_size_t start, apr_size_t end)
{
    int count = splice->edits ? splice->edits->nelts : 0;
    for (; splice->next < count; splice->next++) {
        const fhir_body_edit_t *edit = &APR_ARRAY_IDX(splice->edits, splice->next, fhir_body_edit_t);
        if (edit->offset >= end) {
            break;
        }
        if (edit->offset >= start && edit->removed <= end - edit->offset) {
            fhir_text_add_bytes(json, splice->body + start, edit->offset - start);
            fhir_text_add(json, edit->text);
            start = edit->offset + edit->removed;
        }
    }
    fhir_text_add_bytes(json, splice->body + start, end - start);
}

/* ---- views ---- */

/* A member of the body that stays. */
typedef struct kept_t {
    apr_size_t start;
    apr_size_t end;
} kept_t;

typedef struct selection_t {
    const fhir_resource_t *resource;
    fhir_summary_t summary;
    apr_hash_t *elements; /* names of _elements, NULL: all */
} selection_t;

/* `photo` is meant by `photo` and by `photo.url`: what is sent beyond the wish does no harm. */
static apr_hash_t *listed_elements(const char *elements, apr_pool_t *pool)
{
    apr_hash_t *names = apr_hash_make(pool);
    const char *at = elements;
    while (*(at += strspn(at, ", "))) {
        apr_hash_set(names, at, (apr_ssize_t)strcspn(at, ",. "), "");
        at += strcspn(at, ",");
    }
    return names;
}

/* `_status` goes with `status`. */
static int stays(const selection_t *selection, const char *name)
{
    const char *type = selection->resource->type;
    const char *element = name[0] == '_' ? name + 1 : name;
    if (selection->elements) {
        return apr_hash_get(selection->elements, element, APR_HASH_KEY_STRING) ||
               fhir_structure_mandatory(type, element);
    }
    switch (selection->summary) {
    case FHIR_SUMMARY_TRUE:
        return fhir_structure_in_summary(type, element) || fhir_structure_mandatory(type, element);
    case FHIR_SUMMARY_TEXT:
        return !strcmp(element, "text") || fhir_structure_mandatory(type, element);
    case FHIR_SUMMARY_DATA:
        return strcmp(element, "text") != 0;
    default:
        return 1;
    }
}

/* The members that stay, array of kept_t; NULL if that is all of them. */
static apr_array_header_t *kept_members(const fhir_resource_t *resource, apr_size_t length, const fhir_view_t *view,
                                        apr_pool_t *pool)
{
    fhir_json_slice_t object = in_braces(resource->body, length, pool);
    apr_array_header_t *kept = apr_array_make(pool, 16, sizeof(kept_t));
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    selection_t selection = {resource, view->summary, NULL};
    int walks = fhir_json_walk(&walk, object, '{');
    int dropped = 0;
    if (view->elements) {
        selection.elements = listed_elements(view->elements, pool);
    }
    while (walks && fhir_json_next(&walk, &key, &value)) {
        const char *name = fhir_json_decode(key, pool);
        if (!name || !stays(&selection, name)) {
            dropped = 1;
        } else {
            kept_t *member = apr_array_push(kept);
            member->start = (apr_size_t)(key.text - object.text) - 1;
            member->end = (apr_size_t)(value.text - object.text) + value.length - 1;
        }
    }
    return dropped ? kept : NULL;
}

static int is_whole(const fhir_view_t *view)
{
    return !view || (!view->elements && (view->summary == FHIR_SUMMARY_FALSE || view->summary == FHIR_SUMMARY_COUNT));
}

void fhir_resource_render(fhir_text_t *json, const fhir_resource_t *resource, const apr_array_header_t *edits,
                          const fhir_view_t *view)
{
    apr_size_t length = resource->body ? resource->body_length : 0;
    const apr_array_header_t *kept =
        is_whole(view) || length == 0 ? NULL : kept_members(resource, length, view, json->pool);
    splice_t splice = {resource->body, edits, 0};
    int i;
    add_head(json, resource, kept != NULL);
    if (!kept && length > 0) {
        fhir_text_add(json, ",");
        add_spliced(json, &splice, 0, length);
    }
    for (i = 0; kept && i < kept->nelts; i++) {
        const kept_t *member = &APR_ARRAY_IDX(kept, i, kept_t);
        fhir_text_add(json, ",");
        add_spliced(json, &splice, member->start, member->end);
    }
    fhir_text_add(json, "}");
}
