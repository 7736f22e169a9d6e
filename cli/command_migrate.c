/* store migrate: moves objects from one store to another while httpd runs. */
#include "ctl.h"

#include "../core/app/object_move.h"
#include "../core/base/text.h"
#include "findings.h"
#include "stop.h"

#include <stdio.h>
#include <string.h>

#define SIZE_TEXT 32

typedef struct migrate_t {
    fhir_ctl_t *ctl;
    fhir_object_job_t job;
    fhir_move_t move;
    fhir_progress_t progress;
    fhir_stop_t stop;
    int begun;
    int told_of_lease;
} migrate_t;

static void begun(void *baton, apr_off_t objects, apr_off_t bytes)
{
    migrate_t *migrate = baton;
    if (objects > 0) {
        fhir_progress_begin_bytes(&migrate->progress, bytes);
        migrate->begun = 1;
    }
}

static void read_bytes(void *baton, apr_off_t bytes)
{
    migrate_t *migrate = baton;
    if (!migrate->begun) { /* an upload that ended while we waited */
        fhir_progress_begin_bytes(&migrate->progress, 0);
        migrate->begun = 1;
    }
    /* Uploads that ended meanwhile are on top of what was counted. */
    if (migrate->progress.done + bytes > migrate->progress.total) {
        migrate->progress.total = migrate->progress.done + bytes;
    }
    fhir_progress_add(&migrate->progress, bytes);
}

static void wrong(void *baton, const fhir_content_t *content, const char *what, const char *detail)
{
    migrate_t *migrate = baton;
    const fhir_object_use_t *use;
    apr_pool_t *pool;
    apr_pool_create(&pool, migrate->ctl->pool);
    use = fhir_findings_use_of(&migrate->job, content->object_key, pool);
    if (migrate->begun) {
        fhir_progress_hide(&migrate->progress);
    }
    printf("%s is %s in %s (%s)%s%s%s%s\n", content->object_key, what, content->store, content->locator,
           use ? ", " : "", fhir_findings_use(use, pool), detail ? ": " : "", detail ? detail : "");
    fflush(stdout);
    apr_pool_destroy(pool);
}

/* To a terminal again and again, else once: it may take a minute in which nothing else is said. */
static void wait_for_lease(migrate_t *migrate, apr_interval_time_t time)
{
    if (migrate->progress.is_terminal || !migrate->told_of_lease) {
        fprintf(stderr, "waiting for another run's lease, at most %" APR_TIME_T_FMT " s%s", apr_time_sec(time) + 1,
                migrate->progress.is_terminal ? "" : "\n");
        fflush(stderr);
    }
    migrate->told_of_lease = 1;
}

static void waiting(void *baton, const fhir_copies_left_t *left)
{
    migrate_t *migrate = baton;
    if (migrate->begun) {
        fhir_progress_hide(&migrate->progress);
    }
    if (left->leased_until > apr_time_from_sec(1)) {
        wait_for_lease(migrate, left->leased_until);
    } else if (left->until > apr_time_from_sec(1) && migrate->progress.is_terminal) {
        fprintf(stderr, "waiting %" APR_TIME_T_FMT " s until what %" APR_OFF_T_FMT " object%s left behind is removed",
                apr_time_sec(left->until) + 1, left->count, left->count == 1 ? " has" : "s have");
        fflush(stderr);
    }
}

static int stopping(void *baton)
{
    migrate_t *migrate = baton;
    return fhir_stop_asked(&migrate->stop);
}

static fhir_error_t *read_options(migrate_t *migrate)
{
    fhir_ctl_t *ctl = migrate->ctl;
    fhir_move_t *move = &migrate->move;
    move->from = fhir_ctl_option(ctl, "from");
    move->to = fhir_ctl_option(ctl, "to");
    FHIR_TRY(fhir_ctl_duration_option(&move->grace, ctl, "grace", "60s"));
    FHIR_TRY(fhir_ctl_rate_option(&migrate->job.rate, ctl));
    return strcmp(move->from, move->to) == 0 ? fhir_ctl_misuse(ctl, "--from and --to name one store.") : NULL;
}

