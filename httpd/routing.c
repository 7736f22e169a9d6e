/* Which requests are ours, and what keeps other modules away from them. */
#include "glue.h"

#define SIGNATURE "Signature="

static const fhir_settings_t *settings_of(const request_rec *r)
{
    return fhir_httpd_server(r->server)->settings;
}

fhir_exchange_record_t *fhir_httpd_record(const request_rec *r)
{
    return r->request_config ? ap_get_module_config(r->request_config, &fhir_binary_module) : NULL;
}

int fhir_httpd_is_ours(const request_rec *r)
{
    const fhir_settings_t *settings = settings_of(r);
    if (!settings->base_url || r->proxyreq) {
        return 0;
    }
    if (fhir_httpd_record(r) || (r->uri && fhir_app_claims(settings, r->uri)) ||
        (r->parsed_uri.path && fhir_app_claims(settings, r->parsed_uri.path))) {
        return 1;
    }
    /* The request line could not even be read: where all paths may be ours, the answer is too. */
    return (!r->uri || r->uri[0] != '/') && strcmp(settings->base_path, "/") == 0;
}

/* `text` with the values of all Signature parameters replaced, itself if there are none. */
static const char *without_signatures(const char *text, apr_pool_t *pool)
{
    const char *rest = text;
    const char *found;
    const char *clean = "";
    while ((found = strstr(rest, SIGNATURE)) != NULL) {
        found += strlen(SIGNATURE);
        clean = apr_pstrcat(pool, clean, apr_pstrmemdup(pool, rest, (apr_size_t)(found - rest)), "-", NULL);
        rest = found + strcspn(found, "& \t#");
    }
    return rest == text ? text : apr_pstrcat(pool, clean, rest, NULL);
}

/* A signed URL is a secret until it expires. The request line goes to the scoreboard and, with %r, to the access log;
 * the Referer goes to the error log. */
int fhir_httpd_hide_secrets(request_rec *r)
{
    const char *referer;
    if (!fhir_httpd_is_ours(r)) {
        return DECLINED;
    }
    if (r->the_request) {
        r->the_request = apr_pstrdup(r->pool, without_signatures(r->the_request, r->pool));
    }
    referer = apr_table_get(r->headers_in, "Referer");
    if (referer) {
        apr_table_setn(r->headers_in, "Referer", without_signatures(referer, r->pool));
    }
    return DECLINED;
}

int fhir_httpd_translate_name(request_rec *r)
{
    if (!r->uri || r->proxyreq || !fhir_app_claims(settings_of(r), r->uri)) {
        return DECLINED;
    }
    ap_set_module_config(r->request_config, &fhir_binary_module, apr_pcalloc(r->pool, sizeof(fhir_exchange_record_t)));
    r->handler = FHIR_HANDLER_NAME;
    /* No file has this name: modules that look at it find nothing. */
    r->filename = apr_pstrcat(r->pool, FHIR_HANDLER_NAME ":", r->uri, NULL);
    /* For LogFormat: %{fhir-path}e is the path without the query. */
    apr_table_setn(r->subprocess_env, "fhir-path", r->uri);
    /* Stored bytes leave as they are: their length and ETag were promised. */
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
    return OK;
}

int fhir_httpd_map_to_storage(request_rec *r)
{
    /* The core answers TRACE, or refuses it, in its own hook of this phase. */
    return fhir_httpd_record(r) && r->method_number != M_TRACE ? OK : DECLINED;
}

int fhir_httpd_type_checker(request_rec *r)
{
    return fhir_httpd_record(r) ? OK : DECLINED;
}
