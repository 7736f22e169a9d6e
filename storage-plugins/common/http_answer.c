/* What libcurl receives: the header's lines, and the body into the reader's buffer or into the answer. */
#include "http_transfer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX ((apr_size_t)64 * 1024)
/* Of a final answer, of those with 1xx before it and of trailers. */
#define HEADS_MAX ((apr_size_t)128 * 1024)
#define FIRST_ROOM ((apr_size_t)1024)
/* As much as libcurl receives at a time. */
#define SPARE_SIZE ((apr_size_t)64 * 1024)

/* 0: over the limit or no memory. There is always room for a NUL behind the bytes. */
static int append(fhir_http_text_t *text, const char *bytes, apr_size_t length, apr_size_t limit)
{
    apr_size_t room = text->room ? text->room : FIRST_ROOM;
    char *larger;
    if (length > limit - text->length) {
        return 0;
    }
    while (room - text->length <= length) {
        room *= 2;
    }
    if (room != text->room) {
        larger = realloc(text->bytes, room);
        if (!larger) {
            return 0;
        }
        text->bytes = larger;
        text->room = room;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return 1;
}

/* ---- header ---- */

static void complete_head(fhir_http_transfer_t *transfer)
{
    curl_off_t length = -1;
    long status = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) { /* 1xx: another one follows */
        transfer->status = (int)status;
        transfer->head_complete = 1;
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        transfer->content_length = length;
    }
}

size_t fhir_http_take_header(char *bytes, size_t size, size_t count, void *baton)
{
    fhir_http_transfer_t *transfer = baton;
    size_t length = size * count;
    transfer->received += length;
    transfer->head_bytes += length;
    if (transfer->head_bytes > HEADS_MAX) {
        transfer->unusable = "its headers do not end";
        return 0;
    }
    if (transfer->head_complete) { /* trailers */
        return length;
    }
    if (length >= 5 && !strncasecmp(bytes, "HTTP/", 5)) {
        transfer->head.length = 0;
    }
    if (!append(&transfer->head, bytes, length, HEAD_MAX)) {
        transfer->unusable = "its header is too long";
        return 0;
    }
    if (bytes[0] == '\r' || bytes[0] == '\n') {
        complete_head(transfer);
    }
    return length;
}

/* "Name: value" of [line, end); lines that are none, the status line among them, are passed over. */
static void add_header(apr_table_t *headers, const char *line, const char *end, apr_pool_t *pool)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    const char *value;
    if (!colon || colon == line || *line == ' ' || *line == '\t') {
        return;
    }
    value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && strchr(" \t\r\n", end[-1])) {
        end--;
    }
    apr_table_addn(headers, apr_pstrmemdup(pool, line, (apr_size_t)(colon - line)),
                   apr_pstrmemdup(pool, value, (apr_size_t)(end - value)));
}

static apr_table_t *parse_head(const fhir_http_text_t *head, apr_pool_t *pool)
{
    apr_table_t *headers = apr_table_make(pool, 16);
    const char *line = head->bytes;
    const char *end = line ? line + head->length : NULL;
    int first = 1;
    while (line < end) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        const char *next = feed ? feed + 1 : end;
        if (!first) {
            add_header(headers, line, next, pool);
        }
        first = 0;
        line = next;
    }
    return headers;
}

void fhir_http_fill_response(fhir_http_response_t *response, const fhir_http_transfer_t *transfer, apr_pool_t *pool)
{
    response->status = transfer->status;
    response->headers = parse_head(&transfer->head, pool);
    response->content_length = transfer->content_length;
    response->body_length = transfer->answer.length;
    response->body = apr_pstrmemdup(pool, transfer->answer.length ? transfer->answer.bytes : "", response->body_length);
}

/* ---- body ---- */

static apr_size_t least(apr_size_t one, apr_size_t other)
{
    return one < other ? one : other;
}

static apr_size_t to_buffer(fhir_http_transfer_t *transfer, const char *bytes, apr_size_t length)
{
    apr_size_t count = least(length, transfer->buffer_room - transfer->buffer_filled);
    if (count) {
        memcpy(transfer->buffer + transfer->buffer_filled, bytes, count);
        transfer->buffer_filled += count;
    }
    return count;
}

void fhir_http_drain_spare(fhir_http_transfer_t *transfer)
{
    if (transfer->spare_start < transfer->spare_end) {
        transfer->spare_start +=
            to_buffer(transfer, transfer->spare + transfer->spare_start, transfer->spare_end - transfer->spare_start);
    }
    if (transfer->spare_start == transfer->spare_end) {
        transfer->spare_start = 0;
        transfer->spare_end = 0;
    }
}

/* All of it is taken, or none: libcurl keeps what was refused, and gives it again. */
static size_t stream(fhir_http_transfer_t *transfer, const char *bytes, apr_size_t length)
{
    apr_size_t direct = transfer->spare_end ? 0 : least(length, transfer->buffer_room - transfer->buffer_filled);
    apr_size_t rest = length - direct;
    if (rest > SPARE_SIZE - transfer->spare_end) {
        transfer->held_back = 1;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (rest && !transfer->spare) {
        transfer->spare = malloc(SPARE_SIZE);
        if (!transfer->spare) {
            transfer->unusable = "there is no memory for it";
            return 0;
        }
    }
    if (direct) {
        (void)to_buffer(transfer, bytes, direct);
    }
    if (rest) {
        memcpy(transfer->spare + transfer->spare_end, bytes + direct, rest);
        transfer->spare_end += rest;
    }
    return length;
}

static size_t collect(fhir_http_transfer_t *transfer, const char *bytes, apr_size_t length)
{
    apr_size_t left = transfer->answer_limit - transfer->answer.length;
    apr_size_t wanted = length;
    if (length > left) {
        if (!transfer->limit_known) {
            transfer->held_back = 1;
            return CURL_WRITEFUNC_PAUSE;
        }
        wanted = left;
        transfer->answer_was_cut = transfer->cut_answer;
        transfer->unusable = transfer->cut_answer ? NULL : "it is longer than expected";
    }
    if (wanted && !append(&transfer->answer, bytes, wanted, transfer->answer_limit)) {
        transfer->unusable = "there is no memory for it";
    }
    return wanted == length && !transfer->unusable ? length : 0;
}

size_t fhir_http_take_body(char *bytes, size_t size, size_t count, void *baton)
{
    fhir_http_transfer_t *transfer = baton;
    size_t length = size * count;
    size_t taken;
    if (length == 0) {
        return 0;
    }
    taken = transfer->streamed && transfer->status / 100 == 2 ? stream(transfer, bytes, length)
                                                              : collect(transfer, bytes, length);
    transfer->received += taken == length ? length : 0;
    return taken;
}
