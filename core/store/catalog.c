/* The catalog: plugins and named stores of one configuration, and their life from definition to close. */
#include "store_private.h"

#include <string.h>

#define STORE_NAME_MAX 64

#define PLUGIN_AT(catalog, i) APR_ARRAY_IDX((catalog)->plugins, i, const fhir_storage_plugin_t *)
#define STORE_AT(catalog, i) APR_ARRAY_IDX((catalog)->stores, i, fhir_open_store_t *)

fhir_open_store_t *fhir_store_find(const fhir_store_catalog_t *catalog, const char *name)
{
    int i;
    for (i = 0; i < catalog->stores->nelts; i++) {
        if (!strcmp(STORE_AT(catalog, i)->name, name)) {
            return STORE_AT(catalog, i);
        }
    }
    return NULL;
}

/* The host service `resolve`: a wrapping store finds the store that it wraps. */
static fhir_error_t *resolve(const fhir_storage_plugin_t **plugin, fhir_store_t **store, void *baton,
                             const char *store_name, apr_pool_t *pool)
{
    const fhir_store_catalog_t *catalog = baton;
    fhir_open_store_t *found = fhir_store_find(catalog, store_name);
    *plugin = NULL;
    *store = NULL;
    if (!found || !found->store) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The store '%s' is not open yet. Define it before the store that wraps it.",
                                 store_name);
    }
    if (catalog->opening) {
        found->wrapped_by = catalog->opening;
        catalog->opening->wraps_persistent |= fhir_store_is_persistent(found);
    }
    *plugin = found->plugin;
    *store = found->store;
    return NULL;
}

fhir_store_catalog_t *fhir_store_catalog_create(apr_pool_t *pool)
{
    fhir_store_catalog_t *catalog = apr_pcalloc(pool, sizeof(*catalog));
    catalog->pool = pool;
    catalog->plugins = apr_array_make(pool, 4, sizeof(const fhir_storage_plugin_t *));
    catalog->stores = apr_array_make(pool, 4, sizeof(fhir_open_store_t *));
    catalog->host.abi_major = FHIR_STORAGE_ABI_MAJOR;
    catalog->host.abi_minor = FHIR_STORAGE_ABI_MINOR;
    catalog->host.struct_size = sizeof(catalog->host);
    catalog->host.baton = catalog;
    catalog->host.resolve = resolve;
    return catalog;
}

static const fhir_storage_plugin_t *find_plugin(const fhir_store_catalog_t *catalog, const char *name)
{
    int i;
    for (i = 0; i < catalog->plugins->nelts; i++) {
        if (!strcmp(PLUGIN_AT(catalog, i)->name, name)) {
            return PLUGIN_AT(catalog, i);
        }
    }
    return NULL;
}

fhir_error_t *fhir_store_plugin_add(fhir_store_catalog_t *catalog, const fhir_storage_plugin_t *plugin,
                                    const char *name, const char *source)
{
    const fhir_storage_plugin_t *checked;
    FHIR_TRY(fhir_store_plugin_check(&checked, plugin, name, source, catalog->pool));
    if (find_plugin(catalog, name)) {
        return fhir_error_public(catalog->pool, FHIR_ERROR_INVALID,
                                 "The storage plugin '%s' is loaded already. Take one of the two directives away; any "
                                 "number of stores can use one plugin.",
                                 name);
    }
    APR_ARRAY_PUSH(catalog->plugins, const fhir_storage_plugin_t *) = checked;
    return NULL;
}

fhir_error_t *fhir_store_plugin_register(fhir_store_catalog_t *catalog, const fhir_storage_plugin_t *plugin)
{
    return fhir_store_plugin_add(catalog, plugin, plugin && plugin->name ? plugin->name : "", "The built-in plugin");
}

static const char *loaded_plugins(const fhir_store_catalog_t *catalog)
{
    const char *names = NULL;
    int i;
    for (i = 0; i < catalog->plugins->nelts; i++) {
        const char *name = PLUGIN_AT(catalog, i)->name;
        names = names ? apr_pstrcat(catalog->pool, names, ", ", name, NULL) : name;
    }
    return names ? names : "none";
}

