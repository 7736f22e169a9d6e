/* A Bundle while it is written (FHIR R4 bundle.html). Private to core/app. */
#ifndef FHIR_APP_BUNDLE_TEXT_H
#define FHIR_APP_BUNDLE_TEXT_H

#include "../base/text.h"
#include "../fhir/resource.h"

typedef struct fhir_bundle_text_t {
    fhir_text_t json;
    int links;
    int entries;
    int tells_outcomes; /* entries that went well have an outcome too */
} fhir_bundle_text_t;

/* total -1: none is told. Then links, then entries, then end. */
void fhir_bundle_begin(fhir_bundle_text_t *bundle, const char *type, apr_off_t total, apr_pool_t *pool);
void fhir_bundle_link(fhir_bundle_text_t *bundle, const char *relation, const char *url);
/* Opens an entry; the caller adds members to bundle->json and closes it with fhir_bundle_entry_end. full_url may be
 * NULL. */
void fhir_bundle_entry(fhir_bundle_text_t *bundle, const char *full_url);
/* `,"name":` inside an entry, without the comma for its first member. */
void fhir_bundle_member(fhir_bundle_text_t *bundle, const char *name);
void fhir_bundle_entry_end(fhir_bundle_text_t *bundle);
void fhir_bundle_end(fhir_bundle_text_t *bundle);

/* An entry that tells what was left aside in a search (FHIR R4 search.html#errors): a warning, search.mode outcome. */
void fhir_bundle_warning(fhir_bundle_text_t *bundle, const char *text);
/* fullUrl and resource of a match or an old version. */
void fhir_bundle_resource(fhir_bundle_text_t *bundle, const fhir_resource_t *resource, const char *fhir_base,
                          const apr_array_header_t *edits, const fhir_view_t *view);

#endif
