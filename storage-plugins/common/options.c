/* Reading the options of a storage plugin. */
#include "plugin.h"

#include <string.h>

static const char *known_keys(const fhir_plugin_option_t *known, apr_pool_t *pool)
{
    const char *keys = NULL;
    for (; known->key; known++) {
        keys = keys ? apr_pstrcat(pool, keys, ", ", known->key, NULL) : known->key;
    }
    return keys ? keys : "none";
}

fhir_error_t *fhir_plugin_options(const fhir_plugin_option_t *known, const fhir_store_option_t *options,
                                  int option_count, const char *plugin, apr_pool_t *pool)
{
    int i;
    for (i = 0; i < option_count; i++) {
        const fhir_plugin_option_t *match = known;
        while (match->key && strcmp(match->key, options[i].key)) {
            match++;
        }
        if (!match->key) {
            return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                     "The storage plugin '%s' has no option '%s'. It knows: %s.", plugin,
                                     options[i].key, known_keys(known, pool));
        }
        *match->value = apr_pstrdup(pool, options[i].value);
    }
    return NULL;
}

fhir_error_t *fhir_plugin_flag(int *flag, const char *key, const char *value, apr_pool_t *pool)
{
    if (!value) {
        return NULL;
    }
    if (!strcmp(value, "on")) {
        *flag = 1;
        return NULL;
    }
    if (!strcmp(value, "off")) {
        *flag = 0;
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "%s=%s is neither on nor off. Write %s=on or %s=off.", key,
                             value, key, key);
}

fhir_error_t *fhir_plugin_number(apr_int64_t *number, const char *key, const char *value, apr_int64_t least,
                                 apr_int64_t most, apr_pool_t *pool)
{
    size_t digits;
    apr_int64_t parsed;
    if (!value) {
        return NULL;
    }
    digits = strspn(value, "0123456789");
    parsed = digits > 0 && digits <= 18 && !value[digits] ? apr_atoi64(value) : -1;
    if (parsed < least || parsed > most) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s=%s is not a whole number from %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT ".", key,
                                 value, least, most);
    }
    *number = parsed;
    return NULL;
}
