/* A set-associative table of verified tokens under the SHA-256 of their text. Each entry owns one block of memory with
 * all of its strings; a set is guarded by one of several mutexes, so that threads seldom meet. */
#include "token_cache.h"

#include <apr_thread_mutex.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_LIFETIME apr_time_from_sec(60)
/* Requests overtake each other: `now` may lie a little before the moment when the entry was made. */
#define OVERTAKING apr_time_from_sec(5)
#define SET_COUNT 512 /* a power of two */
#define WAYS 8        /* 4096 entries */
#define SHARD_COUNT 32
#define BLOCK_MAX 2048 /* bytes of strings in one entry: at most 8 MiB in all */
#define FIELD_COUNT 5

typedef struct token_entry_t {
    unsigned char key[FHIR_SHA256_LENGTH];
    apr_time_t added;
    apr_time_t used;
    apr_time_t expires;
    apr_time_t not_before;
    char *block;                       /* malloc'ed, NULL: empty */
    apr_uint16_t offsets[FIELD_COUNT]; /* of each string in the block; ABSENT: NULL */
    apr_uint16_t block_length;
} token_entry_t;

#define ABSENT 0xFFFF

struct fhir_token_cache_t {
    apr_thread_mutex_t *shards[SHARD_COUNT];
    atomic_uint generation; /* how often it was cleared */
    EVP_MD *sha256;         /* fetched once: looking it up by name costs more than digesting */
    token_entry_t entries[SET_COUNT][WAYS];
};

static apr_status_t free_cache(void *data)
{
    fhir_token_cache_t *cache = data;
    int set;
    int way;
    for (set = 0; set < SET_COUNT; set++) {
        for (way = 0; way < WAYS; way++) {
            free(cache->entries[set][way].block);
        }
    }
    EVP_MD_free(cache->sha256);
    return APR_SUCCESS;
}

fhir_error_t *fhir_token_cache_create(fhir_token_cache_t **cache, apr_pool_t *pool)
{
    fhir_token_cache_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status = APR_SUCCESS;
    int i;
    *cache = NULL;
    made->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    apr_pool_cleanup_register(pool, made, free_cache, apr_pool_cleanup_null);
    for (i = 0; i < SHARD_COUNT && status == APR_SUCCESS; i++) {
        status = apr_thread_mutex_create(&made->shards[i], APR_THREAD_MUTEX_DEFAULT, pool);
    }
    if (status != APR_SUCCESS || !made->sha256) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.",
                                 "no mutex or no SHA-256 for the token cache");
    }
    *cache = made;
    return NULL;
}

static int key_of(unsigned char key[FHIR_SHA256_LENGTH], const fhir_token_cache_t *cache, const char *token)
{
    return EVP_Digest(token, strlen(token), key, NULL, cache->sha256, NULL) == 1;
}

static unsigned set_of(const unsigned char key[FHIR_SHA256_LENGTH])
{
    return ((unsigned)key[0] << 8 | key[1]) % SET_COUNT;
}