/* Clients that were sent to the old place itself may come as long as their URLs live. */
static void follow_redirects(migrate_t *migrate)
{
    fhir_move_t *move = &migrate->move;
    const fhir_settings_t *settings = migrate->ctl->settings;
    if (!fhir_ctl_option(migrate->ctl, "grace") &&
        (fhir_settings_redirect(settings, move->from) & FHIR_REDIRECT_READ) &&
        move->grace < settings->signed_url_lifetime) {
        move->grace = settings->signed_url_lifetime;
    }
}

static const fhir_store_stat_t *stat_of(const apr_array_header_t *stats, const char *store)
{
    static const fhir_store_stat_t none;
    for (int i = 0; i < stats->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(stats, i, fhir_store_stat_t).store, store) == 0) {
            return &APR_ARRAY_IDX(stats, i, fhir_store_stat_t);
        }
    }
    return &none;
}

/* Direct uploads have a worker of their own; of the others `store orphans` lists what is too old to be running. */
static void print_uploads(const fhir_store_stat_t *stat, apr_off_t interrupted, const char *store, apr_pool_t *pool)
{
    apr_off_t running = stat->pending - stat->awaited - interrupted;
    if (stat->awaited && stat->awaited_until > apr_time_now()) {
        printf("%" APR_OFF_T_FMT " direct upload%s to %s %s awaited, until %s at most. Run the command again then.\n",
               stat->awaited, stat->awaited == 1 ? "" : "s", store, stat->awaited == 1 ? "is" : "are",
               fhir_instant(stat->awaited_until, pool));
    } else if (stat->awaited) {
        printf("%" APR_OFF_T_FMT " direct upload%s to %s wait%s for a worker of httpd that completes or removes %s.\n",
               stat->awaited, stat->awaited == 1 ? "" : "s", store, stat->awaited == 1 ? "s" : "",
               stat->awaited == 1 ? "it" : "them");
    }
    if (running > 0) {
        printf("%" APR_OFF_T_FMT " upload%s to %s began less than an hour ago and %s not finished. Run the command "
               "again when %s.\n",
               running, running == 1 ? "" : "s", store, running == 1 ? "is" : "are",
               running == 1 ? "it is" : "they are");
    }
    if (interrupted) {
        printf("%" APR_OFF_T_FMT " upload%s to %s %s interrupted; `fhirbinctl store orphans` lists %s.\n", interrupted,
               interrupted == 1 ? "" : "s", store, interrupted == 1 ? "was" : "were", interrupted == 1 ? "it" : "them");
    }
}

/* As many as `store orphans` lists, without an age given. */
static fhir_error_t *tell_uploads(const migrate_t *migrate, const fhir_store_stat_t *stat)
{
    const char *store = migrate->move.from;
    fhir_ctl_t *ctl = migrate->ctl;
    apr_array_header_t *interrupted;
    FHIR_TRY(
        fhir_meta_objects_pending(&interrupted, ctl->meta, store, apr_time_now() - FHIR_ORPHANS_LIST_AGE, &ctl->call));
    print_uploads(stat, interrupted->nelts, store, ctl->pool);
    return NULL;
}

static fhir_error_t *dry_run(migrate_t *migrate)
{
    const fhir_move_t *move = &migrate->move;
    const fhir_object_filter_t filter = {.store = move->from, .project_id = move->project_id, .share = 1};
    fhir_ctl_t *ctl = migrate->ctl;
    apr_array_header_t *stats;
    char size[SIZE_TEXT];
    apr_off_t objects;
    apr_off_t bytes;
    FHIR_TRY(fhir_meta_objects_count(&objects, &bytes, ctl->meta, &filter, &ctl->call));
    FHIR_TRY(fhir_meta_store_stat(&stats, ctl->meta, &ctl->call));
    fhir_progress_size(size, sizeof(size), (double)bytes);
    printf("%" APR_OFF_T_FMT " objects, %s (%" APR_OFF_T_FMT " bytes), would be moved from %s to %s.\n", objects, size,
           bytes, move->from, move->to);
    return tell_uploads(migrate, stat_of(stats, move->from));
}

