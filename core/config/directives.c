/* The table of directives, made from directives.def. */
#include "directives.h"

#include <strings.h>

#define FHIR_DIRECTIVE(name, arguments, default_value, least, most, repeatable, setter, summary)                       \
    {#name, #name " " arguments, default_value, summary, least, most, repeatable, setter},

const fhir_directive_t fhir_directives[] = {
#include "directives.def"
    {NULL, NULL, NULL, NULL, 0, 0, 0, NULL}};

const fhir_directive_t *fhir_directive_find(const char *name)
{
    const fhir_directive_t *directive;
    for (directive = fhir_directives; directive->name; directive++) {
        if (strcasecmp(directive->name, name) == 0) {
            return directive;
        }
    }
    return NULL;
}

int fhir_directive_is_named(const fhir_directive_t *directive)
{
    return directive->set == fhir_set_storage_plugin || directive->set == fhir_set_store ||
           directive->set == fhir_set_store_redirect || directive->set == fhir_set_trusted_issuer;
}
