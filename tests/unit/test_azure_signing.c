/* Signatures of the azure plugin: requests, shared access signatures, checksums. The expected signatures were computed
 * with another HMAC implementation from strings written by hand after the REST API's description. */
#include "storage-plugins/azure/azure.h"
#include "unit.h"

static azure_key_t key_of(unsigned char first, apr_size_t length)
{
    azure_key_t key = {{0}, length};
    apr_size_t i;
    for (i = 0; i < length; i++) {
        key.bytes[i] = (unsigned char)(first + i);
    }
    return key;
}

static void signs(const char *text, const char *signature, const azure_request_t *request, const char *account,
                  const char *endpoint)
{
    azure_key_t key = key_of(0, 64);
    const char *made = azure_string_to_sign(request, account, azure_path_of(endpoint), pool);
    CU_ASSERT_STRING_EQUAL(made, text);
    CU_ASSERT_STRING_EQUAL(azure_signature(&key, made, pool), signature);
}

static void test_put_with_headers(void)
{
    azure_request_t request;
    azure_request_init(&request, "Put Blob", "PUT", "/files/a/b/ab/cd/abcd0000000000000000000000000001", pool);
    azure_add_header(&request, "x-ms-version", "2023-11-03");
    azure_add_header(&request, "Content-Type", "text/plain; charset=UTF-8");
    azure_add_header(&request, "X-MS-Meta-Writer", "0123456789abcdef");
    azure_add_header(&request, "x-ms-date", "Sat, 21 Nov 2026 12:00:00 GMT");
    azure_add_header(&request, "If-None-Match", "*");
    azure_add_header(&request, "x-ms-blob-type", "BlockBlob");
    request.length = 11;
    signs("PUT\n\n\n11\n\ntext/plain; charset=UTF-8\n\n\n\n*\n\n\nx-ms-blob-type:BlockBlob\n"
          "x-ms-date:Sat, 21 Nov 2026 12:00:00 GMT\nx-ms-meta-writer:0123456789abcdef\nx-ms-version:2023-11-03\n"
          "/account1/files/a/b/ab/cd/abcd0000000000000000000000000001",
          "ev9mTE2zK+26cxzBxWun8mIItDM+vjGxhNUFib+os1o=", &request, "account1",
          "https://account1.blob.core.windows.net");
}

/* Parameters sorted and not escaped; an emulator's account comes twice. */
static void test_list_with_parameters(void)
{
    azure_request_t request;
    azure_request_init(&request, "List Blobs", "GET", "/files", pool);
    azure_add_parameter(&request, "restype", "container");
    azure_add_parameter(&request, "comp", "list");
    azure_add_parameter(&request, "prefix", "a b/");
    azure_add_parameter(&request, "include", "uncommittedblobs");
    azure_add_parameter(&request, "marker", "2!76!x/y=");
    azure_add_header(&request, "x-ms-version", "2023-11-03");
    azure_add_header(&request, "x-ms-date", "Sat, 21 Nov 2026 12:00:00 GMT");
    signs("GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Sat, 21 Nov 2026 12:00:00 GMT\nx-ms-version:2023-11-03\n"
          "/devstoreaccount1/devstoreaccount1/files\ncomp:list\ninclude:uncommittedblobs\nmarker:2!76!x/y=\n"
          "prefix:a b/\nrestype:container",
          "Z64mpuJeRAi7ZmSozIRaQr6NvglH7tRZ8X40zUUb2X4=", &request, "devstoreaccount1",
          "http://127.0.0.1:10000/devstoreaccount1");
    CU_ASSERT_STRING_EQUAL(azure_query(&request, pool), "?restype=container&comp=list&prefix=a%20b%2F&"
                                                        "include=uncommittedblobs&marker=2%2176%21x%2Fy%3D");
}

