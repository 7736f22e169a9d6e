/* audit list, verify, prune: the audit trail as the database has it. */
#include "ctl.h"

#include "../core/base/text.h"
#include "../core/meta/audit.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 100

static const fhir_call_t *fresh_call(fhir_ctl_t *ctl, fhir_call_t *call)
{
    *call = ctl->call;
    call->deadline = apr_time_now() + ctl->settings->request_timeout;
    return call;
}

/* ---- list ---- */

static void add_parameter(apr_array_header_t *parameters, const char *name, const char *value)
{
    fhir_parameter_t *parameter;
    if (value) {
        parameter = apr_array_push(parameters);
        parameter->name = name;
        parameter->value = value;
    }
}

static fhir_error_t *read_search(fhir_audit_search_t **search, fhir_ctl_t *ctl)
{
    apr_array_header_t *parameters = apr_array_make(ctl->pool, 4, sizeof(fhir_parameter_t));
    const char *limit = fhir_ctl_option(ctl, "limit");
    const char *since = fhir_ctl_option(ctl, "since");
    add_parameter(parameters, "entity", fhir_ctl_option(ctl, "entity"));
    add_parameter(parameters, "altid", fhir_ctl_option(ctl, "membership"));
    add_parameter(parameters, "date", since ? apr_pstrcat(ctl->pool, "ge", since, NULL) : NULL);
    add_parameter(parameters, "_count", limit ? limit : apr_itoa(ctl->pool, LIST_DEFAULT));
    return fhir_audit_search_parse(search, parameters, 1, ctl->settings->fhir_base, ctl->pool);
}

static const char *entity_text(const fhir_audit_event_t *event, apr_pool_t *pool)
{
    if (!event->entity_id) {
        return event->query && *event->query
                   ? apr_pstrcat(pool, event->entity_type ? event->entity_type : "", "?", event->query, NULL)
                   : event->entity_type;
    }
    return apr_pstrcat(pool, event->entity_type, "/", event->entity_id, NULL);
}

static void add_row(fhir_ctl_table_t *table, const fhir_audit_event_t *event)
{
    fhir_ctl_table_add_number(table, (apr_off_t)event->sequence);
    fhir_ctl_table_add_time(table, event->recorded);
    fhir_ctl_table_add(table, event->interaction);
    fhir_ctl_table_add_number(table, (apr_off_t)event->status);
    fhir_ctl_table_add_number(table, (apr_off_t)event->bytes_sent);
    fhir_ctl_table_add(table, entity_text(event, table->ctl->pool));
    fhir_ctl_table_add(table, event->agent_profile ? event->agent_profile : event->agent_subject);
    fhir_ctl_table_add(table, event->address);
    fhir_ctl_table_add(table, event->request_id);
}

fhir_error_t *fhir_ctl_audit_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"sequence#", "recorded", "interaction", "status#", "bytes#",
                                        "entity",    "agent",    "address",     "request"};
    fhir_audit_search_t *search;
    fhir_ctl_table_t table;
    apr_array_header_t *events;
    const char *project;
    apr_off_t total;
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(read_search(&search, ctl));
    FHIR_TRY(fhir_ctl_project(&project, ctl));
    FHIR_TRY(fhir_meta_audit_search(&events, &total, ctl->meta, project, search, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 9);
    for (int i = 0; i < events->nelts && i < search->count; i++) {
        add_row(&table, APR_ARRAY_IDX(events, i, const fhir_audit_event_t *));
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

/* ---- verify ---- */

typedef struct verify_t {
    fhir_progress_t progress;
    apr_int64_t shown; /* rows that the progress knows of */
} verify_t;

static void show_progress(void *baton, const fhir_audit_check_t *check)
{
    verify_t *verify = baton;
    if (!verify->progress.started) {
        fhir_progress_begin(&verify->progress, (apr_off_t)(check->head.last_sequence - check->head.first_sequence + 1));
    }
    fhir_progress_add(&verify->progress, (apr_off_t)(check->verified - verify->shown));
    verify->shown = check->verified;
}

static void print_whole(const fhir_audit_check_t *check, apr_pool_t *pool)
{
    printf("the chain is whole: %" APR_INT64_T_FMT " events", check->verified);
    if (check->verified > 0) {
        printf(", %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT ", the last hash is %s", check->head.first_sequence,
               check->head.last_sequence, fhir_hex_encode(check->head.last_hash, sizeof(check->head.last_hash), pool));
    }
    if (check->head.first_sequence > 1) {
        printf("; those before %" APR_INT64_T_FMT " were pruned", check->head.first_sequence);
    }
    printf("\n");
}

fhir_error_t *fhir_ctl_audit_verify(fhir_ctl_t *ctl)
{
    verify_t verify = {.shown = 0};
    fhir_audit_check_t check = {.progress = show_progress, .baton = &verify};
    fhir_error_t *error;
    FHIR_TRY(fhir_ctl_meta(ctl));
    error = fhir_meta_audit_verify(&check, ctl->meta, ctl->settings->request_timeout, &ctl->call);
    if (verify.progress.started) {
        fhir_progress_end(&verify.progress);
    }
    if (error && error->code == FHIR_ERROR_NOT_FOUND) {
        printf("%s\n", error->public_text);
        ctl->status = FHIR_CTL_FOUND;
        return NULL;
    }
    FHIR_TRY(error);
    if (check.why) {
        printf("event %" APR_INT64_T_FMT " %s; the %" APR_INT64_T_FMT " events before it are good\n", check.bad,
               check.why, check.verified);
        ctl->status = FHIR_CTL_FOUND;
    } else {
        print_whole(&check, ctl->pool);
    }
    return NULL;
}

/* ---- prune ---- */

fhir_error_t *fhir_ctl_audit_prune(fhir_ctl_t *ctl)
{
    apr_interval_time_t age;
    apr_off_t all = 0;
    apr_off_t pruned;
    apr_time_t before;
    FHIR_TRY(fhir_ctl_duration_option(&age, ctl, "older-than", NULL));
    FHIR_TRY(fhir_ctl_meta(ctl));
    before = apr_time_now() - age;
    do {
        fhir_call_t call;
        FHIR_TRY(fhir_meta_audit_prune(&pruned, ctl->meta, before, fresh_call(ctl, &call)));
        all += pruned;
    } while (pruned > 0);
    printf("removed %" APR_OFF_T_FMT " events\n", all);
    return NULL;
}
