/* The canonical form of a request: what AWS Signature Version 4 signs, and the URL that is sent. */
#include "sigv4_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct pair_t {
    const char *name;
    const char *value;
    int position; /* qsort is not stable, and the order of repeated headers is signed */
} pair_t;

static int is_unreserved(unsigned char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

const char *s3_escape(const char *text, int keep_slash, apr_pool_t *pool)
{
    static const char digits[] = "0123456789ABCDEF";
    char *escaped = apr_palloc(pool, 3 * strlen(text) + 1);
    char *end = escaped;
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (is_unreserved(byte) || (keep_slash && byte == '/')) {
            *end++ = *text;
        } else {
            *end++ = '%';
            *end++ = digits[byte >> 4];
            *end++ = digits[byte & 15];
        }
    }
    *end = '\0';
    return escaped;
}

static int compare_names(const pair_t *left, const pair_t *right)
{
    return strcmp(left->name, right->name);
}

static int compare_parameters(const void *left, const void *right)
{
    int order = compare_names(left, right);
    return order ? order : strcmp(((const pair_t *)left)->value, ((const pair_t *)right)->value);
}

static int compare_headers(const void *left, const void *right)
{
    int order = compare_names(left, right);
    return order ? order : ((const pair_t *)left)->position - ((const pair_t *)right)->position;
}

static pair_t *add_pair(apr_array_header_t *pairs, const char *name, const char *value)
{
    pair_t *pair = apr_array_push(pairs);
    pair->name = name;
    pair->value = value;
    pair->position = pairs->nelts;
    return pair;
}

/* The escaped names are sorted, then the escaped values: not the text "name=value", in which "a-b" would precede "a".
 */
static const char *canonical_query(const s3_request_t *request, apr_pool_t *pool)
{
    int count = request->parameters ? request->parameters->nelts : 0;
    apr_array_header_t *pairs = apr_array_make(pool, count + 1, sizeof(pair_t));
    apr_array_header_t *texts = apr_array_make(pool, count + 1, sizeof(const char *));
    int i;
    for (i = 0; i < count; i++) {
        const s3_parameter_t *parameter = &APR_ARRAY_IDX(request->parameters, i, s3_parameter_t);
        add_pair(pairs, s3_escape(parameter->name, 0, pool),
                 s3_escape(parameter->value ? parameter->value : "", 0, pool));
    }
    qsort(pairs->elts, (size_t)count, sizeof(pair_t), compare_parameters);
    for (i = 0; i < count; i++) {
        const pair_t *pair = &APR_ARRAY_IDX(pairs, i, pair_t);
        APR_ARRAY_PUSH(texts, const char *) = apr_pstrcat(pool, pair->name, "=", pair->value, NULL);
    }
    return apr_array_pstrcat(pool, texts, '&');
}

static const char *lower_case(const char *name, apr_pool_t *pool)
{
    char *lower = apr_pstrdup(pool, name);
    char *at;
    for (at = lower; *at; at++) {
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at; /* not tolower, which asks the locale */
    }
    return lower;
}

/* Without spaces at both ends, and one where there were several. */
static const char *trimmed(const char *value, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, strlen(value) + 1);
    char *end = text;
    for (; *value; value++) {
        if (*value != ' ' || (end > text && end[-1] != ' ')) {
            *end++ = *value;
        }
    }
    if (end > text && end[-1] == ' ') {
        end--;
    }
    *end = '\0';
    return text;
}

static apr_array_header_t *sorted_headers(const s3_request_t *request, apr_pool_t *pool)
{
    int count = request->headers ? request->headers->nelts : 0;
    apr_array_header_t *pairs = apr_array_make(pool, count + 1, sizeof(pair_t));
    int i;
    add_pair(pairs, "host", request->host);
    for (i = 0; i < count; i++) {
        const fhir_http_header_t *header = &APR_ARRAY_IDX(request->headers, i, fhir_http_header_t);
        add_pair(pairs, lower_case(header->name, pool), trimmed(header->value, pool));
    }
    qsort(pairs->elts, (size_t)pairs->nelts, sizeof(pair_t), compare_headers);
    return pairs;
}

static void canonical_headers(s3_canonical_t *canonical, const s3_request_t *request, apr_pool_t *pool)
{
    const apr_array_header_t *pairs = sorted_headers(request, pool);
    apr_array_header_t *texts = apr_array_make(pool, 4 * pairs->nelts, sizeof(const char *));
    apr_array_header_t *names = apr_array_make(pool, pairs->nelts, sizeof(const char *));
    int i;
    for (i = 0; i < pairs->nelts; i++) {
        const pair_t *pair = &APR_ARRAY_IDX(pairs, i, pair_t);
        int repeated = i > 0 && !compare_names(pair, pair - 1);
        if (!repeated) {
            APR_ARRAY_PUSH(names, const char *) = pair->name;
            APR_ARRAY_PUSH(texts, const char *) = i > 0 ? "\n" : "";
            APR_ARRAY_PUSH(texts, const char *) = pair->name;
        }
        APR_ARRAY_PUSH(texts, const char *) = repeated ? "," : ":";
        APR_ARRAY_PUSH(texts, const char *) = pair->value;
    }
    APR_ARRAY_PUSH(texts, const char *) = "\n";
    canonical->headers = apr_array_pstrcat(pool, texts, 0);
    canonical->signed_names = apr_array_pstrcat(pool, names, ';');
}

void s3_canonicalize(s3_canonical_t *canonical, const s3_request_t *request, apr_pool_t *pool)
{
    canonical->path = s3_escape(request->path, 1, pool);
    canonical->query = canonical_query(request, pool);
    canonical_headers(canonical, request, pool);
}

const char *s3_canonical_text(const s3_canonical_t *canonical, const s3_request_t *request, apr_pool_t *pool)
{
    return apr_pstrcat(pool, request->method, "\n", canonical->path, "\n", canonical->query, "\n", canonical->headers,
                       "\n", canonical->signed_names, "\n", request->payload_sha256, NULL);
}

const char *s3_canonical_request(const s3_request_t *request, apr_pool_t *pool)
{
    s3_canonical_t canonical;
    s3_canonicalize(&canonical, request, pool);
    return s3_canonical_text(&canonical, request, pool);
}

const char *s3_request_url(const s3_request_t *request, apr_pool_t *pool)
{
    const char *query = canonical_query(request, pool);
    return apr_pstrcat(pool, request->scheme, "://", request->host, s3_escape(request->path, 1, pool),
                       *query ? "?" : "", query, NULL);
}
