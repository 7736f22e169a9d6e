/* Search (FHIR R4 search.html): the values of a resource that can be searched, and a query that was understood.
 * Pure: the same values go into the database and are matched in memory, so that both give the same answer. */
#ifndef FHIR_FHIR_SEARCH_H
#define FHIR_FHIR_SEARCH_H

#include "../http/fields.h"
#include "resource.h"
#include "search_parameters.h"

/* ---- values of a resource ---- */

/* One searchable value. `name` is the parameter's. */
typedef struct fhir_index_value_t {
    const char *name;
    fhir_search_type_t type;
    const char *system; /* TOKEN: "" if none. REFERENCE: the target's type, "" if unknown */
    const char *code;   /* TOKEN: the code or value. REFERENCE: the target's id, or the whole URL. URI: the URL */
    const char *text;   /* STRING: folded for comparison. TOKEN: text, display; folded too, NULL if none */
    const char *exact;  /* STRING: as sent */
    const char *identifier_system; /* REFERENCE: Reference.identifier; "" if that has no system, NULL without one */
    const char *identifier_value;  /* NULL: none */
    apr_time_t low;                /* DATE: first microsecond ... */
    apr_time_t high;               /* ... and the last that the value covers; FHIR_DATE_MIN, FHIR_DATE_MAX if open */
} fhir_index_value_t;
/* system, code, text and exact are cut at this many bytes, at a character's end; values of a query too. */
#define FHIR_INDEX_TEXT_MAX 1000
/* Of one resource. Where there are more, the index has one value more than this and is not complete. */
#define FHIR_INDEX_VALUES_MAX 50000
#define FHIR_DATE_MIN ((apr_time_t)-62135596800000000) /* 0001-01-01 */
#define FHIR_DATE_MAX ((apr_time_t)253402300799999999) /* 9999-12-31 */

/* Every value of `stored` by the parameters of its type, those of meta (_tag, _security, _profile, _source), and as
 * _compartment (REFERENCE) the compartments that the resource with this id is in: `Patient/1` (compartments.h). Array
 * of fhir_index_value_t without doubles. A value that does not fit its parameter (a bad date) is left out. References
 * that begin with our FHIR base are taken as relative ones. */
apr_array_header_t *fhir_search_index(const char *type, const char *id, const fhir_store_resource_t *stored,
                                      const fhir_addresses_t *addresses, apr_pool_t *pool);
/* Case, accents and punctuation folded, white space run together: how strings are compared (search.html#string). */
const char *fhir_search_fold(const char *text, apr_pool_t *pool);
/* A date, dateTime or instant of any precision; 0 if malformed. No zone: UTC. */
int fhir_date_range(apr_time_t *low, apr_time_t *high, const char *text);

/* ---- a query ---- */

typedef enum fhir_search_modifier_t {
    FHIR_MODIFIER_NONE = 0,
    FHIR_MODIFIER_MISSING,    /* any type; the value is true or false */
    FHIR_MODIFIER_EXACT,      /* STRING */
    FHIR_MODIFIER_CONTAINS,   /* STRING */
    FHIR_MODIFIER_NOT,        /* TOKEN */
    FHIR_MODIFIER_TEXT,       /* TOKEN */
    FHIR_MODIFIER_IDENTIFIER, /* REFERENCE */
    FHIR_MODIFIER_TYPE,       /* REFERENCE: `subject:Patient=1` */
    FHIR_MODIFIER_BELOW       /* URI */
} fhir_search_modifier_t;
typedef enum fhir_search_prefix_t {
    FHIR_PREFIX_EQ = 0,
    FHIR_PREFIX_NE,
    FHIR_PREFIX_GT,
    FHIR_PREFIX_LT,
    FHIR_PREFIX_GE,
    FHIR_PREFIX_LE,
    FHIR_PREFIX_SA,
    FHIR_PREFIX_EB,
    FHIR_PREFIX_AP
} fhir_search_prefix_t;

/* One of the comma-separated values of a criterion: any of them may match. */
typedef struct fhir_search_value_t {
    const char *system; /* TOKEN, IDENTIFIER: NULL any, "" none. REFERENCE: type, NULL any */
    const char *code; /* TOKEN: NULL any code of the system. REFERENCE: id or URL. URI. _id. MISSING: "true"/"false" */
    const char *text; /* STRING, TEXT: folded (EXACT: as sent) */
    fhir_search_prefix_t prefix; /* DATE */
    apr_time_t low;
    apr_time_t high;
} fhir_search_value_t;

/* When does a criterion hold? r: a row (fhir_index_value_t) of the resource with the criterion's name; v: one of its
 * values. It holds if some r and some v fit, but for MISSING and NOT. Text is compared byte by byte.
 *
 *   type       modifier     r and v fit if
 *   any        MISSING      v.code = "true": there is no r; "false": there is at least one
 *   TOKEN      NONE         (v.system NULL or r.system = v.system) and (v.code NULL or r.code = v.code)
 *              NOT          holds if no r and v fit as under NONE; so it holds without any r
 *              TEXT         r.text begins with v.text
 *   STRING     NONE         r.text begins with v.text
 *              CONTAINS     r.text contains v.text
 *              EXACT        r.exact = v.text
 *   REFERENCE  NONE         (v.system NULL or r.system = v.system) and r.code = v.code
 *              IDENTIFIER   r.identifier_value not NULL and (v.system NULL or r.identifier_system = v.system) and
 *                           (v.code NULL or r.identifier_value = v.code)
 *   URI        NONE         r.code = v.code
 *              BELOW        r.code = v.code or r.code begins with v.code and '/'
 *   DATE       NONE    EQ   v.low <= r.low and r.high <= v.high
 *                      NE   not EQ
 *                      GT   r.high > v.high
 *                      LT   r.low < v.low
 *                      GE   GT or EQ
 *                      LE   LT or EQ
 *                      SA   r.low > v.high
 *                      EB   r.high < v.low
 *                      AP   r.low <= v.high and r.high >= v.low; v is widened already: by 10 % of its distance from
 *                           now, at least a day
 *
 * _id is a TOKEN with the one row {system "", code id}, _lastUpdated a DATE with the one row low = high = last_updated.
 * TYPE is resolved into v.system by the parser: criteria have NONE instead. v.text and the code of a REFERENCE or URI
 * value are never "". Rows may have "" there: a Coding without code, a Reference with nothing but an identifier. */
