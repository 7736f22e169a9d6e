/* A writer: a small body waits in a buffer for one Put Blob. A larger one whose length was announced is one Put Blob,
 * too, sent while it is written, or blocks if it is longer than that may be. Without a length each block is gathered
 * first, because Azure wants its length. */
#ifndef FHIR_AZURE_WRITER_H
#define FHIR_AZURE_WRITER_H

#include "azure.h"

#define AZURE_SMALL_MAX ((apr_size_t)64 << 10)
#define AZURE_GATHER_SIZE ((apr_size_t)512 << 10)
#define AZURE_WRITER_ID_LENGTH 16

typedef enum azure_writer_state_t {
    AZURE_WRITER_OPEN,
    AZURE_WRITER_UNCERTAIN, /* commit failed in a way that may have stored the blob */
    AZURE_WRITER_FAILED,
    AZURE_WRITER_DONE
} azure_writer_state_t;

/* A Put Block, or a streamed Put Blob, under way. */
typedef struct azure_block_t {
    fhir_http_transfer_t *transfer; /* NULL: the slot is free */
    azure_request_t request;
    apr_pool_t *pool;
    const char *token;
    apr_off_t remaining; /* bytes still to be sent */
    uint64_t crc;
} azure_block_t;

struct fhir_writer_t {
    fhir_store_t *store;
    apr_pool_t *pool;
    const char *locator;
    const char *path;
    const char *content_type;
    char id[AZURE_WRITER_ID_LENGTH + 1]; /* in the name of each block: two writers never share one */
    azure_writer_state_t state;
    apr_off_t expected_length;
    apr_off_t length;
    char *buffer; /* of a small body, or of a block that is gathered */
    apr_size_t buffer_size;
    apr_size_t buffered;
    azure_block_t put; /* the streamed Put Blob */
    apr_off_t block_size;
    int block_count;                          /* begun */
    azure_block_t blocks[AZURE_PARALLEL_MAX]; /* block n is in slot n % parallel_blocks */
    int oldest;                               /* the first one that is not answered */
};

/* ---- put.c ---- */
/* Sends the buffer as the next piece. */
fhir_error_t *azure_put_piece(fhir_writer_t *writer, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* The buffer is the last piece; the answer says that the blob is there. */
fhir_error_t *azure_put_last(fhir_http_response_t *response, fhir_writer_t *writer,
                             const fhir_store_call_t *call) FHIR_MUST_CHECK;

/* ---- commit.c ---- */
/* The headers of what makes a blob. */
void azure_describe_blob(azure_request_t *request, const fhir_writer_t *writer);

/* ---- block.c ---- */
/* What is made goes with the request. */
fhir_store_call_t azure_in_pool(const fhir_store_call_t *call, apr_pool_t *pool);
/* The answer: what the store received is what was sent. */
fhir_error_t *azure_check_received(azure_block_t *block, fhir_writer_t *writer, const fhir_http_response_t *response,
                                   apr_pool_t *pool) FHIR_MUST_CHECK;
/* Sends what belongs to blocks that are streamed. */
fhir_error_t *azure_stream_blocks(fhir_writer_t *writer, const char *bytes, apr_size_t length,
                                  const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* The gathered block, whole, with repetition. */
fhir_error_t *azure_put_gathered(fhir_writer_t *writer, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Waits for all answers. */
fhir_error_t *azure_finish_blocks(fhir_writer_t *writer, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Waits for the answers to blocks that were sent in whole. */
void azure_await_blocks(fhir_writer_t *writer, const fhir_store_call_t *call);
/* Ends all that is under way. */
void azure_end_blocks(fhir_writer_t *writer);
/* Base64 of writer and number; all have AZURE_BLOCK_ID_LENGTH characters. `id` has room for a NUL, too. */
#define AZURE_BLOCK_ID_LENGTH 32
void azure_block_id(char id[AZURE_BLOCK_ID_LENGTH + 1], const fhir_writer_t *writer, int number);

#endif
