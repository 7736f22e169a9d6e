/* store orphans: what interrupted uploads and moves have left behind, seen from the database and from the store; with
 * --remove it is taken away. */
#include "findings.h"

#include "../core/app/copy_sweep.h"
#include "../core/app/store_scan.h"
#include "../core/base/text.h"

#include <stdio.h>
#include <string.h>

#define REMOVE_AGE apr_time_from_sec(86400)
/* So many unknown objects may be in a store of which rows know none or fewer. */
#define UNKNOWN_FEW 10

typedef struct orphans_t {
    fhir_ctl_t *ctl;
    fhir_object_job_t job;
    fhir_findings_t findings;
    fhir_copy_sweep_t sweep;
    const char *store;
    apr_time_t before;
    int remove;
    int unknown;      /* also what no row knows */
    apr_pool_t *pool; /* of one thing */
    int is_refused;   /* nothing is removed of what no row knows */
    apr_off_t copies; /* of the findings: those that the sweep removes */
    apr_off_t removed;
    apr_off_t failed;
    apr_off_t spared; /* unknown ones */
    int store_failed; /* an error is the store's: the others may work */
    int unlooked;     /* stores that failed */
} orphans_t;

/* What can't be removed is told with the reason, and the rest goes on. */
static void report(orphans_t *orphans, fhir_finding_t *finding, int done, const fhir_error_t *error)
{
    finding->store = orphans->store;
    if (error) {
        finding->detail = fhir_error_reason(error);
        orphans->failed++;
    } else if (done) {
        finding->detail = "removed";
        orphans->removed++;
    }
    fhir_findings_add(&orphans->findings, finding);
    apr_pool_clear(orphans->pool);
}

/* ---- uploads that rows know as pending ---- */

/* One statement makes of the row what is to be removed: its upload can't be committed any more, whatever happens to us
 * or to the store's answer, and the next sweep ends what we did not. */
static fhir_error_t *remove_pending(int *discarded, int *done, orphans_t *orphans, const fhir_object_row_t *row,
                                    int has_place)
{
    fhir_call_t call = fhir_object_job_call(&orphans->job, orphans->pool);
    fhir_copy_t copy = {.object_key = row->object_key,
                        .store = row->store,
                        .locator = row->locator,
                        .state = FHIR_COPY_LEFT_OVER,
                        .created = row->created};
    FHIR_TRY(fhir_meta_object_discard(discarded, orphans->job.meta, row->object_key, orphans->before,
                                      has_place ? orphans->sweep.lease : NULL, FHIR_COPY_LEASE, &call));
    *done = *discarded;
    return *done && has_place ? fhir_copy_remove(done, &orphans->sweep, &copy, 1, orphans->pool) : NULL;
}

/* The next object would have the same error. */
static int is_of_all(const fhir_error_t *error)
{
    return error->code == FHIR_ERROR_UNAVAILABLE || error->code == FHIR_ERROR_TIMEOUT ||
           error->code == FHIR_ERROR_CANCELLED;
}

/* *has_place 0: nothing can be behind this locator, which the store never gave. What is damaged is told and goes on. */
static fhir_error_t *look_at_pending(fhir_finding_t *finding, int *has_place, orphans_t *orphans,
                                     fhir_open_store_t *store, const fhir_object_row_t *row)
{
    fhir_call_t call = fhir_object_job_call(&orphans->job, orphans->pool);
    fhir_object_info_t info;
    fhir_error_t *error = fhir_object_stat(&info, store, row->locator, &call);
    if (error && is_of_all(error)) {
        return error;
    }
    *has_place = fhir_store_is_persistent(store) && !(error && error->code == FHIR_ERROR_INVALID);
    finding->problem = "pending";
    finding->key = row->object_key;
    finding->locator = row->locator;
    finding->since = row->created;
    finding->size = error ? -1 : info.length;
    if (error && error->code != FHIR_ERROR_NOT_FOUND && error->code != FHIR_ERROR_INVALID) {
        finding->detail = fhir_error_reason(error);
    }
    return NULL;
}

static fhir_error_t *handle_pending(orphans_t *orphans, fhir_open_store_t *store, const fhir_object_row_t *row)
{
    fhir_finding_t finding = {.detail = NULL};
    fhir_error_t *error;
    int discarded = 0;
    int has_place = 0;
    int done = 0;
    error = look_at_pending(&finding, &has_place, orphans, store, row);
    if (error) {
        orphans->store_failed = 1;
        return error;
    }
    error = orphans->remove ? remove_pending(&discarded, &done, orphans, row, has_place) : NULL;
    if (!error && orphans->remove && !discarded) {
        return NULL; /* its upload has ended */
    }
    report(orphans, &finding, done, error);
    return NULL;
}

