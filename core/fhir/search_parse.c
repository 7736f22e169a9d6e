/* Reads the query of a search (FHIR R4 search.html): criteria and what is asked about the result. */
#include "search_private.h"
#include "structure.h"

#include <stdlib.h>
#include <string.h>

/* ---- parameters ---- */

/* _compartment is no parameter of FHIR: access policies use it. */
static const fhir_search_parameter_t COMMON[] = {
    {FHIR_COMPARTMENT_PARAMETER, FHIR_SEARCH_REFERENCE, "", "Device|Encounter|Patient|Practitioner|RelatedPerson"},
    {"_id", FHIR_SEARCH_TOKEN, "", NULL},
    {"_lastUpdated", FHIR_SEARCH_DATE, "", NULL},
    {"_profile", FHIR_SEARCH_URI, "profile", NULL},
    {"_security", FHIR_SEARCH_TOKEN, "security", NULL},
    {"_source", FHIR_SEARCH_URI, "source", NULL},
    {"_tag", FHIR_SEARCH_TOKEN, "tag", NULL}};

const fhir_search_parameter_t *fhir_search_common_parameters(int *count)
{
    *count = (int)(sizeof(COMMON) / sizeof(COMMON[0]));
    return COMMON;
}

const fhir_search_parameter_t *fhir_search_common_parameter(const char *name)
{
    apr_size_t i;
    for (i = 0; i < sizeof(COMMON) / sizeof(COMMON[0]); i++) {
        if (strcmp(COMMON[i].name, name) == 0) {
            return &COMMON[i];
        }
    }
    return NULL;
}

const fhir_search_parameter_t *fhir_search_find_parameter(const char *type, const char *name)
{
    const fhir_search_parameter_t *common = fhir_search_common_parameter(name);
    return common ? common : fhir_search_parameter(type, name);
}

int fhir_search_ignores_case(const fhir_search_parameter_t *parameter)
{
    return strstr(parameter->paths, "telecom") != NULL;
}

/* Does the path, up to `|`, end at a bare code or the like? */
static int ends_primitive(const fhir_structure_t *structure, const char *path, const char *end)
{
    fhir_element_kind_t kind = FHIR_ELEMENT_COMPLEX;
    while (path < end && structure) {
        const char *stop = path + strcspn(path, ".|[");
        kind = fhir_structure_element(&structure, structure, path, (apr_size_t)(stop - path));
        stop += *stop == '[' ? strcspn(stop, "]") + 1 : 0;
        path = stop + (*stop == '.');
    }
    return path >= end && (kind == FHIR_ELEMENT_PRIMITIVE || kind == FHIR_ELEMENT_URL);
}

int fhir_search_system_implied(const char *type, const fhir_search_parameter_t *parameter)
{
    const char *path = parameter->paths;
    if (!*path || fhir_search_common_parameter(parameter->name)) {
        return 0;
    }
    while (*path) {
        const char *end = path + strcspn(path, "|");
        if (!ends_primitive(fhir_structure_of_resource(type), path, end)) {
            return 0;
        }
        path = end + (*end == '|');
    }
    return 1;
}

fhir_error_t *fhir_search_unsupported(fhir_search_reader_t *reader, const char *as_sent)
{
    if (reader->strict) {
        return fhir_error_public(reader->pool, FHIR_ERROR_INVALID,
                                 "The search parameter `%s` is not supported for %s; remove it, or ask for "
                                 "handling=lenient to have it ignored.",
                                 fhir_search_shown(as_sent, reader->pool), reader->search->type);
    }
    APR_ARRAY_PUSH(reader->search->ignored, const char *) = as_sent;
    return NULL;
}

/* ---- modifiers ---- */

typedef struct modifier_t {
    const char *name;
    fhir_search_modifier_t modifier;
    unsigned types; /* bits 1 << fhir_search_type_t */
} modifier_t;

static const modifier_t MODIFIERS[] = {{"missing", FHIR_MODIFIER_MISSING, ~0u},
                                       {"exact", FHIR_MODIFIER_EXACT, 1u << FHIR_SEARCH_STRING},
                                       {"contains", FHIR_MODIFIER_CONTAINS, 1u << FHIR_SEARCH_STRING},
                                       {"not", FHIR_MODIFIER_NOT, 1u << FHIR_SEARCH_TOKEN},
                                       {"text", FHIR_MODIFIER_TEXT, 1u << FHIR_SEARCH_TOKEN},
                                       {"identifier", FHIR_MODIFIER_IDENTIFIER, 1u << FHIR_SEARCH_REFERENCE},
                                       {"below", FHIR_MODIFIER_BELOW, 1u << FHIR_SEARCH_URI}};

