/* Does a resource fit a search? The table in search.h, row by row; the database does the same in SQL. */
#include "search.h"

#include <string.h>

static int equals(const char *wanted, const char *text)
{
    return !wanted || (text && strcmp(wanted, text) == 0);
}

static int begins(const char *text, const char *with)
{
    return text && strncmp(text, with, strlen(with)) == 0;
}

static int fits_string(const fhir_index_value_t *row, const fhir_search_value_t *value, fhir_search_modifier_t modifier)
{
    switch (modifier) {
    case FHIR_MODIFIER_EXACT:
        return equals(value->text, row->exact);
    case FHIR_MODIFIER_CONTAINS:
        return row->text && strstr(row->text, value->text);
    default:
        return begins(row->text, value->text);
    }
}

static int fits_uri(const fhir_index_value_t *row, const fhir_search_value_t *value, fhir_search_modifier_t modifier)
{
    return equals(value->code, row->code) ||
           (modifier == FHIR_MODIFIER_BELOW && begins(row->code, value->code) && row->code[strlen(value->code)] == '/');
}

static int fits_date(const fhir_index_value_t *row, const fhir_search_value_t *value)
{
    int within = value->low <= row->low && row->high <= value->high;
    switch (value->prefix) {
    case FHIR_PREFIX_NE:
        return !within;
    case FHIR_PREFIX_GT:
        return row->high > value->high;
    case FHIR_PREFIX_LT:
        return row->low < value->low;
    case FHIR_PREFIX_GE:
        return row->high > value->high || within;
    case FHIR_PREFIX_LE:
        return row->low < value->low || within;
    case FHIR_PREFIX_SA:
        return row->low > value->high;
    case FHIR_PREFIX_EB:
        return row->high < value->low;
    case FHIR_PREFIX_AP:
        return row->low <= value->high && row->high >= value->low;
    default:
        return within;
    }
}

static int fits(const fhir_index_value_t *row, const fhir_search_value_t *value, const fhir_criterion_t *criterion)
{
    switch (criterion->modifier) {
    case FHIR_MODIFIER_TEXT:
        return begins(row->text, value->text);
    case FHIR_MODIFIER_IDENTIFIER:
        return row->identifier_value && equals(value->system, row->identifier_system) &&
               equals(value->code, row->identifier_value);
    default:
        break;
    }
    switch (criterion->type) {
    case FHIR_SEARCH_STRING:
        return fits_string(row, value, criterion->modifier);
    case FHIR_SEARCH_URI:
        return fits_uri(row, value, criterion->modifier);
    case FHIR_SEARCH_DATE:
        return fits_date(row, value);
    default:
        return equals(value->system, row->system) && equals(value->code, row->code);
    }
}

/* Does the row fit one of the values? */
static int fits_any(const fhir_index_value_t *row, const fhir_criterion_t *criterion)
{
    int i;
    for (i = 0; i < criterion->values->nelts; i++) {
        if (fits(row, &APR_ARRAY_IDX(criterion->values, i, fhir_search_value_t), criterion)) {
            return 1;
        }
    }
    return 0;
}

/* :missing with `present` rows. */
static int fits_missing(const fhir_criterion_t *criterion, int present)
{
    int i;
    for (i = 0; i < criterion->values->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(criterion->values, i, fhir_search_value_t).code, present ? "false" : "true") == 0) {
            return 1;
        }
    }
    return 0;
}

static int holds(const fhir_criterion_t *criterion, const fhir_index_value_t *rows, int count)
{
    int present = 0;
    int found = 0;
    int i;
    for (i = 0; i < count && !found; i++) {
        if (strcmp(rows[i].name, criterion->name) == 0) {
            present = 1;
            found = criterion->modifier != FHIR_MODIFIER_MISSING && fits_any(&rows[i], criterion);
        }
    }
    if (criterion->modifier == FHIR_MODIFIER_MISSING) {
        return fits_missing(criterion, present);
    }
    return criterion->modifier == FHIR_MODIFIER_NOT ? !found : found;
}

/* _id and _lastUpdated are columns of the resource itself: 1 and its row if it is one of them. */
static int own_row(fhir_index_value_t *row, const char *name, const fhir_resource_t *resource)
{
    memset(row, 0, sizeof(*row));
    row->name = name;
    row->system = "";
    row->code = resource->id;
    row->low = resource->last_updated;
    row->high = resource->last_updated;
    return strcmp(name, "_id") == 0 || strcmp(name, "_lastUpdated") == 0;
}

int fhir_criteria_match(const apr_array_header_t *criteria, const fhir_resource_t *resource,
                        const apr_array_header_t *values)
{
    const fhir_index_value_t *rows = (const fhir_index_value_t *)(const void *)values->elts;
    int i;
    for (i = 0; i < criteria->nelts; i++) {
        const fhir_criterion_t *criterion = &APR_ARRAY_IDX(criteria, i, fhir_criterion_t);
        fhir_index_value_t own;
        int is_own = own_row(&own, criterion->name, resource);
        if (!holds(criterion, is_own ? &own : rows, is_own ? 1 : values->nelts)) {
            return 0;
        }
    }
    return 1;
}

static int permitted(const fhir_restriction_t *restriction, const fhir_resource_t *resource,
                     const apr_array_header_t *values)
{
    int i;
    for (i = 0; i < restriction->alternatives->nelts; i++) {
        if (fhir_criteria_match(APR_ARRAY_IDX(restriction->alternatives, i, const apr_array_header_t *), resource,
                                values)) {
            return 1;
        }
    }
    return 0;
}

int fhir_search_matches(const fhir_search_t *search, const fhir_resource_t *resource, const apr_array_header_t *values)
{
    int i;
    for (i = 0; search->restrictions && i < search->restrictions->nelts; i++) {
        if (!permitted(&APR_ARRAY_IDX(search->restrictions, i, fhir_restriction_t), resource, values)) {
            return 0;
        }
    }
    return fhir_criteria_match(search->criteria, resource, values);
}
