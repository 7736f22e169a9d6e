/* From the core's call to the plugin's call, and from the plugin's errors to the core's. */
#include "store_private.h"

static void write_log(void *baton, fhir_store_log_level_t level, const char *text)
{
    const fhir_store_bridge_t *bridge = baton;
    const char *request = bridge->call.request_id;
    fhir_log(bridge->log, (fhir_log_level_t)level, APR_SUCCESS, "store %s: %s%s%s", bridge->store_name, text,
             request ? ", request " : "", request ? request : "");
}

void fhir_store_bridge_init(fhir_store_bridge_t *bridge, const fhir_open_store_t *store, const fhir_call_t *call)
{
    bridge->log = call->log;
    bridge->store_name = store->name;
    bridge->call.result_pool = call->pool;
    apr_pool_create(&bridge->call.scratch_pool, call->pool);
    bridge->call.deadline = call->deadline;
    bridge->call.request_id = call->request_id;
    bridge->call.cancelled = call->cancelled;
    bridge->call.cancelled_baton = call->cancelled_baton;
    bridge->call.log = write_log;
    bridge->call.log_baton = bridge;
}

void fhir_store_bridge_done(fhir_store_bridge_t *bridge)
{
    apr_pool_destroy(bridge->call.scratch_pool);
    bridge->call.scratch_pool = NULL;
}

fhir_error_t *fhir_store_check_call(const fhir_store_call_t *call)
{
    if (fhir_store_cancelled(call)) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_CANCELLED, APR_SUCCESS, "The request was cancelled.",
                                 NULL);
    }
    if (call->deadline && apr_time_now() >= call->deadline) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_TIMEOUT, APR_TIMEUP,
                                 "The store did not answer in time; try again.", NULL);
    }
    return NULL;
}

/* A plugin knows nothing of 401 or 412: such a code from it is a defect and must not decide a status. */
static int is_plugin_code(fhir_error_code_t code)
{
    return code >= FHIR_ERROR_INTERNAL && code <= FHIR_ERROR_INVALID;
}

fhir_error_t *fhir_store_explain(fhir_error_t *error, const fhir_open_store_t *store, const char *operation,
                                 apr_pool_t *pool)
{
    if (!error) {
        return NULL;
    }
    error->detail =
        apr_psprintf(pool, "store %s, %s: %s", store->name, operation, error->detail ? error->detail : "no detail");
    if (!is_plugin_code(error->code)) {
        error->detail = apr_psprintf(pool, "%s (the plugin used code %d, which is not a plugin's)", error->detail,
                                     (int)error->code);
        error->code = FHIR_ERROR_INTERNAL;
    }
    if (!error->public_text) {
        error->public_text = "The store could not do this.";
    }
    return error;
}
