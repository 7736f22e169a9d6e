/* Random requests, signed by the signer of the s3 plugin, against a real S3 server: s3_requests [COUNT [SEED]],
 * with what tests/servers/with.sh says in the environment. All of COUNT must be accepted; each is a request of a kind
 * that a store makes, or could: odd keys, parameters and headers, signed in headers or in the URL, with a hash, without
 * one, or in signed chunks. Then one bit is changed in each part of such requests: the server must refuse them all, and
 * store nothing. */
#include "s3_requests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8
/* One request in so many is changed in all of its parts. */
#define CHANGED_OF 120
#define CHANGED_OF_UPLOADS 20
#define SHOWN 5

const char *const group_names[GROUPS] = {"signed in headers",
                                         "signed in the URL",
                                         "signed chunks",
                                         "read back",
                                         "method",
                                         "path",
                                         "host",
                                         "parameter",
                                         "header",
                                         "x-amz-date",
                                         "x-amz-content-sha256",
                                         "Authorization",
                                         "X-Amz-Algorithm",
                                         "X-Amz-Credential",
                                         "X-Amz-Date",
                                         "X-Amz-Expires",
                                         "X-Amz-SignedHeaders",
                                         "X-Amz-Signature",
                                         "payload",
                                         "chunk data",
                                         "chunk signature",
                                         "nothing stored",
                                         "wrong secret",
                                         "wrong time"};

static atomic_int tried[GROUPS];
static atomic_int wrong[GROUPS];
static atomic_int left;

server_t server;

/* ---- chance, the same for the same seed ---- */

unsigned chance(worker_t *worker, unsigned below)
{
    worker->state ^= worker->state << 13;
    worker->state ^= worker->state >> 7;
    worker->state ^= worker->state << 17;
    return (unsigned)((worker->state >> 11) % below);
}

static const char *odd_text(worker_t *worker, unsigned pieces)
{
    static const char *const odd[] = {"a",
                                      "Z",
                                      "0",
                                      "-",
                                      ".",
                                      "_",
                                      "~",
                                      " ",
                                      "  ",
                                      "+",
                                      "%",
                                      "%2F",
                                      "%20",
                                      "%zz",
                                      "/",
                                      "//",
                                      "..",
                                      "/../",
                                      "/./",
                                      "&",
                                      "=",
                                      "?",
                                      "#",
                                      "\"",
                                      "'",
                                      "(",
                                      ")",
                                      "*",
                                      "!",
                                      "@",
                                      ":",
                                      ";",
                                      ",",
                                      "$",
                                      "<",
                                      ">",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "|",
                                      "\\",
                                      "^",
                                      "`",
                                      "b-c",
                                      "b",
                                      "X-",
                                      "\xc3\xa4",
                                      "\xe1\x88\xb4",
                                      "\xf0\x9f\x98\x80"};
    apr_array_header_t *texts = apr_array_make(worker->pool, 8, sizeof(const char *));
    unsigned count = chance(worker, pieces + 1);
    while (count--) {
        APR_ARRAY_PUSH(texts, const char *) = odd[chance(worker, sizeof(odd) / sizeof(odd[0]))];
    }
    return apr_array_pstrcat(worker->pool, texts, 0);
}

static const char *new_path(worker_t *worker)
{
    return apr_psprintf(worker->pool, "/%s/%s%08x%s", server.bucket, odd_text(worker, 6), chance(worker, 1u << 31),
                        odd_text(worker, 12));
}

/* ---- random requests ---- */

void add_header(apr_array_header_t *headers, const char *name, const char *value)
{
    fhir_http_header_t *header = apr_array_push(headers);
    header->name = name;
    header->value = value;
}

static void add_parameter(s3_request_t *request, const char *name, const char *value)
{
    s3_parameter_t *parameter = apr_array_push(request->parameters);
    parameter->name = name;
    parameter->value = value;
}

static void add_odd_headers(worker_t *worker, s3_request_t *request)
{
    static const char *const values[] = {"x",       "two  words", " at both ends  ", "a, b;c=\"d   e\"",
                                         "%41+%20", "~!@#$^&*()"};
    unsigned count = chance(worker, 4);
    unsigned i;
    for (i = 0; i < count; i++) {
        const char *name = apr_psprintf(worker->pool, "%s-%c%u", chance(worker, 2) ? "x-amz-meta" : "X-Other",
                                        (char)('A' + (char)chance(worker, 26)), i);
        add_header(request->headers, name, values[chance(worker, 6)]);
    }
}

