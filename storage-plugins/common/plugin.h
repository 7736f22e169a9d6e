/* What storage plugins share: reading options, errors, checking the call. Private to the plugins of this tree. */
#ifndef FHIR_PLUGIN_COMMON_H
#define FHIR_PLUGIN_COMMON_H

#include "fhir_storage.h"

/* ---- options ---- */
typedef struct fhir_plugin_option_t {
    const char *key;
    const char **value; /* set to the configured value; left alone if the option is absent */
} fhir_plugin_option_t;

/* `known` ends with a NULL key. An unknown option is INVALID and the text names the known ones. */
fhir_error_t *fhir_plugin_options(const fhir_plugin_option_t *known, const fhir_store_option_t *options,
                                  int option_count, const char *plugin, apr_pool_t *pool) FHIR_MUST_CHECK;
/* "on" or "off"; NULL leaves *flag alone. */
fhir_error_t *fhir_plugin_flag(int *flag, const char *key, const char *value, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Is it the absolute path of something that exists? A value that is not is never repeated: it may be the secret. */
fhir_error_t *fhir_plugin_secret_file(const char *option, const char *path, apr_pool_t *pool) FHIR_MUST_CHECK;
/* A word of the configuration as a text may repeat it: "..." if it looks like anything but a name. */
const char *fhir_plugin_shown_name(const char *value);
/* The same for a URL: "..." if it has a user, a password or a query. */
const char *fhir_plugin_shown_url(const char *value);
/* Decimal digits within [least, most]; NULL leaves *number alone. */
fhir_error_t *fhir_plugin_number(apr_int64_t *number, const char *key, const char *value, apr_int64_t least,
                                 apr_int64_t most, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Bytes, within [least, most]: digits, perhaps with K, M, G or T (powers of 1024). NULL leaves *size alone. */
fhir_error_t *fhir_plugin_size(apr_off_t *size, const char *key, const char *value, apr_off_t least, apr_off_t most,
                               apr_pool_t *pool) FHIR_MUST_CHECK;
/* A time within [least, most]: digits with ms, s, min or h. NULL leaves *duration alone. */
fhir_error_t *fhir_plugin_duration(apr_interval_time_t *duration, const char *key, const char *value,
                                   apr_interval_time_t least, apr_interval_time_t most,
                                   apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- spool_directory=: files without a name ---- */
fhir_error_t *fhir_plugin_spool_configure(const char *directory, apr_pool_t *pool) FHIR_MUST_CHECK;
/* `directory` NULL: the system's. */
fhir_error_t *fhir_plugin_spool_open(int *file, const char *directory, apr_pool_t *pool) FHIR_MUST_CHECK;
/* For a health check: can this process open one? */
fhir_error_t *fhir_plugin_spool_try(const char *directory, apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- errors ---- */
/* From errno: ENOSPC and EDQUOT are NO_SPACE, ENOENT is NOT_FOUND, EEXIST is EXISTS, EACCES and EPERM are DENIED, a
 * lack of descriptors or memory is UNAVAILABLE. The detail names the operation and what the system said. */
fhir_error_t *fhir_plugin_system_error(apr_pool_t *pool, int system_errno, const char *operation) FHIR_MUST_CHECK;
/* The same about this host, where ENOENT is no word about an object: INTERNAL. */
fhir_error_t *fhir_plugin_local_error(apr_pool_t *pool, int system_errno, const char *operation) FHIR_MUST_CHECK;
fhir_error_t *fhir_plugin_not_found(apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_plugin_exists(apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_plugin_bad_locator(apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_plugin_bad_key(apr_pool_t *pool) FHIR_MUST_CHECK;
/* The writer got another number of bytes than was announced. */
fhir_error_t *fhir_plugin_wrong_length(apr_pool_t *pool, apr_off_t got, apr_off_t expected) FHIR_MUST_CHECK;
fhir_error_t *fhir_plugin_writer_ended(apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_plugin_short_object(apr_pool_t *pool, apr_off_t missing) FHIR_MUST_CHECK;

/* ---- checks ---- */
/* CANCELLED or TIMEOUT if the call must not begin or go on. */
fhir_error_t *fhir_plugin_check_call(const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* The same for who has waited for an answer of `origin` (https://host:port): the detail says so. */
fhir_error_t *fhir_plugin_check_wait(const fhir_store_call_t *call, const char *operation, const char *origin,
                                     apr_time_t since) FHIR_MUST_CHECK;
/* FHIR_STORAGE_KEY_LENGTH lower-case hex digits and nothing else. */
int fhir_plugin_is_key(const char *text);
/* Locators "ab/cd/<key>"; ab and cd are the key's first four digits. */
#define FHIR_PLUGIN_LOCATOR_LENGTH (3 + 3 + FHIR_STORAGE_KEY_LENGTH)
void fhir_plugin_locator_of(char locator[FHIR_PLUGIN_LOCATOR_LENGTH + 1], const char *key);
/* The key inside a well-formed locator, else NULL. Nothing that is not of exactly this form may reach a store. */
const char *fhir_plugin_key_of(const char *locator);
/* The range of an object in plain numbers: *count bytes from `offset`; RANGE if it is not inside. */
fhir_error_t *fhir_plugin_range(apr_off_t *count, apr_off_t offset, apr_off_t length, apr_off_t size,
                                apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
