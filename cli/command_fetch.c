/* fetch list, retry: attachments of other servers that were to be fetched */
#include "ctl.h"

#include "../core/meta/external_fetch.h"

#include <stdio.h>

static const char *state_text(fhir_fetch_state_t state)
{
    switch (state) {
    case FHIR_FETCH_DONE:
        return "done";
    case FHIR_FETCH_FAILED:
        return "failed";
    default:
        return "waiting";
    }
}

fhir_error_t *fhir_ctl_fetch_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id",        "state",        "resource", "path",   "url",
                                        "attempts#", "next_attempt", "error",    "binary", "finished"};
    fhir_ctl_table_t table;
    apr_array_header_t *jobs;
    const char *project;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&project, ctl));
    FHIR_TRY(fhir_meta_fetch_list(&jobs, ctl->meta, project, fhir_ctl_option(ctl, "failed") != NULL, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 10);
    for (int i = 0; i < jobs->nelts; i++) {
        const fhir_fetch_job_t *job = &APR_ARRAY_IDX(jobs, i, fhir_fetch_job_t);
        fhir_ctl_table_add(&table, job->id);
        fhir_ctl_table_add(&table, state_text(job->state));
        fhir_ctl_table_add(&table, apr_pstrcat(ctl->pool, job->type, "/", job->resource_id, NULL));
        fhir_ctl_table_add(&table, job->path);
        fhir_ctl_table_add(&table, job->url);
        fhir_ctl_table_add_number(&table, job->attempts);
        fhir_ctl_table_add_time(&table, job->state == FHIR_FETCH_WAITING ? job->next_attempt : 0);
        fhir_ctl_table_add(&table, job->error);
        fhir_ctl_table_add(&table, job->binary_id);
        fhir_ctl_table_add_time(&table, job->finished);
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

fhir_error_t *fhir_ctl_fetch_retry(fhir_ctl_t *ctl)
{
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_meta_fetch_retry(ctl->meta, fhir_ctl_argument(ctl, 0), &ctl->call));
    if (!ctl->settings->fetch_external) {
        puts("FhirBinaryFetchExternal is off in this configuration: nothing fetches it.");
    }
    return NULL;
}
