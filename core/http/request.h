/* The neutral request that the server glue makes: the core sees nothing of httpd. */
#ifndef FHIR_HTTP_REQUEST_H
#define FHIR_HTTP_REQUEST_H

#include "body.h"

#include <apr_tables.h>

typedef enum fhir_method_t {
    FHIR_METHOD_OTHER = 0,
    FHIR_METHOD_GET,
    FHIR_METHOD_HEAD,
    FHIR_METHOD_POST,
    FHIR_METHOD_PUT,
    FHIR_METHOD_PATCH,
    FHIR_METHOD_DELETE,
    FHIR_METHOD_OPTIONS
} fhir_method_t;

/* Lives in `pool`; used by one thread at a time. */
typedef struct fhir_request_t {
    apr_pool_t *pool;
    fhir_method_t method;
    const char *method_name;
    const char *path;  /* decoded and normalised, begins with '/' */
    const char *query; /* raw, without '?', NULL if none */
    const apr_table_t *headers;
    fhir_body_t *body;            /* never NULL; an absent body has length 0 */
    const char *httpd_user;       /* established by an httpd authentication module, NULL if none */
    const char *operator_project; /* set by core/app/operate.c alone: fhirbinctl acts for this project */
    const char *operator_name;    /* with it: the account that runs fhirbinctl */
    const char *peer_address;     /* textual IP; NULL: fhirbinctl */
    int secure;                   /* TLS */
    const char *request_id;
    apr_time_t received; /* also "now" for every decision about this request */
    apr_time_t deadline; /* for database and store calls that move no body bytes */
    int (*cancelled)(void *baton);
    void *cancelled_baton;
} fhir_request_t;

/* A header's value, fields of the same name joined with ", "; NULL if absent. */
const char *fhir_request_header(const fhir_request_t *request, const char *name);
/* How many fields with that name were sent. */
int fhir_request_header_count(const fhir_request_t *request, const char *name);

#endif
