/* Is this a resource that the server can keep? Shape only: no profile, no cardinality, no code. */
#include "binary_members.h"
#include "resource.h"
#include "resource_walk.h"

#include <string.h>

typedef struct check_t {
    const fhir_json_document_t *document;
    const char *name; /* of node 0 in expressions */
    apr_pool_t *pool;
} check_t;

/* Names that nobody could read in a sentence are not repeated. */
#define EXPRESSION_MAX 512

static const char *expression_of(const check_t *check, int node)
{
    const char *expression = fhir_json_path(check->document, node, check->name, check->pool);
    return strlen(expression) <= EXPRESSION_MAX ? expression : check->name;
}

static fhir_error_t *refuse(const check_t *check, int node, const char *why)
{
    const char *expression = expression_of(check, node);
    fhir_error_t *error = fhir_error_public(check->pool, FHIR_ERROR_INVALID, "%s %s.", expression, why);
    error->expression = expression;
    return error;
}

static fhir_json_kind_t kind_of(const check_t *check, int node)
{
    return node < 0 ? FHIR_JSON_NULL : check->document->nodes[node].kind;
}

/* ---- the resource's own members ---- */

static fhir_error_t *take_type(const char **type, const check_t *check, int resource)
{
    int member = fhir_json_member(check->document, resource, "resourceType");
    if (kind_of(check, resource) != FHIR_JSON_OBJECT) {
        return refuse(check, resource, "must be a resource, a JSON object");
    }
    if (member < 0) {
        return refuse(check, resource, "has no resourceType; say which resource it is");
    }
    *type = fhir_json_string(check->document, member, check->pool);
    return fhir_structure_of_resource(*type) ? NULL : refuse(check, member, "must be the name of an R4 resource type");
}

static fhir_error_t *wrong_type(const check_t *check, int root, const char *type, const char *expected)
{
    fhir_error_t *error = fhir_error_public(check->pool, FHIR_ERROR_INVALID,
                                            "%s was expected here, but the resourceType is %s.", expected, type);
    error->expression = expression_of(check, fhir_json_member(check->document, root, "resourceType"));
    return error;
}

static fhir_error_t *take_id(fhir_sent_resource_t *sent, const check_t *check)
{
    int member = fhir_json_member(check->document, sent->root, "id");
    sent->id = fhir_json_string(check->document, member, check->pool);
    if (member >= 0 && !fhir_id_valid(sent->id)) {
        return refuse(check, member, "must be a string of 1 to 64 letters, digits, '-' and '.'");
    }
    return NULL;
}

static int is_subsetted(const check_t *check, int tag)
{
    const fhir_json_document_t *document = check->document;
    return fhir_json_equals(document, fhir_json_member(document, tag, "code"), FHIR_SUBSETTED_CODE) &&
           fhir_json_equals(document, fhir_json_member(document, tag, "system"), FHIR_SUBSETTED_SYSTEM);
}

/* Whoever writes back what came with _summary or _elements would delete the rest. */
static fhir_error_t *check_tags(const check_t *check, int tags)
{
    int tag;
    if (tags < 0) {
        return NULL;
    }
    if (kind_of(check, tags) != FHIR_JSON_ARRAY) {
        return refuse(check, tags, "must be a list");
    }
    for (tag = fhir_json_first(check->document, tags); tag >= 0; tag = check->document->nodes[tag].next) {
        if (is_subsetted(check, tag)) {
            return refuse(check, tag,
                          "says that this resource is incomplete (SUBSETTED): read it whole before you write it");
        }
    }
    return NULL;
}

static fhir_error_t *take_meta(fhir_sent_resource_t *sent, const check_t *check)
{
    int meta = fhir_json_member(check->document, sent->root, "meta");
    int version = fhir_json_member(check->document, meta, "versionId");
    if (meta < 0) {
        return NULL;
    }
    if (kind_of(check, meta) != FHIR_JSON_OBJECT) {
        return refuse(check, meta, "must be an object");
    }
    sent->version_id = fhir_json_string(check->document, version, check->pool);
    if (version >= 0 && !sent->version_id) {
        return refuse(check, version, "must be a string");
    }
    return check_tags(check, fhir_json_member(check->document, meta, "tag"));
}

