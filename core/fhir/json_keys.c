/* Member names of the open objects: a stack with hash chains, so that a hostile object costs no quadratic time. */
#include "json_keys.h"

#include <string.h>

void fhir_json_keys_init(fhir_json_keys_t *keys, apr_pool_t *pool)
{
    memset(keys, 0, sizeof(*keys));
    memset(keys->buckets, -1, sizeof(keys->buckets));
    keys->pool = pool;
}

static unsigned hash_name(int depth, const char *name, apr_size_t length)
{
    unsigned hash = 2166136261u ^ (unsigned)depth;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    }
    return hash ^ hash >> 15;
}

static void *grow(apr_pool_t *pool, const void *old, apr_size_t used, apr_size_t room)
{
    void *grown = apr_palloc(pool, room);
    if (used) {
        memcpy(grown, old, used);
    }
    return grown;
}

static void reserve(fhir_json_keys_t *keys, apr_size_t length)
{
    if (keys->count == keys->room) {
        int room = keys->room ? keys->room * 2 : 16;
        keys->keys = grow(keys->pool, keys->keys, (apr_size_t)keys->count * sizeof(*keys->keys),
                          (apr_size_t)room * sizeof(*keys->keys));
        keys->room = room;
    }
    if (keys->text_length + length > keys->text_room) {
        apr_size_t room = 2 * (keys->text_length + length) + 64;
        keys->text = grow(keys->pool, keys->text, keys->text_length, room);
        keys->text_room = room;
    }
}

static int has_name(const fhir_json_keys_t *keys, unsigned hash, unsigned depth, const char *name, apr_size_t length)
{
    int i = keys->buckets[hash % FHIR_JSON_KEY_BUCKETS];
    for (; i >= 0; i = keys->keys[i].next) {
        const fhir_json_key_t *key = &keys->keys[i];
        if (key->hash == hash && key->depth == depth && key->length == length &&
            (length == 0 || !memcmp(keys->text + key->offset, name, length))) {
            return 1;
        }
    }
    return 0;
}

int fhir_json_keys_add(fhir_json_keys_t *keys, int depth, const char *name, apr_size_t length)
{
    unsigned hash = hash_name(depth, name, length);
    int *bucket = &keys->buckets[hash % FHIR_JSON_KEY_BUCKETS];
    fhir_json_key_t *key;
    if (has_name(keys, hash, (unsigned)depth, name, length)) {
        return 0;
    }
    reserve(keys, length);
    key = &keys->keys[keys->count];
    key->hash = hash;
    key->depth = (unsigned)depth;
    key->offset = keys->text_length;
    key->length = length;
    key->next = *bucket;
    *bucket = keys->count++;
    if (length) {
        memcpy(keys->text + keys->text_length, name, length);
    }
    keys->text_length += length;
    return 1;
}

void fhir_json_keys_drop(fhir_json_keys_t *keys, int depth)
{
    while (keys->count && keys->keys[keys->count - 1].depth == (unsigned)depth) {
        const fhir_json_key_t *key = &keys->keys[--keys->count];
        keys->buckets[key->hash % FHIR_JSON_KEY_BUCKETS] = key->next;
        keys->text_length = key->offset;
    }
}
