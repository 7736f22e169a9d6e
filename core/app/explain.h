/* What a request of somebody would be answered, and why: the same load and the same decision as requests have, told
 * step by step. Nothing is read or changed but what decisions need, and nothing is audited. For `fhirbinctl explain`.
 */
#ifndef FHIR_APP_EXPLAIN_H
#define FHIR_APP_EXPLAIN_H

#include "../base/principal.h"
#include "app.h"

typedef struct fhir_question_t {
    fhir_principal_key_t principal;
    const char *project_id;  /* that `principal` is expected in; NULL: any */
    const char *interaction; /* create, read, vread, update, delete, search, history, presigned-url, presigned-upload */
    const char *type;
    const char *id;           /* NULL: create and search alone */
    const char *version_id;   /* vread alone; may be NULL */
    const char *context;      /* securityContext that a create or update of a Binary brings; NULL: it brings none */
    const char *scope;        /* of the token; NULL: as with client credentials that narrow nothing */
    const char *patient;      /* launch context, may be NULL */
    const char *peer_address; /* NULL: not asked */
} fhir_question_t;

/* *status: what the request would get as far as access goes; *text: lines for people. REQUIRED for a question that
 * can't be asked. */
fhir_error_t *fhir_explain(int *status, const char **text, fhir_app_t *app, const fhir_question_t *question,
                           apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
