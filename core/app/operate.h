/* Requests that come from whoever may run fhirbinctl on this machine, for one project, as its administrator: the same
 * checks, rules and audit as over HTTP. Principal: FHIR_PRINCIPAL_OPERATOR. */
#ifndef FHIR_APP_OPERATE_H
#define FHIR_APP_OPERATE_H

#include "app.h"

typedef struct fhir_operation_t {
    const char *project_id;
    const char *operator_name; /* for the audit trail: the account that runs the command */
    fhir_method_t method;
    const char *path;         /* under the FHIR base: "AccessPolicy/1" */
    const char *query;        /* NULL: none */
    const char *content_type; /* NULL: application/fhir+json */
    const char *body;         /* NULL: none */
    const char *if_match;     /* a version id; NULL: none */
} fhir_operation_t;

/* *status is the HTTP status, *text the answer's body ("" if none); fails only if that can't be had. An answer of 400
 * or more is for fhir_operation_failed. */
fhir_error_t *fhir_operate(int *status, const char **text, fhir_app_t *app, const fhir_operation_t *operation,
                           apr_pool_t *pool) FHIR_MUST_CHECK;
/* The OperationOutcome's sentence as an error. */
fhir_error_t *fhir_operation_failed(int status, const char *text, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
