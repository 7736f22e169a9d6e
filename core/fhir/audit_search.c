/* The query of a search for audit events. */
#include "audit_event.h"
#include "binary.h"
#include "search.h"

#include <stdlib.h>
#include <string.h>

/* type: what there is (bits of what a value asks for). */
#define ANY_LOGIN 1
#define ANY_REST 2

const char *const fhir_audit_search_parameters[][2] = {
    {"_id", "token"},       {"_lastUpdated", "date"}, {"action", "token"}, {"address", "string"},
    {"agent", "reference"}, {"altid", "token"},       {"date", "date"},    {"entity", "reference"},
    {"outcome", "token"},   {"subtype", "token"},     {"type", "token"},   {NULL, NULL}};

typedef struct parser_t {
    fhir_audit_search_t *search;
    const char *fhir_base;
    apr_pool_t *pool;
    int counted; /* _count was given */
    int values;
} parser_t;

static fhir_error_t *bad_value(const parser_t *parser, const char *name, const char *value, const char *advice)
{
    return fhir_error_public(parser->pool, FHIR_ERROR_INVALID, "'%.64s' is no value of %.64s. %s", value, name, advice);
}

/* ---- dates ---- */

static void narrow(fhir_audit_search_t *search, apr_time_t low, apr_time_t high)
{
    search->low = low > search->low ? low : search->low;
    search->high = high < search->high ? high : search->high;
}

static fhir_error_t *take_date(parser_t *parser, const char *name, const char *value)
{
    static const char *const prefixes[] = {"eq", "gt", "lt", "ge", "le", "sa", "eb", "ap"};
    int place = 0;
    apr_time_t low;
    apr_time_t high;
    const char *date = value;
    int i;
    for (i = 0; i < 8; i++) {
        if (strncmp(value, prefixes[i], 2) == 0) {
            place = i;
            date = value + 2;
        }
    }
    if (!fhir_date_range(&low, &high, date)) {
        return bad_value(parser, name, value, "Write a date such as ge2026-11-21 or lt2026-11-21T12:00:00Z, one each.");
    }
    switch (prefixes[place][0] == 'g' || place == 5 ? 'g' : prefixes[place][0] == 'l' || place == 6 ? 'l' : '=') {
    case 'g':
        narrow(parser->search, place == 3 ? low : high + 1, FHIR_DATE_MAX);
        break;
    case 'l':
        narrow(parser->search, FHIR_DATE_MIN, place == 4 ? high : low - 1);
        break;
    default:
        narrow(parser->search, low, high);
        break;
    }
    return NULL;
}

/* ---- lists ---- */

static apr_array_header_t *split(const char *value, apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, 4, sizeof(const char *));
    const char *end;
    for (; (end = strchr(value, ',')) != NULL; value = end + 1) {
        APR_ARRAY_PUSH(parts, const char *) = apr_pstrmemdup(pool, value, (apr_size_t)(end - value));
    }
    APR_ARRAY_PUSH(parts, const char *) = value;
    return parts;
}

/* `[system]|code`: the systems of our codes are not looked at. */
static fhir_error_t *code_of(const char **code, parser_t *parser, const char *name, const char *value)
{
    const char *bar = strrchr(value, '|');
    *code = bar ? bar + 1 : value;
    return **code ? NULL : bad_value(parser, name, value, "Write a code.");
}

static fhir_error_t *text_of(const char **text, parser_t *parser, const char *name, const char *value)
{
    *text = value;
    return *value ? NULL : bad_value(parser, name, value, "Write what to look for.");
}

/* `Type/id`, also under our own base. */
static fhir_error_t *reference_of(const char **reference, parser_t *parser, const char *name, const char *value)
{
    apr_size_t length = strlen(parser->fhir_base);
    const char *relative = strncmp(value, parser->fhir_base, length) == 0 ? value + length : value;
    const char *slash = strchr(relative, '/');
    if (!slash || !fhir_id_valid(slash + 1) ||
        !fhir_resource_type_known(apr_pstrmemdup(parser->pool, relative, (apr_size_t)(slash - relative)))) {
        return bad_value(parser, name, value, "Write a reference such as Binary/1.");
    }
    *reference = relative;
    return NULL;
}

