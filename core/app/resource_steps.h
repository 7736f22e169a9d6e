/* Steps of single writes that a transaction takes too. Private to core/app. */
#ifndef FHIR_APP_RESOURCE_STEPS_H
#define FHIR_APP_RESOURCE_STEPS_H

#include "resource_write.h"

/* resource_update.c: access, preconditions and headers of an update; then the resource, its id, fhir_write_prepare, and
 * the promise of If-None-Match, which holds until the version is made. */
fhir_error_t *fhir_update_begin(fhir_resource_write_t *write, fhir_resource_facts_t *facts,
                                fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_update_check_id(const fhir_resource_write_t *write, apr_pool_t *pool) FHIR_MUST_CHECK;
void fhir_update_keep_promise(fhir_resource_write_t *write, const fhir_resource_facts_t *facts,
                              const fhir_exchange_t *exchange);
/* 201 if the update made the resource or brought it back. */
int fhir_update_status(const fhir_resource_write_t *write, const fhir_resource_facts_t *facts);
/* NOT_FOUND: there is nothing to delete. */
fhir_error_t *fhir_delete_begin(fhir_resource_write_t *write, fhir_resource_facts_t *facts,
                                fhir_exchange_t *exchange) FHIR_MUST_CHECK;

/* May the principal do that with what the condition found, or create what it did not? */
fhir_error_t *fhir_write_decide_found(const fhir_resource_write_t *write, const fhir_exchange_t *exchange,
                                      const fhir_membership_t *membership) FHIR_MUST_CHECK;

/* resource_patch.c: what is patched; *expected is the version that If-Match asks for, NULL: any. */
fhir_error_t *fhir_patch_begin(fhir_resource_facts_t *facts, const char **expected,
                               fhir_exchange_t *exchange) FHIR_MUST_CHECK;
fhir_error_t *fhir_patch_apply(fhir_sent_resource_t *sent, const fhir_resource_facts_t *facts,
                               const fhir_json_document_t *patch, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;
/* PRECONDITION_FAILED: facts->current is current no more. */
fhir_error_t *fhir_patch_once(fhir_resource_write_t *write, const fhir_resource_facts_t *facts,
                              const fhir_json_document_t *patch, const fhir_exchange_t *exchange) FHIR_MUST_CHECK;

#endif
