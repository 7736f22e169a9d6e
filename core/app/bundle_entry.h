/* The entries of a batch or transaction Bundle (FHIR R4 bundle.html#bundle-batch): what each asks for. Private to
 * core/app. */
#ifndef FHIR_APP_BUNDLE_ENTRY_H
#define FHIR_APP_BUNDLE_ENTRY_H

#include "../fhir/json_document.h"
#include "exchange.h"

#define FHIR_BUNDLE_ENTRIES_MAX 1000

typedef struct fhir_bundle_entry_t {
    int index;
    const char *place;    /* `Bundle.entry[3]` */
    const char *full_url; /* NULL: none */
    fhir_method_t method;
    const char *method_name;
    const char *path;     /* absolute, decoded and normalised, under the FHIR base */
    const char *query;    /* raw, NULL if none */
    apr_table_t *headers; /* of the conditions */
    const char *if_none_exist;
    int resource; /* its node, -1: none */
} fhir_bundle_entry_t;

/* Entry number `index`, at `node`. INVALID or REQUIRED, with an expression. */
fhir_error_t *fhir_bundle_entry_parse(fhir_bundle_entry_t *entry, const fhir_json_document_t *document, int node,
                                      int index, const fhir_settings_t *settings, apr_pool_t *pool) FHIR_MUST_CHECK;

/* request.url: relative to the FHIR base, with or without a slash before it, or an address under that base. Nothing
 * that leads elsewhere once it is decoded: INVALID. */
fhir_error_t *fhir_bundle_url(const char **path, const char **query, const char *url, const fhir_settings_t *settings,
                              apr_pool_t *pool) FHIR_MUST_CHECK;

/* The request that the entry is, with the resource (or the patch in it) as its body. Who asks comes from `outer`. */
fhir_error_t *fhir_bundle_entry_request(fhir_request_t **request, const fhir_bundle_entry_t *entry,
                                        const fhir_json_document_t *document, const fhir_exchange_t *outer,
                                        apr_pool_t *pool) FHIR_MUST_CHECK;

/* The same error, told to be in this entry: `Patient.id` becomes `Bundle.entry[3].resource.id`. NULL stays NULL. */
fhir_error_t *fhir_bundle_entry_error(fhir_error_t *error, const fhir_bundle_entry_t *entry, apr_pool_t *pool);

#endif
