/* From criteria to SQL, second half: the keys that an index gives for a criterion. They are candidates: a term or the
 * beginning of a text finds a little more than what fits, never less. */
#include "pg_resource.h"

#include "../base/utf8.h"

#include <string.h>

typedef struct candidates_t {
    fhir_pg_query_t *query;
    const char *project_id;
    const char *type;
    const fhir_criterion_t *criterion;
    apr_pool_t *pool;
    int branches;
} candidates_t;

static void add(candidates_t *candidates, const char *sql)
{
    fhir_text_add(&candidates->query->sql, sql);
}

static const fhir_search_value_t *value_at(const candidates_t *candidates, int place)
{
    return &APR_ARRAY_IDX(candidates->criterion->values, place, fhir_search_value_t);
}

static apr_int64_t term(const candidates_t *candidates, const char *value)
{
    return fhir_search_term(candidates->project_id, candidates->type, candidates->criterion->name, value,
                            candidates->pool);
}

static void begin_branch(candidates_t *candidates)
{
    fhir_text_addf(&candidates->query->sql, "%sSELECT x.key FROM %s x WHERE ",
                   candidates->branches++ ? " UNION ALL " : "", fhir_pg_index_table(candidates->criterion->type));
}

static void begin_parameter(candidates_t *candidates)
{
    begin_branch(candidates);
    add(candidates, "x.parameter = ");
    fhir_pg_query_number(candidates->query, term(candidates, NULL));
    add(candidates, "::bigint AND ");
}

/* ---- terms ---- */

static void add_terms(candidates_t *candidates, const char *column, int of_system)
{
    fhir_pg_array_t terms;
    fhir_pg_array_init(&terms, candidates->pool);
    for (int i = 0; i < candidates->criterion->values->nelts; i++) {
        const fhir_search_value_t *value = value_at(candidates, i);
        if ((fhir_pg_pair_of(value) == FHIR_PG_PAIR_SYSTEM) == of_system) {
            fhir_pg_array_add_number(&terms, term(candidates, of_system ? value->system : value->code));
        }
    }
    if (terms.count) {
        begin_branch(candidates);
        fhir_text_addf(&candidates->query->sql, "%s = ANY (", column);
        fhir_pg_query_text(candidates->query, fhir_pg_array_end(&terms));
        add(candidates, "::bigint[])");
    }
}

/* ---- text ---- */

/* The least text that comes after all that begin with `prefix`; NULL: there is none. Ordered by bytes. */
static const char *after_prefix(const char *prefix, apr_pool_t *pool)
{
    char *end = apr_pstrdup(pool, prefix);
    apr_size_t length = strlen(end);
    while (length) {
        apr_size_t start = length - 1;
        uint32_t code_point = 0;
        char next[4];
        apr_size_t written;
        while (start && ((unsigned char)end[start] & 0xc0) == 0x80) {
            start--;
        }
        fhir_utf8_sequence(&code_point, end + start, length - start);
        /* The one after U+D7FF is U+E000: surrogates are no characters. */
        written = fhir_utf8_write(next, code_point == 0xd7ff ? 0xe000 : code_point + 1);
        if (written) {
            return apr_pstrcat(pool, apr_pstrndup(pool, end, start), apr_pstrmemdup(pool, next, written), NULL);
        }
        end[length = start] = '\0';
    }
    return NULL;
}

/* As many characters as the index has: the same as left(text, 200). */
#define INDEXED_CHARACTERS 200
static const char *indexed_part(const char *text, apr_pool_t *pool)
{
    apr_size_t length = 0;
    int characters = 0;
    for (; text[length]; length++) {
        if (((unsigned char)text[length] & 0xc0) != 0x80 && characters++ == INDEXED_CHARACTERS) {
            break;
        }
    }
    return apr_pstrndup(pool, text, length);
}

/* All that begin with the text. */
static void add_range(candidates_t *candidates, const char *column, const char *prefix)
{
    const char *begin = indexed_part(prefix, candidates->pool);
    const char *end = after_prefix(begin, candidates->pool);
    begin_parameter(candidates);
    fhir_text_addf(&candidates->query->sql, "pg_catalog.left(%s, 200) >= ", column);
    fhir_pg_query_text(candidates->query, begin);
    if (end) {
        fhir_text_addf(&candidates->query->sql, " AND pg_catalog.left(%s, 200) < ", column);
        fhir_pg_query_text(candidates->query, end);
    }
}

/* All that begin as one of the values does, as far as the index goes. */
static void add_equal(candidates_t *candidates, const char *column)
{
    fhir_pg_array_t texts;
    fhir_pg_array_init(&texts, candidates->pool);
    for (int i = 0; i < candidates->criterion->values->nelts; i++) {
        const fhir_search_value_t *value = value_at(candidates, i);
        const char *text = candidates->criterion->type == FHIR_SEARCH_URI ? value->code : value->text;
        if (fhir_pg_is_valid(text)) {
            fhir_pg_array_add_text(&texts, indexed_part(text, candidates->pool));
        }
    }
    begin_parameter(candidates);
    fhir_text_addf(&candidates->query->sql, "pg_catalog.left(%s, 200) = ANY (", column);
    fhir_pg_query_text(candidates->query, fhir_pg_array_end(&texts));
    add(candidates, "::text[])");
}

