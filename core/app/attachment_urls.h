/* Attachments on their way out: URLs of our Binaries become signed URLs for whoever may read them, and what the client
 * left out of the Attachment is filled in. Private to core/app. */
#ifndef FHIR_APP_ATTACHMENT_URLS_H
#define FHIR_APP_ATTACHMENT_URLS_H

#include "../meta/resources.h"
#include "exchange.h"

/* What to change in each of these resources (array of fhir_resource_t *): *edits is an array as long, of
 * apr_array_header_t * (of fhir_body_edit_t), NULL where nothing changes. One round trip for all of them, none if no
 * resource has an attachment of ours. Who may not read a Binary sees Binary/{id} as it is stored. */
fhir_error_t *fhir_attachment_edits(apr_array_header_t **edits, const fhir_exchange_t *exchange,
                                    const fhir_membership_t *membership,
                                    const apr_array_header_t *resources) FHIR_MUST_CHECK;

#endif
