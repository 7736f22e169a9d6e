/* The walk over a resource: each value with what the definitions say of it. */
#include "resource_walk.h"

#include <string.h>

typedef struct walk_t {
    const fhir_json_document_t *document;
    fhir_visit_fn visit;
    void *baton;
    apr_pool_t *pool; /* for names that were written with escapes */
} walk_t;

static fhir_error_t *walk_value(const walk_t *walk, const fhir_place_t *place);

/* The name as it stands in the text, which is how nearly all are written. */
static void take_name(const walk_t *walk, fhir_place_t *place, int member)
{
    const fhir_json_node_t *node = &walk->document->nodes[member];
    place->name = walk->document->text + node->key_offset + 1;
    place->name_length = node->key_length - 2;
    if (memchr(place->name, '\\', place->name_length)) {
        place->name = fhir_json_name(walk->document, member, walk->pool);
        place->name_length = strlen(place->name);
    }
}

/* `place` is the member; if its value is a list the items are visited one by one. */
static fhir_error_t *walk_member(const walk_t *walk, fhir_place_t *place)
{
    const fhir_json_node_t *nodes = walk->document->nodes;
    int item;
    if (nodes[place->node].kind != FHIR_JSON_ARRAY) {
        return walk_value(walk, place);
    }
    place->in_list = 1;
    for (item = fhir_json_first(walk->document, place->node); item >= 0; item = nodes[item].next) {
        place->node = item;
        FHIR_TRY(walk_value(walk, place));
    }
    return NULL;
}

static fhir_error_t *walk_object(const walk_t *walk, const fhir_place_t *object, const fhir_structure_t *structure)
{
    int member = fhir_json_first(walk->document, object->node);
    for (; member >= 0; member = walk->document->nodes[member].next) {
        fhir_place_t place = {0};
        place.node = member;
        place.parent_kind = object->kind;
        take_name(walk, &place, member);
        place.kind = fhir_structure_element(&place.structure, structure, place.name, place.name_length);
        FHIR_TRY(walk_member(walk, &place));
    }
    return NULL;
}

/* Of the resource inside a resource. */
static const fhir_structure_t *structure_of(const walk_t *walk, int resource)
{
    int member = fhir_json_member(walk->document, resource, "resourceType");
    const char *type = fhir_json_string(walk->document, member, walk->pool);
    return type ? fhir_structure_of_resource(type) : NULL;
}

static fhir_error_t *walk_value(const walk_t *walk, const fhir_place_t *place)
{
    const fhir_structure_t *structure = place->structure;
    FHIR_TRY(walk->visit(walk->baton, place));
    if (walk->document->nodes[place->node].kind != FHIR_JSON_OBJECT) {
        return NULL;
    }
    if (!structure && place->kind == FHIR_ELEMENT_RESOURCE) {
        structure = structure_of(walk, place->node);
    }
    return structure ? walk_object(walk, place, structure) : NULL;
}

fhir_error_t *fhir_resource_walk(const fhir_json_document_t *document, int root, const char *type, fhir_visit_fn visit,
                                 void *baton, apr_pool_t *pool)
{
    walk_t walk = {document, visit, baton, pool};
    fhir_place_t place = {0};
    place.node = root;
    place.kind = FHIR_ELEMENT_RESOURCE;
    place.structure = fhir_structure_of_resource(type);
    return walk_value(&walk, &place);
}

int fhir_resource_end(const fhir_json_document_t *document, int node)
{
    while (node >= 0 && document->nodes[node].next < 0) {
        node = document->nodes[node].parent;
    }
    return node < 0 ? document->count : document->nodes[node].next;
}

int fhir_place_is(const fhir_place_t *place, fhir_element_kind_t parent_kind, const char *name)
{
    return place->parent_kind == parent_kind && place->name_length == strlen(name) &&
           !memcmp(place->name, name, place->name_length);
}
