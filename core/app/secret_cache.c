/* A small set-associative table of keyed digests. A lost entry costs one bcrypt, nothing else. */
#include "secret_cache.h"

#include <apr_thread_mutex.h>
#include <string.h>

#define ENTRY_LIFETIME apr_time_from_sec(60)
/* Requests overtake each other: `now` may lie a little before the moment when the entry was made. */
#define OVERTAKING apr_time_from_sec(5)
#define SET_COUNT 256
#define WAYS 4 /* 1024 entries */

typedef struct secret_entry_t {
    unsigned char mac[FHIR_SHA256_LENGTH];
    apr_time_t added; /* 0: empty */
} secret_entry_t;

struct fhir_secret_cache_t {
    apr_thread_mutex_t *mutex;
    unsigned char key[FHIR_SHA256_LENGTH]; /* random, of this process */
    secret_entry_t entries[SET_COUNT][WAYS];
};

fhir_error_t *fhir_secret_cache_create(fhir_secret_cache_t **cache, apr_pool_t *pool)
{
    fhir_secret_cache_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    *cache = NULL;
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.",
                                 "no mutex for the secret cache");
    }
    FHIR_TRY(fhir_random_bytes(made->key, sizeof(made->key), pool));
    *cache = made;
    return NULL;
}

/* Digest of one text after the other; each is digested alone first, so that none can run into the next one. */
static void mac_of(unsigned char mac[FHIR_SHA256_LENGTH], const fhir_secret_cache_t *cache, const char *client_id,
                   const char *hash, const char *secret)
{
    unsigned char parts[3 * FHIR_SHA256_LENGTH];
    fhir_hmac_sha256(parts, cache->key, sizeof(cache->key), client_id, strlen(client_id));
    fhir_hmac_sha256(parts + FHIR_SHA256_LENGTH, cache->key, sizeof(cache->key), hash, strlen(hash));
    fhir_hmac_sha256(parts + 2 * FHIR_SHA256_LENGTH, cache->key, sizeof(cache->key), secret, strlen(secret));
    fhir_hmac_sha256(mac, cache->key, sizeof(cache->key), parts, sizeof(parts));
}

static int is_fresh(const secret_entry_t *entry, apr_time_t now)
{
    return entry->added != 0 && now + OVERTAKING >= entry->added && now - entry->added < ENTRY_LIFETIME;
}

int fhir_secret_cache_has(fhir_secret_cache_t *cache, const char *client_id, const char *hash, const char *secret,
                          apr_time_t now)
{
    unsigned char mac[FHIR_SHA256_LENGTH];
    const secret_entry_t *set;
    int found = 0;
    int i;
    mac_of(mac, cache, client_id, hash, secret);
    set = cache->entries[mac[0] % SET_COUNT];
    apr_thread_mutex_lock(cache->mutex);
    for (i = 0; i < WAYS; i++) {
        found |= is_fresh(&set[i], now) & fhir_equal_constant_time(set[i].mac, mac, sizeof(mac));
    }
    apr_thread_mutex_unlock(cache->mutex);
    return found;
}

/* The same secret's old entry, else the oldest. */
static secret_entry_t *entry_to_replace(secret_entry_t *set, const unsigned char mac[FHIR_SHA256_LENGTH])
{
    secret_entry_t *oldest = &set[0];
    int i;
    for (i = 0; i < WAYS; i++) {
        if (fhir_equal_constant_time(set[i].mac, mac, FHIR_SHA256_LENGTH)) {
            return &set[i];
        }
        if (set[i].added < oldest->added) {
            oldest = &set[i];
        }
    }
    return oldest;
}

void fhir_secret_cache_add(fhir_secret_cache_t *cache, const char *client_id, const char *hash, const char *secret,
                           apr_time_t now)
{
    unsigned char mac[FHIR_SHA256_LENGTH];
    secret_entry_t *entry;
    mac_of(mac, cache, client_id, hash, secret);
    apr_thread_mutex_lock(cache->mutex);
    entry = entry_to_replace(cache->entries[mac[0] % SET_COUNT], mac);
    memcpy(entry->mac, mac, sizeof(mac));
    entry->added = now;
    apr_thread_mutex_unlock(cache->mutex);
}
