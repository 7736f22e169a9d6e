/* The settings as a whole: made with defaults, filled line by line, merged for a virtual host, checked at the end. */
#include "settings.h"

#include "../base/host_list.h"
#include "../base/network.h"
#include "directives.h"

#include <string.h>

apr_array_header_t *fhir_words(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 8, sizeof(const char *));
    while (*text) {
        size_t length = strcspn(text, " ");
        if (length > 0) {
            APR_ARRAY_PUSH(words, const char *) = apr_pstrmemdup(pool, text, length);
        }
        text += length + strspn(text + length, " ");
    }
    return words;
}

fhir_settings_t *fhir_settings_create(apr_pool_t *pool)
{
    fhir_settings_t *settings = apr_pcalloc(pool, sizeof(*settings));
    settings->pool = pool;
    settings->database_pool_size = 16;
    settings->database_connect_timeout = apr_time_from_sec(5);
    settings->database_acquire_timeout = apr_time_from_sec(5);
    settings->database_statement_timeout = apr_time_from_sec(10);
    settings->catalog = fhir_store_catalog_create(pool);
    settings->redirects = apr_array_make(pool, 1, sizeof(fhir_store_redirect_t));
    settings->max_object_size = (apr_off_t)5 << 30;
    settings->max_resource_size = (apr_off_t)16 << 20;
    settings->max_bundle_size = (apr_off_t)16 << 20;
    settings->max_inline_data = (apr_off_t)64 << 20;
    settings->fill_attachments = 1;
    settings->signed_url_lifetime = apr_time_from_sec(3600);
    settings->signed_url_window = apr_time_from_sec(300);
    settings->token_lifetime = apr_time_from_sec(3600);
    settings->trusted_issuers = apr_array_make(pool, 1, sizeof(fhir_trusted_issuer_t));
    settings->refused_content_types = fhir_words(FHIR_DEFAULT_REFUSED_TYPES, pool);
    settings->refused_extensions = fhir_words(FHIR_DEFAULT_REFUSED_EXTENSIONS, pool);
    settings->inline_content_types = fhir_words(FHIR_DEFAULT_INLINE_TYPES, pool);
    settings->cors_origins = apr_array_make(pool, 1, sizeof(const char *));
    settings->fetch_hosts = apr_array_make(pool, 1, sizeof(fhir_host_pattern_t));
    settings->fetch_addresses = apr_array_make(pool, 1, sizeof(fhir_network_t));
    settings->fetch_max_size = (apr_off_t)100 << 20;
    settings->fetch_timeout = apr_time_from_sec(300);
    settings->request_timeout = apr_time_from_sec(30);
    settings->body_timeout = apr_time_from_sec(30);
    settings->given = apr_hash_make(pool);
    settings->lines = apr_array_make(pool, 16, sizeof(fhir_settings_line_t));
    return settings;
}

int fhir_settings_given(const fhir_settings_t *settings, const char *name)
{
    return apr_hash_get(settings->given, name, APR_HASH_KEY_STRING) != NULL;
}

static fhir_error_t *check_count(const fhir_directive_t *directive, int count, apr_pool_t *pool)
{
    if (count >= directive->min_arguments && (directive->max_arguments < 0 || count <= directive->max_arguments)) {
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "%s: too %s arguments. Write: %s (put double quotes around a value that has blanks).",
                             directive->name, count < directive->min_arguments ? "few" : "many", directive->syntax);
}

static void remember(fhir_settings_t *settings, const fhir_directive_t *directive, int count,
                     const char *const *arguments)
{
    fhir_settings_line_t *line = apr_array_push(settings->lines);
    const char **copies = apr_palloc(settings->pool, sizeof(*copies) * (apr_size_t)(count + 1));
    int i;
    for (i = 0; i < count; i++) {
        copies[i] = apr_pstrdup(settings->pool, arguments[i]);
    }
    copies[count] = NULL;
    line->directive = directive;
    line->count = count;
    line->arguments = copies;
    apr_hash_set(settings->given, directive->name, APR_HASH_KEY_STRING, directive);
}

