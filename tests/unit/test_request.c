/* Request fields, responses, bodies. */
#include "core/http/fields.h"
#include "core/http/request.h"
#include "core/http/response.h"
#include "unit.h"

static void test_headers(void)
{
    fhir_request_t request;
    apr_table_t *headers = apr_table_make(pool, 4);
    memset(&request, 0, sizeof(request));
    request.pool = pool;
    CU_ASSERT_PTR_NULL(fhir_request_header(&request, "Accept"));
    CU_ASSERT_EQUAL(fhir_request_header_count(&request, "Accept"), 0);
    request.headers = headers;
    CU_ASSERT_PTR_NULL(fhir_request_header(&request, "Accept"));
    apr_table_addn(headers, "Accept", "a/b");
    apr_table_addn(headers, "X-One", "");
    CU_ASSERT_STRING_EQUAL(fhir_request_header(&request, "accept"), "a/b");
    CU_ASSERT_STRING_EQUAL(fhir_request_header(&request, "x-one"), "");
    CU_ASSERT_PTR_NULL(fhir_request_header(&request, "Accep"));
    CU_ASSERT_PTR_NULL(fhir_request_header(&request, "Accept-"));
    apr_table_addn(headers, "ACCEPT", "c/d");
    apr_table_addn(headers, "X-Two", "2");
    apr_table_addn(headers, "accept", "e/f");
    CU_ASSERT_STRING_EQUAL(fhir_request_header(&request, "Accept"), "a/b, c/d, e/f");
    CU_ASSERT_EQUAL(fhir_request_header_count(&request, "accept"), 3);
    CU_ASSERT_EQUAL(fhir_request_header_count(&request, "X-Two"), 1);
    CU_ASSERT_EQUAL(fhir_request_header_count(&request, "X-Three"), 0);
}

static void test_response(void)
{
    fhir_response_t *response = fhir_response_create(206, pool);
    const fhir_segment_t *segments;
    CU_ASSERT_EQUAL(response->status, 206);
    CU_ASSERT_EQUAL(response->content_length, 0);
    fhir_response_header(response, "ETag", "\"1\"");
    fhir_response_header(response, "etag", "\"2\"");
    CU_ASSERT_STRING_EQUAL(apr_table_get(response->headers, "ETag"), "\"2\"");
    fhir_response_header(response, "X-Name", "a\r\nSet-Cookie: b\tc\x7f");
    CU_ASSERT_STRING_EQUAL(apr_table_get(response->headers, "X-Name"), "a  Set-Cookie: b\tc ");
    fhir_response_header(response, "X-Name", NULL);
    CU_ASSERT_PTR_NULL(apr_table_get(response->headers, "X-Name"));
    fhir_response_bytes(response, "head", 4);
    fhir_response_bytes(response, "", 0);
    fhir_response_file(response, NULL, 10, INT64_C(5000000000));
    fhir_response_stream(response, NULL, &segments, 3);
    fhir_response_bytes(response, "tail", -1);
    CU_ASSERT_EQUAL(response->content_length, INT64_C(5000000007));
    CU_ASSERT_EQUAL_FATAL(response->segments->nelts, 3);
    segments = (const fhir_segment_t *)(const void *)response->segments->elts;
    CU_ASSERT_EQUAL(segments[0].kind, FHIR_SEGMENT_BYTES);
    CU_ASSERT_EQUAL(segments[1].kind, FHIR_SEGMENT_FILE);
    CU_ASSERT_EQUAL(segments[1].offset, 10);
    CU_ASSERT_EQUAL(segments[2].kind, FHIR_SEGMENT_STREAM);
    CU_ASSERT_PTR_EQUAL(segments[2].baton, &segments);
}

static void test_unknown_length_stays(void)
{
    fhir_response_t *response = fhir_response_create(200, pool);
    response->content_length = -1;
    fhir_response_bytes(response, "abc", 3);
    CU_ASSERT_EQUAL(response->content_length, -1);
    CU_ASSERT_EQUAL(response->segments->nelts, 1);
}

static void test_memory_body(void)
{
    apr_size_t chunk;
    for (chunk = 0; chunk < 8; chunk++) {
        fhir_body_t *body = fhir_body_memory("hello", 5, chunk, pool);
        char seen[16] = "";
        const char *data;
        apr_size_t length;
        CU_ASSERT_EQUAL(body->length, 5);
        do {
            FHIR_ASSERT_OK(body->read(body, &data, &length));
            CU_ASSERT(chunk == 0 || length <= chunk);
            strncat(seen, data, length);
        } while (length > 0);
        CU_ASSERT_STRING_EQUAL(seen, "hello");
        FHIR_ASSERT_OK(body->read(body, &data, &length));
        CU_ASSERT_EQUAL(length, 0);
    }
    CU_ASSERT_EQUAL(fhir_body_memory(NULL, 0, 0, pool)->length, 0);
}

static fhir_error_t *failing_read(fhir_body_t *body, const char **data, apr_size_t *length)
{
    (void)data;
    (void)length;
    return fhir_error_public(body->baton, FHIR_ERROR_CLIENT_ABORTED, "gone");
}

static void test_digested_body(void)
{
    static const char bytes[] = "hello";
    fhir_digest_t *digest = NULL;
    fhir_body_t *body;
    fhir_body_t broken = {7, failing_read, NULL};
    const char *data;
    apr_size_t length;
    apr_size_t at = 0;
    FHIR_ASSERT_OK(fhir_digest_create(&digest, FHIR_DIGEST_MD5, pool));
    body = fhir_body_digested(fhir_body_memory(bytes, 5, 2, pool), digest, pool);
    CU_ASSERT_EQUAL(body->length, 5);
    for (;;) {
        FHIR_ASSERT_OK(body->read(body, &data, &length));
        if (length == 0) {
            break;
        }
        CU_ASSERT_PTR_EQUAL(data, bytes + at); /* not copied */
        at += length;
    }
    CU_ASSERT_EQUAL(at, 5);
    fhir_digest_finish(digest);
    CU_ASSERT_EQUAL(memcmp(fhir_digest_value(digest, FHIR_DIGEST_MD5, &length),
                           "\x5d\x41\x40\x2a\xbc\x4b\x2a\x76\xb9\x71\x9d\x91\x10\x17\xc5\x92", 16),
                    0);
    broken.baton = pool;
    body = fhir_body_digested(&broken, digest, pool);
    CU_ASSERT_EQUAL(body->length, 7);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CLIENT_ABORTED, body->read(body, &data, &length));
}

static const fhir_unit_test_t tests[] = {{"headers", test_headers},
                                         {"response", test_response},
                                         {"unknown length stays", test_unknown_length_stays},
                                         {"memory body", test_memory_body},
                                         {"digested body", test_digested_body},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("request", tests)
