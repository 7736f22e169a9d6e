/* Both copies of one object, read whole: what each is, and what is missing or altered written anew. Other processes may
 * be at the same object: their repairs, or its removal. */
#include "mirror.h"

#include <string.h>

#define SHA256_LENGTH 32
/* How long a copy that somebody else writes is waited for: as long as a slow store takes, in bytes per second. */
#define PATIENCE apr_time_from_sec(3)
#define SLOW_STORE ((apr_off_t)8 * 1024 * 1024)
#define PAUSE_MIN apr_time_from_msec(10)
#define PAUSE_MAX apr_time_from_msec(640)
#define ATTEMPTS_MAX 3 /* at a store that fails */

typedef struct copy_t {
    fhir_store_copy_t state;
    fhir_error_t *error; /* NULL: the copy is whole */
    apr_off_t length;
    unsigned char sha256[SHA256_LENGTH]; /* of the content */
    int repaired;
} copy_t;

typedef struct check_t {
    fhir_store_t *store;
    const char *object_key;
    fhir_store_call_t call;
    copy_t copies[MIRROR_HALVES];
} check_t;

static fhir_store_copy_t state_of(const fhir_error_t *error)
{
    if (!error) {
        return FHIR_STORE_COPY_GOOD;
    }
    if (error->code == FHIR_ERROR_NOT_FOUND) {
        return FHIR_STORE_COPY_MISSING;
    }
    return mirror_is_damage(error) ? FHIR_STORE_COPY_ALTERED : FHIR_STORE_COPY_UNREADABLE;
}

static fhir_error_t *read_both(check_t *check)
{
    int half;
    for (half = 0; half < MIRROR_HALVES; half++) {
        copy_t *copy = &check->copies[half];
        copy->error =
            mirror_read_copy(&copy->length, copy->sha256, check->store, half, check->object_key, &check->call);
        if (copy->error && mirror_is_over(copy->error, &check->call)) {
            return copy->error;
        }
        copy->state = state_of(copy->error);
        if (copy->error) {
            mirror_log(&check->call, FHIR_STORE_LOG_WARNING, "object %s: %s (%s)", check->object_key,
                       copy->error->public_text, copy->error->detail);
        }
    }
    return NULL;
}

/* Two whole copies with different content. Readers get the first. Which one is right only the checksum in the database
 * tells, so neither may be lost. */
static void compare(check_t *check)
{
    copy_t *copies = check->copies;
    if (copies[0].error || copies[1].error ||
        (copies[0].length == copies[1].length && !memcmp(copies[0].sha256, copies[1].sha256, SHA256_LENGTH))) {
        return;
    }
    copies[1].state = FHIR_STORE_COPY_ALTERED;
    mirror_log(&check->call, FHIR_STORE_LOG_ERROR,
               "object %s: the copies in %s and %s are whole, but of different content; readers get the first one, and "
               "neither is changed. Move the wrong one away and repair again",
               check->object_key, check->store->halves[0].name, check->store->halves[1].name);
}

/* A half lacks what the other one had: was the object removed while we read? */
static void look_again(check_t *check)
{
    int half;
    for (half = 0; half < MIRROR_HALVES; half++) {
        copy_t *copy = &check->copies[half];
        const copy_t *other = &check->copies[1 - half];
        if (copy->state == FHIR_STORE_COPY_GOOD && other->state == FHIR_STORE_COPY_MISSING &&
            mirror_is_gone(check->store, half, check->object_key, &check->call)) {
            *copy = *other;
        }
    }
}

/* ---- repair ---- */

/* As it is now. Memory is for this look alone, because there may be many. */
static fhir_store_copy_t state_now(check_t *check, int half)
{
    fhir_store_call_t call = check->call;
    apr_off_t length;
    fhir_store_copy_t state;
    apr_pool_create(&call.result_pool, check->call.result_pool);
    state = state_of(mirror_read_copy(&length, NULL, check->store, half, check->object_key, &call));
    /* While we read the altered copy, somebody may have begun to replace it. */
    if (state == FHIR_STORE_COPY_ALTERED && mirror_is_gone(check->store, half, check->object_key, &call)) {
        state = FHIR_STORE_COPY_MISSING;
    }
    apr_pool_destroy(call.result_pool);
    return state;
}

/* Removing what is missing, too, takes the remains of a repair that was killed. Somebody who is still at it would lose
 * his work, so that comes after a long wait, and once. */
typedef struct attempts_t {
    apr_interval_time_t patience;
    apr_time_t patience_ends;
    apr_interval_time_t pause;
    int cleared;
    int failed;
} attempts_t;

static void pause_longer(attempts_t *attempts)
{
    apr_sleep(attempts->pause);
    attempts->pause = attempts->pause < PAUSE_MAX ? 2 * attempts->pause : PAUSE_MAX;
}

static int is_worth_another(attempts_t *attempts, const fhir_error_t *error)
{
    if (error->code == FHIR_ERROR_EXISTS) {
        return !attempts->cleared || apr_time_now() < attempts->patience_ends;
    }
    return error->code == FHIR_ERROR_UNAVAILABLE && ++attempts->failed < ATTEMPTS_MAX;
}

static fhir_error_t *write_once(int *gone, check_t *check, int half, fhir_store_copy_t state, attempts_t *attempts)
{
    apr_off_t length = check->copies[1 - half].length;
    int clear = state == FHIR_STORE_COPY_ALTERED;
    if (!clear && !attempts->cleared && apr_time_now() >= attempts->patience_ends) {
        clear = attempts->cleared = 1;
        attempts->patience_ends = apr_time_now() + attempts->patience;
    }
    return mirror_write_copy(gone, check->store, half, check->object_key, length, clear, &check->call);
}

