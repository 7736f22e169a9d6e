/* Our own keys: immutable snapshots, swapped under a mutex, freed when the last request that uses one has ended. */
#include "key_ring.h"

#include "../base/text.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <string.h>

#define RELOAD_EVERY apr_time_from_sec(60)
#define RELOAD_AT_MOST_EVERY apr_time_from_sec(1)

typedef struct snapshot_t {
    apr_pool_t *pool;
    int users; /* guarded by the ring's mutex; the ring itself counts as one */
    apr_time_t loaded;
    unsigned generation; /* the ring's when loading began */
    fhir_jwk_set_t *token_set;
    const char *token_signer;
    const char *public_set;
    int url_key_count;
    const fhir_url_key_t *url_keys; /* the one in use first */
    int url_signer;                 /* 1 if there is one in use */
} snapshot_t;

struct fhir_key_ring_t {
    apr_pool_t *pool;
    fhir_meta_t *meta;
    apr_interval_time_t token_lifetime;
    apr_thread_mutex_t *mutex; /* guards what follows */
    snapshot_t *current;
    unsigned generation; /* how often the keys have changed; a snapshot of an earlier one is stale */
};

typedef struct hold_t {
    fhir_key_ring_t *ring;
    snapshot_t *snapshot;
} hold_t;

static void lock(fhir_key_ring_t *ring)
{
    apr_thread_mutex_lock(ring->mutex);
}

static void unlock(fhir_key_ring_t *ring)
{
    apr_thread_mutex_unlock(ring->mutex);
}

static void drop(fhir_key_ring_t *ring, snapshot_t *snapshot)
{
    int last;
    lock(ring);
    last = --snapshot->users == 0;
    unlock(ring);
    if (last) {
        apr_pool_destroy(snapshot->pool);
    }
}

static apr_status_t drop_hold(void *data)
{
    hold_t *hold = data;
    drop(hold->ring, hold->snapshot);
    return APR_SUCCESS;
}

static apr_status_t drop_ring(void *data)
{
    fhir_key_ring_t *ring = data;
    if (ring->current) {
        drop(ring, ring->current);
    }
    return APR_SUCCESS;
}

fhir_error_t *fhir_key_ring_create(fhir_key_ring_t **ring, fhir_meta_t *meta, apr_interval_time_t token_lifetime,
                                   apr_pool_t *pool)
{
    fhir_key_ring_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.", "key ring mutex");
    }
    made->pool = pool;
    made->meta = meta;
    made->token_lifetime = token_lifetime;
    apr_pool_cleanup_register(pool, made, drop_ring, apr_pool_cleanup_null);
    *ring = made;
    return NULL;
}

/* Retired token keys stay as long as a token that they signed can live. */
static int token_key_lives(const fhir_key_ring_t *ring, const fhir_key_t *key, apr_time_t now)
{
    return key->retired == 0 || key->retired + ring->token_lifetime > now;
}

static fhir_error_t *take_token_keys(snapshot_t *snapshot, const fhir_key_ring_t *ring, const apr_array_header_t *keys)
{
    apr_array_header_t *materials = apr_array_make(snapshot->pool, keys->nelts, sizeof(const char *));
    int i;
    for (i = 0; i < keys->nelts; i++) {
        const fhir_key_t *key = &APR_ARRAY_IDX(keys, i, fhir_key_t);
        if (!token_key_lives(ring, key, snapshot->loaded)) {
            continue;
        }
        APR_ARRAY_PUSH(materials, const char *) = apr_pstrdup(snapshot->pool, key->material);
        if (key->retired == 0 && !snapshot->token_signer) {
            snapshot->token_signer = apr_pstrdup(snapshot->pool, key->material);
        }
    }
    FHIR_TRY(fhir_jwk_public_set(&snapshot->public_set, materials, snapshot->pool));
    return fhir_jwk_set_parse(&snapshot->token_set, snapshot->public_set, snapshot->pool);
}

