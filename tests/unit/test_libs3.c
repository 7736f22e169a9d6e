/* The libs3 plugin: what it refuses to be configured with, and servers that are silent, break off or lie. What it does
 * on a real server is the conformance suite's matter. */
#include "tests/unit/unit.h"

#include "storage-plugins/libs3/libs3_store.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define LOCATOR "01/23/" KEY
#define SIZE 700000 /* more than one block */

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

/* ---- a server for one test ---- */

typedef enum behaviour_t {
    RIGHT,
    SILENT,     /* to everything */
    GET_SILENT, /* after half of the block */
    GET_SHORT,  /* the connection is closed after half of the block */
    GET_WHOLE,  /* the range is not looked at */
    GET_OTHER,  /* has another ETag from the second block on */
    GET_GONE,   /* 404 from the second block on */
    THROTTLED,
    BROKEN, /* 500 */
    NO_BUCKET,
    REFUSED, /* 403 */
    PUT_DROPPED,
    GARBAGE
} behaviour_t;

typedef struct server_t {
    int listener;
    int port;
    behaviour_t behaviour;
    atomic_int stop;
    atomic_int requests;
    atomic_int peers;
    atomic_int puts;
    pthread_t thread;
} server_t;

static server_t server;

static int wait_for_input(int peer)
{
    struct pollfd one = {peer, POLLIN, 0};
    while (!atomic_load(&server.stop)) {
        if (poll(&one, 1, 20) > 0) {
            return 1;
        }
    }
    return 0;
}

static void say(int peer, const char *text)
{
    (void)!send(peer, text, strlen(text), MSG_NOSIGNAL);
}

static void say_error(int peer, const char *head, const char *status, const char *code)
{
    char body[200];
    char answer[400];
    snprintf(body, sizeof(body), "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>m</Message></Error>", code);
    snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nContent-Type: application/xml\r\nContent-Length: %zu\r\n\r\n%s",
             status, strlen(body), strncmp(head, "HEAD", 4) ? body : "");
    say(peer, answer);
}

static void say_bytes(int peer, apr_off_t count)
{
    static const char bytes[4096];
    while (count > 0) {
        size_t length = count < (apr_off_t)sizeof(bytes) ? (size_t)count : sizeof(bytes);
        if (send(peer, bytes, length, MSG_NOSIGNAL) < 0) {
            return;
        }
        count -= (apr_off_t)length;
    }
}

/* 0: the connection ends. */
static int answer_get(int peer, const char *head)
{
    const char *range = strstr(head, "Range: bytes=");
    long first = 0;
    long last = SIZE - 1;
    char answer[300];
    if (range && server.behaviour != GET_WHOLE) {
        (void)!sscanf(range, "Range: bytes=%ld-%ld", &first, &last);
    }
    if (first > 0 && server.behaviour == GET_GONE) {
        say_error(peer, head, "404 Not Found", "NoSuchKey");
        return 1;
    }
    snprintf(answer, sizeof(answer), "HTTP/1.1 206 Partial Content\r\nETag: \"%s\"\r\nContent-Length: %ld\r\n\r\n",
             first > 0 && server.behaviour == GET_OTHER ? "other" : "one", last - first + 1);
    say(peer, answer);
    if (server.behaviour == GET_SHORT || server.behaviour == GET_SILENT) {
        say_bytes(peer, (last - first + 1) / 2);
        while (server.behaviour == GET_SILENT && !atomic_load(&server.stop)) {
            usleep(10000);
        }
        return 0;
    }
    say_bytes(peer, last - first + 1);
    return 1;
}

static int answer_put(int peer)
{
    atomic_fetch_add(&server.puts, 1);
    if (server.behaviour == PUT_DROPPED) {
        return 0;
    }
    say(peer, "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: 0\r\n\r\n");
    return 1;
}

