/* Walks the elements of a resource by their definitions: contained resources, Bundle entries and extensions included.
 * Private to the files behind resource.h. */
#ifndef FHIR_FHIR_RESOURCE_WALK_H
#define FHIR_FHIR_RESOURCE_WALK_H

#include "json_document.h"
#include "structure.h"

/* One value of an element: the items of a list are places of their own, the list is none. */
typedef struct fhir_place_t {
    int node;
    int in_list;
    const char *name; /* the member's, not ended by NUL; NULL: the resource that the walk began with */
    apr_size_t name_length;
    fhir_element_kind_t kind;
    fhir_element_kind_t parent_kind;   /* what the object around it is */
    const fhir_structure_t *structure; /* NULL: nothing is known of what is inside */
} fhir_place_t;

typedef fhir_error_t *(*fhir_visit_fn)(void *baton, const fhir_place_t *place);

/* Visits the resource at `root`, whose type is `type`, and all in it that the definitions know, in the order of the
 * text. The values of unknown elements are visited too, what is inside them is not. The C stack is as deep as the
 * document, which its parser bounds. */
fhir_error_t *fhir_resource_walk(const fhir_json_document_t *document, int root, const char *type, fhir_visit_fn visit,
                                 void *baton, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The first node behind the value at `node` and all that is inside. */
int fhir_resource_end(const fhir_json_document_t *document, int node);
/* Where a value is, for an OperationOutcome: `Patient.photo[0].url`, `Bundle.entry[2].resource.photo[0].url`. */
const char *fhir_resource_expression(const fhir_json_document_t *document, int node, apr_pool_t *pool);
/* 1 if the place is the member `name` of an element of this kind. */
int fhir_place_is(const fhir_place_t *place, fhir_element_kind_t parent_kind, const char *name);

#endif