/* A length of 0 is signed as none; If-Match has its own line. */
static void test_empty_body_and_condition(void)
{
    azure_request_t request;
    azure_request_init(&request, "Set Metadata", "PUT", "/files/x", pool);
    azure_add_parameter(&request, "comp", "metadata");
    azure_add_header(&request, "x-ms-version", "2023-11-03");
    azure_add_header(&request, "If-Match", "\"0x1\"");
    azure_add_header(&request, "x-ms-date", "Sat, 21 Nov 2026 12:00:00 GMT");
    request.body = "";
    signs("PUT\n\n\n\n\n\n\n\n\"0x1\"\n\n\n\nx-ms-date:Sat, 21 Nov 2026 12:00:00 GMT\nx-ms-version:2023-11-03\n"
          "/account1/files/x\ncomp:metadata",
          "8Q76OaG6CRYi64OubMuBIkTMwd2FxkXnhsTuAPtLChA=", &request, "account1", "https://example.test:8443");
}

static void test_dates_and_escapes(void)
{
    apr_time_t time = apr_time_from_sec(1795262400); /* 2026-11-21 12:00:00 */
    CU_ASSERT_STRING_EQUAL(azure_http_date(time, pool), "Sat, 21 Nov 2026 12:00:00 GMT");
    CU_ASSERT_STRING_EQUAL(azure_iso_date(time, pool), "2026-11-21T12:00:00Z");
    CU_ASSERT_STRING_EQUAL(azure_escape("aZ09-._~", pool), "aZ09-._~");
    CU_ASSERT_STRING_EQUAL(azure_escape(" +/=&?\"%\xc3\xa4", pool), "%20%2B%2F%3D%26%3F%22%25%C3%A4");
    CU_ASSERT_STRING_EQUAL(azure_path_of("https://a.example"), "");
    CU_ASSERT_STRING_EQUAL(azure_path_of("http://127.0.0.1:1/x/y"), "/x/y");
}

/* ---- shared access signatures ---- */

static azure_sas_t base_sas(void)
{
    azure_sas_t sas = {0};
    sas.permissions = "r";
    sas.start = "2026-11-21T11:55:00Z";
    sas.expiry = "2026-11-21T13:00:00Z";
    sas.resource = "/blob/account1/files/a/ab/cd/abcd0000000000000000000000000001";
    sas.protocol = "https";
    return sas;
}

static void has(const char *query, const char *parameter)
{
    const char *framed = apr_pstrcat(pool, "&", query, "&", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(framed, apr_pstrcat(pool, "&", parameter, "&", NULL)));
}

static void test_service_read(void)
{
    azure_key_t key = key_of(0, 64);
    azure_sas_t sas = base_sas();
    const char *query;
    sas.identifier = "policy-1";
    sas.ip = "192.0.2.1-192.0.2.9";
    sas.cache_control = "private, max-age=60";
    sas.content_disposition = "attachment; filename=\"a b.pdf\"";
    sas.content_type = "application/pdf";
    CU_ASSERT_STRING_EQUAL(azure_sas_string_to_sign(&sas, pool),
                           "r\n2026-11-21T11:55:00Z\n2026-11-21T13:00:00Z\n"
                           "/blob/account1/files/a/ab/cd/abcd0000000000000000000000000001\npolicy-1\n"
                           "192.0.2.1-192.0.2.9\nhttps\n2023-11-03\nb\n\n\nprivate, max-age=60\n"
                           "attachment; filename=\"a b.pdf\"\n\n\napplication/pdf");
    query = azure_sas_query(&sas, &key, pool);
    has(query, "sv=2023-11-03");
    has(query, "sr=b");
    has(query, "sp=r");
    has(query, "st=2026-11-21T11%3A55%3A00Z");
    has(query, "se=2026-11-21T13%3A00%3A00Z");
    has(query, "si=policy-1");
    has(query, "sip=192.0.2.1-192.0.2.9");
    has(query, "spr=https");
    has(query, "rscc=private%2C%20max-age%3D60");
    has(query, "rscd=attachment%3B%20filename%3D%22a%20b.pdf%22");
    has(query, "rsct=application%2Fpdf");
    has(query, "sig=xAE8eOXalF8bOnUAtJkrjoSRKWenYiz68FKebZNxiYM%3D");
    CU_ASSERT_PTR_NULL(strstr(query, "ses="));
}

