/* Who we are for an S3 server: from options, a file, the environment, or an AWS endpoint that gives keys for a while.
 */
#ifndef FHIR_S3_CREDENTIALS_H
#define FHIR_S3_CREDENTIALS_H

#include "../common/http.h"
#include "../common/s3_keys.h"

typedef struct s3_credential_config_t s3_credential_config_t; /* made in configure, before fork */
typedef struct s3_credential_source_t s3_credential_source_t; /* one per open store; thread-safe */

/* `source`: "file" (an AWS credentials file and a profile in it), "environment" (AWS_ACCESS_KEY_ID ...), "ecs"
 * (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN or _TOKEN_FILE),
 * "instance" (IMDSv2), or NULL: the first that is configured, in this order; none at all is INVALID. `file` and
 * `profile` may be NULL (no file; "default"). Files are read here, while httpd is still root, and again when they have
 * changed, if that is possible. A file that others than its owner and group may read is INVALID. `endpoint_override`,
 * for tests, replaces the address of the instance endpoint; may be NULL. */
fhir_error_t *s3_credentials_configure(s3_credential_config_t **config, const char *source, const char *file,
                                       const char *profile, const char *endpoint_override,
                                       apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *s3_credentials_open(s3_credential_source_t **source, const s3_credential_config_t *config,
                                  apr_pool_t *pool) FHIR_MUST_CHECK;
void s3_credentials_close(s3_credential_source_t *source);
/* Copied into call->result_pool. Keys that end within five minutes are renewed by one thread, in two seconds at most,
 * while the others go on with the old ones; ended ones are never given. UNAVAILABLE or DENIED if none can be had. */
fhir_error_t *s3_credentials_get(s3_credentials_t *credentials, s3_credential_source_t *source,
                                 const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* The server refused these keys (ExpiredToken, InvalidAccessKeyId): ask anew with the next get. Those read once from
 * the environment stay. 1 if a repetition may help. */
int s3_credentials_refused(s3_credential_source_t *source, const s3_credentials_t *credentials);
/* Perhaps it refused them: the next get asks anew, but these are given until there are others. 1 if a repetition may
 * help. */
int s3_credentials_doubted(s3_credential_source_t *source, const s3_credentials_t *credentials);

#endif