static fhir_error_t *find_pending(orphans_t *orphans)
{
    fhir_call_t call = fhir_object_job_call(&orphans->job, orphans->ctl->pool);
    fhir_open_store_t *store;
    apr_array_header_t *rows;
    FHIR_TRY(fhir_store_get(&store, orphans->job.catalog, orphans->store, orphans->ctl->pool));
    FHIR_TRY(fhir_meta_objects_pending(&rows, orphans->job.meta, orphans->store, orphans->before, &call));
    for (int i = 0; i < rows->nelts; i++) {
        FHIR_TRY(handle_pending(orphans, store, &APR_ARRAY_IDX(rows, i, fhir_object_row_t)));
    }
    return NULL;
}

/* ---- copies of moves that were killed ---- */

static fhir_error_t *find_copies(orphans_t *orphans)
{
    fhir_call_t call = fhir_object_job_call(&orphans->job, orphans->ctl->pool);
    apr_array_header_t *copies;
    FHIR_TRY(fhir_meta_copies_list(&copies, orphans->job.meta, orphans->store, orphans->before, &call));
    for (int i = 0; i < copies->nelts; i++) {
        const fhir_copy_t *copy = &APR_ARRAY_IDX(copies, i, fhir_copy_t);
        fhir_finding_t finding = {.problem = copy->state == FHIR_COPY_WRITING ? "copy" : "left-over",
                                  .key = copy->object_key,
                                  .size = -1,
                                  .since = copy->created,
                                  .locator = copy->locator,
                                  .detail = orphans->remove ? "is removed" : NULL};
        report(orphans, &finding, 0, NULL);
        orphans->copies++;
    }
    return NULL;
}

/* ---- what no row knows ---- */

/* What has become an object since the listing must not go as a remainder. */
static fhir_error_t *check_unfinished(orphans_t *orphans, const char *locator)
{
    fhir_call_t call = fhir_object_job_call(&orphans->job, orphans->pool);
    fhir_open_store_t *store;
    fhir_object_info_t info;
    fhir_error_t *error;
    FHIR_TRY(fhir_store_get(&store, orphans->job.catalog, orphans->store, orphans->pool));
    error = fhir_object_stat(&info, store, locator, &call);
    if (!error) {
        return fhir_error_public(orphans->pool, FHIR_ERROR_EXISTS, "kept: an object has been stored there. Run again.");
    }
    return error->code == FHIR_ERROR_NOT_FOUND ? NULL : error;
}

static fhir_error_t *remove_unknown(int *done, orphans_t *orphans, fhir_scan_kind_t kind, const char *locator)
{
    FHIR_TRY(kind == FHIR_SCAN_UNFINISHED ? check_unfinished(orphans, locator) : NULL);
    return fhir_unknown_remove(done, &orphans->sweep, orphans->store, locator, orphans->pool);
}

static fhir_error_t *found(void *baton, fhir_scan_kind_t kind, const fhir_list_entry_t *entry, apr_pool_t *pool)
{
    orphans_t *orphans = baton;
    fhir_finding_t finding = {.problem = fhir_scan_kind_text(kind),
                              .size = entry->length,
                              .since = entry->modified,
                              .locator = entry->locator};
    int removes = orphans->remove && !orphans->is_refused;
    fhir_error_t *error = NULL;
    int done = 0;
    (void)pool;
    /* What a row of another store names may be that row's object, if two stores are one place. And what no row knows
     * here may be what a row of another database knows, if they share the place. */
    orphans->spared += removes && !orphans->unknown && kind == FHIR_SCAN_UNKNOWN;
    if (removes && (kind == FHIR_SCAN_UNFINISHED || (kind == FHIR_SCAN_UNKNOWN && orphans->unknown))) {
        error = remove_unknown(&done, orphans, kind, entry->locator);
    }
    report(orphans, &finding, done, error);
    return NULL;
}

static fhir_error_t *count_only(void *baton, fhir_scan_kind_t kind, const fhir_list_entry_t *entry, apr_pool_t *pool)
{
    (void)baton;
    (void)kind;
    (void)entry;
    (void)pool;
    return NULL;
}

static fhir_error_t *scan_store(orphans_t *orphans, fhir_scan_t *scan)
{
    fhir_error_t *error = fhir_store_scan(scan, orphans->ctl->pool);
    orphans->store_failed = error && scan->store_failed;
    return error;
}

/* Where most of what is stored is unknown, it is rather the database that is the wrong one. */
static fhir_error_t *check_database(const char **why, orphans_t *orphans)
{
    fhir_scan_t scan = {.job = &orphans->job, .store = orphans->store, .found = count_only};
    scan.before = orphans->before;
    FHIR_TRY(scan_store(orphans, &scan));
    if (scan.unknown > UNKNOWN_FEW && scan.unknown > scan.known) {
        *why = apr_psprintf(orphans->ctl->pool,
                            "%" APR_OFF_T_FMT " objects in it are unknown to this database, which knows only "
                            "%" APR_OFF_T_FMT " of that age: is it the database that belongs to this store?",
                            scan.unknown, scan.known);
    }
    return NULL;
}

