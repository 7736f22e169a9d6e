/* Bodies over memory, and bodies that feed a digest while they are read. */
#include "body.h"
#include "fields.h"

typedef struct memory_body_t {
    const char *bytes;
    apr_size_t left;
    apr_size_t chunk;
} memory_body_t;

static fhir_error_t *memory_read(fhir_body_t *body, const char **data, apr_size_t *length)
{
    memory_body_t *memory = body->baton;
    apr_size_t given = memory->chunk > 0 && memory->chunk < memory->left ? memory->chunk : memory->left;
    *data = memory->bytes;
    *length = given;
    memory->bytes += given;
    memory->left -= given;
    return NULL;
}

fhir_body_t *fhir_body_memory(const char *bytes, apr_size_t length, apr_size_t chunk, apr_pool_t *pool)
{
    fhir_body_t *body = apr_palloc(pool, sizeof(*body));
    memory_body_t *memory = apr_palloc(pool, sizeof(*memory));
    memory->bytes = bytes ? bytes : "";
    memory->left = length;
    memory->chunk = chunk;
    body->length = (apr_off_t)length;
    body->read = memory_read;
    body->baton = memory;
    return body;
}

typedef struct digested_body_t {
    fhir_body_t *source;
    fhir_digest_t *digest;
} digested_body_t;

static fhir_error_t *digested_read(fhir_body_t *body, const char **data, apr_size_t *length)
{
    digested_body_t *digested = body->baton;
    FHIR_TRY(digested->source->read(digested->source, data, length));
    if (*length > 0) {
        fhir_digest_update(digested->digest, *data, *length);
    }
    return NULL;
}

fhir_body_t *fhir_body_digested(fhir_body_t *source, fhir_digest_t *digest, apr_pool_t *pool)
{
    fhir_body_t *body = apr_palloc(pool, sizeof(*body));
    digested_body_t *digested = apr_palloc(pool, sizeof(*digested));
    digested->source = source;
    digested->digest = digest;
    body->length = source->length;
    body->read = digested_read;
    body->baton = digested;
    return body;
}
