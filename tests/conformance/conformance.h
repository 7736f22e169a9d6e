/* The storage conformance suite: what its files share. One store is under test, reached through core/store and, where
 * the contract is about the plugin itself, directly through its vtable. */
#ifndef FHIR_TESTS_CONFORMANCE_H
#define FHIR_TESTS_CONFORMANCE_H

#include "core/store/store_private.h"

#include <CUnit/Basic.h>
#include <apr_file_io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNLIMITED ((apr_off_t)1 << 60)
#define MEBIBYTE ((apr_off_t)1024 * 1024)

/* The store under test, and a pool that is new for each case. */
typedef struct suite_t {
    fhir_store_catalog_t *catalog;
    fhir_open_store_t *store;
    const fhir_storage_plugin_t *plugin;
    fhir_store_t *raw;
    apr_pool_t *pool;
} suite_t;

extern suite_t suite;

/* The key and locator of an object that is not there yet. */
typedef struct object_t {
    const char *key;
    const char *locator;
} object_t;

#define ASSERT_OK(expression)                                                                                          \
    do {                                                                                                               \
        fhir_error_t *assert_error = (expression);                                                                     \
        if (assert_error) {                                                                                            \
            printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, assert_error->public_text,                                  \
                   assert_error->detail ? assert_error->detail : "");                                                  \
        }                                                                                                              \
        CU_ASSERT_PTR_NULL_FATAL(assert_error);                                                                        \
    } while (0)

#define ASSERT_ERROR(expected_code, expression)                                                                        \
    do {                                                                                                               \
        fhir_error_t *assert_error = (expression);                                                                     \
        CU_ASSERT_PTR_NOT_NULL_FATAL(assert_error);                                                                    \
        if (assert_error && assert_error->code != (expected_code)) {                                                   \
            printf("%s:%d: code %d: %s (%s)\n", __FILE__, __LINE__, (int)assert_error->code,                           \
                   assert_error->public_text, assert_error->detail ? assert_error->detail : "");                       \
        }                                                                                                              \
        CU_ASSERT_EQUAL(assert_error->code, (expected_code));                                                          \
    } while (0)

typedef struct case_t {
    const char *name;
    void (*run)(void);
} case_t;

extern const case_t write_cases[];
extern const case_t read_cases[];
extern const case_t list_cases[];
extern const case_t time_cases[];
extern const case_t thread_cases[];
extern const case_t presign_cases[];    /* with CAN_PRESIGN */
extern const case_t no_presign_cases[]; /* without, or configured so that it can't */
extern const case_t last_cases[];       /* descriptors and memory: after all the others */

/* support.c */
fhir_call_t core_call(apr_pool_t *pool);
fhir_store_call_t raw_call(apr_pool_t *pool);
object_t new_object(apr_pool_t *pool);
unsigned char pattern_byte(apr_off_t offset);
void fill_pattern(void *buffer, apr_off_t offset, apr_size_t length);
/* 1 if the bytes are those of the pattern. */
int is_pattern(const void *buffer, apr_off_t offset, apr_size_t length);
/* Writes `size` pattern bytes in pieces of `chunk`, announced or not, and commits. */
fhir_error_t *store_pattern(fhir_written_t *written, const object_t *object, apr_off_t size, apr_size_t chunk,
                            int announce, apr_pool_t *pool);
/* Reads [offset, offset + length) and compares; *correct tells whether count and bytes were right. */
fhir_error_t *check_pattern(int *correct, const object_t *object, apr_off_t size, apr_off_t offset, apr_off_t length,
                            apr_size_t room, apr_pool_t *pool);
fhir_error_t *raw_begin(fhir_writer_t **writer, const object_t *object, apr_off_t expected_length,
                        const fhir_store_call_t *call);
/* How often the object is listed (-1: listing failed), and whether as committed. */
int times_listed(const char *locator, int *committed, apr_pool_t *pool);
int visible(const object_t *object, apr_pool_t *pool);
int open_descriptors(void);
int open_sockets(void); /* those of them that are sockets */
apr_off_t resident_bytes(void);

#endif