static void add_odd_parameters(worker_t *worker, s3_request_t *request)
{
    unsigned count = chance(worker, 4);
    unsigned i;
    for (i = 0; i < count; i++) { /* "q1" begins "q1-" and "q1=": names are sorted before values */
        const char *name = apr_psprintf(worker->pool, "q%u%s", i % 2, i < 2 ? "" : odd_text(worker, 3));
        int twice = i >= 2 && (!strcmp(name, "q0") || !strcmp(name, "q1"));
        if (!twice) {
            add_parameter(request, name, chance(worker, 4) ? odd_text(worker, 5) : NULL);
        }
    }
}

static void make_list(worker_t *worker, random_request_t *made)
{
    made->request.method = "GET";
    made->request.path = apr_psprintf(worker->pool, "/%s%s", server.bucket, chance(worker, 2) ? "/" : "");
    add_parameter(&made->request, "prefix", odd_text(worker, 4));
    if (chance(worker, 2)) {
        add_parameter(&made->request, "list-type", "2");
    }
    if (chance(worker, 2)) {
        add_parameter(&made->request, "delimiter", "/");
    }
    add_parameter(&made->request, "max-keys", "3");
}

static void make_put(worker_t *worker, random_request_t *made, int chunks)
{
    apr_size_t i;
    char *body;
    made->request.method = "PUT";
    made->length = chance(worker, chunks ? 40000 : 5000);
    made->body = body = apr_palloc(worker->pool, made->length + 1);
    for (i = 0; i < made->length; i++) {
        body[i] = (char)chance(worker, 256);
    }
    if (chance(worker, 2)) {
        add_header(made->request.headers, "Content-Type", "application/x-test; a=\"b\"");
    }
}

static void make_read(worker_t *worker, random_request_t *made, unsigned kind)
{
    made->request.method = kind < 8 ? "GET" : kind < 14 ? "HEAD" : "DELETE";
    if (*worker->stored && chance(worker, 3)) {
        made->request.path = worker->stored;
    }
    if (kind < 8 && chance(worker, 3) == 0) {
        add_header(made->request.headers, "Range", "bytes=0-9");
    }
    if (kind < 8 && chance(worker, 4) == 0) {
        add_parameter(&made->request, "response-content-disposition", "attachment; filename=\"a b+c%20.dcm\"");
    }
}

void make_request(worker_t *worker, random_request_t *made)
{
    unsigned kind = chance(worker, 20); /* 0 to 7 GET, to 13 HEAD, to 16 DELETE, 17 a list, 18 and 19 PUT */
    int chunks = kind == 19;
    memset(made, 0, sizeof(*made));
    made->presigned = !chunks && chance(worker, 2);
    made->request.scheme = server.scheme;
    made->request.host = server.host;
    made->request.path = new_path(worker);
    made->request.parameters = apr_array_make(worker->pool, 16, sizeof(s3_parameter_t));
    made->request.headers = apr_array_make(worker->pool, 16, sizeof(fhir_http_header_t));
    made->chunked = chunks;
    if (kind < 17) {
        make_read(worker, made, kind);
    } else if (kind == 17) {
        make_list(worker, made);
    } else {
        make_put(worker, made, chunks);
    }
    add_odd_parameters(worker, &made->request);
    add_odd_headers(worker, &made->request);
}

/* ---- signing and sending ---- */

static fhir_error_t *frame_chunks(worker_t *worker, random_request_t *made, const s3_signer_t *signer, const char *seed)
{
    s3_chunk_signer_t chunks;
    apr_size_t room = (apr_size_t)s3_chunked_length((apr_off_t)made->length, CHUNK_SIZE);
    char *end = apr_palloc(worker->pool, room + S3_CHUNK_HEADER_MAX);
    apr_size_t done = 0;
    apr_size_t part;
    FHIR_TRY(s3_chunk_signer_init(&chunks, signer, seed, worker->pool));
    made->sent_body = end;
    do {
        part = made->length - done < CHUNK_SIZE ? made->length - done : CHUNK_SIZE;
        end += s3_chunk_header(end, &chunks, made->body + done, part);
        memcpy(end, made->body + done, part);
        memcpy(end + part, "\r\n", 2);
        end += part + 2;
        done += part;
    } while (part);
    made->sent_length = room;
    return end == made->sent_body + room ? NULL : fhir_error_public(worker->pool, FHIR_ERROR_INTERNAL, "wrong length");
}

