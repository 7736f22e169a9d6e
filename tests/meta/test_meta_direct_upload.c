/* Uploads that went to an object store directly: registered, claimed by one, completed or given up, never lost. */
#include "core/meta/direct_upload.h"
#include "core/meta/object_copy.h"
#include "meta_test.h"

#define LEASE apr_time_from_sec(60)
#define NOW ((apr_interval_time_t)-1)
#define LATER apr_time_from_sec(3600)

/* Each test has the queue for itself. */
static fhir_direct_upload_t *begin(apr_interval_time_t look_after)
{
    fhir_direct_upload_t *upload = apr_pcalloc(pool, sizeof(*upload));
    open_meta(4);
    sql("DELETE FROM fhir_binary.direct_upload");
    upload->version_id = uuid();
    upload->project_id = make_project();
    upload->membership_id = uuid();
    upload->key_id = "key-1";
    upload->binary_id = "b.1";
    upload->content_type = "image/png";
    FHIR_ASSERT_OK(fhir_random_hex(&upload->object_key, 16, pool));
    upload->store = "bucket";
    upload->locator = apr_pstrcat(pool, "ab/cd/", upload->object_key, NULL);
    upload->expires = apr_time_from_sec(2000000000);
    FHIR_ASSERT_OK(fhir_meta_direct_register(meta, upload, look_after, &call));
    return upload;
}

static const fhir_direct_upload_t *claim_of(const char *store)
{
    apr_array_header_t *stores = apr_array_make(pool, 2, sizeof(const char *));
    const fhir_direct_upload_t *upload;
    APR_ARRAY_PUSH(stores, const char *) = "other {\"}";
    APR_ARRAY_PUSH(stores, const char *) = store;
    FHIR_ASSERT_OK(fhir_meta_direct_claim(&upload, meta, stores, LEASE, &call));
    return upload;
}

static const fhir_direct_upload_t *claim(void)
{
    return claim_of("bucket");
}

static const fhir_direct_upload_t *claim_one(void)
{
    const fhir_direct_upload_t *upload = claim();
    CU_ASSERT_PTR_NOT_NULL_FATAL(upload);
    return upload;
}

static const fhir_direct_upload_t *claim_version(int *awaited, const fhir_direct_upload_t *upload)
{
    const fhir_direct_upload_t *claimed;
    FHIR_ASSERT_OK(
        fhir_meta_direct_claim_version(&claimed, awaited, meta, upload->binary_id, upload->version_id, LEASE, &call));
    return claimed;
}

static void wait_long(void)
{
    sql("UPDATE fhir_binary.direct_upload SET due_at = clock_timestamp() - interval '1 second'");
}

static const char *count_of(const char *table)
{
    return sql(apr_pstrcat(pool, "SELECT count(*) FROM fhir_binary.", table, NULL));
}

static const char *pending(const fhir_direct_upload_t *upload)
{
    return sql(apr_psprintf(pool,
                            "SELECT count(*) FROM fhir_binary.object WHERE object_key = '%s' AND committed_at IS NULL",
                            upload->object_key));
}

/* The object becomes a version, as by fhir_meta_commit. */
static fhir_error_t *commit(const fhir_direct_upload_t *upload)
{
    fhir_version_change_t change = change_of(FHIR_CHANGE_CREATE, upload->project_id, upload->binary_id);
    fhir_content_t content = {0};
    const fhir_binary_t *binary;
    change.version_id = upload->version_id;
    content.object_key = upload->object_key;
    content.store = upload->store;
    content.locator = upload->locator;
    content.size = 3;
    change.content = &content;
    return fhir_meta_commit(&binary, meta, &change, &call);
}

