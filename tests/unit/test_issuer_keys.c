/* Keys of outside issuers, from files and from a tiny HTTP server of this test; and the HTTP client below them. */
#include "core/app/issuer_keys.h"
#include "core/fetch/fetch.h"
#include "jws_vectors.h"
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW apr_time_from_sec(1800000000)
#define SECOND apr_time_from_sec(1)
#define MINUTE apr_time_from_sec(60)
#define HOUR apr_time_from_sec(3600)
#define ISSUER "https://issuer.example.org"

static const char set_a[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":"
                            "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
                            "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
static const char set_b[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"b\",\"x\":"
                            "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

/* ---- a log that counts ---- */
static atomic_int warnings;

static void count_line(void *baton, fhir_log_level_t level, apr_status_t status, const char *text)
{
    (void)baton;
    (void)status;
    (void)text;
    warnings += level <= FHIR_LOG_WARNING;
}

static const fhir_log_t counting_log = {count_line, NULL, FHIR_LOG_INFO};

/* ---- a server that gives one answer per connection ---- */
typedef struct server_t {
    int listening;
    int port;
    pthread_t thread;
    _Atomic(const char *) answer; /* the whole answer; NULL: accept and say nothing */
    atomic_int delay_ms;
    atomic_int requests;
    atomic_int stop;
} server_t;

static server_t server;

static void pause_ms(int milliseconds)
{
    apr_sleep(milliseconds * (apr_interval_time_t)1000);
}

static void send_all(int connection, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t sent = send(connection, text, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        text += sent;
        length -= (size_t)sent;
    }
}

static void answer_one(server_t *self, int connection)
{
    char request[4096];
    if (recv(connection, request, sizeof(request), 0) > 0) {
        self->requests++;
        pause_ms(self->delay_ms);
        if (self->answer) {
            send_all(connection, self->answer);
        }
    }
    close(connection);
}

static void *serve(void *data)
{
    server_t *self = data;
    while (!self->stop) {
        struct pollfd ready = {.fd = self->listening, .events = POLLIN};
        int connection = poll(&ready, 1, 50) == 1 ? accept(self->listening, NULL, NULL) : -1;
        if (connection >= 0) {
            answer_one(self, connection);
        }
    }
    return NULL;
}

static void server_start(const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    memset(&server, 0, sizeof(server));
    server.answer = answer;
    server.listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(server.listening, (struct sockaddr *)&address, length), 0);
    CU_ASSERT_EQUAL_FATAL(listen(server.listening, 16), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(server.listening, (struct sockaddr *)&address, &length), 0);
    server.port = ntohs(address.sin_port);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&server.thread, NULL, serve, &server), 0);
}

static void server_stop(void)
{
    server.stop = 1;
    pthread_join(server.thread, NULL);
    close(server.listening);
}

static const char *http_answer(const char *status, const char *extra, const char *body)
{
    return apr_psprintf(pool, "HTTP/1.1 %s\r\nContent-Length: %lu\r\n%sConnection: close\r\n\r\n%s", status,
                        (unsigned long)strlen(body), extra, body);
}

static const char *server_url(void)
{
    return apr_psprintf(pool, "http://127.0.0.1:%d/jwks", server.port);
}

/* ---- files ---- */
static const char *file_path;

static void write_to(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(file >= 0);
    CU_ASSERT_EQUAL(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

static void write_file(const char *text)
{
    write_to(file_path, text);
}

static void file_start(const char *text)
{
    char *name = apr_pstrdup(pool, "/tmp/fhir_issuer_keys_XXXXXX");
    int file = mkstemp(name);
    CU_ASSERT_FATAL(file >= 0);
    close(file);
    file_path = name;
    write_file(text);
}

/* ---- the cache ---- */
static fhir_issuer_keys_t *cache_of(const char *jwks)
{
    apr_array_header_t *issuers = apr_array_make(pool, 2, sizeof(fhir_trusted_issuer_t));
    fhir_trusted_issuer_t other = {"https://other.example.org", "aud", "/nonexistent/jwks.json", "ES256"};
    fhir_trusted_issuer_t trusted = {ISSUER, "aud", jwks, "ES256"};
    fhir_issuer_keys_t *cache = NULL;
    APR_ARRAY_PUSH(issuers, fhir_trusted_issuer_t) = other;
    APR_ARRAY_PUSH(issuers, fhir_trusted_issuer_t) = trusted;
    warnings = 0;
    FHIR_ASSERT_OK(fhir_issuer_keys_create(&cache, issuers, &counting_log, pool));
    return cache;
}

/* The id ("a", "b") of the key that the cache gives; "" if none of these; "-" if it gives no set. */
static const char *key_given(fhir_issuer_keys_t *cache, const char *key_id, apr_time_t now)
{
    apr_pool_t *request_pool = NULL;
    const fhir_jwk_set_t *set = NULL;
    const char *given = "-";
    fhir_error_t *error;
    apr_pool_create(&request_pool, pool);
    error = fhir_issuer_keys_get(&set, cache, ISSUER, key_id, now, request_pool);
    if (!error) {
        given = fhir_jwk_set_has(set, "a") ? "a" : fhir_jwk_set_has(set, "b") ? "b" : "";
    } else {
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_UNAVAILABLE);
        CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_AFTER);
        CU_ASSERT_PTR_NULL(set);
    }
    apr_pool_destroy(request_pool);
    return given;
}

