/* What the parts of the search share: core/fhir/search_*.c. */
#ifndef FHIR_FHIR_SEARCH_PRIVATE_H
#define FHIR_FHIR_SEARCH_PRIVATE_H

#include "search.h"

/* At most FHIR_INDEX_TEXT_MAX bytes of it, whole characters. */
const char *fhir_search_cut(const char *text, apr_pool_t *pool);

/* A literal reference taken apart: `type` and `code` as in fhir_index_value_t. Ours become relative, versions go. */
typedef struct fhir_search_reference_t {
    const char *type;
    const char *code;
} fhir_search_reference_t;
void fhir_search_reference(fhir_search_reference_t *reference, const char *text, const fhir_addresses_t *addresses,
                           apr_pool_t *pool);

/* Parameters of every type: _id, _lastUpdated, _tag, _security, _profile, _source. NULL: none of them. */
const fhir_search_parameter_t *fhir_search_common_parameter(const char *name);
/* 1 if `name` is in a list joined with '|'; NULL: every name is. */
int fhir_search_listed(const char *list, const char *name);

#endif