static void registered(void)
{
    const fhir_direct_upload_t *made = begin(NOW);
    const fhir_direct_upload_t *found;
    CU_ASSERT_STRING_EQUAL(pending(made), "1");
    CU_ASSERT_PTR_NULL(claim_of("tape"));
    found = claim_one();
    CU_ASSERT_STRING_EQUAL(found->version_id, made->version_id);
    CU_ASSERT_STRING_EQUAL(found->project_id, made->project_id);
    CU_ASSERT_STRING_EQUAL(found->membership_id, made->membership_id);
    CU_ASSERT_STRING_EQUAL(found->key_id, "key-1");
    CU_ASSERT_STRING_EQUAL(found->binary_id, "b.1");
    CU_ASSERT_STRING_EQUAL(found->content_type, "image/png");
    CU_ASSERT_STRING_EQUAL(found->object_key, made->object_key);
    CU_ASSERT_STRING_EQUAL(found->store, "bucket");
    CU_ASSERT_STRING_EQUAL(found->locator, made->locator);
    CU_ASSERT_EQUAL(found->expires, made->expires);
    CU_ASSERT(found->created > apr_time_now() - apr_time_from_sec(60));
    CU_ASSERT_EQUAL(found->given_up, 0);
    CU_ASSERT_EQUAL(found->attempts, 1);
    CU_ASSERT_PTR_NULL(claim()); /* one at a time */
}

static void not_before_its_time(void)
{
    const fhir_direct_upload_t *made = begin(LATER);
    int awaited;
    CU_ASSERT_PTR_NULL(claim());
    CU_ASSERT_PTR_NOT_NULL(claim_version(&awaited, made)); /* the client may call at once */
}

/* Both rows or none: a key that is taken makes neither. */
static void both_rows_or_none(void)
{
    fhir_direct_upload_t *made = begin(NOW);
    const char *objects = count_of("object");
    fhir_error_t *error;
    made->version_id = uuid();
    error = fhir_meta_direct_register(meta, made, LATER, &call);
    CU_ASSERT_PTR_NOT_NULL(error);
    CU_ASSERT_STRING_EQUAL(count_of("object"), objects);
    CU_ASSERT_STRING_EQUAL(count_of("direct_upload"), "1");
    made = apr_pmemdup(pool, made, sizeof(*made));
    made->version_id = sql("SELECT version_id FROM fhir_binary.direct_upload");
    FHIR_ASSERT_OK(fhir_random_hex(&made->object_key, 16, pool));
    made->locator = "x";
    error = fhir_meta_direct_register(meta, made, LATER, &call);
    CU_ASSERT_PTR_NOT_NULL(error);
    CU_ASSERT_STRING_EQUAL(count_of("object"), objects);
}

static void by_version(void)
{
    const fhir_direct_upload_t *made = begin(LATER);
    fhir_direct_upload_t other = *made;
    int awaited = 7;
    other.binary_id = "b.2";
    CU_ASSERT_PTR_NULL(claim_version(&awaited, &other));
    CU_ASSERT_EQUAL(awaited, 0);
    other = *made;
    other.version_id = uuid();
    CU_ASSERT_PTR_NULL(claim_version(&awaited, &other));
    other.version_id = "1";
    CU_ASSERT_PTR_NULL(claim_version(&awaited, &other));
    CU_ASSERT_EQUAL(awaited, 0);
    CU_ASSERT_PTR_NOT_NULL(claim_version(&awaited, made));
    CU_ASSERT_EQUAL(awaited, 0);
    CU_ASSERT_PTR_NULL(claim_version(&awaited, made)); /* somebody is at it */
    CU_ASSERT_EQUAL(awaited, 1);
    CU_ASSERT_PTR_NULL(claim());
    wait_long(); /* ... and died */
    CU_ASSERT_PTR_NOT_NULL(claim_version(&awaited, made));
}

static void leases(void)
{
    const fhir_direct_upload_t *first;
    const fhir_direct_upload_t *second;
    int held;
    int last;
    begin(NOW);
    first = claim_one();
    FHIR_ASSERT_OK(fhir_meta_direct_renew(&held, meta, first, LEASE, &call));
    CU_ASSERT_EQUAL(held, 1);
    wait_long();
    second = claim_one();
    CU_ASSERT_EQUAL(second->attempts, 2);
    FHIR_ASSERT_OK(fhir_meta_direct_renew(&held, meta, first, LEASE, &call));
    CU_ASSERT_EQUAL(held, 0);
    /* Who has lost it changes nothing. */
    FHIR_ASSERT_OK(fhir_meta_direct_finish(meta, first, &call));
    FHIR_ASSERT_OK(fhir_meta_direct_release(meta, first, 0, &call));
    FHIR_ASSERT_OK(fhir_meta_direct_fail(&last, meta, first, &call));
    FHIR_ASSERT_OK(fhir_meta_direct_give_up(&held, meta, first, &call));
    CU_ASSERT_EQUAL(held, 0);
    CU_ASSERT_STRING_EQUAL(pending(first), "1");
    FHIR_ASSERT_OK(fhir_meta_direct_renew(&held, meta, second, LEASE, &call));
    CU_ASSERT_EQUAL(held, 1);
    FHIR_ASSERT_OK(fhir_meta_direct_release(meta, second, NOW, &call));
    CU_ASSERT_EQUAL(claim_one()->attempts, 2); /* a look is no attempt */
}

