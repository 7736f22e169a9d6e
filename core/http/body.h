/* A request body that is pulled. httpd backs it with brigades, tests with memory, the CLI with a file. */
#ifndef FHIR_HTTP_BODY_H
#define FHIR_HTTP_BODY_H

#include "fhir_error.h"

typedef struct fhir_body_t fhir_body_t;
struct fhir_body_t {
    apr_off_t length; /* bytes as announced by Content-Length, -1: unknown */
    /* Gives the next bytes without copying: *data stays valid until the next read. *length 0 is the end, and the end is
     * only reported when the body arrived whole. Errors: BODY_TIMEOUT, CLIENT_ABORTED, BODY_REFUSED, TOO_LARGE,
     * INVALID. The first read makes the server send 100 Continue. */
    fhir_error_t *(*read)(fhir_body_t *body, const char **data, apr_size_t *length);
    void *baton;
};

/* A body over bytes in memory, handed out `chunk` bytes at a time (0: all at once). */
fhir_body_t *fhir_body_memory(const char *bytes, apr_size_t length, apr_size_t chunk, apr_pool_t *pool);

#endif
