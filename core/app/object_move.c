/* Moving objects from one store to another while the server runs. */
#include "object_move.h"

#include <apr_hash.h>
#include <string.h>

#define BATCH 16
#define ATTEMPTS 4 /* at one object, when a store fails */
#define FIRST_PAUSE apr_time_from_sec(1)
#define WRONG_IN_A_ROW_MAX 10 /* unreadable ones: then it is the store that fails */
#define WRONG_MAX 10000       /* are remembered */
#define PASSES_MAX 100        /* that find something: uploads may come for ever */
#define DATABASE_PATIENCE apr_time_from_sec(60)
#define LOOK_AGAIN apr_time_from_sec(1)
#define COMMIT_TIME apr_time_from_sec(300)

/* One run. */
typedef struct run_t {
    fhir_move_t *move;
    fhir_object_job_t *job;
    fhir_object_job_t own; /* asks for the lease as well */
    fhir_copy_sweep_t sweep;
    fhir_open_store_t *from;
    fhir_open_store_t *to;
    apr_pool_t *pool;
    apr_pool_t *batch_pool;
    apr_pool_t *object_pool;
    apr_hash_t *wrong; /* keys that were told already */
    int wrong_in_a_row;
    const char *working_on; /* the key whose copy must stay ours; NULL: none */
    int lost;               /* somebody else has it */
} run_t;

typedef enum result_t { RESULT_MOVED, RESULT_WRONG, RESULT_LOST } result_t;

static int is_stopping(void *baton)
{
    run_t *run = baton;
    if (run->working_on && !run->lost) {
        run->lost = !fhir_copy_lease_held(&run->sweep, run->working_on);
    }
    return run->lost || (run->job->stopping && run->job->stopping(run->job->baton));
}

/* 1: the same call may succeed now, after a pause. `tried` counts them. */
static int worth_another_try(run_t *run, const fhir_error_t *error, int tried)
{
    int passing = error->retry != FHIR_RETRY_NO || error->code == FHIR_ERROR_UNAVAILABLE ||
                  error->code == FHIR_ERROR_TIMEOUT || error->code == FHIR_ERROR_THROTTLED;
    return passing && tried < ATTEMPTS && fhir_object_job_wait(&run->own, FIRST_PAUSE << (tried - 1));
}

/* The database may be restarted while we run. 1: try again. */
static int database_may_return(run_t *run, const fhir_error_t *error, apr_time_t since)
{
    return (error->code == FHIR_ERROR_UNAVAILABLE || error->code == FHIR_ERROR_TIMEOUT) &&
           apr_time_now() - since < DATABASE_PATIENCE && fhir_object_job_wait(&run->own, FIRST_PAUSE);
}

/* ---- one object ---- */

static void tell_read(run_t *run, apr_size_t bytes)
{
    fhir_object_job_pace(&run->own, bytes);
    if (run->move->read) {
        run->move->read(run->move->baton, (apr_off_t)bytes);
    }
}

/* *source_failed tells which of the two stores an error comes from. */
static fhir_error_t *copy_bytes(int *source_failed, run_t *run, const fhir_stored_object_t *object,
                                fhir_object_writer_t *writer)
{
    fhir_call_t call = fhir_object_job_call(&run->own, run->object_pool);
    fhir_object_reader_t *reader;
    apr_size_t length = 1;
    *source_failed = 1;
    FHIR_TRY(fhir_object_open(&reader, run->from, object->content.locator, 0, -1, object->content.size, &call));
    while (length > 0) {
        length = FHIR_OBJECT_JOB_BUFFER;
        *source_failed = 1;
        FHIR_TRY(fhir_object_read(reader, run->own.buffer, &length));
        *source_failed = 0;
        FHIR_TRY(fhir_object_write(writer, run->own.buffer, length));
        tell_read(run, length);
    }
    fhir_object_close(reader);
    return NULL;
}

/* *good 0: the source has other bytes than its row says. Whatever happens, the copy's row knows what is at the target.
 */
