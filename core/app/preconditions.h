/* If-Match, If-Unmodified-Since and If-None-Match of writes (RFC 9110 section 13.1; FHIR R4 http.html#concurrency).
 * Private to core/app. */
#ifndef FHIR_APP_PRECONDITIONS_H
#define FHIR_APP_PRECONDITIONS_H

#include "exchange.h"

/* May the address of an update be written? INVALID: a malformed id. METHOD_NOT_ALLOWED: there is nothing, and clients
 * do not choose ids here. */
fhir_error_t *fhir_check_update_target(const fhir_exchange_t *exchange, int known) FHIR_MUST_CHECK;
/* What was refused because it is not to be seen answers as an id that nobody used: a PUT to one of those may be refused
 * in its own way. Gives the error to answer with. */
fhir_error_t *fhir_as_unknown(const fhir_exchange_t *exchange, fhir_error_t *error) FHIR_MUST_CHECK;
/* FHIR R4 http.html#update: the resource has the id of the address. `sent` may be NULL. */
fhir_error_t *fhir_check_update_id(const char *type, const char *id, const char *sent,
                                   apr_pool_t *pool) FHIR_MUST_CHECK;
/* Checked now, to refuse before the body; *expected is the version to check again under the row's lock, NULL: any.
 * `version_id` is the current version (a tombstone's too), NULL: there is none. */
fhir_error_t *fhir_check_if_match(const char **expected, const fhir_exchange_t *exchange, const char *version_id,
                                  apr_time_t last_updated) FHIR_MUST_CHECK;
/* `If-None-Match: *` on a write means "only if it is not there". `version_id` NULL: it is not, or is deleted. */
fhir_error_t *fhir_check_if_none_match(const fhir_exchange_t *exchange, const char *version_id) FHIR_MUST_CHECK;

#endif
