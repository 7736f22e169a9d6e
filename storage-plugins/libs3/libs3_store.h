/* What the files of the libs3 plugin share.
 *
 * An object's key in the bucket is the configured prefix and the locator "ab/cd/<key>". libs3 runs a request either to
 * its end, which no deadline would stop, or in a context that its caller drives: we drive, one request in a context at
 * a time, and throw the context away when a request has to stop. */
#ifndef FHIR_LIBS3_STORE_H
#define FHIR_LIBS3_STORE_H

#include "../common/http.h"

#include <libs3.h>
#include <pthread.h>

/* Contexts, each with its open connection, that wait for the next request. */
#define LIBS3_IDLE_MAX 16
#define LIBS3_ETAG_MAX 128
#define LIBS3_KEY_MAX 512

struct fhir_store_config_t {
    S3BucketContext bucket;
    const char *prefix; /* "" or ends with a slash */
    apr_off_t max_size;
    const char *spool_directory;
};

struct fhir_store_t {
    const fhir_store_config_t *config;
    pthread_mutex_t mutex; /* guards what follows */
    S3RequestContext *idle[LIBS3_IDLE_MAX];
    int idle_count;
    fhir_writer_t *sending;
};

/* One request and what came of it. */
typedef struct libs3_request_t libs3_request_t;
struct libs3_request_t {
    const fhir_store_t *store;
    const char *name; /* of the operation, for the log */
    char key[LIBS3_KEY_MAX];
    /* Hands the request to libs3. */
    void (*start)(libs3_request_t *request, S3RequestContext *context);
    void *baton; /* for `start` and its callbacks */

    S3Status status;
    int done;
    apr_time_t moved; /* when libs3 last called us */
    /* What the answer's header said. */
    apr_int64_t content_length; /* -1: nothing */
    apr_time_t modified;
    char etag[LIBS3_ETAG_MAX];
};

/* config.c */
fhir_error_t *libs3_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                              apr_pool_t *pool) FHIR_MUST_CHECK;

/* requests.c */
/* `locator` NULL: the bucket. */
void libs3_request_init(libs3_request_t *request, const fhir_store_t *store, const char *name, const char *locator);
/* Runs it, at most until the deadline. NULL if the server said that it is done. */
fhir_error_t *libs3_run(libs3_request_t *request, fhir_store_t *store, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* For those that may be repeated: as long as that helps. */
fhir_error_t *libs3_run_repeatedly(libs3_request_t *request, fhir_store_t *store,
                                   const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* For a request that asks for no object: what its 404 means. */
fhir_error_t *libs3_no_bucket(const libs3_request_t *request, apr_pool_t *pool) FHIR_MUST_CHECK;
extern const S3ResponseHandler libs3_response_handler;
void libs3_close_idle(fhir_store_t *store);
/* HEAD. NOT_FOUND if there is nothing. */
fhir_error_t *libs3_head(libs3_request_t *request, fhir_store_t *store, const char *locator,
                         const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *libs3_delete(fhir_store_t *store, const char *locator, const fhir_store_call_t *call) FHIR_MUST_CHECK;
void libs3_fill_info(fhir_object_info_t *info, const libs3_request_t *request, apr_pool_t *pool);

/* writer.c */
fhir_error_t *libs3_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                 const fhir_store_call_t *call);
fhir_error_t *libs3_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                 const fhir_store_call_t *call);
fhir_error_t *libs3_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call);
void libs3_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call);

/* reader.c */
fhir_error_t *libs3_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                const char *locator, apr_off_t offset, apr_off_t length, const fhir_store_call_t *call);
fhir_error_t *libs3_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length, const fhir_store_call_t *call);
void libs3_reader_close(fhir_reader_t *reader);

/* list.c */
fhir_error_t *libs3_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                         fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call);
/* What the 404 of a HEAD means, which does not say whether object or bucket is missing: `error`, or another one. */
fhir_error_t *libs3_not_found(fhir_error_t *error, fhir_store_t *store, const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *libs3_health(fhir_store_t *store, const fhir_store_call_t *call);

#endif