static void completed(void)
{
    const fhir_direct_upload_t *upload;
    int given_up;
    begin(NOW);
    upload = claim_one();
    FHIR_ASSERT_OK(commit(upload));
    /* Crashed here: the next one must not take the version's bytes away. */
    wait_long();
    upload = claim_one();
    FHIR_ASSERT_OK(fhir_meta_direct_give_up(&given_up, meta, upload, &call));
    CU_ASSERT_EQUAL(given_up, 0);
    FHIR_ASSERT_OK(fhir_meta_direct_finish(meta, upload, &call));
    CU_ASSERT_STRING_EQUAL(count_of("direct_upload"), "0");
    CU_ASSERT_STRING_EQUAL(
        sql(apr_psprintf(pool, "SELECT count(*) FROM fhir_binary.object WHERE object_key = '%s'", upload->object_key)),
        "1");
}

static void given_up(void)
{
    const fhir_direct_upload_t *upload;
    fhir_error_t *error;
    int gone;
    int awaited;
    begin(NOW);
    upload = claim_one();
    FHIR_ASSERT_OK(fhir_meta_direct_give_up(&gone, meta, upload, &call));
    CU_ASSERT_EQUAL(gone, 1);
    CU_ASSERT_STRING_EQUAL(pending(upload), "0");
    /* Who still believed that he may commit it comes too late. */
    error = commit(upload);
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, error);
    FHIR_ASSERT_OK(fhir_meta_direct_release(meta, upload, NOW, &call));
    CU_ASSERT_PTR_NULL(claim_version(&awaited, upload));
    CU_ASSERT_EQUAL(awaited, 0);
    upload = claim_one();
    CU_ASSERT_EQUAL(upload->given_up, 1);
    FHIR_ASSERT_OK(fhir_meta_direct_give_up(&gone, meta, upload, &call));
    CU_ASSERT_EQUAL(gone, 1);
    FHIR_ASSERT_OK(fhir_meta_direct_finish(meta, upload, &call));
    CU_ASSERT_PTR_NULL(claim());
}

/* Somebody removed the pending row by hand. */
static void object_row_is_gone(void)
{
    const fhir_direct_upload_t *upload;
    int gone;
    begin(NOW);
    upload = claim_one();
    FHIR_ASSERT_OK(fhir_meta_object_forget(meta, upload->object_key, &call));
    FHIR_ASSERT_OK(fhir_meta_direct_give_up(&gone, meta, upload, &call));
    CU_ASSERT_EQUAL(gone, 1);
}

static void failures(void)
{
    static const char *const minutes[] = {"1", "2", "4", "8", "16", "32", "60", "60"};
    const fhir_direct_upload_t *upload = begin(NOW);
    int last = 0;
    int awaited;
    int i;
    for (i = 1; i <= FHIR_DIRECT_ATTEMPTS_MAX; i++) {
        const fhir_direct_upload_t *claimed = claim_one();
        CU_ASSERT_EQUAL(claimed->attempts, i);
        CU_ASSERT_EQUAL(last, 0);
        FHIR_ASSERT_OK(fhir_meta_direct_fail(&last, meta, claimed, &call));
        if (i <= 8) {
            CU_ASSERT_STRING_EQUAL(sql("SELECT round(extract(epoch FROM due_at - clock_timestamp()) / 60) FROM "
                                       "fhir_binary.direct_upload"),
                                   minutes[i - 1]);
        }
        wait_long();
    }
    CU_ASSERT_EQUAL(last, 1);
    CU_ASSERT_PTR_NULL(claim());
    CU_ASSERT_STRING_EQUAL(pending(upload), "1"); /* `store orphans` shows it */
    upload = claim_version(&awaited, upload);     /* the client may still call */
    CU_ASSERT_PTR_NOT_NULL_FATAL(upload);
    CU_ASSERT_EQUAL(upload->attempts, 1);
}

