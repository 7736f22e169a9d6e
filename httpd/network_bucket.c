/* How bytes come off a socket. httpd reads 8000 at a time, and each read is a system call and, on a fast network, an
 * acknowledgement: a fifth of what a large upload costs. While a request body is expected, this bucket reads 64 KiB;
 * else it reads like the socket bucket of APR, whose place it takes. */
#include "glue.h"

#define LARGE_READ ((apr_size_t)64 * 1024)

typedef struct network_t {
    apr_socket_t *socket;
    apr_size_t room; /* of the next reads; only the thread that serves the connection looks at it */
} network_t;

static apr_status_t read_network(apr_bucket *bucket, const char **data, apr_size_t *length, apr_read_type_e block);

static const apr_bucket_type_t network_type = {"FHIR_NETWORK",
                                               5,
                                               APR_BUCKET_DATA,
                                               apr_bucket_destroy_noop, /* the socket ends with its pool */
                                               read_network,
                                               apr_bucket_setaside_notimpl,
                                               apr_bucket_split_notimpl,
                                               apr_bucket_copy_notimpl};

static apr_bucket *network_bucket(network_t *network, apr_bucket_alloc_t *list)
{
    apr_bucket *bucket = apr_bucket_alloc(sizeof(*bucket), list);
    APR_BUCKET_INIT(bucket);
    bucket->free = apr_bucket_free;
    bucket->list = list;
    bucket->type = &network_type;
    bucket->length = (apr_size_t)-1;
    bucket->start = -1;
    bucket->data = network;
    return bucket;
}

static apr_status_t receive(apr_socket_t *socket, char *bytes, apr_size_t *length, apr_read_type_e block)
{
    apr_interval_time_t timeout = 0;
    apr_status_t status;
    if (block == APR_NONBLOCK_READ) {
        apr_socket_timeout_get(socket, &timeout);
        apr_socket_timeout_set(socket, 0);
    }
    status = apr_socket_recv(socket, bytes, length);
    if (block == APR_NONBLOCK_READ) {
        apr_socket_timeout_set(socket, timeout);
    }
    return status;
}

/* Becomes what was read, with the rest of the connection behind it; at its end an empty bucket. */
static apr_status_t read_network(apr_bucket *bucket, const char **data, apr_size_t *length, apr_read_type_e block)
{
    network_t *network = bucket->data;
    apr_size_t room = network->room;
    char *bytes = apr_bucket_alloc(room, bucket->list);
    apr_status_t status;
    *data = NULL;
    *length = room;
    status = receive(network->socket, bytes, length, block);
    if (status != APR_SUCCESS && status != APR_EOF) {
        apr_bucket_free(bytes);
        return status;
    }
    if (*length == 0) {
        apr_bucket_free(bytes);
        bucket = apr_bucket_immortal_make(bucket, "", 0);
        *data = bucket->data;
        return APR_SUCCESS;
    }
    bucket = apr_bucket_heap_make(bucket, bytes, *length, apr_bucket_free);
    ((apr_bucket_heap *)bucket->data)->alloc_len = room;
    *data = bytes;
    APR_BUCKET_INSERT_AFTER(bucket, network_bucket(network, bucket->list));
    return APR_SUCCESS;
}

apr_status_t fhir_httpd_insert_network_bucket(conn_rec *c, apr_bucket_brigade *brigade, apr_socket_t *socket)
{
    network_t *network;
    if (!fhir_httpd_serves()) {
        return AP_DECLINED;
    }
    network = apr_pcalloc(c->pool, sizeof(*network));
    network->socket = socket;
    network->room = APR_BUCKET_BUFF_SIZE;
    ap_set_module_config(c->conn_config, &fhir_binary_module, network);
    APR_BRIGADE_INSERT_TAIL(brigade, network_bucket(network, brigade->bucket_alloc));
    return APR_SUCCESS;
}

void fhir_httpd_expect(conn_rec *c, apr_off_t length)
{
    network_t *network = ap_get_module_config(c->conn_config, &fhir_binary_module);
    if (network) {
        network->room = length >= (apr_off_t)LARGE_READ            ? LARGE_READ
                        : length > (apr_off_t)APR_BUCKET_BUFF_SIZE ? (apr_size_t)length
                                                                   : APR_BUCKET_BUFF_SIZE;
    }
}
