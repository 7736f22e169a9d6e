/* FhirBinaryStoragePlugin, FhirBinaryStore, FhirBinaryDefaultStore and FhirBinaryStoreRedirect. The plugin is loaded at
 * once, so that httpd names the file and line of a wrong one. */
#include "directives.h"

#include <string.h>

static fhir_error_t *check_name(const char *name, const char *what, apr_pool_t *pool)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (length == 0 || length > 32 || name[length]) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "'%.64s' is not a name for a %s. Write 1 to 32 lower-case letters, digits or _.", name,
                                 what);
    }
    return NULL;
}

/* The path that a line gave this plugin, NULL if there is none. */
static const char *plugin_path(const fhir_settings_t *settings, const char *name)
{
    int i;
    for (i = 0; settings && i < settings->lines->nelts; i++) {
        const fhir_settings_line_t *line = &APR_ARRAY_IDX(settings->lines, i, fhir_settings_line_t);
        if (line->directive->set == fhir_set_storage_plugin && strcmp(line->arguments[0], name) == 0) {
            return line->arguments[1];
        }
    }
    return NULL;
}

fhir_error_t *fhir_set_storage_plugin(fhir_settings_t *settings, int count, const char *const *values)
{
    (void)count;
    FHIR_TRY(check_name(values[0], "plugin", settings->pool));
    if (values[1][0] != '/') {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%s' is not an absolute path. Write for example "
                                 "/usr/lib/apache2/modules/fhir_storage_%s.so",
                                 values[1], values[0]);
    }
    if (plugin_path(settings, values[0])) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "plugin '%s' is loaded already. Keep one of the lines.", values[0]);
    }
    return fhir_store_plugin_load(settings->catalog, values[0], values[1]);
}

fhir_error_t *fhir_set_store(fhir_settings_t *settings, int count, const char *const *values)
{
    const char *inherited;
    FHIR_TRY(check_name(values[0], "store", settings->pool));
    if (fhir_store_defined(settings->catalog, values[0])) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "store '%s' is defined already. Give the second one another name.", values[0]);
    }
    /* A virtual host may use what the main server loaded; the merge loads it for good. */
    inherited = plugin_path(settings, values[1]) ? NULL : plugin_path(settings->base, values[1]);
    if (inherited && !apr_hash_get(settings->given, inherited, APR_HASH_KEY_STRING)) {
        FHIR_TRY(fhir_store_plugin_load(settings->catalog, values[1], inherited));
        apr_hash_set(settings->given, inherited, APR_HASH_KEY_STRING, inherited);
    }
    return fhir_store_define(settings->catalog, values[0], values[1], values + 2, count - 2);
}

fhir_error_t *fhir_set_default_store(fhir_settings_t *settings, int count, const char *const *values)
{
    (void)count;
    FHIR_TRY(check_name(values[0], "store", settings->pool));
    settings->default_store = apr_pstrdup(settings->pool, values[0]);
    return NULL;
}

/* ---- redirects ---- */

static const fhir_store_redirect_t *find_redirect(const fhir_settings_t *settings, const char *store)
{
    int i;
    for (i = 0; i < settings->redirects->nelts; i++) {
        const fhir_store_redirect_t *redirect = &APR_ARRAY_IDX(settings->redirects, i, fhir_store_redirect_t);
        if (strcmp(redirect->store, store) == 0) {
            return redirect;
        }
    }
    return NULL;
}

int fhir_settings_redirect(const fhir_settings_t *settings, const char *store)
{
    const fhir_store_redirect_t *redirect = find_redirect(settings, store);
    return redirect ? redirect->what : 0;
}

fhir_error_t *fhir_set_store_redirect(fhir_settings_t *settings, int count, const char *const *values)
{
    static const char *const words[] = {"off", "read", "upload", "all"}; /* their places are the bits */
    fhir_store_redirect_t *redirect;
    int what;
    (void)count;
    FHIR_TRY(check_name(values[0], "store", settings->pool));
    for (what = 0; what < 4 && strcmp(values[1], words[what]) != 0; what++) {
    }
    if (what == 4) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID, "'%.32s' is none of: off, read, upload, all.",
                                 values[1]);
    }
    if (find_redirect(settings, values[0])) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "store '%s' has such a line already. Keep one of them.", values[0]);
    }
    redirect = apr_array_push(settings->redirects);
    redirect->store = apr_pstrdup(settings->pool, values[0]);
    redirect->what = what;
    return NULL;
}

/* Do the store's options stand in the way? */
static fhir_error_t *check_redirect_options(const fhir_settings_t *settings, const fhir_store_redirect_t *redirect)
{
    int write;
    for (write = 0; write <= 1; write++) {
        fhir_error_t *error = redirect->what & (write ? FHIR_REDIRECT_UPLOAD : FHIR_REDIRECT_READ)
                                  ? fhir_store_check_presign(settings->catalog, redirect->store, write, settings->pool)
                                  : NULL;
        if (error) {
            return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                     "FhirBinaryStoreRedirect: clients can't be sent to the store '%s' to %s. %s "
                                     "Change the store's options, or write %s.",
                                     redirect->store, write ? "upload" : "read", error->public_text,
                                     write ? "'read' or 'off'" : "'off'");
        }
    }
    return NULL;
}

static fhir_error_t *check_redirect(const fhir_settings_t *settings, const fhir_store_redirect_t *redirect)
{
    if (!fhir_store_defined(settings->catalog, redirect->store)) {
        return fhir_error_public(
            settings->pool, FHIR_ERROR_INVALID, "FhirBinaryStoreRedirect: there is no store '%s'. Write one of: %s.",
            redirect->store,
            apr_array_pstrcat(settings->pool, fhir_store_names(settings->catalog, settings->pool), ' '));
    }
    if (redirect->what && !fhir_store_can_presign(settings->catalog, redirect->store)) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "FhirBinaryStoreRedirect: clients can't be sent to the store '%s', because its "
                                 "plugin makes no URLs that work without us. Remove the line, or use an object "
                                 "store (s3, azure).",
                                 redirect->store);
    }
    return check_redirect_options(settings, redirect);
}

fhir_error_t *fhir_settings_finish_redirects(const fhir_settings_t *settings)
{
    int i;
    for (i = 0; i < settings->redirects->nelts; i++) {
        FHIR_TRY(check_redirect(settings, &APR_ARRAY_IDX(settings->redirects, i, fhir_store_redirect_t)));
    }
    return NULL;
}