/* What kills every worker is left alone. */
static void workers_that_die(void)
{
    int i;
    begin(NOW);
    for (i = 0; i < FHIR_DIRECT_ATTEMPTS_MAX; i++) {
        claim_one();
        wait_long();
    }
    CU_ASSERT_PTR_NULL(claim());
    CU_ASSERT_STRING_EQUAL(sql("SELECT state FROM fhir_binary.direct_upload"), "3");
}

static int listed(const fhir_direct_upload_t *upload)
{
    apr_array_header_t *rows;
    int found = 0;
    FHIR_ASSERT_OK(fhir_meta_objects_pending(&rows, meta, "bucket", apr_time_now() + apr_time_from_sec(60), &call));
    for (int i = 0; i < rows->nelts; i++) {
        found |= strcmp(APR_ARRAY_IDX(rows, i, fhir_object_row_t).object_key, upload->object_key) == 0;
    }
    return found;
}

static int discarded(const fhir_direct_upload_t *upload)
{
    int gone;
    FHIR_ASSERT_OK(fhir_meta_object_discard(&gone, meta, upload->object_key, apr_time_now() + apr_time_from_sec(60),
                                            upload->version_id, apr_time_from_sec(60), &call));
    return gone;
}

/* `store orphans` shows what nobody looks after any more, and removes it with both rows. */
static void orphans(void)
{
    const fhir_direct_upload_t *upload = begin(NOW);
    CU_ASSERT_EQUAL(listed(upload), 0);
    CU_ASSERT_EQUAL(discarded(upload), 0);
    sql("UPDATE fhir_binary.direct_upload SET state = 3");
    CU_ASSERT_EQUAL(listed(upload), 1);
    sql("UPDATE fhir_binary.direct_upload SET state = 1");
    CU_ASSERT_EQUAL(listed(upload), 0);
    sql("UPDATE fhir_binary.direct_upload SET expires_at = clock_timestamp() - interval '25 hours'");
    CU_ASSERT_EQUAL(listed(upload), 1);
    CU_ASSERT_EQUAL(discarded(upload), 1);
    CU_ASSERT_STRING_EQUAL(count_of("direct_upload"), "0");
    CU_ASSERT_STRING_EQUAL(pending(upload), "0");
    sql(apr_psprintf(pool, "DELETE FROM fhir_binary.object_copy WHERE object_key = '%s'", upload->object_key));
}

/* What was given up and could not be removed is known to nobody, and its row ends with its place. */
static void left_alone(void)
{
    const fhir_direct_upload_t *upload = begin(NOW);
    fhir_copy_t copy = {.store = "bucket", .locator = upload->locator, .state = FHIR_COPY_LEFT_OVER};
    int taken;
    FHIR_ASSERT_OK(fhir_random_hex(&copy.object_key, 16, pool));
    sql(apr_psprintf(pool, "DELETE FROM fhir_binary.object WHERE object_key = '%s'", upload->object_key));
    sql("UPDATE fhir_binary.direct_upload SET state = 3");
    FHIR_ASSERT_OK(fhir_meta_copy_add(&taken, meta, &copy, upload->version_id, apr_time_from_sec(60), &call));
    CU_ASSERT_EQUAL(taken, 1);
    CU_ASSERT_STRING_EQUAL(count_of("direct_upload"), "0");
    sql(apr_psprintf(pool, "DELETE FROM fhir_binary.object_copy WHERE object_key = '%s'", copy.object_key));
}

static const fhir_unit_test_t tests[] = {
    {"registered", registered},
    {"not before its time", not_before_its_time},
    {"both rows or none", both_rows_or_none},
    {"by version", by_version},
    {"leases", leases},
    {"completed", completed},
    {"given up", given_up},
    {"object row is gone", object_row_is_gone},
    {"failures", failures},
    {"workers that die", workers_that_die},
    {"orphans", orphans},
    {"left alone", left_alone},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("direct_upload", tests)
