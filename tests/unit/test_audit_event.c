/* core/fhir/audit_event*.c, audit_search.c: bounds, copies, the resource, the line, queries. */
#include "core/base/principal.h"
#include "core/fhir/audit_event.h"
#include "core/fhir/json_document.h"

#include "unit.h"

static fhir_audit_event_t sample(void)
{
    fhir_audit_event_t event = {.sequence = 7,
                                .id = "01a1fda4-6611-7cba-ba98-3714e4d48042",
                                .project_id = "11111111-1111-4111-8111-111111111111",
                                .recorded = APR_INT64_C(1795252332119647),
                                .interaction = "read",
                                .action = "R",
                                .agent_kind = FHIR_PRINCIPAL_CLIENT,
                                .agent_subject = "22222222-2222-4222-8222-222222222222",
                                .agent_profile = "Practitioner/1",
                                .membership_id = "33333333-3333-4333-8333-333333333333",
                                .address = "192.0.2.1",
                                .source = "node1",
                                .entity_type = "Binary",
                                .entity_id = "b1",
                                .entity_version = "v1",
                                .context = "Patient/\"1\"",
                                .request_id = "r1",
                                .status = 200,
                                .bytes_sent = 4711};
    return event;
}

static const fhir_json_document_t *document_of(const char *text)
{
    const fhir_json_document_t *document = NULL;
    FHIR_ASSERT_OK(fhir_json_parse(&document, text, strlen(text), &fhir_json_resource_limits, pool));
    return document;
}

/* `a.b.0.c`: a number is a place in a list. */
static const char *at(const fhir_json_document_t *document, const char *path)
{
    int node = 0;
    char *rest = NULL;
    char *word = apr_strtok(apr_pstrdup(pool, path), ".", &rest);
    for (; word && node >= 0; word = apr_strtok(NULL, ".", &rest)) {
        if (*word >= '0' && *word <= '9') {
            int place = atoi(word);
            for (node = fhir_json_first(document, node); place > 0 && node >= 0; place--) {
                node = document->nodes[node].next;
            }
        } else {
            node = fhir_json_member(document, node, word);
        }
    }
    return node < 0 ? NULL : fhir_json_string(document, node, pool);
}

static const fhir_json_document_t *rendered(const fhir_audit_event_t *event)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_audit_event_render(&json, event);
    return document_of(json.text);
}

static void test_resource(void)
{
    fhir_audit_event_t event = sample();
    const fhir_json_document_t *json = rendered(&event);
    CU_ASSERT_STRING_EQUAL(at(json, "resourceType"), "AuditEvent");
    CU_ASSERT_STRING_EQUAL(at(json, "type.code"), "rest");
    CU_ASSERT_STRING_EQUAL(at(json, "subtype.0.system"), "http://hl7.org/fhir/restful-interaction");
    CU_ASSERT_STRING_EQUAL(at(json, "subtype.0.code"), "read");
    CU_ASSERT_STRING_EQUAL(at(json, "action"), "R");
    CU_ASSERT_STRING_EQUAL(at(json, "recorded"), "2026-11-21T09:12:12.119647Z");
    CU_ASSERT_STRING_EQUAL(at(json, "outcome"), "0");
    CU_ASSERT_PTR_NULL(at(json, "outcomeDesc"));
    CU_ASSERT_STRING_EQUAL(at(json, "agent.0.who.reference"), "Practitioner/1");
    CU_ASSERT_STRING_EQUAL(at(json, "agent.0.who.identifier.value"), "urn:uuid:22222222-2222-4222-8222-222222222222");
    CU_ASSERT_STRING_EQUAL(at(json, "agent.0.altId"), event.membership_id);
    CU_ASSERT_STRING_EQUAL(at(json, "agent.0.network.address"), "192.0.2.1");
    CU_ASSERT_STRING_EQUAL(at(json, "agent.0.network.type"), "2");
    CU_ASSERT_STRING_EQUAL(at(json, "source.observer.display"), "node1");
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.what.reference"), "Binary/b1/_history/v1");
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.role.code"), "4");
    CU_ASSERT_PTR_NULL(at(json, "entity.0.query"));
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.detail.0.type"), "securityContext");
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.detail.0.valueString"), "Patient/\"1\"");
}

