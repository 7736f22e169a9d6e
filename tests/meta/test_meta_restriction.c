/* What a searcher may find: the database gives the same answer as the comparison in memory, for any restrictions like
 * those of policies and scopes, in every kind of search. */
#include "chance.h"
#include "resource_test.h"

#define RESOURCES 50
#define CASES 1500

static const char *project;
static int narrowed; /* cases that find something, but not all */

typedef struct known_t {
    const fhir_resource_t *resource;
    apr_array_header_t *values;
} known_t;

static known_t known[RESOURCES];

/* The parameters of policies, each with its one type. */
typedef struct parameter_t {
    const char *name;
    fhir_search_type_t type;
} parameter_t;

static const parameter_t parameters[] = {{"_compartment", FHIR_SEARCH_REFERENCE},
                                         {"_compartment", FHIR_SEARCH_REFERENCE},
                                         {"_tag", FHIR_SEARCH_TOKEN},
                                         {"_security", FHIR_SEARCH_TOKEN},
                                         {"subject", FHIR_SEARCH_REFERENCE},
                                         {"code", FHIR_SEARCH_TOKEN},
                                         {"category", FHIR_SEARCH_TOKEN},
                                         {"date", FHIR_SEARCH_DATE},
                                         {"_profile", FHIR_SEARCH_URI}};
#define PARAMETERS (int)(sizeof(parameters) / sizeof(parameters[0]))

static const char *const types[] = {"Patient", "Patient", "Encounter", "Practitioner"};
static const char *const ids[] = {"1", "2", "3"};
static const char *const systems[] = {"", "http://a", "urn:b"};
static const char *const codes[] = {"x", "y", "x|y", "R,V", "%patient"};
static const char *const uris[] = {"http://p/1", "http://p/2", "http://p/1/a"};

static void random_range(apr_time_t *low, apr_time_t *high)
{
    *low = chance(10) * APR_INT64_C(86400000000);
    *high = *low + chance(4) * APR_INT64_C(86400000000);
}

static void push_random(apr_array_header_t *values)
{
    const parameter_t *parameter = &parameters[chance(PARAMETERS)];
    fhir_index_value_t *value = push_value(values, parameter->name, parameter->type);
    value->system = parameter->type == FHIR_SEARCH_REFERENCE ? PICK(types) : PICK(systems);
    value->code = parameter->type == FHIR_SEARCH_URI         ? PICK(uris)
                  : parameter->type == FHIR_SEARCH_REFERENCE ? PICK(ids)
                                                             : PICK(codes);
    value->text = parameter->type == FHIR_SEARCH_TOKEN && chance(2) ? PICK(codes) : NULL;
    random_range(&value->low, &value->high);
    if (strcmp(parameter->name, "subject") == 0 && chance(2)) {
        value->identifier_system = PICK(systems);
        value->identifier_value = PICK(codes);
    }
}

static void make_resources(void)
{
    project = make_project();
    for (int i = 0; i < RESOURCES; i++) {
        fhir_resource_change_t change =
            resource_change(FHIR_CHANGE_CREATE, project, "Observation", apr_psprintf(pool, "o%d", i));
        known[i].values = no_values();
        for (int j = chance(9); j > 0; j--) {
            push_random(known[i].values);
        }
        change.index_values = known[i].values;
        FHIR_ASSERT_OK(fhir_meta_resource_commit(&known[i].resource, meta, &change, &call));
    }
}

/* ---- random restrictions ---- */

static void random_value(fhir_search_value_t *value, const fhir_criterion_t *criterion)
{
    memset(value, 0, sizeof(*value));
    value->text = PICK(codes);
    value->prefix = (fhir_search_prefix_t)chance(FHIR_PREFIX_AP + 1);
    random_range(&value->low, &value->high);
    if (criterion->modifier == FHIR_MODIFIER_MISSING) {
        value->code = chance(2) ? "true" : "false";
    } else if (criterion->type == FHIR_SEARCH_TOKEN || criterion->modifier == FHIR_MODIFIER_IDENTIFIER) {
        value->system = chance(2) ? PICK(systems) : NULL;
        value->code = chance(6) ? PICK(codes) : NULL;
    } else if (criterion->type == FHIR_SEARCH_REFERENCE) {
        value->system = chance(4) ? PICK(types) : NULL;
        value->code = PICK(ids);
    } else {
        value->code = PICK(uris);
    }
}

