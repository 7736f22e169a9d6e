/* From start to end: what the parent prepares once and what each child opens for itself. */
#include "glue.h"

#include "../core/fetch/fetch.h"

#include <apr_thread_mutex.h>
#include <stdatomic.h>

/* httpd's own when LimitRequestBody is not given (server/core.c keeps the name to itself). */
#define HTTPD_BODY_LIMIT ((apr_off_t)1 << 30)

/* What takes no longer is still done when httpd stops. It gives a child some nine seconds in all. */
#define LAST_WORK apr_time_from_sec(1)

/* The applications of this process, by slot; NULL if it has none. Written once, in child_init, before there are
 * threads. */
static fhir_app_t **apps;
/* When this child was told to end at once, in microseconds; 0: not yet. */
static atomic_int_least64_t ending;

/* Does any <Location> or the server itself set LimitRequestBody? Then somebody has thought about it. */
static int body_limit_is_set(const server_rec *s)
{
    const core_server_config *core = ap_get_core_module_config(s->module_config);
    const core_dir_config *defaults = ap_get_core_module_config(s->lookup_defaults);
    int i;
    if (defaults->limit_req_body >= 0) {
        return 1;
    }
    for (i = 0; i < core->sec_url->nelts; i++) {
        ap_conf_vector_t *section = APR_ARRAY_IDX(core->sec_url, i, ap_conf_vector_t *);
        const core_dir_config *location = ap_get_core_module_config(section);
        if (location && location->limit_req_body >= 0) {
            return 1;
        }
    }
    return 0;
}

/* Things that work, but not as well as the administrator expects. */
static void advise(server_rec *s, const fhir_settings_t *settings)
{
    const core_dir_config *defaults = ap_get_core_module_config(s->lookup_defaults);
    int i;
    if (!body_limit_is_set(s) && settings->max_object_size > HTTPD_BODY_LIMIT) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "fhir_binary: httpd itself refuses bodies over 1 GiB, which is less than FhirBinaryMaxObjectSize. "
                     "Add: LimitRequestBody 0 (in this server, or in <Location \"%sfhir/R4/Binary\">).",
                     settings->base_path);
    }
    for (i = 0; i < settings->lines->nelts; i++) {
        const fhir_settings_line_t *line = &APR_ARRAY_IDX(settings->lines, i, fhir_settings_line_t);
        if (!strcmp(line->directive->name, "FhirBinaryStore") && !strcmp(line->arguments[1], "filesystem") &&
            defaults->enable_sendfile != ENABLE_SENDFILE_ON) {
            ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                         "fhir_binary: store %s could send its files without copying them. Add: EnableSendfile On, "
                         "unless they are on a network file system.",
                         line->arguments[0]);
        }
    }
}

int fhir_httpd_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    fhir_error_t *error;
    server_rec *at;
    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    error = fhir_fetch_global_init(pconf);
    if (error) {
        fhir_log_error(fhir_httpd_server_log(s, pconf), FHIR_LOG_ERROR, error, "starting the HTTP client");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (at = s; at; at = at->next) {
        const fhir_server_t *server = fhir_httpd_server(at);
        if (server->slot >= 0 && (at == s || server != fhir_httpd_server(s))) {
            advise(at, server->settings);
        }
    }
    ap_add_version_component(pconf, "mod_fhir_binary/" FHIR_VERSION);
    if (fhir_httpd_audit_prepare(pconf, s) != OK || fhir_httpd_background_prepare(pconf, s) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return fhir_httpd_status_prepare(s);
}

apr_pool_t *fhir_httpd_child_pool(apr_pool_t *pchild)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *mutex;
    apr_pool_t *pool;
    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_pool_create_ex(&pool, pchild, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    apr_pool_tag(pool, "fhir_binary");
    if (apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return NULL;
    }
    apr_allocator_mutex_set(allocator, mutex);
    return pool;
}

static int count_slots(const server_rec *s)
{
    int slots = 0;
    for (; s; s = s->next) {
        int slot = fhir_httpd_server(s)->slot;
        slots = slot >= slots ? slot + 1 : slots;
    }
    return slots;
}

/* A child can't refuse to start: without its application it answers 503. */
void fhir_httpd_child_init(apr_pool_t *pchild, server_rec *s)
{
    apr_pool_t *pool = fhir_httpd_child_pool(pchild);
    server_rec *main_server = s;
    int slots = count_slots(s);
    apps = slots > 0 ? apr_pcalloc(pchild, sizeof(fhir_app_t *) * (apr_size_t)slots) : NULL;
    if (!pool) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, APR_ENOMEM, s, "fhir_binary: no memory to start with");
        return;
    }
    for (; s; s = s->next) {
        const fhir_server_t *server = fhir_httpd_server(s);
        const fhir_log_t *log = fhir_httpd_server_log(s, pool);
        fhir_error_t *error;
        if (server->slot < 0 || apps[server->slot]) {
            continue;
        }
        error = fhir_app_open(&apps[server->slot], server->settings, log, pool);
        if (error) {
            apps[server->slot] = NULL;
            fhir_log_error(log, FHIR_LOG_ERROR, error,
                           "opening the stores; every request is answered 503 until httpd is restarted");
            continue;
        }
        fhir_httpd_audit_start(pchild, s, server, apps[server->slot]);
        fhir_httpd_listener_start(pchild, s, apps[server->slot], log);
        fhir_httpd_background_start(pchild, s, server, apps[server->slot], log);
    }
    fhir_httpd_audit_watch(pchild, main_server);
}

int fhir_httpd_serves(void)
{
    return apps != NULL;
}

fhir_app_t *fhir_httpd_app(const server_rec *s)
{
    int slot = fhir_httpd_server(s)->slot;
    return apps && slot >= 0 ? apps[slot] : NULL;
}

void fhir_httpd_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    if (!graceful) {
        atomic_store(&ending, apr_time_now());
    }
}

int fhir_httpd_is_ending(void)
{
    apr_time_t since = atomic_load_explicit(&ending, memory_order_relaxed);
    return since && apr_time_now() - since > LAST_WORK;
}