static int answer(int peer, const char *head)
{
    char text[200];
    atomic_fetch_add(&server.requests, 1);
    switch (server.behaviour) {
    case SILENT:
        while (!atomic_load(&server.stop)) {
            usleep(10000);
        }
        return 0;
    case THROTTLED:
        say_error(peer, head, "503 Slow Down", "SlowDown");
        return 1;
    case BROKEN:
        say_error(peer, head, "500 Internal Server Error", "InternalError");
        return 1;
    case NO_BUCKET:
        say_error(peer, head, "404 Not Found", "NoSuchBucket");
        return 1;
    case REFUSED:
        say_error(peer, head, "403 Forbidden", "SignatureDoesNotMatch");
        return 1;
    case GARBAGE:
        say(peer, "220 smtp.example.org\r\n");
        return 0;
    default:
        break;
    }
    if (!strncmp(head, "HEAD", 4)) {
        if (server.behaviour == PUT_DROPPED) {
            say_error(peer, head, "404 Not Found", "NoSuchKey");
            return 1;
        }
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: %d\r\n\r\n", SIZE);
        say(peer, text);
        return 1;
    }
    if (!strncmp(head, "PUT", 3)) {
        return answer_put(peer);
    }
    if (!strncmp(head, "DELETE", 6)) {
        say(peer, "HTTP/1.1 204 No Content\r\n\r\n");
        return 1;
    }
    return answer_get(peer, head);
}

static void *serve(void *baton)
{
    int peer = *(int *)baton;
    char head[8192];
    free(baton);
    for (;;) {
        size_t length = 0;
        ssize_t got = 0;
        head[0] = '\0';
        while (!strstr(head, "\r\n\r\n") && length < sizeof(head) - 1 && wait_for_input(peer) &&
               (got = recv(peer, head + length, sizeof(head) - 1 - length, 0)) > 0) {
            length += (size_t)got;
            head[length] = '\0';
        }
        if (!strstr(head, "\r\n\r\n") || !answer(peer, head)) {
            break;
        }
    }
    close(peer);
    atomic_fetch_sub(&server.peers, 1);
    return NULL;
}

static void *accept_peers(void *unused)
{
    struct pollfd one = {server.listener, POLLIN, 0};
    (void)unused;
    while (!atomic_load(&server.stop)) {
        pthread_t thread;
        int *peer;
        if (poll(&one, 1, 20) <= 0) {
            continue;
        }
        peer = malloc(sizeof(*peer));
        *peer = accept(server.listener, NULL, NULL);
        atomic_fetch_add(&server.peers, 1);
        pthread_create(&thread, NULL, serve, peer);
        pthread_detach(thread);
    }
    return NULL;
}

static void start_server(behaviour_t behaviour)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    memset(&server, 0, sizeof(server));
    server.behaviour = behaviour;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.listener, (struct sockaddr *)&address, sizeof(address)) || listen(server.listener, 16) ||
        getsockname(server.listener, (struct sockaddr *)&address, &length)) {
        abort();
    }
    server.port = ntohs(address.sin_port);
    pthread_create(&server.thread, NULL, accept_peers, NULL);
}

static void stop_server(void)
{
    atomic_store(&server.stop, 1);
    pthread_join(server.thread, NULL);
    while (atomic_load(&server.peers) > 0) {
        usleep(1000);
    }
    close(server.listener);
}

/* ---- options ---- */

static const char *credentials_file(void)
{
    static const char text[] = "[default]\naws_access_key_id = AK\naws_secret_access_key = sk\n"
                               "[session]\naws_access_key_id = AK\naws_secret_access_key = sk\naws_session_token = t\n";
    char *path = apr_pstrdup(pool, "/tmp/fhir-libs3.XXXXXX"); /* 0600 */
    int file = mkstemp(path);
    if (file < 0 || write(file, text, sizeof(text) - 1) != (ssize_t)sizeof(text) - 1 || close(file)) {
        abort();
    }
    return path;
}

/* The good options, with one of them replaced or added, or (value NULL) left out. */
static fhir_error_t *configure_with(fhir_store_config_t **config, const char *key, const char *value)
{
    fhir_store_option_t options[10] = {{"endpoint", "http://objects.intranet:9000"}, {"bucket", "binaries"}};
    const char *file = credentials_file();
    fhir_error_t *error;
    int count = 2;
    int i;
    options[count].key = "credentials_file";
    options[count++].value = file;
    for (i = 0; key && i < count && strcmp(options[i].key, key); i++) {
    }
    if (key && value) {
        options[i].key = key;
        options[i].value = value;
        count = i == count ? count + 1 : count;
    } else if (key) {
        options[i] = options[--count];
    }
    error = fhir_storage_plugin(NULL)->configure(config, options, count, pool);
    unlink(file);
    return error;
}

