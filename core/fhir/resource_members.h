/* Top-level elements that somebody must not see or must not change (AccessPolicy hiddenFields, readonlyFields). An
 * element goes with its `_name` companion and, for a choice `value[x]`, may be named `value`. */
#ifndef FHIR_FHIR_RESOURCE_MEMBERS_H
#define FHIR_FHIR_RESOURCE_MEMBERS_H

#include "resource.h"

/* `resource` without these elements (array of const char *), attachments inside them lose their edits: *visible has its
 * own body, and *edits (array of fhir_body_edit_t sorted by offset, may be NULL) is moved to fit it. `meta` hides all
 * of meta but versionId and lastUpdated. Gives `resource` itself if there is nothing to hide. */
fhir_error_t *fhir_resource_hide(const fhir_resource_t **visible, apr_array_header_t **edits,
                                 const fhir_resource_t *resource, const apr_array_header_t *elements,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
/* `sent` with these elements as `current` has them: taken away if it has none (current NULL: it has none). *restored
 * has a document of its own. Text of all other elements stays as it was sent. */
fhir_error_t *fhir_resource_restore(fhir_sent_resource_t *restored, const fhir_sent_resource_t *sent,
                                    const fhir_resource_t *current, const apr_array_header_t *elements,
                                    apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
