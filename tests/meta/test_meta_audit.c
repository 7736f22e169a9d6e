/* The audit trail in PostgreSQL: one chain of many writers, what was done to it is found, retention, searches. */
#include "core/fhir/search.h"
#include "core/meta/audit.h"
#include "meta_test.h"

#define WRITERS 4
#define BATCHES 12
#define BATCH 25

static fhir_audit_event_t *event_for(const char *project, const char *entity, apr_pool_t *in)
{
    fhir_audit_event_t *event = apr_pcalloc(in, sizeof(*event));
    event->recorded = apr_time_now();
    FHIR_ASSERT_OK(fhir_audit_event_id(&event->id, event->recorded, in));
    event->project_id = project;
    event->interaction = "read";
    event->action = "R";
    event->agent_kind = 1;
    event->agent_subject = "\"quoted\\, {braced}";
    event->outcome_text = "\xc3\xa4\xe2\x82\xac\nline";
    event->entity_type = "Binary";
    event->entity_id = entity;
    event->query = "";
    event->status = 200;
    event->bytes_sent = APR_INT64_C(5000000000);
    return event;
}

static fhir_audit_batch_t batch_of(int count, const char *project, apr_pool_t *in)
{
    fhir_audit_batch_t batch = {apr_pcalloc(in, sizeof(fhir_audit_event_t *) * (apr_size_t)count), count, 0};
    for (int i = 0; i < count; i++) {
        batch.events[i] = event_for(project, "b1", in);
    }
    return batch;
}

/* An empty trail, whatever was tried before. */
static void begin(void)
{
    open_meta(WRITERS);
    sql("ALTER TABLE fhir_binary.audit_event DISABLE TRIGGER ALL; TRUNCATE fhir_binary.audit_event; ALTER TABLE "
        "fhir_binary.audit_event ENABLE TRIGGER ALL; DELETE FROM fhir_binary.audit_head; INSERT INTO "
        "fhir_binary.audit_head VALUES (true, 1, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'))");
}

static fhir_audit_check_t verified(void)
{
    fhir_audit_check_t check = {.verified = 0};
    FHIR_ASSERT_OK(fhir_meta_audit_verify(&check, meta, apr_time_from_sec(20), &call));
    return check;
}

static void write_events(int count, const char *project)
{
    fhir_audit_batch_t batch = batch_of(count, project, pool);
    FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &call));
    CU_ASSERT_FALSE(batch.uncertain);
}

static void test_chain(void)
{
    fhir_audit_check_t check;
    begin();
    check = verified();
    CU_ASSERT_PTR_NULL(check.why);
    CU_ASSERT_EQUAL(check.verified, 0);
    write_events(1, NULL);
    write_events(1000, uuid());
    write_events(3, uuid());
    check = verified();
    CU_ASSERT_PTR_NULL(check.why);
    CU_ASSERT_EQUAL(check.verified, 1004);
    CU_ASSERT_EQUAL(check.head.last_sequence, 1004);
}

/* Known bytes: another version of this program must find the same hash. */
static void test_canonical_form(void)
{
    static const unsigned char previous[FHIR_SHA256_LENGTH] = {0};
    unsigned char hash[FHIR_SHA256_LENGTH];
    unsigned char other[FHIR_SHA256_LENGTH];
    fhir_audit_event_t event = {.sequence = 1,
                                .id = "01a1fda4-6611-7cba-ba98-3714e4d48042",
                                .recorded = APR_INT64_C(1795252332119647),
                                .interaction = "read",
                                .action = "R",
                                .source = "node",
                                .detail = "ab",
                                .status = 200};
    open_meta(1);
    FHIR_ASSERT_OK(fhir_audit_chain(hash, previous, &event, pool));
    CU_ASSERT_STRING_EQUAL(fhir_hex_encode(hash, sizeof(hash), pool),
                           "ada112df329a7d6394a7778926b39a3694c04e40ff0ceb92e98d7bbf6a46458d");
    /* The border between two texts, and null and empty, make a difference. */
    event.detail = "a";
    event.request_id = "b";
    FHIR_ASSERT_OK(fhir_audit_chain(other, previous, &event, pool));
    CU_ASSERT_NOT_EQUAL(memcmp(hash, other, sizeof(hash)), 0);
    event.detail = "ab";
    event.request_id = "";
    FHIR_ASSERT_OK(fhir_audit_chain(other, previous, &event, pool));
    CU_ASSERT_NOT_EQUAL(memcmp(hash, other, sizeof(hash)), 0);
    event.request_id = NULL;
    FHIR_ASSERT_OK(fhir_audit_chain(other, previous, &event, pool));
    CU_ASSERT_EQUAL(memcmp(hash, other, sizeof(hash)), 0);
}

