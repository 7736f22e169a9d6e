/* URLs of the store itself, for those who may fetch from it or send to it without us in between. */
#include "store_private.h"

#include <string.h>

#define URL_MAX 8192
#define HEADERS_MAX 16
#define HEADER_MAX 2048

int fhir_store_can_presign(const fhir_store_catalog_t *catalog, const char *name)
{
    const fhir_open_store_t *store = fhir_store_find(catalog, name);
    return store && (store->plugin->capabilities & FHIR_STORAGE_CAN_PRESIGN) != 0;
}

fhir_error_t *fhir_store_check_presign(const fhir_store_catalog_t *catalog, const char *name, int write,
                                       apr_pool_t *pool)
{
    const fhir_open_store_t *store = fhir_store_find(catalog, name);
    return store && store->plugin->can_presign ? store->plugin->can_presign(store->config, write, pool) : NULL;
}

static int is_printable(const char *text, size_t most, char first)
{
    size_t length = 0;
    for (; text[length]; length++) {
        if (text[length] < first || text[length] > 0x7e || length >= most) {
            return 0;
        }
    }
    return length > 0;
}

/* The URL becomes a Location header, the headers become instructions for a client. */
static const char *defect_of(const fhir_store_presigned_t *presigned)
{
    int i;
    if (!presigned->url || !is_printable(presigned->url, URL_MAX, '!')) {
        return "is not 1 to 8192 printable characters";
    }
    if (strncmp(presigned->url, "https://", 8) != 0 && strncmp(presigned->url, "http://", 7) != 0) {
        return "is neither http nor https";
    }
    if (presigned->header_count < 0 || presigned->header_count > HEADERS_MAX ||
        (presigned->header_count > 0 && !presigned->headers)) {
        return "comes with too many headers";
    }
    for (i = 0; i < presigned->header_count; i++) {
        const fhir_store_option_t *header = &presigned->headers[i];
        if (!header->key || !header->value || !is_printable(header->key, HEADER_MAX, '!') ||
            (*header->value && !is_printable(header->value, HEADER_MAX, ' '))) {
            return "comes with a malformed header";
        }
    }
    return NULL;
}

static fhir_error_t *presign(fhir_store_presigned_t *presigned, const fhir_open_store_t *store,
                             const fhir_store_presign_request_t *request, const fhir_store_call_t *call)
{
    if (!(store->plugin->capabilities & FHIR_STORAGE_CAN_PRESIGN)) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_UNSUPPORTED, APR_SUCCESS,
                                 "This store has no addresses of its own for clients.", "the plugin can't presign");
    }
    FHIR_TRY(fhir_store_check_call(call));
    return store->plugin->presign(presigned, store->store, request, call);
}

fhir_error_t *fhir_store_presign(fhir_store_presigned_t *presigned, fhir_open_store_t *store,
                                 const fhir_store_presign_request_t *request, const fhir_call_t *call)
{
    fhir_store_bridge_t bridge;
    const char *defect;
    fhir_error_t *error;
    memset(presigned, 0, sizeof(*presigned));
    presigned->struct_size = sizeof(*presigned);
    fhir_store_bridge_init(&bridge, store, call);
    error = presign(presigned, store, request, &bridge.call);
    fhir_store_bridge_done(&bridge);
    defect = error ? NULL : defect_of(presigned);
    if (defect) {
        /* It holds a signature: not a word of it in the log. */
        error = fhir_error_create(call->pool, FHIR_ERROR_INTERNAL, APR_EGENERAL, "The store could not do this.",
                                  "the plugin's URL %s", defect);
    }
    return fhir_store_explain(error, store, "presign", call->pool);
}
