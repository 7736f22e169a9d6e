/* Checks the members of a Binary and keeps what must come back as it was sent. */
#include "binary_members.h"

#include "datatype_check.h"

#include <string.h>

void fhir_binary_members_init(fhir_binary_members_t *members, apr_pool_t *pool)
{
    memset(members, 0, sizeof(*members));
    members->pool = pool;
    fhir_text_init(&members->elements, pool);
}

static fhir_error_t *refuse(apr_pool_t *pool, const char *name, const char *sentence)
{
    fhir_error_t *error = fhir_error_create(pool, FHIR_ERROR_INVALID, APR_SUCCESS, sentence, NULL);
    error->expression = apr_pstrcat(pool, "Binary.", name, NULL);
    return error;
}

/* ---- Names ---- */

static int find_element(fhir_element_t *element, const char *name)
{
    return fhir_datatype_element(element, fhir_datatype_find("Binary"), name);
}

int fhir_binary_member_known(const char *name)
{
    fhir_element_t element;
    if (!strcmp(name, "resourceType") || !strcmp(name, "url")) {
        return 1;
    }
    return find_element(&element, name + (*name == '_')) &&
           (*name != '_' || fhir_primitive_of(element.type) != FHIR_PRIMITIVE_NONE);
}

fhir_error_t *fhir_binary_member_unknown(const char *name, apr_pool_t *pool)
{
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    const char *sentence = "A Binary has no such element; it has id, meta, implicitRules, language, contentType, "
                           "securityContext and data.";
    if (!*name || strlen(name) > 64 || strspn(name, ALLOWED) != strlen(name)) {
        fhir_error_t *error = fhir_error_create(pool, FHIR_ERROR_INVALID, APR_SUCCESS, sentence, NULL);
        error->expression = "Binary";
        return error;
    }
    return refuse(pool, name, apr_pstrcat(pool, "\"", name, "\": ", sentence, NULL));
}

/* ---- What is kept ---- */

static void keep(fhir_text_t *to, const char *name, fhir_json_slice_t json)
{
    if (to->length) {
        fhir_text_add(to, ",");
    }
    fhir_text_add_json_string(to, name);
    fhir_text_add(to, ":");
    fhir_text_add_bytes(to, json.text, json.length);
}

static int member_is(fhir_json_slice_t object, const char *name, const char *expected, apr_pool_t *pool)
{
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    int found = 0;
    if (!fhir_json_walk(&walk, object, '{')) {
        return 0;
    }
    while (fhir_json_next(&walk, &key, &value)) {
        const char *decoded = fhir_json_decode(key, pool);
        if (decoded && !strcmp(decoded, name)) {
            const char *string = fhir_json_decode(value, pool);
            found = string && !strcmp(string, expected);
        }
    }
    return found;
}

static int is_subsetted_tag(fhir_json_slice_t tag, apr_pool_t *pool)
{
    return member_is(tag, "code", FHIR_SUBSETTED_CODE, pool) && member_is(tag, "system", FHIR_SUBSETTED_SYSTEM, pool);
}

/* The tags without ours, as a list; empty text if none is left. */
static void keep_tags(fhir_text_t *meta, fhir_json_slice_t tags, apr_pool_t *pool)
{
    fhir_json_walk_t walk;
    fhir_json_slice_t tag;
    fhir_text_t kept;
    fhir_text_init(&kept, pool);
    if (!fhir_json_walk(&walk, tags, '[')) {
        return;
    }
    while (fhir_json_next(&walk, NULL, &tag)) {
        if (!is_subsetted_tag(tag, pool)) {
            fhir_text_add(&kept, kept.length ? "," : "[");
            fhir_text_add_bytes(&kept, tag.text, tag.length);
        }
    }
    if (kept.length) {
        fhir_text_add(&kept, "]");
        keep(meta, "tag", fhir_json_slice(kept.text));
    }
}

/* versionId and lastUpdated are the server's to say (http.html#create). */
static int is_server_element(const char *name)
{
    name += *name == '_';
    return !strcmp(name, "versionId") || !strcmp(name, "lastUpdated");
}

static void keep_meta(fhir_binary_members_t *members, fhir_json_slice_t json)
{
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    fhir_text_t meta;
    fhir_text_init(&meta, members->pool);
    if (!fhir_json_walk(&walk, json, '{')) {
        return;
    }
    while (fhir_json_next(&walk, &key, &value)) {
        const char *name = fhir_json_decode(key, members->pool);
        if (name && !strcmp(name, "tag")) {
            keep_tags(&meta, value, members->pool);
        } else if (name && !is_server_element(name)) {
            keep(&meta, name, value);
        }
    }
    if (meta.length) {
        keep(&members->elements, "meta", fhir_json_slice(apr_pstrcat(members->pool, "{", meta.text, "}", NULL)));
    }
}

