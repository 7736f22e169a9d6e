/* Helpers of the answers. */
#ifndef FHIR_FHIR_ANSWERS_PRIVATE_H
#define FHIR_FHIR_ANSWERS_PRIVATE_H

#include "answers.h"
#include "json_to_xml.h"

/* The JSON text in the asked format. */
fhir_error_t *fhir_answer(const char **text, fhir_format_t format, const fhir_text_t *json) FHIR_MUST_CHECK;
/* The same for text whose shape is ours alone. */
const char *fhir_own_answer(fhir_format_t format, const fhir_text_t *json);
/* `before` as it is, then `string` as a JSON string. */
void fhir_answer_string(fhir_text_t *json, const char *before, const char *string);

/* capability_resources.c: `,{"type":...}` for every type but Binary; `,"searchParam":[...]` for all types. */
void fhir_capability_resources(fhir_text_t *json, int update_create);
void fhir_capability_common_parameters(fhir_text_t *json);

#endif