static void add_each_value(candidates_t *candidates)
{
    for (int i = 0; i < candidates->criterion->values->nelts; i++) {
        const fhir_search_value_t *value = value_at(candidates, i);
        if (candidates->criterion->type == FHIR_SEARCH_DATE) {
            begin_parameter(candidates);
            fhir_pg_add_date_condition(candidates->query, value, 0);
        } else if (candidates->criterion->type == FHIR_SEARCH_URI) {
            add_range(candidates, "x.uri", apr_pstrcat(candidates->pool, value->code, "/", NULL));
        } else {
            add_range(candidates, "x.text", value->text);
        }
    }
}

/* ---- criteria ---- */

static void add_ids(candidates_t *candidates)
{
    const char *ids;
    (void)fhir_pg_id_array(&ids, candidates->criterion, candidates->pool);
    add(candidates, "SELECT o.key FROM unnest(");
    fhir_pg_query_text(candidates->query, ids);
    add(candidates, "::text[]) i (id) CROSS JOIN LATERAL (SELECT h.key FROM fhir_binary.resource h WHERE h.id = i.id "
                    "AND h.project_id = ");
    fhir_pg_query_text(candidates->query, candidates->project_id);
    add(candidates, "::uuid AND h.type = ");
    fhir_pg_query_text(candidates->query, candidates->type);
    add(candidates, " OFFSET 0) o");
}

void fhir_pg_add_candidates(fhir_pg_query_t *query, const char *project_id, const char *type,
                            const fhir_criterion_t *criterion)
{
    candidates_t candidates = {.query = query, .project_id = project_id, .type = type, .criterion = criterion};
    candidates.pool = query->values->pool;
    if (strcmp(criterion->name, "_id") == 0) {
        add_ids(&candidates);
    } else if (criterion->type == FHIR_SEARCH_TOKEN) {
        add_terms(&candidates, "x.code_term", 0);
        add_terms(&candidates, "x.system_term", 1);
    } else if (criterion->type == FHIR_SEARCH_REFERENCE) {
        add_terms(&candidates, criterion->modifier == FHIR_MODIFIER_IDENTIFIER ? "x.identifier_term" : "x.target_term",
                  0);
    } else if (criterion->modifier == FHIR_MODIFIER_EXACT) {
        add_equal(&candidates, "x.exact");
    } else {
        if (criterion->type == FHIR_SEARCH_URI) {
            add_equal(&candidates, "x.uri");
        }
        if (criterion->type != FHIR_SEARCH_URI || criterion->modifier == FHIR_MODIFIER_BELOW) {
            add_each_value(&candidates);
        }
    }
}

static int has_pair(const fhir_criterion_t *criterion, fhir_pg_pair_t part)
{
    for (int i = 0; i < criterion->values->nelts; i++) {
        if (fhir_pg_pair_of(&APR_ARRAY_IDX(criterion->values, i, fhir_search_value_t)) == part) {
            return 1;
        }
    }
    return 0;
}

static int token_rank(const fhir_criterion_t *criterion)
{
    if (criterion->modifier != FHIR_MODIFIER_NONE || has_pair(criterion, FHIR_PG_PAIR_ANY)) {
        return 0;
    }
    return strcmp(criterion->name, "identifier") == 0 ? 2 : 4;
}

static int reference_rank(const fhir_criterion_t *criterion)
{
    return has_pair(criterion, FHIR_PG_PAIR_ANY) || has_pair(criterion, FHIR_PG_PAIR_SYSTEM) ? 0 : 3;
}

int fhir_pg_candidates_rank(const fhir_criterion_t *criterion)
{
    const char *ignored;
    apr_pool_t *pool = criterion->values->pool;
    if (criterion->modifier == FHIR_MODIFIER_MISSING || criterion->modifier == FHIR_MODIFIER_CONTAINS ||
        criterion->modifier == FHIR_MODIFIER_NOT || strcmp(criterion->name, "_lastUpdated") == 0) {
        return 0;
    }
    if (strcmp(criterion->name, "_id") == 0) {
        return criterion->modifier == FHIR_MODIFIER_NONE && fhir_pg_id_array(&ignored, criterion, pool);
    }
    switch (criterion->type) {
    case FHIR_SEARCH_TOKEN:
        return token_rank(criterion);
    case FHIR_SEARCH_REFERENCE:
        return reference_rank(criterion);
    case FHIR_SEARCH_URI:
        return 5;
    case FHIR_SEARCH_STRING:
        return 6;
    default:
        return 7;
    }
}
