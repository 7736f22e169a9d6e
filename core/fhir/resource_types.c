/* The resource types of FHIR R4 (resourcelist.html), and those of ours that a project is administered with. */
#include "binary.h"
#include "structure.h"

int fhir_resource_type_known(const char *name)
{
    return fhir_structure_of_resource(name) != NULL;
}
