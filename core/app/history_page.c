/* Paging through versions by their sequence: stable while new versions are made. */
#include "history_page.h"

#include <apr_strings.h>
#include <string.h>

#define HISTORY_COUNT_DEFAULT 20
#define HISTORY_COUNT_MAX 100

static fhir_error_t *read_number(apr_off_t *number, const fhir_exchange_t *exchange, const char *name)
{
    const char *value = fhir_query_get(exchange->query, name);
    char *end;
    if (!value) {
        return NULL;
    }
    if (strspn(value, "0123456789") != strlen(value) || *value == '\0' ||
        apr_strtoff(number, value, &end, 10) != APR_SUCCESS) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID, "%s must be a whole number.", name);
    }
    return NULL;
}

fhir_error_t *fhir_history_page_read(fhir_history_page_t *page, const fhir_exchange_t *exchange, apr_off_t newest)
{
    /* The Medplum SDK reads one page only, or asks for the next by _offset. */
    apr_off_t count = exchange->medplum ? HISTORY_COUNT_MAX : HISTORY_COUNT_DEFAULT;
    apr_off_t offset = 0;
    page->before = 0;
    FHIR_TRY(read_number(&count, exchange, "_count"));
    FHIR_TRY(read_number(&page->before, exchange, "_before"));
    FHIR_TRY(read_number(&offset, exchange, "_offset"));
    if (offset > 0 && !page->before) {
        page->before = offset < newest ? newest - offset + 1 : 1;
    }
    page->count = count < HISTORY_COUNT_MAX ? (int)count : HISTORY_COUNT_MAX;
    return NULL;
}

const char *fhir_history_page_url(const fhir_exchange_t *exchange, int count, apr_off_t before)
{
    const char *url = apr_psprintf(exchange->pool, "%s%s/%s/_history?_count=%d", exchange->settings->fhir_base,
                                   exchange->route.type, exchange->route.id, count);
    return before ? apr_psprintf(exchange->pool, "%s&_before=%" APR_OFF_T_FMT, url, before) : url;
}

const char *fhir_history_page_next(const fhir_exchange_t *exchange, const fhir_history_page_t *page, int shown,
                                   apr_off_t last)
{
    return shown > 0 && last > 1 ? fhir_history_page_url(exchange, page->count, last) : NULL;
}
