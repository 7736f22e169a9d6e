/* Preconditions of writes against the version that is there. */
#include "preconditions.h"

#include "../http/conditional.h"

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
