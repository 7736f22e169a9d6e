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
    apr_array_header_t *unchecked; /* of const char *: stores that could not be checked, or not to the end */
    apr_pool_t *finding_pool;      /* of one finding */
} verify_t;

/* ---- options ---- */

static fhir_error_t *read_sample(double *share, fhir_ctl_t *ctl)
{
    const char *given = fhir_ctl_option(ctl, "sample");
    char *end = NULL;
    *share = 1;
    if (given) {
        double percent = strspn(given, "0123456789.%") == strlen(given) ? strtod(given, &end) : -1;
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
    fhir_object_filter_t *filter = &verify->objects.filter;
    verify->objects.repair = fhir_ctl_option(ctl, "repair") != NULL;
    filter->store = fhir_ctl_option(ctl, "store");
    FHIR_TRY(read_sample(&filter->share, ctl));
    FHIR_TRY(read_since(&filter->since, ctl));
    return fhir_ctl_rate_option(&verify->job.rate, ctl);
}

/* ---- what is found ---- */

static void checked(void *baton, const fhir_content_t *content)
{
    verify_t *verify = baton;
    fhir_progress_add(&verify->progress, content->size);
}

static void add_object(verify_t *verify, const fhir_content_t *content, fhir_finding_t *finding)
{
    finding->use = fhir_findings_use_of(&verify->job, content->object_key, verify->finding_pool);
    finding->store = content->store;
    finding->key = content->object_key;
    finding->size = content->size;
    finding->locator = content->locator;
    fhir_findings_add(&verify->findings, finding);
    apr_pool_clear(verify->finding_pool);
}

static void wrong(void *baton, const fhir_content_t *content, fhir_object_state_t state, const char *detail)
{
    fhir_finding_t finding = {.problem = fhir_object_state_text(state), .detail = detail};
    add_object(baton, content, &finding);
}

static void wrong_copy(void *baton, const fhir_content_t *content, const fhir_verify_copy_t *copy)
{
    static const char *const problems[] = {"", "", "copy-missing", "copy-altered", "copy-unreadable"};
    verify_t *verify = baton;
    fhir_finding_t finding = {.problem = problems[copy->state], .copy = copy->store, .repaired = copy->repaired};
    finding.detail =
        apr_psprintf(verify->finding_pool, "copy %s in %s%s%s%s", problems[copy->state] + strlen("copy-"), copy->store,
                     copy->repaired ? ", repaired" : "", copy->detail ? ": " : "", copy->detail ? copy->detail : "");
    add_object(verify, content, &finding);
}

/* ---- stores that fail ---- */

static int is_unchecked(const verify_t *verify, const char *store)
{
    for (int i = 0; i < verify->unchecked->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(verify->unchecked, i, const char *), store) == 0) {
            return 1;
        }
    }
    return 0;
}

static void gave_up(void *baton, const char *store, int copies, const char *detail)
{
    verify_t *verify = baton;
    if (verify->progress.started) {
        fhir_progress_hide(&verify->progress);
    }
    fprintf(stderr, "fhirbinctl: %s '%s' can't be checked now%s%s%s. Run this again when it works.\n",
            copies ? "The copies in the store" : "The store", store, detail ? " (" : "", detail ? detail : "",
            detail ? ")" : "");
    if (!is_unchecked(verify, store)) {
        APR_ARRAY_PUSH(verify->unchecked, const char *) = apr_pstrdup(verify->ctl->pool, store);
    }
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
    verify->objects.copy = wrong_copy;
    verify->objects.gave_up = gave_up;
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
    fhir_error_t *error;
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
    error = fhir_store_scan(&scan, verify->ctl->pool);
    if (error && scan.store_failed && error->code != FHIR_ERROR_CANCELLED) {
        gave_up(verify, name, 0, fhir_error_reason(error));
        error = NULL;
    }
    return error;
}

/* What no row knows is of no project. */
static fhir_error_t *scan_stores(verify_t *verify)
{
    fhir_ctl_t *ctl = verify->ctl;
    apr_array_header_t *names = fhir_store_names(ctl->settings->catalog, ctl->pool);
    const char *only = verify->objects.filter.store;
    for (int i = 0; !verify->objects.filter.project_id && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        if ((!only || strcmp(only, name) == 0) && !is_unchecked(verify, name)) {
            FHIR_TRY(scan_store(verify, name));
        }
    }
    return NULL;
}

/* ---- in the end ---- */

