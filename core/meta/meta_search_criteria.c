/* From criteria to SQL. A criterion is a semi-join with the rows of its parameter, or an anti-join for what must not be
 * there; the comment in fhir/search.h says when it holds. Values are parameters of the statement, always. */
#include "pg_resource.h"

#include "../base/utf8.h"

#include <string.h>

typedef struct criteria_t {
    fhir_pg_query_t *query;
    const char *project_id;
    const char *type;
    const fhir_criterion_t *criterion;
    apr_pool_t *pool;
    int branches; /* of the current criterion, so far */
} criteria_t;

static void add(criteria_t *criteria, const char *sql)
{
    fhir_text_add(&criteria->query->sql, sql);
}

static const fhir_search_value_t *value_at(const criteria_t *criteria, int place)
{
    return &APR_ARRAY_IDX(criteria->criterion->values, place, fhir_search_value_t);
}

static apr_int64_t term(const criteria_t *criteria, const char *value)
{
    return fhir_search_term(criteria->project_id, criteria->type, criteria->criterion->name, value, criteria->pool);
}

static const char *table_of(const fhir_criterion_t *criterion)
{
    switch (criterion->type) {
    case FHIR_SEARCH_TOKEN:
        return "fhir_binary.resource_token";
    case FHIR_SEARCH_STRING:
        return "fhir_binary.resource_string";
    case FHIR_SEARCH_REFERENCE:
        return "fhir_binary.resource_reference";
    case FHIR_SEARCH_DATE:
        return "fhir_binary.resource_date";
    default:
        return "fhir_binary.resource_uri";
    }
}

/* Rows that fit are a union of branches, each with one index condition: an OR would need two indexes at once. What
 * stands between begin_sure and end_sure is as good as certain by the index condition: in a CASE it does not make the
 * planner believe in fewer rows. */
static void begin_branch(criteria_t *criteria)
{
    add(criteria, criteria->branches++ ? " UNION ALL SELECT x.key FROM " : "SELECT x.key FROM ");
    add(criteria, table_of(criteria->criterion));
    add(criteria, " x WHERE ");
}

static void add_parameter(criteria_t *criteria)
{
    add(criteria, "x.parameter = ");
    fhir_pg_query_number(criteria->query, term(criteria, NULL));
    add(criteria, "::bigint");
}

static void begin_sure(criteria_t *criteria)
{
    add(criteria, " AND CASE WHEN x.name = ");
    fhir_pg_query_text(criteria->query, criteria->criterion->name);
}

static void end_sure(criteria_t *criteria)
{
    add(criteria, " THEN true ELSE false END");
}

/* ---- values that are compared as a whole: tokens, references, identifiers of references ---- */

/* Where a kind of value keeps what a token has: the columns, and which terms find them. */
typedef struct pair_columns_t {
    const char *system;
    const char *code;
    const char *code_term;
    const char *system_term; /* NULL: not indexed */
} pair_columns_t;

static const pair_columns_t token_columns = {"x.system", "x.code", "x.code_term", "x.system_term"};
static const pair_columns_t reference_columns = {"x.target_type", "x.target_id", "x.target_term", NULL};
static const pair_columns_t identifier_columns = {"x.identifier_system", "x.identifier_value", "x.identifier_term",
                                                  NULL};

static const char *pair_text(const char *system, const char *code, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_SIZE_T_FMT ":%s%s", strlen(system), system, code);
}

typedef enum pair_part_t { CODE_ONLY, BOTH, SYSTEM_ONLY, ANYTHING } pair_part_t;

static pair_part_t part_of(const fhir_search_value_t *value)
{
    if (value->code) {
        return value->system ? BOTH : CODE_ONLY;
    }
    return value->system ? SYSTEM_ONLY : ANYTHING;
}

/* The values that give this part, as two parameters: their terms, and what is compared. 0: there are none. */
static int add_arrays(const char **terms, const char **texts, const criteria_t *criteria, pair_part_t part)
{
    fhir_pg_array_t term_array;
    fhir_pg_array_t text_array;
    fhir_pg_array_init(&term_array, criteria->pool);
    fhir_pg_array_init(&text_array, criteria->pool);
    for (int i = 0; i < criteria->criterion->values->nelts; i++) {
        const fhir_search_value_t *value = value_at(criteria, i);
        if (part_of(value) == part && (!value->code || fhir_pg_is_valid(value->code)) &&
            (!value->system || fhir_pg_is_valid(value->system))) {
            fhir_pg_array_add_number(&term_array, term(criteria, part == SYSTEM_ONLY ? value->system : value->code));
            fhir_pg_array_add_text(&text_array, part == BOTH ? pair_text(value->system, value->code, criteria->pool)
                                                : part == CODE_ONLY ? value->code
                                                                    : value->system);
        }
    }
    *terms = fhir_pg_array_end(&term_array);
    *texts = fhir_pg_array_end(&text_array);
    return term_array.count > 0;
}