/* ---- Members with a meaning ---- */

static fhir_error_t *take_resource_type(fhir_binary_members_t *members, fhir_json_slice_t json)
{
    const char *type = fhir_json_decode(json, members->pool);
    if (!type || strcmp(type, "Binary") != 0) {
        fhir_error_t *error = fhir_error_create(members->pool, FHIR_ERROR_INVALID, APR_SUCCESS,
                                                "The resourceType is not Binary; send a Binary to this URL.", NULL);
        error->expression = "resourceType";
        return error;
    }
    members->is_binary = 1;
    return NULL;
}

static fhir_error_t *take_id(fhir_binary_members_t *members, fhir_json_slice_t json)
{
    members->resource.id = fhir_json_decode(json, members->pool);
    if (!fhir_id_valid(members->resource.id)) {
        return refuse(members->pool, "id", "Binary.id must be 1 to 64 letters, digits, - or . characters.");
    }
    return NULL;
}

static fhir_error_t *take_content_type(fhir_binary_members_t *members, fhir_json_slice_t json)
{
    fhir_media_type_t media_type;
    fhir_error_t *error;
    members->resource.content_type = fhir_json_decode(json, members->pool);
    error = fhir_media_type_parse(&media_type, members->resource.content_type, members->pool);
    if (error) {
        return refuse(members->pool, "contentType",
                      "Binary.contentType is not a media type; write it as type/subtype, for example application/pdf.");
    }
    return NULL;
}

static fhir_error_t *take_security_context(fhir_binary_members_t *members, fhir_json_slice_t json)
{
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    fhir_error_t *error;
    if (!fhir_json_walk(&walk, json, '{')) {
        return refuse(members->pool, "securityContext", "Binary.securityContext must be an object.");
    }
    while (fhir_json_next(&walk, &key, &value)) {
        const char *name = fhir_json_decode(key, members->pool);
        if (name && !strcmp(name, "reference")) {
            members->resource.security_context = fhir_json_decode(value, members->pool);
            error = fhir_reference_check(members->resource.security_context, members->pool);
            /* Contained resources can't protect anything: the application says so. */
            if (error && *members->resource.security_context != '#') {
                return refuse(members->pool, "securityContext.reference", error->public_text);
            }
        }
    }
    keep(&members->elements, "securityContext", json);
    return NULL;
}

/* The checked member goes to its place. */
static fhir_error_t *store(fhir_binary_members_t *members, const char *name, fhir_json_slice_t json)
{
    if (!strcmp(name, "id")) {
        return take_id(members, json);
    }
    if (!strcmp(name, "contentType")) {
        return take_content_type(members, json);
    }
    if (!strcmp(name, "securityContext")) {
        return take_security_context(members, json);
    }
    if (!strcmp(name, "meta")) {
        keep_meta(members, json);
    } else {
        keep(&members->elements, name, json);
    }
    return NULL;
}

fhir_error_t *fhir_binary_members_take(fhir_binary_members_t *members, const char *name, fhir_json_slice_t json)
{
    const char *path = apr_pstrcat(members->pool, "Binary.", name, NULL);
    fhir_element_t element;
    if (!fhir_binary_member_known(name)) {
        return fhir_binary_member_unknown(name, members->pool);
    }
    if (!strcmp(name, "resourceType")) {
        return take_resource_type(members, json);
    }
    if (!strcmp(name, "url")) {
        /* Not FHIR: our own answer to a create, sent back by clients that edit and return what they got. */
        return fhir_json_decode(json, members->pool) ? NULL
                                                     : refuse(members->pool, name, "Binary.url must be a string.");
    }
    find_element(&element, name + (*name == '_'));
    if (*name == '_') {
        FHIR_TRY(fhir_shadow_check(&element, json, path, members->pool));
    } else if (strcmp(name, "meta") != 0 || !fhir_json_is(json, "{}")) {
        /* Clients in loosely typed languages do send an empty meta: as good as none. */
        FHIR_TRY(fhir_datatype_check(&element, json, path, members->pool));
    }
    return store(members, name, json);
}

fhir_error_t *fhir_binary_members_finish(const fhir_binary_resource_t **resource, fhir_binary_members_t *members)
{
    if (!members->is_binary) {
        fhir_error_t *error = fhir_error_create(members->pool, FHIR_ERROR_INVALID, APR_SUCCESS,
                                                "The body has no resourceType; a Binary says \"resourceType\": "
                                                "\"Binary\".",
                                                NULL);
        error->expression = "resourceType";
        return error;
    }
    if (members->elements.length) {
        members->resource.elements = apr_pstrcat(members->pool, "{", members->elements.text, "}", NULL);
    }
    *resource = &members->resource;
    return NULL;
}
