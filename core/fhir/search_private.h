/* What the parts of the search share: core/fhir/search_*.c. */
#ifndef FHIR_FHIR_SEARCH_PRIVATE_H
#define FHIR_FHIR_SEARCH_PRIVATE_H

#include "../base/text.h"
#include "search.h"

#define FHIR_SEARCH_VALUES_MAX 1000 /* of all criteria together */
#define FHIR_SEARCH_INCLUDES_MAX 50
#define FHIR_SEARCH_CURSOR_MAX 512

/* ---- text ---- */

/* At most FHIR_INDEX_TEXT_MAX bytes of it, whole characters. */
const char *fhir_search_cut(const char *text, apr_pool_t *pool);
/* Folded, then cut: what is stored and what is searched for. */
const char *fhir_search_comparable(const char *text, apr_pool_t *pool);
/* ASCII letters in lower case. */
const char *fhir_search_lower(const char *text, apr_pool_t *pool);
/* 1 if `name` is in a list joined with '|'; NULL: every name is. */
int fhir_search_listed(const char *list, const char *name);
/* The range as a date-time in UTC of the same precision; `text` itself if it has no time of day. */
const char *fhir_search_date_canonical(const char *text, apr_time_t low, apr_time_t high, apr_pool_t *pool);

/* ---- references ---- */

/* A literal reference taken apart: `type` ("" if unknown) and `code` as in fhir_index_value_t. Ours become relative,
 * versions go. */
typedef struct fhir_search_reference_t {
    const char *type;
    const char *code;
} fhir_search_reference_t;
void fhir_search_reference(fhir_search_reference_t *reference, const char *text, const fhir_addresses_t *addresses,
                           apr_pool_t *pool);

/* ---- parameters ---- */

#define FHIR_COMPARTMENT_PARAMETER "_compartment"
/* Parameters of every type, paths within meta: _id, _lastUpdated, _tag, _security, _profile, _source, _compartment.
 * NULL: none. */
const fhir_search_parameter_t *fhir_search_common_parameter(const char *name);
const fhir_search_parameter_t *fhir_search_common_parameters(int *count);
/* A parameter of the type or of every type; NULL: unknown. */
const fhir_search_parameter_t *fhir_search_find_parameter(const char *type, const char *name);
/* Are its tokens compared without case? Those of ContactPoints are: mail addresses. */
int fhir_search_ignores_case(const fhir_search_parameter_t *parameter);
/* Are its tokens bare codes, whose system nobody writes down? */
int fhir_search_system_implied(const char *type, const fhir_search_parameter_t *parameter);

/* ---- reading a query ---- */

typedef struct fhir_search_reader_t {
    fhir_search_t *search;
    const fhir_addresses_t *addresses;
    apr_pool_t *pool;
    apr_time_t now;
    int strict;
    int values;                    /* of all criteria so far */
    unsigned seen;                 /* result parameters that may be given once */
    apr_array_header_t *canonical; /* of fhir_search_canonical_t */
} fhir_search_reader_t;

/* A piece of the canonical query and what it stands for. */
typedef struct fhir_search_canonical_t {
    const char *text;
    int index;
} fhir_search_canonical_t;
/* Sorts and drops doubles. */
void fhir_search_canonical_sort(apr_array_header_t *pieces);

/* Input in a sentence for people: short and whole characters. */
const char *fhir_search_shown(const char *text, apr_pool_t *pool);
/* The parameter is not evaluated: an error if strict, else listed. */
fhir_error_t *fhir_search_unsupported(fhir_search_reader_t *reader, const char *as_sent) FHIR_MUST_CHECK;

/* Reads `text`, one of the comma-separated values, with its escapes. *canonical: the value in normal form, escaped. */
typedef struct fhir_search_target_t {
    const fhir_search_parameter_t *parameter;
    fhir_search_modifier_t modifier;
    const char *type; /* of FHIR_MODIFIER_TYPE */
} fhir_search_target_t;
fhir_error_t *fhir_search_read_value(fhir_search_value_t *value, const char **canonical, const char *text,
                                     const fhir_search_target_t *target,
                                     const fhir_search_reader_t *reader) FHIR_MUST_CHECK;
/* The comma-separated values of `text`, escapes kept: array of const char *, without empty ones. */
apr_array_header_t *fhir_search_split(const char *text, apr_pool_t *pool);

/* _count, _sort and the like. *known is 0 if it is none of them. */
fhir_error_t *fhir_search_read_result(int *known, fhir_search_reader_t *reader,
                                      const fhir_parameter_t *parameter) FHIR_MUST_CHECK;
/* _include and _revinclude. *understood is 0 if the server does not support it. */
fhir_error_t *fhir_search_read_include(int *understood, fhir_search_reader_t *reader, const char *text, int reverse,
                                       int iterate) FHIR_MUST_CHECK;

#endif