static void print_json_summary(const verify_t *verify)
{
    const fhir_verify_t *objects = &verify->objects;
    fhir_text_t unchecked;
    fhir_text_init(&unchecked, verify->ctl->pool);
    for (int i = 0; i < verify->unchecked->nelts; i++) {
        fhir_text_add(&unchecked, i ? ", " : "");
        fhir_text_add_json_string(&unchecked, APR_ARRAY_IDX(verify->unchecked, i, const char *));
    }
    printf(", \"summary\": {\"objects\": %" APR_OFF_T_FMT ", \"bytes\": %" APR_OFF_T_FMT
           ", \"missing\": %" APR_OFF_T_FMT ", \"altered\": %" APR_OFF_T_FMT ", \"unreadable\": %" APR_OFF_T_FMT
           ", \"copies_missing\": %" APR_OFF_T_FMT ", \"copies_altered\": %" APR_OFF_T_FMT
           ", \"copies_unreadable\": %" APR_OFF_T_FMT ", \"copies_repaired\": %" APR_OFF_T_FMT
           ", \"unknown\": %" APR_OFF_T_FMT ", \"without_store\": %" APR_OFF_T_FMT ", \"not_checked\": [%s]}}\n",
           objects->objects, objects->bytes, objects->states[FHIR_OBJECT_MISSING], objects->states[FHIR_OBJECT_ALTERED],
           objects->states[FHIR_OBJECT_UNREADABLE], objects->copies[FHIR_STORE_COPY_MISSING],
           objects->copies[FHIR_STORE_COPY_ALTERED], objects->copies[FHIR_STORE_COPY_UNREADABLE], objects->repaired,
           verify->unknown, verify->unconfigured, unchecked.length ? unchecked.text : "");
}

static void print_text_summary(const verify_t *verify)
{
    const fhir_verify_t *objects = &verify->objects;
    apr_off_t copies = objects->copies[FHIR_STORE_COPY_MISSING] + objects->copies[FHIR_STORE_COPY_ALTERED] +
                       objects->copies[FHIR_STORE_COPY_UNREADABLE];
    char size[32];
    fhir_progress_size(size, sizeof(size), (double)objects->bytes);
    printf("%" APR_OFF_T_FMT " objects, %s, were read: %" APR_OFF_T_FMT " missing, %" APR_OFF_T_FMT
           " altered, %" APR_OFF_T_FMT " unreadable; %" APR_OFF_T_FMT " that no row knows.\n",
           objects->objects, size, objects->states[FHIR_OBJECT_MISSING], objects->states[FHIR_OBJECT_ALTERED],
           objects->states[FHIR_OBJECT_UNREADABLE], verify->unknown);
    if (copies) {
        printf("Copies of objects that are right: %" APR_OFF_T_FMT " missing, %" APR_OFF_T_FMT
               " altered, %" APR_OFF_T_FMT " unreadable; %" APR_OFF_T_FMT " of them repaired.%s\n",
               objects->copies[FHIR_STORE_COPY_MISSING], objects->copies[FHIR_STORE_COPY_ALTERED],
               objects->copies[FHIR_STORE_COPY_UNREADABLE], objects->repaired,
               objects->repair ? "" : " `--repair` writes what is missing or altered anew.");
    }
}

/* Without findings there is nothing to say, but to somebody who waits for it. */
static void end(verify_t *verify)
{
    fhir_findings_end(&verify->findings);
    if (verify->findings.json) {
        print_json_summary(verify);
    } else if (verify->findings.count || isatty(STDOUT_FILENO)) {
        print_text_summary(verify);
    }
    if (verify->unchecked->nelts) {
        verify->ctl->status = FHIR_CTL_FAILED;
    }
}

/* Said before a long time of reading in which nothing is repaired. */
static fhir_error_t *check_repair(verify_t *verify)
{
    fhir_ctl_t *ctl = verify->ctl;
    apr_array_header_t *names = fhir_store_names(ctl->settings->catalog, ctl->pool);
    const char *only = verify->objects.filter.store;
    for (int i = 0; verify->objects.repair && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        fhir_open_store_t *store;
        FHIR_TRY(fhir_store_get(&store, ctl->settings->catalog, name, ctl->pool));
        if ((!only || strcmp(only, name) == 0) && fhir_store_keeps_copies(store)) {
            return NULL;
        }
    }
    if (verify->objects.repair) {
        fprintf(stderr, "There is nothing that --repair could repair: %s keeps copies, as `mirror` does.\n",
                only ? "this is no store that" : "no store here");
    }
    return NULL;
}

fhir_error_t *fhir_ctl_store_verify(fhir_ctl_t *ctl)
{
    verify_t verify = {.ctl = ctl};
    fhir_error_t *error;
    fhir_object_job_init(&verify.job, ctl->pool);
    verify.unchecked = apr_array_make(ctl->pool, 2, sizeof(const char *));
    apr_pool_create(&verify.finding_pool, ctl->pool);
    FHIR_TRY(read_options(&verify));
    FHIR_TRY(fhir_ctl_job(&verify.job, ctl));
    FHIR_TRY(fhir_ctl_project(&verify.objects.filter.project_id, ctl));
    FHIR_TRY(fhir_ctl_stores(ctl));
    FHIR_TRY(check_repair(&verify));
    fhir_findings_init(&verify.findings, ctl, &verify.progress, 0);
    error = find_unconfigured(&verify);
    if (!error && verify.findings.count == 0 && verify.objects.filter.store) {
        error = fhir_ctl_known_store(ctl, verify.objects.filter.store);
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
    if (error) {
        fhir_findings_fail(&verify.findings, error);
    } else {
        end(&verify);
    }
    return error;
}