fhir_error_t *fhir_settings_set(fhir_settings_t *settings, const char *name, int count, const char *const *arguments)
{
    const fhir_directive_t *directive = fhir_directive_find(name);
    fhir_error_t *error;
    if (!directive) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID, "There is no directive '%.64s'.", name);
    }
    FHIR_TRY(check_count(directive, count, settings->pool));
    if (!directive->repeatable && fhir_settings_given(settings, directive->name)) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "%s is given twice for this server. Keep one of the lines.", directive->name);
    }
    error = directive->set(settings, count, arguments);
    if (error) {
        error->public_text = apr_pstrcat(settings->pool, directive->name, ": ", error->public_text, NULL);
        return error;
    }
    remember(settings, directive, count, arguments);
    return NULL;
}

/* ---- merging ---- */

static int is_plugin_line(const fhir_settings_line_t *line)
{
    return line->directive->set == fhir_set_storage_plugin;
}

static int is_database_line(const fhir_directive_t *directive)
{
    return directive->set == fhir_set_database || directive->set == fhir_set_database_file;
}

/* Does a line of `overrides` take the place of this one? */
static int is_overridden(const fhir_settings_line_t *line, const fhir_settings_t *overrides)
{
    int i;
    for (i = 0; i < overrides->lines->nelts; i++) {
        const fhir_settings_line_t *other = &APR_ARRAY_IDX(overrides->lines, i, fhir_settings_line_t);
        if (is_database_line(line->directive) && is_database_line(other->directive)) {
            return 1;
        }
        if (other->directive == line->directive &&
            (!fhir_directive_is_named(line->directive) || strcmp(other->arguments[0], line->arguments[0]) == 0)) {
            return 1;
        }
    }
    return 0;
}

/* Sets the plugin lines (or all others) of `from` again, those that `overrides` replaces left out. */
static void replay(fhir_settings_t *merged, const fhir_settings_t *from, const fhir_settings_t *overrides, int plugins)
{
    int i;
    for (i = 0; i < from->lines->nelts && !merged->merge_error; i++) {
        const fhir_settings_line_t *line = &APR_ARRAY_IDX(from->lines, i, fhir_settings_line_t);
        if (is_plugin_line(line) == plugins && !(overrides && is_overridden(line, overrides))) {
            merged->merge_error = fhir_settings_set(merged, line->directive->name, line->count, line->arguments);
        }
    }
}

fhir_settings_t *fhir_settings_merge(const fhir_settings_t *base, const fhir_settings_t *overrides, apr_pool_t *pool)
{
    fhir_settings_t *merged = fhir_settings_create(pool);
    int plugins;
    merged->merge_error = base->merge_error ? base->merge_error : overrides->merge_error;
    for (plugins = 1; plugins >= 0; plugins--) {
        replay(merged, base, overrides, plugins);
        replay(merged, overrides, NULL, plugins);
    }
    return merged;
}

/* ---- the checks that need all lines ---- */

static int begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static fhir_error_t *finish_addresses(fhir_settings_t *settings)
{
    const char *fhir_path = apr_pstrcat(settings->pool, settings->base_path, "fhir/R4/", NULL);
    settings->fhir_base = apr_pstrcat(settings->pool, settings->base_url, "fhir/R4/", NULL);
    if (!fhir_settings_given(settings, "FhirBinaryStorageBaseURL")) {
        settings->storage_base_url = apr_pstrcat(settings->pool, settings->base_url, "storage/", NULL);
        settings->storage_base_path = apr_pstrcat(settings->pool, settings->base_path, "storage/", NULL);
    }
    if (begins_with(fhir_path, settings->storage_base_path) || begins_with(settings->storage_base_path, fhir_path)) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "FhirBinaryStorageBaseURL: the path %s overlaps with the FHIR paths below %s. Write a "
                                 "path of its own, for example %sstorage/.",
                                 settings->storage_base_path, fhir_path, settings->base_url);
    }
    return NULL;
}

