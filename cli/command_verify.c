/* store verify: are the stored objects as their rows say, and do rows know what is stored? */
#include "findings.h"

#include "../core/app/object_verify.h"
#include "../core/app/store_scan.h"
#include "../core/base/text.h"
#include "../core/fhir/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Younger things may be of uploads that run now. */
#define SETTLED apr_time_from_sec(3600)

typedef struct verify_t {
    fhir_ctl_t *ctl;
    fhir_object_job_t job;
    fhir_verify_t objects;
    fhir_progress_t progress;
    fhir_findings_t findings;
    const char *store; /* being scanned */
    apr_off_t unknown;
    apr_off_t unconfigured;
} verify_t;

/* ---- options ---- */

static fhir_error_t *read_sample(double *share, fhir_ctl_t *ctl)
{
    const char *given = fhir_ctl_option(ctl, "sample");
    char *end = NULL;
    *share = 1;
    if (given) {
        double percent = *given >= '0' && *given <= '9' ? strtod(given, &end) : -1;
        if (!end || end == given || (*end && strcmp(end, "%") != 0) || !(percent > 0) || percent > 100) {
            return fhir_ctl_misuse(ctl, "--sample is a share of more than 0 and at most 100 per cent, for example 1%.");
        }
        *share = percent / 100;
    }
    return NULL;
}

/* A date, a time, or how long ago. */
static fhir_error_t *read_since(apr_time_t *since, fhir_ctl_t *ctl)
{
    const char *given = fhir_ctl_option(ctl, "since");
    apr_interval_time_t ago;
    apr_time_t high;
    *since = 0;
    if (!given || fhir_date_range(since, &high, given)) {
        return NULL;
    }
    if (fhir_parse_duration(&ago, given, ctl->pool)) {
        return fhir_ctl_misuse(ctl, "--since is a date (2026-11-21), a time (2026-11-21T08:00:00Z) or an age (7d).");
    }
    *since = apr_time_now() - ago;
    return NULL;
}

static fhir_error_t *read_options(verify_t *verify)
{
    fhir_ctl_t *ctl = verify->ctl;
    const char *rate = fhir_ctl_option(ctl, "rate");
    fhir_object_filter_t *filter = &verify->objects.filter;
    filter->store = fhir_ctl_option(ctl, "store");
    FHIR_TRY(read_sample(&filter->share, ctl));
    FHIR_TRY(read_since(&filter->since, ctl));
    if (rate) {
        FHIR_TRY(fhir_parse_size(&verify->job.rate, rate, ctl->pool));
    }
    return NULL;
}

/* ---- what is found ---- */

static void checked(void *baton, const fhir_content_t *content)
{
    verify_t *verify = baton;
    fhir_progress_add(&verify->progress, content->size);
}

static void wrong(void *baton, const fhir_content_t *content, fhir_object_state_t state, const char *detail)
{
    verify_t *verify = baton;
    const fhir_finding_t finding = {.store = content->store,
                                    .problem = fhir_object_state_text(state),
                                    .key = content->object_key,
                                    .size = content->size,
                                    .locator = content->locator,
                                    .detail = detail};
    fhir_findings_add(&verify->findings, &finding);
}

static fhir_error_t *found(void *baton, fhir_scan_kind_t kind, const fhir_list_entry_t *entry, apr_pool_t *pool)
{
    verify_t *verify = baton;
    const fhir_finding_t finding = {.store = verify->store,
                                    .problem = fhir_scan_kind_text(kind),
                                    .size = entry->length,
                                    .since = entry->modified,
                                    .locator = entry->locator};
    (void)pool;
    verify->unknown++;
    fhir_findings_add(&verify->findings, &finding);
    return NULL;
}

/* ---- the two directions ---- */

static fhir_error_t *verify_rows(verify_t *verify)
{
    fhir_ctl_t *ctl = verify->ctl;
    apr_off_t objects;
    apr_off_t bytes;
    FHIR_TRY(fhir_meta_objects_count(&objects, &bytes, ctl->meta, &verify->objects.filter, &ctl->call));
    fhir_progress_begin_bytes(&verify->progress, (apr_off_t)((double)bytes * verify->objects.filter.share));
    verify->progress.is_quiet = 1; /* cron mails what is written */
    verify->objects.job = &verify->job;
    verify->objects.checked = checked;
    verify->objects.wrong = wrong;
    verify->objects.baton = verify;
    return fhir_objects_verify(&verify->objects, ctl->pool);
}