static void test_resource_of_a_search(void)
{
    fhir_audit_event_t event = sample();
    const fhir_json_document_t *json;
    event.entity_id = event.entity_version = event.agent_profile = event.membership_id = event.address = NULL;
    event.agent_kind = FHIR_PRINCIPAL_ISSUER;
    event.agent_issuer = "https://issuer.example";
    event.agent_subject = "u1";
    event.interaction = "search-type";
    event.query = "a=b";
    event.outcome = 4;
    event.outcome_text = "No.";
    json = rendered(&event);
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.query"), "YT1i");
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.role.code"), "24");
    CU_ASSERT_PTR_NULL(at(json, "entity.0.name"));
    CU_ASSERT_PTR_NULL(at(json, "entity.0.what.reference"));
    CU_ASSERT_STRING_EQUAL(at(json, "outcomeDesc"), "No.");
    CU_ASSERT_STRING_EQUAL(at(json, "agent.0.who.identifier.system"), "https://issuer.example");
    CU_ASSERT_STRING_EQUAL(at(json, "agent.0.who.identifier.value"), "u1");
    CU_ASSERT_PTR_NULL(at(json, "agent.0.network.address"));
    event.query = "";
    json = rendered(&event);
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.role.code"), "24");
    CU_ASSERT_STRING_EQUAL(at(json, "entity.0.name"), "Binary");
    CU_ASSERT_PTR_NULL(at(json, "entity.0.query"));
    event.interaction = "login";
    event.agent_subject = NULL;
    json = rendered(&event);
    CU_ASSERT_STRING_EQUAL(at(json, "type.code"), "110114");
    CU_ASSERT_STRING_EQUAL(at(json, "subtype.0.code"), "110122");
    CU_ASSERT_PTR_NULL(at(json, "agent.0.who.identifier.value"));
}

static void test_line(void)
{
    fhir_audit_event_t event = sample();
    const fhir_json_document_t *json;
    fhir_text_t line;
    memset(event.hash, 0xab, sizeof(event.hash));
    fhir_text_init(&line, pool);
    event.detail = "two\nlines";
    fhir_audit_event_line(&line, &event);
    CU_ASSERT_EQUAL(line.text[line.length - 1], '\n');
    CU_ASSERT_EQUAL(strcspn(line.text, "\n"), line.length - 1);
    json = document_of(apr_pstrmemdup(pool, line.text, line.length - 1));
    CU_ASSERT_EQUAL(strlen(at(json, "hash")), 64);
    CU_ASSERT_STRING_EQUAL(at(json, "recorded"), "2026-11-21T09:12:12.119647Z");
    CU_ASSERT_STRING_EQUAL(at(json, "detail"), "two\nlines");
    CU_ASSERT_PTR_NULL(at(json, "query"));
}

static void test_ids(void)
{
    const char *id = NULL;
    apr_time_t low;
    apr_time_t high;
    FHIR_ASSERT_OK(fhir_audit_event_id(&id, APR_INT64_C(1795252332119647), pool));
    CU_ASSERT_TRUE(fhir_is_uuid(id));
    CU_ASSERT_EQUAL(id[14], '7');
    CU_ASSERT_TRUE(fhir_audit_event_time(&low, &high, id));
    CU_ASSERT_EQUAL(low, APR_INT64_C(1795252332119000));
    CU_ASSERT_EQUAL(high, APR_INT64_C(1795252332119999));
    CU_ASSERT_FALSE(fhir_audit_event_time(&low, &high, "33333333-3333-4333-8333-333333333333"));
    CU_ASSERT_FALSE(fhir_audit_event_time(&low, &high, "never"));
    CU_ASSERT_FALSE(fhir_audit_event_time(&low, &high, ""));
}

static void test_clean(void)
{
    fhir_audit_event_t event = sample();
    char text[FHIR_AUDIT_TEXT_MAX + 3];
    memset(text, 'a', sizeof(text));
    memcpy(text + FHIR_AUDIT_TEXT_MAX - 1, "\xc3\xa4x", 4); /* a character over the bound */
    event.detail = text;
    event.query = "bad \xff byte";
    event.project_id = "no uuid";
    event.membership_id = "ABCDEF33-3333-4333-8333-333333333333";
    fhir_audit_event_clean(&event, pool);
    CU_ASSERT_EQUAL(strlen(event.detail), FHIR_AUDIT_TEXT_MAX - 1);
    CU_ASSERT_STRING_EQUAL(event.query, "bad ? byte");
    CU_ASSERT_PTR_NULL(event.project_id);
    CU_ASSERT_STRING_EQUAL(event.membership_id, "abcdef33-3333-4333-8333-333333333333");
    CU_ASSERT_STRING_EQUAL(event.entity_id, "b1");
}

static void test_copy(void)
{
    fhir_audit_event_t event = sample();
    fhir_audit_event_t *copy = fhir_audit_event_copy(&event);
    const fhir_audit_field_t *field;
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    for (field = fhir_audit_fields; field->name; field++) {
        const char *before = fhir_audit_text(&event, field);
        const char *after = fhir_audit_text(copy, field);
        CU_ASSERT_TRUE(before ? after && after != before && strcmp(before, after) == 0 : !after);
        CU_ASSERT_EQUAL(fhir_audit_number(&event, field), fhir_audit_number(copy, field));
    }
    free(copy);
}

/* ---- queries ---- */