static fhir_error_t *write_copy(int *good, int *source_failed, run_t *run, const fhir_stored_object_t *object,
                                const fhir_copy_t *copy)
{
    fhir_call_t call = fhir_object_job_call(&run->own, run->object_pool);
    fhir_object_writer_t *writer;
    fhir_written_t written;
    fhir_error_t *error;
    *good = 0;
    *source_failed = 0;
    FHIR_TRY(fhir_object_begin(&writer, run->to, copy->object_key, copy->locator, object->content.size,
                               object->content_type, object->content.size, &call));
    error = copy_bytes(source_failed, run, object, writer);
    if (!error) {
        error = fhir_object_commit(&written, writer, COMMIT_TIME);
    }
    if (error) {
        fhir_object_abort(writer);
        return error;
    }
    *good = memcmp(written.sha256, object->content.sha256, sizeof(written.sha256)) == 0;
    return NULL;
}

/* Is it at the target as its row says? */
static fhir_object_state_t check_target(fhir_error_t **error, run_t *run, const fhir_stored_object_t *object,
                                        const fhir_copy_t *copy)
{
    return fhir_object_check(error, &run->own, run->to, copy->locator, &object->content, run->object_pool);
}

/* Is the answer lost when the database goes away in the middle, the row tells whether it was done. */
static fhir_error_t *switch_row(result_t *result, run_t *run, const fhir_stored_object_t *object,
                                const fhir_copy_t *copy)
{
    apr_time_t since = apr_time_now();
    for (;;) {
        fhir_call_t call = fhir_object_job_last_call(&run->own, run->object_pool);
        const fhir_content_t *now = NULL;
        int switched;
        fhir_error_t *error = fhir_meta_copy_switch(&switched, run->own.meta, &object->content, copy, run->sweep.lease,
                                                    run->move->grace, &call);
        if (!error && !switched) {
            error = fhir_meta_object_find(&now, run->own.meta, copy->object_key, &call);
            switched = now && strcmp(now->store, copy->store) == 0 && strcmp(now->locator, copy->locator) == 0;
        }
        if (!error) {
            *result = switched ? RESULT_MOVED : RESULT_LOST;
            return NULL;
        }
        if (!database_may_return(run, error, since)) {
            return error;
        }
    }
}

/* Told once, and left where it is by this run. `what` goes on "KEY is ... in STORE". */
static fhir_error_t *leave(result_t *result, run_t *run, const fhir_content_t *content, const char *what,
                           const fhir_error_t *error)
{
    fhir_move_t *move = run->move;
    *result = RESULT_WRONG;
    move->wrong_objects++;
    if (move->wrong) {
        move->wrong(move->baton, content, what, fhir_error_reason(error));
    }
    if (apr_hash_count(run->wrong) >= WRONG_MAX || run->wrong_in_a_row >= WRONG_IN_A_ROW_MAX) {
        return fhir_error_public(run->pool, FHIR_ERROR_UNAVAILABLE,
                                 "So many objects of the store '%s' can't be moved that something is wrong with it. "
                                 "What was moved is moved; run the command again when the store works.",
                                 move->from);
    }
    apr_hash_set(run->wrong, apr_pstrdup(run->pool, content->object_key), APR_HASH_KEY_STRING, "");
    return NULL;
}

static fhir_error_t *tell_wrong(result_t *result, run_t *run, const fhir_content_t *content, fhir_object_state_t state,
                                const fhir_error_t *error)
{
    run->wrong_in_a_row = state == FHIR_OBJECT_UNREADABLE ? run->wrong_in_a_row + 1 : 0;
    return leave(result, run, content, fhir_object_state_text(state), error);
}

/* It will be so in each run: the others must not wait for it. */
static fhir_error_t *tell_too_large(result_t *result, run_t *run, const fhir_content_t *content,
                                    const fhir_error_t *error)
{
    run->wrong_in_a_row = 0;
    return leave(result, run, content, apr_psprintf(run->object_pool, "too large for %s, and stays", run->move->to),
                 error);
}

