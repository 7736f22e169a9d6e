/* Removing what is left over of moved objects, of runs that were killed, and of what no row knows. The row of what is
 * removed is locked meanwhile, so its place can't become an object's; and what was moved is looked for at its new place
 * before it goes at the old one. */
#include "copy_sweep.h"

#include "../base/text.h"

#include <string.h>

#define TAKEN_AT_ONCE 8
#define RENEW_AFTER apr_time_from_sec(15)
#define TRY_AFTER apr_time_from_sec(2)
#define POSTPONED apr_time_from_sec(60)
#define PROBE "mod_fhir_binary asks whether two stores are one place\n"

fhir_error_t *fhir_copy_sweep_init(fhir_copy_sweep_t *sweep, fhir_object_job_t *job, apr_pool_t *pool)
{
    apr_array_header_t *names = fhir_store_names(job->catalog, pool);
    int i;
    memset(sweep, 0, sizeof(*sweep));
    sweep->job = job;
    sweep->pool = pool;
    sweep->stores = apr_array_make(pool, names->nelts + 1, sizeof(const char *));
    sweep->apart = apr_array_make(pool, 4, sizeof(const char *));
    for (i = 0; i < names->nelts; i++) {
        fhir_open_store_t *store;
        FHIR_TRY(fhir_store_get(&store, job->catalog, APR_ARRAY_IDX(names, i, const char *), pool));
        if (fhir_store_is_persistent(store)) {
            APR_ARRAY_PUSH(sweep->stores, const char *) = fhir_store_name(store);
        }
    }
    return fhir_random_uuid(&sweep->lease, pool);
}

void fhir_copy_sweep_end(fhir_copy_sweep_t *sweep)
{
    fhir_call_t call;
    fhir_error_t *error;
    if (!sweep->lease) {
        return; /* it never began */
    }
    call = fhir_object_job_last_call(sweep->job, sweep->pool);
    error = fhir_meta_copies_release(sweep->job->meta, sweep->lease, &call);
    if (error) {
        fhir_log_error(sweep->job->log, FHIR_LOG_WARNING, error, "giving a lease back; it ends by itself in a minute");
    }
}

/* The database may be away for a while: until the lease ends, the next try may succeed. */
int fhir_copy_lease_held(fhir_copy_sweep_t *sweep, const char *object_key)
{
    apr_time_t now = apr_time_now();
    apr_pool_t *pool;
    fhir_call_t call;
    fhir_error_t *error;
    int held = 1;
    if (now - sweep->renewed < RENEW_AFTER || now - sweep->tried < TRY_AFTER) {
        return 1;
    }
    sweep->tried = now;
    apr_pool_create(&pool, sweep->pool);
    call = fhir_object_job_last_call(sweep->job, pool);
    error = fhir_meta_copies_renew(&held, sweep->job->meta, sweep->lease, object_key, FHIR_COPY_LEASE, &call);
    if (!error) {
        sweep->renewed = now;
    } else {
        held = apr_time_now() - sweep->renewed < FHIR_COPY_LEASE;
    }
    apr_pool_destroy(pool);
    return held;
}

/* ---- are two stores one place? ---- */

static int known_apart(const fhir_copy_sweep_t *sweep, const char *one, const char *other)
{
    int i;
    for (i = 0; i + 1 < sweep->apart->nelts; i += 2) {
        const char *first = APR_ARRAY_IDX(sweep->apart, i, const char *);
        const char *second = APR_ARRAY_IDX(sweep->apart, i + 1, const char *);
        if ((strcmp(first, one) == 0 && strcmp(second, other) == 0) ||
            (strcmp(first, other) == 0 && strcmp(second, one) == 0)) {
            return 1;
        }
    }
    return 0;
}

