/* The member names of all open objects, to find doubled ones. Private to the JSON reader. */
#ifndef FHIR_FHIR_JSON_KEYS_H
#define FHIR_FHIR_JSON_KEYS_H

#include <apr_pools.h>

#define FHIR_JSON_KEY_BUCKETS 256

typedef struct fhir_json_key_t {
    unsigned hash;
    unsigned depth;
    apr_size_t offset; /* in the text of all names */
    apr_size_t length;
    int next; /* in its bucket, -1: none */
} fhir_json_key_t;

/* A stack: names of inner objects lie above those of outer ones and go first. */
typedef struct fhir_json_keys_t {
    apr_pool_t *pool;
    fhir_json_key_t *keys;
    int count;
    int room;
    char *text;
    apr_size_t text_length;
    apr_size_t text_room;
    int buckets[FHIR_JSON_KEY_BUCKETS];
} fhir_json_keys_t;

void fhir_json_keys_init(fhir_json_keys_t *keys, apr_pool_t *pool);
/* 0 if the object at this depth has the name already. */
int fhir_json_keys_add(fhir_json_keys_t *keys, int depth, const char *name, apr_size_t length);
/* The object at this depth ended. */
void fhir_json_keys_drop(fhir_json_keys_t *keys, int depth);

#endif