/* ---- everything inside ---- */

/* FHIR R4 json.html: no empty objects, lists and strings; null only in lists, for items that have no value. */
static fhir_error_t *check_empty(const check_t *check, int root)
{
    const fhir_json_node_t *nodes = check->document->nodes;
    int end = fhir_resource_end(check->document, root);
    int node;
    for (node = root; node < end; node++) {
        int is_container = nodes[node].kind == FHIR_JSON_OBJECT || nodes[node].kind == FHIR_JSON_ARRAY;
        if ((is_container && nodes[node].count == 0) ||
            (nodes[node].kind == FHIR_JSON_STRING && nodes[node].length <= 2)) {
            return refuse(check, node, "is empty; leave it out");
        }
        if (nodes[node].kind == FHIR_JSON_NULL && kind_of(check, nodes[node].parent) != FHIR_JSON_ARRAY) {
            return refuse(check, node, "is null; leave it out");
        }
    }
    return NULL;
}

static fhir_error_t *check_object(const check_t *check, const fhir_place_t *place)
{
    fhir_json_kind_t kind = kind_of(check, place->node);
    /* null in a list stays; elsewhere it was refused already. */
    return kind == FHIR_JSON_OBJECT || kind == FHIR_JSON_NULL ? NULL : refuse(check, place->node, "must be an object");
}

static fhir_error_t *check_string(const check_t *check, const fhir_place_t *place)
{
    if (kind_of(check, place->node) == FHIR_JSON_STRING && !place->in_list) {
        return NULL;
    }
    return refuse(check, place->node, "must be a string");
}

static fhir_error_t *check_place(void *baton, const fhir_place_t *place)
{
    const check_t *check = baton;
    const char *type;
    if (fhir_place_is(place, FHIR_ELEMENT_ATTACHMENT, "url") ||
        fhir_place_is(place, FHIR_ELEMENT_REFERENCE, "reference")) {
        return check_string(check, place);
    }
    if (place->kind == FHIR_ELEMENT_ATTACHMENT || place->kind == FHIR_ELEMENT_REFERENCE) {
        return check_object(check, place);
    }
    if (place->kind == FHIR_ELEMENT_RESOURCE && kind_of(check, place->node) != FHIR_JSON_NULL) {
        return take_type(&type, check, place->node);
    }
    return NULL;
}

/* What node 0 is called: of a Bundle's entry the expression begins with the Bundle. */
static const char *name_of(const fhir_json_document_t *document, apr_pool_t *pool)
{
    const char *type = fhir_json_string(document, fhir_json_member(document, 0, "resourceType"), pool);
    return fhir_structure_of_resource(type) ? type : "Resource";
}

const char *fhir_resource_expression(const fhir_json_document_t *document, int node, apr_pool_t *pool)
{
    check_t check = {document, name_of(document, pool), pool};
    return expression_of(&check, node);
}

fhir_error_t *fhir_resource_check(fhir_sent_resource_t *sent, const fhir_json_document_t *document, int root,
                                  const char *type, apr_pool_t *pool)
{
    check_t check = {document, name_of(document, pool), pool};
    memset(sent, 0, sizeof(*sent));
    sent->document = document;
    sent->root = root;
    FHIR_TRY(take_type(&sent->type, &check, root));
    if (type && strcmp(type, sent->type) != 0) {
        return wrong_type(&check, root, sent->type, type);
    }
    FHIR_TRY(take_id(sent, &check));
    FHIR_TRY(check_empty(&check, root));
    FHIR_TRY(take_meta(sent, &check));
    return fhir_resource_walk(document, root, sent->type, check_place, &check, pool);
}