static void add_pair_branch(criteria_t *criteria, const pair_columns_t *columns, pair_part_t part)
{
    const char *terms;
    const char *texts;
    const char *indexed = part == SYSTEM_ONLY ? columns->system_term : columns->code_term;
    if (!add_arrays(&terms, &texts, criteria, part)) {
        return;
    }
    begin_branch(criteria);
    if (indexed) {
        add(criteria, indexed);
        add(criteria, " = ANY (");
        fhir_pg_query_text(criteria->query, terms);
        add(criteria, "::bigint[])");
    } else {
        add(criteria, "true");
    }
    begin_sure(criteria);
    add(criteria, " AND ");
    if (part == BOTH) {
        fhir_text_addf(&criteria->query->sql, "octet_length(%s) || ':' || %s || %s", columns->system, columns->system,
                       columns->code);
    } else {
        add(criteria, part == SYSTEM_ONLY ? columns->system : columns->code);
    }
    if (part == SYSTEM_ONLY && columns == &identifier_columns) {
        add(criteria, " IS NOT NULL AND x.identifier_value IS NOT NULL AND x.identifier_system");
    }
    add(criteria, " = ANY (");
    fhir_pg_query_text(criteria->query, texts);
    add(criteria, "::text[])");
    end_sure(criteria);
}

/* Neither system nor code: any value will do. */
static void add_anything(criteria_t *criteria, const pair_columns_t *columns)
{
    for (int i = 0; i < criteria->criterion->values->nelts; i++) {
        if (part_of(value_at(criteria, i)) == ANYTHING) {
            begin_branch(criteria);
            fhir_text_addf(&criteria->query->sql, "%s IS NOT NULL", columns->code);
            begin_sure(criteria);
            end_sure(criteria);
            return;
        }
    }
}

