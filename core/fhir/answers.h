/* The small resources that we answer with. All functions return complete text in JSON or XML. Pure. */
#ifndef FHIR_FHIR_ANSWERS_H
#define FHIR_FHIR_ANSWERS_H

#include "../base/text.h"
#include "../http/media_type.h"
#include "binary.h"

#include <apr_tables.h>

/* OperationOutcome with one issue. severity: "error", "warning", "information"; code: value set issue-type; id and
 * expression may be NULL. */
const char *fhir_outcome(fhir_format_t format, const char *id, const char *severity, const char *code,
                         const char *diagnostics, const char *expression, apr_pool_t *pool);

/* Parameters with one valueUri named `url` (operation $presigned-url). */
const char *fhir_parameters_url(fhir_format_t format, const char *url, apr_pool_t *pool);

/* Of an upload that goes to the store itself: valueUri `url`, valueCode `method`, `header` for each one that must be
 * sent (parts `name` and `value`), valueInstant `expires`, valueUri `complete`. */
typedef struct fhir_parameters_direct_t {
    const char *url;
    const apr_table_t *headers;
    apr_time_t expires;
    const char *complete;
} fhir_parameters_direct_t;
const char *fhir_parameters_direct(fhir_format_t format, const fhir_parameters_direct_t *direct, apr_pool_t *pool);

/* A history Bundle (FHIR R4 http.html#history). `versions`: array of fhir_binary_t *, newest first; resources without
 * data and with the SUBSETTED tag; tombstones as DELETE entries without resource. `total` counts all versions, -1: it
 * is not told. fhir_base ends with '/'. self and next are complete URLs, next may be NULL. */
fhir_error_t *fhir_history_bundle(const char **text, fhir_format_t format, const apr_array_header_t *versions,
                                  apr_off_t total, const char *fhir_base, const char *self, const char *next,
                                  apr_pool_t *pool) FHIR_MUST_CHECK;

/* Adds `"request":{...},"response":{...}` of one entry: mandatory in a history (constraints bdl-3 and bdl-4). */
void fhir_history_change(fhir_text_t *json, const char *type, const char *id, const char *version_id,
                         apr_off_t sequence, fhir_change_kind_t change, apr_time_t last_updated);

typedef struct fhir_capability_t {
    const char *base_url;  /* ends with '/' */
    const char *fhir_base; /* ends with '/' */
    const char *version;   /* of the software */
    apr_time_t date;       /* of the software's release or start */
    int update_create;
    int cors; /* are there origins that browsers may come from? */
} fhir_capability_t;
/* FHIR R4 CapabilityStatement of kind `instance`: says exactly what works (json, xml; Binary create, read, vread,
 * update, delete, history-instance; conditionalRead full-support; $presigned-url; SMART security with token URL). */
const char *fhir_capability_statement(fhir_format_t format, const fhir_capability_t *capability, apr_pool_t *pool);

#endif