/* The first one that is not a part of another. There is one: a store wraps what comes before it. */
static const char *first_whole_store(const fhir_settings_t *settings, const apr_array_header_t *names)
{
    int i;
    for (i = 0; i < names->nelts - 1 && fhir_store_wrapper_of(settings->catalog, APR_ARRAY_IDX(names, i, const char *));
         i++) {
    }
    return APR_ARRAY_IDX(names, i, const char *);
}

static fhir_error_t *check_default_store(const fhir_settings_t *settings, const apr_array_header_t *names)
{
    const char *wrapper = fhir_store_wrapper_of(settings->catalog, settings->default_store);
    if (!fhir_store_defined(settings->catalog, settings->default_store)) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "FhirBinaryDefaultStore: there is no store '%s'. Write one of: %s.",
                                 settings->default_store, apr_array_pstrcat(settings->pool, names, ' '));
    }
    if (wrapper) {
        return fhir_error_public(
            settings->pool, FHIR_ERROR_INVALID,
            "FhirBinaryDefaultStore: the store '%s' is a part of '%s'; new content would go around "
            "that one. Write '%s', or define a store of its own.",
            settings->default_store, wrapper, wrapper);
    }
    return NULL;
}

static fhir_error_t *finish_stores(fhir_settings_t *settings)
{
    apr_array_header_t *names = fhir_store_names(settings->catalog, settings->pool);
    if (names->nelts == 0) {
        return fhir_error_public(
            settings->pool, FHIR_ERROR_INVALID,
            "FhirBinaryBaseURL %s has no store to keep content in. Add for example: "
            "FhirBinaryStoragePlugin filesystem /usr/lib/apache2/modules/fhir_storage_filesystem.so"
            " and FhirBinaryStore files filesystem path=/var/lib/fhir-binary",
            settings->base_url);
    }
    FHIR_TRY(fhir_store_check_wrapping(settings->catalog, settings->pool));
    if (!settings->default_store) {
        settings->default_store = first_whole_store(settings, names);
    }
    return check_default_store(settings, names);
}

static fhir_error_t *finish_signing(const fhir_settings_t *settings)
{
    int i;
    if (settings->signed_url_window > settings->signed_url_lifetime) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "FhirBinarySignedURLWindow is longer than FhirBinarySignedURLLifetime, so that signed "
                                 "URLs would work more than twice as long as wanted. Write a shorter window, for "
                                 "example a tenth of the lifetime.");
    }
    for (i = 0; i < settings->trusted_issuers->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(settings->trusted_issuers, i, fhir_trusted_issuer_t).issuer, settings->base_url) ==
            0) {
            return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                     "FhirBinaryTrustedIssuer: %s is this server itself, whose tokens are accepted "
                                     "anyway. Remove the line.",
                                     settings->base_url);
        }
    }
    return NULL;
}

fhir_error_t *fhir_settings_finish(fhir_settings_t *settings)
{
    if (settings->merge_error) {
        return settings->merge_error;
    }
    if (!settings->base_url) {
        return NULL;
    }
    FHIR_TRY(finish_addresses(settings));
    if (!settings->database) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "FhirBinaryBaseURL %s has no database. Add a line like FhirBinaryDatabase "
                                 "\"host=/var/run/postgresql dbname=fhir_binary user=www-data\", or name a file that "
                                 "holds it with FhirBinaryDatabaseFile.",
                                 settings->base_url);
    }
    FHIR_TRY(finish_stores(settings));
    FHIR_TRY(fhir_settings_finish_redirects(settings));
    FHIR_TRY(fhir_settings_finish_fetch(settings));
    return finish_signing(settings);
}
