/* What each parameter type takes from a JSON value (FHIR R4 search.html#ptypes). The shape tells the datatype. */
#include "search_rows.h"

#include <string.h>

/* ---- adding ---- */

static void add_key(fhir_text_t *key, const char *part)
{
    fhir_text_add(key, part ? "+" : "-");
    fhir_text_add_bytes(key, part ? part : "", part ? strlen(part) + 1 : 1);
}

/* Once each. */
static void add_row(fhir_search_rows_t *rows, fhir_index_value_t *row)
{
    fhir_text_t key;
    if (rows->values->nelts > FHIR_INDEX_VALUES_MAX) {
        return;
    }
    row->name = rows->parameter->name;
    row->type = rows->parameter->type;
    fhir_text_init(&key, rows->pool);
    add_key(&key, row->name);
    add_key(&key, row->system);
    add_key(&key, row->code);
    add_key(&key, row->text);
    add_key(&key, row->exact);
    add_key(&key, row->identifier_system);
    add_key(&key, row->identifier_value);
    fhir_text_addf(&key, "%" APR_INT64_T_FMT " %" APR_INT64_T_FMT, row->low, row->high);
    if (!apr_hash_get(rows->seen, key.text, (apr_ssize_t)key.length)) {
        apr_hash_set(rows->seen, key.text, (apr_ssize_t)key.length, "");
        APR_ARRAY_PUSH(rows->values, fhir_index_value_t) = *row;
    }
}

/* ---- JSON ---- */

static int is_object(const fhir_search_rows_t *rows, int node)
{
    return node >= 0 && rows->document->nodes[node].kind == FHIR_JSON_OBJECT;
}

static int member(const fhir_search_rows_t *rows, int node, const char *name)
{
    return fhir_json_member(rows->document, node, name);
}

/* The string `name` of the object; NULL: none. */
static const char *string_member(const fhir_search_rows_t *rows, int node, const char *name)
{
    return fhir_json_string(rows->document, member(rows, node, name), rows->pool);
}

/* The same, cut; "" without. */
static const char *cut_member(const fhir_search_rows_t *rows, int node, const char *name)
{
    const char *text = string_member(rows, node, name);
    return text ? fhir_search_cut(text, rows->pool) : "";
}

/* The same, folded; NULL without. */
static const char *comparable_member(const fhir_search_rows_t *rows, int node, const char *name)
{
    const char *text = string_member(rows, node, name);
    return text ? fhir_search_comparable(text, rows->pool) : NULL;
}

/* ---- TOKEN ---- */

static void add_token(fhir_search_rows_t *rows, const char *system, const char *code, const char *text)
{
    fhir_index_value_t row = {0};
    if (!*system && !*code && (!text || !*text)) {
        return;
    }
    row.system = system;
    row.code = fhir_search_ignores_case(rows->parameter) ? fhir_search_lower(code, rows->pool) : code;
    row.text = text;
    add_row(rows, &row);
}

static void add_coding(fhir_search_rows_t *rows, int node)
{
    add_token(rows, cut_member(rows, node, "system"), cut_member(rows, node, "code"),
              comparable_member(rows, node, "display"));
}

static void add_codeable_concept(fhir_search_rows_t *rows, int node, int coding)
{
    int child;
    const char *text = comparable_member(rows, node, "text");
    for (child = coding < 0 ? -1 : fhir_json_first(rows->document, coding); child >= 0;
         child = rows->document->nodes[child].next) {
        if (is_object(rows, child)) {
            add_coding(rows, child);
        }
    }
    if (text) {
        add_token(rows, "", "", text);
    }
}

static void add_token_object(fhir_search_rows_t *rows, int node)
{
    int coding = member(rows, node, "coding");
    if (coding >= 0 && rows->document->nodes[coding].kind == FHIR_JSON_ARRAY) {
        add_codeable_concept(rows, node, coding);
    } else if (member(rows, node, "value") >= 0) { /* Identifier, ContactPoint */
        add_token(rows, cut_member(rows, node, "system"), cut_member(rows, node, "value"),
                  comparable_member(rows, member(rows, node, "type"), "text"));
    } else if (member(rows, node, "text") >= 0) {
        add_codeable_concept(rows, node, -1);
    } else {
        add_coding(rows, node); /* also an Identifier with nothing but a system */
    }
}

