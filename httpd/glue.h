/* Private to the httpd glue: what its files share. Nothing here is seen by the core. */
#ifndef FHIR_HTTPD_GLUE_H
#define FHIR_HTTPD_GLUE_H

#include "../core/app/app.h"
#include "../core/app/audit.h"

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <stdatomic.h>

#ifdef __clang__
/* The brigade macros of APR cast away the volatile of their own ring. */
#pragma clang diagnostic ignored "-Wcast-qual"
#endif

extern module AP_MODULE_DECLARE_DATA fhir_binary_module __attribute__((visibility("default")));
APLOG_USE_MODULE(fhir_binary);

#define FHIR_HANDLER_NAME "fhir-binary"

/* Where a directive stands. */
typedef struct fhir_place_t {
    const char *file;
    int line;
} fhir_place_t;

/* Our record of a server. Virtual hosts without a directive of ours share the main server's. */
typedef struct fhir_server_t {
    fhir_settings_t *settings;
    int slot;           /* which application of the child serves it; -1: none */
    apr_hash_t *places; /* directive's name -> fhir_place_t */
    fhir_audit_stream_t audit_stream;
} fhir_server_t;

/* Our record of a request that is ours. */
typedef struct fhir_exchange_record_t {
    apr_off_t received; /* bytes of the body that were read */
    /* Of the answer, see progress.c. */
    apr_off_t promised;                  /* bytes of the body that were given to httpd */
    atomic_int_least64_t sent;           /* that it has written, if `tracked` */
    int tracked;                         /* 0: too short for that */
    int discarding;                      /* a brigade is thrown away in this moment */
    int failed;                          /* it was broken off */
    request_rec *r;                      /* for audit.c: these while the answer is on its way */
    fhir_app_t *app;                     /* that made it */
    const fhir_response_t *response;     /* NULL: nothing is to be noted, or it was */
    struct fhir_exchange_record_t *next; /* others of this child */
    struct fhir_exchange_record_t *before;
} fhir_exchange_record_t;

/* A request body over brigades. */
typedef struct fhir_brigade_body_t {
    fhir_body_t body;
    request_rec *r;
    apr_bucket_brigade *brigade;
    apr_bucket *given; /* the bucket whose bytes the caller is using */
    apr_off_t received;
    int ended;  /* arrived whole */
    int failed; /* can't be read on */
    apr_interval_time_t timeout;
    apr_interval_time_t waited; /* for the client, in all */
} fhir_brigade_body_t;

/* config.c */
void *fhir_httpd_create_server(apr_pool_t *pool, server_rec *s);
void *fhir_httpd_merge_server(apr_pool_t *pool, void *base, void *overrides);
fhir_server_t *fhir_httpd_server(const server_rec *s);
int fhir_httpd_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* directives.c */
extern const command_rec fhir_httpd_directives[];

/* lifecycle.c */
int fhir_httpd_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void fhir_httpd_child_init(apr_pool_t *pchild, server_rec *s);
void fhir_httpd_child_stopping(apr_pool_t *pchild, int graceful);
/* httpd stops, and soon loses patience with what still runs in this child. */
int fhir_httpd_is_ending(void);
/* Does this process have any application? */
int fhir_httpd_serves(void);
/* NULL if it could not be opened in this child. */
fhir_app_t *fhir_httpd_app(const server_rec *s);

/* A pool that any thread may make sub-pools of without contending with httpd's own; NULL: no memory. */
apr_pool_t *fhir_httpd_child_pool(apr_pool_t *pchild);

/* background.c */
int fhir_httpd_background_prepare(apr_pool_t *pconf, server_rec *s);
/* Once for each application of this child. Does nothing if it has no background work. */
void fhir_httpd_background_start(apr_pool_t *pchild, server_rec *s, const fhir_server_t *server, fhir_app_t *app,
                                 const fhir_log_t *log);
/* The child will end: takes no more work, gives back what it has. */
void fhir_httpd_background_stop(apr_pool_t *pchild, int graceful);

/* listener.c */
/* Once for each application of this child. */
void fhir_httpd_listener_start(apr_pool_t *pchild, server_rec *s, fhir_app_t *app, const fhir_log_t *log);

/* audit.c */
/* Opens the streams of audit events, before there are children. */
int fhir_httpd_audit_prepare(apr_pool_t *pconf, server_rec *s);
/* In child_init: first `start` for each application, before its other threads, so that it ends after them; then
 * `watch`, so that what is on its way at the end is written. */
void fhir_httpd_audit_start(apr_pool_t *pchild, server_rec *s, const fhir_server_t *server, fhir_app_t *app);
void fhir_httpd_audit_watch(apr_pool_t *pchild, server_rec *s);
/* The answer is made, and was sent or given up. */
void fhir_httpd_audit_begin(request_rec *r, fhir_app_t *app, const fhir_response_t *response);
int fhir_httpd_audit_end(request_rec *r);

/* progress.c */
/* Before an answer's body; again when another answer takes its place. */
void fhir_httpd_track_from(request_rec *r, apr_off_t content_length);
/* The buckets behind `before` are data of the answer. */
void fhir_httpd_track(request_rec *r, apr_bucket_brigade *brigade, apr_bucket *before);
/* Empties a brigade that will not be sent. */
void fhir_httpd_discard(request_rec *r, apr_bucket_brigade *brigade);
fhir_delivery_t fhir_httpd_delivery(const request_rec *r, fhir_exchange_record_t *record);

/* log_bridge.c */
const fhir_log_t *fhir_httpd_server_log(server_rec *s, apr_pool_t *pool);
fhir_log_t fhir_httpd_request_log(request_rec *r);

/* routing.c */
/* Our record if the request is ours, else NULL. */
fhir_exchange_record_t *fhir_httpd_record(const request_rec *r);
/* Also for requests that httpd refused before their path was known. */
int fhir_httpd_is_ours(const request_rec *r);
int fhir_httpd_hide_secrets(request_rec *r);
int fhir_httpd_translate_name(request_rec *r);
int fhir_httpd_map_to_storage(request_rec *r);
int fhir_httpd_type_checker(request_rec *r);

/* network_bucket.c */
apr_status_t fhir_httpd_insert_network_bucket(conn_rec *c, apr_bucket_brigade *brigade, apr_socket_t *socket);
/* So many bytes are known to come; 0: it is not known. Not for streams of HTTP/2. */
void fhir_httpd_expect(conn_rec *c, apr_off_t length);

/* request_in.c, body_in.c */
fhir_request_t *fhir_httpd_request(request_rec *r, const fhir_settings_t *settings);
fhir_brigade_body_t *fhir_httpd_body(request_rec *r, apr_interval_time_t timeout);
/* Reads what is left if it is small and here already; 0 if the connection can't be used for another request. */
int fhir_httpd_body_drain(fhir_brigade_body_t *body);

/* handler.c, respond.c */
int fhir_httpd_handler(request_rec *r);
int fhir_httpd_respond(request_rec *r, const fhir_request_t *request, fhir_response_t *response);
/* Status line and header fields; the old ones stay unless `response` has the same. */
void fhir_httpd_set_head(request_rec *r, const fhir_response_t *response);

/* error_filter.c */
void fhir_httpd_register_error_filter(void);
void fhir_httpd_insert_error_filter(request_rec *r);

/* status.c */
int fhir_httpd_status_prepare(server_rec *s);
int fhir_httpd_count(request_rec *r);
void fhir_httpd_register_status(void);

#endif