/* The source is not as its row says: the target may have the object from before, if the database is an older one. */
static fhir_error_t *without_source(result_t *result, run_t *run, const fhir_stored_object_t *object,
                                    const fhir_copy_t *copy, fhir_error_t *why)
{
    fhir_object_state_t state = FHIR_OBJECT_ALTERED;
    fhir_error_t *ignored;
    int done;
    if (why) {
        state = fhir_object_state_of(why, &run->own, run->from, object->content.locator, run->object_pool);
    }
    if (check_target(&ignored, run, object, copy) == FHIR_OBJECT_GOOD) {
        return switch_row(result, run, object, copy);
    }
    FHIR_TRY(fhir_copy_remove(&done, &run->sweep, copy, 1, run->object_pool));
    return tell_wrong(result, run, &object->content, state, why);
}

static fhir_error_t *not_kept(const run_t *run, const fhir_content_t *content, const fhir_error_t *error)
{
    return fhir_error_create(run->pool, FHIR_ERROR_CORRUPT, APR_SUCCESS,
                             "The new store does not give back what was stored in it. Nothing was switched to it.",
                             "object %s in store %s: %s", content->object_key, run->move->to,
                             error && error->detail ? error->detail : "other bytes");
}

/* After the target has the bytes, or says that it has some already. */
static fhir_error_t *verify_and_switch(result_t *result, run_t *run, const fhir_stored_object_t *object,
                                       const fhir_copy_t *copy)
{
    fhir_error_t *error;
    fhir_object_state_t state = check_target(&error, run, object, copy);
    if (state == FHIR_OBJECT_GOOD) {
        return switch_row(result, run, object, copy);
    }
    return state == FHIR_OBJECT_UNREADABLE ? error : not_kept(run, &object->content, error);
}

/* One attempt. *source_failed belongs to an error. */
static fhir_error_t *attempt(result_t *result, int *source_failed, run_t *run, const fhir_stored_object_t *object,
                             const fhir_copy_t *copy)
{
    fhir_error_t *error;
    int good;
    int done;
    error = write_copy(&good, source_failed, run, object, copy);
    if (error && !*source_failed && error->code == FHIR_ERROR_EXISTS) {
        fhir_error_t *ignored;
        if (check_target(&ignored, run, object, copy) == FHIR_OBJECT_GOOD) {
            return switch_row(result, run, object, copy);
        }
        FHIR_TRY(fhir_copy_remove(&done, &run->sweep, copy, 0, run->object_pool));
        error = write_copy(&good, source_failed, run, object, copy);
    }
    if (error && *source_failed && error->code == FHIR_ERROR_CORRUPT) {
        *source_failed = 0;
        return without_source(result, run, object, copy, error);
    }
    FHIR_TRY(error);
    *source_failed = 0;
    if (!good) {
        return without_source(result, run, object, copy, NULL);
    }
    return verify_and_switch(result, run, object, copy);
}

/* Leaves nothing at the target, if the copy is still ours and the store lets us; else a later run does it. */
static void give_up(run_t *run, const fhir_copy_t *copy)
{
    int done;
    fhir_error_t *error = fhir_copy_remove(&done, &run->sweep, copy, 1, run->object_pool);
    if (error) {
        fhir_log_error(run->job->log, FHIR_LOG_WARNING, error, "removing an unfinished copy; the next run does it");
    }
}

static fhir_error_t *move_object(result_t *result, run_t *run, const fhir_stored_object_t *object,
                                 const fhir_copy_t *copy)
{
    fhir_error_t *error;
    int source_failed = 0;
    int tried = 0;
    int done;
    run->lost = 0;
    run->working_on = copy->object_key;
    for (;;) {
        *result = RESULT_LOST;
        error = attempt(result, &source_failed, run, object, copy);
        if (!error || run->lost || !worth_another_try(run, error, ++tried)) {
            break;
        }
        error = fhir_copy_remove(&done, &run->sweep, copy, 0, run->object_pool);
        if (error) {
            source_failed = 0;
            break;
        }
    }
    run->working_on = NULL;
    if (run->lost) {
        *result = RESULT_LOST;
        return NULL;
    }
    if (error) {
        give_up(run, copy);
    }
    if (error && !source_failed && error->code == FHIR_ERROR_TOO_LARGE) {
        return tell_too_large(result, run, &object->content, error);
    }
    if (error && source_failed && error->code != FHIR_ERROR_CANCELLED) {
        return tell_wrong(result, run, &object->content, FHIR_OBJECT_UNREADABLE, error);
    }
    return error;
}

