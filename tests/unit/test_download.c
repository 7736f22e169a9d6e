/* Downloads: what is refused before a byte moves, redirects, bounds, certificates. The https server is
 * `openssl s_server -HTTP`, which answers GET /name with the file `name`, a whole response. */
#include "core/base/host_list.h"
#include "core/base/network.h"
#include "core/base/text.h"
#include "core/fetch/download.h"
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the sink ---- */

typedef struct got_t {
    fhir_text_t body;
    const char *content_type;
    apr_off_t length;
    int heads;
    fhir_error_t *refuse_head;
    fhir_error_t *refuse_data;
} got_t;

static fhir_error_t *take_head(void *baton, const fhir_download_head_t *head)
{
    got_t *got = baton;
    CU_ASSERT_EQUAL(got->body.length, 0);
    got->heads++;
    got->content_type = head->content_type;
    got->length = head->length;
    return got->refuse_head;
}

static fhir_error_t *take_data(void *baton, const char *bytes, apr_size_t length)
{
    got_t *got = baton;
    CU_ASSERT_EQUAL(got->heads, 1);
    fhir_text_add_bytes(&got->body, bytes, length);
    return got->refuse_data;
}

/* ---- the server ---- */

static struct {
    char folder[64];
    pid_t process;
    int port;
} server;

static const char *in_folder(const char *name)
{
    return apr_pstrcat(pool, server.folder, "/", name, NULL);
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static pid_t start(char *const *arguments, int output)
{
    pid_t process = fork();
    if (process == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(output >= 0 ? output : null, 1);
        dup2(null, 2);
        if (chdir(server.folder) == 0) {
            execvp(arguments[0], arguments);
        }
        _exit(127);
    }
    return process;
}

#define WORD(text) apr_pstrdup(pool, text)

static void make_certificate(const char *name)
{
    int status = -1;
    char *arguments[] = {WORD("openssl"),
                         WORD("req"),
                         WORD("-x509"),
                         WORD("-newkey"),
                         WORD("ec"),
                         WORD("-pkeyopt"),
                         WORD("ec_paramgen_curve:P-256"),
                         WORD("-nodes"),
                         WORD("-days"),
                         WORD("2"),
                         WORD("-subj"),
                         WORD("/CN=localhost"),
                         WORD("-addext"),
                         WORD("subjectAltName=DNS:localhost"),
                         WORD("-keyout"),
                         apr_pstrcat(pool, name, ".key", NULL),
                         WORD("-out"),
                         apr_pstrcat(pool, name, ".pem", NULL),
                         NULL};
    CU_ASSERT_TRUE_FATAL(waitpid(start(arguments, -1), &status, 0) > 0);
    CU_ASSERT_EQUAL_FATAL(status, 0);
}

/* s_server says, not only, "ACCEPT 127.0.0.1:PORT". */
static int read_port(int output)
{
    char text[1024] = "";
    const char *accept_line = NULL;
    size_t used = 0;
    struct pollfd ready = {.fd = output, .events = POLLIN};
    while (used < sizeof(text) - 1 && !(accept_line && strchr(accept_line, '\n')) && poll(&ready, 1, 10000) == 1) {
        ssize_t count = read(output, text + used, sizeof(text) - 1 - used);
        if (count <= 0) {
            break;
        }
        used += (size_t)count;
        text[used] = '\0';
        accept_line = strstr(text, "ACCEPT 127.0.0.1:");
    }
    return accept_line ? (int)strtol(strrchr(accept_line, ':') + 1, NULL, 10) : 0;
}

static void stop_server(void)
{
    if (server.process > 0) {
        kill(server.process, SIGKILL);
        waitpid(server.process, NULL, 0);
    }
    server.process = 0;
}

static void start_server(void)
{
    int output[2];
    char *arguments[] = {WORD("openssl"),
                         WORD("s_server"),
                         WORD("-HTTP"),
                         WORD("-accept"),
                         WORD("127.0.0.1:0"),
                         WORD("-cert"),
                         WORD("good.pem"),
                         WORD("-key"),
                         WORD("good.key"),
                         WORD("-no_ticket"),
                         NULL};
    apr_cpystrn(server.folder, "/tmp/test_download.XXXXXX", sizeof(server.folder));
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(server.folder));
    make_certificate("good");
    make_certificate("other");
    CU_ASSERT_EQUAL_FATAL(pipe2(output, O_CLOEXEC), 0);
    server.process = start(arguments, output[1]);
    close(output[1]);
    server.port = read_port(output[0]);
    close(output[0]);
    CU_ASSERT_NOT_EQUAL_FATAL(server.port, 0);
}