static void gives(fhir_issuer_keys_t *cache, const char *key_id, apr_time_t now, const char *expected)
{
    CU_ASSERT_STRING_EQUAL(key_given(cache, key_id, now), expected);
}

static void test_unknown_issuer(void)
{
    fhir_issuer_keys_t *cache = cache_of("/nonexistent");
    fhir_issuer_keys_t *empty = NULL;
    const fhir_jwk_set_t *set;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_issuer_keys_get(&set, cache, "https://x", NULL, NOW, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_issuer_keys_get(&set, cache, ISSUER "/", NULL, NOW, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_issuer_keys_get(&set, cache, NULL, NULL, NOW, pool));
    FHIR_ASSERT_OK(fhir_issuer_keys_create(&empty, NULL, NULL, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAUTHENTICATED, fhir_issuer_keys_get(&set, empty, ISSUER, NULL, NOW, pool));
}

static void test_file(void)
{
    fhir_issuer_keys_t *cache;
    file_start(set_a);
    cache = cache_of(file_path);
    gives(cache, "a", NOW, "a");
    gives(cache, NULL, NOW, "a");
    gives(cache, "unknown", NOW, "a");
    write_file(set_b);
    gives(cache, "b", NOW + SECOND / 2, "a"); /* looked at once a second */
    gives(cache, "b", NOW + SECOND, "b");
    CU_ASSERT_EQUAL(warnings, 0);
    unlink(file_path);
}

static void test_broken_file(void)
{
    fhir_issuer_keys_t *cache;
    file_start(set_a);
    cache = cache_of(file_path);
    gives(cache, "a", NOW, "a");
    write_file("{\"keys\":[");
    gives(cache, "a", NOW + SECOND, "a");
    gives(cache, "a", NOW + 2 * SECOND, "a");
    CU_ASSERT_EQUAL(warnings, 1); /* not one a second */
    gives(cache, "a", NOW + 2 * MINUTE, "a");
    CU_ASSERT_EQUAL(warnings, 2);
    unlink(file_path);
    gives(cache, "a", NOW + 23 * HOUR, "a");
    gives(cache, "a", NOW + 25 * HOUR, "-");
    write_file(set_b);
    gives(cache, "b", NOW + 26 * HOUR, "b");
    write_file("");
    gives(cache, "b", NOW + 27 * HOUR, "b");
    unlink(file_path);
}

static void test_file_that_never_was(void)
{
    fhir_issuer_keys_t *cache = cache_of("/nonexistent/jwks.json");
    gives(cache, NULL, NOW, "-");
    gives(cache, NULL, NOW + SECOND, "-");
    CU_ASSERT_EQUAL(warnings, 1);
}

static void test_large_file(void)
{
    char *text = apr_palloc(pool, 1024 * 1024 + 2);
    fhir_issuer_keys_t *cache;
    memset(text, ' ', 1024 * 1024 + 1);
    memcpy(text, set_a, strlen(set_a));
    text[1024 * 1024 + 1] = '\0';
    file_start(text);
    cache = cache_of(file_path);
    gives(cache, "a", NOW, "-");
    text[1024 * 1024] = '\0';
    write_file(text);
    gives(cache, "a", NOW + SECOND, "a");
    unlink(file_path);
}

static void test_url(void)
{
    fhir_issuer_keys_t *cache;
    server_start(http_answer("200 OK", "", set_a));
    cache = cache_of(server_url());
    gives(cache, "a", NOW, "a");
    gives(cache, "a", NOW + 9 * MINUTE, "a");
    gives(cache, NULL, NOW + 9 * MINUTE, "a");
    CU_ASSERT_EQUAL(server.requests, 1);
    server.answer = http_answer("200 OK", "", set_b);
    gives(cache, "a", NOW + 10 * MINUTE, "b");
    CU_ASSERT_EQUAL(server.requests, 2);
    server_stop();
}

static void test_url_unknown_key(void)
{
    fhir_issuer_keys_t *cache;
    server_start(http_answer("200 OK", "", set_a));
    cache = cache_of(server_url());
    gives(cache, "a", NOW, "a");
    server.answer = http_answer("200 OK", "", set_b);
    gives(cache, "b", NOW + 59 * SECOND, "a"); /* at most once a minute */
    CU_ASSERT_EQUAL(server.requests, 1);
    gives(cache, "b", NOW + MINUTE, "b");
    CU_ASSERT_EQUAL(server.requests, 2);
    gives(cache, "never", NOW + MINUTE + SECOND, "b");
    gives(cache, "never", NOW + 2 * MINUTE, "b");
    gives(cache, "never", NOW + 2 * MINUTE + SECOND, "b");
    CU_ASSERT_EQUAL(server.requests, 3);
    server_stop();
}

static void test_url_failures(void)
{
    fhir_issuer_keys_t *cache;
    server_start(http_answer("503 Service Unavailable", "", set_a));
    cache = cache_of(server_url());
    gives(cache, "a", NOW, "-");
    gives(cache, "a", NOW + SECOND, "-");
    CU_ASSERT_EQUAL(server.requests, 1); /* a dead issuer is not asked for every request */
    server.answer = http_answer("200 OK", "", set_a);
    gives(cache, "a", NOW + 10 * SECOND, "a");
    server.answer = http_answer("200 OK", "", "no set");
    gives(cache, "a", NOW + 20 * MINUTE, "a");
    gives(cache, "a", NOW + 20 * MINUTE + SECOND, "a");
    CU_ASSERT_EQUAL(server.requests, 3);
    gives(cache, "a", NOW + 21 * MINUTE, "a");
    CU_ASSERT_EQUAL(server.requests, 4);
    gives(cache, "a", NOW + 24 * HOUR, "a");
    gives(cache, "a", NOW + 24 * HOUR + 11 * SECOND, "-");
    CU_ASSERT(warnings >= 3);
    server_stop();
}

static void fetch_fails(fhir_error_code_t code, const fhir_fetch_options_t *options)
{
    const char *body;
    apr_size_t length;
    FHIR_ASSERT_ERROR(code, fhir_fetch_get(&body, &length, server_url(), options, pool));
    CU_ASSERT_PTR_NULL(body);
}

static void test_fetch(void)
{
    const fhir_fetch_options_t small = {.max_length = 100};
    const fhir_fetch_options_t hasty = {.total_timeout = 200 * 1000};
    const char *body = NULL;
    apr_size_t length = 0;
    server_start(http_answer("200 OK", "", "hello"));
    FHIR_ASSERT_OK(fhir_fetch_global_init(pool));
    FHIR_ASSERT_OK(fhir_fetch_global_init(pool));
    FHIR_ASSERT_OK(fhir_fetch_get(&body, &length, server_url(), NULL, pool));
    CU_ASSERT_EQUAL(length, 5);
    CU_ASSERT_STRING_EQUAL(body ? body : "", "hello");
    server.answer = http_answer("404 Not Found", "", "hello");
    fetch_fails(FHIR_ERROR_UNAVAILABLE, NULL);
    server.answer = http_answer("302 Found", "Location: /jwks\r\n", "hello");
    server.requests = 0;
    fetch_fails(FHIR_ERROR_UNAVAILABLE, NULL);
    CU_ASSERT_EQUAL(server.requests, 1); /* not followed */
    server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nshort";
    fetch_fails(FHIR_ERROR_UNAVAILABLE, NULL);
    server.answer = NULL;
    fetch_fails(FHIR_ERROR_UNAVAILABLE, NULL);
    server.answer = http_answer("200 OK", "", set_a);
    fetch_fails(FHIR_ERROR_TOO_LARGE, &small);
    server.answer = apr_pstrcat(pool, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", set_a, NULL);
    fetch_fails(FHIR_ERROR_TOO_LARGE, &small);
    server.delay_ms = 600;
    fetch_fails(FHIR_ERROR_TIMEOUT, &hasty);
    server_stop();
    fetch_fails(FHIR_ERROR_UNAVAILABLE, NULL);
}

static void test_fetch_urls(void)
{
    static const char *const good[] = {"https://issuer.example.org/jwks",
                                       "https://192.0.2.1:8443/a?b=c",
                                       "http://127.0.0.1/jwks",
                                       "http://127.1.2.3:80/",
                                       "http://localhost:8080/",
                                       "http://LOCALHOST/",
                                       "http://[::1]:8080/",
                                       "HTTPS://issuer.example.org/"};
    static const char *const bad[] = {"",
                                      "x",
                                      "/etc/passwd",
                                      "file:///etc/passwd",
                                      "ftp://127.0.0.1/",
                                      "gopher://127.0.0.1/",
                                      "http://issuer.example.org/",
                                      "http://127.0.0.1.example.org/",
                                      "http://127.example.org/",
                                      "http://128.0.0.1/",
                                      "http://localhost.example.org/",
                                      "http://[::2]/",
                                      "http://10.0.0.1/",
                                      "https://user@issuer.example.org/",
                                      "https://user:pass@issuer.example.org/",
                                      "http://127.0.0.1@issuer.example.org/",
                                      "issuer.example.org",
                                      "https://"};
    apr_size_t i;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        FHIR_ASSERT_OK(fhir_fetch_check_url(good[i], pool));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *body;
        apr_size_t length;
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_fetch_check_url(bad[i], pool));
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_fetch_get(&body, &length, bad[i], NULL, pool));
    }
}