static const char *modifier_name(fhir_search_modifier_t modifier)
{
    apr_size_t i;
    for (i = 0; i < sizeof(MODIFIERS) / sizeof(MODIFIERS[0]); i++) {
        if (MODIFIERS[i].modifier == modifier) {
            return MODIFIERS[i].name;
        }
    }
    return NULL;
}

/* An unknown modifier changes the meaning: it is never ignored (search.html#modifiers). */
static fhir_error_t *read_modifier(fhir_search_target_t *target, const char *text, apr_pool_t *pool)
{
    apr_size_t i;
    for (i = 0; i < sizeof(MODIFIERS) / sizeof(MODIFIERS[0]); i++) {
        if (strcmp(MODIFIERS[i].name, text) == 0 && MODIFIERS[i].types & 1u << target->parameter->type &&
            !(MODIFIERS[i].modifier == FHIR_MODIFIER_TEXT && strcmp(target->parameter->name, "_id") == 0)) {
            target->modifier = MODIFIERS[i].modifier;
            return NULL;
        }
    }
    if (target->parameter->type == FHIR_SEARCH_REFERENCE && fhir_resource_type_known(text) &&
        fhir_search_listed(target->parameter->targets, text)) {
        target->type = text;
        return NULL;
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "The search parameter `%s` does not take the modifier `:%s`; leave the modifier out.",
                             target->parameter->name, fhir_search_shown(text, pool));
}

/* ---- criteria ---- */

static int compare_canonical(const void *one, const void *other)
{
    return strcmp(((const fhir_search_canonical_t *)one)->text, ((const fhir_search_canonical_t *)other)->text);
}

void fhir_search_canonical_sort(apr_array_header_t *pieces)
{
    fhir_search_canonical_t *all = (fhir_search_canonical_t *)(void *)pieces->elts;
    int kept = 0;
    int i;
    if (pieces->nelts == 0) {
        return;
    }
    qsort(all, (size_t)pieces->nelts, sizeof(*all), compare_canonical);
    for (i = 1; i < pieces->nelts; i++) {
        if (strcmp(all[kept].text, all[i].text) != 0) {
            all[++kept] = all[i];
        }
    }
    pieces->nelts = kept + 1;
}

/* `read` in the order of `pieces`; the values' canonical texts go to `canonical`. */
static apr_array_header_t *arrange(const apr_array_header_t *read, const apr_array_header_t *pieces,
                                   fhir_text_t *canonical, apr_pool_t *pool)
{
    apr_array_header_t *values = apr_array_make(pool, pieces->nelts, sizeof(fhir_search_value_t));
    int i;
    for (i = 0; i < pieces->nelts; i++) {
        const fhir_search_canonical_t *piece = &APR_ARRAY_IDX(pieces, i, fhir_search_canonical_t);
        APR_ARRAY_PUSH(values, fhir_search_value_t) = APR_ARRAY_IDX(read, piece->index, fhir_search_value_t);
        fhir_text_add(canonical, i > 0 ? "," : "");
        fhir_text_add(canonical, fhir_url_encode(piece->text, pool));
    }
    return values;
}

static fhir_error_t *read_values(apr_array_header_t **values, fhir_text_t *canonical, const apr_array_header_t *texts,
                                 const fhir_search_target_t *target, fhir_search_reader_t *reader)
{
    apr_array_header_t *read = apr_array_make(reader->pool, texts->nelts, sizeof(fhir_search_value_t));
    apr_array_header_t *pieces = apr_array_make(reader->pool, texts->nelts, sizeof(fhir_search_canonical_t));
    int i;
    reader->values += texts->nelts;
    if (reader->values > FHIR_SEARCH_VALUES_MAX) {
        return fhir_error_public(reader->pool, FHIR_ERROR_INVALID,
                                 "The search has over %d values; split it into several.", FHIR_SEARCH_VALUES_MAX);
    }
    for (i = 0; i < texts->nelts; i++) {
        fhir_search_canonical_t *piece = apr_array_push(pieces);
        piece->index = i;
        FHIR_TRY(fhir_search_read_value(apr_array_push(read), &piece->text, APR_ARRAY_IDX(texts, i, const char *),
                                        target, reader));
    }
    fhir_search_canonical_sort(pieces);
    *values = arrange(read, pieces, canonical, reader->pool);
    return NULL;
}

