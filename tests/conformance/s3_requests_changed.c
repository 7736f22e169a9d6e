/* Signed requests in which one bit was changed afterwards: none of them may be accepted. */
#include "s3_requests.h"

#include <stdlib.h>
#include <string.h>

/* ---- changing one bit ---- */

/* Another byte by one bit, and one that can be sent: `text` is of visible characters, or of any but NUL. */
static void flip(worker_t *worker, char *byte, int visible)
{
    for (;;) {
        unsigned char changed = (unsigned char)(*byte ^ (1 << chance(worker, 8)));
        if (changed && (!visible || (changed > ' ' && changed <= '~'))) {
            *byte = (char)changed;
            return;
        }
    }
}

/* Of text that the signer trims, what is not a space, so that what it becomes is not trimmed alike. */
static const char *flipped(worker_t *worker, const char *text, int visible)
{
    char *changed = apr_pstrdup(worker->pool, text);
    apr_size_t length = strlen(text);
    apr_size_t at;
    do {
        at = chance(worker, (unsigned)length);
    } while (visible && text[at] == ' ' && strspn(text, " ") < length);
    flip(worker, changed + at, visible);
    return changed;
}

static int hex_value(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'A' + 10;
}

static const char *unescaped(worker_t *worker, const char *text, apr_size_t length)
{
    char *plain = apr_palloc(worker->pool, length + 1);
    char *end = plain;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        if (text[i] == '%') {
            *end++ = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            *end++ = text[i];
        }
    }
    *end = '\0';
    return plain;
}

static const char *escaped(worker_t *worker, const char *plain, const char *kept)
{
    char *text = apr_palloc(worker->pool, 3 * strlen(plain) + 1);
    char *end = text;
    for (; *plain; plain++) {
        if (strchr(kept, *plain) || strchr("-._~0123456789", *plain) || (*plain >= 'A' && *plain <= 'Z') ||
            (*plain >= 'a' && *plain <= 'z')) {
            *end++ = *plain;
        } else {
            end += apr_snprintf(end, 4, "%%%02X", (unsigned char)*plain);
        }
    }
    *end = '\0';
    return text;
}

/* The URL with one bit changed in the unescaped text from `start` to `end`; NULL if there is none. */
static const char *url_changed(worker_t *worker, const char *url, const char *start, const char *end, const char *kept)
{
    const char *plain = unescaped(worker, start, (apr_size_t)(end - start));
    if (!*plain) {
        return NULL;
    }
    return apr_pstrcat(worker->pool, apr_pstrndup(worker->pool, url, (apr_size_t)(start - url)),
                       escaped(worker, flipped(worker, plain, 0), kept), end, NULL);
}

/* ---- the parts ---- */

static random_request_t signed_copy(worker_t *worker, const random_request_t *original)
{
    random_request_t made = *original;
    fhir_error_t *error;
    made.request.headers = apr_array_copy(worker->pool, original->request.headers);
    error = sign(worker, &made, server.secret, apr_time_now());
    if (error) {
        abort();
    }
    return made;
}

static void must_be_refused(worker_t *worker, const random_request_t *made, group_t group)
{
    fhir_http_response_t response = {0};
    int status = send_request(worker, made, &response);
    count(group, is_refused(status), made, &response);
}

static void change_method(worker_t *worker, const random_request_t *original)
{
    random_request_t made = signed_copy(worker, original);
    made.request.method = strcmp(made.request.method, "GET") ? "GET" : "HEAD";
    must_be_refused(worker, &made, METHOD);
    made.request.method = "DELETE";
    if (strcmp(original->request.method, "DELETE")) {
        must_be_refused(worker, &made, METHOD);
    }
}

static void change_path(worker_t *worker, const random_request_t *original)
{
    random_request_t made = signed_copy(worker, original);
    const char *start = strstr(made.url, "://") + 3;
    start += strcspn(start, "/") + 1;
    made.url = url_changed(worker, made.url, start, start + strcspn(start, "?"), "/");
    must_be_refused(worker, &made, PATH);
}

static void change_host(worker_t *worker, const random_request_t *original)
{
    random_request_t made = signed_copy(worker, original);
    add_header(made.request.headers, "Host", flipped(worker, server.host, 1));
    must_be_refused(worker, &made, HOST);
}

static group_t group_of_parameter(const char *name, apr_size_t length)
{
    group_t group;
    for (group = URL_ALGORITHM; group <= URL_SIGNATURE; group++) {
        if (strlen(group_names[group]) == length && !strncmp(name, group_names[group], length)) {
            return group;
        }
    }
    return PARAMETER;
}

