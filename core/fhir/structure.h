/* What the R4 definitions say of resources and datatypes, as far as the server needs it: which elements are complex,
 * and where Attachments, References and URLs are. The tables in structure_*.def are made by
 * dev/generate_definitions.py; structure_project.def has the resources of ours. Immutable; no allocation. */
#ifndef FHIR_FHIR_STRUCTURE_H
#define FHIR_FHIR_STRUCTURE_H

#include <apr.h>

typedef struct fhir_structure_t fhir_structure_t; /* a resource type, a datatype or a backbone element */

typedef enum fhir_element_kind_t {
    FHIR_ELEMENT_UNKNOWN = 0, /* not in the definitions: the server keeps it and does not look inside */
    FHIR_ELEMENT_PRIMITIVE,
    FHIR_ELEMENT_URL,        /* uri, url, canonical, oid, uuid: a transaction resolves urn:uuid in it */
    FHIR_ELEMENT_NARRATIVE,  /* Narrative: links in its div */
    FHIR_ELEMENT_COMPLEX,    /* go on with the structure */
    FHIR_ELEMENT_REFERENCE,  /* Reference; its structure is given too */
    FHIR_ELEMENT_ATTACHMENT, /* Attachment; its structure is given too */
    FHIR_ELEMENT_RESOURCE /* a resource inside (contained, Bundle.entry.resource, Parameters): ask its resourceType */
} fhir_element_kind_t;

/* NULL: no resource type of that name, neither of R4 nor of ours (AccessPolicy, ProjectMembership). */
const fhir_structure_t *fhir_structure_of_resource(const char *type);
/* What the member `name` (`length` bytes) of `structure` is; open and closed choices are resolved by their names
 * (`valueAttachment`, `contentReference`), also in Extension. *element is the structure to go on with, NULL if there is
 * none. */
fhir_element_kind_t fhir_structure_element(const fhir_structure_t **element, const fhir_structure_t *structure,
                                           const char *name, apr_size_t length);
/* The names of its elements, those of its base too: number 0, 1, ... NULL: there are no more. */
const char *fhir_structure_member(const fhir_structure_t *structure, int number);
/* Is the top-level element part of _summary=true (isSummary), and of _summary=text (mandatory)? */
int fhir_structure_in_summary(const char *resource_type, const char *element);
int fhir_structure_mandatory(const char *resource_type, const char *element);
/* All R4 resource types in alphabetical order, NULL ends; ours are not among them. */
const char *const *fhir_structure_resource_types(void);

#endif
