/* The parameters of a search that say what comes back: _count, _sort, _total, _summary, _elements, _include, paging
 * (FHIR R4 search.html#summary, #count, #sort). */
#include "search_private.h"

#include <string.h>

static fhir_error_t *invalid(const fhir_parameter_t *parameter, const char *advice, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "The value `%s` of %s is not valid; %s.",
                             fhir_search_shown(parameter->value, pool), parameter->name, advice);
}

static const char *as_sent(const fhir_parameter_t *parameter, apr_pool_t *pool)
{
    return apr_pstrcat(pool, parameter->name, "=", parameter->value, NULL);
}

/* A number without sign; above `most` it is most + 1. -1: none. */
static int read_number(const char *text, int most)
{
    int number = 0;
    if (!*text) {
        return -1;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return -1;
        }
        number = number * 10 + (*text - '0');
        number = number > most ? most + 1 : number;
    }
    return number;
}

/* Which of the words it is, -1: none. */
static int read_word(const char *text, const char *const *words, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static fhir_error_t *read_count(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    int count = read_number(parameter->value, FHIR_SEARCH_COUNT_MAX);
    if (count < 0) {
        return invalid(parameter, "write how many matches a page may have", reader->pool);
    }
    reader->search->count = count > FHIR_SEARCH_COUNT_MAX ? FHIR_SEARCH_COUNT_MAX : count;
    return NULL;
}

static fhir_error_t *read_offset(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    int offset = read_number(parameter->value, FHIR_SEARCH_OFFSET_MAX);
    if (offset < 0 || offset > FHIR_SEARCH_OFFSET_MAX) {
        return invalid(parameter,
                       "write a number up to " APR_STRINGIFY(FHIR_SEARCH_OFFSET_MAX) ", beyond that follow "
                                                                                     "the next links",
                       reader->pool);
    }
    reader->search->offset = offset;
    return NULL;
}

static fhir_error_t *read_cursor(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    if (strlen(parameter->value) > FHIR_SEARCH_CURSOR_MAX) {
        return invalid(parameter, "follow the next link as it is", reader->pool);
    }
    reader->search->cursor = parameter->value;
    return NULL;
}

/* 0: a key that is unknown, or too many of them. */
static int read_sort_keys(apr_array_header_t *keys, const char *type, const char *text, apr_pool_t *pool)
{
    for (;; text++) {
        int descending = *text == '-';
        apr_size_t length = strcspn(text += descending, ",");
        const fhir_search_parameter_t *parameter = fhir_search_find_parameter(type, apr_pstrmemdup(pool, text, length));
        fhir_sort_key_t *key;
        if (!parameter || keys->nelts == FHIR_SEARCH_SORT_MAX) {
            return 0;
        }
        key = apr_array_push(keys);
        key->name = parameter->name;
        key->type = parameter->type;
        key->descending = descending;
        text += length;
        if (!*text) {
            return 1;
        }
    }
}

static fhir_error_t *read_sort(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    fhir_search_t *search = reader->search;
    if (!read_sort_keys(search->sort, search->type, parameter->value, reader->pool)) {
        apr_array_clear(search->sort);
        return fhir_search_unsupported(reader, as_sent(parameter, reader->pool));
    }
    if (search->sort->nelts == 1 && strstr(parameter->value, "_lastUpdated")) {
        search->ascending = *parameter->value != '-';
        apr_array_clear(search->sort);
        return NULL;
    }
    search->sort_text = parameter->value;
    return NULL;
}

static fhir_error_t *read_total(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    static const char *const words[] = {"none", "estimate", "accurate"};
    int total = read_word(parameter->value, words, 3);
    if (total < 0) {
        return invalid(parameter, "write none, estimate or accurate", reader->pool);
    }
    reader->search->total = (fhir_total_t)total;
    return NULL;
}

static fhir_error_t *read_summary(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    static const char *const words[] = {"false", "true", "text", "data", "count"};
    int summary = read_word(parameter->value, words, 5);
    if (summary < 0) {
        return invalid(parameter, "write true, text, data, count or false", reader->pool);
    }
    reader->search->view.summary = (fhir_summary_t)summary;
    return NULL;
}

static fhir_error_t *read_elements(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    const char *before = reader->search->view.elements;
    reader->search->view.elements =
        before ? apr_pstrcat(reader->pool, before, ",", parameter->value, NULL) : parameter->value;
    return NULL;
}

static fhir_error_t *read_either_include(fhir_search_reader_t *reader, const fhir_parameter_t *parameter, int reverse)
{
    const char *modifier = strchr(parameter->name, ':');
    int iterate = modifier && (strcmp(modifier, ":iterate") == 0 || strcmp(modifier, ":recurse") == 0);
    int understood = 0;
    if (!modifier || iterate) {
        FHIR_TRY(fhir_search_read_include(&understood, reader, parameter->value, reverse, iterate));
    }
    return understood ? NULL : fhir_search_unsupported(reader, as_sent(parameter, reader->pool));
}

static fhir_error_t *read_include(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    return read_either_include(reader, parameter, 0);
}

static fhir_error_t *read_revinclude(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    return read_either_include(reader, parameter, 1);
}

/* About the form of the answer; read by others. */
static fhir_error_t *pass_over(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    (void)reader;
    (void)parameter;
    return NULL;
}

typedef struct result_parameter_t {
    const char *name;
    fhir_error_t *(*read)(fhir_search_reader_t *reader, const fhir_parameter_t *parameter);
    int once;
    int modifiers;
} result_parameter_t;

/* _fields is what Medplum's components write for _elements. */
static const result_parameter_t RESULTS[] = {{"_count", read_count, 1, 0},       {"_offset", read_offset, 1, 0},
                                             {"_cursor", read_cursor, 1, 0},     {"_sort", read_sort, 1, 0},
                                             {"_total", read_total, 1, 0},       {"_summary", read_summary, 1, 0},
                                             {"_elements", read_elements, 0, 0}, {"_fields", read_elements, 0, 0},
                                             {"_include", read_include, 0, 1},   {"_revinclude", read_revinclude, 0, 1},
                                             {"_format", pass_over, 0, 0},       {"_pretty", pass_over, 0, 0}};

static int find_result(const char *name)
{
    apr_size_t length = strcspn(name, ":");
    int i;
    for (i = 0; i < (int)(sizeof(RESULTS) / sizeof(RESULTS[0])); i++) {
        if (strlen(RESULTS[i].name) == length && strncmp(name, RESULTS[i].name, length) == 0) {
            return i;
        }
    }
    return -1;
}

fhir_error_t *fhir_search_read_result(int *known, fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    int found = find_result(parameter->name);
    *known = found >= 0;
    if (found < 0 || RESULTS[found].read == pass_over) {
        return NULL;
    }
    if (!*parameter->value || (strchr(parameter->name, ':') && !RESULTS[found].modifiers)) {
        return fhir_search_unsupported(reader, as_sent(parameter, reader->pool));
    }
    if (RESULTS[found].once && reader->seen & 1u << found) {
        return fhir_error_public(reader->pool, FHIR_ERROR_INVALID, "%s is given twice; keep one.", parameter->name);
    }
    reader->seen |= 1u << found;
    return RESULTS[found].read(reader, parameter);
}