static const char *payload_of(worker_t *worker, const random_request_t *made)
{
    char *hash = apr_palloc(worker->pool, S3_SHA256_HEX_LENGTH + 1);
    if (made->chunked) {
        return S3_STREAMING_PAYLOAD;
    }
    if (made->presigned || chance(worker, 4) == 0) {
        return S3_UNSIGNED_PAYLOAD;
    }
    s3_sha256_hex(hash, made->body, made->length);
    return hash;
}

fhir_error_t *sign(worker_t *worker, random_request_t *made, const char *secret, apr_time_t now)
{
    s3_signer_t signer = {{server.access_key, secret, NULL, 0}, "eu-central-1", "s3", now};
    const char *seed;
    made->sent_body = made->body;
    made->sent_length = made->length;
    if (made->chunked) {
        add_header(made->request.headers, "Content-Encoding", "aws-chunked");
        add_header(made->request.headers, "x-amz-decoded-content-length",
                   apr_psprintf(worker->pool, "%" APR_SIZE_T_FMT, made->length));
    }
    made->request.payload_sha256 = payload_of(worker, made);
    if (made->presigned) {
        return s3_presign_url(&made->url, &made->request, &signer, 900, worker->pool);
    }
    FHIR_TRY(s3_sign_headers(&seed, &made->request, &signer, worker->pool));
    made->url = s3_request_url(&made->request, worker->pool);
    return made->chunked ? frame_chunks(worker, made, &signer, seed) : NULL;
}

int send_request(worker_t *worker, const random_request_t *made, fhir_http_response_t *response)
{
    fhir_http_request_t request = {made->request.method, made->url, made->request.headers, made->sent_body,
                                   made->sent_length};
    fhir_store_call_t call = {0};
    fhir_error_t *error;
    call.result_pool = worker->pool;
    call.scratch_pool = worker->pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
    if (strcmp(request.method, "PUT")) {
        request.body = NULL;
        request.body_length = 0;
    }
    error = fhir_http_call(response, server.client, &request, 1 << 20, &call);
    if (error) {
        printf("%s: %s (%s)\n", made->request.method, error->public_text, error->detail ? error->detail : "");
        return 0;
    }
    return response->status;
}

/* ---- counting ---- */

void count(group_t group, int good, const random_request_t *made, const fhir_http_response_t *response)
{
    atomic_fetch_add(&tried[group], 1);
    if (!good && atomic_fetch_add(&wrong[group], 1) < SHOWN) {
        int i;
        printf("%s: status %d for %s %s\n%.400s\n", group_names[group], response->status, made->request.method,
               made->url, response->body ? response->body : "");
        for (i = 0; i < made->request.headers->nelts; i++) {
            const fhir_http_header_t *header = &APR_ARRAY_IDX(made->request.headers, i, fhir_http_header_t);
            printf("  %s: %s\n", header->name, header->value);
        }
    }
}

/* The signature was right, whatever the server then found. */
static int is_accepted(int status)
{
    return status == 200 || status == 204 || status == 206 || status == 404 || status == 416;
}

/* Whatever is done with what was refused, 404 would mean that the signature was taken. */
int is_refused(int status)
{
    return status == 400 || status == 401 || status == 403 || status == 405 || status == 411 || status == 501;
}

static void read_back(worker_t *worker, const random_request_t *put)
{
    random_request_t made = *put;
    fhir_http_response_t response = {0};
    fhir_error_t *error;
    made.request.method = "GET";
    made.request.parameters = apr_array_make(worker->pool, 8, sizeof(s3_parameter_t));
    made.request.headers = apr_array_make(worker->pool, 8, sizeof(fhir_http_header_t));
    made.body = "";
    made.length = 0;
    made.chunked = 0;
    error = sign(worker, &made, server.secret, apr_time_now());
    count(READ_BACK,
          !error && send_request(worker, &made, &response) == 200 && response.body_length == put->length &&
              !memcmp(response.body, put->body, put->length),
          &made, &response);
}

static void one_request(worker_t *worker)
{
    random_request_t made;
    fhir_http_response_t response = {0};
    int status;
    make_request(worker, &made);
    if (chance(worker, strcmp(made.request.method, "PUT") ? CHANGED_OF : CHANGED_OF_UPLOADS) == 0) {
        change_every_part(worker, &made);
    }
    if (sign(worker, &made, server.secret, apr_time_now())) {
        count(SIGNED_HEADERS, 0, &made, &response);
        return;
    }
    status = send_request(worker, &made, &response);
    count(made.chunked     ? SIGNED_CHUNKS
          : made.presigned ? SIGNED_URL
                           : SIGNED_HEADERS,
          is_accepted(status), &made, &response);
    if (status == 200 && !strcmp(made.request.method, "PUT")) {
        apr_cpystrn(worker->stored, made.request.path, sizeof(worker->stored));
        if (chance(worker, 3) == 0) {
            read_back(worker, &made);
        }
    }
}

