/* What a long check finds, printed as it is found: lines for people, or the members of a JSON array with --json. */
#ifndef FHIR_CLI_FINDINGS_H
#define FHIR_CLI_FINDINGS_H

#include "../core/app/object_check.h"
#include "ctl.h"
#include "progress.h"

typedef struct fhir_finding_t {
    const char *store;
    const char *problem; /* a word */
    const char *key;     /* NULL: no row knows it */
    apr_off_t size;      /* -1: not known */
    apr_time_t since;    /* 0: not known */
    const char *locator;
    const char *detail;           /* NULL: nothing more to say */
    const char *copy;             /* the store in which this copy of the object is; NULL: it is about the object */
    int repaired;                 /* it is well again: the exit status does not tell of it */
    const fhir_object_use_t *use; /* NULL: nobody knows, or it is no object of a version */
} fhir_finding_t;

typedef struct fhir_findings_t {
    fhir_ctl_t *ctl;
    fhir_progress_t *progress; /* hidden while something is printed; NULL: none */
    int json;
    int is_array; /* with --json, nothing but the array */
    apr_off_t count;
    apr_pool_t *pool;
} fhir_findings_t;

/* With --json: the array alone, or the member `findings` of an object that the caller closes. */
void fhir_findings_init(fhir_findings_t *findings, fhir_ctl_t *ctl, fhir_progress_t *progress, int is_array);
/* The exit status is FHIR_CTL_FOUND from now on, unless it was repaired. */
void fhir_findings_add(fhir_findings_t *findings, const fhir_finding_t *finding);
/* Whose an object is. NULL if that can't be had now: it would help, but what was found is told without it, too. */
const fhir_object_use_t *fhir_findings_use_of(const fhir_object_job_t *job, const char *object_key, apr_pool_t *pool);
/* `of Binary/x/_history/y in the project P, and of 2 more versions`; "" if nothing is known. */
const char *fhir_findings_use(const fhir_object_use_t *use, apr_pool_t *pool);
/* Closes the JSON array. */
void fhir_findings_end(fhir_findings_t *findings);
/* Closes the JSON when the rest is not looked at: the object gets a member `error`, the array an element with it. */
void fhir_findings_fail(fhir_findings_t *findings, const fhir_error_t *error);

#endif
