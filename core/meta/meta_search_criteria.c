/* From criteria to SQL, first half: whether a resource `r` fits, as an EXISTS over the few rows that its index tables
 * have for it. The comment in fhir/search.h says when a criterion holds. Each is written so that the planner can do
 * nothing but look up the resource's rows by their key (OFFSET keeps it a subquery of its own): the cost of a search
 * then does not depend on statistics. Values are parameters of the statement, always. */
#include "pg_resource.h"

#include <string.h>

typedef struct probe_t {
    fhir_pg_query_t *query;
    const fhir_criterion_t *criterion;
    apr_pool_t *pool;
    int conditions; /* so far, joined by OR */
} probe_t;

static void add(probe_t *probe, const char *sql)
{
    fhir_text_add(&probe->query->sql, sql);
}

static const fhir_search_value_t *value_at(const probe_t *probe, int place)
{
    return &APR_ARRAY_IDX(probe->criterion->values, place, fhir_search_value_t);
}

const char *fhir_pg_index_table(fhir_search_type_t type)
{
    switch (type) {
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

static void begin_condition(probe_t *probe)
{
    add(probe, probe->conditions++ ? " OR " : "");
}

static void begin_rows(probe_t *probe, const char *before)
{
    fhir_text_addf(&probe->query->sql, "%sEXISTS (SELECT FROM %s x WHERE x.key = r.key AND x.name = ", before,
                   fhir_pg_index_table(probe->criterion->type));
    fhir_pg_query_text(probe->query, probe->criterion->name);
}

static void end_rows(probe_t *probe)
{
    add(probe, " OFFSET 0)");
}

/* ---- values that are compared as a whole: tokens, references, identifiers of references ---- */

typedef struct pair_columns_t {
    const char *system;
    const char *code;
} pair_columns_t;

static const pair_columns_t token_columns = {"x.system", "x.code"};
static const pair_columns_t reference_columns = {"x.target_type", "x.target_id"};
static const pair_columns_t identifier_columns = {"x.identifier_system", "x.identifier_value"};

static const char *pair_text(const char *system, const char *code, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_SIZE_T_FMT ":%s%s", strlen(system), system, code);
}

fhir_pg_pair_t fhir_pg_pair_of(const fhir_search_value_t *value)
{
    if (value->code) {
        return value->system ? FHIR_PG_PAIR_BOTH : FHIR_PG_PAIR_CODE;
    }
    return value->system ? FHIR_PG_PAIR_SYSTEM : FHIR_PG_PAIR_ANY;
}

/* The values that give this part, as an array. 0: there are none. */
static int pair_array(const char **texts, const probe_t *probe, fhir_pg_pair_t part)
{
    fhir_pg_array_t array;
    fhir_pg_array_init(&array, probe->pool);
    for (int i = 0; i < probe->criterion->values->nelts; i++) {
        const fhir_search_value_t *value = value_at(probe, i);
        if (fhir_pg_pair_of(value) == part) {
            const char *text = part == FHIR_PG_PAIR_BOTH   ? pair_text(value->system, value->code, probe->pool)
                               : part == FHIR_PG_PAIR_CODE ? value->code
                                                           : value->system;
            fhir_pg_array_add_text(&array, text && fhir_pg_is_valid(text) ? text : NULL);
        }
    }
    *texts = fhir_pg_array_end(&array);
    return array.count > 0;
}

static void add_pair(probe_t *probe, const pair_columns_t *columns, fhir_pg_pair_t part)
{
    const char *texts;
    if (!pair_array(&texts, probe, part)) {
        return;
    }
    begin_condition(probe);
    if (part == FHIR_PG_PAIR_ANY) {
        fhir_text_addf(&probe->query->sql, "%s IS NOT NULL", columns->code);
        return;
    }
    if (part == FHIR_PG_PAIR_BOTH) {
        fhir_text_addf(&probe->query->sql, "octet_length(%s) || ':' || %s || %s", columns->system, columns->system,
                       columns->code);
    } else if (part == FHIR_PG_PAIR_CODE) {
        add(probe, columns->code);
    } else {
        fhir_text_addf(&probe->query->sql, "%s IS NOT NULL AND %s", columns->code, columns->system);
    }
    add(probe, " = ANY (");
    fhir_pg_query_text(probe->query, texts);
    add(probe, "::text[])");
}

static void add_pairs(probe_t *probe)
{
    const pair_columns_t *columns = probe->criterion->type == FHIR_SEARCH_TOKEN              ? &token_columns
                                    : probe->criterion->modifier == FHIR_MODIFIER_IDENTIFIER ? &identifier_columns
                                                                                             : &reference_columns;
    add_pair(probe, columns, FHIR_PG_PAIR_CODE);
    add_pair(probe, columns, FHIR_PG_PAIR_BOTH);
    add_pair(probe, columns, FHIR_PG_PAIR_SYSTEM);
    add_pair(probe, columns, FHIR_PG_PAIR_ANY);
}

/* ---- text ---- */

static void add_call(probe_t *probe, const char *call, const char *text, const char *end)
{
    begin_condition(probe);
    add(probe, call);
    fhir_pg_query_text(probe->query, text);
    add(probe, end);
}

static void add_text_value(probe_t *probe, const fhir_search_value_t *value)
{
    switch (probe->criterion->modifier) {
    case FHIR_MODIFIER_CONTAINS:
        add_call(probe, "strpos(x.text, ", value->text, ") > 0");
        break;
    case FHIR_MODIFIER_EXACT:
        add_call(probe, "x.exact = ", value->text, "");
        break;
    default:
        add_call(probe, "starts_with(x.text, ", value->text, ")");
    }
}

static void add_uri_value(probe_t *probe, const fhir_search_value_t *value)
{
    add_call(probe, "x.uri = ", value->code, "");
    if (probe->criterion->modifier == FHIR_MODIFIER_BELOW) {
        add_call(probe, "starts_with(x.uri, ", apr_pstrcat(probe->pool, value->code, "/", NULL), ")");
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

void fhir_pg_add_date_condition(fhir_pg_query_t *query, const fhir_search_value_t *value, int of_resource)
{
    for (const char *next = date_condition(value->prefix); *next; next++) {
        if (*next == '@') {
            next++;
            fhir_text_add(&query->sql, of_resource ? "r.last_updated" : *next == 'l' ? "x.low" : "x.high");
        } else if (*next == '<' && (next[1] == 'l' || next[1] == 'h')) {
            next++;
            fhir_text_add(&query->sql, of_resource ? AS_TIME_BEGIN : "");
            fhir_pg_query_number(query, *next == 'l' ? value->low : value->high);
            fhir_text_add(&query->sql, of_resource ? AS_TIME_END : "::bigint");
        } else {
            fhir_text_add_bytes(&query->sql, next, 1);
        }
    }
}

static void add_date_value(probe_t *probe, const fhir_search_value_t *value, int of_resource)
{
    begin_condition(probe);
    add(probe, "(");
    fhir_pg_add_date_condition(probe->query, value, of_resource);
    add(probe, ")");
}

/* ---- criteria ---- */

static void add_values(probe_t *probe)
{
    fhir_search_type_t type = probe->criterion->type;
    int is_text = type == FHIR_SEARCH_STRING || probe->criterion->modifier == FHIR_MODIFIER_TEXT;
    if (!is_text && (type == FHIR_SEARCH_TOKEN || type == FHIR_SEARCH_REFERENCE)) {
        add_pairs(probe);
        return;
    }
    for (int i = 0; i < probe->criterion->values->nelts; i++) {
        const fhir_search_value_t *value = value_at(probe, i);
        if (is_text) {
            add_text_value(probe, value);
        } else if (type == FHIR_SEARCH_DATE) {
            add_date_value(probe, value, 0);
        } else {
            add_uri_value(probe, value);
        }
    }
}

/* :missing=true, false, or both. */
static void add_missing(probe_t *probe, int everywhere)
{
    int wanted = 0;
    for (int i = 0; i < probe->criterion->values->nelts; i++) {
        const char *code = value_at(probe, i)->code;
        wanted |= code && strcmp(code, "true") == 0 ? 1 : 2;
    }
    if (everywhere || wanted == 3) {
        add(probe, wanted == 1 ? "false" : "true");
        return;
    }
    begin_rows(probe, wanted == 1 ? "NOT " : "");
    end_rows(probe);
}

int fhir_pg_id_array(const char **ids, const fhir_criterion_t *criterion, apr_pool_t *pool)
{
    fhir_pg_array_t array;
    int any = 0;
    fhir_pg_array_init(&array, pool);
    for (int i = 0; i < criterion->values->nelts; i++) {
        const fhir_search_value_t *value = &APR_ARRAY_IDX(criterion->values, i, fhir_search_value_t);
        if (!value->system || !*value->system) {
            any |= !value->code;
            if (value->code && fhir_pg_is_valid(value->code)) {
                fhir_pg_array_add_text(&array, value->code);
            }
        }
    }
    *ids = fhir_pg_array_end(&array);
    return !any;
}

/* An id has no text. */
static void add_id(probe_t *probe)
{
    const char *ids;
    int limited = fhir_pg_id_array(&ids, probe->criterion, probe->pool);
    if (probe->criterion->modifier == FHIR_MODIFIER_TEXT) {
        add(probe, "false");
        return;
    }
    add(probe, probe->criterion->modifier == FHIR_MODIFIER_NOT ? "NOT (" : "(");
    add(probe, limited ? "r.id = ANY (" : "true OR r.id = ANY (");
    fhir_pg_query_text(probe->query, ids);
    add(probe, "::text[]))");
}

static void add_last_updated(probe_t *probe)
{
    add(probe, "(");
    for (int i = 0; i < probe->criterion->values->nelts; i++) {
        add_date_value(probe, value_at(probe, i), 1);
    }
    add(probe, ")");
}

static void add_criterion(probe_t *probe)
{
    const fhir_criterion_t *criterion = probe->criterion;
    int is_id = strcmp(criterion->name, "_id") == 0;
    int is_last_updated = strcmp(criterion->name, "_lastUpdated") == 0;
    if (criterion->modifier == FHIR_MODIFIER_MISSING) {
        add_missing(probe, is_id || is_last_updated);
    } else if (is_id) {
        add_id(probe);
    } else if (is_last_updated) {
        add_last_updated(probe);
    } else {
        begin_rows(probe, criterion->modifier == FHIR_MODIFIER_NOT ? "NOT " : "");
        add(probe, " AND (");
        add_values(probe);
        add(probe, ")");
        end_rows(probe);
    }
}

/* All must hold; none always does. */
static void add_all(fhir_pg_query_t *query, const apr_array_header_t *criteria)
{
    probe_t probe = {.query = query, .pool = query->values->pool};
    for (int i = 0; i < criteria->nelts; i++) {
        probe.criterion = &APR_ARRAY_IDX(criteria, i, fhir_criterion_t);
        probe.conditions = 0;
        add(&probe, i ? " AND " : "");
        add_criterion(&probe);
    }
    fhir_text_add(&query->sql, criteria->nelts ? "" : "true");
}

static void add_restriction(fhir_pg_query_t *query, const fhir_restriction_t *restriction)
{
    const apr_array_header_t *alternatives = restriction->alternatives;
    fhir_text_add(&query->sql, " AND (");
    for (int i = 0; i < alternatives->nelts; i++) {
        fhir_text_add(&query->sql, i ? " OR (" : "(");
        add_all(query, APR_ARRAY_IDX(alternatives, i, const apr_array_header_t *));
        fhir_text_add(&query->sql, ")");
    }
    fhir_text_add(&query->sql, alternatives->nelts ? ")" : "false)");
}

void fhir_pg_add_criteria(fhir_pg_query_t *query, const fhir_search_t *search)
{
    if (search->criteria && search->criteria->nelts) {
        fhir_text_add(&query->sql, " AND ");
        add_all(query, search->criteria);
    }
    for (int i = 0; search->restrictions && i < search->restrictions->nelts; i++) {
        add_restriction(query, &APR_ARRAY_IDX(search->restrictions, i, fhir_restriction_t));
    }
}
