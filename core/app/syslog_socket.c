/* Messages to a syslog daemon: datagrams to its socket, as RFC 3164 has them. */
#include "syslog_socket.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HEADER_MAX 128
#define ATTEMPTS 3

int fhir_syslog_open(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Again after each restart of the daemon. */
static int reach(int descriptor, const char *path)
{
    struct sockaddr_un address;
    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    apr_cpystrn(address.sun_path, path, sizeof(address.sun_path));
    return connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
}

/* `<158>Nov  5 11:25:29 apache2: ` */
static apr_size_t make_header(char *header, int priority)
{
    char time[APR_CTIME_LEN];
    apr_ctime(time, apr_time_now());
    time[8] = time[8] == '0' ? ' ' : time[8];
    return (apr_size_t)apr_snprintf(header, HEADER_MAX, "<%d>%.15s %.40s: ", priority, time + 4,
                                    program_invocation_short_name);
}

static int send_parts(int descriptor, const char *header, apr_size_t header_length, const char *line, apr_size_t length)
{
    /* sendmsg does not write to them. */
    struct iovec parts[2] = {{(void *)(apr_uintptr_t)header, header_length}, {(void *)(apr_uintptr_t)line, length}};
    struct msghdr message;
    memset(&message, 0, sizeof(message));
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    return sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

static int is_full(int problem)
{
    return problem == EAGAIN || problem == ENOBUFS;
}

int fhir_syslog_send(int descriptor, const char *path, int priority, const char *line, apr_size_t length,
                     int milliseconds)
{
    struct pollfd ready = {descriptor, POLLOUT, 0};
    char header[HEADER_MAX];
    apr_size_t header_length = make_header(header, priority);
    int problem = EBADF;
    int i;
    for (i = 0; i < ATTEMPTS; i++) {
        problem = send_parts(descriptor, header, header_length, line, length);
        if (is_full(problem) && poll(&ready, 1, milliseconds) == 1) {
            continue;
        }
        if (problem != ENOTCONN && problem != ECONNREFUSED && problem != ECONNRESET && problem != EDESTADDRREQ) {
            return problem;
        }
        problem = reach(descriptor, path);
        if (problem) {
            return problem;
        }
    }
    return problem;
}