static fhir_error_t *not_readable(const check_t *check, int half)
{
    fhir_error_t *error =
        fhir_error_create(check->call.result_pool, FHIR_ERROR_UNAVAILABLE, APR_EGENERAL,
                          "A copy could not be written anew; try again later.", "what is there can't be read any more");
    return mirror_of_half(error, check->store, half, check->call.result_pool);
}

/* The other copy is good. */
static fhir_error_t *repair_half(int *gone, check_t *check, int half)
{
    copy_t *copy = &check->copies[half];
    attempts_t attempts = {0};
    *gone = 0;
    attempts.pause = PAUSE_MIN;
    attempts.patience = PATIENCE + apr_time_from_sec(check->copies[1 - half].length / SLOW_STORE);
    attempts.patience_ends = apr_time_now() + attempts.patience;
    for (;;) {
        fhir_store_copy_t state = state_now(check, half);
        fhir_error_t *error;
        FHIR_TRY(fhir_plugin_check_call(&check->call));
        if (state == FHIR_STORE_COPY_GOOD) { /* somebody else has repaired it */
            copy->repaired = 1;
            return NULL;
        }
        error = state == FHIR_STORE_COPY_UNREADABLE ? not_readable(check, half)
                                                    : write_once(gone, check, half, state, &attempts);
        if (!error) {
            copy->repaired = !*gone;
            return NULL;
        }
        if (mirror_is_over(error, &check->call) || !is_worth_another(&attempts, error)) {
            return error;
        }
        pause_longer(&attempts);
    }
}

/* The caller must not take it for what is said of the object. */
static fhir_error_t *not_repaired(fhir_error_t *error, check_t *check)
{
    if (error->code == FHIR_ERROR_NOT_FOUND || error->code == FHIR_ERROR_CORRUPT || error->code == FHIR_ERROR_EXISTS) {
        error->code = FHIR_ERROR_UNAVAILABLE;
        error->public_text = "A copy could not be written anew; try again later.";
    }
    mirror_log(&check->call, FHIR_STORE_LOG_WARNING, "object %s was not repaired: %s (%s)", check->object_key,
               error->public_text, error->detail ? error->detail : "no detail");
    return error;
}

static fhir_error_t *repair_both(check_t *check)
{
    int half;
    for (half = 0; half < MIRROR_HALVES; half++) {
        copy_t *copy = &check->copies[half];
        fhir_error_t *error;
        int gone;
        /* Without an error it is whole, and only other than the other one. */
        if (!copy->error || copy->state == FHIR_STORE_COPY_UNREADABLE ||
            check->copies[1 - half].state != FHIR_STORE_COPY_GOOD) {
            continue;
        }
        error = repair_half(&gone, check, half);
        if (error) {
            return not_repaired(error, check);
        }
        if (gone) {
            copy->state = FHIR_STORE_COPY_MISSING;
            check->copies[1 - half] = *copy;
        }
    }
    return NULL;
}

/* ---- what is told ---- */

static fhir_error_t *verdict(check_t *check)
{
    copy_t *copies = check->copies;
    int half;
    if (copies[0].state == FHIR_STORE_COPY_GOOD || copies[1].state == FHIR_STORE_COPY_GOOD) {
        return NULL;
    }
    for (half = 0; half < MIRROR_HALVES; half++) {
        if (copies[half].state == FHIR_STORE_COPY_UNREADABLE) { /* the good copy may be there */
            return mirror_worse(copies[half].error, copies[1 - half].error, check->call.result_pool);
        }
    }
    if (copies[0].state == FHIR_STORE_COPY_MISSING && copies[1].state == FHIR_STORE_COPY_MISSING) {
        return fhir_plugin_not_found(check->call.result_pool);
    }
    return fhir_sealed_damaged(check->call.result_pool, apr_psprintf(check->call.result_pool, "no copy is good: %s; %s",
                                                                     copies[0].error->detail, copies[1].error->detail));
}

static fhir_error_t *check_both(check_t *check, int repair, fhir_store_copy_fn copy, void *copy_baton)
{
    fhir_error_t *error = NULL;
    int half;
    FHIR_TRY(read_both(check));
    look_again(check);
    compare(check);
    if (repair) {
        error = repair_both(check);
    }
    for (half = 0; half < MIRROR_HALVES; half++) {
        copy(copy_baton, check->store->halves[half].name, check->copies[half].state, check->copies[half].repaired);
    }
    return error ? error : verdict(check);
}

fhir_error_t *mirror_check_copies(fhir_store_t *store, const char *locator, int repair, fhir_store_copy_fn copy,
                                  void *copy_baton, const fhir_store_call_t *call)
{
    check_t check = {.store = store, .object_key = locator, .call = *call};
    fhir_error_t *error;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    mirror_tell_repairs(store, call);
    /* Whoever asks for a million objects may do so with one pool. */
    apr_pool_create(&check.call.result_pool, call->result_pool);
    apr_pool_create(&check.call.scratch_pool, check.call.result_pool);
    error = check_both(&check, repair, copy, copy_baton);
    if (error) {
        error = mirror_keep_error(error, call->result_pool);
    }
    apr_pool_destroy(check.call.result_pool);
    return error;
}