/* ---- a batch ---- */

/* Those of a page that were not told to be wrong already, with their places in the target. */
static fhir_error_t *plan_copies(apr_array_header_t **copies, run_t *run, const apr_array_header_t *objects)
{
    fhir_call_t call = fhir_object_job_call(&run->own, run->batch_pool);
    int i;
    *copies = apr_array_make(run->batch_pool, objects->nelts + 1, sizeof(fhir_copy_t));
    for (i = 0; i < objects->nelts; i++) {
        const fhir_content_t *content = &APR_ARRAY_IDX(objects, i, fhir_stored_object_t).content;
        fhir_copy_t copy = {.object_key = content->object_key, .store = run->move->to, .state = FHIR_COPY_WRITING};
        if (!apr_hash_get(run->wrong, content->object_key, APR_HASH_KEY_STRING)) {
            FHIR_TRY(fhir_store_locate(&copy.locator, run->to, content->object_key, &call));
            APR_ARRAY_PUSH(*copies, fhir_copy_t) = copy;
        }
    }
    return NULL;
}

static const fhir_stored_object_t *object_of(const apr_array_header_t *objects, const char *key)
{
    int i;
    for (i = 0; i < objects->nelts; i++) {
        const fhir_stored_object_t *object = &APR_ARRAY_IDX(objects, i, fhir_stored_object_t);
        if (strcmp(object->content.object_key, key) == 0) {
            return object;
        }
    }
    return NULL;
}

static const fhir_copy_t *copy_of(const apr_array_header_t *copies, const char *key)
{
    int i;
    for (i = 0; i < copies->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(copies, i, fhir_copy_t).object_key, key) == 0) {
            return &APR_ARRAY_IDX(copies, i, fhir_copy_t);
        }
    }
    return NULL;
}

/* The claims that nothing was written for. */
static void release_claims(run_t *run, const apr_array_header_t *claimed, int first, const apr_array_header_t *copies)
{
    int i;
    for (i = first; i < claimed->nelts; i++) {
        const fhir_copy_t *copy = copy_of(copies, APR_ARRAY_IDX(claimed, i, const char *));
        if (copy) {
            give_up(run, copy);
        }
    }
}

static fhir_error_t *move_claimed(run_t *run, const apr_array_header_t *claimed, const apr_array_header_t *objects,
                                  const apr_array_header_t *copies)
{
    fhir_move_t *move = run->move;
    int i;
    for (i = 0; i < claimed->nelts; i++) {
        const char *key = APR_ARRAY_IDX(claimed, i, const char *);
        const fhir_stored_object_t *object = object_of(objects, key);
        const fhir_copy_t *copy = copy_of(copies, key);
        result_t result = RESULT_LOST;
        fhir_error_t *error = object && copy ? move_object(&result, run, object, copy) : NULL;
        if (error) {
            release_claims(run, claimed, i + 1, copies);
            return error;
        }
        if (result == RESULT_MOVED) {
            run->wrong_in_a_row = 0;
            move->moved_objects++;
            move->moved_bytes += object->content.size;
            if (move->moved) {
                move->moved(move->baton, &object->content);
            }
        }
        apr_pool_clear(run->object_pool);
    }
    return NULL;
}

static fhir_error_t *claim(apr_array_header_t **claimed, run_t *run, const apr_array_header_t *copies)
{
    apr_time_t since = apr_time_now();
    for (;;) {
        fhir_call_t call = fhir_object_job_call(&run->own, run->batch_pool);
        fhir_error_t *error = fhir_meta_copies_claim(claimed, run->own.meta, run->move->from, copies, run->sweep.lease,
                                                     FHIR_COPY_LEASE, &call);
        run->sweep.renewed = apr_time_now();
        /* A claim whose answer was lost is nobody's: its lease ends by itself, and then it is swept. */
        if (!error || !database_may_return(run, error, since)) {
            return error;
        }
    }
}

