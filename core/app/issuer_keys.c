/* Cache of the JWK sets of outside issuers. A set is immutable and counted: the cache holds one reference, each request
 * that uses it one more, and the last one frees it. One thread loads at a time, without holding the mutex. */
#include "issuer_keys.h"

#include "issuer_source.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <string.h>

#define FILE_LOOK_EVERY apr_time_from_sec(1)
#define URL_FETCH_EVERY apr_time_from_sec(600)
#define URL_FETCH_FOR_UNKNOWN_KEY_EVERY apr_time_from_sec(60)
#define URL_RETRY_EVERY apr_time_from_sec(10)
#define SERVE_OLD_SET_FOR apr_time_from_sec(24 * 3600)
#define WARN_EVERY apr_time_from_sec(60)
/* A fetch ends within 5 s. Who only hopes for a new key waits less, so that made-up key ids can't tie up threads. */
#define WAIT_FOR_FIRST_SET apr_time_from_sec(6)
#define WAIT_FOR_UNKNOWN_KEY apr_time_from_sec(2)

typedef struct counted_set_t {
    apr_pool_t *pool; /* of its own, holds all of this */
    fhir_jwk_set_t *keys;
    fhir_issuer_source_t source; /* what the file looked like */
    int users;                   /* guarded by the entry's mutex */
} counted_set_t;

/* All times and `current`, `loading` are guarded by `mutex`. */
typedef struct issuer_t {
    const fhir_trusted_issuer_t *trusted;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *loaded;
    counted_set_t *current; /* NULL: none yet */
    int loading;
    apr_time_t attempted; /* last load, whatever became of it; 0: never */
    apr_time_t confirmed; /* when `current` was last known to be the issuer's */
    apr_time_t warned;
    apr_time_t failed; /* the last attempt failed at that time; 0: it did not */
} issuer_t;

struct fhir_issuer_keys_t {
    const fhir_log_t *log;
    int count;
    issuer_t *issuers;
};

typedef struct hold_t {
    issuer_t *issuer;
    counted_set_t *set;
} hold_t;

/* With the mutex locked; the caller frees the set that is returned, after unlocking. */
static counted_set_t *let_go(counted_set_t *set)
{
    return set && --set->users == 0 ? set : NULL;
}

static void free_set(counted_set_t *set)
{
    if (set) {
        apr_pool_destroy(set->pool);
    }
}

static apr_status_t drop_hold(void *data)
{
    hold_t *hold = data;
    counted_set_t *last;
    apr_thread_mutex_lock(hold->issuer->mutex);
    last = let_go(hold->set);
    apr_thread_mutex_unlock(hold->issuer->mutex);
    free_set(last);
    return APR_SUCCESS;
}

static apr_status_t drop_cache(void *data)
{
    fhir_issuer_keys_t *cache = data;
    int i;
    for (i = 0; i < cache->count; i++) {
        free_set(let_go(cache->issuers[i].current));
        cache->issuers[i].current = NULL;
    }
    return APR_SUCCESS;
}

fhir_error_t *fhir_issuer_keys_create(fhir_issuer_keys_t **cache, const apr_array_header_t *issuers,
                                      const fhir_log_t *log, apr_pool_t *pool)
{
    fhir_issuer_keys_t *made = apr_pcalloc(pool, sizeof(*made));
    int count = issuers ? issuers->nelts : 0;
    int i;
    *cache = NULL;
    made->log = log;
    made->issuers = apr_pcalloc(pool, sizeof(issuer_t) * (apr_size_t)(count + 1));
    for (i = 0; i < count; i++) {
        issuer_t *issuer = &made->issuers[i];
        apr_status_t status = apr_thread_mutex_create(&issuer->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
        if (status == APR_SUCCESS) {
            status = apr_thread_cond_create(&issuer->loaded, pool);
        }
        if (status != APR_SUCCESS) {
            return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.",
                                     "no mutex for the keys of an issuer");
        }
        issuer->trusted = &APR_ARRAY_IDX(issuers, i, fhir_trusted_issuer_t);
    }
    made->count = count;
    apr_pool_cleanup_register(pool, made, drop_cache, apr_pool_cleanup_null);
    *cache = made;
    return NULL;
}

static issuer_t *find_issuer(const fhir_issuer_keys_t *cache, const char *name)
{
    int i;
    for (i = 0; name && i < cache->count; i++) {
        if (strcmp(cache->issuers[i].trusted->issuer, name) == 0) {
            return &cache->issuers[i];
        }
    }
    return NULL;
}

static int is_file(const issuer_t *issuer)
{
    return issuer->trusted->jwks[0] == '/';
}

static int has_key(const issuer_t *issuer, const char *key_id)
{
    return issuer->current && (!key_id || fhir_jwk_set_has(issuer->current->keys, key_id));
}

/* Has `interval` gone by since `then`? A clock that was set back far counts as yes. */
static int is_over(apr_time_t then, apr_interval_time_t interval, apr_time_t now)
{
    return then == 0 || now - then >= interval || then - now >= apr_time_from_sec(60);
}

/* Should the keys be loaded now? With the mutex locked. */
static int is_due(const issuer_t *issuer, const char *key_id, apr_time_t now)
{
    if (is_file(issuer)) {
        return is_over(issuer->attempted, FILE_LOOK_EVERY, now);
    }
    if (!issuer->current) {
        return is_over(issuer->attempted, URL_RETRY_EVERY, now);
    }
    if (issuer->failed || !has_key(issuer, key_id)) {
        return is_over(issuer->attempted, URL_FETCH_FOR_UNKNOWN_KEY_EVERY, now);
    }
    return is_over(issuer->confirmed, URL_FETCH_EVERY, now);
}