static void *APR_THREAD_FUNC write_batches(apr_thread_t *thread, void *baton)
{
    apr_pool_t *own;
    (void)thread;
    (void)baton;
    apr_pool_create(&own, NULL);
    for (int i = 0; i < BATCHES; i++) {
        fhir_call_t mine = call_for(own);
        fhir_audit_batch_t batch = batch_of(BATCH, NULL, own);
        FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &mine));
        for (int at = 1; at < BATCH; at++) {
            CU_ASSERT_EQUAL(batch.events[at]->sequence, batch.events[0]->sequence + at);
        }
    }
    apr_pool_destroy(own);
    return NULL;
}

static void test_concurrent_writers(void)
{
    apr_thread_t *threads[WRITERS];
    fhir_audit_check_t check;
    apr_status_t status;
    begin();
    for (int i = 0; i < WRITERS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, write_batches, NULL, pool), APR_SUCCESS);
    }
    for (int i = 0; i < WRITERS; i++) {
        apr_thread_join(&status, threads[i]);
    }
    check = verified();
    CU_ASSERT_PTR_NULL(check.why);
    CU_ASSERT_EQUAL(check.verified, WRITERS * BATCHES * BATCH);
}

/* The answer to a COMMIT was lost: the same batch again is not written twice. */
static void test_uncertain_commit(void)
{
    fhir_audit_batch_t batch;
    begin();
    batch = batch_of(5, NULL, pool);
    FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &call));
    write_events(2, NULL);
    batch.uncertain = 1;
    FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &call));
    CU_ASSERT_FALSE(batch.uncertain);
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.audit_event"), "7");
    /* One that was not committed after all. */
    batch = batch_of(5, NULL, pool);
    for (int i = 0; i < batch.count; i++) {
        batch.events[i]->sequence = 6 + i;
    }
    batch.uncertain = 1;
    FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &call));
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.audit_event"), "12");
    CU_ASSERT_PTR_NULL(verified().why);
}

/* What the database refuses leaves nothing behind. */
static void test_refused_batch(void)
{
    fhir_audit_batch_t batch;
    begin();
    batch = batch_of(3, NULL, pool);
    batch.events[1]->status = 70000;
    CU_ASSERT_PTR_NOT_NULL(fhir_meta_audit_write(meta, &batch, &call));
    CU_ASSERT_FALSE(batch.uncertain);
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.audit_event"), "0");
    batch.events[1]->status = 200;
    FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &call));
    CU_ASSERT_EQUAL(verified().verified, 3);
}