static void take_url_keys(snapshot_t *snapshot, const apr_array_header_t *keys)
{
    fhir_url_key_t *taken = apr_pcalloc(snapshot->pool, sizeof(*taken) * (apr_size_t)(keys->nelts + 1));
    int i;
    for (i = 0; i < keys->nelts; i++) {
        const fhir_key_t *key = &APR_ARRAY_IDX(keys, i, fhir_key_t);
        fhir_url_key_t *slot = &taken[snapshot->url_key_count];
        if (!fhir_hex_decode(slot->bytes, FHIR_URL_KEY_LENGTH, key->material)) {
            continue;
        }
        slot->id = apr_pstrdup(snapshot->pool, key->id);
        if (key->retired == 0 && !snapshot->url_signer) {
            fhir_url_key_t first = taken[0];
            snapshot->url_signer = 1;
            taken[0] = *slot;
            if (slot != &taken[0]) {
                *slot = first;
            }
        }
        snapshot->url_key_count++;
    }
    snapshot->url_keys = taken;
}

static fhir_error_t *load(snapshot_t *snapshot, fhir_key_ring_t *ring, const fhir_call_t *call)
{
    apr_array_header_t *keys;
    FHIR_TRY(fhir_meta_keys(&keys, ring->meta, FHIR_KEY_TOKEN, call));
    FHIR_TRY(take_token_keys(snapshot, ring, keys));
    FHIR_TRY(fhir_meta_keys(&keys, ring->meta, FHIR_KEY_URL, call));
    take_url_keys(snapshot, keys);
    return NULL;
}

/* A pool with an allocator of its own: snapshots are made and freed in any thread. */
static fhir_error_t *snapshot_create(snapshot_t **snapshot, const fhir_call_t *call)
{
    apr_pool_t *own;
    apr_status_t status = apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    if (status != APR_SUCCESS) {
        return fhir_error_create(call->pool, FHIR_ERROR_INTERNAL, status, "The server ran out of memory.", "key ring");
    }
    *snapshot = apr_pcalloc(own, sizeof(**snapshot));
    (*snapshot)->pool = own;
    (*snapshot)->users = 1;
    (*snapshot)->loaded = apr_time_now();
    return NULL;
}

static unsigned generation(fhir_key_ring_t *ring)
{
    unsigned now;
    lock(ring);
    now = ring->generation;
    unlock(ring);
    return now;
}

void fhir_key_ring_mark_stale(fhir_key_ring_t *ring)
{
    lock(ring);
    ring->generation++;
    unlock(ring);
}

/* Takes the place of the current one, unless that is newer. */
static void install(fhir_key_ring_t *ring, snapshot_t *fresh)
{
    snapshot_t *old;
    lock(ring);
    old = ring->current;
    if (old && old->generation > fresh->generation) {
        old = fresh;
    } else {
        ring->current = fresh;
    }
    unlock(ring);
    if (old) {
        drop(ring, old);
    }
}

static fhir_error_t *reload(fhir_key_ring_t *ring, const fhir_call_t *call)
{
    snapshot_t *fresh = NULL;
    fhir_error_t *error;
    FHIR_TRY(snapshot_create(&fresh, call));
    fresh->generation = generation(ring);
    error = load(fresh, ring, call);
    if (error) {
        /* The error may live in the snapshot's pool: keep only what outlives it. */
        error = fhir_error_create(call->pool, error->code, error->status, error->public_text, "loading keys: %s",
                                  error->detail ? error->detail : "");
        error->retry = FHIR_RETRY_YES;
        apr_pool_destroy(fresh->pool);
        return error;
    }
    install(ring, fresh);
    return NULL;
}

/* The current snapshot, held until call->pool goes; NULL if nothing was loaded yet. */
static snapshot_t *hold(fhir_key_ring_t *ring, const fhir_call_t *call)
{
    hold_t *held = apr_palloc(call->pool, sizeof(*held));
    lock(ring);
    held->ring = ring;
    held->snapshot = ring->current;
    if (held->snapshot) {
        held->snapshot->users++;
    }
    unlock(ring);
    if (!held->snapshot) {
        return NULL;
    }
    apr_pool_cleanup_register(call->pool, held, drop_hold, apr_pool_cleanup_null);
    return held->snapshot;
}

/* A snapshot that is at most `age` old, made after the last change that we heard of. With an old one at hand a database
 * that is away does no harm, unless a key of it may be revoked. */