static void add_token_node(fhir_search_rows_t *rows, int node)
{
    const char *text = fhir_json_string(rows->document, node, rows->pool);
    if (is_object(rows, node)) {
        add_token_object(rows, node);
    } else {
        text = text ? text : fhir_json_raw(rows->document, node, rows->pool);
        add_token(rows, "", fhir_search_cut(text, rows->pool), NULL);
    }
}

void fhir_search_row_code(fhir_search_rows_t *rows, const char *code, apr_size_t length)
{
    add_token(rows, "", apr_pstrmemdup(rows->pool, code, length), NULL);
}

/* ---- STRING ---- */

static void add_string(fhir_search_rows_t *rows, const char *text)
{
    fhir_index_value_t row = {0};
    row.exact = fhir_search_cut(text, rows->pool);
    row.text = fhir_search_comparable(text, rows->pool);
    add_row(rows, &row);
}

/* A string or a list of strings. */
static void add_strings(fhir_search_rows_t *rows, int node)
{
    const char *text = fhir_json_string(rows->document, node, rows->pool);
    int child;
    if (text) {
        add_string(rows, text);
    } else if (node >= 0 && rows->document->nodes[node].kind == FHIR_JSON_ARRAY) {
        for (child = fhir_json_first(rows->document, node); child >= 0; child = rows->document->nodes[child].next) {
            text = fhir_json_string(rows->document, child, rows->pool);
            if (text) {
                add_string(rows, text);
            }
        }
    }
}

/* A string; of a HumanName or an Address all parts that people search by. */
static void add_string_node(fhir_search_rows_t *rows, int node)
{
    static const char *const parts[] = {"text", "family",   "given", "prefix",     "suffix", "line",
                                        "city", "district", "state", "postalCode", "country"};
    apr_size_t i;
    if (!is_object(rows, node)) {
        add_strings(rows, node);
        return;
    }
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        add_strings(rows, member(rows, node, parts[i]));
    }
}

/* The given names with blanks between them; NULL: none. */
static const char *given_names(const fhir_search_rows_t *rows, int node)
{
    fhir_text_t names;
    int given = member(rows, node, "given");
    int child;
    if (given < 0 || rows->document->nodes[given].kind != FHIR_JSON_ARRAY) {
        return NULL;
    }
    fhir_text_init(&names, rows->pool);
    for (child = fhir_json_first(rows->document, given); child >= 0; child = rows->document->nodes[child].next) {
        const char *text = fhir_json_string(rows->document, child, rows->pool);
        if (text) {
            fhir_text_addf(&names, "%s%s", names.length ? " " : "", text);
        }
    }
    return names.length ? names.text : NULL;
}

static void add_whole_name(fhir_search_rows_t *rows, int node)
{
    const char *family = string_member(rows, node, "family");
    const char *given = given_names(rows, node);
    if (family && given) {
        add_string(rows, apr_pstrcat(rows->pool, given, " ", family, NULL));
        add_string(rows, apr_pstrcat(rows->pool, family, " ", given, NULL));
    }
}

void fhir_search_row_names(fhir_search_rows_t *rows)
{
    const char *paths = rows->parameter->paths;
    int name = member(rows, 0, "name");
    int child;
    if (rows->parameter->type != FHIR_SEARCH_STRING || name < 0 ||
        !(fhir_search_listed(paths, "name") ||
          (fhir_search_listed(paths, "name.family") && fhir_search_listed(paths, "name.given")))) {
        return;
    }
    if (rows->document->nodes[name].kind != FHIR_JSON_ARRAY) {
        add_whole_name(rows, name);
        return;
    }
    for (child = fhir_json_first(rows->document, name); child >= 0; child = rows->document->nodes[child].next) {
        add_whole_name(rows, child);
    }
}

/* ---- REFERENCE ---- */

static void add_reference(fhir_search_rows_t *rows, fhir_index_value_t *row, const char *literal, const char *type)
{
    fhir_search_reference_t reference = {"", ""};
    if (literal) {
        fhir_search_reference(&reference, literal, rows->addresses, rows->pool);
    }
    row->system = *reference.type || !type || !fhir_resource_type_known(type) ? reference.type : type;
    row->code = reference.code;
    if ((literal || row->identifier_value) &&
        (!*row->system || fhir_search_listed(rows->parameter->targets, row->system))) {
        add_row(rows, row);
    }
}

