/* A small HTTP server in threads, with or without TLS, that misbehaves as its path says. */
#ifndef FHIR_TESTS_UNIT_HTTP_SERVER_H
#define FHIR_TESTS_UNIT_HTTP_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_HEAD_MAX 32768
#define SERVER_THREADS_MAX 256
#define SERVER_PIECE 65536
#define PATTERN_LENGTH 65521

typedef struct server_t {
    int listener;
    int port;
    SSL_CTX *tls; /* NULL: plain */
    pthread_t acceptor;
    pthread_t threads[SERVER_THREADS_MAX];
    int thread_count;
    atomic_int stop;
    atomic_int connections;
    atomic_int requests;
    atomic_int dropped;
    char pattern[PATTERN_LENGTH + 2 * SERVER_PIECE]; /* so that a piece from any offset is in one */
} server_t;

typedef struct peer_t {
    server_t *server;
    int socket;
    SSL *tls;
    int requests; /* on this connection */
    char head[SERVER_HEAD_MAX + 1];
    size_t head_length;
    char early[SERVER_HEAD_MAX + 1]; /* of the body, that came with the header */
    size_t early_length;
    char *piece;
} peer_t;

/* ---- bytes ---- */

static int peer_stopped(const peer_t *peer)
{
    return atomic_load(&peer->server->stop);
}

/* 0: nothing came for so long, or the server stops. */
static int peer_wait(const peer_t *peer, short events, int milliseconds)
{
    struct pollfd waiting = {peer->socket, events, 0};
    int i;
    for (i = 0; i < milliseconds / 20 && !peer_stopped(peer); i++) {
        if (poll(&waiting, 1, 20) > 0) {
            return 1;
        }
    }
    return 0;
}

static ssize_t peer_read(peer_t *peer, char *bytes, size_t length)
{
    if (!(peer->tls && SSL_pending(peer->tls)) && !peer_wait(peer, POLLIN, 30000)) {
        return -1;
    }
    return peer->tls ? SSL_read(peer->tls, bytes, (int)length) : recv(peer->socket, bytes, length, 0);
}

static int peer_send(peer_t *peer, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t done;
        if (!peer_wait(peer, POLLOUT, 30000)) {
            return 0;
        }
        done = peer->tls ? SSL_write(peer->tls, bytes, (int)length)
                         : send(peer->socket, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && !peer->tls && errno == EAGAIN) {
            continue;
        }
        if (done <= 0) {
            return 0;
        }
        bytes += done;
        length -= (size_t)done;
    }
    return 1;
}

static int peer_say(peer_t *peer, const char *text)
{
    return peer_send(peer, text, strlen(text));
}

/* ---- requests ---- */

/* The header up to its blank line; what came behind it is kept. */
static int peer_read_head(peer_t *peer)
{
    char *end;
    peer->head_length = peer->early_length;
    memcpy(peer->head, peer->early, peer->early_length);
    peer->early_length = 0;
    peer->head[peer->head_length] = '\0';
    while (!(end = strstr(peer->head, "\r\n\r\n"))) {
        ssize_t got = peer->head_length < SERVER_HEAD_MAX
                          ? peer_read(peer, peer->head + peer->head_length, SERVER_HEAD_MAX - peer->head_length)
                          : -1;
        if (got <= 0) {
            return 0;
        }
        peer->head_length += (size_t)got;
        peer->head[peer->head_length] = '\0';
    }
    end += 4;
    peer->early_length = peer->head_length - (size_t)(end - peer->head);
    memcpy(peer->early, end, peer->early_length);
    peer->head_length = (size_t)(end - peer->head);
    *end = '\0';
    return 1;
}

static long long peer_content_length(const peer_t *peer)
{
    const char *line = strcasestr(peer->head, "\r\nContent-Length:");
    return line ? strtoll(line + 17, NULL, 10) : 0;
}

