/* Keys of S3 servers, for every plugin that speaks to one. */
#ifndef FHIR_PLUGIN_S3_KEYS_H
#define FHIR_PLUGIN_S3_KEYS_H

#include "plugin.h"

#include <sys/stat.h>

typedef struct s3_credentials_t {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* NULL: none */
    apr_time_t expires;        /* 0: never */
} s3_credentials_t;

/* 1 to `most` visible characters and none of `without`. */
int s3_is_word(const char *text, apr_size_t most, const char *without);
/* INVALID, and its detail says which one, unless keys and token can be sent. */
fhir_error_t *s3_check_keys(const s3_credentials_t *keys, apr_pool_t *pool) FHIR_MUST_CHECK;

/* The whole file, at most 64 KiB, NUL-terminated and without a NUL inside. Any errno is a fhir_plugin_system_error. */
fhir_error_t *s3_read_small_file(const char **text, struct stat *stamp, const char *path,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
/* The keys of a profile in an AWS credentials file. INVALID says what to do about the file. */
fhir_error_t *s3_read_credentials_file(s3_credentials_t *keys, struct stat *stamp, const char *path,
                                       const char *profile, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Can the file be other than it was? 0 too if it can't be seen. */
int s3_file_changed(const struct stat *stamp, const char *path);

#endif
