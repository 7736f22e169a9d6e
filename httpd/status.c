/* The section of mod_status. The counters are in memory that all children share, and survive graceful restarts. */
#include "glue.h"

#include <apr_optional_hooks.h>
#include <apr_shm.h>
#include <mod_status.h>
#include <stdatomic.h>

/* Kept in the process pool under a name that changes with the layout: another build may take over at a restart. */
#define TOTALS_KEY "fhir_binary totals 1"

typedef struct fhir_totals_t {
    atomic_uint_least64_t requests;
    atomic_uint_least64_t reads;           /* 2xx to GET */
    atomic_uint_least64_t writes;          /* 2xx to POST and PUT */
    atomic_uint_least64_t refused;         /* 4xx */
    atomic_uint_least64_t failed;          /* 5xx */
    atomic_uint_least64_t received;        /* bytes of request bodies */
    atomic_uint_least64_t sent;            /* bytes of responses */
    atomic_uint_least64_t without_context; /* writes that left a Binary without a security context */
} fhir_totals_t;

static fhir_totals_t *totals;

int fhir_httpd_status_prepare(server_rec *s)
{
    void *kept = NULL;
    apr_shm_t *memory;
    apr_status_t status;
    apr_pool_userdata_get(&kept, TOTALS_KEY, s->process->pool);
    if (!kept) {
        status = apr_shm_create(&memory, sizeof(fhir_totals_t), NULL, s->process->pool);
        if (status != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, status, s, "fhir_binary: no shared memory for the counters");
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        kept = apr_shm_baseaddr_get(memory);
        memset(kept, 0, sizeof(fhir_totals_t));
        /* The key is copied: a string of this object is gone after a restart. */
        apr_pool_userdata_set(kept, TOTALS_KEY, NULL, s->process->pool);
    }
    totals = kept;
    return OK;
}

static void add(atomic_uint_least64_t *counter, apr_off_t amount)
{
    if (amount > 0) {
        atomic_fetch_add_explicit(counter, (uint_least64_t)amount, memory_order_relaxed);
    }
}

static apr_uint64_t get(atomic_uint_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* What the writes of this process have left, this request's among them. */
static apr_off_t without_context(const request_rec *r)
{
    fhir_app_t *app = fhir_httpd_app(r->server);
    return app ? (apr_off_t)fhir_app_take_without_context(app) : 0;
}

/* Runs when the last byte was sent, perhaps in another thread. */
int fhir_httpd_count(request_rec *r)
{
    const fhir_exchange_record_t *record = fhir_httpd_record(r);
    if (!record || !totals) {
        return DECLINED;
    }
    add(&totals->requests, 1);
    add(&totals->received, record->received);
    add(&totals->sent, r->bytes_sent);
    add(&totals->without_context, without_context(r));
    if (r->status >= 500) {
        add(&totals->failed, 1);
    } else if (r->status >= 400) {
        add(&totals->refused, 1);
    } else if (ap_is_HTTP_SUCCESS(r->status) && r->method_number == M_GET && !r->header_only) {
        add(&totals->reads, 1);
    } else if (ap_is_HTTP_SUCCESS(r->status) && (r->method_number == M_POST || r->method_number == M_PUT)) {
        add(&totals->writes, 1);
    }
    return DECLINED;
}

/* Database connections are this child's: other children's can't be seen from here. */
static void add_connections(const request_rec *r, int *open, int *busy, int *listening)
{
    const server_rec *s;
    *open = *busy = 0;
    *listening = 1;
    for (s = ap_server_conf ? ap_server_conf : r->server; s; s = s->next) {
        fhir_app_t *app = fhir_httpd_app(s);
        if (app && (s == ap_server_conf || fhir_httpd_server(s) != fhir_httpd_server(ap_server_conf))) {
            fhir_app_status_t status = {0};
            fhir_app_status(app, &status);
            *open += status.connections_open;
            *busy += status.connections_busy;
            *listening = *listening && status.listening;
        }
    }
}

static void show(request_rec *r, int is_short, const char *name, const char *label, apr_uint64_t value)
{
    ap_rprintf(r, is_short ? "%s: %" APR_UINT64_T_FMT "\n" : "<dt>%s: %" APR_UINT64_T_FMT "</dt>\n",
               is_short ? name : label, value);
}

static int show_status(request_rec *r, int flags)
{
    int is_short = flags & AP_STATUS_SHORT;
    int open;
    int busy;
    int listening;
    if (!totals) {
        return DECLINED;
    }
    add_connections(r, &open, &busy, &listening);
    if (!is_short) {
        ap_rputs("<hr />\n<h2>FHIR Binary (mod_fhir_binary " FHIR_VERSION ")</h2>\n<dl>\n", r);
    }
    show(r, is_short, "FhirBinaryRequests", "Requests", get(&totals->requests));
    show(r, is_short, "FhirBinaryReads", "Successful reads", get(&totals->reads));
    show(r, is_short, "FhirBinaryWrites", "Successful writes", get(&totals->writes));
    show(r, is_short, "FhirBinaryRefused", "Refused (4xx)", get(&totals->refused));
    show(r, is_short, "FhirBinaryFailed", "Failed (5xx)", get(&totals->failed));
    show(r, is_short, "FhirBinaryWithoutSecurityContext", "Binaries written without a security context",
         get(&totals->without_context));
    show(r, is_short, "FhirBinaryBytesReceived", "Bytes received", get(&totals->received));
    show(r, is_short, "FhirBinaryBytesSent", "Bytes sent", get(&totals->sent));
    show(r, is_short, "FhirBinaryConnectionsOpen", "Database connections of this child", (apr_uint64_t)open);
    show(r, is_short, "FhirBinaryConnectionsBusy", "of them busy", (apr_uint64_t)busy);
    ap_rprintf(r, is_short ? "FhirBinaryListening: %s\n" : "<dt>This child hears of revoked keys and rights: %s</dt>\n",
               listening ? "yes" : "no");
    if (!is_short) {
        ap_rputs("</dl>\n", r);
    }
    return OK;
}

void fhir_httpd_register_status(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, show_status, NULL, NULL, APR_HOOK_MIDDLE);
}
