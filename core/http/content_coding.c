/* Content-Encoding of uploads: inflating while the body is read, with one output buffer. */
#define ZLIB_CONST
#include "field_syntax.h"
#include "fields.h"

#include <string.h>
#include <zlib.h>

#define OUTPUT_SIZE 32768
#define INPUT_STEP (1u << 30) /* zlib counts input in 32 bits */
#define RATIO_FREE (1 << 20)  /* bytes out that are never a bomb */
#define RATIO_MAX 1000

typedef enum coding_t { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE, CODING_UNKNOWN } coding_t;

typedef struct decoder_t {
    apr_pool_t *pool;
    fhir_body_t *source;
    coding_t coding;
    apr_off_t limit;
    apr_off_t bytes_in;
    apr_off_t bytes_out;
    z_stream stream;
    int started;       /* inflateInit2 was done */
    int member_ended;  /* the checksum of the last member was right and nothing followed yet */
    int finished;      /* the source has reported its end */
    int output_filled; /* zlib may hold more output than the buffer took */
    fhir_error_t *failure;
    unsigned char head[2]; /* the first bytes tell zlib-wrapped from raw deflate */
    apr_size_t head_length;
    const char *queued; /* of the source's last read, not yet given to zlib */
    apr_size_t queued_length;
    unsigned char *output;
} decoder_t;

static fhir_error_t *corrupt(decoder_t *decoder, const char *what)
{
    return fhir_error_public(decoder->pool, FHIR_ERROR_INVALID,
                             "The body does not decode as its Content-Encoding says: %s. Send it again.", what);
}

static fhir_error_t *check_bounds(decoder_t *decoder)
{
    apr_off_t beyond = decoder->bytes_out - RATIO_FREE;
    if (decoder->limit >= 0 && decoder->bytes_out > decoder->limit) {
        return fhir_error_public(decoder->pool, FHIR_ERROR_TOO_LARGE,
                                 "The body is larger than the %" APR_OFF_T_FMT " bytes that are allowed.",
                                 decoder->limit);
    }
    if (beyond > 0 && beyond / RATIO_MAX >= decoder->bytes_in) {
        return fhir_error_public(decoder->pool, FHIR_ERROR_TOO_LARGE,
                                 "The body expands to over %d times its size. Send it without Content-Encoding.",
                                 RATIO_MAX);
    }
    return NULL;
}

static apr_status_t end_stream(void *data)
{
    decoder_t *decoder = data;
    inflateEnd(&decoder->stream);
    return APR_SUCCESS;
}

static fhir_error_t *start(decoder_t *decoder, int window_bits)
{
    if (inflateInit2(&decoder->stream, window_bits) != Z_OK) {
        return fhir_error_create(decoder->pool, FHIR_ERROR_INTERNAL, APR_ENOMEM, "The body can't be decoded now.",
                                 "inflateInit2 failed");
    }
    apr_pool_cleanup_register(decoder->pool, decoder, end_stream, apr_pool_cleanup_null);
    decoder->started = 1;
    return NULL;
}

/* RFC 1950 section 2.2: method 8, window up to 32 KiB, and a header that is a multiple of 31. */
static int has_zlib_header(const unsigned char head[2])
{
    return (head[0] & 0x0F) == 8 && head[0] >> 4 <= 7 && (head[0] * 256 + head[1]) % 31 == 0;
}

/* Gives zlib what is queued. "deflate" waits for two bytes, which may come in two reads. */
static fhir_error_t *feed(decoder_t *decoder)
{
    uInt step;
    if (!decoder->started && decoder->coding == CODING_DEFLATE) {
        while (decoder->head_length < 2 && decoder->queued_length > 0) {
            decoder->head[decoder->head_length++] = (unsigned char)*decoder->queued++;
            decoder->queued_length--;
        }
        if (decoder->head_length == 2) {
            FHIR_TRY(start(decoder, has_zlib_header(decoder->head) ? MAX_WBITS : -MAX_WBITS));
            decoder->stream.next_in = decoder->head;
            decoder->stream.avail_in = 2;
        }
        return NULL;
    }
    if (!decoder->started) {
        FHIR_TRY(start(decoder, 16 + MAX_WBITS));
    }
    step = decoder->queued_length > INPUT_STEP ? INPUT_STEP : (uInt)decoder->queued_length;
    decoder->stream.next_in = (const Bytef *)decoder->queued;
    decoder->stream.avail_in = step;
    decoder->queued += step;
    decoder->queued_length -= step;
    return NULL;
}

/* More input for zlib, or finished. */
static fhir_error_t *refill(decoder_t *decoder)
{
    if (decoder->queued_length == 0) {
        FHIR_TRY(decoder->source->read(decoder->source, &decoder->queued, &decoder->queued_length));
        if (decoder->queued_length == 0) {
            decoder->finished = 1;
            return decoder->member_ended ? NULL : corrupt(decoder, "it is cut off");
        }
    }
    return feed(decoder);
}