static void test_service_create(void)
{
    azure_key_t key = key_of(0, 64);
    azure_sas_t sas = base_sas();
    const char *query;
    sas.permissions = "c";
    sas.protocol = "https,http";
    sas.encryption_scope = "scope-1";
    query = azure_sas_query(&sas, &key, pool);
    has(query, "sp=c");
    has(query, "ses=scope-1");
    has(query, "spr=https%2Chttp");
    has(query, "sig=HnVe7q4fKe42e6yfJoOGPd6G2DY3zapfOLAVxXyHTNE%3D");
}

static void test_user_delegation_read(void)
{
    azure_key_t key = key_of(100, 32);
    azure_delegation_key_t delegation = {"oid-1",      "tid-1", "2026-11-21T11:50:00Z", "2026-11-28T11:50:00Z", "b",
                                         "2023-11-03", ""};
    azure_sas_t sas = base_sas();
    const char *query;
    sas.delegation = &delegation;
    sas.ip = "192.0.2.1";
    sas.content_disposition = "inline";
    sas.content_type = "text/plain";
    CU_ASSERT_STRING_EQUAL(azure_sas_string_to_sign(&sas, pool),
                           "r\n2026-11-21T11:55:00Z\n2026-11-21T13:00:00Z\n"
                           "/blob/account1/files/a/ab/cd/abcd0000000000000000000000000001\noid-1\ntid-1\n"
                           "2026-11-21T11:50:00Z\n2026-11-28T11:50:00Z\nb\n2023-11-03\n\n\n\n192.0.2.1\nhttps\n"
                           "2023-11-03\nb\n\n\n\ninline\n\n\ntext/plain");
    query = azure_sas_query(&sas, &key, pool);
    has(query, "skoid=oid-1");
    has(query, "sktid=tid-1");
    has(query, "skt=2026-11-21T11%3A50%3A00Z");
    has(query, "ske=2026-11-28T11%3A50%3A00Z");
    has(query, "sks=b");
    has(query, "skv=2023-11-03");
    has(query, "sig=zCnxmy%2BbrsS2OmsSdPRm9ygMKiHLoVHInLpsajIbjEA%3D");
}

/* ---- CRC-64 ---- */

static void test_checksums(void)
{
    const azure_crc64_t *tables = azure_crc64_create(pool);
    unsigned char bytes[1000];
    uint64_t whole;
    apr_size_t i;
    /* The check value that catalogues give for CRC-64/NVME. */
    CU_ASSERT_EQUAL(azure_crc64(tables, 0, "123456789", 9), 0xAE8B14860A799888u);
    CU_ASSERT_EQUAL(azure_crc64(tables, 0, "", 0), 0);
    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 7 + (i >> 3));
    }
    whole = azure_crc64(tables, 0, bytes, sizeof(bytes));
    for (i = 0; i <= sizeof(bytes); i += 13) {
        CU_ASSERT_EQUAL(azure_crc64(tables, azure_crc64(tables, 0, bytes, i), bytes + i, sizeof(bytes) - i), whole);
    }
    CU_ASSERT_STRING_EQUAL(azure_crc64_text(0xAE8B14860A799888u, pool), "iJh5CoYUi64=");
}

/* Multiplying without carry gives what the tables give, at any length and alignment. */
static void test_checksums_are_the_same_either_way(void)
{
    const azure_crc64_t *made = azure_crc64_create(pool);
    azure_crc64_t by_tables = *made;
    unsigned char bytes[1000];
    apr_size_t length;
    apr_size_t i;
    by_tables.folds = 0;
    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * i + (i >> 2));
    }
    for (length = 0; length <= sizeof(bytes) - 16; length++) {
        CU_ASSERT_EQUAL(azure_crc64(made, length * 31, bytes + length % 16, length),
                        azure_crc64(&by_tables, length * 31, bytes + length % 16, length));
    }
}

static const fhir_unit_test_t tests[] = {
    {"a PUT with headers", test_put_with_headers},
    {"a listing with parameters", test_list_with_parameters},
    {"an empty body, a condition", test_empty_body_and_condition},
    {"dates and escapes", test_dates_and_escapes},
    {"service SAS to read", test_service_read},
    {"service SAS to create", test_service_create},
    {"user delegation SAS to read", test_user_delegation_read},
    {"checksums", test_checksums},
    {"checksums are the same either way", test_checksums_are_the_same_either_way},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("azure_signing", tests)
