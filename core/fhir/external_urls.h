/* Attachments of a resource whose content lies on other servers. */
#ifndef FHIR_FHIR_EXTERNAL_URLS_H
#define FHIR_FHIR_EXTERNAL_URLS_H

#include "json_document.h"

#include <apr_tables.h>

typedef struct fhir_external_url_t {
    int node;         /* the url's value in the document */
    const char *path; /* `Patient.photo[0]`, the Attachment; NULL if not asked for */
    const char *url;  /* decoded */
} fhir_external_url_t;

/* Every https url of a true Attachment in the resource at `root` (as in fhir_resource_walk; resources inside included),
 * in the order of the text: array of fhir_external_url_t. `only` NULL: each URL once, the first `limit` of them, with
 * paths. Else all places that have exactly this URL. */
fhir_error_t *fhir_external_urls(apr_array_header_t **urls, const fhir_json_document_t *document, int root,
                                 const char *type, const char *only, int limit, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
