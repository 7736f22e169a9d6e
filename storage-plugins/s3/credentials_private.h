/* Between the files of the credentials. */
#ifndef FHIR_S3_CREDENTIALS_PRIVATE_H
#define FHIR_S3_CREDENTIALS_PRIVATE_H

#include "credentials.h"

typedef enum s3_source_kind_t {
    S3_FROM_FILE,
    S3_FROM_ENVIRONMENT,
    S3_FROM_CONTAINER,
    S3_FROM_INSTANCE
} s3_source_kind_t;

struct s3_credential_config_t {
    s3_source_kind_t kind;
    s3_credentials_t keys; /* of a file or the environment */
    const char *file;
    const char *profile;
    struct stat stamp;      /* of the file when it was read */
    const char *url;        /* of the container's or the instance's endpoint */
    const char *token;      /* Authorization for the container's endpoint, may be NULL */
    const char *token_file; /* the same, read again for each request; may be NULL */
};

/* From the environment: where the container's endpoint is. *found is 0 if nothing is set. INVALID unless keys may be
 * asked for there. */
fhir_error_t *s3_configure_container(int *found, s3_credential_config_t *config, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *s3_configure_instance(s3_credential_config_t *config, const char *endpoint_override,
                                    apr_pool_t *pool) FHIR_MUST_CHECK;
/* In `open`. */
fhir_error_t *s3_endpoint_client(fhir_http_client_t **client, apr_pool_t *pool) FHIR_MUST_CHECK;
void s3_endpoint_close(fhir_http_client_t *client);
/* Asks the endpoint once, in call->result_pool. UNAVAILABLE, DENIED or CANCELLED. */
fhir_error_t *s3_fetch_credentials(s3_credentials_t *keys, const s3_credential_config_t *config,
                                   fhir_http_client_t *client, const fhir_store_call_t *call) FHIR_MUST_CHECK;

#endif
