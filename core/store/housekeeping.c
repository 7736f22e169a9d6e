/* The operations without a stream: new keys, stat, remove, list, health. */
#include "store_private.h"

#include <string.h>

/* A locator goes into the database and into log lines: it must be short, printable and not empty. */
static int well_formed_locator(const char *locator)
{
    size_t length = 0;
    for (; locator[length]; length++) {
        if (locator[length] < 0x20 || locator[length] > 0x7e || length >= FHIR_STORAGE_LOCATOR_MAX) {
            return 0;
        }
    }
    return length > 0;
}

fhir_error_t *fhir_store_locate(const char **locator, fhir_open_store_t *store, const char *object_key,
                                const fhir_call_t *call)
{
    fhir_store_bridge_t bridge;
    fhir_error_t *error;
    *locator = NULL;
    fhir_store_bridge_init(&bridge, store, call);
    error = store->plugin->locate(locator, store->store, object_key, &bridge.call);
    fhir_store_bridge_done(&bridge);
    if (!error && (!*locator || !well_formed_locator(*locator))) {
        return fhir_error_create(call->pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The store could not do this.",
                                 "store %s: the plugin's locator is not 1 to %d printable ASCII characters",
                                 store->name, FHIR_STORAGE_LOCATOR_MAX);
    }
    return fhir_store_explain(error, store, "locate", call->pool);
}

fhir_error_t *fhir_store_new_object(const char **object_key, const char **locator, fhir_open_store_t *store,
                                    const fhir_call_t *call)
{
    *locator = NULL;
    FHIR_TRY(fhir_random_hex(object_key, FHIR_STORAGE_KEY_LENGTH / 2, call->pool));
    return fhir_store_locate(locator, store, *object_key, call);
}

fhir_error_t *fhir_object_stat(fhir_object_info_t *info, fhir_open_store_t *store, const char *locator,
                               const fhir_call_t *call)
{
    fhir_store_bridge_t bridge;
    fhir_error_t *error;
    memset(info, 0, sizeof(*info));
    info->struct_size = sizeof(*info);
    fhir_store_bridge_init(&bridge, store, call);
    error = fhir_store_check_call(&bridge.call);
    if (!error) {
        error = store->plugin->stat(info, store->store, locator, &bridge.call);
    }
    fhir_store_bridge_done(&bridge);
    return fhir_store_explain(error, store, "stat", call->pool);
}

fhir_error_t *fhir_object_remove(int *existed, fhir_open_store_t *store, const char *locator, const fhir_call_t *call)
{
    fhir_store_bridge_t bridge;
    fhir_error_t *error;
    *existed = 0;
    fhir_store_bridge_init(&bridge, store, call);
    error = fhir_store_check_call(&bridge.call);
    if (!error) {
        error = store->plugin->remove(existed, store->store, locator, &bridge.call);
    }
    fhir_store_bridge_done(&bridge);
    return fhir_store_explain(error, store, "remove", call->pool);
}

int fhir_store_keeps_copies(const fhir_open_store_t *store)
{
    return store->plugin->check_copies != NULL;
}

fhir_error_t *fhir_object_check_copies(fhir_open_store_t *store, const char *locator, int repair,
                                       fhir_store_copy_fn copy, void *copy_baton, const fhir_call_t *call)
{
    fhir_store_bridge_t bridge;
    fhir_error_t *error;
    fhir_store_bridge_init(&bridge, store, call);
    error = fhir_store_check_call(&bridge.call);
    if (!error) {
        error = store->plugin->check_copies(store->store, locator, repair, copy, copy_baton, &bridge.call);
    }
    fhir_store_bridge_done(&bridge);
    return fhir_store_explain(error, store, "check_copies", call->pool);
}

fhir_error_t *fhir_object_list(const char **next, fhir_open_store_t *store, const char *cursor, int limit,
                               fhir_list_entry_fn entry, void *baton, const fhir_call_t *call)
{
    fhir_store_bridge_t bridge;
    fhir_error_t *error;
    *next = NULL;
    if (limit < 1) {
        return fhir_error_public(call->pool, FHIR_ERROR_INVALID, "A page of a listing has at least one entry.");
    }
    fhir_store_bridge_init(&bridge, store, call);
    error = fhir_store_check_call(&bridge.call);
    if (!error) {
        error = store->plugin->list(next, store->store, cursor, limit, entry, baton, &bridge.call);
    }
    fhir_store_bridge_done(&bridge);
    return error; /* it may be the caller's own, from `entry` */
}

fhir_error_t *fhir_store_health(fhir_open_store_t *store, const fhir_call_t *call)
{
    fhir_store_bridge_t bridge;
    fhir_error_t *error;
    fhir_store_bridge_init(&bridge, store, call);
    error = fhir_store_check_call(&bridge.call);
    if (!error) {
        error = store->plugin->health(store->store, &bridge.call);
    }
    fhir_store_bridge_done(&bridge);
    return fhir_store_explain(error, store, "health", call->pool);
}