static void print_left(const migrate_t *migrate)
{
    const fhir_move_t *move = &migrate->move;
    const fhir_settings_t *settings = migrate->ctl->settings;
    if (move->remaining) {
        printf("%" APR_OFF_T_FMT " objects are still in %s%s.\n", move->remaining, move->from,
               move->wrong_objects
                   ? ", those that could not be moved among them"
                   : ": new ones, or those of a run that goes on or was killed. Run the command again in a minute");
    }
    if (move->others) {
        printf("%" APR_OFF_T_FMT
               " copies are another run's, or are removed later. Run the command again to finish them.\n",
               move->others);
    }
    if (move->kept) {
        printf("%" APR_OFF_T_FMT " copies that were left behind could not be removed, the next run tries again: %s\n",
               move->kept, move->why_kept);
    }
    if (settings->default_store && strcmp(settings->default_store, move->from) == 0) {
        printf("New content is still stored in %s: let FhirBinaryDefaultStore name %s and reload httpd gracefully.\n",
               move->from, move->to);
    }
}

static fhir_error_t *print_result(const migrate_t *migrate)
{
    const fhir_move_t *move = &migrate->move;
    fhir_ctl_t *ctl = migrate->ctl;
    apr_array_header_t *stats;
    char size[SIZE_TEXT];
    ctl->call.deadline = 0;
    FHIR_TRY(fhir_meta_store_stat(&stats, ctl->meta, &ctl->call));
    fhir_progress_size(size, sizeof(size), (double)move->moved_bytes);
    if (move->moved_objects || move->wrong_objects || move->removed || move->remaining) {
        printf("%" APR_OFF_T_FMT " objects, %s, were moved from %s to %s; %" APR_OFF_T_FMT " could not be moved.\n",
               move->moved_objects, size, move->from, move->to, move->wrong_objects);
    } else {
        printf("Nothing is to be moved from %s.\n", move->from);
    }
    print_left(migrate);
    FHIR_TRY(tell_uploads(migrate, stat_of(stats, move->from)));
    ctl->status = move->wrong_objects || move->kept ? FHIR_CTL_FOUND : FHIR_CTL_OK;
    return NULL;
}

fhir_error_t *fhir_ctl_store_migrate(fhir_ctl_t *ctl)
{
    migrate_t migrate = {.ctl = ctl};
    fhir_error_t *error;
    fhir_object_job_init(&migrate.job, ctl->pool);
    FHIR_TRY(read_options(&migrate));
    FHIR_TRY(fhir_ctl_settings(ctl));
    follow_redirects(&migrate);
    FHIR_TRY(fhir_ctl_known_store(ctl, migrate.move.from));
    FHIR_TRY(fhir_ctl_known_store(ctl, migrate.move.to));
    FHIR_TRY(fhir_ctl_job(&migrate.job, ctl));
    FHIR_TRY(fhir_ctl_project(&migrate.move.project_id, ctl));
    if (fhir_ctl_option(ctl, "dry-run")) {
        return dry_run(&migrate);
    }
    fhir_stop_init(&migrate.stop); /* before a store has threads, which would take the signals */
    migrate.job.stopping = stopping;
    migrate.job.baton = &migrate;
    FHIR_TRY(fhir_ctl_stores(ctl));
    migrate.move.job = &migrate.job;
    migrate.move.begun = begun;
    migrate.move.read = read_bytes;
    migrate.move.wrong = wrong;
    migrate.move.waiting = waiting;
    migrate.move.baton = &migrate;
    error = fhir_objects_move(&migrate.move, ctl->pool);
    if (migrate.begun) {
        fhir_progress_end(&migrate.progress);
    }
    FHIR_TRY(error);
    return print_result(&migrate);
}
