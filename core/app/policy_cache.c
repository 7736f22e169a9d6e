/* A bounded table of compiled policies, counted by their users. */
#include "policy_cache.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <stdatomic.h>
#include <string.h>

#define ENTRIES_MAX 4096
#define HINTS 4096 /* a power of two */

typedef struct entry_t {
    apr_pool_t *pool; /* of its own */
    int users;        /* guarded by the cache's mutex; the table counts as one */
    const char *key;
    const fhir_policy_t *policy;
} entry_t;

struct fhir_policy_cache_t {
    fhir_meta_t *meta;
    const fhir_addresses_t *addresses;
    apr_thread_mutex_t *mutex; /* guards the table and the counts */
    apr_hash_t *entries;       /* of entry_t by key */
    atomic_uchar hints[HINTS];
};

typedef struct hold_t {
    fhir_policy_cache_t *cache;
    entry_t *entry;
} hold_t;

static apr_status_t clear_at_end(void *data)
{
    fhir_policy_cache_clear(data);
    return APR_SUCCESS;
}

fhir_error_t *fhir_policy_cache_create(fhir_policy_cache_t **cache, fhir_meta_t *meta,
                                       const fhir_addresses_t *addresses, apr_pool_t *pool)
{
    fhir_policy_cache_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    *cache = NULL;
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.",
                                 "no mutex for the policy cache");
    }
    made->meta = meta;
    made->addresses = addresses;
    made->entries = apr_hash_make(pool);
    apr_pool_cleanup_register(pool, made, clear_at_end, apr_pool_cleanup_null);
    *cache = made;
    return NULL;
}

/* ---- users ---- */

static void drop(fhir_policy_cache_t *cache, entry_t *entry)
{
    int last;
    apr_thread_mutex_lock(cache->mutex);
    last = --entry->users == 0;
    apr_thread_mutex_unlock(cache->mutex);
    if (last) {
        apr_pool_destroy(entry->pool);
    }
}

static apr_status_t drop_hold(void *data)
{
    hold_t *hold = data;
    drop(hold->cache, hold->entry);
    return APR_SUCCESS;
}

static void hold_until_end(fhir_policy_cache_t *cache, entry_t *entry, apr_pool_t *pool)
{
    hold_t *hold = apr_palloc(pool, sizeof(*hold));
    hold->cache = cache;
    hold->entry = entry;
    apr_pool_cleanup_register(pool, hold, drop_hold, apr_pool_cleanup_null);
}

/* The entries that only the table held are gone at once; the mutex is held. */
static void clear_locked(fhir_policy_cache_t *cache)
{
    apr_hash_index_t *index;
    for (index = apr_hash_first(NULL, cache->entries); index; index = apr_hash_next(index)) {
        entry_t *entry = apr_hash_this_val(index);
        apr_hash_set(cache->entries, entry->key, APR_HASH_KEY_STRING, NULL);
        if (--entry->users == 0) {
            apr_pool_destroy(entry->pool);
        }
    }
}

void fhir_policy_cache_clear(fhir_policy_cache_t *cache)
{
    apr_thread_mutex_lock(cache->mutex);
    clear_locked(cache);
    apr_thread_mutex_unlock(cache->mutex);
}

/* ---- entries ---- */

/* No part can run into the next: ids have no line ends, and JSON text has none inside its strings. */
static const char *key_of(const fhir_membership_t *membership, apr_pool_t *pool)
{
    return apr_pstrcat(pool, membership->project_id, "\n", membership->policies, "\n", membership->access, "\n",
                       membership->profile ? membership->profile : "", NULL);
}

static entry_t *find(fhir_policy_cache_t *cache, const char *key)
{
    entry_t *entry;
    apr_thread_mutex_lock(cache->mutex);
    entry = apr_hash_get(cache->entries, key, APR_HASH_KEY_STRING);
    if (entry) {
        entry->users++;
    }
    apr_thread_mutex_unlock(cache->mutex);
    return entry;
}

