/* Seals content while it is written. A full chunk waits until more comes: only then it is known not to be the last. */
#include "sealed.h"

#include <string.h>

struct fhir_sealer_t {
    fhir_sealed_header_t header;
    fhir_seal_t *seal;
    fhir_sealed_emit_fn emit;
    void *emit_baton;
    int header_written;
    apr_size_t room;         /* of a chunk; less than FHIR_SEALED_CHUNK if a small length was announced */
    unsigned char *gathered; /* content of the chunk that comes next */
    apr_size_t gathered_length;
    unsigned char *sealed; /* room for the header and a sealed chunk */
    apr_off_t index;
    apr_off_t length; /* all that was given to us */
};

fhir_error_t *fhir_sealer_create(fhir_sealer_t **sealer, const fhir_sealed_header_t *header,
                                 const unsigned char *data_key, fhir_sealed_emit_fn emit, void *emit_baton,
                                 apr_pool_t *pool)
{
    fhir_sealer_t *made = apr_pcalloc(pool, sizeof(*made));
    *sealer = NULL;
    made->header = *header;
    made->emit = emit;
    made->emit_baton = emit_baton;
    made->room = header->announced_length >= 0 && header->announced_length < (apr_off_t)FHIR_SEALED_CHUNK
                     ? (apr_size_t)header->announced_length
                     : FHIR_SEALED_CHUNK;
    made->gathered = apr_palloc(pool, made->room + 1);
    made->sealed = apr_palloc(pool, FHIR_SEALED_HEADER + made->room + FHIR_SEALED_TAG);
    made->seal = fhir_seal_create(header, data_key, 1);
    if (!made->seal) {
        return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_ENOMEM, "The server is short of memory; try again.",
                                 "OpenSSL made no context");
    }
    *sealer = made;
    return NULL;
}

static fhir_error_t *emit_chunk(fhir_sealer_t *sealer, const void *content, apr_size_t length, int last,
                                const fhir_store_call_t *call)
{
    unsigned char *chunk = sealer->sealed + FHIR_SEALED_HEADER;
    apr_size_t sealed_length = length + FHIR_SEALED_TAG;
    if (!fhir_seal_close_chunk(chunk, sealer->seal, sealer->index, last, content, length)) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                                 "The server could not seal the content; try again.", "OpenSSL failed");
    }
    sealer->index++;
    if (!sealer->header_written) {
        memcpy(sealer->sealed, sealer->header.bytes, FHIR_SEALED_HEADER);
        sealer->header_written = 1;
        chunk -= FHIR_SEALED_HEADER;
        sealed_length += FHIR_SEALED_HEADER;
    }
    return sealer->emit(sealer->emit_baton, chunk, sealed_length, call);
}

static fhir_error_t *check_length(const fhir_sealer_t *sealer, apr_pool_t *pool)
{
    apr_off_t announced = sealer->header.announced_length;
    if (announced >= 0 && sealer->length > announced) {
        return fhir_plugin_wrong_length(pool, sealer->length, announced);
    }
    if (sealer->length > FHIR_SEALED_LENGTH_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_TOO_LARGE, "The content is larger than the store can keep.");
    }
    return NULL;
}

fhir_error_t *fhir_sealer_write(fhir_sealer_t *sealer, const void *data, apr_size_t length,
                                const fhir_store_call_t *call)
{
    const unsigned char *bytes = data;
    sealer->length += (apr_off_t)length;
    FHIR_TRY(check_length(sealer, call->result_pool));
    while (length > 0) {
        apr_size_t piece;
        if (sealer->gathered_length == FHIR_SEALED_CHUNK) {
            sealer->gathered_length = 0;
            FHIR_TRY(emit_chunk(sealer, sealer->gathered, FHIR_SEALED_CHUNK, 0, call));
        }
        if (sealer->gathered_length == 0 && length > FHIR_SEALED_CHUNK) {
            piece = FHIR_SEALED_CHUNK;
            FHIR_TRY(emit_chunk(sealer, bytes, piece, 0, call));
        } else {
            piece = sealer->room - sealer->gathered_length;
            piece = length < piece ? length : piece;
            memcpy(sealer->gathered + sealer->gathered_length, bytes, piece);
            sealer->gathered_length += piece;
        }
        bytes += piece;
        length -= piece;
    }
    return NULL;
}

fhir_error_t *fhir_sealer_finish(apr_off_t *length, fhir_sealer_t *sealer, const fhir_store_call_t *call)
{
    apr_off_t announced = sealer->header.announced_length;
    *length = sealer->length;
    if (announced >= 0 && sealer->length != announced) {
        return fhir_plugin_wrong_length(call->result_pool, sealer->length, announced);
    }
    return emit_chunk(sealer, sealer->gathered, sealer->gathered_length, 1, call);
}

void fhir_sealer_destroy(fhir_sealer_t *sealer)
{
    fhir_seal_destroy(sealer->seal);
    sealer->seal = NULL;
}
