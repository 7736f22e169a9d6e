/* Which attachments of a resource that is written shall be fetched from other servers. Private to core/app. */
#ifndef FHIR_APP_EXTERNAL_FETCH_WANT_H
#define FHIR_APP_EXTERNAL_FETCH_WANT_H

#include "../meta/external_fetch.h"
#include "../meta/resources.h"
#include "exchange.h"

/* At most so many of one resource. */
#define FHIR_EXTERNAL_FETCH_MAX 1000

/* https URLs of Attachments on a host that the settings name: array of fhir_fetch_url_t, empty if the feature is off.
 */
fhir_error_t *fhir_external_fetch_wanted(apr_array_header_t **urls, const fhir_settings_t *settings, const char *type,
                                         const fhir_store_resource_t *stored, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Call it once a write is committed and before it is answered: what the new version wants is put into the queue. Does
 * nothing for a DELETE and if the feature is off. A failure is logged and not the client's. */
void fhir_external_fetch_enqueue(const fhir_exchange_t *exchange, const fhir_resource_change_t *change);

#endif