static void test_tampering(void)
{
    static const struct {
        const char *statement;
        apr_int64_t bad;
    } cases[] = {
        {"UPDATE fhir_binary.audit_event SET outcome = 4 WHERE sequence = 3", 3},
        {"UPDATE fhir_binary.audit_event SET query = NULL WHERE sequence = 1", 1},
        {"UPDATE fhir_binary.audit_event SET hash = decode(repeat('11', 32), 'hex') WHERE sequence = 4", 4},
        {"DELETE FROM fhir_binary.audit_event WHERE sequence = 1", 1},
        {"DELETE FROM fhir_binary.audit_event WHERE sequence = 6", 6},
        {"DELETE FROM fhir_binary.audit_event WHERE sequence = 10", 10},
        {"DELETE FROM fhir_binary.audit_event WHERE sequence > 7", 8},
        {"DELETE FROM fhir_binary.audit_event", 1},
        {"UPDATE fhir_binary.audit_event SET sequence = -sequence WHERE sequence IN (4, 5); UPDATE "
         "fhir_binary.audit_event SET sequence = 9 + sequence WHERE sequence < 0",
         4},
        {"INSERT INTO fhir_binary.audit_event SELECT (json_populate_record(e, '{\\\"sequence\\\": 11}')).* FROM "
         "fhir_binary.audit_event e WHERE sequence = 10",
         11},
        {"INSERT INTO fhir_binary.audit_event SELECT (json_populate_record(e, '{\\\"sequence\\\": 0}')).* FROM "
         "fhir_binary.audit_event e WHERE sequence = 10",
         0},
        {"UPDATE fhir_binary.audit_head SET last_hash = decode(repeat('11', 32), 'hex')", 10},
        {"UPDATE fhir_binary.audit_head SET first_sequence = 3", 3},
        {"UPDATE fhir_binary.audit_head SET last_sequence = 12", 11},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_audit_check_t check;
        begin();
        write_events(10, NULL);
        sql(apr_pstrcat(pool, "ALTER TABLE fhir_binary.audit_event DISABLE TRIGGER ALL; ", cases[i].statement,
                        "; ALTER TABLE fhir_binary.audit_event ENABLE TRIGGER ALL", NULL));
        check = verified();
        CU_ASSERT_PTR_NOT_NULL(check.why);
        CU_ASSERT_EQUAL(check.bad, cases[i].bad);
    }
}

static void test_head_is_gone(void)
{
    fhir_audit_check_t check = {.verified = 0};
    fhir_audit_batch_t batch;
    fhir_error_t *error;
    begin();
    batch = batch_of(1, NULL, pool);
    sql("DELETE FROM fhir_binary.audit_head");
    error = fhir_meta_audit_verify(&check, meta, apr_time_from_sec(20), &call);
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(fhir_meta_audit_write(meta, &batch, &call));
    begin();
}

static void test_prune(void)
{
    fhir_audit_check_t check;
    apr_off_t pruned;
    apr_time_t middle;
    begin();
    write_events(6, NULL);
    apr_sleep(2000);
    middle = apr_time_now();
    write_events(4, NULL);
    FHIR_ASSERT_OK(fhir_meta_audit_prune(&pruned, meta, middle, &call));
    CU_ASSERT_EQUAL(pruned, 6);
    FHIR_ASSERT_OK(fhir_meta_audit_prune(&pruned, meta, middle, &call));
    CU_ASSERT_EQUAL(pruned, 0);
    check = verified();
    CU_ASSERT_PTR_NULL(check.why);
    CU_ASSERT_EQUAL(check.verified, 4);
    CU_ASSERT_EQUAL(check.head.first_sequence, 7);
    sql("ALTER TABLE fhir_binary.audit_event DISABLE TRIGGER ALL; DELETE FROM fhir_binary.audit_event WHERE sequence = "
        "7; ALTER TABLE fhir_binary.audit_event ENABLE TRIGGER ALL");
    CU_ASSERT_EQUAL(verified().bad, 7);
    begin();
    write_events(3, NULL);
    FHIR_ASSERT_OK(fhir_meta_audit_prune(&pruned, meta, apr_time_now() + apr_time_from_sec(1), &call));
    CU_ASSERT_EQUAL(pruned, 3);
    check = verified();
    CU_ASSERT_PTR_NULL(check.why);
    write_events(2, NULL);
    check = verified();
    CU_ASSERT_PTR_NULL(check.why);
    CU_ASSERT_EQUAL(check.verified, 2);
    CU_ASSERT_EQUAL(check.head.last_sequence, 5);
}