typedef struct refusal_t {
    const char *key;
    const char *value;
    const char *reason;
} refusal_t;

static void test_refused_options(void)
{
    static const refusal_t refusals[] = {
        {"endpoint", NULL, "needs endpoint="},
        {"endpoint", "https://objects.intranet", "does not verify certificates"},
        {"endpoint", "HTTPS://objects.intranet", "does not verify certificates"},
        {"endpoint", "https://s3.amazonaws.com", "does not verify certificates"},
        {"endpoint", "http://s3.amazonaws.com", "Signature Version 2"},
        {"endpoint", "http://s3.eu-central-1.AmazonAWS.com:80", "Signature Version 2"},
        {"endpoint", "http://s3.cn-north-1.amazonaws.com.cn/", "Signature Version 2"},
        {"endpoint", "objects.intranet", "does not begin with http://"},
        {"endpoint", "ftp://objects.intranet", "does not begin with http://"},
        {"endpoint", "http://", "host"},
        {"endpoint", "http://a/b", "host"},
        {"endpoint", "http://a?b", "host"},
        {"endpoint", "http://user@a", "host"},
        {"endpoint", "http://a:", "host"},
        {"endpoint", "http://a:8x", "host"},
        {"endpoint", "http://a:65536", "host"},
        {"endpoint", "http://[::1]:65536", "host"},
        {"endpoint", "http://a:0", "host"},
        {"endpoint", "http://[::1", "host"},
        {"endpoint", "http://a b", "host"},
        {"bucket", NULL, "needs bucket="},
        {"bucket", "a/b", "bucket's name"},
        {"bucket", "a?b", "bucket's name"},
        {"addressing", "both", "neither path"},
        {"prefix", "/a", "prefix="},
        {"prefix", "a//b", "prefix="},
        {"prefix", "../b", "prefix="},
        {"prefix", "a?b", "prefix="},
        {"max_size", "6G", "max_size="},
        {"max_size", "0", "max_size="},
        {"spool_directory", "tmp", "spool_directory="},
        {"spool_directory", "/etc/passwd", "spool_directory="},
        {"spool_directory", "/not/there", "install -d"},
        {"credentials_file", NULL, "credentials_file="},
        {"credentials_file", "SECRET", "credentials_file= is not an absolute path"},
        {"credentials_file", "/SECRET", "can't be read"},
        {"endpoint", "http://user:SECRET@a", "host"},
        {"profile", "nobody", "no profile [nobody]"},
        {"profile", "session", "session token"},
        {"region", "eu-central-1", "no option 'region'"},
        {"ca_file", "/etc/ssl/ca.pem", "no option 'ca_file'"},
    };
    size_t i;
    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        fhir_store_config_t *config = NULL;
        fhir_error_t *error = configure_with(&config, refusals[i].key, refusals[i].value);
        CU_ASSERT_PTR_NOT_NULL(error);
        CU_ASSERT_PTR_NULL(config);
        CU_ASSERT(!error || !strstr(error->public_text, "SECRET"));
        if (!error || error->code != FHIR_ERROR_INVALID || !strstr(error->public_text, refusals[i].reason)) {
            printf("%s=%s: %s\n", refusals[i].key, refusals[i].value ? refusals[i].value : "",
                   error ? error->public_text : "accepted");
            CU_FAIL("another reason");
        }
    }
}

static void test_good_options(void)
{
    static const refusal_t good[] = {
        {NULL, NULL, NULL},
        {"endpoint", "http://127.0.0.1:9000/", NULL},
        {"endpoint", "http://[::1]:9000", NULL},
        {"endpoint", "http://[::1]", NULL},
        {"endpoint", "http://objects", NULL},
        {"addressing", "virtual", NULL},
        {"prefix", "a/b-c.d_e", NULL},
        {"prefix", "", NULL},
        {"max_size", "5G", NULL},
        {"spool_directory", "/tmp", NULL},
    };
    size_t i;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        fhir_store_config_t *config = NULL;
        FHIR_ASSERT_OK(configure_with(&config, good[i].key, good[i].value));
    }
}

/* ---- servers ---- */

