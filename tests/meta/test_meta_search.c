/* Search: the database gives the same answer as the comparison in memory, for any values and criteria; pages. */
#include "chance.h"
#include "resource_test.h"

static const char *project;

static void set_up(void)
{
    open_meta(2);
    project = make_project();
}

/* ---- random resources ---- */

static const char *const systems[] = {"", "http://a", "urn:b", "a:b"};
static const char *const codes[] = {"", "x", "y", "x|y", "\xc3\xa9", "Aa", "aa"};
static const char *const texts[] = {"", "a", "ab", "abc", "b", "\xc3\xa9t\xc3\xa9", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
static const char *const uris[] = {"http://e.org", "http://e.org/", "http://e.org/a", "http://e.org/a/b", "urn:x"};
static const char *const ids[] = {"1", "2", "http://e.org/Patient/1", ""};
static const char *const types[] = {"Patient", "Group", ""};
static const char *const names[] = {"one", "two"};
#define RESOURCES 60

static apr_time_t random_time(void)
{
    int day = chance(12);
    return day == 10 ? FHIR_DATE_MIN : day == 11 ? FHIR_DATE_MAX : day * APR_INT64_C(86400000000);
}

static void random_range(apr_time_t *low, apr_time_t *high)
{
    apr_time_t one = random_time();
    apr_time_t other = chance(2) ? one : random_time();
    *low = one < other ? one : other;
    *high = one < other ? other : one;
}

static void push_random(apr_array_header_t *values, fhir_search_type_t type)
{
    fhir_index_value_t *value = push_value(values, PICK(names), type);
    value->system = type == FHIR_SEARCH_REFERENCE ? PICK(types) : PICK(systems);
    value->code = type == FHIR_SEARCH_URI ? PICK(uris) : type == FHIR_SEARCH_REFERENCE ? PICK(ids) : PICK(codes);
    value->text = type == FHIR_SEARCH_STRING || chance(2) ? PICK(texts) : NULL;
    value->exact = PICK(texts);
    random_range(&value->low, &value->high);
    if (type == FHIR_SEARCH_REFERENCE && chance(2)) {
        value->identifier_value = PICK(codes);
        value->identifier_system = chance(3) ? PICK(systems) : NULL;
    }
}

typedef struct known_t {
    const fhir_resource_t *resource;
    apr_array_header_t *values;
} known_t;

static known_t known[RESOURCES];

static void make_resources(void)
{
    for (int i = 0; i < RESOURCES; i++) {
        fhir_resource_change_t change =
            resource_change(FHIR_CHANGE_CREATE, project, "Observation", apr_psprintf(pool, "o%d", i));
        known[i].values = no_values();
        for (int j = chance(12); j > 0; j--) {
            push_random(known[i].values, (fhir_search_type_t)(FHIR_SEARCH_TOKEN + chance(5)));
        }
        change.index_values = known[i].values;
        FHIR_ASSERT_OK(fhir_meta_resource_commit(&known[i].resource, meta, &change, &call));
    }
}

/* ---- random criteria ---- */

static fhir_search_modifier_t random_modifier(fhir_search_type_t type)
{
    static const fhir_search_modifier_t of_type[][4] = {
        {FHIR_MODIFIER_NONE, FHIR_MODIFIER_NONE, FHIR_MODIFIER_NOT, FHIR_MODIFIER_TEXT},
        {FHIR_MODIFIER_NONE, FHIR_MODIFIER_NONE, FHIR_MODIFIER_EXACT, FHIR_MODIFIER_CONTAINS},
        {FHIR_MODIFIER_NONE, FHIR_MODIFIER_NONE, FHIR_MODIFIER_IDENTIFIER, FHIR_MODIFIER_IDENTIFIER},
        {FHIR_MODIFIER_NONE, FHIR_MODIFIER_NONE, FHIR_MODIFIER_NONE, FHIR_MODIFIER_NONE},
        {FHIR_MODIFIER_NONE, FHIR_MODIFIER_NONE, FHIR_MODIFIER_BELOW, FHIR_MODIFIER_BELOW}};
    return chance(8) ? of_type[type - FHIR_SEARCH_TOKEN][chance(4)] : FHIR_MODIFIER_MISSING;
}

static const char *not_empty(const char *text)
{
    return *text ? text : "a";
}

static void random_value(fhir_search_value_t *value, const fhir_criterion_t *criterion)
{
    int is_pair = criterion->type == FHIR_SEARCH_TOKEN || criterion->modifier == FHIR_MODIFIER_IDENTIFIER;
    memset(value, 0, sizeof(*value));
    value->text = not_empty(PICK(texts));
    value->prefix = (fhir_search_prefix_t)chance(FHIR_PREFIX_AP + 1);
    random_range(&value->low, &value->high);
    if (criterion->modifier == FHIR_MODIFIER_MISSING) {
        value->code = chance(2) ? "true" : "false";
    } else if (is_pair) {
        value->system = chance(2) ? PICK(systems) : NULL;
        value->code = chance(5) ? PICK(codes) : NULL;
    } else if (criterion->type == FHIR_SEARCH_REFERENCE) {
        value->system = chance(2) ? PICK(types) : NULL;
        value->code = not_empty(PICK(ids));
    } else {
        value->code = PICK(uris);
    }
}

static void add_own(fhir_search_t *search)
{
    fhir_criterion_t *criterion = apr_array_push(search->criteria);
    int is_id = chance(2);
    criterion->name = is_id ? "_id" : "_lastUpdated";
    criterion->type = is_id ? FHIR_SEARCH_TOKEN : FHIR_SEARCH_DATE;
    criterion->modifier = !chance(6)           ? FHIR_MODIFIER_MISSING
                          : is_id && chance(2) ? FHIR_MODIFIER_NOT
                                               : FHIR_MODIFIER_NONE;
    criterion->values = apr_array_make(pool, 2, sizeof(fhir_search_value_t));
    for (int i = chance(3); i >= 0; i--) {
        fhir_search_value_t *value = apr_array_push(criterion->values);
        random_value(value, criterion);
        if (criterion->modifier != FHIR_MODIFIER_MISSING) {
            value->code = chance(9) ? apr_psprintf(pool, "o%d", chance(RESOURCES + 2)) : NULL;
            value->low = known[chance(RESOURCES)].resource->last_updated + chance(2);
            value->high = value->low + chance(3000);
        }
    }
}

static void add_random(fhir_search_t *search)
{
    fhir_criterion_t *criterion;
    if (!chance(6)) {
        add_own(search);
        return;
    }
    criterion = apr_array_push(search->criteria);
    criterion->name = PICK(names);
    criterion->type = (fhir_search_type_t)(FHIR_SEARCH_TOKEN + chance(5));
    criterion->modifier = random_modifier(criterion->type);
    criterion->values = apr_array_make(pool, 2, sizeof(fhir_search_value_t));
    for (int i = chance(3); i >= 0; i--) {
        random_value(apr_array_push(criterion->values), criterion);
    }
}

/* ---- comparing ---- */

/* Rows of one name have one type, as with real parameters. */
static apr_array_header_t *values_of_type(const known_t *one, const fhir_search_t *search)
{
    apr_array_header_t *values = no_values();
    for (int i = 0; i < one->values->nelts; i++) {
        const fhir_index_value_t *value = &APR_ARRAY_IDX(one->values, i, fhir_index_value_t);
        for (int j = 0; j < search->criteria->nelts; j++) {
            const fhir_criterion_t *criterion = &APR_ARRAY_IDX(search->criteria, j, fhir_criterion_t);
            if (strcmp(criterion->name, value->name) == 0 && criterion->type == value->type) {
                APR_ARRAY_PUSH(values, fhir_index_value_t) = *value;
                break;
            }
        }
    }
    return values;
}

static int same_name_twice(const fhir_search_t *search)
{
    for (int i = 0; i < search->criteria->nelts; i++) {
        for (int j = 0; j < i; j++) {
            const fhir_criterion_t *one = &APR_ARRAY_IDX(search->criteria, i, fhir_criterion_t);
            const fhir_criterion_t *other = &APR_ARRAY_IDX(search->criteria, j, fhir_criterion_t);
            if (strcmp(one->name, other->name) == 0 && one->type != other->type) {
                return 1;
            }
        }
    }
    return 0;
}

/* Page by page; 0 if something is missing, too much, or in the wrong place. */
static int compare(fhir_search_t *search)
{
    fhir_search_page_t page = {.next = NULL};
    int expected = 0;
    int at = search->ascending ? -1 : RESOURCES;
    int step = search->ascending ? 1 : -1;
    for (int i = 0; i < RESOURCES; i++) {
        expected += fhir_search_matches(search, known[i].resource, values_of_type(&known[i], search));
    }
    call = call_for(pool);
    do {
        fhir_error_t *error = fhir_meta_search(&page, meta, project, search, &call);
        FHIR_ASSERT_OK(error);
        if (error) {
            return 0;
        }
        if (search->total == FHIR_TOTAL_ACCURATE && page.total != expected) {
            return 0;
        }
        for (int i = 0; i < page.matches->nelts; i++) {
            const fhir_resource_t *match = APR_ARRAY_IDX(page.matches, i, const fhir_resource_t *);
            do {
                at += step;
            } while (at >= 0 && at < RESOURCES &&
                     !fhir_search_matches(search, known[at].resource, values_of_type(&known[at], search)));
            if (at < 0 || at >= RESOURCES || strcmp(match->id, known[at].resource->id) != 0 ||
                match->last_updated != known[at].resource->last_updated) {
                return 0;
            }
            expected--;
        }
        search->total = FHIR_TOTAL_NONE;
        search->cursor = page.next;
    } while (page.next);
    return expected == 0;
}

static void same_as_in_memory(void)
{
    int compared = 0;
    set_up();
    for (seed = 1; compared < 1500;) {
        uint32_t began;
        if (compared % 500 == 0) {
            project = make_project();
            make_resources();
        }
        began = seed;
        fhir_search_t search = search_for("Observation");
        for (int i = chance(3); i >= 0; i--) {
            add_random(&search);
        }
        search.count = 1 + chance(40);
        search.ascending = chance(2);
        search.total = chance(2) ? FHIR_TOTAL_ACCURATE : FHIR_TOTAL_NONE;
        if (same_name_twice(&search)) {
            continue;
        }
        compared++;
        if (!compare(&search)) {
            printf("seed %u: the answers differ\n", began);
            CU_FAIL("the answers differ");
            return;
        }
    }
}

/* ---- pages ---- */

static void make_plain(int count, const char *type, const char *body)
{
    for (int i = 0; i < count; i++) {
        fhir_resource_change_t change =
            resource_change(FHIR_CHANGE_CREATE, project, type, apr_psprintf(pool, "p%d", i));
        const fhir_resource_t *made;
        apr_array_header_t *values = no_values();
        push_token(values, "status", "", i % 2 ? "odd" : "even");
        change.index_values = values;
        change.stored = stored_of("", body);
        FHIR_ASSERT_OK(fhir_meta_resource_commit(&made, meta, &change, &call));
    }
}

static const char *found_id(const fhir_search_page_t *page, int place)
{
    return APR_ARRAY_IDX(page->matches, place, const fhir_resource_t *)->id;
}

static void pages(void)
{
    fhir_search_page_t page;
    fhir_search_t search;
    fhir_resource_change_t change;
    const fhir_resource_t *made;
    set_up();
    make_plain(10, "Patient", "\"active\":true");
    make_plain(2, "Group", "\"active\":true");
    search = search_for("Patient");
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL_FATAL(page.matches->nelts, 10);
    CU_ASSERT_STRING_EQUAL(found_id(&page, 0), "p9");
    CU_ASSERT_EQUAL(page.total, 10); /* known for free */
    CU_ASSERT_PTR_NULL(page.next);
    search.count = 10;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_PTR_NULL(page.next);
    search.count = 9;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.matches->nelts, 9);
    CU_ASSERT_EQUAL(page.total, -1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(page.next);
    search.cursor = page.next;
    search.total = FHIR_TOTAL_ESTIMATE;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL_FATAL(page.matches->nelts, 1);
    CU_ASSERT_STRING_EQUAL(found_id(&page, 0), "p0");
    CU_ASSERT_EQUAL(page.total, 10);
    search = search_for("Patient");
    search.offset = 8;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL_FATAL(page.matches->nelts, 2);
    CU_ASSERT_STRING_EQUAL(found_id(&page, 0), "p1");
    CU_ASSERT_EQUAL(page.total, -1);
    search.offset = 100;
    search.total = FHIR_TOTAL_ACCURATE;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.matches->nelts, 0);
    CU_ASSERT_EQUAL(page.total, 10);
    search = search_for("Patient");
    search.count = 0;
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.matches->nelts, 0);
    CU_ASSERT_EQUAL(page.total, 10);
    CU_ASSERT_PTR_NULL(page.next);
    search.count = 5;
    search.view.summary = FHIR_SUMMARY_COUNT;
    add_code(&search, "status", FHIR_SEARCH_TOKEN, "odd");
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.matches->nelts, 0);
    CU_ASSERT_EQUAL(page.total, 5);
    /* deleted ones are not found; an updated one is the newest, with its new values */
    change = resource_change(FHIR_CHANGE_DELETE, project, "Patient", "p9");
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&made, meta, &change, &call));
    change = resource_change(FHIR_CHANGE_UPDATE, project, "Patient", "p1");
    FHIR_ASSERT_OK(fhir_meta_resource_commit(&made, meta, &change, &call));
    search = search_for("Patient");
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL_FATAL(page.matches->nelts, 9);
    CU_ASSERT_STRING_EQUAL(found_id(&page, 0), "p1");
    add_code(&search, "status", FHIR_SEARCH_TOKEN, "odd");
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.matches->nelts, 3);
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, make_project(), &search, &call));
    CU_ASSERT_EQUAL(page.matches->nelts, 0);
    CU_ASSERT_EQUAL(page.total, 0);
}