/* Some of the body; 0: the end or a broken connection. */
static size_t peer_read_body(peer_t *peer, char *bytes, size_t length)
{
    ssize_t got;
    if (peer->early_length > 0) {
        size_t count = length < peer->early_length ? length : peer->early_length;
        memcpy(bytes, peer->early, count);
        memmove(peer->early, peer->early + count, peer->early_length - count);
        peer->early_length -= count;
        return count;
    }
    got = peer_read(peer, bytes, length);
    return got > 0 ? (size_t)got : 0;
}

static int peer_is(const peer_t *peer, const char *path)
{
    const char *target = strchr(peer->head, ' ');
    return target && !strncmp(target + 1, path, strlen(path)) && strchr(" ?", target[1 + strlen(path)]);
}

/* ?n=NUMBER */
static long long peer_number(const peer_t *peer)
{
    const char *query = strstr(peer->head, "?n=");
    return query ? strtoll(query + 3, NULL, 10) : 0;
}

/* ---- answers; each tells whether the connection stays open ---- */

static int answer_text(peer_t *peer, const char *status, const char *more, const char *body)
{
    char head[512];
    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, more, strlen(body));
    return peer_say(peer, head) && (!strncmp(peer->head, "HEAD ", 5) || peer_say(peer, body));
}

/* 0: broken off. -1 in *wrong: another byte than expected came. */
static long long drain_body(peer_t *peer, long long most, int *wrong)
{
    long long expected = peer_content_length(peer);
    long long got = 0;
    expected = most >= 0 && most < expected ? most : expected;
    while (got < expected) {
        size_t room = expected - got < SERVER_PIECE ? (size_t)(expected - got) : SERVER_PIECE;
        size_t count = peer_read_body(peer, peer->piece, room);
        if (count == 0) {
            break;
        }
        *wrong |= memcmp(peer->piece, peer->server->pattern + got % PATTERN_LENGTH, count) != 0;
        got += (long long)count;
    }
    return got;
}

static int answer_sink(peer_t *peer)
{
    char body[64];
    int wrong = 0;
    long long got = drain_body(peer, -1, &wrong);
    snprintf(body, sizeof(body), "%lld %s", got, wrong ? "wrong" : "right");
    return got == peer_content_length(peer) && answer_text(peer, "200 OK", "ETag: \"sink\"\r\n", body);
}

/* Stops reading for a while: the sender must wait. */
static int answer_slow_sink(peer_t *peer)
{
    int wrong = 0;
    drain_body(peer, 100000, &wrong);
    peer_wait(peer, 0, 30000);
    return 0;
}

static int answer_source(peer_t *peer, long long stop_at)
{
    long long total = peer_number(peer);
    long long sent = 0;
    char head[128];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\nX-One: 1\r\n\r\n", total);
    if (!peer_say(peer, head)) {
        return 0;
    }
    while (sent < total && sent < stop_at) {
        size_t count = total - sent < SERVER_PIECE ? (size_t)(total - sent) : SERVER_PIECE;
        if (!peer_send(peer, peer->server->pattern + sent % PATTERN_LENGTH, count)) {
            return 0;
        }
        sent += (long long)count;
    }
    return sent == total;
}

static int answer_early(peer_t *peer, const char *answer, int drain)
{
    int wrong = 0;
    drain_body(peer, 50000, &wrong);
    peer_say(peer, answer);
    if (drain) {
        while (peer_read_body(peer, peer->piece, SERVER_PIECE) > 0) {
        }
    }
    return 0;
}