static fhir_error_t *write_probe(fhir_open_store_t *store, const fhir_copy_t *probe, const fhir_object_job_t *job,
                                 apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(job, pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    FHIR_TRY(fhir_object_begin(&writer, store, probe->object_key, probe->locator, sizeof(PROBE) - 1, "text/plain",
                               sizeof(PROBE) - 1, &call));
    FHIR_TRY(fhir_object_write(writer, PROBE, sizeof(PROBE) - 1));
    return fhir_object_commit(&written, writer, job->timeout);
}

/* Is what lies under this key in `written` to be seen in `other`? */
static fhir_error_t *look_for_probe(fhir_open_store_t *written, fhir_open_store_t *other, const fhir_copy_t *probe,
                                    const fhir_object_job_t *job, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(job, pool);
    fhir_object_info_t info;
    const char *locator;
    fhir_error_t *error;
    FHIR_TRY(fhir_store_locate(&locator, other, probe->object_key, &call));
    error = fhir_object_stat(&info, other, locator, &call);
    if (error && error->code == FHIR_ERROR_NOT_FOUND) {
        return NULL;
    }
    if (error && error->code != FHIR_ERROR_CORRUPT) {
        return error;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "The stores '%s' and '%s' are one place: what is written to the one is in the other. Give "
                             "the new store a directory or a prefix of its own.",
                             fhir_store_name(written), fhir_store_name(other));
}

static fhir_error_t *probe_stores(fhir_copy_sweep_t *sweep, fhir_open_store_t *written, fhir_open_store_t *other,
                                  apr_pool_t *pool)
{
    fhir_copy_t probe = {.store = fhir_store_name(written), .state = FHIR_COPY_WRITING};
    fhir_object_job_t *job = sweep->job;
    fhir_call_t call = fhir_object_job_last_call(job, pool);
    fhir_error_t *error;
    fhir_error_t *removed;
    int taken;
    FHIR_TRY(fhir_store_new_object(&probe.object_key, &probe.locator, written, &call));
    FHIR_TRY(fhir_meta_copy_add(&taken, job->meta, &probe, sweep->lease, FHIR_COPY_LEASE, &call));
    if (!taken) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The stores could not be compared.",
                                 "a new object's place in store %s is taken", probe.store);
    }
    sweep->renewed = apr_time_now();
    error = write_probe(written, &probe, job, pool);
    if (!error) {
        error = look_for_probe(written, other, &probe, job, pool);
    }
    removed = fhir_copy_remove(&taken, sweep, &probe, 1, pool);
    return error ? error : removed;
}

fhir_error_t *fhir_copy_check_apart(fhir_copy_sweep_t *sweep, const char *written, const char *other)
{
    fhir_open_store_t *one;
    fhir_open_store_t *two;
    if (known_apart(sweep, written, other)) {
        return NULL;
    }
    FHIR_TRY(fhir_store_get(&one, sweep->job->catalog, written, sweep->pool));
    FHIR_TRY(fhir_store_get(&two, sweep->job->catalog, other, sweep->pool));
    FHIR_TRY(probe_stores(sweep, one, two, sweep->pool));
    APR_ARRAY_PUSH(sweep->apart, const char *) = fhir_store_name(one);
    APR_ARRAY_PUSH(sweep->apart, const char *) = fhir_store_name(two);
    return NULL;
}

/* ---- removing ---- */

/* What was moved must be where its row says before it goes here. */
static fhir_error_t *check_moved(const fhir_object_job_t *job, const fhir_content_t *content, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(job, pool);
    fhir_open_store_t *store;
    fhir_object_info_t info;
    fhir_error_t *error;
    FHIR_TRY(fhir_store_get(&store, job->catalog, content->store, pool));
    error = fhir_object_stat(&info, store, content->locator, &call);
    if ((error && error->code == FHIR_ERROR_NOT_FOUND) || (!error && info.length != content->size)) {
        return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_SUCCESS,
                                 "An object that was moved is not whole at its new place. What it has left behind is "
                                 "kept: copy it from there.",
                                 "object %s in store %s", content->object_key, content->store);
    }
    return error;
}

/* Inside the transaction that has locked the row. */
static fhir_error_t *remove_locked(fhir_copy_sweep_t *sweep, fhir_transaction_t *transaction, const fhir_copy_t *copy,
                                   const fhir_content_t *content, int forget, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(sweep->job, pool);
    fhir_open_store_t *store;
    int existed;
    if (copy->state == FHIR_COPY_LEFT_OVER && content) {
        FHIR_TRY(check_moved(sweep->job, content, pool));
    }
    FHIR_TRY(fhir_store_get(&store, sweep->job->catalog, copy->store, pool));
    FHIR_TRY(fhir_object_remove(&existed, store, copy->locator, &call));
    return forget ? fhir_transaction_copy_forget(transaction, copy) : NULL;
}

/* The store in which the object of a copy is; one that shares its place with the copy's must not be touched. *store is
 * NULL if there is no such object. */