/* ---- one download ---- */

typedef struct trial_t {
    fhir_download_options_t options;
    fhir_call_t call;
    got_t got;
} trial_t;

static void set_up(trial_t *trial)
{
    apr_array_header_t *hosts = apr_array_make(pool, 3, sizeof(fhir_host_pattern_t));
    apr_array_header_t *networks = apr_array_make(pool, 1, sizeof(fhir_network_t));
    memset(trial, 0, sizeof(*trial));
    fhir_text_init(&trial->got.body, pool);
    CU_ASSERT_TRUE_FATAL(
        fhir_host_pattern_parse(apr_array_push(hosts), apr_psprintf(pool, "localhost:%d", server.port), pool));
    CU_ASSERT_TRUE_FATAL(
        fhir_host_pattern_parse(apr_array_push(hosts), apr_psprintf(pool, "127.0.0.1:%d", server.port), pool));
    CU_ASSERT_TRUE_FATAL(fhir_host_pattern_parse(apr_array_push(hosts), "files.example.org", pool));
    CU_ASSERT_TRUE_FATAL(fhir_network_parse(apr_array_push(networks), "127.0.0.1"));
    trial->options.hosts = hosts;
    trial->options.networks = networks;
    trial->options.ca_file = in_folder("good.pem");
    trial->options.total_timeout = apr_time_from_sec(10);
    trial->call.pool = pool;
}

static fhir_error_t *download(trial_t *trial, const char *url)
{
    fhir_download_sink_t sink = {take_head, take_data, &trial->got};
    return fhir_download(url, &trial->options, &sink, &trial->call);
}

static const char *url_of(const char *name)
{
    return apr_psprintf(pool, "https://localhost:%d/%s", server.port, name);
}

static void test_good(void)
{
    trial_t trial;
    set_up(&trial);
    put("good", "HTTP/1.1 200 OK\r\nContent-Type: image/png; x=y\r\nContent-Length: 5\r\n\r\nhello");
    FHIR_ASSERT_OK(download(&trial, url_of("good")));
    CU_ASSERT_STRING_EQUAL(trial.got.body.text, "hello");
    CU_ASSERT_STRING_EQUAL(trial.got.content_type, "image/png; x=y");
    CU_ASSERT_EQUAL(trial.got.length, 5);
}

