/* Between s3_requests.c, which makes random requests, and s3_requests_changed.c, which changes them. */
#ifndef FHIR_TESTS_S3_REQUESTS_H
#define FHIR_TESTS_S3_REQUESTS_H

#include "storage-plugins/s3/sigv4.h"

#include <apr_general.h>
#include <stdint.h>

#define CHUNK_SIZE 8192

typedef enum group_t {
    SIGNED_HEADERS,
    SIGNED_URL,
    SIGNED_CHUNKS,
    READ_BACK,
    /* with a bit changed in */
    METHOD,
    PATH,
    HOST,
    PARAMETER,
    HEADER,
    HEADER_DATE,
    HEADER_PAYLOAD,
    HEADER_AUTHORIZATION,
    URL_ALGORITHM,
    URL_CREDENTIAL,
    URL_DATE,
    URL_EXPIRES,
    URL_SIGNED_HEADERS,
    URL_SIGNATURE,
    PAYLOAD,
    CHUNK_DATA,
    CHUNK_SIGNATURE,
    NOTHING_STORED,
    WRONG_SECRET,
    WRONG_TIME,
    GROUPS
} group_t;

typedef struct server_t {
    const char *scheme;
    const char *host;
    const char *bucket;
    const char *access_key;
    const char *secret;
    fhir_http_client_t *client;
} server_t;

typedef struct worker_t {
    apr_pool_t *pool; /* cleared for each request */
    uint64_t state;
    char stored[1024]; /* the path of an object that is there, perhaps */
} worker_t;

typedef struct random_request_t {
    s3_request_t request;
    int presigned;
    int chunked;
    const char *body; /* as it shall be stored */
    apr_size_t length;
    const char *url; /* these three as they are sent */
    const char *sent_body;
    apr_size_t sent_length;
} random_request_t;

extern const char *const group_names[GROUPS];
extern server_t server;

unsigned chance(worker_t *worker, unsigned below);
void add_header(apr_array_header_t *headers, const char *name, const char *value);
void make_request(worker_t *worker, random_request_t *made);
/* Once for a request: it adds headers. */
fhir_error_t *sign(worker_t *worker, random_request_t *made, const char *secret, apr_time_t now) FHIR_MUST_CHECK;
/* The status; 0 if there was none, and that was said. */
int send_request(worker_t *worker, const random_request_t *made, fhir_http_response_t *response);
int is_refused(int status);
void count(group_t group, int good, const random_request_t *made, const fhir_http_response_t *response);

/* Signs copies of the request and changes each part in turn. */
void change_every_part(worker_t *worker, const random_request_t *original);

#endif
