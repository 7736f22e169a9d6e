/* What the files about resources share. Private to core/meta. */
#ifndef FHIR_META_PG_RESOURCE_H
#define FHIR_META_PG_RESOURCE_H

#include "pg.h"
#include "resources.h"

/* ---- meta_resource.c: a version's columns, everywhere in this order ---- */
#define FHIR_PG_RESOURCE_COLUMNS(version)                                                                              \
    version ".version_id, " version ".sequence, " version ".last_updated, " version ".change, " version                \
            ".attachment_count, " version ".meta, " version ".body"
#define FHIR_PG_RESOURCE_WIDTH 7
/* What a version takes in an answer: each of its attachments gets a signed URL and what we know of its Binary. */
#define FHIR_PG_ANSWER_BYTES(version)                                                                                  \
    "octet_length(" version ".meta) + octet_length(" version ".body) + 1024 * " version ".attachment_count"
/* NULL if the version's columns are null. The other texts must live as long as the result. */
const fhir_resource_t *fhir_pg_resource(const PGresult *result, int row, int first_column, const char *project_id,
                                        const char *type, const char *id, apr_pool_t *pool);

/* ---- meta_context.c: a resource as decisions see it ---- */
/* The compartments of resource `r`: `Patient/1 Encounter/2`. */
#define FHIR_PG_COMPARTMENTS(r)                                                                                        \
    "CASE WHEN " r ".key IS NOT NULL THEN array_to_string(ARRAY(SELECT k.target_type || '/' || k.target_id "           \
    "FROM fhir_binary.resource_reference k WHERE k.key = " r ".key AND k.name = '_compartment'), ' ') END"
/* What is known of a context `h`, in one value: 8 bytes of last_updated and its compartments; null: it is deleted. */
#define FHIR_PG_CONTEXT_VALUE(h)                                                                                       \
    "CASE WHEN NOT " h ".deleted THEN timestamptz_send(" h ".last_updated) || textsend(" FHIR_PG_COMPARTMENTS(h) ") "  \
                                                                                                                 "END"
/* The resource of membership `m`'s project that a security context names. fhir_context_target has the same rules; where
 * it finds no target, what is found here does not count. Whether it is deleted is asked of what was found: else a plan
 * made while the table is small could take the index of those that are not, and read the whole type. */
#define FHIR_PG_IS_CONTEXT(h, security_context)                                                                        \
    h ".project_id = m.project_id AND " h ".type = split_part(" security_context ", '/', 1) AND " h                    \
      ".id = split_part(" security_context ", '/', 2)"
/* Administrators need none. A subquery in the list costs them less than a join that finds nothing. */
#define FHIR_PG_CONTEXT(security_context)                                                                              \
    "CASE WHEN NOT m.admin AND " security_context " IS NOT NULL THEN (SELECT " FHIR_PG_CONTEXT_VALUE(                  \
        "h") " FROM fhir_binary.resource h WHERE " FHIR_PG_IS_CONTEXT("h", security_context) ") END"
/* Its current version, as `x`. */
#define FHIR_PG_CONTEXT_VERSION(x, security_context)                                                                   \
    "LEFT JOIN LATERAL (SELECT v.* FROM (SELECT o.version_id FROM fhir_binary.resource o WHERE NOT m.admin "           \
    "AND " FHIR_PG_IS_CONTEXT(                                                                                         \
        "o", security_context) " OFFSET 0) h "                                                                         \
                               "JOIN fhir_binary.resource_version v ON v.version_id = h.version_id OFFSET 0) " x       \
                               " ON true "
/* Array of fhir_index_value_t. */
apr_array_header_t *fhir_pg_compartments(const PGresult *result, int row, int column, apr_pool_t *pool);
/* Of a version with this security_context; NULL: it has none. text_column: of the context's version, -1: not loaded.
 * project_id must live as long as the result. */
fhir_subject_t *fhir_pg_context(const PGresult *result, int row, int column, int text_column, const char *project_id,
                                const char *security_context, apr_pool_t *pool);

/* ---- search_term.c ---- */
/* 64 bits that stand for a value of a search parameter. value NULL: for the parameter itself. */
apr_int64_t fhir_search_term(const char *project_id, const char *type, const char *name, const char *value,
                             apr_pool_t *pool);

/* ---- meta_resource_commit.c ---- */
/* In the transaction, or as one of its own if that is NULL. */
fhir_error_t *fhir_pg_write_resource(const fhir_resource_t **resource, fhir_meta_t *meta,
                                     fhir_transaction_t *transaction, const fhir_resource_change_t *change,
                                     const fhir_call_t *call) FHIR_MUST_CHECK;