static fhir_error_t *add_criterion(fhir_search_reader_t *reader, const fhir_search_target_t *target,
                                   const apr_array_header_t *texts)
{
    fhir_criterion_t *criterion = apr_array_push(reader->search->criteria);
    fhir_search_canonical_t *piece = apr_array_push(reader->canonical);
    const char *modifier = modifier_name(target->modifier);
    fhir_text_t canonical;
    fhir_text_init(&canonical, reader->pool);
    fhir_text_add(&canonical, fhir_url_encode(target->parameter->name, reader->pool));
    fhir_text_add(&canonical, modifier ? ":" : "");
    fhir_text_add(&canonical, modifier ? modifier : "");
    fhir_text_add(&canonical, "=");
    criterion->name = target->parameter->name;
    criterion->type = target->parameter->type;
    criterion->modifier = target->modifier;
    FHIR_TRY(read_values(&criterion->values, &canonical, texts, target, reader));
    piece->text = canonical.text;
    piece->index = reader->search->criteria->nelts - 1;
    return NULL;
}

static fhir_error_t *read_criterion(fhir_search_reader_t *reader, const fhir_parameter_t *parameter)
{
    apr_size_t length = strcspn(parameter->name, ":");
    fhir_search_target_t target = {NULL, FHIR_MODIFIER_NONE, NULL};
    apr_array_header_t *texts;
    target.parameter =
        fhir_search_find_parameter(reader->search->type, apr_pstrmemdup(reader->pool, parameter->name, length));
    /* Chains (subject:Patient.name) search other resources: not supported. */
    if (!target.parameter || strchr(parameter->name, '.')) {
        return fhir_search_unsupported(reader, parameter->name);
    }
    if (parameter->name[length]) {
        FHIR_TRY(read_modifier(&target, parameter->name + length + 1, reader->pool));
    }
    texts = fhir_search_split(parameter->value, reader->pool);
    if (texts->nelts == 0) {
        return fhir_search_unsupported(reader, apr_pstrcat(reader->pool, parameter->name, "=", NULL));
    }
    return add_criterion(reader, &target, texts);
}

/* Criteria in the order of their canonical texts, none twice. */
static void finish_criteria(fhir_search_reader_t *reader)
{
    apr_array_header_t *sorted = apr_array_make(reader->pool, 4, sizeof(fhir_criterion_t));
    fhir_text_t canonical;
    int i;
    fhir_text_init(&canonical, reader->pool);
    fhir_search_canonical_sort(reader->canonical);
    for (i = 0; i < reader->canonical->nelts; i++) {
        const fhir_search_canonical_t *piece = &APR_ARRAY_IDX(reader->canonical, i, fhir_search_canonical_t);
        fhir_text_add(&canonical, i > 0 ? "&" : "");
        fhir_text_add(&canonical, piece->text);
        APR_ARRAY_PUSH(sorted, fhir_criterion_t) =
            APR_ARRAY_IDX(reader->search->criteria, piece->index, fhir_criterion_t);
    }
    reader->search->criteria = sorted;
    reader->search->canonical = canonical.text;
}

static fhir_search_t *empty_search(const char *type, apr_pool_t *pool)
{
    fhir_search_t *search = apr_pcalloc(pool, sizeof(*search));
    search->type = type;
    search->criteria = apr_array_make(pool, 4, sizeof(fhir_criterion_t));
    search->includes = apr_array_make(pool, 2, sizeof(fhir_include_t));
    search->sort = apr_array_make(pool, 2, sizeof(fhir_sort_key_t));
    search->ignored = apr_array_make(pool, 2, sizeof(const char *));
    search->count = FHIR_SEARCH_COUNT_DEFAULT;
    return search;
}

fhir_error_t *fhir_search_parse(fhir_search_t **search, const char *type, const apr_array_header_t *parameters,
                                int strict, const fhir_addresses_t *addresses, apr_pool_t *pool)
{
    fhir_search_reader_t reader = {0};
    int i;
    reader.search = empty_search(type, pool);
    reader.addresses = addresses;
    reader.pool = pool;
    reader.now = apr_time_now();
    reader.strict = strict;
    reader.canonical = apr_array_make(pool, 4, sizeof(fhir_search_canonical_t));
    for (i = 0; i < parameters->nelts; i++) {
        const fhir_parameter_t *parameter = &APR_ARRAY_IDX(parameters, i, fhir_parameter_t);
        int known;
        FHIR_TRY(fhir_search_read_result(&known, &reader, parameter));
        if (!known) {
            FHIR_TRY(read_criterion(&reader, parameter));
        }
    }
    finish_criteria(&reader);
    /* search.html#count: no matches are wanted, only their number. */
    if (reader.search->count == 0 || reader.search->view.summary == FHIR_SUMMARY_COUNT) {
        reader.search->view.summary = FHIR_SUMMARY_COUNT;
        reader.search->total = FHIR_TOTAL_ACCURATE;
    }
    *search = reader.search;
    return NULL;
}