/* A set stays usable for the request that holds it, though the cache has moved on. */
static void test_set_outlives_refresh(void)
{
    fhir_issuer_keys_t *cache;
    const fhir_jwk_set_t *held = NULL;
    apr_pool_t *request_pool = NULL;
    file_start(vector_set);
    cache = cache_of(file_path);
    apr_pool_create(&request_pool, pool);
    FHIR_ASSERT_OK(fhir_issuer_keys_get(&held, cache, ISSUER, NULL, NOW, request_pool));
    write_file(set_b);
    gives(cache, "b", NOW + SECOND, "b");
    CU_ASSERT_TRUE(fhir_jwk_set_has(held, "rsa"));
    apr_pool_destroy(request_pool);
    gives(cache, "b", NOW + 2 * SECOND, "b");
    unlink(file_path);
}

static atomic_int thread_failures;

static void *get_often(void *data)
{
    fhir_issuer_keys_t *cache = data;
    apr_pool_t *own = NULL;
    int i;
    apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    for (i = 0; i < 300; i++) {
        const fhir_jwk_set_t *set = NULL;
        const char *payload;
        if (fhir_issuer_keys_get(&set, cache, ISSUER, "p256", NOW + i * SECOND, own) ||
            fhir_jws_verify(&payload, vector_tokens[6].token, set, "ES256", own)) {
            thread_failures++;
        }
        apr_pool_clear(own);
    }
    apr_pool_destroy(own);
    return NULL;
}

