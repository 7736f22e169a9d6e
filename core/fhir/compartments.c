/* The R4 compartments as constant tables. The rows are in compartments.def. */
#include "compartments.h"

#include <stdlib.h>
#include <string.h>

typedef struct member_t {
    const char *type;
    const char *parameters;
} member_t;

#define MEMBER(type, parameters) {#type, parameters},
#define COMPARTMENT(name, members) static const member_t name##_members[] = {members};
#include "compartments.def"
#undef COMPARTMENT

#define COMPARTMENT(name, members) #name,
static const char *const NAMES[] = {
#include "compartments.def"
    NULL};
#undef COMPARTMENT

/* In the order of NAMES. */
#define COMPARTMENT(name, members) {name##_members, sizeof(name##_members) / sizeof(member_t)},
static const struct {
    const member_t *members; /* by type */
    size_t count;
} COMPARTMENTS[] = {
#include "compartments.def"
};

static int compare_member(const void *type, const void *row)
{
    return strcmp(type, ((const member_t *)row)->type);
}

const char *const *fhir_compartments(void)
{
    return NAMES;
}

const char *fhir_compartment_parameters(const char *compartment, const char *resource_type)
{
    int i;
    for (i = 0; NAMES[i]; i++) {
        if (strcmp(NAMES[i], compartment) == 0) {
            const member_t *found = bsearch(resource_type, COMPARTMENTS[i].members, COMPARTMENTS[i].count,
                                            sizeof(member_t), compare_member);
            return found ? found->parameters : NULL;
        }
    }
    return NULL;
}
