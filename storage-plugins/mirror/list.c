/* Listing both halves in constant memory: all of the first, then what the second has alone. Their order may differ, so
 * each object of the second is asked for in the first. */
#include "mirror.h"

#include <string.h>

/* A cursor is the number of the half and the half's own cursor: "1:" and "2:". */
#define CURSOR_PREFIX 2

typedef struct listing_t {
    fhir_store_t *store;
    int half;
    fhir_list_entry_fn entry;
    void *entry_baton;
    const fhir_store_call_t *call;
    int told; /* an error that names its store, or the caller's own */
} listing_t;

/* Nearly every locator ends with the key. What doesn't must be looked at. */
static fhir_error_t *key_of(char object_key[FHIR_STORAGE_KEY_LENGTH + 1], const listing_t *listing,
                            const fhir_list_entry_t *entry, const fhir_store_call_t *call)
{
    size_t length = strlen(entry->locator);
    const char *end = length >= FHIR_STORAGE_KEY_LENGTH ? entry->locator + length - FHIR_STORAGE_KEY_LENGTH : "";
    const char *locator;
    if (fhir_plugin_is_key(end) && !mirror_locate_half(&locator, listing->store, listing->half, end, call) &&
        !strcmp(locator, entry->locator)) {
        memcpy(object_key, end, FHIR_STORAGE_KEY_LENGTH + 1);
        return NULL;
    }
    return mirror_of_half(
        fhir_sealed_object_key(object_key, &listing->store->halves[listing->half].sealed, entry->locator, call),
        listing->store, listing->half, call->result_pool);
}

/* *alone: the first half does not have it. */
static fhir_error_t *ask_first(int *alone, const listing_t *listing, const char *object_key,
                               const fhir_store_call_t *call)
{
    const fhir_sealed_store_t *first = &listing->store->halves[0].sealed;
    fhir_object_info_t info = {0};
    const char *locator;
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    FHIR_TRY(mirror_locate_half(&locator, listing->store, 0, object_key, call));
    error = first->plugin->stat(&info, first->store, locator, call);
    *alone = error && error->code == FHIR_ERROR_NOT_FOUND;
    return *alone ? NULL : mirror_of_half(error, listing->store, 0, call->result_pool);
}

static fhir_error_t *give(listing_t *listing, const fhir_list_entry_t *entry, const char *object_key,
                          apr_pool_t *scratch_pool)
{
    fhir_list_entry_t given = {0};
    fhir_error_t *error;
    given.struct_size = sizeof(given);
    given.locator = object_key;
    given.length = entry->committed ? fhir_sealed_content_length(entry->length) : entry->length;
    given.modified = entry->modified;
    given.committed = entry->committed;
    error = listing->entry(listing->entry_baton, &given, scratch_pool);
    listing->told = error != NULL;
    return error;
}

static fhir_error_t *list_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    listing_t *listing = baton;
    fhir_store_call_t call = *listing->call;
    char object_key[FHIR_STORAGE_KEY_LENGTH + 1];
    fhir_error_t *error;
    int alone = 1;
    call.result_pool = call.scratch_pool = scratch_pool;
    /* Writers begin in the first half and end in the second: what is unfinished here is unfinished or whole there. */
    if (listing->half == 1 && !entry->committed) {
        return NULL;
    }
    error = key_of(object_key, listing, entry, &call);
    if (error && (error->code == FHIR_ERROR_CORRUPT || error->code == FHIR_ERROR_NOT_FOUND)) {
        mirror_log(&call, FHIR_STORE_LOG_WARNING, "%s lists %s, which is no object of this mirror",
                   listing->store->halves[listing->half].name, entry->locator);
        return NULL;
    }
    if (!error && listing->half == 1) {
        error = ask_first(&alone, listing, object_key, &call);
    }
    if (error) {
        listing->told = 1;
        return mirror_keep_error(error, listing->call->result_pool); /* it outlives the entry's pool */
    }
    if (listing->half == 1 && alone) {
        mirror_repair_later(listing->store, 0, object_key);
    }
    return alone ? give(listing, entry, object_key, scratch_pool) : NULL;
}

fhir_error_t *mirror_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                          fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    listing_t listing = {store, 0, entry, entry_baton, call, 0};
    fhir_error_t *error;
    const fhir_sealed_store_t *sealed;
    const char *inner = NULL;
    *next = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    mirror_tell_repairs(store, call);
    if (cursor && ((cursor[0] != '1' && cursor[0] != '2') || cursor[1] != ':')) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    listing.half = cursor && cursor[0] == '2';
    inner = cursor && cursor[CURSOR_PREFIX] ? cursor + CURSOR_PREFIX : NULL;
    sealed = &store->halves[listing.half].sealed;
    error = sealed->plugin->list(&inner, sealed->store, inner, limit, list_entry, &listing, call);
    if (error) {
        return listing.told ? error : mirror_of_half(error, store, listing.half, call->result_pool);
    }
    if (inner && strlen(inner) + CURSOR_PREFIX > FHIR_STORAGE_LOCATOR_MAX) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_UNSUPPORTED, APR_EGENERAL,
                                 "The store can't be listed any further.", "%s has too long a cursor",
                                 store->halves[listing.half].name);
    }
    if (inner) {
        *next = apr_pstrcat(call->result_pool, listing.half ? "2:" : "1:", inner, NULL);
    } else if (listing.half == 0) {
        *next = "2:";
    }
    return NULL;
}
