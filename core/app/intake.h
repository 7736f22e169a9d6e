/* From a request body to a stored, still pending object: raw bytes, or a Binary resource whose data is decoded while
 * it streams. Private to core/app.
 *
 * Order (docs/ARCHITECTURE.md, "Write order"): the object is registered in the database, then bytes go to the store,
 * then the object is committed there; fhir_meta_commit makes it current afterwards. */
#ifndef FHIR_APP_INTAKE_H
#define FHIR_APP_INTAKE_H

#include "../fhir/binary_form.h"
#include "exchange.h"

typedef struct fhir_intake_t fhir_intake_t;

/* What the headers say about a write, checked before the body is read. */
typedef struct fhir_write_headers_t {
    const char *content_type;      /* as sent; default application/octet-stream */
    fhir_format_t resource_format; /* JSON or XML if the body may be a Binary resource, else RAW */
    int fhir_type;                 /* an explicit FHIR type, not just application/json */
    const char *security_context;  /* of X-Security-Context, as it is stored; NULL if absent */
    const char *filename;          /* NULL if absent */
    const char *content_encoding;  /* NULL if none */
    fhir_expected_digest_t expected[FHIR_EXPECTED_DIGEST_MAX];
    int expected_count;
} fhir_write_headers_t;

/* INVALID, TOO_LARGE ... for anything that can be refused without the body. */
fhir_error_t *fhir_write_headers(fhir_write_headers_t *headers, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* Of Content-Encoding: NULL if none; INVALID if unknown. */
fhir_error_t *fhir_content_coding(const char **coding, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* INVALID if the site refuses this type or file name. Either may be NULL. */
fhir_error_t *fhir_check_refused(const fhir_exchange_t *exchange, const char *content_type,
                                 const char *filename) FHIR_MUST_CHECK;

/* Finds out whether the body is a Binary resource; reads at most FHIR_SNIFF_WINDOW bytes. *is_resource is 0 at once
 * for other types. */
fhir_error_t *fhir_intake_begin(fhir_intake_t **intake, int *is_resource, const fhir_exchange_t *exchange,
                                const fhir_write_headers_t *headers, const char *project_id) FHIR_MUST_CHECK;
/* Reads the rest. After success the object is complete, digests are checked, but nothing is committed: with
 * fhir_intake_discard nothing is left. `resource` is NULL for raw bodies. */
fhir_error_t *fhir_intake_read(const fhir_binary_resource_t **resource, fhir_intake_t *intake) FHIR_MUST_CHECK;
/* Makes the object durable. *content is NULL if the resource had no data. */
fhir_error_t *fhir_intake_commit(const fhir_content_t **content, fhir_intake_t *intake) FHIR_MUST_CHECK;
/* After this error of fhir_object_commit the store may still make an object of what was sent, behind any removal: then
 * the pending row must stay. */
int fhir_commit_unanswered(const fhir_error_t *error);
/* Removes what was stored, before or after fhir_intake_commit, and forgets the pending row, unless it must stay. Never
 * call it when it is unknown whether the database took the version. */
void fhir_intake_discard(fhir_intake_t *intake);

#endif