static fhir_error_t *check_definition(const fhir_store_catalog_t *catalog, const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (length == 0 || length > STORE_NAME_MAX || name[length]) {
        return fhir_error_public(catalog->pool, FHIR_ERROR_INVALID,
                                 "'%s' can't be the name of a store. Use 1 to %d letters, digits, '_', '-' and '.'.",
                                 name, STORE_NAME_MAX);
    }
    if (fhir_store_find(catalog, name)) {
        return fhir_error_public(catalog->pool, FHIR_ERROR_INVALID,
                                 "The store '%s' is defined already. Give the second one another name.", name);
    }
    if (catalog->open) {
        return fhir_error_public(catalog->pool, FHIR_ERROR_INVALID,
                                 "The store '%s' comes too late: the stores are open already.", name);
    }
    return NULL;
}

static fhir_error_t *split_options(fhir_store_option_t **parsed, const char *const *options, int option_count,
                                   apr_pool_t *pool)
{
    fhir_store_option_t *made = apr_pcalloc(pool, sizeof(*made) * (apr_size_t)(option_count > 0 ? option_count : 1));
    int i;
    int other;
    for (i = 0; i < option_count; i++) {
        const char *equals = strchr(options[i], '=');
        if (!equals || equals == options[i]) {
            return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                     "Word %d of the store's options is not key=value. Write for example "
                                     "path=/var/lib/fhir-binary, without spaces around the =.",
                                     i + 1); /* not the word: behind a space stands what may be a secret */
        }
        made[i].key = apr_pstrmemdup(pool, options[i], (apr_size_t)(equals - options[i]));
        made[i].value = apr_pstrdup(pool, equals + 1);
        for (other = 0; other < i; other++) {
            if (!strcmp(made[other].key, made[i].key)) {
                return fhir_error_public(pool, FHIR_ERROR_INVALID, "The option '%s' is given twice. Keep one of them.",
                                         made[i].key);
            }
        }
    }
    *parsed = made;
    return NULL;
}

fhir_error_t *fhir_store_define(fhir_store_catalog_t *catalog, const char *name, const char *plugin,
                                const char *const *options, int option_count)
{
    fhir_open_store_t *store = apr_pcalloc(catalog->pool, sizeof(*store));
    fhir_store_option_t *parsed = NULL;
    FHIR_TRY(check_definition(catalog, name));
    store->name = apr_pstrdup(catalog->pool, name);
    store->plugin = find_plugin(catalog, plugin);
    if (!store->plugin) {
        return fhir_error_public(catalog->pool, FHIR_ERROR_INVALID,
                                 "The store '%s' wants the storage plugin '%s', which is not loaded (loaded: %s). Load "
                                 "it in a line above this one, or write one of those.",
                                 name, plugin, loaded_plugins(catalog));
    }
    FHIR_TRY(split_options(&parsed, options, option_count, catalog->pool));
    FHIR_TRY(store->plugin->configure(&store->config, parsed, option_count, catalog->pool));
    APR_ARRAY_PUSH(catalog->stores, fhir_open_store_t *) = store;
    return NULL;
}

/* Is this name one of the first `count` stores? */
static int is_before(const fhir_store_catalog_t *catalog, const char *name, int count)
{
    int i;
    for (i = 0; i < count && strcmp(STORE_AT(catalog, i)->name, name) != 0; i++) {
    }
    return i < count;
}

/* The name of a store that this one wraps; NULL after the last. */
static const char *inner_of(const fhir_open_store_t *store, int index)
{
    return store->plugin->wraps ? store->plugin->wraps(store->config, index) : NULL;
}

static int does_wrap(const fhir_open_store_t *store, const char *name)
{
    const char *inner = NULL;
    int index;
    for (index = 0; (inner = inner_of(store, index)) != NULL && strcmp(inner, name) != 0; index++) {
    }
    return inner != NULL;
}

const char *fhir_store_wrapper_of(const fhir_store_catalog_t *catalog, const char *name)
{
    int i;
    for (i = 0; i < catalog->stores->nelts; i++) {
        if (does_wrap(STORE_AT(catalog, i), name)) {
            return STORE_AT(catalog, i)->name;
        }
    }
    return NULL;
}

