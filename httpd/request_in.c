/* From httpd's request to the neutral one. */
#include "glue.h"

#include "../core/base/digest.h"

#include <apr_portable.h>
#include <poll.h>

/* How often a waiting request looks whether its client is still there. */
#define LOOK_INTERVAL APR_TIME_C(250000)

typedef struct client_watch_t {
    request_rec *r;
    apr_time_t looked;
    int gone;
} client_watch_t;

static fhir_method_t method_of(const request_rec *r)
{
    switch (r->method_number) {
    case M_GET:
        return r->header_only ? FHIR_METHOD_HEAD : FHIR_METHOD_GET;
    case M_POST:
        return FHIR_METHOD_POST;
    case M_PUT:
        return FHIR_METHOD_PUT;
    case M_PATCH:
        return FHIR_METHOD_PATCH;
    case M_DELETE:
        return FHIR_METHOD_DELETE;
    case M_OPTIONS:
        return FHIR_METHOD_OPTIONS;
    default:
        return FHIR_METHOD_OTHER;
    }
}

/* Has the client closed its connection? Streams of HTTP/2 have no socket of their own. That it sends no more
 * (POLLRDHUP) says nothing: some clients close their half after the request and wait for the answer. */
static int has_hung_up(conn_rec *c)
{
    apr_socket_t *socket = c->master ? NULL : ap_get_conn_socket(c);
    struct pollfd descriptor = {-1, 0, 0};
    if (!socket || apr_os_sock_get(&descriptor.fd, socket) != APR_SUCCESS || descriptor.fd < 0) {
        return 0;
    }
    return poll(&descriptor, 1, 0) == 1 && (descriptor.revents & (POLLHUP | POLLERR)) != 0;
}

static int is_cancelled(void *baton)
{
    client_watch_t *watch = baton;
    apr_time_t now;
    if (watch->gone || watch->r->connection->aborted || fhir_httpd_is_ending()) {
        return 1;
    }
    now = apr_time_now();
    if (now - watch->looked >= LOOK_INTERVAL || now < watch->looked) {
        watch->looked = now;
        watch->gone = has_hung_up(watch->r->connection);
    }
    return watch->gone;
}

static const char *request_id(request_rec *r)
{
    const char *id = apr_table_get(r->subprocess_env, "UNIQUE_ID");
    fhir_error_t *error = id ? NULL : fhir_random_hex(&id, 12, r->pool);
    return error ? apr_psprintf(r->pool, "%lx-%" APR_TIME_T_FMT, r->connection->id, r->request_time) : id;
}

fhir_request_t *fhir_httpd_request(request_rec *r, const fhir_settings_t *settings)
{
    fhir_request_t *request = apr_pcalloc(r->pool, sizeof(*request));
    client_watch_t *watch = apr_pcalloc(r->pool, sizeof(*watch));
    const char *scheme = ap_run_http_scheme(r);
    watch->r = r;
    watch->looked = apr_time_now();
    request->pool = r->pool;
    request->method = method_of(r);
    request->method_name = r->method ? r->method : "";
    request->path = r->uri ? r->uri : "/";
    request->query = r->args;
    request->headers = r->headers_in;
    request->body = &fhir_httpd_body(r, settings->body_timeout)->body;
    /* Without an authentication type r->user may be what the client merely claims. */
    request->httpd_user = r->ap_auth_type ? r->user : NULL;
    request->peer_address = r->useragent_ip ? r->useragent_ip : "";
    request->secure = scheme && strcmp(scheme, "https") == 0;
    request->request_id = request_id(r);
    request->received = r->request_time ? r->request_time : apr_time_now();
    request->deadline = request->received + settings->request_timeout;
    request->cancelled = is_cancelled;
    request->cancelled_baton = watch;
    return request;
}
