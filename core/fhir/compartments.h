/* The compartments of FHIR R4 (compartmentdefinition.html): Device, Encounter, Patient, Practitioner, RelatedPerson.
 * The table, compartments.def, is made by dev/generate_definitions.py from the R4 definitions. */
#ifndef FHIR_FHIR_COMPARTMENTS_H
#define FHIR_FHIR_COMPARTMENTS_H

/* Through which search parameters a resource of the type belongs to a compartment, joined with '|': it does if the
 * value of any is a reference to the compartment's resource. All of them are in search_parameters.h. NULL: resources of
 * the type are in no such compartment, or there is no compartment of that name. The compartment's own resource belongs
 * to it whatever this says: Patient/1 is in its own compartment, and so is, by `link`, a Patient that names it. */
const char *fhir_compartment_parameters(const char *compartment, const char *resource_type);
/* The names of the compartments in alphabetical order, NULL ends. */
const char *const *fhir_compartments(void);

#endif