static void refused(void)
{
    static const char *const wrong[] = {"",
                                        "-",
                                        "1",
                                        "1-",
                                        "-1",
                                        "1-g",
                                        "1-1 ",
                                        "G-1",
                                        "1-1-1",
                                        "ffffffffffffffff-1",
                                        "fffffffffffffff-1",
                                        "1-ffffffffffffffffff",
                                        "\xff"};
    fhir_search_page_t page;
    fhir_search_t search;
    set_up();
    search = search_for("Patient");
    for (int i = 0; i < (int)(sizeof(wrong) / sizeof(wrong[0])); i++) {
        search.cursor = wrong[i];
        FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_meta_search(&page, meta, project, &search, &call));
    }
    search.cursor = "1-1";
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    search.cursor = NULL;
    for (int i = 0; i < 1000; i++) {
        add_criterion(&search, "name", FHIR_SEARCH_STRING, FHIR_MODIFIER_NONE)->text = "a";
    }
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, fhir_meta_search(&page, meta, project, &search, &call));
    /* the connection is as good as before */
    search = search_for("Patient");
    add_code(&search, "status", FHIR_SEARCH_TOKEN, "\xff");
    add_code(&search, "r", FHIR_SEARCH_REFERENCE, "\xff");
    add_code(&search, "u", FHIR_SEARCH_URI, "\xff");
    add_criterion(&search, "u", FHIR_SEARCH_URI, FHIR_MODIFIER_BELOW)->code = "\xff";
    add_criterion(&search, "s", FHIR_SEARCH_STRING, FHIR_MODIFIER_NONE)->text = "\xff";
    add_criterion(&search, "s", FHIR_SEARCH_STRING, FHIR_MODIFIER_CONTAINS)->text = "\xff";
    add_criterion(&search, "s", FHIR_SEARCH_STRING, FHIR_MODIFIER_EXACT)->text = "\xff";
    add_code(&search, "_id", FHIR_SEARCH_TOKEN, "\xff");
    FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
    CU_ASSERT_EQUAL(page.total, 0);
}