/* Another thread may have made the same meanwhile: the newer one takes its place. */
static void put(fhir_policy_cache_t *cache, entry_t *entry)
{
    entry_t *old;
    apr_thread_mutex_lock(cache->mutex);
    if (apr_hash_count(cache->entries) >= ENTRIES_MAX) {
        clear_locked(cache);
    }
    old = apr_hash_get(cache->entries, entry->key, APR_HASH_KEY_STRING);
    if (old) {
        apr_hash_set(cache->entries, old->key, APR_HASH_KEY_STRING, NULL);
    }
    apr_hash_set(cache->entries, entry->key, APR_HASH_KEY_STRING, entry);
    entry->users++;
    apr_thread_mutex_unlock(cache->mutex);
    if (old) {
        drop(cache, old);
    }
}

static apr_array_header_t *sources_of(const apr_array_header_t *texts, apr_pool_t *pool)
{
    apr_array_header_t *sources = apr_array_make(pool, texts->nelts, sizeof(fhir_policy_source_t));
    int i;
    for (i = 0; i < texts->nelts; i++) {
        const fhir_policy_text_t *text = &APR_ARRAY_IDX(texts, i, fhir_policy_text_t);
        fhir_policy_source_t *source = apr_array_push(sources);
        source->id = text->id;
        source->version_id = text->version_id;
        source->body = text->body;
    }
    return sources;
}

/* The texts are not kept: each member has an entry, and what they are made from may be megabytes. */
static fhir_error_t *compile(entry_t *entry, fhir_policy_cache_t *cache, const fhir_membership_t *membership,
                             const fhir_call_t *call)
{
    fhir_call_t own = *call;
    apr_array_header_t *texts;
    apr_pool_create(&own.pool, call->pool);
    FHIR_TRY(fhir_meta_load_policies(&texts, cache->meta, membership->project_id, membership->policies, &own));
    entry->policy = fhir_policy_compile(membership->access, membership->profile, sources_of(texts, own.pool),
                                        cache->addresses, entry->pool);
    apr_pool_destroy(own.pool);
    return NULL;
}

/* A pool with an allocator of its own: entries are made and freed in any thread. */
static fhir_error_t *make(entry_t **entry, fhir_policy_cache_t *cache, const char *key,
                          const fhir_membership_t *membership, const fhir_call_t *call)
{
    apr_pool_t *own;
    fhir_error_t *error;
    apr_status_t status = apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    if (status != APR_SUCCESS) {
        return fhir_error_create(call->pool, FHIR_ERROR_INTERNAL, status, "The server ran out of memory.", "policies");
    }
    *entry = apr_pcalloc(own, sizeof(**entry));
    (*entry)->pool = own;
    (*entry)->users = 1;
    (*entry)->key = apr_pstrdup(own, key);
    error = compile(*entry, cache, membership, call);
    if (error) {
        apr_pool_destroy(own);
    }
    return error;
}

fhir_error_t *fhir_policy_cache_get(const fhir_policy_t **policy, fhir_policy_cache_t *cache,
                                    const fhir_membership_t *membership, const fhir_call_t *call)
{
    const char *key;
    entry_t *entry;
    *policy = NULL;
    if (!membership->access) {
        return NULL;
    }
    key = key_of(membership, call->pool);
    entry = find(cache, key);
    if (!entry) {
        FHIR_TRY(make(&entry, cache, key, membership, call));
        put(cache, entry);
    }
    hold_until_end(cache, entry, call->pool);
    *policy = entry->policy;
    return NULL;
}

/* ---- hints ---- */

static unsigned slot_of(const fhir_principal_key_t *key, int of_binary)
{
    apr_ssize_t length = APR_HASH_KEY_STRING;
    unsigned hash = apr_hashfunc_default(key->subject, &length);
    length = APR_HASH_KEY_STRING;
    hash = hash * 33 + apr_hashfunc_default(key->issuer, &length) + (unsigned)key->kind * 2 + (unsigned)of_binary;
    return hash & (HINTS - 1);
}

int fhir_policy_cache_hint(fhir_policy_cache_t *cache, const fhir_principal_key_t *key, int of_binary)
{
    return atomic_load_explicit(&cache->hints[slot_of(key, of_binary)], memory_order_relaxed);
}

void fhir_policy_cache_set_hint(fhir_policy_cache_t *cache, const fhir_principal_key_t *key, int of_binary,
                                int needs_content)
{
    atomic_uchar *hint = &cache->hints[slot_of(key, of_binary)];
    unsigned char wanted = needs_content != 0;
    if (atomic_load_explicit(hint, memory_order_relaxed) != wanted) {
        atomic_store_explicit(hint, wanted, memory_order_relaxed);
    }
}
