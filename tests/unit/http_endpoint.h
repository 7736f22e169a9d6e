/* A small HTTP server in a thread, for tests of clients: one request on each connection, answered by a function. */
#ifndef FHIR_TESTS_HTTP_ENDPOINT_H
#define FHIR_TESTS_HTTP_ENDPOINT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef ENDPOINT_ROOM /* a test that needs more defines it */
#define ENDPOINT_ROOM 16384
#endif

typedef struct endpoint_t endpoint_t;
/* `request` is the header of the request; the whole answer is written into `answer`. Called in a thread of its own for
 * each connection. */
typedef void (*endpoint_answer_fn)(char *answer, const char *request, void *baton);

struct endpoint_t {
    int socket;
    int port;
    int stop[2]; /* a pipe */
    endpoint_answer_fn answer;
    void *baton;
    int linger; /* milliseconds between an answer and the end of its connection */
    int whole;  /* take the body, as its Content-Length says, before the answer */
    pthread_t thread;
};

typedef struct endpoint_connection_t {
    const endpoint_t *endpoint;
    int socket;
} endpoint_connection_t;

/* `length` bytes of the request are here already. */
static void endpoint_take_body(int connection, const char *request, size_t length)
{
    const char *announced = strcasestr(request, "\r\nContent-Length: ");
    const char *end = strstr(request, "\r\n\r\n");
    long long rest = announced && announced < end ? atoll(announced + 18) - (long long)(request + length - end - 4) : 0;
    char body[ENDPOINT_ROOM];
    while (rest > 0) {
        ssize_t got = recv(connection, body, sizeof(body), 0);
        if (got <= 0) {
            break;
        }
        rest -= got;
    }
}

static void *endpoint_serve(void *data)
{
    endpoint_connection_t *connection = data;
    char request[ENDPOINT_ROOM];
    char answer[ENDPOINT_ROOM];
    size_t length = 0;
    ssize_t got;
    request[0] = '\0';
    while (!strstr(request, "\r\n\r\n") && length < sizeof(request) - 1) {
        got = recv(connection->socket, request + length, sizeof(request) - 1 - length, 0);
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
        request[length] = '\0';
    }
    if (strstr(request, "\r\n\r\n")) {
        answer[0] = '\0';
        if (connection->endpoint->whole) {
            endpoint_take_body(connection->socket, request, length);
        }
        connection->endpoint->answer(answer, request, connection->endpoint->baton);
        if (send(connection->socket, answer, strlen(answer), MSG_NOSIGNAL) < 0) {
            perror("send");
        }
        usleep((useconds_t)connection->endpoint->linger * 1000);
        shutdown(connection->socket, SHUT_WR);
        while (recv(connection->socket, request, sizeof(request), 0) > 0) {
        }
    }
    close(connection->socket);
    free(connection);
    return NULL;
}

static void *endpoint_run(void *data)
{
    endpoint_t *endpoint = data;
    pthread_t threads[256];
    int count = 0;
    struct pollfd wait[2] = {{endpoint->socket, POLLIN, 0}, {endpoint->stop[0], POLLIN, 0}};
    while (count < 256 && poll(wait, 2, -1) > 0 && !wait[1].revents) {
        endpoint_connection_t *connection = malloc(sizeof(*connection));
        connection->endpoint = endpoint;
        connection->socket = accept(endpoint->socket, NULL, NULL);
        pthread_create(&threads[count++], NULL, endpoint_serve, connection);
    }
    while (count > 0) {
        pthread_join(threads[--count], NULL);
    }
    return NULL;
}

static inline void endpoint_start(endpoint_t *endpoint, endpoint_answer_fn answer, void *baton)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof(address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    endpoint->answer = answer;
    endpoint->baton = baton;
    endpoint->linger = 0;
    endpoint->whole = 0;
    endpoint->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(endpoint->socket, (struct sockaddr *)&address, sizeof(address)) || listen(endpoint->socket, 64) ||
        getsockname(endpoint->socket, (struct sockaddr *)&address, &size) || pipe(endpoint->stop)) {
        perror("endpoint");
        abort();
    }
    endpoint->port = ntohs(address.sin_port);
    pthread_create(&endpoint->thread, NULL, endpoint_run, endpoint);
}

/* New connections are refused from now on. */
static inline void endpoint_end(endpoint_t *endpoint)
{
    if (write(endpoint->stop[1], "x", 1) != 1) {
        perror("endpoint");
    }
    pthread_join(endpoint->thread, NULL);
    close(endpoint->socket);
    close(endpoint->stop[0]);
    close(endpoint->stop[1]);
}

#endif
