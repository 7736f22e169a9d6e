/* What fhirbinctl explain and the decision ask of scopes beyond auth.h. Private to core/auth. */
#ifndef FHIR_AUTH_SCOPE_PRIVATE_H
#define FHIR_AUTH_SCOPE_PRIVATE_H

#include "../base/text.h"
#include "criteria.h"

/* May it be done on every resource of the type, whatever it holds? */
int fhir_scopes_permit_all(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *type);
/* Adds a line for each SMART resource scope. `subject` may be NULL. */
void fhir_scopes_explain(fhir_text_t *text, const fhir_scopes_t *scopes, fhir_interaction_t interaction,
                         const char *type, const char *patient, const fhir_subject_t *subject);

#endif
