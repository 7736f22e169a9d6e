/* core/app/audit_stream.c, syslog_socket.c: whole lines after a full disk; a daemon that stands still or is gone. */
#include "core/app/audit_stream.h"
#include "core/app/syslog_socket.h"

#include "unit.h"

#include <apr_time.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

static int said; /* lines of the error log */

static void count_line(void *baton, fhir_log_level_t level, apr_status_t status, const char *text)
{
    (void)baton;
    (void)level;
    (void)status;
    (void)text;
    said++;
}

static const char *folder(void)
{
    static char made[64];
    apr_snprintf(made, sizeof(made), "/tmp/fhir-stream.%d", (int)getpid());
    return made;
}

static const char *content_of(const char *path)
{
    char *text = apr_pcalloc(pool, 4096);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    CU_ASSERT_TRUE(read(descriptor, text, 4095) >= 0);
    close(descriptor);
    return text;
}

static void let_files_grow_to(rlim_t size)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = size;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_a_full_disk(void)
{
    const fhir_log_t log = {.write = count_line, .level = FHIR_LOG_DEBUG};
    fhir_audit_stream_t stream = {open(folder(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600), 0, 0};
    atomic_int failing = 0;
    said = 0;
    signal(SIGXFSZ, SIG_IGN);
    let_files_grow_to(12);
    fhir_audit_stream_line(&stream, &failing, "{\"first\"}\n", 10, &log);
    CU_ASSERT_EQUAL(said, 0);
    fhir_audit_stream_line(&stream, &failing, "{\"cut\"}\n", 8, &log);
    fhir_audit_stream_line(&stream, &failing, "{\"left out\"}\n", 13, &log);
    CU_ASSERT_EQUAL(said, 1);
    let_files_grow_to(RLIM_INFINITY);
    fhir_audit_stream_line(&stream, &failing, "{\"again\"}\n", 10, &log);
    fhir_audit_stream_line(&stream, &failing, "{\"last\"}\n", 9, &log);
    CU_ASSERT_EQUAL(said, 2);
    CU_ASSERT_STRING_EQUAL(content_of(folder()), "{\"first\"}\n{\"\n{\"again\"}\n{\"last\"}\n");
    close(stream.descriptor);
    unlink(folder());
}

static int daemon_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    apr_cpystrn(address.sun_path, path, sizeof(address.sun_path));
    unlink(path);
    CU_ASSERT_EQUAL(bind(descriptor, (const struct sockaddr *)&address, sizeof(address)), 0);
    return descriptor;
}

static int sent(int descriptor, const char *line)
{
    return fhir_syslog_send(descriptor, folder(), LOG_LOCAL3 | LOG_INFO, line, strlen(line), 100);
}

static const char *received(int server)
{
    char *text = apr_pcalloc(pool, 4096);
    return recv(server, text, 4095, 0) > 0 ? text : "";
}

static void test_syslog(void)
{
    int descriptor = fhir_syslog_open();
    int server;
    const char *text;
    CU_ASSERT_EQUAL(sent(descriptor, "nobody"), ENOENT);
    server = daemon_at(folder());
    CU_ASSERT_EQUAL(sent(descriptor, "{\"one\":1}"), 0);
    text = received(server);
    CU_ASSERT_NSTRING_EQUAL(text, "<158>", 5);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, " test_audit_stream: {\"one\":1}"));
    /* the daemon is restarted */
    close(server);
    server = daemon_at(folder());
    CU_ASSERT_EQUAL(sent(descriptor, "two"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(received(server), ": two"));
    close(server);
    CU_ASSERT_EQUAL(sent(descriptor, "three"), ECONNREFUSED);
    unlink(folder());
    close(descriptor);
}

static void test_syslog_that_stands_still(void)
{
    int descriptor = fhir_syslog_open();
    int server = daemon_at(folder());
    int problem = 0;
    int count;
    apr_time_t started = apr_time_now();
    for (count = 0; count < 100000 && !problem; count++) {
        problem = sent(descriptor, "line");
    }
    CU_ASSERT_EQUAL(problem, EAGAIN);
    CU_ASSERT_TRUE(apr_time_now() - started < apr_time_from_sec(5));
    CU_ASSERT_PTR_NOT_NULL(strstr(received(server), ": line"));
    CU_ASSERT_EQUAL(sent(descriptor, "it reads again"), 0);
    close(server);
    unlink(folder());
    close(descriptor);
}

static const fhir_unit_test_t tests[] = {{"a full disk", test_a_full_disk},
                                         {"syslog", test_syslog},
                                         {"syslog that stands still", test_syslog_that_stands_still},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("audit_stream", tests)
