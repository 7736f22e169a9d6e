/* Preconditions of writes against the version that is there. */
#include "preconditions.h"

#include "../http/conditional.h"

#include <apr_strings.h>
#include <string.h>

fhir_error_t *fhir_check_if_match(const char **expected, const fhir_exchange_t *exchange, const char *version_id,
                                  apr_time_t last_updated)
{
    const char *if_match = fhir_request_header(exchange->request, "If-Match");
    const char *unmodified_since = fhir_request_header(exchange->request, "If-Unmodified-Since");
    fhir_etag_list_t list = {0};
    *expected = NULL;
    FHIR_TRY(fhir_precondition(if_match, unmodified_since, version_id, last_updated, exchange->pool));
    if (if_match) {
        FHIR_TRY(fhir_etag_list_parse(&list, if_match, exchange->pool));
    } else if (!unmodified_since || fhir_http_date_parse(unmodified_since) == 0) {
        return NULL;
    }
    *expected = list.any ? NULL : version_id;
    return NULL;
}

fhir_error_t *fhir_check_if_none_match(const fhir_exchange_t *exchange, const char *version_id)
{
    const char *sent = fhir_request_header(exchange->request, "If-None-Match");
    fhir_etag_list_t list;
    if (!sent) {
        return NULL;
    }
    FHIR_TRY(fhir_etag_list_parse(&list, sent, exchange->pool));
    if (version_id && (list.any || fhir_etag_list_has(&list, version_id))) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_PRECONDITION_FAILED,
                                 "The %s exists, and If-None-Match asks to write it only if it does not.",
                                 exchange->route.type);
    }
    return NULL;
}

fhir_error_t *fhir_check_update_target(const fhir_exchange_t *exchange, int known)
{
    if (!fhir_id_valid(exchange->route.id)) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                                 "The id is malformed: FHIR ids have 1 to 64 letters, digits, '-' and '.'.");
    }
    if (!known && !exchange->settings->update_create) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_METHOD_NOT_ALLOWED,
                                 "There is no %s with this id, and this server assigns ids itself: use POST.",
                                 exchange->route.type);
    }
    return NULL;
}

fhir_error_t *fhir_as_unknown(const fhir_exchange_t *exchange, fhir_error_t *error)
{
    if (error && error->code == FHIR_ERROR_NOT_FOUND && exchange->request->method == FHIR_METHOD_PUT &&
        !exchange->settings->update_create) {
        return fhir_check_update_target(exchange, 0);
    }
    return error;
}

fhir_error_t *fhir_check_update_id(const char *type, const char *id, const char *sent, apr_pool_t *pool)
{
    fhir_error_t *error;
    if (sent && strcmp(sent, id) == 0) {
        return NULL;
    }
    error = fhir_error_public(pool, FHIR_ERROR_INVALID, "%s",
                              sent ? "The id in the resource is not the id in the address."
                                   : "The resource has no id: put the id of the address into it.");
    error->expression = apr_pstrcat(pool, type, ".id", NULL);
    return error;
}
