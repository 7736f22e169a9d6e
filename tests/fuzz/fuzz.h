/* What every fuzz target needs.
 *
 * A target is one file tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput, and a folder tests/fuzz/corpus/NAME with a
 * few small inputs made by hand; mk/fuzz.mk finds both by wildcard. `make check-fuzz` links each with standalone.c: it
 * replays the corpus and some thousand mutations of it, the same ones every time. `make fuzz` links with libFuzzer and
 * searches on. An input that once crashed belongs into the corpus.
 */
#ifndef FHIR_TESTS_FUZZ_H
#define FHIR_TESTS_FUZZ_H

#include <apr_general.h>
#include <apr_pools.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true of every result. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A pool of its own for each input. */
static inline apr_pool_t *fuzz_pool(void)
{
    static int initialized = 0;
    apr_pool_t *pool = NULL;
    if (!initialized) {
        apr_initialize();
        initialized = 1;
    }
    apr_pool_create(&pool, NULL);
    return pool;
}

/* The input as a string, in a block of exactly its size: reading past its end is seen. To be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t length = nul ? (size_t)(nul - data) : size;
    char *text = malloc(length + 1);
    if (!text) {
        abort();
    }
    if (length > 0) {
        memcpy(text, data, length);
    }
    text[length] = '\0';
    return text;
}

#endif