static fhir_error_t *find_unconfigured(verify_t *verify)
{
    apr_array_header_t *needed;
    fhir_ctl_t *ctl = verify->ctl;
    FHIR_TRY(fhir_meta_stores_needed(&needed, ctl->meta, &ctl->call));
    for (int i = 0; i < needed->nelts; i++) {
        const char *name = APR_ARRAY_IDX(needed, i, const char *);
        fhir_object_filter_t filter = {.store = name, .project_id = verify->objects.filter.project_id, .share = 1};
        fhir_finding_t finding = {.store = name, .problem = "no-store", .size = -1};
        apr_off_t objects;
        apr_off_t bytes;
        if (fhir_store_defined(ctl->settings->catalog, name) ||
            (verify->objects.filter.store && strcmp(verify->objects.filter.store, name) != 0)) {
            continue;
        }
        FHIR_TRY(fhir_meta_objects_count(&objects, &bytes, ctl->meta, &filter, &ctl->call));
        if (objects == 0) {
            continue;
        }
        finding.detail = apr_psprintf(ctl->pool,
                                      "%" APR_OFF_T_FMT " objects are in this store, which the "
                                      "configuration does not have: define it again",
                                      objects);
        verify->unconfigured += objects;
        fhir_findings_add(&verify->findings, &finding);
    }
    return NULL;
}

static fhir_error_t *scan_store(verify_t *verify, const char *name)
{
    fhir_scan_t scan = {.job = &verify->job, .store = name, .found = found, .baton = verify};
    const char *why;
    verify->store = name;
    scan.before = apr_time_now() - SETTLED;
    scan.since = verify->objects.filter.since;
    FHIR_TRY(fhir_scan_refused(&why, &verify->job, name, verify->ctl->pool));
    if (why) {
        if (isatty(STDERR_FILENO)) {
            fprintf(stderr, "%s: not looked for what no row knows: %s.\n", name, why);
        }
        return NULL;
    }
    return fhir_store_scan(&scan, verify->ctl->pool);
}

/* What no row knows is of no project. */
static fhir_error_t *scan_stores(verify_t *verify)
{
    fhir_ctl_t *ctl = verify->ctl;
    apr_array_header_t *names = fhir_store_names(ctl->settings->catalog, ctl->pool);
    const char *only = verify->objects.filter.store;
    for (int i = 0; !verify->objects.filter.project_id && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        if (!only || strcmp(only, name) == 0) {
            FHIR_TRY(scan_store(verify, name));
        }
    }
    return NULL;
}

/* Without findings there is nothing to say, but to somebody who waits for it. */
static void print_summary(verify_t *verify)
{
    const fhir_verify_t *objects = &verify->objects;
    fhir_findings_end(&verify->findings);
    if (verify->findings.json) {
        printf(", \"summary\": {\"objects\": %" APR_OFF_T_FMT ", \"bytes\": %" APR_OFF_T_FMT
               ", \"missing\": %" APR_OFF_T_FMT ", \"altered\": %" APR_OFF_T_FMT ", \"unreadable\": %" APR_OFF_T_FMT
               ", \"unknown\": %" APR_OFF_T_FMT ", \"without_store\": %" APR_OFF_T_FMT "}}\n",
               objects->objects, objects->bytes, objects->states[FHIR_OBJECT_MISSING],
               objects->states[FHIR_OBJECT_ALTERED], objects->states[FHIR_OBJECT_UNREADABLE], verify->unknown,
               verify->unconfigured);
    } else if (verify->findings.count || isatty(STDOUT_FILENO)) {
        char size[32];
        fhir_progress_size(size, sizeof(size), (double)objects->bytes);
        printf("%" APR_OFF_T_FMT " objects, %s, were read: %" APR_OFF_T_FMT " missing, %" APR_OFF_T_FMT
               " altered, %" APR_OFF_T_FMT " unreadable; %" APR_OFF_T_FMT " that no row knows.\n",
               objects->objects, size, objects->states[FHIR_OBJECT_MISSING], objects->states[FHIR_OBJECT_ALTERED],
               objects->states[FHIR_OBJECT_UNREADABLE], verify->unknown);
    }
}

fhir_error_t *fhir_ctl_store_verify(fhir_ctl_t *ctl)
{
    verify_t verify = {.ctl = ctl};
    fhir_error_t *error;
    fhir_object_job_init(&verify.job, ctl->pool);
    FHIR_TRY(read_options(&verify));
    FHIR_TRY(fhir_ctl_job(&verify.job, ctl));
    FHIR_TRY(fhir_ctl_project(&verify.objects.filter.project_id, ctl));
    FHIR_TRY(fhir_ctl_stores(ctl));
    fhir_findings_init(&verify.findings, ctl, &verify.progress, 0);
    error = find_unconfigured(&verify);
    if (!error && verify.findings.count == 0 && verify.objects.filter.store) {
        FHIR_TRY(fhir_ctl_known_store(ctl, verify.objects.filter.store));
    }
    if (!error) {
        error = verify_rows(&verify);
    }
    if (!error) {
        error = scan_stores(&verify);
    }
    if (verify.progress.started) {
        fhir_progress_end(&verify.progress);
    }
    if (!error) {
        print_summary(&verify);
    }
    return error;
}
