/* The FHIR R4 datatypes and the few resources that this server reads and writes (datatypes.html, metadatatypes.html):
 * which elements exist, in which order, how often. Checking, XML to JSON and JSON to XML all follow this table. */
#ifndef FHIR_FHIR_DATATYPES_H
#define FHIR_FHIR_DATATYPES_H

#include <apr.h>

typedef enum fhir_primitive_t {
    FHIR_PRIMITIVE_NONE = 0, /* a complex type */
    FHIR_PRIMITIVE_STRING,
    FHIR_PRIMITIVE_BOOLEAN,
    FHIR_PRIMITIVE_DECIMAL,
    FHIR_PRIMITIVE_INTEGER
} fhir_primitive_t;

typedef struct fhir_element_t {
    const char *name;
    const char *type;
    int many;      /* a list */
    int attribute; /* an attribute in XML: id and Extension.url */
} fhir_element_t;

typedef struct fhir_datatype_t {
    const char *name;
    int is_resource;
    const fhir_element_t *elements; /* in FHIR's order; name NULL ends */
} fhir_datatype_t;

/* NULL: no complex type of that name. */
const fhir_datatype_t *fhir_datatype_find(const char *name);
fhir_primitive_t fhir_primitive_of(const char *type);
/* Element `name` of `type`; the open choice Extension.value[x] is resolved. 0 if there is none. */
int fhir_datatype_element(fhir_element_t *element, const fhir_datatype_t *type, const char *name);

#endif