static fhir_error_t *parse(fhir_audit_search_t **search, const char *query, int strict)
{
    apr_array_header_t *parameters;
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    return fhir_audit_search_parse(search, parameters, strict, "https://h/fhir/R4/", pool);
}

static fhir_audit_search_t *parsed(const char *query)
{
    fhir_audit_search_t *search = NULL;
    FHIR_ASSERT_OK(parse(&search, query, 0));
    return search;
}

static void test_dates(void)
{
    static const struct {
        const char *query;
        apr_time_t low; /* seconds of 2026-01-01; 0: open */
        apr_time_t high;
    } cases[] = {{"date=2026-01-01", 1, 86400},
                 {"date=eq2026-01-01", 1, 86400},
                 {"date=ge2026-01-01", 1, 0},
                 {"date=gt2026-01-01", 86401, 0},
                 {"date=sa2026-01-01", 86401, 0},
                 {"date=le2026-01-01", 0, 86400},
                 {"_lastUpdated=lt2026-01-01T00:01", 0, 60},
                 {"date=ge2026-01-01&date=lt2026-01-02", 1, 86400}};
    const apr_time_t day = APR_INT64_C(1767225600000000);
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_audit_search_t *search = parsed(cases[i].query);
        fhir_audit_search_t *open = parsed("");
        apr_time_t low = cases[i].low ? day + (cases[i].low - 1) * APR_USEC_PER_SEC : open->low;
        apr_time_t high = cases[i].high ? day + cases[i].high * APR_USEC_PER_SEC - 1 : open->high;
        CU_ASSERT_EQUAL(search->low, low);
        CU_ASSERT_EQUAL(search->high, high);
    }
}

static void test_lists(void)
{
    fhir_audit_search_t *search =
        parsed("entity=Binary/1,https://h/fhir/R4/Patient/2&action=R&action=R,C&outcome=http://x|4"
               "&subtype=110122&altid=m1&type=rest&_count=5000&_cursor=12-3&_sort=-date&_total=accurate");
    CU_ASSERT_EQUAL(search->entities->nelts, 2);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(search->entities, 1, const char *), "Patient/2");
    CU_ASSERT_EQUAL(search->actions->nelts, 1);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(search->outcomes, 0, const char *), "4");
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(search->interactions, 0, const char *), "login");
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(search->members, 0, const char *), "m1");
    CU_ASSERT_EQUAL(search->login, 2);
    CU_ASSERT_EQUAL(search->count, FHIR_AUDIT_COUNT_MAX);
    CU_ASSERT_EQUAL(search->before, 12);
    CU_ASSERT_EQUAL(search->before_sequence, 3);
    CU_ASSERT_TRUE(search->totals);
    CU_ASSERT_EQUAL(search->ignored->nelts, 0);
    CU_ASSERT_STRING_EQUAL(parsed("entity=Binary/1&_count=3&x=1")->canonical, "&entity=Binary%2F1");
    CU_ASSERT_EQUAL(parsed("x=1&_sort=entity")->ignored->nelts, 2);
    CU_ASSERT_EQUAL(parsed("type=rest&type=110114")->login, 3);
    CU_ASSERT_EQUAL(parsed("type=rest,110114")->login, 0);
    CU_ASSERT_EQUAL(parsed("")->count, FHIR_AUDIT_COUNT_DEFAULT);
    CU_ASSERT_TRUE(parsed("_count=0")->totals);
}

static void test_bad_queries(void)
{
    static const char *const queries[] = {"date=soon",         "date=2026-13", "date=2026,2027",
                                          "entity=Binary",     "entity=No/1",  "entity=Binary/1/_history/2",
                                          "entity=",           "outcome=good", "_count=-1",
                                          "_count=1&_count=2", "_cursor=1",    "_cursor=1-2x",
                                          "_cursor=-1-2",      "action=",      "agent=x"};
    fhir_audit_search_t *search;
    fhir_text_t many;
    size_t i;
    int value;
    for (i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
        fhir_error_t *error = parse(&search, queries[i], 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    }
    CU_ASSERT_PTR_NOT_NULL(parse(&search, "x=1", 1));
    fhir_text_init(&many, pool);
    fhir_text_add(&many, "address=1");
    for (value = 0; value < FHIR_AUDIT_VALUES_MAX; value++) {
        fhir_text_add(&many, ",1");
    }
    CU_ASSERT_PTR_NOT_NULL(parse(&search, many.text, 0));
}

static const fhir_unit_test_t tests[] = {{"resource", test_resource},
                                         {"resource of a search", test_resource_of_a_search},
                                         {"line", test_line},
                                         {"ids", test_ids},
                                         {"clean", test_clean},
                                         {"copy", test_copy},
                                         {"dates", test_dates},
                                         {"lists", test_lists},
                                         {"bad queries", test_bad_queries},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("audit_event", tests)
