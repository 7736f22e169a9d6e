/* How much of an answer has left: behind each piece comes a bucket without data, and when httpd has written the piece
 * it destroys that bucket. An answer that is broken off in the middle is then known to have been so long at least. */
#include "glue.h"

#define SMALL ((apr_off_t)65536)        /* leaves at once, or not at all */
#define FIRST_PIECE ((apr_off_t)262144) /* then an eighth of what came before, so that their number stays small */

typedef struct marker_t {
    fhir_exchange_record_t *record;
    const conn_rec *connection;
    apr_off_t length; /* of the piece before */
} marker_t;

/* Also where a brigade is thrown away: because the client is gone, or by us. */
static void destroy(void *data)
{
    marker_t *marker = data;
    if (!marker->connection->aborted && !marker->record->discarding) {
        atomic_fetch_add_explicit(&marker->record->sent, marker->length, memory_order_relaxed);
    }
    apr_bucket_free(marker);
}

static apr_status_t read_nothing(apr_bucket *bucket, const char **data, apr_size_t *length, apr_read_type_e block)
{
    (void)bucket;
    (void)block;
    *data = NULL;
    *length = 0;
    return APR_SUCCESS;
}

static const apr_bucket_type_t marker_type = {"FHIR_SENT",
                                              5,
                                              APR_BUCKET_METADATA,
                                              destroy,
                                              read_nothing,
                                              apr_bucket_setaside_noop,
                                              apr_bucket_split_notimpl,
                                              apr_bucket_copy_notimpl};

static apr_bucket *marker_bucket(request_rec *r, fhir_exchange_record_t *record, apr_off_t length)
{
    /* Not of the request's pool, which would grow with the answer. */
    marker_t *marker = apr_bucket_alloc(sizeof(*marker), r->connection->bucket_alloc);
    apr_bucket *bucket = apr_bucket_alloc(sizeof(*bucket), r->connection->bucket_alloc);
    marker->record = record;
    marker->connection = r->connection;
    marker->length = length;
    APR_BUCKET_INIT(bucket);
    bucket->free = apr_bucket_free;
    bucket->list = r->connection->bucket_alloc;
    bucket->type = &marker_type;
    bucket->length = 0;
    bucket->start = 0;
    bucket->data = marker;
    return bucket;
}

static apr_off_t piece_after(apr_off_t before)
{
    return before / 8 > FIRST_PIECE ? before / 8 : FIRST_PIECE;
}

void fhir_httpd_track(request_rec *r, apr_bucket_brigade *brigade, apr_bucket *before)
{
    fhir_exchange_record_t *record = fhir_httpd_record(r);
    apr_bucket *bucket = APR_BUCKET_NEXT(before);
    while (bucket != APR_BRIGADE_SENTINEL(brigade)) {
        apr_bucket *next;
        apr_off_t piece = piece_after(record->promised);
        if ((apr_off_t)bucket->length > piece) {
            apr_bucket_split(bucket, (apr_size_t)piece);
        }
        next = APR_BUCKET_NEXT(bucket);
        record->promised += (apr_off_t)bucket->length;
        if (record->tracked) {
            APR_BUCKET_INSERT_AFTER(bucket, marker_bucket(r, record, (apr_off_t)bucket->length));
        }
        bucket = next;
    }
}

void fhir_httpd_track_from(request_rec *r, apr_off_t content_length)
{
    fhir_exchange_record_t *record = fhir_httpd_record(r);
    record->tracked = content_length >= SMALL;
    record->promised = 0;
    atomic_store(&record->sent, 0);
}

void fhir_httpd_discard(request_rec *r, apr_bucket_brigade *brigade)
{
    fhir_exchange_record_t *record = fhir_httpd_record(r);
    record->discarding = 1;
    apr_brigade_cleanup(brigade);
    record->discarding = 0;
}

fhir_delivery_t fhir_httpd_delivery(const request_rec *r, fhir_exchange_record_t *record)
{
    int aborted = r->connection->aborted || record->failed;
    apr_off_t sent = record->tracked ? (apr_off_t)atomic_load(&record->sent) : aborted ? 0 : record->promised;
    fhir_delivery_t delivery = {r->status, sent, !aborted && sent >= record->promised};
    return delivery;
}
