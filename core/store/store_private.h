/* What the files of core/store share; nobody else includes it. */
#ifndef FHIR_STORE_PRIVATE_H
#define FHIR_STORE_PRIVATE_H

#include "hash_pipe.h"
#include "store.h"

/* A step of a transfer (one write, one read) has no deadline of its own from the caller, because a transfer may take
 * hours. It must not hang either. */
#define FHIR_STORE_STEP_TIMEOUT apr_time_from_sec(60)

struct fhir_store_catalog_t {
    apr_pool_t *pool;
    apr_array_header_t *plugins; /* of const fhir_storage_plugin_t *: our own copies */
    apr_array_header_t *stores;  /* of fhir_open_store_t * */
    int open;
    fhir_open_store_t *opening; /* the store whose `open` runs now, else NULL */
    fhir_storage_host_t host;
};

struct fhir_open_store_t {
    const char *name;
    const fhir_storage_plugin_t *plugin;
    fhir_store_config_t *config;
    fhir_store_t *store; /* NULL unless open */
    fhir_open_store_t *wrapped_by;
    int wraps_persistent;
    fhir_hashers_t *hashers; /* shared by all stores of the process; NULL unless open */
};

/* fhir_call_t translated for a plugin. It owns a scratch pool below call->pool. */
typedef struct fhir_store_bridge_t {
    fhir_store_call_t call;
    const fhir_log_t *log;
    const char *store_name;
} fhir_store_bridge_t;

void fhir_store_bridge_init(fhir_store_bridge_t *bridge, const fhir_open_store_t *store, const fhir_call_t *call);
void fhir_store_bridge_done(fhir_store_bridge_t *bridge);

/* TIMEOUT or CANCELLED if the call must not go on. */
fhir_error_t *fhir_store_check_call(const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Names store and operation in the log detail, and keeps a plugin to the codes that it may use. NULL stays NULL. */
fhir_error_t *fhir_store_explain(fhir_error_t *error, const fhir_open_store_t *store, const char *operation,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;

/* plugin_check.c: a checked copy of a descriptor. `source` is how the administrator calls it: a path or "built in". */
fhir_error_t *fhir_store_plugin_check(const fhir_storage_plugin_t **checked, const fhir_storage_plugin_t *plugin,
                                      const char *name, const char *source, apr_pool_t *pool) FHIR_MUST_CHECK;
/* catalog.c: NULL if there is none. */
fhir_open_store_t *fhir_store_find(const fhir_store_catalog_t *catalog, const char *name);
/* catalog.c: keeps a checked descriptor; a second one of the same name is INVALID. */
fhir_error_t *fhir_store_plugin_add(fhir_store_catalog_t *catalog, const fhir_storage_plugin_t *plugin,
                                    const char *name, const char *source) FHIR_MUST_CHECK;

#endif