/* `after` is the last key of the page; *count how many there were. */
static fhir_error_t *move_page(int *count, run_t *run, char *after)
{
    const fhir_object_filter_t filter = {
        .store = run->move->from, .project_id = run->move->project_id, .share = 1, .without_copy = 1};
    apr_time_t since = apr_time_now();
    apr_array_header_t *objects;
    apr_array_header_t *copies;
    apr_array_header_t *claimed;
    for (;;) {
        fhir_call_t call = fhir_object_job_call(&run->own, run->batch_pool);
        fhir_error_t *error =
            fhir_meta_objects_committed(&objects, run->own.meta, &filter, *after ? after : NULL, BATCH, &call);
        if (!error) {
            break;
        }
        if (!database_may_return(run, error, since)) {
            return error;
        }
    }
    *count = objects->nelts;
    if (objects->nelts == 0) {
        return NULL;
    }
    apr_cpystrn(after, APR_ARRAY_IDX(objects, objects->nelts - 1, fhir_stored_object_t).content.object_key,
                FHIR_STORAGE_KEY_LENGTH + 1);
    FHIR_TRY(plan_copies(&copies, run, objects));
    FHIR_TRY(claim(&claimed, run, copies));
    return move_claimed(run, claimed, objects, copies);
}

/* ---- all of them ---- */

static fhir_error_t *sweep(run_t *run)
{
    apr_time_t since = apr_time_now();
    fhir_error_t *error = fhir_copies_sweep(&run->sweep);
    while (error && database_may_return(run, error, since)) {
        error = fhir_copies_sweep(&run->sweep);
    }
    run->move->removed = run->sweep.removed;
    return error;
}

static fhir_error_t *was_stopped(const run_t *run)
{
    return fhir_error_public(run->pool, FHIR_ERROR_CANCELLED, "It was stopped. Run it again to go on.");
}

/* Every object that is in the store when its turn comes. */
static fhir_error_t *run_pass(run_t *run)
{
    char after[FHIR_STORAGE_KEY_LENGTH + 1] = "";
    int count = 1;
    while (count > 0) {
        FHIR_TRY(move_page(&count, run, after));
        apr_pool_clear(run->batch_pool);
        FHIR_TRY(sweep(run));
        if (!fhir_object_job_wait(run->job, 0)) {
            return was_stopped(run);
        }
    }
    return NULL;
}

static fhir_error_t *count_left(fhir_copies_left_t *left, run_t *run, apr_interval_time_t longest)
{
    apr_array_header_t *stores = apr_array_make(run->batch_pool, 2, sizeof(const char *));
    apr_time_t since = apr_time_now();
    APR_ARRAY_PUSH(stores, const char *) = run->move->from;
    APR_ARRAY_PUSH(stores, const char *) = run->move->to;
    for (;;) {
        fhir_call_t call = fhir_object_job_call(run->job, run->batch_pool);
        fhir_error_t *error = fhir_meta_copies_left(left, run->own.meta, stores, run->sweep.lease, longest, &call);
        if (!error || !database_may_return(run, error, since)) {
            return error;
        }
    }
}

/* Waits for the next copy that is due. *again 0: none is left that we would wait for. */
static fhir_error_t *wait_for_due(int *again, run_t *run, apr_time_t *idle_until)
{
    fhir_move_t *move = run->move;
    apr_interval_time_t longest =
        (move->grace > FHIR_COPY_LEASE ? move->grace : FHIR_COPY_LEASE) + apr_time_from_sec(5);
    fhir_copies_left_t left;
    apr_interval_time_t until;
    FHIR_TRY(count_left(&left, run, longest));
    move->others = left.count;
    until = left.until;
    *idle_until = *idle_until ? *idle_until : apr_time_now() + longest;
    *again = move->others > 0 && run->sweep.kept == 0 && apr_time_now() + until < *idle_until;
    if (*again) {
        if (move->waiting) {
            move->waiting(move->baton, &left);
        }
        /* Another run may remove them sooner than its leases end. */
        *again = fhir_object_job_wait(run->job, until < LOOK_AGAIN ? until + apr_time_from_msec(50) : LOOK_AGAIN);
    }
    apr_pool_clear(run->batch_pool);
    return NULL;
}