static void ends_early(void)
{
    fhir_search_page_t page;
    fhir_search_t search;
    char *large;
    int seen = 0;
    int rounds = 0;
    set_up();
    large = apr_palloc(pool, 12 * 1024 * 1024 + 1);
    memset(large, ' ', 12 * 1024 * 1024);
    large[12 * 1024 * 1024] = '\0';
    make_plain(7, "Patient", large);
    search = search_for("Patient");
    do {
        FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
        CU_ASSERT_TRUE(page.matches->nelts <= 3);
        seen += page.matches->nelts;
        search.cursor = page.next;
    } while (page.next && ++rounds < 10);
    CU_ASSERT_EQUAL(seen, 7);
    CU_ASSERT_EQUAL(rounds, 2);
}

/* A plan for the values is made for searches only, in a transaction too. */
static void connection_as_before(void)
{
    fhir_search_page_t page;
    fhir_search_t search;
    fhir_transaction_t *transaction;
    apr_array_header_t *matches;
    const fhir_resource_t *resource;
    set_up();
    make_plain(3, "Patient", "\"active\":true");
    search = search_for("Patient");
    for (int i = 0; i < 3; i++) {
        FHIR_ASSERT_OK(fhir_meta_search(&page, meta, project, &search, &call));
        CU_ASSERT_EQUAL(page.matches->nelts, 3);
        FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
        FHIR_ASSERT_OK(fhir_transaction_search(&matches, transaction, project, &search, 2));
        CU_ASSERT_EQUAL(matches->nelts, 2);
        FHIR_ASSERT_OK(fhir_transaction_load(&resource, transaction, project, "Patient", "p0"));
        CU_ASSERT_PTR_NOT_NULL(resource);
        FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    }
}

static const fhir_unit_test_t tests[] = {{"the same as in memory", same_as_in_memory},
                                         {"pages", pages},
                                         {"refused", refused},
                                         {"ends early", ends_early},
                                         {"the connection is as before", connection_as_before},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("search", tests)