static fhir_error_t *find_unknown(orphans_t *orphans)
{
    fhir_scan_t scan = {.job = &orphans->job, .store = orphans->store, .found = found, .baton = orphans};
    const char *why;
    scan.before = orphans->before;
    FHIR_TRY(fhir_scan_refused(&why, &orphans->job, orphans->store, orphans->ctl->pool));
    if (why) {
        fprintf(stderr, "%s: not looked for what no row knows: %s.\n", orphans->store, why);
        return NULL;
    }
    FHIR_TRY(orphans->remove ? check_database(&why, orphans) : NULL);
    orphans->is_refused = why != NULL;
    if (why) {
        fprintf(stderr, "%s: nothing is removed of what no row knows: %s\n", orphans->store, why);
    }
    return scan_store(orphans, &scan);
}

/* ---- all stores ---- */

static fhir_error_t *find_in_store(orphans_t *orphans, const char *name)
{
    fhir_error_t *error;
    orphans->store = name;
    orphans->store_failed = 0;
    FHIR_TRY(find_copies(orphans));
    error = find_pending(orphans);
    if (!error) {
        error = find_unknown(orphans);
    }
    if (error && orphans->store_failed) {
        fprintf(stderr, "fhirbinctl: The store '%s' can't be looked through now (%s). Run this again when it works.\n",
                name, fhir_error_reason(error));
        orphans->unlooked++;
        return NULL;
    }
    return error;
}

static fhir_error_t *find_in_stores(orphans_t *orphans)
{
    apr_array_header_t *names = fhir_store_names(orphans->ctl->settings->catalog, orphans->ctl->pool);
    const char *only = fhir_ctl_option(orphans->ctl, "store");
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        if (!only || strcmp(only, name) == 0) {
            FHIR_TRY(find_in_store(orphans, name));
        }
    }
    return NULL;
}

static void print_summary(orphans_t *orphans)
{
    apr_off_t findings = orphans->findings.count - orphans->copies;
    fhir_findings_end(&orphans->findings);
    if (!orphans->findings.json && orphans->remove && findings) {
        printf("%" APR_OFF_T_FMT " removed", orphans->removed);
        printf(orphans->failed ? ", %" APR_OFF_T_FMT " could not be removed.\n" : ".\n", orphans->failed);
    }
    if (!orphans->findings.json && orphans->sweep.removed) {
        printf("%" APR_OFF_T_FMT " left-over copies removed.\n", orphans->sweep.removed);
    }
    if (orphans->spared) {
        fprintf(stderr,
                "%" APR_OFF_T_FMT
                " unknown objects are kept. If no other database uses these stores, --unknown removes "
                "them, too.\n",
                orphans->spared);
    }
    if (orphans->remove) {
        orphans->ctl->status = findings > orphans->removed || orphans->sweep.kept ? FHIR_CTL_FOUND : FHIR_CTL_OK;
    }
    if (orphans->unlooked) {
        orphans->ctl->status = FHIR_CTL_FAILED;
    }
}

static fhir_error_t *sweep(orphans_t *orphans)
{
    FHIR_TRY(fhir_copies_sweep(&orphans->sweep));
    if (orphans->sweep.kept) {
        fprintf(stderr, "%" APR_OFF_T_FMT " copies could not be removed now: %s\n", orphans->sweep.kept,
                orphans->sweep.why_kept);
    }
    return NULL;
}

fhir_error_t *fhir_ctl_store_orphans(fhir_ctl_t *ctl)
{
    const char *only = fhir_ctl_option(ctl, "store");
    orphans_t orphans = {.ctl = ctl};
    apr_interval_time_t age;
    fhir_error_t *error;
    fhir_call_t call;
    orphans.remove = fhir_ctl_option(ctl, "remove") != NULL;
    orphans.unknown = fhir_ctl_option(ctl, "unknown") != NULL;
    if (orphans.unknown && !orphans.remove) {
        return fhir_ctl_misuse(ctl, "--unknown is for --remove; without it they are listed.");
    }
    age = orphans.remove ? REMOVE_AGE : FHIR_ORPHANS_LIST_AGE;
    if (fhir_ctl_option(ctl, "older-than")) {
        FHIR_TRY(fhir_ctl_duration_option(&age, ctl, "older-than", NULL));
    }
    fhir_object_job_init(&orphans.job, ctl->pool);
    FHIR_TRY(fhir_ctl_job(&orphans.job, ctl));
    FHIR_TRY(only ? fhir_ctl_known_store(ctl, only) : NULL);
    FHIR_TRY(fhir_ctl_stores(ctl));
    FHIR_TRY(fhir_copy_sweep_init(&orphans.sweep, &orphans.job, ctl->pool));
    apr_pool_create(&orphans.pool, ctl->pool);
    call = fhir_object_job_call(&orphans.job, ctl->pool);
    FHIR_TRY(fhir_meta_time_ago(&orphans.before, orphans.job.meta, age, &call));
    fhir_findings_init(&orphans.findings, ctl, NULL, 1);
    error = find_in_stores(&orphans);
    if (!error && orphans.remove) {
        error = sweep(&orphans);
    }
    fhir_copy_sweep_end(&orphans.sweep);
    if (error) {
        fhir_findings_fail(&orphans.findings, error);
    } else {
        print_summary(&orphans);
    }
    return error;
}
