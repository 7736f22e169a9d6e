/* JSON Patch (RFC 6902) on text: what a patch does not touch stays byte for byte (FHIR R4 http.html#patch). */
#ifndef FHIR_FHIR_JSON_PATCH_H
#define FHIR_FHIR_JSON_PATCH_H

#include "json_document.h"

#define FHIR_JSON_PATCH_OPERATIONS_MAX 1000
#define FHIR_JSON_PATCH_WORK_MAX ((apr_size_t)256 * 1024 * 1024) /* bytes read by all operations together */

/* Applies the patch document (an array of operations) to `text`. All or nothing. INVALID: no patch document, an unknown
 * op, a bad pointer, too many operations. UNPROCESSABLE: a path that is not there, or a `test` that fails, or a result
 * beyond fhir_json_resource_limits; the sentence names the operation's number, counted from 1. TOO_LARGE: more than
 * `limit` bytes would come out of an operation, or the work (operations times bytes) is out of proportion. The result
 * is NUL-terminated. */
fhir_error_t *fhir_json_patch(const char **patched, apr_size_t *patched_length, const char *text, apr_size_t length,
                              const fhir_json_document_t *patch, apr_size_t limit, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
