/* The searchable values of a resource: follows the paths of its search parameters through its JSON. */
#include "compartments.h"
#include "search_private.h"
#include "search_rows.h"

#include <string.h>

#define SEGMENT_MAX 64

/* ---- paths ---- */

/* One step of a path: `telecom[system=phone]`. */
typedef struct step_t {
    char name[SEGMENT_MAX];
    char filter_name[SEGMENT_MAX]; /* "": no filter */
    char filter_value[SEGMENT_MAX];
    int last;
} step_t;

/* Text up to one of the `ends`; stays empty if it is too long. */
static const char *read_segment(char segment[SEGMENT_MAX], const char *text, const char *ends)
{
    apr_size_t length = strcspn(text, ends);
    segment[0] = '\0';
    if (length < SEGMENT_MAX) {
        memcpy(segment, text, length);
        segment[length] = '\0';
    }
    return text + length;
}

static const char *read_step(step_t *step, const char *path)
{
    const char *at = read_segment(step->name, path, ".[|=");
    step->filter_name[0] = '\0';
    if (*at == '[') {
        at = read_segment(step->filter_name, at + 1, "=");
        at = read_segment(step->filter_value, *at ? at + 1 : at, "]");
        at += *at == ']';
    }
    step->last = *at != '.';
    return *at == '.' ? at + 1 : at;
}

static void follow(fhir_search_rows_t *rows, int node, const char *path);

/* The items of a list, or the single value, that fit the step's filter. */
static void enter(fhir_search_rows_t *rows, int node, const step_t *step, const char *rest)
{
    const fhir_json_document_t *document = rows->document;
    if (node >= 0 && document->nodes[node].kind == FHIR_JSON_ARRAY) {
        int child;
        for (child = fhir_json_first(document, node); child >= 0; child = document->nodes[child].next) {
            if (document->nodes[child].kind != FHIR_JSON_ARRAY) {
                enter(rows, child, step, rest);
            }
        }
        return;
    }
    if (node < 0 || document->nodes[node].kind == FHIR_JSON_NULL ||
        (*step->filter_name &&
         !fhir_json_equals(document, fhir_json_member(document, node, step->filter_name), step->filter_value))) {
        return;
    }
    if (!step->last) {
        follow(rows, node, rest);
    } else if (*rest == '=') {
        fhir_search_row_code(rows, rest + 1, strcspn(rest + 1, "|"));
    } else {
        fhir_search_row_node(rows, node);
    }
}

static void follow(fhir_search_rows_t *rows, int node, const char *path)
{
    step_t step;
    const char *rest = read_step(&step, path);
    int member = fhir_json_member(rows->document, node, step.name);
    if (member >= 0) {
        enter(rows, member, &step, rest);
    }
}

/* All values of a parameter. An alternative `=false` at the end is the value if there was none. */
static void index_parameter(fhir_search_rows_t *rows, const fhir_search_parameter_t *parameter)
{
    const char *path = parameter->paths;
    int before = rows->values->nelts;
    rows->parameter = parameter;
    while (*path) {
        if (*path != '=') {
            follow(rows, 0, path);
        } else if (rows->values->nelts == before) {
            fhir_search_row_code(rows, path + 1, strcspn(path + 1, "|"));
        }
        path += strcspn(path, "|");
        path += *path == '|';
    }
    fhir_search_row_names(rows);
}

static void index_all(fhir_search_rows_t *rows, const fhir_search_parameter_t *parameters, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        index_parameter(rows, &parameters[i]);
    }
}

/* The members of meta are stored without braces. NULL: there are none. */
static const fhir_json_document_t *parse_meta(const char *meta, apr_pool_t *pool)
{
    const fhir_json_document_t *document = NULL;
    const char *text;
    if (!meta || !*meta) {
        return NULL;
    }
    text = apr_pstrcat(pool, "{", meta, "}", NULL);
    /* It was checked when it came in. */
    return fhir_json_parse(&document, text, strlen(text), &fhir_json_resource_limits, pool) ? NULL : document;
}

/* ---- compartments ---- */

/* The rows so far that lead to the compartment. Those to other servers have a URL for a code. */
static void add_memberships(fhir_search_rows_t *rows, const char *compartment, int count)
{
    const char *parameters = fhir_compartment_parameters(compartment, rows->type);
    int i;
    for (i = 0; parameters && i < count; i++) {
        const fhir_index_value_t row = APR_ARRAY_IDX(rows->values, i, fhir_index_value_t);
        if (row.type == FHIR_SEARCH_REFERENCE && strcmp(row.system, compartment) == 0 &&
            fhir_search_listed(parameters, row.name) && fhir_id_valid(row.code)) {
            fhir_search_row_target(rows, compartment, row.code);
        }
    }
}

static void index_compartments(fhir_search_rows_t *rows, const char *id)
{
    const char *const *compartment;
    int count = rows->values->nelts;
    rows->parameter = fhir_search_common_parameter(FHIR_COMPARTMENT_PARAMETER);
    for (compartment = fhir_compartments(); *compartment; compartment++) {
        if (id && strcmp(*compartment, rows->type) == 0) {
            fhir_search_row_target(rows, *compartment, id);
        }
        add_memberships(rows, *compartment, count);
    }
}

apr_array_header_t *fhir_search_index(const char *type, const char *id, const fhir_store_resource_t *stored,
                                      const fhir_addresses_t *addresses, apr_pool_t *pool)
{
    fhir_search_rows_t rows = {0};
    const fhir_search_parameter_t *parameters;
    int count = 0;
    rows.values = apr_array_make(pool, 16, sizeof(fhir_index_value_t));
    rows.seen = apr_hash_make(pool);
    rows.addresses = addresses;
    rows.type = type;
    rows.pool = pool;
    rows.document = stored->document;
    if (rows.document) {
        parameters = fhir_search_parameters(&count, type);
        index_all(&rows, parameters, count);
    }
    rows.document = parse_meta(stored->meta, pool);
    if (rows.document) {
        parameters = fhir_search_common_parameters(&count);
        index_all(&rows, parameters, count);
    }
    index_compartments(&rows, id);
    return rows.values;
}