static fhir_store_t *open_on_server(void)
{
    fhir_store_config_t *config;
    fhir_store_t *store = NULL;
    const char *endpoint = apr_psprintf(pool, "http://127.0.0.1:%d", server.port);
    fhir_error_t *error = configure_with(&config, "endpoint", endpoint);
    if (!error) {
        error = fhir_storage_plugin(NULL)->open(&store, config, NULL, pool);
    }
    CU_ASSERT_PTR_NULL_FATAL(error);
    return store;
}

static fhir_store_call_t make_call(apr_interval_time_t room)
{
    fhir_store_call_t call = {0};
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + room;
    return call;
}

static int cancelled_after(void *baton)
{
    return apr_time_now() >= *(apr_time_t *)baton;
}

static void check_code(fhir_error_code_t code, fhir_error_t *error)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, code);
    if (error->code != code) {
        printf("code %d: %s (%s)\n", (int)error->code, error->public_text, error->detail ? error->detail : "");
    }
    CU_ASSERT_PTR_NULL(strstr(error->public_text, "127.0.0.1"));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, KEY));
    if (error->detail) {
        CU_ASSERT_PTR_NULL(strstr(error->detail, "Signature="));
        CU_ASSERT_PTR_NULL(strstr(error->detail, "AWS AK:"));
    }
}

static void check_detail(const fhir_error_t *error, const char *part)
{
    if (!error->detail || !strstr(error->detail, part)) {
        printf("'%s' is not in: %s\n", part, error->detail ? error->detail : "(none)");
        CU_FAIL("another detail");
    }
}

/* Every operation against a server that never answers ends with its deadline. */
static void test_deadline(void)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_store_call_t call;
    fhir_reader_t *reader;
    fhir_store_t *store;
    apr_time_t begin;
    int existed;
    int i;
    start_server(SILENT);
    store = open_on_server();
    for (i = 0; i < 4; i++) {
        fhir_error_t *error;
        begin = apr_time_now();
        call = make_call(apr_time_from_msec(300));
        error = i == 0   ? plugin->stat(&info, store, LOCATOR, &call)
                : i == 1 ? plugin->remove(&existed, store, LOCATOR, &call)
                : i == 2 ? plugin->reader_open(&reader, &info, store, LOCATOR, 0, -1, &call)
                         : plugin->health(store, &call);
        check_code(FHIR_ERROR_TIMEOUT, error);
        check_detail(error, apr_psprintf(pool, ": no answer from http://127.0.0.1:%d within 0.", server.port));
        CU_ASSERT(apr_time_now() - begin >= apr_time_from_msec(290));
        CU_ASSERT(apr_time_now() - begin < apr_time_from_msec(1300));
    }
    plugin->close(store);
    stop_server();
}

static void test_cancelled(void)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_store_call_t call = make_call(apr_time_from_sec(20));
    apr_time_t begin = apr_time_now();
    apr_time_t when = begin + apr_time_from_msec(200);
    fhir_store_t *store;
    start_server(SILENT);
    store = open_on_server();
    call.cancelled = cancelled_after;
    call.cancelled_baton = &when;
    check_code(FHIR_ERROR_CANCELLED, plugin->stat(&info, store, LOCATOR, &call));
    CU_ASSERT(apr_time_now() - begin < apr_time_from_msec(1300));
    plugin->close(store);
    stop_server();
}

static void test_no_server(void)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_store_call_t call = make_call(apr_time_from_sec(20));
    fhir_store_t *store;
    fhir_error_t *error;
    start_server(RIGHT);
    store = open_on_server();
    stop_server();
    error = plugin->stat(&info, store, LOCATOR, &call);
    check_code(FHIR_ERROR_UNAVAILABLE, error);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_YES);
    check_detail(error, "endpoint=");
    plugin->close(store);
}