static void change_parameters(worker_t *worker, const random_request_t *original)
{
    random_request_t made = signed_copy(worker, original);
    const char *url = made.url;
    const char *name = url + strcspn(url, "?");
    while (*name) {
        const char *value;
        const char *end;
        name++;
        value = name + strcspn(name, "=") + 1;
        end = value + strcspn(value, "&");
        made.url = url_changed(worker, url, value, end, "");
        if (made.url) {
            must_be_refused(worker, &made, group_of_parameter(name, (apr_size_t)(value - 1 - name)));
        }
        if (strncmp(name, "X-Amz-Signature=", 16)) { /* whose name nothing signs: some servers take it in any case */
            made.url = url_changed(worker, url, name, value - 1, "");
            must_be_refused(worker, &made, PARAMETER);
        }
        name = end;
    }
}

static group_t group_of_header(const char *name)
{
    return !strcmp(name, "x-amz-date")             ? HEADER_DATE
           : !strcmp(name, "x-amz-content-sha256") ? HEADER_PAYLOAD
           : !strcmp(name, "Authorization")        ? HEADER_AUTHORIZATION
                                                   : HEADER;
}

static void change_headers(worker_t *worker, const random_request_t *original)
{
    random_request_t made = signed_copy(worker, original);
    int i;
    int times;
    for (i = 0; i < made.request.headers->nelts; i++) {
        fhir_http_header_t *header = &APR_ARRAY_IDX(made.request.headers, i, fhir_http_header_t);
        const char *value = header->value;
        group_t group = group_of_header(header->name);
        for (times = group == HEADER_AUTHORIZATION ? 6 : 1; times > 0; times--) {
            header->value = flipped(worker, value, 1);
            must_be_refused(worker, &made, group);
        }
        header->value = value;
    }
}

static char *own_body(worker_t *worker, random_request_t *made)
{
    char *body = apr_pmemdup(worker->pool, made->sent_body, made->sent_length);
    made->sent_body = body;
    return body;
}

static void change_payload(worker_t *worker, const random_request_t *original)
{
    random_request_t made = signed_copy(worker, original);
    if (made.length && strcmp(made.request.payload_sha256, S3_UNSIGNED_PAYLOAD)) {
        flip(worker, own_body(worker, &made) + chance(worker, (unsigned)made.sent_length), 0);
        must_be_refused(worker, &made, PAYLOAD);
    }
}

/* Of one chunk: a byte of its data, and of its signature. Its length is not signed. */
static void change_chunks(worker_t *worker, const random_request_t *original)
{
    random_request_t made = signed_copy(worker, original);
    unsigned frame = (unsigned)strcspn(made.sent_body, "\n") + 1;
    unsigned chunk = chance(worker, (unsigned)(made.length / CHUNK_SIZE) + 1);
    apr_size_t start = chunk * (frame + CHUNK_SIZE + 2);
    apr_size_t header = strcspn(made.sent_body + start, "\n") + 1;
    apr_size_t data = made.length - chunk * CHUNK_SIZE < CHUNK_SIZE ? made.length - chunk * CHUNK_SIZE : CHUNK_SIZE;
    char *body;
    if (data) {
        body = own_body(worker, &made);
        flip(worker, body + start + header + chance(worker, (unsigned)data), 0);
        must_be_refused(worker, &made, CHUNK_DATA);
    }
    made = signed_copy(worker, original);
    body = own_body(worker, &made);
    flip(worker, body + start + header - 2 - 1 - chance(worker, S3_SHA256_HEX_LENGTH), 1);
    must_be_refused(worker, &made, CHUNK_SIGNATURE);
}

static void nothing_is_stored(worker_t *worker, const random_request_t *original)
{
    random_request_t made = *original;
    fhir_http_response_t response = {0};
    made.request.method = "HEAD";
    made.chunked = 0;
    made.presigned = 1;
    made.request.headers = apr_array_make(worker->pool, 8, sizeof(fhir_http_header_t));
    if (sign(worker, &made, server.secret, apr_time_now())) {
        abort();
    }
    count(NOTHING_STORED, send_request(worker, &made, &response) == 404, &made, &response);
}

static void sign_wrongly(worker_t *worker, const random_request_t *original, group_t group, apr_interval_time_t late)
{
    random_request_t made = *original;
    const char *secret = group == WRONG_SECRET ? flipped(worker, server.secret, 1) : server.secret;
    made.request.headers = apr_array_copy(worker->pool, original->request.headers);
    if (sign(worker, &made, secret, apr_time_now() + late)) {
        abort();
    }
    must_be_refused(worker, &made, group);
}

void change_every_part(worker_t *worker, const random_request_t *original)
{
    change_method(worker, original);
    change_path(worker, original);
    change_host(worker, original);
    change_parameters(worker, original);
    change_headers(worker, original);
    if (original->chunked) {
        change_chunks(worker, original);
    } else if (!strcmp(original->request.method, "PUT")) {
        change_payload(worker, original);
    }
    sign_wrongly(worker, original, WRONG_SECRET, 0);
    sign_wrongly(worker, original, WRONG_TIME, -apr_time_from_sec(3600));
    if (!strcmp(original->request.method, "PUT")) {
        nothing_is_stored(worker, original);
    }
}