static fhir_search_modifier_t random_modifier(const parameter_t *parameter)
{
    if (!chance(7)) {
        return FHIR_MODIFIER_MISSING;
    }
    switch (parameter->type) {
    case FHIR_SEARCH_TOKEN:
        return !chance(4) ? FHIR_MODIFIER_NOT : !chance(9) ? FHIR_MODIFIER_TEXT : FHIR_MODIFIER_NONE;
    case FHIR_SEARCH_URI:
        return chance(2) ? FHIR_MODIFIER_BELOW : FHIR_MODIFIER_NONE;
    case FHIR_SEARCH_REFERENCE:
        return strcmp(parameter->name, "subject") == 0 && !chance(3) ? FHIR_MODIFIER_IDENTIFIER : FHIR_MODIFIER_NONE;
    default:
        return FHIR_MODIFIER_NONE;
    }
}

static void own_criterion(fhir_criterion_t *criterion)
{
    int is_id = chance(3) != 0;
    criterion->name = is_id ? "_id" : "_lastUpdated";
    criterion->type = is_id ? FHIR_SEARCH_TOKEN : FHIR_SEARCH_DATE;
    criterion->modifier = is_id && !chance(4) ? FHIR_MODIFIER_NOT : FHIR_MODIFIER_NONE;
    for (int i = chance(4); i >= 0; i--) {
        fhir_search_value_t *value = apr_array_push(criterion->values);
        random_value(value, criterion);
        value->system = NULL;
        value->code = apr_psprintf(pool, "o%d", chance(RESOURCES + 2));
        value->low = known[chance(RESOURCES)].resource->last_updated + chance(2);
        value->high = value->low + chance(3000);
    }
}

static void add_random(apr_array_header_t *criteria)
{
    fhir_criterion_t *criterion = apr_array_push(criteria);
    const parameter_t *parameter = &parameters[chance(PARAMETERS)];
    criterion->values = apr_array_make(pool, 2, sizeof(fhir_search_value_t));
    if (!chance(6)) {
        own_criterion(criterion);
        return;
    }
    criterion->name = parameter->name;
    criterion->type = parameter->type;
    criterion->modifier = random_modifier(parameter);
    for (int i = chance(3); i >= 0; i--) {
        random_value(apr_array_push(criterion->values), criterion);
    }
}

static apr_array_header_t *random_criteria(int most)
{
    apr_array_header_t *criteria = apr_array_make(pool, 2, sizeof(fhir_criterion_t));
    for (int i = chance(most + 1); i > 0; i--) {
        add_random(criteria);
    }
    return criteria;
}

static const apr_array_header_t *random_restrictions(void)
{
    apr_array_header_t *restrictions = apr_array_make(pool, 2, sizeof(fhir_restriction_t));
    for (int i = chance(3); i >= 0; i--) {
        fhir_restriction_t *restriction = apr_array_push(restrictions);
        restriction->alternatives = apr_array_make(pool, 2, sizeof(const apr_array_header_t *));
        for (int j = chance(20) ? 1 + chance(4) : 0; j > 0; j--) {
            apr_array_header_t *criteria = random_criteria(2);
            if (!criteria->nelts && chance(4)) {
                add_random(criteria);
            }
            APR_ARRAY_PUSH(restriction->alternatives, const apr_array_header_t *) = criteria;
        }
    }
    return restrictions;
}

/* ---- comparing ---- */

static int matches(const fhir_search_t *search, const char *id)
{
    const known_t *one = &known[atoi(id + 1)];
    return fhir_search_matches(search, one->resource, one->values);
}

static int expected_of(const fhir_search_t *search)
{
    int expected = 0;
    for (int i = 0; i < RESOURCES; i++) {
        expected += fhir_search_matches(search, known[i].resource, known[i].values);
    }
    return expected;
}

/* Each match once, and nothing else; 0: not so. */
static int same_pages(fhir_search_t search, int expected)
{
    char seen[RESOURCES] = {0};
    fhir_search_page_t page;
    int rounds = 0;
    int found = 0;
    do {
        fhir_error_t *error = fhir_meta_search(&page, meta, project, &search, &call);
        FHIR_ASSERT_OK(error);
        if (error || (page.total >= 0 && page.total != expected) || ++rounds > RESOURCES + 1) {
            return 0;
        }
        for (int i = 0; i < page.matches->nelts; i++) {
            const char *id = APR_ARRAY_IDX(page.matches, i, const fhir_resource_t *)->id;
            if (!matches(&search, id) || seen[atoi(id + 1)]++) {
                return 0;
            }
            found++;
        }
        search.total = FHIR_TOTAL_NONE;
        search.cursor = page.next;
    } while (page.next);
    return found == expected;
}