static void test_statuses(void)
{
    static const struct {
        behaviour_t behaviour;
        fhir_error_code_t code;
        int requests; /* how often health asks */
        const char *advice;
    } rows[] = {{THROTTLED, FHIR_ERROR_THROTTLED, 4, "http://127.0.0.1:"},
                {BROKEN, FHIR_ERROR_UNAVAILABLE, 4, "http://127.0.0.1:"},
                {NO_BUCKET, FHIR_ERROR_DENIED, 1, "bucket="},
                {REFUSED, FHIR_ERROR_DENIED, 1, "credentials_file="},
                {GARBAGE, FHIR_ERROR_UNAVAILABLE, 4, "does endpoint= speak http?"}};
    size_t i;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fhir_store_call_t call = make_call(apr_time_from_sec(20));
        fhir_error_t *error;
        fhir_store_t *store;
        start_server(rows[i].behaviour);
        store = open_on_server();
        error = fhir_storage_plugin(NULL)->health(store, &call);
        check_code(rows[i].code, error);
        check_detail(error, rows[i].advice);
        CU_ASSERT_EQUAL(atomic_load(&server.requests), rows[i].requests);
        fhir_storage_plugin(NULL)->close(store);
        stop_server();
    }
}

/* Reads all; *got counts what came before the error. */
static fhir_error_t *read_all(apr_off_t *got, behaviour_t behaviour, apr_interval_time_t room)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_store_call_t call = make_call(room);
    fhir_reader_t *reader = NULL;
    fhir_error_t *error;
    fhir_store_t *store;
    char buffer[50000];
    apr_size_t length = 1;
    *got = 0;
    start_server(behaviour);
    store = open_on_server();
    error = plugin->reader_open(&reader, &info, store, LOCATOR, 0, -1, &call);
    while (!error && length > 0) {
        length = sizeof(buffer);
        error = plugin->reader_read(reader, buffer, &length, &call);
        *got += error ? 0 : (apr_off_t)length;
    }
    if (reader) {
        plugin->reader_close(reader);
        plugin->reader_close(reader); /* does no harm */
    }
    plugin->close(store);
    stop_server();
    return error;
}

static void test_reads(void)
{
    apr_off_t got;
    FHIR_ASSERT_OK(read_all(&got, RIGHT, apr_time_from_sec(20)));
    CU_ASSERT_EQUAL(got, SIZE);
    check_code(FHIR_ERROR_CORRUPT, read_all(&got, GET_SHORT, apr_time_from_sec(20)));
    CU_ASSERT_EQUAL(got, 0); /* nothing of a block that was broken off */
    check_code(FHIR_ERROR_TIMEOUT, read_all(&got, GET_SILENT, apr_time_from_msec(500)));
    CU_ASSERT_EQUAL(got, 0);
    check_code(FHIR_ERROR_UNAVAILABLE, read_all(&got, GET_WHOLE, apr_time_from_sec(20)));
    CU_ASSERT_EQUAL(got, 0);
    check_code(FHIR_ERROR_CORRUPT, read_all(&got, GET_OTHER, apr_time_from_sec(20)));
    CU_ASSERT_EQUAL(got, 512 * 1024);
    check_code(FHIR_ERROR_NOT_FOUND, read_all(&got, GET_GONE, apr_time_from_sec(20)));
    CU_ASSERT_EQUAL(got, 512 * 1024);
}

static fhir_error_t *write_object(fhir_writer_t **writer, fhir_store_t *store, const fhir_store_call_t *call)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_write_request_t request = {
        .struct_size = sizeof(request), .object_key = KEY, .locator = LOCATOR, .expected_length = 3};
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    FHIR_TRY(plugin->writer_begin(writer, store, &request, call));
    FHIR_TRY(plugin->writer_write(*writer, "abc", 3, call));
    return plugin->writer_commit(&info, *writer, call);
}

/* Of a bucket that is not there, too, a client hears that repeating is in vain. */
static void test_no_bucket(void)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_store_call_t call = make_call(apr_time_from_sec(20));
    fhir_object_info_t info = {.struct_size = sizeof(info)};
    fhir_writer_t *writer = NULL;
    fhir_reader_t *reader;
    fhir_error_t *error;
    fhir_store_t *store;
    start_server(NO_BUCKET);
    store = open_on_server();
    error = write_object(&writer, store, &call);
    check_code(FHIR_ERROR_DENIED, error);
    CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_NO);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, "not usable as configured"));
    check_detail(error, "bucket=");
    plugin->writer_abort(writer, &call);
    check_code(FHIR_ERROR_DENIED, plugin->reader_open(&reader, &info, store, LOCATOR, 0, -1, &call));
    plugin->close(store);
    stop_server();
}

