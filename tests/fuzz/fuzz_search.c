/* Searches: the first byte chooses a type, a line end separates the query from a resource that is matched with it. */
#include "core/fhir/search_private.h"
#include "fuzz.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};
static const char *const TYPES[] = {
    "Patient", "Observation", "DocumentReference", "QuestionnaireResponse", "Library", "Encounter", "Media", "Basic"};

static fhir_search_t *parse(const char *type, const char *query, int strict, apr_pool_t *pool)
{
    apr_array_header_t *parameters = NULL;
    fhir_search_t *search = NULL;
    if (fhir_query_parse(&parameters, query, pool) ||
        fhir_search_parse(&search, type, parameters, strict, &ADDRESSES, pool)) {
        return NULL;
    }
    return search;
}

static void check_value(const fhir_criterion_t *criterion, const fhir_search_value_t *value)
{
    if (criterion->modifier == FHIR_MODIFIER_MISSING) {
        FUZZ_CHECK(strcmp(value->code, "true") == 0 || strcmp(value->code, "false") == 0);
    } else if (criterion->type == FHIR_SEARCH_STRING || criterion->modifier == FHIR_MODIFIER_TEXT) {
        FUZZ_CHECK(*value->text && strlen(value->text) <= FHIR_INDEX_TEXT_MAX);
        FUZZ_CHECK(fhir_utf8_valid(value->text, strlen(value->text)));
    } else if (criterion->type == FHIR_SEARCH_DATE) {
        FUZZ_CHECK(value->low <= value->high && value->low >= FHIR_DATE_MIN && value->high <= FHIR_DATE_MAX);
    } else {
        FUZZ_CHECK(value->code || (value->system && *value->system));
        FUZZ_CHECK(criterion->type == FHIR_SEARCH_TOKEN || criterion->modifier == FHIR_MODIFIER_IDENTIFIER ||
                   *value->code);
        FUZZ_CHECK(!value->code || strlen(value->code) <= FHIR_INDEX_TEXT_MAX);
    }
}

static void check_search(const fhir_search_t *search)
{
    int i;
    int j;
    FUZZ_CHECK(search->count >= 0 && search->count <= FHIR_SEARCH_COUNT_MAX);
    FUZZ_CHECK(search->offset >= 0 && search->offset <= FHIR_SEARCH_OFFSET_MAX);
    FUZZ_CHECK(search->includes->nelts <= FHIR_SEARCH_INCLUDES_MAX);
    for (i = 0; i < search->criteria->nelts; i++) {
        const fhir_criterion_t *criterion = &APR_ARRAY_IDX(search->criteria, i, fhir_criterion_t);
        FUZZ_CHECK(criterion->values->nelts > 0);
        for (j = 0; j < criterion->values->nelts; j++) {
            check_value(criterion, &APR_ARRAY_IDX(criterion->values, j, fhir_search_value_t));
        }
    }
}

/* Both find the resource or neither does. */
static void check_matches(const fhir_search_t *one, const fhir_search_t *other, const char *json, apr_pool_t *pool)
{
    fhir_store_resource_t stored = {0};
    fhir_resource_t resource = {0};
    apr_array_header_t *values;
    if (fhir_json_parse(&stored.document, json, strlen(json), &fhir_json_resource_limits, pool)) {
        return;
    }
    resource.id = "1";
    stored.meta = "\"tag\":[{\"code\":\"a\"}]";
    values = fhir_search_index(one->type, resource.id, &stored, &ADDRESSES, pool);
    FUZZ_CHECK(fhir_search_matches(one, &resource, values) == fhir_search_matches(other, &resource, values));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    const char *type = TYPES[size > 0 ? data[0] % 8 : 0];
    char *query = fuzz_text(size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
    char *json = strchr(query, '\n');
    fhir_search_t *search;
    if (json) {
        *json++ = '\0';
    }
    search = parse(type, query, 0, pool);
    if (search) {
        fhir_search_t *again = parse(type, search->canonical, 1, pool);
        check_search(search);
        FUZZ_CHECK(again && strcmp(again->canonical, search->canonical) == 0);
        FUZZ_CHECK(again->criteria->nelts == search->criteria->nelts);
        check_matches(search, again, json ? json : "{}", pool);
    }
    free(query);
    apr_pool_destroy(pool);
    return 0;
}