static int same_total(fhir_search_t search, int expected)
{
    fhir_search_page_t page;
    search.view.summary = FHIR_SUMMARY_COUNT;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    return page.total == expected;
}

static int same_in_transaction(const fhir_search_t *search, int expected)
{
    fhir_transaction_t *transaction;
    apr_array_header_t *found = NULL;
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(fhir_transaction_search(&found, transaction, project, search, RESOURCES));
    fhir_transaction_rollback(transaction);
    return found && found->nelts == expected;
}

static void random_order(fhir_search_t *search)
{
    fhir_sort_key_t key = {.descending = chance(2)};
    const parameter_t *parameter = &parameters[chance(PARAMETERS)];
    search->ascending = chance(2);
    if (!chance(3)) {
        key.name = parameter->name;
        key.type = parameter->type;
        search->sort = apr_array_make(pool, 1, sizeof(fhir_sort_key_t));
        APR_ARRAY_PUSH(search->sort, fhir_sort_key_t) = key;
    }
}

static int compare(void)
{
    fhir_search_t search = search_for("Observation");
    int expected;
    search.criteria = random_criteria(2);
    search.restrictions = random_restrictions();
    search.count = 1 + chance(40);
    search.total = chance(2) ? FHIR_TOTAL_ACCURATE : FHIR_TOTAL_NONE;
    random_order(&search);
    call = call_for(pool);
    expected = expected_of(&search);
    narrowed += expected > 0 && expected < RESOURCES;
    return same_pages(search, expected) && (chance(4) || same_total(search, expected)) &&
           (chance(8) || same_in_transaction(&search, expected));
}

static void same_as_in_memory(void)
{
    open_meta(2);
    seed = 1;
    for (int i = 0; i < CASES; i++) {
        uint32_t began;
        if (i % 500 == 0) {
            make_resources();
        }
        began = seed;
        if (!compare()) {
            printf("case %d, seed %u: the answers differ\n", i, began);
            CU_FAIL("the answers differ");
            return;
        }
    }
    CU_ASSERT_TRUE(narrowed > CASES / 3);
}

/* ---- the edges ---- */

static void edges(void)
{
    fhir_search_t search;
    fhir_search_page_t page;
    apr_array_header_t *restrictions;
    fhir_restriction_t *restriction;
    open_meta(2);
    seed = 7;
    make_resources();
    search = search_for("Observation");
    search.count = 1000;
    search.total = FHIR_TOTAL_ACCURATE;
    restrictions = apr_array_make(pool, 2, sizeof(fhir_restriction_t));
    search.restrictions = restrictions;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.total, RESOURCES);
    restriction = apr_array_push(restrictions);
    restriction->alternatives = apr_array_make(pool, 2, sizeof(const apr_array_header_t *));
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.total, 0);
    CU_ASSERT_EQUAL(page.matches->nelts, 0);
    /* an alternative without criteria holds always */
    APR_ARRAY_PUSH(restriction->alternatives, const apr_array_header_t *) =
        apr_array_make(pool, 1, sizeof(fhir_criterion_t));
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.total, RESOURCES);
    /* more alternatives than are looked for one by one */
    restriction->alternatives->nelts = 0;
    for (int i = 0; i < 40; i++) {
        fhir_search_t one = search_for("Observation");
        add_code(&one, "_id", FHIR_SEARCH_TOKEN, apr_psprintf(pool, "o%d", i));
        APR_ARRAY_PUSH(restriction->alternatives, const apr_array_header_t *) = one.criteria;
    }
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.total, 40);
    CU_ASSERT_EQUAL(page.matches->nelts, 40);
    /* text that the database can't hold fits nothing */
    restriction->alternatives->nelts = 1;
    APR_ARRAY_IDX(
        APR_ARRAY_IDX(APR_ARRAY_IDX(restriction->alternatives, 0, const apr_array_header_t *), 0, fhir_criterion_t)
            .values,
        0, fhir_search_value_t)
        .code = "\xff";
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.total, 0);
}

static const fhir_unit_test_t tests[] = {{"the same as in memory", same_as_in_memory}, {"edges", edges}, {NULL, NULL}};

FHIR_UNIT_MAIN("restriction", tests)