/* What is there stays, and is not removed by the abort of who came second. */
static void test_taken_key(void)
{
    fhir_store_call_t call = make_call(apr_time_from_sec(20));
    fhir_writer_t *writer = NULL;
    fhir_store_t *store;
    start_server(RIGHT); /* every HEAD finds something */
    store = open_on_server();
    check_code(FHIR_ERROR_EXISTS, write_object(&writer, store, &call));
    CU_ASSERT_EQUAL(atomic_load(&server.requests), 1);
    fhir_storage_plugin(NULL)->writer_abort(writer, &call);
    fhir_storage_plugin(NULL)->writer_abort(writer, &call);
    CU_ASSERT_EQUAL(atomic_load(&server.requests), 1);
    CU_ASSERT_EQUAL(atomic_load(&server.puts), 0);
    fhir_storage_plugin(NULL)->close(store);
    stop_server();
}

/* Whether the server has it is not known: the abort removes it. */
static void test_dropped_upload(void)
{
    fhir_store_call_t call = make_call(apr_time_from_sec(20));
    fhir_writer_t *writer = NULL;
    fhir_store_t *store;
    int requests;
    start_server(PUT_DROPPED);
    store = open_on_server();
    check_code(FHIR_ERROR_UNAVAILABLE, write_object(&writer, store, &call));
    CU_ASSERT(atomic_load(&server.puts) >= 3 && atomic_load(&server.puts) <= 8); /* libcurl may repeat, too */
    requests = atomic_load(&server.requests);
    fhir_storage_plugin(NULL)->writer_abort(writer, &call);
    CU_ASSERT_EQUAL(atomic_load(&server.requests), requests + 1);
    fhir_storage_plugin(NULL)->close(store);
    stop_server();
}

static void test_too_large(void)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_write_request_t request = {
        .struct_size = sizeof(request), .object_key = KEY, .locator = LOCATOR, .expected_length = 4};
    fhir_store_call_t call = make_call(apr_time_from_sec(20));
    fhir_store_config_t *config;
    fhir_store_t *store;
    fhir_writer_t *writer;
    FHIR_ASSERT_OK(configure_with(&config, "max_size", "3"));
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
    check_code(FHIR_ERROR_TOO_LARGE, plugin->writer_begin(&writer, store, &request, &call));
    request.expected_length = -1;
    FHIR_ASSERT_OK(plugin->writer_begin(&writer, store, &request, &call));
    FHIR_ASSERT_OK(plugin->writer_write(writer, "ab", 2, &call));
    check_code(FHIR_ERROR_TOO_LARGE, plugin->writer_write(writer, "cd", 2, &call));
    plugin->writer_abort(writer, &call);
    plugin->close(store);
}

/* Somebody removes it while the server runs: that is no word about the object, and health says it. */
static void test_no_spool(void)
{
    const fhir_storage_plugin_t *plugin = fhir_storage_plugin(NULL);
    fhir_write_request_t request = {
        .struct_size = sizeof(request), .object_key = KEY, .locator = LOCATOR, .expected_length = -1};
    fhir_store_call_t call = make_call(apr_time_from_sec(20));
    char directory[] = "/tmp/fhir-test-spool-XXXXXX";
    fhir_store_config_t *config;
    fhir_store_t *store;
    fhir_writer_t *writer;
    fhir_error_t *error;
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    FHIR_ASSERT_OK(configure_with(&config, "spool_directory", directory));
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
    rmdir(directory);
    error = plugin->writer_begin(&writer, store, &request, &call);
    check_code(FHIR_ERROR_INTERNAL, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, directory));
    CU_ASSERT_PTR_NULL(strstr(error->public_text, directory));
    error = plugin->health(store, &call);
    check_code(FHIR_ERROR_INTERNAL, error);
    CU_ASSERT_PTR_NOT_NULL(strstr(error->detail, "spool_directory="));
    plugin->close(store);
}

static const fhir_unit_test_t tests[] = {
    {"refused options", test_refused_options},
    {"good options", test_good_options},
    {"deadline", test_deadline},
    {"cancelled", test_cancelled},
    {"no server", test_no_server},
    {"no bucket", test_no_bucket},
    {"statuses", test_statuses},
    {"reads", test_reads},
    {"taken key", test_taken_key},
    {"dropped upload", test_dropped_upload},
    {"too large", test_too_large},
    {"no spool directory", test_no_spool},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("libs3", tests)