static void add_pairs(criteria_t *criteria, const pair_columns_t *columns)
{
    add_pair_branch(criteria, columns, CODE_ONLY);
    add_pair_branch(criteria, columns, BOTH);
    add_pair_branch(criteria, columns, SYSTEM_ONLY);
    add_anything(criteria, columns);
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

static void add_prefix_range(criteria_t *criteria, const char *column, const char *prefix)
{
    const char *begin = indexed_part(prefix, criteria->pool);
    const char *end = after_prefix(begin, criteria->pool);
    add_parameter(criteria);
    fhir_text_addf(&criteria->query->sql, " AND pg_catalog.left(%s, 200) >= ", column);
    fhir_pg_query_text(criteria->query, begin);
    if (end) {
        fhir_text_addf(&criteria->query->sql, " AND pg_catalog.left(%s, 200) < ", column);
        fhir_pg_query_text(criteria->query, end);
    }
}

static void add_prefix_branch(criteria_t *criteria, const char *column, const char *prefix)
{
    begin_branch(criteria);
    if (!fhir_pg_is_valid(prefix)) {
        add(criteria, "false");
        return;
    }
    add_prefix_range(criteria, column, prefix);
    begin_sure(criteria);
    fhir_text_addf(&criteria->query->sql, " AND starts_with(%s, ", column);
    fhir_pg_query_text(criteria->query, prefix);
    add(criteria, ")");
    end_sure(criteria);
}

/* Equal to one of the texts, by an index that has their beginning. */
static void add_equal_branch(criteria_t *criteria, const char *column, int from_code)
{
    fhir_pg_array_t beginnings;
    fhir_pg_array_t texts;
    fhir_pg_array_init(&beginnings, criteria->pool);
    fhir_pg_array_init(&texts, criteria->pool);
    for (int i = 0; i < criteria->criterion->values->nelts; i++) {
        const char *text = from_code ? value_at(criteria, i)->code : value_at(criteria, i)->text;
        if (text && fhir_pg_is_valid(text)) {
            fhir_pg_array_add_text(&beginnings, indexed_part(text, criteria->pool));
            fhir_pg_array_add_text(&texts, text);
        }
    }
    begin_branch(criteria);
    add_parameter(criteria);
    fhir_text_addf(&criteria->query->sql, " AND pg_catalog.left(%s, 200) = ANY (", column);
    fhir_pg_query_text(criteria->query, fhir_pg_array_end(&beginnings));
    add(criteria, "::text[])");
    begin_sure(criteria);
    fhir_text_addf(&criteria->query->sql, " AND %s = ANY (", column);
    fhir_pg_query_text(criteria->query, fhir_pg_array_end(&texts));
    add(criteria, "::text[])");
    end_sure(criteria);
}

static void add_contains_branch(criteria_t *criteria, const char *text)
{
    begin_branch(criteria);
    add_parameter(criteria);
    add(criteria, " AND x.name = ");
    fhir_pg_query_text(criteria->query, criteria->criterion->name);
    add(criteria, " AND strpos(x.text, ");
    fhir_pg_query_text(criteria->query, text);
    add(criteria, ") > 0");
}

/* No index has the text of tokens: it is looked at where the rest of the search leads to, or newest first. */
static void add_token_text_branch(criteria_t *criteria, const char *text)
{
    begin_branch(criteria);
    add(criteria, "x.name = ");
    fhir_pg_query_text(criteria->query, criteria->criterion->name);
    add(criteria, " AND starts_with(x.text, ");
    fhir_pg_query_text(criteria->query, text);
    add(criteria, ")");
}

static void add_string_branch(criteria_t *criteria, const fhir_search_value_t *value)
{
    if (criteria->criterion->modifier == FHIR_MODIFIER_CONTAINS) {
        add_contains_branch(criteria, value->text);
    } else {
        add_prefix_branch(criteria, "x.text", value->text);
    }
}

/* ---- dates ---- */

/* A comparison of the first and last microsecond of a row, @l and @h, with those of a value, <l and <h. Some conditions
 * say more than they must, so that an index has a beginning and an end. */
static const char *date_condition(fhir_search_prefix_t prefix)
{
    switch (prefix) {
    case FHIR_PREFIX_EQ:
        return "@l >= <l AND @h <= <h AND @l <= <h";
    case FHIR_PREFIX_NE:
        return "(@l < <l OR @h > <h)";
    case FHIR_PREFIX_GT:
        return "@h > <h";
    case FHIR_PREFIX_LT:
        return "@l < <l";
    case FHIR_PREFIX_GE:
        return "@h >= <l AND (@h > <h OR @l >= <l)";
    case FHIR_PREFIX_LE:
        return "@l <= <h AND (@l < <l OR @h <= <h)";
    case FHIR_PREFIX_SA:
        return "@l > <h";
    case FHIR_PREFIX_EB:
        return "@h < <l";
    default:
        return "@l <= <h AND @h >= <l";
    }
}

#define AS_TIME_BEGIN "(timestamptz 'epoch' + "
#define AS_TIME_END "::bigint * interval '1 microsecond')"

static void add_date_condition(criteria_t *criteria, const fhir_search_value_t *value, int of_resource)
{
    for (const char *next = date_condition(value->prefix); *next; next++) {
        if (*next == '@') {
            next++;
            add(criteria, of_resource ? "r.last_updated" : *next == 'l' ? "x.low" : "x.high");
        } else if (*next == '<' && (next[1] == 'l' || next[1] == 'h')) {
            next++;
            add(criteria, of_resource ? AS_TIME_BEGIN : "");
            fhir_pg_query_number(criteria->query, *next == 'l' ? value->low : value->high);
            add(criteria, of_resource ? AS_TIME_END : "::bigint");
        } else {
            fhir_text_add_bytes(&criteria->query->sql, next, 1);
        }
    }
}

static void add_date_branch(criteria_t *criteria, const fhir_search_value_t *value)
{
    begin_branch(criteria);
    add_parameter(criteria);
    add(criteria, " AND ");
    add_date_condition(criteria, value, 0);
    begin_sure(criteria);
    end_sure(criteria);
}

/* ---- criteria ---- */

static void add_value_branch(criteria_t *criteria, const fhir_search_value_t *value)
{
    switch (criteria->criterion->type) {
    case FHIR_SEARCH_TOKEN:
        add_token_text_branch(criteria, value->text);
        break;
    case FHIR_SEARCH_STRING:
        add_string_branch(criteria, value);
        break;
    case FHIR_SEARCH_DATE:
        add_date_branch(criteria, value);
        break;
    default: /* URI, BELOW */
        add_prefix_branch(criteria, "x.uri", apr_pstrcat(criteria->pool, value->code, "/", NULL));
    }
}

static void add_branches(criteria_t *criteria)
{
    const fhir_criterion_t *criterion = criteria->criterion;
    fhir_search_modifier_t modifier = criterion->modifier;
    if (criterion->type == FHIR_SEARCH_TOKEN && modifier != FHIR_MODIFIER_TEXT) {
        add_pairs(criteria, &token_columns);
    } else if (criterion->type == FHIR_SEARCH_REFERENCE) {
        add_pairs(criteria, modifier == FHIR_MODIFIER_IDENTIFIER ? &identifier_columns : &reference_columns);
    } else {
        int every_value = 1;
        if (criterion->type == FHIR_SEARCH_URI) {
            add_equal_branch(criteria, "x.uri", 1);
            every_value = modifier == FHIR_MODIFIER_BELOW;
        } else if (criterion->type == FHIR_SEARCH_STRING && modifier == FHIR_MODIFIER_EXACT) {
            add_equal_branch(criteria, "x.exact", 0);
            every_value = 0;
        }
        for (int i = 0; every_value && i < criterion->values->nelts; i++) {
            add_value_branch(criteria, value_at(criteria, i));
        }
    }
    if (!criteria->branches) {
        begin_branch(criteria);
        add(criteria, "false");
    }
}

/* :missing=true, false, or both. */
static void add_missing(criteria_t *criteria, int everywhere)
{
    int wanted = 0;
    for (int i = 0; i < criteria->criterion->values->nelts; i++) {
        const char *code = value_at(criteria, i)->code;
        wanted |= code && strcmp(code, "true") == 0 ? 1 : 2;
    }
    if (everywhere || wanted == 3) {
        add(criteria, wanted == 1 ? "false" : "true");
        return;
    }
    fhir_text_addf(&criteria->query->sql,
                   "%sEXISTS (SELECT FROM %s x WHERE x.key = r.key AND x.name = ", wanted == 1 ? "NOT " : "",
                   table_of(criteria->criterion));
    fhir_pg_query_text(criteria->query, criteria->criterion->name);
    add(criteria, ")");
}

static void add_id(criteria_t *criteria)
{
    fhir_pg_array_t ids;
    int any = 0;
    fhir_pg_array_init(&ids, criteria->pool);
    for (int i = 0; i < criteria->criterion->values->nelts; i++) {
        const fhir_search_value_t *value = value_at(criteria, i);
        if (value->system && *value->system) {
            continue;
        }
        any |= !value->code;
        if (value->code && fhir_pg_is_valid(value->code)) {
            fhir_pg_array_add_text(&ids, value->code);
        }
    }
    if (criteria->criterion->modifier == FHIR_MODIFIER_TEXT) {
        add(criteria, "false");
        return;
    }
    add(criteria, criteria->criterion->modifier == FHIR_MODIFIER_NOT ? "NOT " : "");
    add(criteria, any ? "(true OR r.id = ANY (" : "(r.id = ANY (");
    fhir_pg_query_text(criteria->query, fhir_pg_array_end(&ids));
    add(criteria, "::text[]))");
}

static void add_last_updated(criteria_t *criteria)
{
    add(criteria, "(");
    for (int i = 0; i < criteria->criterion->values->nelts; i++) {
        add(criteria, i ? " OR (" : "(");
        add_date_condition(criteria, value_at(criteria, i), 1);
        add(criteria, ")");
    }
    add(criteria, ")");
}

static void add_criterion(criteria_t *criteria)
{
    const fhir_criterion_t *criterion = criteria->criterion;
    int is_id = strcmp(criterion->name, "_id") == 0;
    int is_last_updated = strcmp(criterion->name, "_lastUpdated") == 0;
    add(criteria, " AND ");
    if (criterion->modifier == FHIR_MODIFIER_MISSING) {
        add_missing(criteria, is_id || is_last_updated);
    } else if (is_id) {
        add_id(criteria);
    } else if (is_last_updated) {
        add_last_updated(criteria);
    } else if (criterion->modifier == FHIR_MODIFIER_NOT) {
        add(criteria, "NOT EXISTS (SELECT FROM (");
        add_branches(criteria);
        add(criteria, ") n WHERE n.key = r.key)");
    } else {
        add(criteria, "r.key IN (");
        add_branches(criteria);
        add(criteria, ")");
    }
}

void fhir_pg_add_criteria(fhir_pg_query_t *query, const char *project_id, const fhir_search_t *search)
{
    criteria_t criteria = {.query = query, .project_id = project_id, .type = search->type};
    criteria.pool = query->values->pool;
    for (int i = 0; search->criteria && i < search->criteria->nelts; i++) {
        criteria.criterion = &APR_ARRAY_IDX(search->criteria, i, fhir_criterion_t);
        criteria.branches = 0;
        add_criterion(&criteria);
    }
}