/* ---- the run ---- */

static void *work(void *data)
{
    worker_t *worker = data;
    while (atomic_fetch_sub(&left, 1) > 0) {
        apr_pool_clear(worker->pool);
        one_request(worker);
    }
    return NULL;
}

static void run_all(unsigned long seed)
{
    pthread_t threads[THREADS];
    static worker_t workers[THREADS];
    int i;
    for (i = 0; i < THREADS; i++) {
        workers[i].state = (seed * THREADS + (unsigned long)i + 1) * 0x9e3779b97f4a7c15u;
        apr_pool_create(&workers[i].pool, NULL);
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        apr_pool_destroy(workers[i].pool);
    }
}

static int make_bucket(worker_t *worker)
{
    random_request_t made = {0};
    fhir_http_response_t response = {0};
    made.request.method = "PUT";
    made.request.scheme = server.scheme;
    made.request.host = server.host;
    made.request.path = apr_pstrcat(worker->pool, "/", server.bucket, NULL);
    made.request.headers = apr_array_make(worker->pool, 8, sizeof(fhir_http_header_t));
    made.body = "";
    if (sign(worker, &made, server.secret, apr_time_now()) || send_request(worker, &made, &response) != 200) {
        printf("no bucket: status %d %s\n", response.status, response.body ? response.body : "");
        return 0;
    }
    return 1;
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value) {
        printf("%s is not set: run this by tests/servers/with.sh radosgw -- s3_requests\n", name);
        printf("conformance s3 requests: 0 passed, 1 failed\n");
        exit(EXIT_FAILURE);
    }
    return value;
}

static int open_server(apr_pool_t *pool)
{
    fhir_http_config_t config = {NULL, apr_time_from_sec(5), apr_time_from_sec(20), THREADS};
    const char *endpoint = setting("FHIR_TEST_S3_ENDPOINT");
    const char *host = strstr(endpoint, "://");
    worker_t worker = {pool, 1, ""};
    if (!host) {
        return 0;
    }
    server.scheme = apr_pstrndup(pool, endpoint, (apr_size_t)(host - endpoint));
    server.host = apr_pstrndup(pool, host + 3, strcspn(host + 3, "/"));
    server.access_key = setting("FHIR_TEST_S3_ACCESS_KEY");
    server.secret = setting("FHIR_TEST_S3_SECRET_KEY");
    server.bucket = apr_psprintf(pool, "requests-%" APR_TIME_T_FMT, apr_time_now());
    fhir_http_initialize();
    return !fhir_http_client_create(&server.client, &config, pool) && make_bucket(&worker);
}

/* Each group is one test. A group in which nothing was tried has failed. */
static int report(apr_time_t begin, int enough)
{
    int passed = 0;
    int i;
    printf("%d requests accepted of %d in %d s\n",
           tried[SIGNED_HEADERS] + tried[SIGNED_URL] + tried[SIGNED_CHUNKS] - wrong[SIGNED_HEADERS] -
               wrong[SIGNED_URL] - wrong[SIGNED_CHUNKS],
           tried[SIGNED_HEADERS] + tried[SIGNED_URL] + tried[SIGNED_CHUNKS], (int)apr_time_sec(apr_time_now() - begin));
    for (i = 0; i < GROUPS; i++) {
        passed += !wrong[i] && (tried[i] || !enough);
        if (i > READ_BACK || wrong[i] || !tried[i]) {
            printf("  %-22s %5d tried, %d wrong\n", group_names[i], tried[i], wrong[i]);
        }
    }
    printf("conformance s3 requests: %d passed, %d failed\n", passed, GROUPS - passed);
    return passed == GROUPS;
}

int main(int argc, const char *const *argv)
{
    apr_pool_t *pool;
    apr_time_t begin = apr_time_now();
    unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 10) : (unsigned long)begin;
    int good;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    left = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 10000;
    good = left;
    if (!open_server(pool)) {
        printf("the server can't be used\nconformance s3 requests: 0 passed, 1 failed\n");
        return EXIT_FAILURE;
    }
    printf("seed %lu\n", seed);
    run_all(seed);
    good = report(begin, good >= 1000);
    fhir_http_client_close(server.client);
    apr_terminate();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
