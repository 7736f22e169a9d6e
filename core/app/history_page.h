/* _count and _before of an instance history, and the links that go with them. Private to core/app. */
#ifndef FHIR_APP_HISTORY_PAGE_H
#define FHIR_APP_HISTORY_PAGE_H

#include "exchange.h"

typedef struct fhir_history_page_t {
    int count;
    apr_off_t before; /* sequence; 0: from the newest */
} fhir_history_page_t;

/* _offset counts from `newest`, the sequence of the current version. */
fhir_error_t *fhir_history_page_read(fhir_history_page_t *page, const fhir_exchange_t *exchange,
                                     apr_off_t newest) FHIR_MUST_CHECK;
const char *fhir_history_page_url(const fhir_exchange_t *exchange, int count, apr_off_t before);
/* The next page's URL after `shown` versions of which the oldest has sequence `last`; NULL: this was the last page. */
const char *fhir_history_page_next(const fhir_exchange_t *exchange, const fhir_history_page_t *page, int shown,
                                   apr_off_t last);

#endif