typedef struct fhir_criterion_t {
    const char *name; /* the parameter's, or _id, _lastUpdated (a DATE on the resource itself) */
    fhir_search_type_t type;
    fhir_search_modifier_t modifier;
    apr_array_header_t *values; /* of fhir_search_value_t, at least one */
} fhir_criterion_t;

/* _include and _revinclude. To a Binary by attachments: attachments is 1, target "Binary", and name the member of the
 * type under which Attachments are (`content`, `photo`; asked for as `presentedForm` or `presented-form`; of a choice
 * `sourceAttachment`): the paths of the attachments begin with type.name. */
typedef struct fhir_include_t {
    const char *type;   /* the type that has the reference */
    const char *name;   /* parameter; "*": all */
    const char *target; /* type, NULL: any */
    int attachments;
    int reverse;
    int iterate; /* :iterate */
} fhir_include_t;

/* One key of _sort; _id and _lastUpdated too. Of several values of a resource the lowest counts, the highest if
 * descending; resources without a value come last, and among equals the newest first. */
typedef struct fhir_sort_key_t {
    const char *name;
    fhir_search_type_t type;
    int descending;
} fhir_sort_key_t;
#define FHIR_SEARCH_SORT_MAX 4

/* What the searcher may find: any alternative, each an array of fhir_criterion_t that must all hold (empty: holds
 * always). No alternative: nothing. */
typedef struct fhir_restriction_t {
    apr_array_header_t *alternatives; /* of const apr_array_header_t * */
} fhir_restriction_t;

typedef enum fhir_total_t { FHIR_TOTAL_NONE = 0, FHIR_TOTAL_ESTIMATE, FHIR_TOTAL_ACCURATE } fhir_total_t;
typedef struct fhir_search_t {
    const char *type;
    apr_array_header_t *criteria; /* of fhir_criterion_t; all must match */
    /* Of fhir_restriction_t, all must hold, besides the criteria; NULL: none. Never part of links or `canonical`. */
    const apr_array_header_t *restrictions;
    apr_array_header_t *includes; /* of fhir_include_t */
    /* Of const char *: names that are not understood; name=value if only the value is not. */
    apr_array_header_t *ignored;
    int count;          /* _count: 0 to FHIR_SEARCH_COUNT_MAX */
    int offset;         /* _offset, at most FHIR_SEARCH_OFFSET_MAX */
    const char *cursor; /* _cursor: from a `next` link, opaque to clients */
    int ascending;      /* _sort=_lastUpdated; the default and -_lastUpdated give newest first */
    /* Of fhir_sort_key_t, at most FHIR_SEARCH_SORT_MAX: any other _sort. Empty or NULL: see ascending. */
    apr_array_header_t *sort;
    const char *sort_text; /* as in a link; NULL: no `sort` */
    fhir_total_t total;
    fhir_view_t view;
    /* The criteria as a canonical query, percent-encoded, for links and for the lock of conditional writes. */
    const char *canonical;
} fhir_search_t;
#define FHIR_SEARCH_COUNT_DEFAULT 20
#define FHIR_SEARCH_COUNT_MAX 1000
#define FHIR_SEARCH_OFFSET_MAX 10000

/* `parameters`: array of fhir_parameter_t. INVALID with a sentence for values that can't be read (a bad date, _count=x,
 * _count given twice), a modifier that a known parameter does not take, over 1000 values or 50 includes. Unknown or
 * unsupported parameters, chains, includes and sort keys, and parameters without a value: INVALID if `strict`, else
 * listed in `ignored`. _format and _pretty are passed over, _fields is _elements. _count=0 and _summary=count give
 * summary COUNT and an accurate total. */
fhir_error_t *fhir_search_parse(fhir_search_t **search, const char *type, const apr_array_header_t *parameters,
                                int strict, const fhir_addresses_t *addresses, apr_pool_t *pool) FHIR_MUST_CHECK;

/* Does a resource with these index values (and id, last_updated) match all criteria and restrictions? */
int fhir_search_matches(const fhir_search_t *search, const fhir_resource_t *resource, const apr_array_header_t *values);
/* The criteria alone (of fhir_criterion_t). */
int fhir_criteria_match(const apr_array_header_t *criteria, const fhir_resource_t *resource,
                        const apr_array_header_t *values);
/* Do the values of the parameter come from one of these top-level elements (of const char *; names as in
 * resource_members.h)? `*` stands for all references, a name that is no parameter for the element (_include). */
int fhir_search_looks_at(const char *type, const char *parameter, const apr_array_header_t *elements);

#endif