static fhir_error_t *load_into(counted_set_t *set, const issuer_t *issuer)
{
    const char *text;
    FHIR_TRY(fhir_issuer_source_read(&text, &set->source, issuer->trusted->jwks, set->pool));
    return text ? fhir_jwk_set_parse(&set->keys, text, set->pool) : NULL;
}

/* Loads a new set; *set is NULL if it could not be had or if a file is unchanged since `known`. The errors' texts live
 * in `pool`. */
static fhir_error_t *load_set(counted_set_t **set, const issuer_t *issuer, const fhir_issuer_source_t *known,
                              apr_pool_t *pool)
{
    apr_pool_t *own;
    fhir_error_t *error;
    apr_status_t status = apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    *set = NULL;
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server ran out of memory.", NULL);
    }
    *set = apr_pcalloc(own, sizeof(**set));
    (*set)->pool = own;
    (*set)->users = 1;
    (*set)->source = *known;
    error = load_into(*set, issuer);
    if (error) {
        error = fhir_error_create(pool, error->code, error->status, error->public_text, "%s",
                                  error->detail ? error->detail : "");
    }
    if (error || !(*set)->keys) {
        apr_pool_destroy(own);
        *set = NULL;
    }
    return error;
}

/* Writes down what became of an attempt. With the mutex locked; gives the set to free. */
static counted_set_t *settle(issuer_t *issuer, counted_set_t *fresh, const fhir_error_t *error, apr_time_t now)
{
    counted_set_t *old = NULL;
    issuer->loading = 0;
    issuer->failed = error ? now : 0;
    if (!error) {
        issuer->confirmed = now;
        issuer->warned = 0;
    }
    if (fresh) {
        old = let_go(issuer->current);
        issuer->current = fresh;
    }
    apr_thread_cond_broadcast(issuer->loaded);
    return old;
}

/* Entered and left with the mutex locked; unlocks it meanwhile. */
static void load(fhir_issuer_keys_t *cache, issuer_t *issuer, apr_time_t now, apr_pool_t *pool)
{
    fhir_issuer_source_t known = {0};
    counted_set_t *fresh;
    counted_set_t *old;
    fhir_error_t *error;
    int warn;
    if (issuer->current) {
        known = issuer->current->source;
    }
    issuer->loading = 1;
    issuer->attempted = now;
    apr_thread_mutex_unlock(issuer->mutex);
    error = load_set(&fresh, issuer, &known, pool);
    apr_thread_mutex_lock(issuer->mutex);
    old = settle(issuer, fresh, error, now);
    warn = error && is_over(issuer->warned, WARN_EVERY, now);
    if (warn) {
        issuer->warned = now;
    }
    apr_thread_mutex_unlock(issuer->mutex);
    free_set(old);
    if (warn) {
        fhir_log(cache->log, FHIR_LOG_WARNING, error->status, "keys of issuer %s can't be had from %s: %s %s",
                 issuer->trusted->issuer, issuer->trusted->jwks, error->public_text, error->detail);
    }
    apr_thread_mutex_lock(issuer->mutex);
}

/* Another thread is loading: wait for it if we have nothing to go on. With the mutex locked. */
static void wait_for_load(issuer_t *issuer, const char *key_id)
{
    apr_time_t end = apr_time_now() + (issuer->current ? WAIT_FOR_UNKNOWN_KEY : WAIT_FOR_FIRST_SET);
    while (issuer->loading && !has_key(issuer, key_id)) {
        apr_interval_time_t left = end - apr_time_now();
        if (left <= 0 ||
            (apr_thread_cond_timedwait(issuer->loaded, issuer->mutex, left) != APR_SUCCESS && apr_time_now() >= end)) {
            return;
        }
    }
}

fhir_error_t *fhir_issuer_keys_get(const fhir_jwk_set_t **set, fhir_issuer_keys_t *cache, const char *name,
                                   const char *key_id, apr_time_t now, apr_pool_t *request_pool)
{
    issuer_t *issuer = find_issuer(cache, name);
    hold_t *hold;
    fhir_error_t *error;
    *set = NULL;
    if (!issuer) {
        return fhir_error_public(request_pool, FHIR_ERROR_UNAUTHENTICATED,
                                 "The issuer of this token is not trusted here.");
    }
    hold = apr_pcalloc(request_pool, sizeof(*hold));
    hold->issuer = issuer;
    apr_thread_mutex_lock(issuer->mutex);
    if (issuer->loading) {
        wait_for_load(issuer, key_id);
    } else if (is_due(issuer, key_id, now)) {
        load(cache, issuer, now, request_pool);
    }
    if (issuer->current && (!issuer->failed || now - issuer->confirmed < SERVE_OLD_SET_FOR)) {
        hold->set = issuer->current;
        hold->set->users++;
    }
    apr_thread_mutex_unlock(issuer->mutex);
    if (hold->set) {
        apr_pool_cleanup_register(request_pool, hold, drop_hold, apr_pool_cleanup_null);
        *set = hold->set->keys;
        return NULL;
    }
    error = fhir_error_create(request_pool, FHIR_ERROR_UNAVAILABLE, APR_SUCCESS,
                              "The keys of the token's issuer can't be had now; try again in a while.",
                              "no keys of issuer %s", name);
    error->retry = FHIR_RETRY_AFTER;
    error->retry_after = URL_RETRY_EVERY;
    return error;
}
