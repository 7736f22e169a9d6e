/* Writes a Binary in resource form: the client's own text is spliced, nothing is re-serialised. */
#include "binary_form.h"

#include "binary_members.h"
#include "json_to_xml.h"

#include <string.h>

#define SUBSETTED_TAG                                                                                                  \
    "{\"system\":\"" FHIR_SUBSETTED_SYSTEM "\",\"code\":\"" FHIR_SUBSETTED_CODE                                        \
    "\",\"display\":\"Resource encoded in summary mode\"}"

typedef struct render_t {
    fhir_text_t text;
    const fhir_binary_t *binary;
    const fhir_binary_render_t *how;
    apr_pool_t *pool;
    apr_size_t data_at; /* offset right behind the opening quote of data */
} render_t;

/* The value of a kept member; text NULL if it is not there. */
static fhir_json_slice_t kept_member(const char *object, const char *name, apr_pool_t *pool)
{
    fhir_json_slice_t none = {NULL, 0};
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    if (!object || !fhir_json_walk(&walk, fhir_json_slice(object), '{')) {
        return none;
    }
    while (fhir_json_next(&walk, &key, &value)) {
        const char *decoded = fhir_json_decode(key, pool);
        if (decoded && !strcmp(decoded, name)) {
            return value;
        }
    }
    return none;
}

/* Is `name` one of the comma-separated names? */
static int is_listed(const char *list, const char *name)
{
    apr_size_t length = strlen(name);
    while (*list) {
        apr_size_t item;
        list += strspn(list, ", ");
        item = strcspn(list, ", ");
        if (item == length && !strncmp(list, name, length)) {
            return 1;
        }
        list += item;
    }
    return 0;
}

static int is_wanted(const render_t *render, const char *name)
{
    return !render->how->wanted || !strcmp(name, "id") || !strcmp(name, "contentType") ||
           is_listed(render->how->wanted, name);
}

static void add_name(render_t *render, const char *name)
{
    fhir_text_add(&render->text, ",\"");
    fhir_text_add(&render->text, name);
    fhir_text_add(&render->text, "\":");
}

static void add_kept(render_t *render, const char *name)
{
    fhir_json_slice_t value = kept_member(render->binary->elements, name, render->pool);
    if (value.text && is_wanted(render, name + (*name == '_'))) {
        add_name(render, name);
        fhir_text_add_bytes(&render->text, value.text, value.length);
    }
}

static void add_string(render_t *render, const char *name, const char *string)
{
    if (string) {
        add_name(render, name);
        fhir_text_add_json_string(&render->text, string);
    }
}

/* ---- meta ---- */

static void add_tags(render_t *render, fhir_json_slice_t tags)
{
    add_name(render, "tag");
    if (!tags.text) {
        fhir_text_add(&render->text, "[");
    } else {
        /* Without its closing bracket. */
        fhir_text_add_bytes(&render->text, tags.text, tags.length - 1);
        fhir_text_add(&render->text, render->how->subsetted ? "," : "");
    }
    fhir_text_add(&render->text, render->how->subsetted ? SUBSETTED_TAG "]" : "]");
}

static void add_kept_meta(render_t *render, fhir_json_slice_t meta)
{
    fhir_json_slice_t tags = {NULL, 0};
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    int walks = meta.text && fhir_json_walk(&walk, meta, '{');
    while (walks && fhir_json_next(&walk, &key, &value)) {
        const char *name = fhir_json_decode(key, render->pool);
        if (name && !strcmp(name, "tag")) {
            tags = value;
            continue;
        }
        fhir_text_add(&render->text, ",");
        fhir_text_add_bytes(&render->text, key.text, key.length);
        fhir_text_add(&render->text, ":");
        fhir_text_add_bytes(&render->text, value.text, value.length);
    }
    if (tags.text || render->how->subsetted) {
        add_tags(render, tags);
    }
}

static void add_meta(render_t *render)
{
    add_name(render, "meta");
    fhir_text_add(&render->text, "{\"versionId\":");
    fhir_text_add_json_string(&render->text, render->binary->version_id);
    add_string(render, "lastUpdated", fhir_instant(render->binary->last_updated, render->pool));
    add_kept_meta(render, kept_member(render->binary->elements, "meta", render->pool));
    fhir_text_add(&render->text, "}");
}

/* ---- securityContext ---- */

/* The element as it was sent, unless a header has changed the reference since. */
static void add_security_context(render_t *render)
{
    fhir_json_slice_t kept = kept_member(render->binary->elements, "securityContext", render->pool);
    const char *current = render->binary->security_context;
    const char *sent = NULL;
    if (!is_wanted(render, "securityContext")) {
        return;
    }
    if (kept.text) {
        const char *object = apr_pstrndup(render->pool, kept.text, kept.length);
        fhir_json_slice_t reference = kept_member(object, "reference", render->pool);
        sent = reference.text ? fhir_json_decode(reference, render->pool) : NULL;
    }
    if (kept.text && (sent && current ? !strcmp(sent, current) : sent == current)) {
        add_name(render, "securityContext");
        fhir_text_add_bytes(&render->text, kept.text, kept.length);
    } else if (current) {
        add_name(render, "securityContext");
        fhir_text_add(&render->text, "{\"reference\":");
        fhir_text_add_json_string(&render->text, current);
        fhir_text_add(&render->text, "}");
    }
}

/* ---- The whole ---- */

static void add_members(render_t *render)
{
    fhir_text_add(&render->text, "{\"resourceType\":\"Binary\"");
    add_string(render, "id", render->binary->id);
    add_kept(render, "_id");
    add_meta(render);
    add_kept(render, "implicitRules");
    add_kept(render, "_implicitRules");
    add_kept(render, "language");
    add_kept(render, "_language");
    add_string(render, "contentType", render->binary->content_type);
    add_kept(render, "_contentType");
    add_security_context(render);
    add_kept(render, "_data");
    if (render->how->with_data) {
        add_name(render, "data");
        fhir_text_add(&render->text, "\"\"");
        render->data_at = render->text.length - 1;
    }
    if (render->how->format == FHIR_FORMAT_JSON) {
        add_string(render, "url", render->how->url);
    }
    fhir_text_add(&render->text, "}");
}

fhir_error_t *fhir_binary_render(const char **prefix, const char **suffix, const fhir_binary_t *binary,
                                 const fhir_binary_render_t *how, apr_pool_t *pool)
{
    render_t render;
    fhir_text_t *whole = &render.text;
    fhir_text_t xml;
    if (binary->change == FHIR_CHANGE_DELETE || (how->format != FHIR_FORMAT_JSON && how->format != FHIR_FORMAT_XML)) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_SUCCESS, "The resource could not be written.",
                                 "render of Binary/%s: format %d, change %d", binary->id, (int)how->format,
                                 (int)binary->change);
    }
    memset(&render, 0, sizeof(render));
    render.binary = binary;
    render.how = how;
    render.pool = pool;
    fhir_text_init(&render.text, pool);
    add_members(&render);
    if (how->format == FHIR_FORMAT_XML) {
        fhir_text_init(&xml, pool);
        FHIR_TRY(
            fhir_json_to_xml(&xml, fhir_json_slice(render.text.text), how->with_data ? "data" : NULL, &render.data_at));
        whole = &xml;
    }
    *prefix = how->with_data ? apr_pstrndup(pool, whole->text, render.data_at) : whole->text;
    *suffix = how->with_data ? whole->text + render.data_at : "";
    return NULL;
}
