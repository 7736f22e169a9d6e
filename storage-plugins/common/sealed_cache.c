/* Headers of sealed objects that this process has read: at most 1024 of them, in 256 sets of four. */
#include "sealed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETS 256
#define WAYS 4

typedef struct remembered_t {
    char *locator; /* NULL: free */
    fhir_sealed_known_t known;
    apr_uint64_t used; /* the greater the later */
} remembered_t;

struct fhir_sealed_cache_t {
    pthread_mutex_t mutex;
    apr_uint64_t clock;
    remembered_t *sets[SETS][WAYS];
};

fhir_sealed_cache_t *fhir_sealed_cache_create(void)
{
    fhir_sealed_cache_t *cache = calloc(1, sizeof(*cache));
    if (cache && pthread_mutex_init(&cache->mutex, NULL)) {
        free(cache);
        return NULL;
    }
    return cache;
}

static void forget(remembered_t **place)
{
    if (*place) {
        free((*place)->locator);
        free(*place);
        *place = NULL;
    }
}

void fhir_sealed_cache_destroy(fhir_sealed_cache_t *cache)
{
    int i;
    if (cache) {
        for (i = 0; i < SETS * WAYS; i++) {
            forget(&cache->sets[i / WAYS][i % WAYS]);
        }
        pthread_mutex_destroy(&cache->mutex);
        free(cache);
    }
}

/* FNV-1a. Keys are random; nobody can aim at one set. */
static remembered_t **set_of(fhir_sealed_cache_t *cache, const char *locator)
{
    apr_uint32_t hash = 2166136261u;
    for (; *locator; locator++) {
        hash = (hash ^ (unsigned char)*locator) * 16777619u;
    }
    return cache->sets[(hash ^ hash >> 16) % SETS];
}

/* The place of this locator, else NULL. */
static remembered_t **find(fhir_sealed_cache_t *cache, const char *locator)
{
    remembered_t **set = set_of(cache, locator);
    int i;
    for (i = 0; i < WAYS; i++) {
        if (set[i] && !strcmp(set[i]->locator, locator)) {
            return &set[i];
        }
    }
    return NULL;
}

int fhir_sealed_cache_get(fhir_sealed_known_t *known, fhir_sealed_cache_t *cache, const char *locator)
{
    remembered_t **place;
    int found;
    if (!cache) {
        return 0;
    }
    pthread_mutex_lock(&cache->mutex);
    place = find(cache, locator);
    found = place != NULL;
    if (found) {
        *known = (*place)->known;
        (*place)->used = ++cache->clock;
    }
    pthread_mutex_unlock(&cache->mutex);
    return found;
}

/* A free place, else that of the one that nobody used for longest. */
static remembered_t **oldest(fhir_sealed_cache_t *cache, const char *locator)
{
    remembered_t **set = set_of(cache, locator);
    remembered_t **choice = &set[0];
    int i;
    for (i = 0; i < WAYS && *choice; i++) {
        if (!set[i] || set[i]->used < (*choice)->used) {
            choice = &set[i];
        }
    }
    return choice;
}

static remembered_t *remember(const char *locator)
{
    remembered_t *made = calloc(1, sizeof(*made));
    if (made) {
        made->locator = strdup(locator);
        if (!made->locator) {
            free(made);
            return NULL;
        }
    }
    return made;
}

void fhir_sealed_cache_put(fhir_sealed_cache_t *cache, const char *locator, const fhir_sealed_known_t *known)
{
    remembered_t **place;
    if (!cache) {
        return;
    }
    pthread_mutex_lock(&cache->mutex);
    place = find(cache, locator);
    if (!place) {
        place = oldest(cache, locator);
        forget(place);
        *place = remember(locator);
    }
    if (*place) {
        (*place)->known = *known;
        (*place)->used = ++cache->clock;
    }
    pthread_mutex_unlock(&cache->mutex);
}

void fhir_sealed_cache_forget(fhir_sealed_cache_t *cache, const char *locator)
{
    remembered_t **place;
    if (!cache) {
        return;
    }
    pthread_mutex_lock(&cache->mutex);
    place = find(cache, locator);
    if (place) {
        forget(place);
    }
    pthread_mutex_unlock(&cache->mutex);
}