static int answer_reset(peer_t *peer)
{
    struct linger at_once = {1, 0};
    setsockopt(peer->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    return 0;
}

static int answer_long(peer_t *peer, const char *status)
{
    char head[128];
    long long left = peer_number(peer);
    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %lld\r\n\r\n", status, left);
    int good = peer_say(peer, head);
    for (; good && left > 0; left--) {
        good = peer_say(peer, "x");
    }
    return good;
}

/* On a connection that was used before, the first time only: closed without an answer, before or after the body. */
static int drop_reused(peer_t *peer, int body_first)
{
    int wrong = 0;
    if (peer->requests > 1 && atomic_fetch_add(&peer->server->dropped, 1) == 0) {
        if (body_first) {
            drain_body(peer, -1, &wrong);
        }
        return 0;
    }
    return answer_sink(peer);
}

static int answer_continue(peer_t *peer)
{
    return peer_say(peer, "HTTP/1.1 100 Continue\r\n\r\n") &&
           peer_say(peer, "HTTP/1.1 103 Early Hints\r\nX-Hint: early\r\n\r\n") && answer_sink(peer);
}

/* Until the client has enough of it. */
static int answer_for_ever(peer_t *peer, const char *begin, const char *again)
{
    int good = peer_say(peer, begin);
    while (good && !peer_stopped(peer)) {
        good = peer_say(peer, again);
    }
    return 0;
}

#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

static int answer_well(peer_t *peer)
{
    if (peer_is(peer, "/hello")) {
        return answer_text(peer, "200 OK", "X-Two: a\r\nx-two: b\r\nX-Empty:\r\nETag: \"e\"\r\n", "hello");
    }
    if (peer_is(peer, "/head")) {
        return answer_text(peer, "200 OK", "", peer->head);
    }
    if (peer_is(peer, "/sink")) {
        return answer_sink(peer);
    }
    if (peer_is(peer, "/source")) {
        return answer_source(peer, peer_number(peer));
    }
    if (peer_is(peer, "/chunked")) {
        return peer_say(peer, "HTTP/1.1 200 OK\r\n" CHUNKED "3\r\nabc\r\n") &&
               peer_say(peer, "A;x=y\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n");
    }
    if (peer_is(peer, "/redirect")) {
        return answer_text(peer, "307 Temporary Redirect", "Location: /hello\r\n", "");
    }
    if (peer_is(peer, "/no-content")) {
        return peer_say(peer, "HTTP/1.1 204 No Content\r\n\r\n");
    }
    if (peer_is(peer, "/continue")) {
        return answer_continue(peer);
    }
    if (peer_is(peer, "/close-delimited")) {
        peer_say(peer, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
        return 0;
    }
    if (peer_is(peer, "/long")) {
        return answer_long(peer, "200 OK");
    }
    return answer_long(peer, "404 Not Found");
}

static int answer_badly(peer_t *peer)
{
    if (peer_is(peer, "/bad/truncated")) {
        return answer_source(peer, peer_number(peer) / 2);
    }
    if (peer_is(peer, "/bad/truncated-error")) {
        peer_say(peer, "HTTP/1.1 500 Broken\r\nContent-Length: 100\r\n\r\nhalf");
        return 0;
    }
    if (peer_is(peer, "/bad/chunked")) {
        peer_say(peer, "HTTP/1.1 200 OK\r\n" CHUNKED "3\r\nabc\r\n64\r\nhalf");
        return 0;
    }
    if (peer_is(peer, "/bad/silent")) {
        peer_wait(peer, 0, 30000);
        return 0;
    }
    if (peer_is(peer, "/bad/stalled-body")) {
        peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        peer_wait(peer, 0, 30000);
        return 0;
    }
    if (peer_is(peer, "/bad/slow-sink")) {
        return answer_slow_sink(peer);
    }
    if (peer_is(peer, "/bad/closed-after")) {
        answer_text(peer, "200 OK", "", "still here");
        return 0;
    }
    if (peer_is(peer, "/bad/drop-reused")) {
        return drop_reused(peer, 0);
    }
    if (peer_is(peer, "/bad/drop-reused-late")) {
        return drop_reused(peer, 1);
    }
    if (peer_is(peer, "/bad/early-403")) {
        return answer_early(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 1);
    }
    if (peer_is(peer, "/bad/early-403-closed")) {
        return answer_early(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 0);
    }
    if (peer_is(peer, "/bad/early-307")) {
        return answer_early(peer, "HTTP/1.1 307 Elsewhere\r\nLocation: /sink\r\n" CHUNKED "2\r\ngo\r\n0\r\n\r\n", 1);
    }
    if (peer_is(peer, "/bad/hints")) {
        return answer_for_ever(peer, "", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
    }
    if (peer_is(peer, "/bad/headers")) {
        return answer_for_ever(peer, "HTTP/1.1 200 OK\r\n", "X-More: and more, and more, and more\r\n");
    }
    if (peer_is(peer, "/bad/header-line")) {
        return answer_for_ever(peer, "HTTP/1.1 200 OK\r\nX-More: ", "and more, and more, and more, and more, ");
    }
    if (peer_is(peer, "/bad/trailers")) {
        return answer_for_ever(peer, "HTTP/1.1 200 OK\r\n" CHUNKED "2\r\nok\r\n0\r\n",
                               "X-More: and more, and more\r\n");
    }
    if (peer_is(peer, "/bad/reset")) {
        return answer_reset(peer);
    }
    if (peer_is(peer, "/bad/no-http")) {
        peer_say(peer, "220 smtp.example.org ESMTP\r\n");
        return 0;
    }
    return 0;
}

/* ---- connections ---- */

static int peer_serve_one(peer_t *peer)
{
    if (!peer_read_head(peer)) {
        return 0;
    }
    peer->requests++;
    atomic_fetch_add(&peer->server->requests, 1);
    return strstr(peer->head, " /bad/") ? answer_badly(peer) : answer_well(peer);
}

static void *peer_run(void *baton)
{
    peer_t *peer = baton;
    sigset_t pipe;
    int good = 1;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL); /* the client's threads must do without */
    if (peer->server->tls) {
        peer->tls = SSL_new(peer->server->tls);
        SSL_set_fd(peer->tls, peer->socket);
        good = SSL_accept(peer->tls) == 1;
    }
    peer->piece = malloc(SERVER_PIECE);
    while (good && peer_serve_one(peer)) {
    }
    if (peer->tls && good) {
        SSL_shutdown(peer->tls);
    }
    SSL_free(peer->tls);
    close(peer->socket);
    free(peer->piece);
    free(peer);
    return NULL;
}

static void *server_accept(void *baton)
{
    server_t *server = baton;
    struct pollfd waiting = {server->listener, POLLIN, 0};
    int on = 1;
    while (!atomic_load(&server->stop)) {
        peer_t *peer;
        int accepted = poll(&waiting, 1, 20) > 0 ? accept(server->listener, NULL, NULL) : -1;
        if (accepted < 0 || server->thread_count == SERVER_THREADS_MAX) {
            continue;
        }
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        atomic_fetch_add(&server->connections, 1);
        peer = calloc(1, sizeof(*peer));
        peer->server = server;
        peer->socket = accepted;
        pthread_create(&server->threads[server->thread_count++], NULL, peer_run, peer);
    }
    return NULL;
}

static server_t *server_start(SSL_CTX *tls)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    server_t *server = calloc(1, sizeof(*server));
    size_t i;
    for (i = 0; i < sizeof(server->pattern); i++) {
        size_t place = i % PATTERN_LENGTH;
        server->pattern[i] = (char)(unsigned char)((place * 131 + place / 256) & 0xff);
    }
    server->tls = tls;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->listener, (struct sockaddr *)&address, sizeof(address)) || listen(server->listener, 64) ||
        getsockname(server->listener, (struct sockaddr *)&address, &length)) {
        abort();
    }
    server->port = ntohs(address.sin_port);
    pthread_create(&server->acceptor, NULL, server_accept, server);
    return server;
}

static void server_stop(server_t *server)
{
    int i;
    atomic_store(&server->stop, 1);
    pthread_join(server->acceptor, NULL);
    for (i = 0; i < server->thread_count; i++) {
        pthread_join(server->threads[i], NULL);
    }
    close(server->listener);
    SSL_CTX_free(server->tls);
    free(server);
}

/* ---- certificates ---- */

/* A self-signed certificate for `names` ("IP:127.0.0.1"), also written to `path` as PEM. */
static SSL_CTX *server_certificate(const char *names, const char *path)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    FILE *file = fopen(path, "w");
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_set_pubkey(certificate, key);
    X509_add_ext(certificate, extension, -1);
    if (!file || !X509_sign(certificate, key, EVP_sha256()) || !PEM_write_X509(file, certificate) ||
        SSL_CTX_use_certificate(context, certificate) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1) {
        abort();
    }
    fclose(file);
    X509_EXTENSION_free(extension);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

#endif