static void add_reference_node(fhir_search_rows_t *rows, int node)
{
    fhir_index_value_t row = {0};
    const char *canonical = fhir_json_string(rows->document, node, rows->pool);
    const char *version = canonical ? strchr(canonical, '|') : NULL;
    if (canonical) {
        add_reference(rows, &row, canonical, NULL);
        if (version) { /* found with and without its version */
            add_reference(rows, &row, apr_pstrmemdup(rows->pool, canonical, (apr_size_t)(version - canonical)), NULL);
        }
    } else if (is_object(rows, node)) {
        int identifier = member(rows, node, "identifier");
        const char *value = string_member(rows, identifier, "value");
        if (value) {
            row.identifier_value = fhir_search_cut(value, rows->pool);
            row.identifier_system = cut_member(rows, identifier, "system");
        }
        add_reference(rows, &row, string_member(rows, node, "reference"), string_member(rows, node, "type"));
    }
}

void fhir_search_row_target(fhir_search_rows_t *rows, const char *type, const char *id)
{
    fhir_index_value_t row = {0};
    row.system = type;
    row.code = id;
    add_row(rows, &row);
}

/* ---- URI ---- */

static void add_uri(fhir_search_rows_t *rows, const char *uri, apr_size_t length)
{
    fhir_index_value_t row = {0};
    row.code = fhir_search_cut(apr_pstrmemdup(rows->pool, uri, length), rows->pool);
    if (*row.code) {
        add_row(rows, &row);
    }
}

static void add_uri_node(fhir_search_rows_t *rows, int node)
{
    const char *uri = fhir_json_string(rows->document, node, rows->pool);
    const char *version = uri ? strchr(uri, '|') : NULL;
    if (!uri) {
        return;
    }
    if (!version && strncmp(uri, "Binary/", 7) == 0) {
        version = strstr(uri, "/_history/");
    }
    add_uri(rows, uri, strlen(uri));
    if (version) {
        add_uri(rows, uri, (apr_size_t)(version - uri));
    }
}

/* ---- DATE ---- */

static int read_range(const fhir_search_rows_t *rows, int node, apr_time_t *low, apr_time_t *high)
{
    const char *text = fhir_json_string(rows->document, node, rows->pool);
    return text && fhir_date_range(low, high, text);
}

/* Period: an end that is not there is open. */
static int read_period(const fhir_search_rows_t *rows, int node, apr_time_t *low, apr_time_t *high)
{
    int start = member(rows, node, "start");
    int end = member(rows, node, "end");
    apr_time_t other;
    *low = FHIR_DATE_MIN;
    *high = FHIR_DATE_MAX;
    return (start >= 0 || end >= 0) && (start < 0 || read_range(rows, start, low, &other)) &&
           (end < 0 || read_range(rows, end, &other, high)) && *low <= *high;
}

/* Timing: only its outer limits count (search.html#date). */
static int read_timing(const fhir_search_rows_t *rows, int node, apr_time_t *low, apr_time_t *high)
{
    int bounds = member(rows, member(rows, node, "repeat"), "boundsPeriod");
    int event = member(rows, node, "event");
    int found = bounds >= 0 && read_period(rows, bounds, low, high);
    int child;
    if (event < 0 || rows->document->nodes[event].kind != FHIR_JSON_ARRAY) {
        return found;
    }
    for (child = fhir_json_first(rows->document, event); child >= 0; child = rows->document->nodes[child].next) {
        apr_time_t event_low;
        apr_time_t event_high;
        if (read_range(rows, child, &event_low, &event_high)) {
            *low = !found || event_low < *low ? event_low : *low;
            *high = !found || event_high > *high ? event_high : *high;
            found = 1;
        }
    }
    return found;
}

static void add_date_node(fhir_search_rows_t *rows, int node)
{
    fhir_index_value_t row = {0};
    if (is_object(rows, node)
            ? read_period(rows, node, &row.low, &row.high) || read_timing(rows, node, &row.low, &row.high)
            : read_range(rows, node, &row.low, &row.high)) {
        add_row(rows, &row);
    }
}

void fhir_search_row_node(fhir_search_rows_t *rows, int node)
{
    switch (rows->parameter->type) {
    case FHIR_SEARCH_TOKEN:
        add_token_node(rows, node);
        break;
    case FHIR_SEARCH_STRING:
        add_string_node(rows, node);
        break;
    case FHIR_SEARCH_REFERENCE:
        add_reference_node(rows, node);
        break;
    case FHIR_SEARCH_URI:
        add_uri_node(rows, node);
        break;
    case FHIR_SEARCH_DATE:
        add_date_node(rows, node);
        break;
    }
}
