/* The errors and checks that every storage plugin needs. Public texts are for any client: no path, no locator. */
#include "plugin.h"

#include <errno.h>
#include <string.h>

typedef struct system_error_t {
    int system_errno;
    fhir_error_code_t code;
    const char *public_text;
} system_error_t;

static const char no_space[] = "The store is full. Tell the operator of this server.";
static const char denied[] = "The store refused access. Tell the operator of this server.";
static const char unavailable[] = "The store is overloaded or unreachable; try again.";

static const system_error_t system_errors[] = {
    {ENOSPC, FHIR_ERROR_NO_SPACE, no_space},
    {EDQUOT, FHIR_ERROR_NO_SPACE, no_space},
    {EFBIG, FHIR_ERROR_TOO_LARGE, "The content is larger than the store can keep."},
    {ENOENT, FHIR_ERROR_NOT_FOUND, "The object is not in the store."},
    {EEXIST, FHIR_ERROR_EXISTS, "An object with this key is in the store already."},
    {EACCES, FHIR_ERROR_DENIED, denied},
    {EPERM, FHIR_ERROR_DENIED, denied},
    {EROFS, FHIR_ERROR_DENIED, denied},
    {EMFILE, FHIR_ERROR_UNAVAILABLE, unavailable},
    {ENFILE, FHIR_ERROR_UNAVAILABLE, unavailable},
    {ENOMEM, FHIR_ERROR_UNAVAILABLE, unavailable},
    {EIO, FHIR_ERROR_UNAVAILABLE, unavailable},
    {ESTALE, FHIR_ERROR_UNAVAILABLE, unavailable},
    {ETIMEDOUT, FHIR_ERROR_UNAVAILABLE, unavailable},
};

fhir_error_t *fhir_plugin_system_error(apr_pool_t *pool, int system_errno, const char *operation)
{
    const char *public_text = "The store failed unexpectedly. Tell the operator of this server.";
    fhir_error_code_t code = FHIR_ERROR_INTERNAL;
    fhir_error_t *error;
    char said[128];
    size_t i;
    for (i = 0; i < sizeof(system_errors) / sizeof(system_errors[0]); i++) {
        if (system_errors[i].system_errno == system_errno) {
            code = system_errors[i].code;
            public_text = system_errors[i].public_text;
        }
    }
    error = fhir_error_create(pool, code, APR_FROM_OS_ERROR(system_errno), public_text, "%s: %s", operation,
                              apr_strerror(APR_FROM_OS_ERROR(system_errno), said, sizeof(said)));
    error->retry = code == FHIR_ERROR_UNAVAILABLE ? FHIR_RETRY_YES : FHIR_RETRY_NO;
    return error;
}

fhir_error_t *fhir_plugin_local_error(apr_pool_t *pool, int system_errno, const char *operation)
{
    fhir_error_t *error = fhir_plugin_system_error(pool, system_errno, operation);
    if (error->code == FHIR_ERROR_NOT_FOUND) {
        error->code = FHIR_ERROR_INTERNAL;
        error->public_text = "The store is not usable as configured. Tell the operator of this server.";
    }
    return error;
}

fhir_error_t *fhir_plugin_not_found(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_NOT_FOUND, APR_ENOENT, "The object is not in the store.", NULL);
}

fhir_error_t *fhir_plugin_exists(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_EXISTS, APR_EEXIST, "An object with this key is in the store already.",
                             NULL);
}

fhir_error_t *fhir_plugin_bad_locator(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_EINVAL, "This is not a locator of this store.", NULL);
}

fhir_error_t *fhir_plugin_bad_key(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INVALID, APR_EINVAL, "This is not an object key.",
                             "an object key is %d lower-case hex digits", FHIR_STORAGE_KEY_LENGTH);
}

fhir_error_t *fhir_plugin_wrong_length(apr_pool_t *pool, apr_off_t got, apr_off_t expected)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "The content has %s%" APR_OFF_T_FMT " bytes, %" APR_OFF_T_FMT " were announced.",
                             got > expected ? "at least " : "", got, expected);
}

fhir_error_t *fhir_plugin_writer_ended(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EINVAL, "The upload has ended already.",
                             "a call after commit or abort");
}

fhir_error_t *fhir_plugin_short_object(apr_pool_t *pool, apr_off_t missing)
{
    return fhir_error_create(pool, FHIR_ERROR_CORRUPT, APR_EOF,
                             "The stored content is damaged. Tell the operator of this server.",
                             "the object ends %" APR_OFF_T_FMT " bytes early", missing);
}

fhir_error_t *fhir_plugin_check_call(const fhir_store_call_t *call)
{
    if (fhir_store_cancelled(call)) {
        return fhir_error_create(call->result_pool, FHIR_ERROR_CANCELLED, APR_SUCCESS, "The request was cancelled.",
                                 NULL);
    }
    if (call->deadline && apr_time_now() >= call->deadline) {
        fhir_error_t *error =
            fhir_error_create(call->result_pool, FHIR_ERROR_TIMEOUT, APR_TIMEUP,
                              "The store did not answer in time; try again.", "there was no time left for it");
        error->retry = FHIR_RETRY_YES;
        return error;
    }
    return NULL;
}

fhir_error_t *fhir_plugin_check_wait(const fhir_store_call_t *call, const char *operation, const char *origin,
                                     apr_time_t since)
{
    fhir_error_t *error = fhir_plugin_check_call(call);
    if (error && error->code == FHIR_ERROR_TIMEOUT) {
        error->detail = apr_psprintf(call->result_pool, "%s: no answer from %s within %.1f s", operation, origin,
                                     (double)(apr_time_now() - since) / APR_USEC_PER_SEC);
    }
    return error;
}

int fhir_plugin_is_key(const char *text)
{
    return strspn(text, "0123456789abcdef") == FHIR_STORAGE_KEY_LENGTH && !text[FHIR_STORAGE_KEY_LENGTH];
}

fhir_error_t *fhir_plugin_range(apr_off_t *count, apr_off_t offset, apr_off_t length, apr_off_t size, apr_pool_t *pool)
{
    *count = 0;
    if (offset < 0 || offset > size || (length >= 0 && length > size - offset)) {
        return fhir_error_create(pool, FHIR_ERROR_RANGE, APR_EINVAL, "The range is outside the object.",
                                 "offset %" APR_OFF_T_FMT ", length %" APR_OFF_T_FMT " of %" APR_OFF_T_FMT " bytes",
                                 offset, length, size);
    }
    *count = length < 0 ? size - offset : length;
    return NULL;
}