static fhir_error_t *outcome_of(const char **outcome, parser_t *parser, const char *name, const char *value)
{
    FHIR_TRY(code_of(outcome, parser, name, value));
    if (strspn(*outcome, "0123456789") != strlen(*outcome) || strlen(*outcome) > 4) {
        return bad_value(parser, name, value, "Write 0, 4, 8 or 12.");
    }
    return NULL;
}

static fhir_error_t *interaction_of(const char **interaction, parser_t *parser, const char *name, const char *value)
{
    FHIR_TRY(code_of(interaction, parser, name, value));
    if (strcmp(*interaction, "110122") == 0) {
        *interaction = "login";
    }
    return NULL;
}

/* A parameter that was given twice holds for both: what is in one list only is not asked for. */
static apr_array_header_t *both(const apr_array_header_t *before, apr_array_header_t *now, apr_pool_t *pool)
{
    apr_array_header_t *kept;
    int i;
    int j;
    if (!before) {
        return now;
    }
    kept = apr_array_make(pool, 4, sizeof(const char *));
    for (i = 0; i < now->nelts; i++) {
        for (j = 0; j < before->nelts; j++) {
            if (strcmp(APR_ARRAY_IDX(now, i, const char *), APR_ARRAY_IDX(before, j, const char *)) == 0) {
                APR_ARRAY_PUSH(kept, const char *) = APR_ARRAY_IDX(now, i, const char *);
                break;
            }
        }
    }
    return kept;
}

typedef fhir_error_t *(*value_fn)(const char **taken, parser_t *parser, const char *name, const char *value);

static fhir_error_t *take_list(apr_array_header_t **list, parser_t *parser, value_fn take,
                               const fhir_parameter_t *parameter)
{
    apr_array_header_t *parts = split(parameter->value, parser->pool);
    apr_array_header_t *taken = apr_array_make(parser->pool, parts->nelts, sizeof(const char *));
    int i;
    parser->values += parts->nelts;
    if (parser->values > FHIR_AUDIT_VALUES_MAX) {
        return fhir_error_public(parser->pool, FHIR_ERROR_INVALID, "A search here may have %d values.",
                                 FHIR_AUDIT_VALUES_MAX);
    }
    for (i = 0; i < parts->nelts; i++) {
        FHIR_TRY(take(apr_array_push(taken), parser, parameter->name, APR_ARRAY_IDX(parts, i, const char *)));
    }
    *list = both(*list, taken, parser->pool);
    return NULL;
}

static fhir_error_t *take_type(parser_t *parser, const fhir_parameter_t *parameter)
{
    apr_array_header_t *codes = NULL;
    int wanted = 0;
    int i;
    FHIR_TRY(take_list(&codes, parser, code_of, parameter));
    for (i = 0; i < codes->nelts; i++) {
        const char *code = APR_ARRAY_IDX(codes, i, const char *);
        wanted |= strcmp(code, "110114") == 0 ? ANY_LOGIN : strcmp(code, "rest") == 0 ? ANY_REST : 0;
    }
    if (wanted != (ANY_LOGIN | ANY_REST)) {
        int now = wanted == ANY_LOGIN ? 1 : wanted == ANY_REST ? 2 : 3;
        parser->search->login = parser->search->login && parser->search->login != now ? 3 : now;
    }
    return NULL;
}

/* ---- the page ---- */

static fhir_error_t *take_count(parser_t *parser, const char *value)
{
    long count;
    if (!*value || strspn(value, "0123456789") != strlen(value) || parser->counted) {
        return bad_value(parser, "_count", value, "Write one number.");
    }
    count = strlen(value) > 6 ? FHIR_AUDIT_COUNT_MAX : strtol(value, NULL, 10);
    parser->search->count = count > FHIR_AUDIT_COUNT_MAX ? FHIR_AUDIT_COUNT_MAX : (int)count;
    parser->search->totals |= count == 0;
    parser->counted = 1;
    return NULL;
}

const char *fhir_audit_cursor(const fhir_audit_event_t *event, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT, (apr_int64_t)event->recorded, event->sequence);
}

static fhir_error_t *take_cursor(parser_t *parser, const char *value)
{
    char *end = NULL;
    apr_int64_t recorded = apr_strtoi64(value, &end, 10);
    apr_int64_t sequence = end && *end == '-' ? apr_strtoi64(end + 1, &end, 10) : 0;
    if (recorded <= 0 || sequence <= 0 || !end || *end || recorded > FHIR_DATE_MAX) {
        return bad_value(parser, "_cursor", value, "Take it from a next link.");
    }
    parser->search->before = recorded;
    parser->search->before_sequence = sequence;
    return NULL;
}

