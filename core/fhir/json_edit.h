/* Changes to JSON text that leave every other byte as it was. Edits are collected in any order and applied at once. */
#ifndef FHIR_FHIR_JSON_EDIT_H
#define FHIR_FHIR_JSON_EDIT_H

#include "json_document.h"

typedef struct fhir_json_edits_t fhir_json_edits_t;

/* `document`, `pool` and the texts given as `json` (they are not copied) outlive the edits. */
fhir_json_edits_t *fhir_json_edits_create(const fhir_json_document_t *document, apr_pool_t *pool);
/* JSON text instead of the value. */
void fhir_json_edit_replace(fhir_json_edits_t *edits, int node, const char *json);
/* The value and what separates it: a member with its name, an item; commas come out right however many go. */
void fhir_json_edit_remove(fhir_json_edits_t *edits, int node);
/* A new last member. `name` is plain text, `json` the value. */
void fhir_json_edit_add_member(fhir_json_edits_t *edits, int object, const char *name, const char *json);
/* A new item before child number `index` (count: at the end). */
void fhir_json_edit_insert_item(fhir_json_edits_t *edits, int array, int index, const char *json);
/* The new text, NUL-terminated; the same as before if there were no edits. Two edits of one value, or edits inside a
 * value that goes, are INTERNAL. */
fhir_error_t *fhir_json_edits_apply(const char **text, apr_size_t *length,
                                    const fhir_json_edits_t *edits) FHIR_MUST_CHECK;

#endif
