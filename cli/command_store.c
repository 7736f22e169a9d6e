/* store list, health, stat */
#include "ctl.h"

#include "../core/meta/object_copy.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

fhir_error_t *fhir_ctl_known_store(fhir_ctl_t *ctl, const char *name)
{
    return fhir_store_defined(ctl->settings->catalog, name)
               ? NULL
               : fhir_error_public(ctl->pool, FHIR_ERROR_NOT_FOUND, "There is no store '%s'; `store list` lists them.",
                                   name);
}

static int is_default(const fhir_ctl_t *ctl, const char *name)
{
    return ctl->settings->default_store && strcmp(name, ctl->settings->default_store) == 0;
}

fhir_error_t *fhir_ctl_store_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"name", "default?"};
    fhir_ctl_table_t table;
    apr_array_header_t *stores;
    FHIR_TRY(fhir_ctl_settings(ctl));
    stores = fhir_store_names(ctl->settings->catalog, ctl->pool);
    fhir_ctl_table_init(&table, ctl, names, 2);
    for (int i = 0; i < stores->nelts; i++) {
        const char *name = APR_ARRAY_IDX(stores, i, const char *);
        fhir_ctl_table_add(&table, name);
        fhir_ctl_table_add_flag(&table, is_default(ctl, name));
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

/* ---- health ---- */

/* Whom we wait for. */
typedef struct asked_t {
    const char *store;
    apr_time_t began;
    int told;
} asked_t;

/* Asked now and then by whoever waits: on a terminal it says for whom. */
static int tell_asked(void *baton)
{
    asked_t *asked = baton;
    if (!asked->told && isatty(STDERR_FILENO) && apr_time_now() - asked->began > apr_time_from_sec(1)) {
        fprintf(stderr, "asking %s ...", asked->store);
        fflush(stderr);
        asked->told = 1;
    }
    return 0;
}

static fhir_error_t *ask_health(fhir_error_t **answer, fhir_ctl_t *ctl, asked_t *asked)
{
    fhir_open_store_t *store;
    fhir_call_t call = ctl->call;
    FHIR_TRY(fhir_store_get(&store, ctl->settings->catalog, asked->store, ctl->pool));
    asked->began = apr_time_now();
    call.deadline = asked->began + ctl->settings->request_timeout;
    call.cancelled = tell_asked;
    call.cancelled_baton = asked;
    *answer = fhir_store_health(store, &call);
    if (asked->told) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    return NULL;
}

static fhir_error_t *add_health(fhir_ctl_table_t *table, fhir_ctl_t *ctl, const char *name)
{
    asked_t asked = {.store = name};
    fhir_error_t *error;
    apr_interval_time_t time;
    FHIR_TRY(ask_health(&error, ctl, &asked));
    time = apr_time_now() - asked.began;
    fhir_ctl_table_add(table, name);
    fhir_ctl_table_add_flag(table, !error);
    fhir_ctl_table_add(table, apr_psprintf(ctl->pool, "%.1f", (double)time / APR_TIME_C(1000)));
    fhir_ctl_table_add(table, fhir_error_reason(error));
    if (error) {
        ctl->status = FHIR_CTL_FOUND;
    }
    return NULL;
}

fhir_error_t *fhir_ctl_store_health(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"name", "healthy?", "milliseconds#", "problem"};
    int widths[] = {4, 7, 12, 0};
    fhir_ctl_table_t table;
    apr_array_header_t *stores;
    FHIR_TRY(fhir_ctl_stores(ctl));
    stores = fhir_store_names(ctl->settings->catalog, ctl->pool);
    for (int i = 0; i < stores->nelts; i++) {
        int length = (int)strlen(APR_ARRAY_IDX(stores, i, const char *));
        widths[0] = length > widths[0] ? length : widths[0];
    }
    fhir_ctl_table_init(&table, ctl, names, 4);
    fhir_ctl_table_begin(&table, widths);
    for (int i = 0; i < stores->nelts; i++) {
        FHIR_TRY(add_health(&table, ctl, APR_ARRAY_IDX(stores, i, const char *)));
        fhir_ctl_table_row(&table, widths);
    }
    fhir_ctl_table_end(&table);
    return NULL;
}

/* ---- stat ---- */

static void add_stat(fhir_ctl_table_t *table, fhir_ctl_t *ctl, const fhir_store_stat_t *stat)
{
    int configured = fhir_store_defined(ctl->settings->catalog, stat->store);
    fhir_ctl_table_add(table, stat->store);
    fhir_ctl_table_add_flag(table, configured);
    fhir_ctl_table_add_flag(table, is_default(ctl, stat->store));
    fhir_ctl_table_add_number(table, stat->objects);
    fhir_ctl_table_add_number(table, stat->bytes);
    fhir_ctl_table_add_number(table, stat->projects);
    fhir_ctl_table_add_number(table, stat->pending);
    fhir_ctl_table_add_time(table, stat->oldest_pending);
    fhir_ctl_table_add_number(table, stat->writing);
    fhir_ctl_table_add_number(table, stat->left_over);
    /* What is in a store that is not configured can't be read. */
    if (!configured) {
        ctl->status = FHIR_CTL_FOUND;
    }
}

static int has_stat(const apr_array_header_t *stats, const char *store)
{
    for (int i = 0; i < stats->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(stats, i, fhir_store_stat_t).store, store) == 0) {
            return 1;
        }
    }
    return 0;
}

fhir_error_t *fhir_ctl_store_stat(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"name",      "configured?", "default?",       "objects#", "bytes#",
                                        "projects#", "pending#",    "oldest_pending", "copying#", "left_over#"};
    fhir_object_job_t job;
    fhir_ctl_table_t table;
    apr_array_header_t *stats;
    apr_array_header_t *stores;
    fhir_object_job_init(&job, ctl->pool);
    FHIR_TRY(fhir_ctl_job(&job, ctl));
    FHIR_TRY(fhir_meta_store_stat(&stats, ctl->meta, &ctl->call));
    stores = fhir_store_names(ctl->settings->catalog, ctl->pool);
    fhir_ctl_table_init(&table, ctl, names, 10);
    for (int i = 0; i < stats->nelts; i++) {
        add_stat(&table, ctl, &APR_ARRAY_IDX(stats, i, fhir_store_stat_t));
    }
    for (int i = 0; i < stores->nelts; i++) {
        const fhir_store_stat_t empty = {.store = APR_ARRAY_IDX(stores, i, const char *)};
        if (!has_stat(stats, empty.store)) {
            add_stat(&table, ctl, &empty);
        }
    }
    fhir_ctl_table_print(&table);
    return NULL;
}