/* What two stores keep in one, each would take for its own. */
static fhir_error_t *check_wrapped_once(const fhir_store_catalog_t *catalog, const fhir_open_store_t *store,
                                        const char *inner, apr_pool_t *pool)
{
    const char *first = fhir_store_wrapper_of(catalog, inner);
    if (strcmp(first, store->name) == 0) {
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "FhirBinaryStore %s wraps the store '%s', which '%s' wraps already. Give each a store of "
                             "its own, for instance the same bucket with another prefix.",
                             store->name, inner, first);
}

fhir_error_t *fhir_store_check_wrapping(const fhir_store_catalog_t *catalog, apr_pool_t *pool)
{
    int i;
    for (i = 0; i < catalog->stores->nelts; i++) {
        const fhir_open_store_t *store = STORE_AT(catalog, i);
        const char *inner;
        int index;
        for (index = 0; (inner = inner_of(store, index)) != NULL; index++) {
            if (!is_before(catalog, inner, i)) {
                return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                         "FhirBinaryStore %s wraps the store '%s', which is not defined before it. "
                                         "Define '%s' in a line above, or correct the name.",
                                         store->name, inner, inner);
            }
            FHIR_TRY(check_wrapped_once(catalog, store, inner, pool));
        }
    }
    return NULL;
}

int fhir_store_defined(const fhir_store_catalog_t *catalog, const char *name)
{
    return fhir_store_find(catalog, name) != NULL;
}

apr_array_header_t *fhir_store_names(const fhir_store_catalog_t *catalog, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, catalog->stores->nelts, sizeof(const char *));
    int i;
    for (i = 0; i < catalog->stores->nelts; i++) {
        APR_ARRAY_PUSH(names, const char *) = STORE_AT(catalog, i)->name;
    }
    return names;
}

/* The last one first: a wrapping store comes after the one that it wraps. */
static apr_status_t close_all(void *data)
{
    fhir_store_catalog_t *catalog = data;
    int i;
    for (i = catalog->stores->nelts - 1; i >= 0; i--) {
        fhir_open_store_t *store = STORE_AT(catalog, i);
        if (store->store) {
            store->plugin->close(store->store);
            store->store = NULL;
        }
    }
    catalog->open = 0;
    return APR_SUCCESS;
}

fhir_error_t *fhir_store_open_all(fhir_store_catalog_t *catalog, apr_pool_t *pool)
{
    fhir_hashers_t *hashers;
    int i;
    if (catalog->open) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The stores are open already.", NULL);
    }
    FHIR_TRY(fhir_hashers_create(&hashers, pool));
    catalog->open = 1;
    /* Before `pool`'s children go, which are the stores' own pools. */
    apr_pool_pre_cleanup_register(pool, catalog, close_all);
    for (i = 0; i < catalog->stores->nelts; i++) {
        fhir_open_store_t *store = STORE_AT(catalog, i);
        apr_pool_t *store_pool;
        fhir_error_t *error;
        store->hashers = hashers;
        apr_pool_create(&store_pool, pool);
        store->wrapped_by = NULL;
        store->wraps_persistent = 0;
        catalog->opening = store;
        error = store->plugin->open(&store->store, store->config, &catalog->host, store_pool);
        catalog->opening = NULL;
        if (error) {
            store->store = NULL;
            return fhir_store_explain(error, store, "open", pool);
        }
    }
    return NULL;
}

fhir_error_t *fhir_store_get(fhir_open_store_t **store, const fhir_store_catalog_t *catalog, const char *name,
                             apr_pool_t *pool)
{
    fhir_open_store_t *found = fhir_store_find(catalog, name);
    *store = NULL;
    if (!found || !found->store) {
        return fhir_error_create(pool, FHIR_ERROR_UNAVAILABLE, APR_SUCCESS,
                                 "The content is in a store that this server does not have at the moment.",
                                 "no store '%s' is %s", name, found ? "open" : "configured here");
    }
    *store = found;
    return NULL;
}

const char *fhir_store_name(const fhir_open_store_t *store)
{
    return store->name;
}

int fhir_store_is_persistent(const fhir_open_store_t *store)
{
    return (store->plugin->capabilities & FHIR_STORAGE_PERSISTENT) || store->wraps_persistent;
}

const char *fhir_store_wrapped_by(const fhir_open_store_t *store)
{
    return store->wrapped_by ? store->wrapped_by->name : NULL;
}