/* Until nothing is in the old store that can be moved, and nothing is left over: uploads that had begun there before
 * are moved too, when they end while we wait. */
static fhir_error_t *run_passes(run_t *run)
{
    apr_time_t idle_until = 0;
    int again = 1;
    int productive = 0;
    while (again && productive < PASSES_MAX) {
        apr_off_t moved = run->move->moved_objects;
        apr_off_t removed = run->sweep.removed;
        FHIR_TRY(run_pass(run));
        if (run->move->moved_objects > moved || run->sweep.removed > removed) {
            idle_until = 0;
            productive++;
        }
        FHIR_TRY(wait_for_due(&again, run, &idle_until));
        /* What a killed run had begun to copy can be moved now that this is removed. */
        again = again || run->sweep.removed > removed;
    }
    return NULL;
}

static fhir_error_t *prepare(run_t *run, fhir_move_t *move, apr_pool_t *pool)
{
    memset(run, 0, sizeof(*run));
    run->move = move;
    run->job = move->job;
    run->own = *move->job;
    run->own.stopping = is_stopping;
    run->own.baton = run;
    run->pool = pool;
    apr_pool_create(&run->batch_pool, pool);
    apr_pool_create(&run->object_pool, pool);
    run->wrong = apr_hash_make(pool);
    FHIR_TRY(fhir_store_get(&run->from, run->own.catalog, move->from, pool));
    FHIR_TRY(fhir_store_get(&run->to, run->own.catalog, move->to, pool));
    if (!fhir_store_is_persistent(run->from) || !fhir_store_is_persistent(run->to)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "What is in the store '%s' ends with its process: nothing can be moved from or to it.",
                                 fhir_store_is_persistent(run->from) ? move->to : move->from);
    }
    if (fhir_store_wrapped_by(run->to)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The store '%s' is a part of '%s'; what is moved would go around that one. Move to "
                                 "'%s', or define a store of its own.",
                                 move->to, fhir_store_wrapped_by(run->to), fhir_store_wrapped_by(run->to));
    }
    /* The sweep's own calls must not end because one object is lost. */
    FHIR_TRY(fhir_copy_sweep_init(&run->sweep, run->job, pool));
    return fhir_copy_check_apart(&run->sweep, move->to, move->from);
}

static fhir_error_t *count_remaining(run_t *run)
{
    const fhir_object_filter_t filter = {.store = run->move->from, .project_id = run->move->project_id, .share = 1};
    fhir_call_t call = fhir_object_job_call(run->job, run->pool);
    apr_off_t bytes;
    call.deadline = 0; /* the database's own limit: it counts them one by one */
    return fhir_meta_objects_count(&run->move->remaining, &bytes, run->own.meta, &filter, &call);
}

static fhir_error_t *tell_begun(const run_t *run)
{
    const fhir_object_filter_t filter = {.store = run->move->from, .project_id = run->move->project_id, .share = 1};
    fhir_call_t call = fhir_object_job_call(run->job, run->pool);
    apr_off_t objects;
    apr_off_t bytes;
    call.deadline = 0;
    FHIR_TRY(fhir_meta_objects_count(&objects, &bytes, run->own.meta, &filter, &call));
    if (run->move->begun) {
        run->move->begun(run->move->baton, objects, bytes);
    }
    return NULL;
}

fhir_error_t *fhir_objects_move(fhir_move_t *move, apr_pool_t *pool)
{
    run_t run;
    fhir_error_t *error = prepare(&run, move, pool);
    if (!error) {
        error = sweep(&run);
    }
    if (!error) {
        error = tell_begun(&run);
    }
    if (!error) {
        error = run_passes(&run);
    }
    if (!error) {
        error = count_remaining(&run);
    }
    if (error && error->code == FHIR_ERROR_CANCELLED) {
        error = was_stopped(&run); /* whichever call it was that ended first */
    }
    fhir_copy_sweep_end(&run.sweep);
    move->kept = run.sweep.kept;
    move->why_kept = apr_pstrdup(pool, run.sweep.why_kept);
    return error;
}