/* ---- meta_resource_transaction.c ---- */
fhir_error_t *fhir_pg_run_in(PGresult **result, fhir_transaction_t *transaction, const fhir_pg_statement_t *statement,
                             const fhir_pg_parameters_t *parameters) FHIR_MUST_CHECK;

/* ---- meta_search_sql.c ---- */
typedef struct fhir_pg_page_t {
    int limit;   /* rows with text; one more row tells that there is a next page. 0: only the total */
    int counted; /* with the total */
} fhir_pg_page_t;
/* The statement of a page, its columns are FHIR_PG_PAGE_...; INVALID for a cursor that is none. */
fhir_error_t *fhir_pg_search_sql(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                                 const fhir_pg_page_t *page, apr_pool_t *pool) FHIR_MUST_CHECK;
enum {
    FHIR_PG_PAGE_TOTAL = 0, /* null: not counted */
    FHIR_PG_PAGE_KEY,       /* null: no match on this page */
    FHIR_PG_PAGE_ID,
    FHIR_PG_PAGE_FITS, /* false: belongs to the next page */
    FHIR_PG_PAGE_VERSION
};
#define FHIR_PG_PAGE_BYTES (32 * 1024 * 1024)
/* The position of a row, for a `next` link. */
const char *fhir_pg_cursor(apr_time_t last_updated, apr_int64_t key, apr_pool_t *pool);

fhir_error_t *fhir_pg_bad_cursor(apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- meta_search_sort.c ---- */
int fhir_pg_is_sorted(const fhir_search_t *search);
/* Adds the keys of ORDER BY; a match is `f` with its key, id and last_updated. */
void fhir_pg_add_sort(fhir_pg_query_t *query, const fhir_search_t *search);
/* How many matches come before this page; INVALID for a cursor that is none. */
fhir_error_t *fhir_pg_sort_start(int *start, const fhir_search_t *search, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The cursor of the page after this one with that many rows. */
const char *fhir_pg_sort_next(const fhir_search_t *search, int rows, apr_pool_t *pool);

/* ---- meta_search_criteria.c ---- */
/* Adds ` AND ...` for each criterion and restriction; the resource is `r`. */
void fhir_pg_add_criteria(fhir_pg_query_t *query, const fhir_search_t *search);
void fhir_pg_add_date_condition(fhir_pg_query_t *query, const fhir_search_value_t *value, int of_resource);
const char *fhir_pg_index_table(fhir_search_type_t type);
/* What a value gives of a system and a code. */
typedef enum fhir_pg_pair_t {
    FHIR_PG_PAIR_CODE,
    FHIR_PG_PAIR_BOTH,
    FHIR_PG_PAIR_SYSTEM,
    FHIR_PG_PAIR_ANY
} fhir_pg_pair_t;
fhir_pg_pair_t fhir_pg_pair_of(const fhir_search_value_t *value);
/* The ids of a criterion `_id` as an array. 0: any id fits. */
int fhir_pg_id_array(const char **ids, const fhir_criterion_t *criterion, apr_pool_t *pool);

/* ---- meta_search_candidates.c ---- */
/* 0: no index finds what fits. Else the lower, the fewer candidates are to be expected. */
#define FHIR_PG_CANDIDATES_RANK_MAX 7
int fhir_pg_candidates_rank(const fhir_criterion_t *criterion);
/* Adds the SELECT of their keys, among them all that fit. */
void fhir_pg_add_candidates(fhir_pg_query_t *query, const char *project_id, const char *type,
                            const fhir_criterion_t *criterion);

/* ---- meta_search.c ---- */
typedef struct fhir_pg_found_t {
    apr_array_header_t *keys; /* of apr_int64_t: the matches in the index tables */
} fhir_pg_found_t;
/* The rows of fhir_pg_search_sql. */
void fhir_pg_read_page(fhir_search_page_t *page, fhir_pg_found_t *found, const PGresult *result, const char *project_id,
                       const fhir_search_t *search, apr_pool_t *pool);

/* ---- meta_search_include.c ---- */
/* At most two round trips: the resources that the matches include, and the Binaries. */
fhir_error_t *fhir_pg_load_included(fhir_search_page_t *page, fhir_meta_t *meta, const char *project_id,
                                    const fhir_search_t *search, const fhir_pg_found_t *found,
                                    const fhir_call_t *call) FHIR_MUST_CHECK;
void fhir_pg_included_sql(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                          const fhir_pg_found_t *found, const apr_array_header_t *matches, apr_pool_t *pool);
int fhir_pg_included_binaries_sql(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search,
                                  const fhir_search_page_t *page, apr_pool_t *pool);

#endif