static fhir_error_t *snapshot_get(snapshot_t **snapshot, fhir_key_ring_t *ring, apr_interval_time_t age,
                                  const fhir_call_t *call)
{
    fhir_error_t *error;
    int stale;
    *snapshot = hold(ring, call);
    stale = *snapshot && (*snapshot)->generation != generation(ring);
    if (*snapshot && !stale && apr_time_now() - (*snapshot)->loaded < age) {
        return NULL;
    }
    error = reload(ring, call);
    if (error && *snapshot && !stale) {
        fhir_log_error(call->log, FHIR_LOG_WARNING, error, "using the keys loaded before");
        return NULL;
    }
    FHIR_TRY(error);
    *snapshot = hold(ring, call);
    return NULL;
}

fhir_error_t *fhir_key_ring_token_set(const fhir_jwk_set_t **set, fhir_key_ring_t *ring, const char *key_id,
                                      const fhir_call_t *call)
{
    snapshot_t *snapshot;
    FHIR_TRY(snapshot_get(&snapshot, ring, RELOAD_EVERY, call));
    if (key_id && !fhir_jwk_set_has(snapshot->token_set, key_id)) {
        FHIR_TRY(snapshot_get(&snapshot, ring, RELOAD_AT_MOST_EVERY, call));
    }
    *set = snapshot->token_set;
    return NULL;
}

fhir_error_t *fhir_key_ring_token_signer(const char **private_jwk, fhir_key_ring_t *ring, const fhir_call_t *call)
{
    snapshot_t *snapshot;
    FHIR_TRY(snapshot_get(&snapshot, ring, RELOAD_EVERY, call));
    if (!snapshot->token_signer) {
        FHIR_TRY(snapshot_get(&snapshot, ring, RELOAD_AT_MOST_EVERY, call));
    }
    if (!snapshot->token_signer) {
        return fhir_error_create(call->pool, FHIR_ERROR_INTERNAL, APR_SUCCESS, "This server cannot issue tokens now.",
                                 "no token signing key: run `fhirbinctl key rotate`");
    }
    *private_jwk = apr_pstrdup(call->pool, snapshot->token_signer);
    return NULL;
}

fhir_error_t *fhir_key_ring_public_set(const char **json, fhir_key_ring_t *ring, const fhir_call_t *call)
{
    snapshot_t *snapshot;
    FHIR_TRY(snapshot_get(&snapshot, ring, RELOAD_EVERY, call));
    *json = apr_pstrdup(call->pool, snapshot->public_set);
    return NULL;
}

static const fhir_url_key_t *find_url_key(const snapshot_t *snapshot, const char *key_id)
{
    int i;
    if (!key_id) {
        return snapshot->url_signer ? &snapshot->url_keys[0] : NULL;
    }
    for (i = 0; i < snapshot->url_key_count; i++) {
        if (strcmp(snapshot->url_keys[i].id, key_id) == 0) {
            return &snapshot->url_keys[i];
        }
    }
    return NULL;
}

fhir_error_t *fhir_key_ring_url_key(fhir_url_key_t *key, fhir_key_ring_t *ring, const char *key_id,
                                    const fhir_call_t *call)
{
    snapshot_t *snapshot;
    const fhir_url_key_t *found;
    FHIR_TRY(snapshot_get(&snapshot, ring, RELOAD_EVERY, call));
    found = find_url_key(snapshot, key_id);
    if (!found) {
        FHIR_TRY(snapshot_get(&snapshot, ring, RELOAD_AT_MOST_EVERY, call));
        found = find_url_key(snapshot, key_id);
    }
    if (!found && !key_id) {
        return fhir_error_create(call->pool, FHIR_ERROR_INTERNAL, APR_SUCCESS, "This server cannot sign URLs now.",
                                 "no URL signing key: run `fhirbinctl key rotate --signing`");
    }
    if (!found) {
        return fhir_error_public(call->pool, FHIR_ERROR_FORBIDDEN,
                                 "The signature of this URL is not valid. Ask for a new signed URL.");
    }
    *key = *found;
    key->id = apr_pstrdup(call->pool, found->id);
    return NULL;
}