static void run_threads(fhir_issuer_keys_t *cache)
{
    pthread_t threads[4];
    int i;
    thread_failures = 0;
    for (i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, get_often, cache), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    CU_ASSERT_EQUAL(thread_failures, 0);
}

/* All threads start with nothing: one fetches, the others wait for it. */
static void test_threads_on_url(void)
{
    server_start(http_answer("200 OK", "", vector_set));
    server.delay_ms = 100;
    run_threads(cache_of(server_url()));
    CU_ASSERT_EQUAL(server.requests, 1);
    server_stop();
}

static void *rewrite(void *data)
{
    atomic_int *stop = data;
    char fresh[64];
    snprintf(fresh, sizeof(fresh), "%s.new", file_path);
    while (!*stop) {
        write_to(fresh, vector_set);
        rename(fresh, file_path);
        pause_ms(1);
    }
    return NULL;
}

static void test_threads_on_changing_file(void)
{
    atomic_int stop = 0;
    pthread_t writer;
    file_start(vector_set);
    CU_ASSERT_EQUAL(pthread_create(&writer, NULL, rewrite, &stop), 0);
    run_threads(cache_of(apr_pstrdup(pool, file_path)));
    stop = 1;
    pthread_join(writer, NULL);
    unlink(file_path);
}

static const fhir_unit_test_t tests[] = {{"unknown issuer", test_unknown_issuer},
                                         {"file", test_file},
                                         {"broken file", test_broken_file},
                                         {"file that never was", test_file_that_never_was},
                                         {"large file", test_large_file},
                                         {"URL", test_url},
                                         {"URL, unknown key", test_url_unknown_key},
                                         {"URL, failures", test_url_failures},
                                         {"fetch", test_fetch},
                                         {"fetch, URLs", test_fetch_urls},
                                         {"a set outlives a refresh", test_set_outlives_refresh},
                                         {"threads on an URL", test_threads_on_url},
                                         {"threads on a changing file", test_threads_on_changing_file},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("issuer_keys", tests)