static void test_empty_without_type(void)
{
    trial_t trial;
    set_up(&trial);
    put("empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    FHIR_ASSERT_OK(download(&trial, url_of("empty")));
    CU_ASSERT_EQUAL(trial.got.heads, 1);
    CU_ASSERT_EQUAL(trial.got.body.length, 0);
    CU_ASSERT_PTR_NULL(trial.got.content_type);
}

static void test_chunked(void)
{
    trial_t trial;
    set_up(&trial);
    put("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    FHIR_ASSERT_OK(download(&trial, url_of("chunked")));
    CU_ASSERT_STRING_EQUAL(trial.got.body.text, "abcde");
    CU_ASSERT_EQUAL(trial.got.length, -1);
}

static fhir_error_t *error_of(const char *name, const char *response)
{
    trial_t trial;
    set_up(&trial);
    put(name, response);
    return download(&trial, url_of(name));
}

static void test_unusable_answers(void)
{
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error_of("short", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE,
                      error_of("cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE,
                      error_of("away", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error_of("none", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error_of("part", "HTTP/1.1 206 Partial\r\nContent-Length: 1\r\n\r\nx"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error_of("nothing", "HTTP/1.1 204 No Content\r\n\r\n"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error_of("lost", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error_of("zip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                                              "Content-Length: 1\r\n\r\nx"));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, error_of("noise", "hello, I speak no HTTP"));
}

/* ---- redirects ---- */

static fhir_error_t *redirected_to(trial_t *trial, const char *location)
{
    set_up(trial);
    put("go", apr_pstrcat(pool, "HTTP/1.1 302 Found\r\nContent-Length: 2\r\nLocation: ", location, "\r\n\r\nno", NULL));
    return download(trial, url_of("go"));
}

static void test_redirects(void)
{
    trial_t trial;
    put("end", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend");
    FHIR_ASSERT_OK(redirected_to(&trial, url_of("end")));
    CU_ASSERT_STRING_EQUAL(trial.got.body.text, "end");
    CU_ASSERT_EQUAL(trial.got.heads, 1);
    FHIR_ASSERT_OK(redirected_to(&trial, "/end"));
    CU_ASSERT_STRING_EQUAL(trial.got.body.text, "end");
    FHIR_ASSERT_OK(redirected_to(&trial, "end#part"));
    put("fat", apr_psprintf(pool, "HTTP/1.1 302 Found\r\nLocation: end\r\nContent-Length: 100000\r\n\r\n%0100000d", 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, download(&trial, url_of("fat")));
}

static void expect_refused(const char *location)
{
    trial_t trial;
    fhir_error_t *error = redirected_to(&trial, location);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    if (error->code != FHIR_ERROR_INVALID || error->retry != FHIR_RETRY_NO || trial.got.heads) {
        printf("redirect to %s: %s\n", location, error->public_text);
        CU_FAIL("redirect");
    }
}

static void test_redirects_refused(void)
{
    expect_refused(apr_psprintf(pool, "http://localhost:%d/end", server.port));
    expect_refused("http://169.254.169.254/latest/meta-data/");
    expect_refused("https://127.0.0.1/end");
    expect_refused("https://localhost/end");
    expect_refused("https://[::1]/end");
    expect_refused("https://evil.test/end");
    expect_refused("file:///etc/passwd");
    expect_refused("gopher://localhost/");
    expect_refused(apr_psprintf(pool, "https://files.example.org@localhost:%d/end", server.port));
    expect_refused("https://files.example.org:8443/");
    expect_refused("/go"); /* for ever */
}

static void test_three_redirects_at_most(void)
{
    trial_t trial;
    set_up(&trial);
    put("r0", "HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: r1\r\n\r\n");
    put("r1", "HTTP/1.1 308 X\r\nContent-Length: 0\r\nLocation: r2\r\n\r\n");
    put("r2", "HTTP/1.1 301 X\r\nContent-Length: 0\r\nLocation: r3\r\n\r\n");
    put("r3", "HTTP/1.1 303 X\r\nContent-Length: 0\r\nLocation: end\r\n\r\n");
    put("end", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend");
    FHIR_ASSERT_OK(download(&trial, url_of("r1")));
    set_up(&trial);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, download(&trial, url_of("r0")));
    CU_ASSERT_EQUAL(trial.got.heads, 0);
}

/* ---- addresses ---- */

static void test_addresses_refused(void)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};
    trial_t trial;
    fhir_error_t *error;
    int i;
    for (i = 0; hosts[i]; i++) {
        set_up(&trial);
        trial.options.networks = NULL;
        error = download(&trial, apr_psprintf(pool, "https://%s:%d/good", hosts[i], server.port));
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
        CU_ASSERT_EQUAL(error->retry, FHIR_RETRY_NO);
        CU_ASSERT_PTR_NULL(strstr(error->public_text, "127"));
        CU_ASSERT_EQUAL(trial.got.heads, 0);
    }
}

static int listen_on(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL_FATAL(bind(listening, (struct sockaddr *)&address, length), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listening, 4), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listening, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return listening;
}

/* Not even a connection is made. */
static void test_refused_address_is_not_connected(void)
{
    trial_t trial;
    int port;
    int listening = listen_on(&port);
    struct pollfd ready = {.fd = listening, .events = POLLIN};
    apr_array_header_t *hosts = apr_array_make(pool, 1, sizeof(fhir_host_pattern_t));
    set_up(&trial);
    CU_ASSERT_TRUE_FATAL(
        fhir_host_pattern_parse(apr_array_push(hosts), apr_psprintf(pool, "127.0.0.1:%d", port), pool));
    trial.options.hosts = hosts;
    trial.options.networks = NULL;
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, download(&trial, apr_psprintf(pool, "https://127.0.0.1:%d/", port)));
    CU_ASSERT_EQUAL(poll(&ready, 1, 100), 0);
    close(listening);
}

/* ---- time ---- */

static int cancel_now(void *baton)
{
    int *asked = baton;
    return ++*asked > 1;
}

/* A server that accepts and says nothing. */
static void test_silence(void)
{
    trial_t trial;
    int port;
    int asked = 0;
    int listening = listen_on(&port);
    apr_array_header_t *hosts = apr_array_make(pool, 1, sizeof(fhir_host_pattern_t));
    const char *url = apr_psprintf(pool, "https://127.0.0.1:%d/", port);
    apr_time_t began = apr_time_now();
    set_up(&trial);
    CU_ASSERT_TRUE_FATAL(
        fhir_host_pattern_parse(apr_array_push(hosts), apr_psprintf(pool, "127.0.0.1:%d", port), pool));
    trial.options.hosts = hosts;
    trial.options.total_timeout = apr_time_from_msec(300);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, download(&trial, url));
    trial.options.total_timeout = apr_time_from_sec(20);
    trial.options.connect_timeout = apr_time_from_msec(300);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, download(&trial, url));
    trial.options.connect_timeout = 0;
    trial.call.deadline = apr_time_now() + apr_time_from_msec(300);
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, download(&trial, url));
    trial.call.deadline = 1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, download(&trial, url));
    trial.call.deadline = 0;
    trial.call.cancelled = cancel_now;
    trial.call.cancelled_baton = &asked;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CANCELLED, download(&trial, url));
    CU_ASSERT_TRUE(apr_time_now() - began < apr_time_from_sec(6));
    close(listening);
}

/* ---- size and sink ---- */

static void test_size(void)
{
    trial_t trial;
    set_up(&trial);
    put("five", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    put("open", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    trial.options.max_size = 5;
    FHIR_ASSERT_OK(download(&trial, url_of("five")));
    set_up(&trial);
    trial.options.max_size = 5;
    FHIR_ASSERT_OK(download(&trial, url_of("open")));
    set_up(&trial);
    trial.options.max_size = 4;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, download(&trial, url_of("five")));
    CU_ASSERT_EQUAL(trial.got.heads, 0);
    set_up(&trial);
    trial.options.max_size = 4;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, download(&trial, url_of("open")));
    CU_ASSERT_EQUAL(trial.got.body.length, 0);
}

static void test_sink_refuses(void)
{
    trial_t trial;
    put("good", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    put("empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    set_up(&trial);
    trial.got.refuse_head = fhir_error_public(pool, FHIR_ERROR_NOT_ACCEPTABLE, "no");
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_ACCEPTABLE, download(&trial, url_of("good")));
    CU_ASSERT_EQUAL(trial.got.body.length, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_ACCEPTABLE, download(&trial, url_of("empty")));
    set_up(&trial);
    trial.got.refuse_data = fhir_error_public(pool, FHIR_ERROR_NO_SPACE, "no");
    FHIR_ASSERT_ERROR(FHIR_ERROR_NO_SPACE, download(&trial, url_of("good")));
}

/* ---- TLS, environment ---- */

static void test_certificate(void)
{
    trial_t trial;
    fhir_error_t *error;
    put("good", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    set_up(&trial);
    trial.options.ca_file = in_folder("other.pem");
    error = download(&trial, url_of("good"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_STRING_EQUAL(error->public_text, "The other server's certificate could not be verified.");
    trial.options.ca_file = NULL;
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, download(&trial, url_of("good")));
    /* The right issuer, another name. */
    set_up(&trial);
    error = download(&trial, apr_psprintf(pool, "https://127.0.0.1:%d/good", server.port));
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_STRING_EQUAL(error->public_text, "The other server's certificate could not be verified.");
}

static void test_no_proxy_from_the_environment(void)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
    trial_t trial;
    int i;
    for (i = 0; names[i]; i++) {
        setenv(names[i], "http://127.0.0.1:1/", 1);
    }
    set_up(&trial);
    put("good", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    FHIR_ASSERT_OK(download(&trial, url_of("good")));
    for (i = 0; names[i]; i++) {
        unsetenv(names[i]);
    }
}

/* ---- the URL's text ---- */

static void test_urls(void)
{
    static const char *const good[] = {"https://files.example.org", "https://files.example.org/",
                                       "https://FILES.example.org/a%20b?x=y#z", "HTTPS://files.example.org:443/a",
                                       NULL};
    static const char *const bad[] = {"",
                                      "files.example.org",
                                      "//files.example.org/",
                                      "/a",
                                      "http://files.example.org/",
                                      "ftp://files.example.org/",
                                      "https://",
                                      "https:///a",
                                      "https://other.example.org/",
                                      "https://example.org/",
                                      "https://files.example.org:80/",
                                      "https://files.example.org:444/",
                                      "https://user@files.example.org/",
                                      "https://:secret@files.example.org/",
                                      "https://user:secret@files.example.org/",
                                      "https://files.example.org@evil.test/",
                                      "https://evil.test\\@files.example.org/",
                                      "https://evil.test#@files.example.org/",
                                      "https://evil.test?@files.example.org/",
                                      "https://files.example.org./",
                                      "https://files.example.org:0/",
                                      "https://files.example.org:65536/",
                                      "https://files.example.org /",
                                      " https://files.example.org/",
                                      "https://files.example.org/a b",
                                      "https://files.example.org/\n",
                                      "https://files.example.org/\x7f",
                                      "https://files.example.org/\xc3\xa4",
                                      "https://127.0.0.1/",
                                      "https://2130706433/",
                                      "https://0x7f.1/",
                                      "https://[::1]/",
                                      "https://[fe80::1%25eth0]/",
                                      "https://files.example.org%2f@evil.test/",
                                      "https://files%2eexample.org%00.evil.test/",
                                      "urn:uuid:x",
                                      "data:text/plain,x",
                                      "javascript:alert(1)",
                                      "file:///etc/passwd",
                                      "Binary/1",
                                      NULL};
    trial_t trial;
    char *url;
    int i;
    set_up(&trial);
    for (i = 0; good[i]; i++) {
        FHIR_ASSERT_OK(fhir_download_check_url(good[i], trial.options.hosts, pool));
    }
    for (i = 0; bad[i]; i++) {
        fhir_error_t *error = fhir_download_check_url(bad[i], trial.options.hosts, pool);
        if (!error || error->code != FHIR_ERROR_INVALID) {
            printf("'%s' was taken\n", bad[i]);
            CU_FAIL("url");
        }
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, download(&trial, bad[i]));
    }
    url = apr_pcalloc(pool, FHIR_DOWNLOAD_URL_MAX + 2);
    memset(url, 'a', FHIR_DOWNLOAD_URL_MAX + 1);
    memcpy(url, good[1], strlen(good[1]));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_download_check_url(url, trial.options.hosts, pool));
    url[FHIR_DOWNLOAD_URL_MAX] = '\0';
    FHIR_ASSERT_OK(fhir_download_check_url(url, trial.options.hosts, pool));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_download_check_url(good[0], NULL, pool));
}

/* The first and the last entry of the table. */
static void test_server_starts(void)
{
    start_server();
}

static void test_server_stops(void)
{
    char *arguments[] = {WORD("rm"), WORD("-rf"), WORD(server.folder), NULL};
    stop_server();
    waitpid(start(arguments, -1), NULL, 0);
}

static const fhir_unit_test_t tests[] = {{"server starts", test_server_starts},
                                         {"good", test_good},
                                         {"empty, without type", test_empty_without_type},
                                         {"chunked", test_chunked},
                                         {"unusable answers", test_unusable_answers},
                                         {"redirects", test_redirects},
                                         {"redirects refused", test_redirects_refused},
                                         {"three redirects at most", test_three_redirects_at_most},
                                         {"addresses refused", test_addresses_refused},
                                         {"refused address is not connected", test_refused_address_is_not_connected},
                                         {"silence", test_silence},
                                         {"size", test_size},
                                         {"sink refuses", test_sink_refuses},
                                         {"certificate", test_certificate},
                                         {"no proxy", test_no_proxy_from_the_environment},
                                         {"urls", test_urls},
                                         {"server stops", test_server_stops},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("download", tests)
