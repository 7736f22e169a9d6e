/* What a search includes, as far as the principal may see it. Private to core/app. */
#ifndef FHIR_APP_INCLUDED_H
#define FHIR_APP_INCLUDED_H

#include "../meta/resources.h"
#include "exchange.h"

/* Matches first, then the included resources that may be read: array of fhir_resource_t *. What is only reached through
 * a resource that is hidden from the principal is left out, of page->included and page->binaries too: it would tell of
 * that one. */
fhir_error_t *fhir_matches_and_included(apr_array_header_t **all, const fhir_exchange_t *exchange,
                                        const fhir_search_t *search, fhir_search_page_t *page,
                                        const fhir_membership_t *membership) FHIR_MUST_CHECK;

#endif
