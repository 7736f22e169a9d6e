/* The other direction: what is in a store, and whether a row knows it. */
#ifndef FHIR_APP_STORE_SCAN_H
#define FHIR_APP_STORE_SCAN_H

#include "object_check.h"

typedef enum fhir_scan_kind_t {
    FHIR_SCAN_UNKNOWN,    /* an object that no row knows */
    FHIR_SCAN_UNFINISHED, /* what a writer has left that never ended */
    FHIR_SCAN_ELSEWHERE   /* the row of another store has its locator: a forgotten copy, or one place with two names */
} fhir_scan_kind_t;
const char *fhir_scan_kind_text(fhir_scan_kind_t kind);

typedef struct fhir_scan_t {
    fhir_object_job_t *job;
    const char *store;
    apr_time_t before; /* only what was stored before */
    apr_time_t since;  /* and not before this; 0: ever */
    /* Each entry that no row of this store knows. */
    fhir_error_t *(*found)(void *baton, fhir_scan_kind_t kind, const fhir_list_entry_t *entry, apr_pool_t *pool);
    void *baton;
    /* Out. */
    apr_off_t known;   /* whole objects that rows know */
    apr_off_t unknown; /* and whole ones that none does */
    int store_failed;  /* an error is the store's, and not the database's */
} fhir_scan_t;

/* NULL, or why what rows don't know in this store says nothing: it is another store's, or may be. */
fhir_error_t *fhir_scan_refused(const char **why, const fhir_object_job_t *job, const char *store,
                                apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_store_scan(fhir_scan_t *scan, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
