/* Walks JSON text that was checked when it came in: members and items as slices of the text, so that numbers and
 * escapes stay as they were sent. Text that is malformed after all ends the walk with `failed`. */
#ifndef FHIR_FHIR_JSON_TEXT_H
#define FHIR_FHIR_JSON_TEXT_H

#include "../base/text.h"

typedef struct fhir_json_slice_t {
    const char *text;
    apr_size_t length;
} fhir_json_slice_t;

typedef struct fhir_json_walk_t {
    const char *at;
    const char *end;
    char close; /* '}' or ']' */
    int started;
    int failed;
} fhir_json_walk_t;

fhir_json_slice_t fhir_json_slice(const char *text);
/* Starts in an object ('{') or array ('['); 0 if the value is none. */
int fhir_json_walk(fhir_json_walk_t *walk, fhir_json_slice_t value, char open);
/* The next member or item; 0 at the end or when failed. `key` (with quotes) may be NULL in an array. */
int fhir_json_next(fhir_json_walk_t *walk, fhir_json_slice_t *key, fhir_json_slice_t *value);
/* A string, decoded; NULL if the value is no string or malformed. */
const char *fhir_json_decode(fhir_json_slice_t value, apr_pool_t *pool);
/* The escape at `at`: its meaning (up to 4 bytes) to *out, which moves on. Past it; NULL if malformed. */
const char *fhir_json_decode_escape(const char *at, const char *end, char **out);
int fhir_json_is(fhir_json_slice_t value, const char *literal);

#endif