static fhir_audit_search_t *search_for(const char *query)
{
    apr_array_header_t *parameters;
    fhir_audit_search_t *search = NULL;
    FHIR_ASSERT_OK(fhir_query_parse(&parameters, query, pool));
    FHIR_ASSERT_OK(fhir_audit_search_parse(&search, parameters, 1, "http://h/", pool));
    return search;
}

static int found(const char *project, const char *query)
{
    apr_array_header_t *events = NULL;
    apr_off_t total = 0;
    FHIR_ASSERT_OK(fhir_meta_audit_search(&events, &total, meta, project, search_for(query), &call));
    return events->nelts;
}

static void test_search(void)
{
    const char *project = uuid();
    apr_array_header_t *events;
    fhir_audit_batch_t batch;
    apr_off_t total;
    begin();
    batch = batch_of(30, project, pool);
    batch.events[3]->entity_id = "b2";
    batch.events[4]->interaction = "login";
    FHIR_ASSERT_OK(fhir_meta_audit_write(meta, &batch, &call));
    write_events(2, uuid());
    CU_ASSERT_EQUAL(found(project, "_count=100"), 30);
    CU_ASSERT_EQUAL(found(NULL, "_count=100"), 32);
    CU_ASSERT_EQUAL(found(uuid(), ""), 0);
    CU_ASSERT_EQUAL(found(project, "entity=Binary/b2"), 1);
    CU_ASSERT_EQUAL(found(project, "entity=Binary/b2,Binary/b1&_count=100"), 30);
    CU_ASSERT_EQUAL(found(project, "type=110114"), 1);
    CU_ASSERT_EQUAL(found(project, "type=rest&_count=100"), 29);
    CU_ASSERT_EQUAL(found(project, apr_pstrcat(pool, "_id=", batch.events[7]->id, ",nonsense", NULL)), 1);
    CU_ASSERT_EQUAL(found(project, "_id=nonsense"), 0);
    CU_ASSERT_EQUAL(found(project, "outcome=0&_count=100"), 30);
    CU_ASSERT_EQUAL(found(project, "date=lt2001"), 0);
    CU_ASSERT_EQUAL(found(project, "address=1"), 0);
    FHIR_ASSERT_OK(
        fhir_meta_audit_search(&events, &total, meta, project, search_for("_count=5&_total=accurate"), &call));
    CU_ASSERT_EQUAL(total, 30);
    CU_ASSERT_EQUAL(events->nelts, 6);
    for (const char *project_or_all = project; project_or_all; project_or_all = NULL) {
        const fhir_audit_event_t *last = NULL;
        int all = 0;
        do {
            fhir_audit_search_t *search = search_for("_count=7");
            search->before = last ? last->recorded : 0;
            search->before_sequence = last ? last->sequence : 0;
            FHIR_ASSERT_OK(fhir_meta_audit_search(&events, &total, meta, project_or_all, search, &call));
            for (int i = 0; i < events->nelts && i < search->count; i++) {
                const fhir_audit_event_t *next = APR_ARRAY_IDX(events, i, const fhir_audit_event_t *);
                CU_ASSERT_TRUE(!last || next->recorded < last->recorded ||
                               (next->recorded == last->recorded && next->sequence < last->sequence));
                last = next;
                all++;
            }
        } while (events->nelts > 7);
        CU_ASSERT_EQUAL(all, 30);
    }
}

static const fhir_unit_test_t tests[] = {{"chain", test_chain},
                                         {"canonical form", test_canonical_form},
                                         {"concurrent writers", test_concurrent_writers},
                                         {"uncertain commit", test_uncertain_commit},
                                         {"refused batch", test_refused_batch},
                                         {"tampering", test_tampering},
                                         {"head is gone", test_head_is_gone},
                                         {"prune", test_prune},
                                         {"search", test_search},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("audit", tests)
