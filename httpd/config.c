/* Server records: made, merged and checked. */
#include "glue.h"

/* The main server's settings, found again when the virtual hosts' are made in the same pool. */
#define MAIN_SETTINGS "fhir_binary main settings"

void *fhir_httpd_create_server(apr_pool_t *pool, server_rec *s)
{
    fhir_server_t *server = apr_pcalloc(pool, sizeof(*server));
    server->settings = fhir_settings_create(pool);
    server->places = apr_hash_make(pool);
    server->slot = -1;
    if (s->is_virtual) {
        void *main_settings = NULL;
        apr_pool_userdata_get(&main_settings, MAIN_SETTINGS, pool);
        server->settings->base = main_settings;
    } else {
        apr_pool_userdata_set(server->settings, MAIN_SETTINGS, NULL, pool);
    }
    return server;
}

void *fhir_httpd_merge_server(apr_pool_t *pool, void *base, void *overrides)
{
    const fhir_server_t *below = base;
    const fhir_server_t *above = overrides;
    fhir_server_t *server = apr_pcalloc(pool, sizeof(*server));
    server->settings = fhir_settings_merge(below->settings, above->settings, pool);
    server->slot = -1;
    server->places = apr_hash_overlay(pool, above->places, below->places);
    return server;
}

fhir_server_t *fhir_httpd_server(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &fhir_binary_module);
}

/* The advice begins with the directive that it is about; what is missing is told at the base URL. */
static const fhir_place_t *place_of(const fhir_server_t *server, const char *advice)
{
    const fhir_place_t *place = apr_hash_get(
        server->places, advice, (apr_ssize_t)strspn(advice, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    return place ? place : apr_hash_get(server->places, "FhirBinaryBaseURL", APR_HASH_KEY_STRING);
}

static void report(const fhir_server_t *server, server_rec *s, const fhir_error_t *error)
{
    const fhir_place_t *place = place_of(server, error->public_text);
    const char *file = place ? place->file : s->defn_name;
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, s, "fhir_binary: %s line %u: %s",
                 file ? file : "the main server", place ? (unsigned)place->line : s->defn_line_number,
                 error->public_text);
}

/* Gives every distinct record with a base URL its place among the applications of a child. */
int fhir_httpd_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    int slots = 0;
    (void)pconf;
    (void)plog;
    (void)ptemp;
    for (; s; s = s->next) {
        fhir_server_t *server = fhir_httpd_server(s);
        fhir_error_t *error = fhir_settings_finish(server->settings);
        if (error) {
            report(server, s, error);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        if (server->settings->base_url && server->slot < 0) {
            server->slot = slots++;
        }
    }
    return OK;
}
