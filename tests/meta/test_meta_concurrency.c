/* Many writers of one Binary: nothing is lost, nothing happens twice. */
#include "meta_test.h"

#define WRITERS 16
#define ROUNDS 8

typedef struct writer_t {
    const char *project;
    const char *binary_id;
    const char *version_id; /* NULL: a new one for each round */
    fhir_change_kind_t kind;
    int rounds;
    int with_content;
    int done;
    int exists;
    int other;
} writer_t;

static void *APR_THREAD_FUNC write_versions(apr_thread_t *thread, void *data)
{
    writer_t *writer = data;
    for (int i = 0; i < writer->rounds; i++) {
        fhir_version_change_t change = {.kind = writer->kind, .content_type = "text/plain", .may_create = 1};
        const fhir_binary_t *binary;
        const char *version = writer->version_id;
        apr_pool_t *own;
        fhir_call_t mine;
        fhir_error_t *error;
        apr_pool_create(&own, NULL);
        mine = call_for(own);
        error = version ? NULL : fhir_random_uuid(&version, own);
        change.project_id = change.membership_id = writer->project;
        change.binary_id = writer->binary_id;
        change.version_id = version;
        change.content = !error && writer->with_content ? make_content(writer->project, &mine) : NULL;
        if (!error) {
            error = fhir_meta_commit(&binary, meta, &change, &mine);
        }
        writer->done += !error;
        writer->exists += error && error->code == FHIR_ERROR_EXISTS;
        writer->other += error && error->code != FHIR_ERROR_EXISTS;
        apr_pool_destroy(own);
    }
    return thread;
}

/* Gives the sums over all writers. */
static writer_t run_writers(writer_t pattern)
{
    writer_t writers[WRITERS];
    writer_t sum = pattern;
    apr_thread_t *threads[WRITERS];
    apr_status_t ended;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = pattern;
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, write_versions, &writers[i], pool), APR_SUCCESS);
    }
    for (int i = 0; i < WRITERS; i++) {
        apr_thread_join(&ended, threads[i]);
        sum.done += writers[i].done;
        sum.exists += writers[i].exists;
        sum.other += writers[i].other;
    }
    return sum;
}

static void no_lost_versions(void)
{
    writer_t sum = {.binary_id = "x", .kind = FHIR_CHANGE_UPDATE, .rounds = ROUNDS, .with_content = 1};
    apr_array_header_t *versions;
    apr_off_t total;
    int open;
    int busy;
    open_meta(6);
    sum.project = make_project();
    sum = run_writers(sum);
    CU_ASSERT_EQUAL(sum.done, WRITERS * ROUNDS);
    FHIR_ASSERT_OK(fhir_meta_history(&versions, &total, meta, sum.project, "x", 1000, 0, &call));
    CU_ASSERT_EQUAL(total, WRITERS * ROUNDS);
    CU_ASSERT_EQUAL_FATAL(versions->nelts, WRITERS * ROUNDS);
    for (int i = 0; i < versions->nelts; i++) {
        const fhir_binary_t *version = APR_ARRAY_IDX(versions, i, const fhir_binary_t *);
        CU_ASSERT_EQUAL(version->sequence, WRITERS * ROUNDS - i);
        CU_ASSERT_PTR_NOT_NULL(version->content);
        CU_ASSERT_TRUE(i == 0 ||
                       version->last_updated < APR_ARRAY_IDX(versions, i - 1, const fhir_binary_t *)->last_updated);
    }
    fhir_meta_usage(meta, &open, &busy);
    CU_ASSERT_TRUE(open >= 1 && open <= 6);
    CU_ASSERT_EQUAL(busy, 0);
}

static void one_version_id_wins_once(void)
{
    writer_t sum = {.binary_id = "x", .kind = FHIR_CHANGE_UPDATE, .rounds = 1, .with_content = 1};
    apr_array_header_t *versions;
    apr_off_t total;
    open_meta(WRITERS);
    sum.project = make_project();
    sum.version_id = uuid();
    sum = run_writers(sum);
    CU_ASSERT_EQUAL(sum.done, 1);
    CU_ASSERT_EQUAL(sum.exists, WRITERS - 1);
    FHIR_ASSERT_OK(fhir_meta_history(&versions, &total, meta, sum.project, "x", 1000, 0, &call));
    CU_ASSERT_EQUAL(total, 1);
    /* the losers' objects stay pending: theirs to forget */
    CU_ASSERT_STRING_EQUAL(sql(apr_psprintf(pool,
                                            "SELECT count(*) FROM fhir_binary.object WHERE project_id = '%s' AND "
                                            "committed_at IS NULL",
                                            sum.project)),
                           apr_itoa(pool, WRITERS - 1));
}

static void one_creates(void)
{
    writer_t sum = {.binary_id = "x", .kind = FHIR_CHANGE_CREATE, .rounds = 4};
    open_meta(WRITERS);
    sum.project = make_project();
    sum = run_writers(sum);
    CU_ASSERT_EQUAL(sum.done, 1);
    CU_ASSERT_EQUAL(sum.exists, WRITERS * 4 - 1);
    CU_ASSERT_EQUAL(sum.other, 0);
}

/* One version id for two Binaries: one of both, never both. */
static void one_version_id_for_two(void)
{
    writer_t one = {.binary_id = "x", .kind = FHIR_CHANGE_CREATE, .rounds = 1};
    writer_t other;
    apr_thread_t *threads[2];
    apr_status_t ended;
    open_meta(2);
    one.project = make_project();
    for (int i = 0; i < 20; i++) {
        one.version_id = uuid();
        one.binary_id = apr_psprintf(pool, "x%d", i);
        one.done = one.exists = one.other = 0;
        other = one;
        other.binary_id = apr_psprintf(pool, "y%d", i);
        apr_thread_create(&threads[0], NULL, write_versions, &one, pool);
        apr_thread_create(&threads[1], NULL, write_versions, &other, pool);
        apr_thread_join(&ended, threads[0]);
        apr_thread_join(&ended, threads[1]);
        CU_ASSERT_EQUAL(one.done + other.done, 1);
        CU_ASSERT_EQUAL(one.exists + other.exists, 1);
    }
    CU_ASSERT_STRING_EQUAL(
        sql(apr_psprintf(pool, "SELECT count(*) FROM fhir_binary.binary WHERE project_id = '%s'", one.project)), "20");
}

static const fhir_unit_test_t tests[] = {{"sixteen writers lose no version", no_lost_versions},
                                         {"one version id wins once", one_version_id_wins_once},
                                         {"one creates", one_creates},
                                         {"one version id for two Binaries", one_version_id_for_two},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("concurrency", tests)
