/* The structures as constant tables, and looking up their elements. The rows are in structure_*.def. */
#include "structure.h"

#include <stdlib.h>
#include <string.h>

typedef struct element_t {
    const char *name;
    fhir_element_kind_t kind;
    int flags;
    const fhir_structure_t *structure;
} element_t;

struct fhir_structure_t {
    const fhir_structure_t *base;
    const element_t *elements; /* by name; without those of the base */
    int count;
};

#define SUMMARY 1
#define MANDATORY 2

/* The rows leave flags out if there are none: the zeros at the end stand for them. */
#define ROW(kind, structure, name, flags, ...) {#name, FHIR_ELEMENT_##kind, flags, structure},
#define COMPLEX_ROW(name, target, flags, ...) {#name, FHIR_ELEMENT_COMPLEX, flags, &target##_structure},
#define PRIMITIVE(...) ROW(PRIMITIVE, NULL, __VA_ARGS__, 0, 0)
#define URL(...) ROW(URL, NULL, __VA_ARGS__, 0, 0)
#define NARRATIVE(...) ROW(NARRATIVE, &Narrative_structure, __VA_ARGS__, 0, 0)
#define REFERENCE(...) ROW(REFERENCE, &Reference_structure, __VA_ARGS__, 0, 0)
#define ATTACHMENT(...) ROW(ATTACHMENT, &Attachment_structure, __VA_ARGS__, 0, 0)
#define INNER_RESOURCE(...) ROW(RESOURCE, NULL, __VA_ARGS__, 0, 0)
#define COMPLEX(...) COMPLEX_ROW(__VA_ARGS__, 0, 0)

/* First all are declared, as they lead to each other. */
#define STRUCTURE(name, base, elements) static const fhir_structure_t name##_structure;
#define RESOURCE STRUCTURE
#include "structure_all.def"
#include "structure_project.def"
#undef STRUCTURE

/* The row at the end is not counted; a structure may have no elements of its own. */
#define NOTHING_structure (*(const fhir_structure_t *)NULL)
#define STRUCTURE(name, base, elements)                                                                                \
    static const element_t name##_elements[] = {elements{NULL, FHIR_ELEMENT_UNKNOWN, 0, NULL}};                        \
    static const fhir_structure_t name##_structure = {&base##_structure, name##_elements,                              \
                                                      (int)(sizeof(name##_elements) / sizeof(element_t)) - 1};
#include "structure_all.def"
#include "structure_project.def"
#undef STRUCTURE
#undef RESOURCE

#define STRUCTURE(name, base, elements)
#define RESOURCE(name, base, elements) #name,
static const char *const RESOURCE_TYPES[] = {
#include "structure_all.def"
    NULL};
static const char *const PROJECT_TYPES[] = {
#include "structure_project.def"
};
#undef RESOURCE

#define RESOURCE(name, base, elements) &name##_structure,
static const fhir_structure_t *const RESOURCES[] = {
#include "structure_all.def"
};
/* Of no R4 list, so that nothing says they were. */
static const fhir_structure_t *const PROJECT_RESOURCES[] = {
#include "structure_project.def"
};

#define COUNT_OF(rows) (sizeof(rows) / sizeof(rows[0]))

static int compare_type(const void *name, const void *type)
{
    return strcmp(name, *(const char *const *)type);
}

const fhir_structure_t *fhir_structure_of_resource(const char *type)
{
    const char *const *found =
        type ? bsearch(type, RESOURCE_TYPES, COUNT_OF(RESOURCES), sizeof(RESOURCE_TYPES[0]), compare_type) : NULL;
    if (found) {
        return RESOURCES[found - RESOURCE_TYPES];
    }
    found = type ? bsearch(type, PROJECT_TYPES, COUNT_OF(PROJECT_TYPES), sizeof(PROJECT_TYPES[0]), compare_type) : NULL;
    return found ? PROJECT_RESOURCES[found - PROJECT_TYPES] : NULL;
}

const char *const *fhir_structure_resource_types(void)
{
    return RESOURCE_TYPES;
}

/* A name as it stands in a document: not terminated. */
typedef struct member_name_t {
    const char *text;
    apr_size_t length;
} member_name_t;

/* Names may have any byte, zeros too. */
static int compare_element(const void *key, const void *row)
{
    const member_name_t *name = key;
    const element_t *element = row;
    apr_size_t length = strlen(element->name);
    int order = memcmp(name->text, element->name, name->length < length ? name->length : length);
    return order ? order : (name->length > length) - (name->length < length);
}

static const element_t *find_element(const fhir_structure_t *structure, const char *text, apr_size_t length)
{
    member_name_t name = {text, length};
    const element_t *found = NULL;
    for (; structure && !found; structure = structure->base) {
        found = bsearch(&name, structure->elements, (size_t)structure->count, sizeof(element_t), compare_element);
    }
    return found;
}

/* `_birthDate` holds what `birthDate` has besides its value: id and extensions (json.html#primitive). */
static int is_beside_primitive(const fhir_structure_t *structure, const char *name, apr_size_t length)
{
    const element_t *found = length > 1 && name[0] == '_' ? find_element(structure, name + 1, length - 1) : NULL;
    return found && (found->kind == FHIR_ELEMENT_PRIMITIVE || found->kind == FHIR_ELEMENT_URL);
}

fhir_element_kind_t fhir_structure_element(const fhir_structure_t **element, const fhir_structure_t *structure,
                                           const char *name, apr_size_t length)
{
    const element_t *found = length ? find_element(structure, name, length) : NULL;
    *element = found ? found->structure : NULL;
    if (!found && is_beside_primitive(structure, name, length)) {
        *element = &Element_structure;
        return FHIR_ELEMENT_COMPLEX;
    }
    return found ? found->kind : FHIR_ELEMENT_UNKNOWN;
}

const char *fhir_structure_member(const fhir_structure_t *structure, int number)
{
    while (structure && number >= structure->count) {
        number -= structure->count;
        structure = structure->base;
    }
    return structure ? structure->elements[number].name : NULL;
}

/* `_status` goes where `status` goes. */
static int has_flag(const char *resource_type, const char *name, int flag)
{
    const fhir_structure_t *structure = fhir_structure_of_resource(resource_type);
    const char *element = name[0] == '_' ? name + 1 : name;
    const element_t *found = *element ? find_element(structure, element, strlen(element)) : NULL;
    return found && (found->flags & flag);
}

int fhir_structure_in_summary(const char *resource_type, const char *element)
{
    return has_flag(resource_type, element, SUMMARY);
}

int fhir_structure_mandatory(const char *resource_type, const char *element)
{
    return has_flag(resource_type, element, MANDATORY);
}