/* Bytes after the end of a stream: gzip may have another member, anything else is garbage. */
static fhir_error_t *next_member(decoder_t *decoder)
{
    if (decoder->coding != CODING_GZIP) {
        return corrupt(decoder, "there are bytes behind its end");
    }
    decoder->member_ended = 0;
    return inflateReset(&decoder->stream) == Z_OK ? NULL : corrupt(decoder, "it has a broken member");
}

/* One step of zlib; *produced bytes are in the buffer. */
static fhir_error_t *inflate_step(decoder_t *decoder, apr_size_t *produced)
{
    z_stream *stream = &decoder->stream;
    uInt before = stream->avail_in;
    int status;
    stream->next_out = decoder->output;
    stream->avail_out = OUTPUT_SIZE;
    status = inflate(stream, Z_NO_FLUSH);
    *produced = OUTPUT_SIZE - stream->avail_out;
    decoder->output_filled = stream->avail_out == 0;
    decoder->bytes_in += before - stream->avail_in;
    decoder->bytes_out += (apr_off_t)*produced;
    if (status == Z_STREAM_END) {
        decoder->member_ended = 1;
        decoder->output_filled = 0;
    } else if (status == Z_MEM_ERROR) {
        return fhir_error_create(decoder->pool, FHIR_ERROR_INTERNAL, APR_ENOMEM, "The body can't be decoded now.",
                                 "inflate is out of memory");
    } else if (status != Z_OK && !(status == Z_BUF_ERROR && stream->avail_in == 0)) {
        return corrupt(decoder, "its data is corrupt");
    }
    return check_bounds(decoder);
}

static fhir_error_t *decode_some(decoder_t *decoder, apr_size_t *produced)
{
    *produced = 0;
    while (*produced == 0 && !decoder->finished) {
        if (decoder->stream.avail_in == 0 && !decoder->output_filled) {
            FHIR_TRY(refill(decoder));
        }
        if (decoder->stream.avail_in > 0 || decoder->output_filled) {
            if (decoder->member_ended) {
                FHIR_TRY(next_member(decoder));
            }
            FHIR_TRY(inflate_step(decoder, produced));
        }
    }
    return NULL;
}

static fhir_error_t *decoded_read(fhir_body_t *body, const char **data, apr_size_t *length)
{
    decoder_t *decoder = body->baton;
    *data = (const char *)decoder->output;
    *length = 0;
    if (!decoder->failure) {
        decoder->failure = decode_some(decoder, length);
    }
    if (decoder->failure) {
        *length = 0;
    }
    return decoder->failure;
}

/* Uncoded bodies pass through, counted. */
static fhir_error_t *identity_read(fhir_body_t *body, const char **data, apr_size_t *length)
{
    decoder_t *decoder = body->baton;
    if (!decoder->failure) {
        decoder->failure = decoder->source->read(decoder->source, data, length);
    }
    if (!decoder->failure) {
        decoder->bytes_in += (apr_off_t)*length;
        decoder->bytes_out = decoder->bytes_in;
        decoder->failure = check_bounds(decoder);
    }
    if (decoder->failure) {
        *length = 0;
    }
    return decoder->failure;
}

static coding_t coding_of(const char *coding)
{
    apr_size_t length;
    if (!coding) {
        return CODING_IDENTITY;
    }
    coding = fhir_skip_blanks(coding);
    length = fhir_token_length(coding);
    if (*fhir_skip_blanks(coding + length) != '\0') {
        return CODING_UNKNOWN; /* a list of codings, too */
    }
    if (length == 0 || fhir_is_name(coding, length, "identity")) {
        return CODING_IDENTITY;
    }
    if (fhir_is_name(coding, length, "gzip") || fhir_is_name(coding, length, "x-gzip")) {
        return CODING_GZIP;
    }
    return fhir_is_name(coding, length, "deflate") ? CODING_DEFLATE : CODING_UNKNOWN;
}

fhir_error_t *fhir_body_decode(fhir_body_t **decoded, fhir_body_t *body, const char *coding, apr_off_t limit,
                               apr_pool_t *pool)
{
    coding_t kind = coding_of(coding);
    fhir_body_t *wrapper = apr_palloc(pool, sizeof(*wrapper));
    decoder_t *decoder;
    if (kind == CODING_UNKNOWN) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "This Content-Encoding is not supported. Send the body as it is, or with one coding: gzip or deflate.");
    }
    decoder = apr_pcalloc(pool, sizeof(*decoder));
    decoder->pool = pool;
    decoder->source = body;
    decoder->coding = kind;
    decoder->limit = limit;
    decoder->output = kind == CODING_IDENTITY ? NULL : apr_palloc(pool, OUTPUT_SIZE);
    wrapper->length = kind == CODING_IDENTITY ? body->length : -1;
    wrapper->read = kind == CODING_IDENTITY ? identity_read : decoded_read;
    wrapper->baton = decoder;
    *decoded = wrapper;
    return NULL;
}