static fhir_error_t *check_object_apart(const char **store, fhir_copy_sweep_t *sweep, const fhir_copy_t *copy,
                                        apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(sweep->job, pool);
    const fhir_content_t *content;
    int is_new = copy->state == FHIR_COPY_WRITING;
    FHIR_TRY(fhir_meta_object_find(&content, sweep->job->meta, copy->object_key, &call));
    *store = content ? content->store : NULL;
    if (!content || strcmp(content->store, copy->store) == 0) {
        return NULL;
    }
    /* The new place can be written to; the old one may be full. */
    return fhir_copy_check_apart(sweep, is_new ? copy->store : content->store, is_new ? content->store : copy->store);
}

fhir_error_t *fhir_copy_remove(int *done, fhir_copy_sweep_t *sweep, const fhir_copy_t *copy, int forget,
                               apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(sweep->job, pool);
    const fhir_content_t *content = NULL;
    fhir_transaction_t *transaction;
    const char *apart_from;
    fhir_error_t *error;
    int is_current = 0;
    int held = 0;
    *done = 0;
    FHIR_TRY(check_object_apart(&apart_from, sweep, copy, pool));
    call.deadline += 3 * sweep->job->timeout; /* the store's calls are in it */
    FHIR_TRY(fhir_meta_begin(&transaction, sweep->job->meta, &call));
    error = fhir_transaction_copy_lock(&held, &is_current, &content, transaction, copy, sweep->lease, pool);
    if (!error && is_current && forget) {
        error = fhir_transaction_copy_forget(transaction, copy);
    } else if (!error && held && !is_current) {
        held = !content || (apart_from && strcmp(apart_from, content->store) == 0);
        error = held ? remove_locked(sweep, transaction, copy, content, forget, pool) : NULL;
        *done = held && !error;
    }
    if (error) {
        fhir_transaction_rollback(transaction);
        return error;
    }
    return fhir_transaction_commit(transaction);
}

fhir_error_t *fhir_unknown_remove(int *done, fhir_copy_sweep_t *sweep, const char *store, const char *locator,
                                  apr_pool_t *pool)
{
    fhir_copy_t copy = {.store = store, .locator = locator, .state = FHIR_COPY_LEFT_OVER};
    fhir_call_t call = fhir_object_job_last_call(sweep->job, pool);
    *done = 0;
    FHIR_TRY(fhir_random_hex(&copy.object_key, FHIR_STORAGE_KEY_LENGTH / 2, pool));
    FHIR_TRY(fhir_meta_copy_add(done, sweep->job->meta, &copy, sweep->lease, FHIR_COPY_LEASE, &call));
    return *done ? fhir_copy_remove(done, sweep, &copy, 1, pool) : NULL;
}

/* ---- all that is due ---- */

static fhir_error_t *sweep_one(fhir_copy_sweep_t *sweep, const fhir_copy_t *copy, apr_pool_t *pool)
{
    fhir_call_t call;
    int done;
    fhir_error_t *error = fhir_copy_remove(&done, sweep, copy, 1, pool);
    if (!error) {
        sweep->removed += done;
        return NULL;
    }
    sweep->kept++;
    apr_snprintf(sweep->why_kept, sizeof(sweep->why_kept), "%s%s%s%s", error->public_text, error->detail ? " (" : "",
                 error->detail ? error->detail : "", error->detail ? ")" : "");
    call = fhir_object_job_last_call(sweep->job, pool);
    return fhir_meta_copy_postpone(sweep->job->meta, copy->object_key, sweep->lease, POSTPONED, &call);
}

fhir_error_t *fhir_copies_sweep(fhir_copy_sweep_t *sweep)
{
    fhir_object_job_t *job = sweep->job;
    fhir_error_t *error = NULL;
    apr_pool_t *pool;
    int count = 1;
    apr_pool_create(&pool, sweep->pool);
    while (!error && count > 0 && fhir_object_job_wait(job, 0)) {
        fhir_call_t call = fhir_object_job_call(job, pool);
        apr_array_header_t *copies;
        int i;
        error = fhir_meta_copies_take(&copies, job->meta, sweep->stores, TAKEN_AT_ONCE, sweep->lease, FHIR_COPY_LEASE,
                                      &call);
        count = error ? 0 : copies->nelts;
        sweep->renewed = error ? sweep->renewed : apr_time_now();
        for (i = 0; i < count && !error && fhir_copy_lease_held(sweep, NULL); i++) {
            error = sweep_one(sweep, &APR_ARRAY_IDX(copies, i, fhir_copy_t), pool);
        }
        if (!error) {
            apr_pool_clear(pool);
        }
    }
    if (!error) {
        apr_pool_destroy(pool);
    }
    return error;
}