/* ---- parameters ---- */

static apr_array_header_t **list_of(value_fn *take, fhir_audit_search_t *search, const char *name)
{
    const struct {
        const char *name;
        apr_array_header_t **list;
        value_fn take;
    } lists[] = {{"_id", &search->ids, text_of},
                 {"entity", &search->entities, reference_of},
                 {"agent", &search->agents, reference_of},
                 {"altid", &search->members, code_of},
                 {"action", &search->actions, code_of},
                 {"outcome", &search->outcomes, outcome_of},
                 {"subtype", &search->interactions, interaction_of},
                 {"address", &search->addresses, text_of}};
    size_t i;
    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(lists[i].name, name) == 0) {
            *take = lists[i].take;
            return lists[i].list;
        }
    }
    return NULL;
}

static int is_newest_first(const char *value)
{
    return strcmp(value, "-_lastUpdated") == 0 || strcmp(value, "-date") == 0;
}

/* *known 0: no parameter of ours. */
static fhir_error_t *take(parser_t *parser, const fhir_parameter_t *parameter, int *known)
{
    const char *name = parameter->name;
    value_fn value_of;
    apr_array_header_t **list = list_of(&value_of, parser->search, name);
    *known = 1;
    if (list) {
        return take_list(list, parser, value_of, parameter);
    }
    if (strcmp(name, "date") == 0 || strcmp(name, "_lastUpdated") == 0) {
        return take_date(parser, name, parameter->value);
    }
    if (strcmp(name, "type") == 0) {
        return take_type(parser, parameter);
    }
    if (strcmp(name, "_count") == 0) {
        return take_count(parser, parameter->value);
    }
    if (strcmp(name, "_cursor") == 0) {
        return take_cursor(parser, parameter->value);
    }
    if (strcmp(name, "_total") == 0) {
        parser->search->totals |= strcmp(parameter->value, "none") != 0;
        return NULL;
    }
    *known = strcmp(name, "_format") == 0 || strcmp(name, "_pretty") == 0 ||
             (strcmp(name, "_sort") == 0 && is_newest_first(parameter->value));
    return NULL;
}

static int in_links(const char *name)
{
    return strcmp(name, "_count") != 0 && strcmp(name, "_cursor") != 0 && strcmp(name, "_format") != 0 &&
           strcmp(name, "_pretty") != 0;
}

static fhir_error_t *take_all(parser_t *parser, const apr_array_header_t *parameters, int strict)
{
    fhir_audit_search_t *search = parser->search;
    fhir_text_t canonical;
    int i;
    fhir_text_init(&canonical, parser->pool);
    for (i = 0; i < parameters->nelts; i++) {
        const fhir_parameter_t *parameter = &APR_ARRAY_IDX(parameters, i, fhir_parameter_t);
        int known;
        FHIR_TRY(take(parser, parameter, &known));
        if (!known && strict) {
            return fhir_error_public(parser->pool, FHIR_ERROR_INVALID, "Unknown search parameter of AuditEvent: %.64s.",
                                     parameter->name);
        }
        if (!known) {
            APR_ARRAY_PUSH(search->ignored, const char *) = parameter->name;
        } else if (in_links(parameter->name)) {
            fhir_text_addf(&canonical, "&%s=%s", parameter->name, fhir_url_encode(parameter->value, parser->pool));
        }
    }
    search->canonical = canonical.text;
    return NULL;
}

fhir_error_t *fhir_audit_search_parse(fhir_audit_search_t **search, const apr_array_header_t *parameters, int strict,
                                      const char *fhir_base, apr_pool_t *pool)
{
    fhir_audit_search_t *made = apr_pcalloc(pool, sizeof(*made));
    parser_t parser = {made, fhir_base, pool, 0, 0};
    made->low = FHIR_DATE_MIN;
    made->high = FHIR_DATE_MAX;
    made->count = FHIR_AUDIT_COUNT_DEFAULT;
    made->ignored = apr_array_make(pool, 2, sizeof(const char *));
    *search = made;
    return take_all(&parser, parameters, strict);
}
