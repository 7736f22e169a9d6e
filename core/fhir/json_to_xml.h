/* FHIR XML from the JSON text of a resource (xml.html), elements in FHIR's order, numbers as they are written. */
#ifndef FHIR_FHIR_JSON_TO_XML_H
#define FHIR_FHIR_JSON_TO_XML_H

#include "json_text.h"

/* The whole document. `open_value`: name of a root element whose `value` attribute shall stay open, NULL: none;
 * *open_at is then the offset right behind its opening quote. INTERNAL if the text does not fit the datatypes. */
fhir_error_t *fhir_json_to_xml(fhir_text_t *xml, fhir_json_slice_t resource, const char *open_value,
                               apr_size_t *open_at) FHIR_MUST_CHECK;

#endif
