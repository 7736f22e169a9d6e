/* References between the entries of a transaction (FHIR R4 http.html#trules, bundle.html#references). Pure. Private to
 * core/app. */
#ifndef FHIR_APP_BUNDLE_LINKS_H
#define FHIR_APP_BUNDLE_LINKS_H

#include "fhir_error.h"

typedef struct fhir_bundle_links_t fhir_bundle_links_t;

fhir_bundle_links_t *fhir_bundle_links_create(apr_pool_t *pool);
/* Who says `full_url` means `reference` (`Patient/1`). is_new: no version of it can be known to anybody yet. INVALID:
 * another entry has this fullUrl. */
fhir_error_t *fhir_bundle_links_add(fhir_bundle_links_t *links, const char *full_url, const char *reference,
                                    int is_new) FHIR_MUST_CHECK;
/* What a value in the resource of the entry with fullUrl `from` (NULL: none) means; NULL: no entry. A fragment stays; a
 * version stays unless the resource is new. */
const char *fhir_bundle_links_find(fhir_bundle_links_t *links, const char *from, const char *value, apr_pool_t *pool);

/* The type of a conditional reference, `Patient?identifier=x`; NULL if it is none. */
const char *fhir_conditional_reference(const char *value, apr_pool_t *pool);

#endif