static token_entry_t *find(token_entry_t *set, const unsigned char key[FHIR_SHA256_LENGTH])
{
    int i;
    for (i = 0; i < WAYS; i++) {
        if (set[i].block && memcmp(set[i].key, key, FHIR_SHA256_LENGTH) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

static int is_valid(const token_entry_t *entry, apr_time_t now)
{
    return now + OVERTAKING >= entry->added && now - entry->added < ENTRY_LIFETIME && now < entry->expires &&
           now >= entry->not_before;
}

static const char *field(const char *block, apr_uint16_t offset)
{
    return offset == ABSENT ? NULL : block + offset;
}

static void copy_out(fhir_claims_t *claims, const token_entry_t *entry, apr_pool_t *pool)
{
    const char *block = apr_pmemdup(pool, entry->block, entry->block_length);
    claims->issuer = field(block, entry->offsets[0]);
    claims->subject = field(block, entry->offsets[1]);
    claims->client_id = field(block, entry->offsets[2]);
    claims->scope = field(block, entry->offsets[3]);
    claims->patient = field(block, entry->offsets[4]);
    claims->expires = entry->expires;
    claims->not_before = entry->not_before;
}

int fhir_token_cache_get(fhir_claims_t *claims, fhir_token_cache_t *cache, const char *token, apr_time_t now,
                         apr_pool_t *pool)
{
    unsigned char key[FHIR_SHA256_LENGTH];
    apr_thread_mutex_t *mutex;
    token_entry_t *entry;
    int hit;
    if (!key_of(key, cache, token)) {
        return 0;
    }
    mutex = cache->shards[set_of(key) % SHARD_COUNT];
    apr_thread_mutex_lock(mutex);
    entry = find(cache->entries[set_of(key)], key);
    hit = entry && is_valid(entry, now);
    if (hit) {
        entry->used = now;
        copy_out(claims, entry, pool);
    }
    apr_thread_mutex_unlock(mutex);
    return hit;
}

/* All strings of the claims behind one another in one malloc'ed block. 0 if they are too long. */
static int pack(token_entry_t *entry, const fhir_claims_t *claims)
{
    const char *const fields[FIELD_COUNT] = {claims->issuer, claims->subject, claims->client_id, claims->scope,
                                             claims->patient};
    apr_size_t lengths[FIELD_COUNT] = {0};
    apr_size_t total = 0;
    int i;
    for (i = 0; i < FIELD_COUNT; i++) {
        lengths[i] = fields[i] ? strnlen(fields[i], BLOCK_MAX) + 1 : 0;
        total += lengths[i];
    }
    entry->block = total > 0 && total <= BLOCK_MAX ? malloc(total) : NULL;
    if (!entry->block) {
        return 0;
    }
    entry->block_length = (apr_uint16_t)total;
    total = 0;
    for (i = 0; i < FIELD_COUNT; i++) {
        entry->offsets[i] = fields[i] ? (apr_uint16_t)total : ABSENT;
        if (fields[i]) {
            memcpy(entry->block + total, fields[i], lengths[i]);
        }
        total += lengths[i];
    }
    return 1;
}

/* The same token's old entry, else an empty one, else the least recently used. */
static token_entry_t *entry_to_replace(token_entry_t *set, const unsigned char key[FHIR_SHA256_LENGTH])
{
    token_entry_t *chosen = find(set, key);
    int i;
    if (chosen) {
        return chosen;
    }
    chosen = &set[0];
    for (i = 0; i < WAYS; i++) {
        if (!set[i].block) {
            return &set[i];
        }
        if (set[i].used < chosen->used) {
            chosen = &set[i];
        }
    }
    return chosen;
}

unsigned fhir_token_cache_generation(fhir_token_cache_t *cache)
{
    return atomic_load(&cache->generation);
}

/* The generation first: what is put into a set after its turn is of the new one. */
void fhir_token_cache_clear(fhir_token_cache_t *cache)
{
    int set;
    int way;
    atomic_fetch_add(&cache->generation, 1);
    for (set = 0; set < SET_COUNT; set++) {
        apr_thread_mutex_lock(cache->shards[set % SHARD_COUNT]);
        for (way = 0; way < WAYS; way++) {
            free(cache->entries[set][way].block);
            cache->entries[set][way].block = NULL;
        }
        apr_thread_mutex_unlock(cache->shards[set % SHARD_COUNT]);
    }
}

void fhir_token_cache_put(fhir_token_cache_t *cache, const char *token, const fhir_claims_t *claims,
                          unsigned generation, apr_time_t now)
{
    token_entry_t fresh = {.added = now, .used = now, .expires = claims->expires, .not_before = claims->not_before};
    apr_thread_mutex_t *mutex;
    token_entry_t *entry;
    char *replaced;
    if (!key_of(fresh.key, cache, token) || !pack(&fresh, claims)) {
        return;
    }
    mutex = cache->shards[set_of(fresh.key) % SHARD_COUNT];
    apr_thread_mutex_lock(mutex);
    entry = entry_to_replace(cache->entries[set_of(fresh.key)], fresh.key);
    if (generation == atomic_load(&cache->generation)) {
        replaced = entry->block;
        *entry = fresh;
    } else {
        replaced = fresh.block;
    }
    apr_thread_mutex_unlock(mutex);
    free(replaced);
}
