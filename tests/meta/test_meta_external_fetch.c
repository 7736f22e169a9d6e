/* The queue of attachments that are to be fetched: claims, leases, back-off, lists. */
#include "core/meta/external_fetch.h"
#include "meta_test.h"

#define LEASE apr_time_from_sec(60)

static const char *writer; /* the membership of who writes here */

/* Each test has the queue for itself, and a project. */
static const char *begin(void)
{
    const char *project;
    open_meta(4);
    sql("DELETE FROM fhir_binary.external_fetch");
    project = make_project();
    writer = make_client(project).membership.id;
    return project;
}

static apr_array_header_t *urls_of(const char *first, const char *second)
{
    apr_array_header_t *urls = apr_array_make(pool, 2, sizeof(fhir_fetch_url_t));
    fhir_fetch_url_t url = {"Patient.photo[0]", first};
    APR_ARRAY_PUSH(urls, fhir_fetch_url_t) = url;
    if (second) {
        fhir_fetch_url_t other = {"Patient.photo[1]", second};
        APR_ARRAY_PUSH(urls, fhir_fetch_url_t) = other;
    }
    return urls;
}

static void enqueue(const char *project, const char *id, const char *first, const char *second)
{
    FHIR_ASSERT_OK(fhir_meta_fetch_enqueue(meta, project, writer, "Patient", id, urls_of(first, second), &call));
}

static const fhir_fetch_job_t *claim(void)
{
    const fhir_fetch_job_t *job;
    FHIR_ASSERT_OK(fhir_meta_fetch_claim(&job, meta, LEASE, &call));
    return job;
}

static const fhir_fetch_job_t *claim_one(void)
{
    const fhir_fetch_job_t *job = claim();
    CU_ASSERT_PTR_NOT_NULL_FATAL(job);
    return job;
}

static const fhir_fetch_job_t *only_job(const char *project)
{
    apr_array_header_t *jobs;
    FHIR_ASSERT_OK(fhir_meta_fetch_list(&jobs, meta, project, 0, &call));
    CU_ASSERT_EQUAL_FATAL(jobs->nelts, 1);
    return &APR_ARRAY_IDX(jobs, 0, fhir_fetch_job_t);
}

/* Time passes: every waiting job is due, every lease has ended. */
static void wait_long(void)
{
    sql("UPDATE fhir_binary.external_fetch SET next_attempt = clock_timestamp() - interval '1 second' WHERE state = 1");
}

static const char *seconds_until_next(void)
{
    return sql("SELECT round(extract(epoch FROM next_attempt - clock_timestamp())) FROM fhir_binary.external_fetch");
}

static void done(void)
{
    const char *project = begin();
    const fhir_fetch_job_t *job;
    CU_ASSERT_PTR_NULL(claim());
    enqueue(project, "p1", "https://a.example/\"x\\,{}", NULL);
    job = claim_one();
    CU_ASSERT_STRING_EQUAL(job->project_id, project);
    CU_ASSERT_STRING_EQUAL(job->type, "Patient");
    CU_ASSERT_STRING_EQUAL(job->resource_id, "p1");
    CU_ASSERT_STRING_EQUAL(job->path, "Patient.photo[0]");
    CU_ASSERT_STRING_EQUAL(job->url, "https://a.example/\"x\\,{}");
    CU_ASSERT_EQUAL(job->attempts, 1);
    CU_ASSERT_EQUAL(job->state, FHIR_FETCH_WAITING);
    CU_ASSERT_PTR_NULL(claim());
    FHIR_ASSERT_OK(fhir_meta_fetch_finish(meta, job, "b1", &call));
    CU_ASSERT_PTR_NULL(claim());
    job = only_job(project);
    CU_ASSERT_EQUAL(job->state, FHIR_FETCH_DONE);
    CU_ASSERT_STRING_EQUAL(job->binary_id, "b1");
    CU_ASSERT_PTR_NULL(job->error);
    CU_ASSERT_PTR_NULL(job->lease);
    CU_ASSERT_TRUE(job->finished >= job->created);
}

static void oldest_first(void)
{
    const char *project = begin();
    apr_array_header_t *jobs;
    enqueue(project, "p1", "https://a.example/1", "https://a.example/2");
    enqueue(project, "p2", "https://a.example/1", NULL);
    sql("UPDATE fhir_binary.external_fetch SET next_attempt = next_attempt - interval '1 hour' WHERE resource_id = "
        "'p2'");
    CU_ASSERT_STRING_EQUAL(claim_one()->resource_id, "p2");
    CU_ASSERT_STRING_EQUAL(claim_one()->resource_id, "p1");
    CU_ASSERT_STRING_EQUAL(claim_one()->resource_id, "p1");
    CU_ASSERT_PTR_NULL(claim());
    FHIR_ASSERT_OK(fhir_meta_fetch_list(&jobs, meta, project, 0, &call));
    CU_ASSERT_EQUAL(jobs->nelts, 3);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(jobs, 0, fhir_fetch_job_t).resource_id, "p2");
    FHIR_ASSERT_OK(fhir_meta_fetch_list(&jobs, meta, uuid(), 0, &call));
    CU_ASSERT_EQUAL(jobs->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_fetch_enqueue(meta, project, uuid(), "Patient", "p1",
                                           apr_array_make(pool, 1, sizeof(fhir_fetch_url_t)), &call));
}

static void three_tries(void)
{
    const char *project = begin();
    const fhir_fetch_job_t *job;
    apr_array_header_t *failed;
    enqueue(project, "p1", "https://a.example/1", NULL);
    FHIR_ASSERT_OK(fhir_meta_fetch_fail(meta, claim_one(), "First.", 0, &call));
    CU_ASSERT_STRING_EQUAL(seconds_until_next(), "60");
    CU_ASSERT_PTR_NULL(claim());
    CU_ASSERT_STRING_EQUAL(only_job(project)->error, "First.");
    wait_long();
    FHIR_ASSERT_OK(fhir_meta_fetch_fail(meta, claim_one(), "Second.", 0, &call));
    CU_ASSERT_STRING_EQUAL(seconds_until_next(), "300");
    FHIR_ASSERT_OK(fhir_meta_fetch_list(&failed, meta, project, 1, &call));
    CU_ASSERT_EQUAL(failed->nelts, 0);
    wait_long();
    job = claim_one();
    CU_ASSERT_EQUAL(job->attempts, 3);
    FHIR_ASSERT_OK(fhir_meta_fetch_fail(meta, job, "Third.", 0, &call));
    wait_long();
    CU_ASSERT_PTR_NULL(claim());
    FHIR_ASSERT_OK(fhir_meta_fetch_list(&failed, meta, project, 1, &call));
    CU_ASSERT_EQUAL_FATAL(failed->nelts, 1);
    job = &APR_ARRAY_IDX(failed, 0, fhir_fetch_job_t);
    CU_ASSERT_EQUAL(job->state, FHIR_FETCH_FAILED);
    CU_ASSERT_STRING_EQUAL(job->error, "Third.");
    CU_ASSERT_TRUE(job->finished > 0);
}

static void final_failure(void)
{
    const char *project = begin();
    enqueue(project, "p1", "https://a.example/1", NULL);
    FHIR_ASSERT_OK(fhir_meta_fetch_fail(meta, claim_one(), "Never.", 1, &call));
    CU_ASSERT_EQUAL(only_job(project)->state, FHIR_FETCH_FAILED);
    CU_ASSERT_EQUAL(only_job(project)->attempts, 1);
}

/* A worker died: its job comes back, its late words count for nothing. */
static void leases(void)
{
    const char *project = begin();
    const fhir_fetch_job_t *first;
    const fhir_fetch_job_t *second;
    int held;
    enqueue(project, "p1", "https://a.example/1", NULL);
    first = claim_one();
    CU_ASSERT_STRING_EQUAL(seconds_until_next(), "60");
    FHIR_ASSERT_OK(fhir_meta_fetch_renew(&held, meta, first, apr_time_from_sec(90), &call));
    CU_ASSERT_EQUAL(held, 1);
    CU_ASSERT_STRING_EQUAL(seconds_until_next(), "90");
    wait_long();
    second = claim_one();
    CU_ASSERT_STRING_EQUAL(second->id, first->id);
    CU_ASSERT_EQUAL(second->attempts, 2);
    FHIR_ASSERT_OK(fhir_meta_fetch_renew(&held, meta, first, LEASE, &call));
    CU_ASSERT_EQUAL(held, 0);
    FHIR_ASSERT_OK(fhir_meta_fetch_finish(meta, first, "b1", &call));
    FHIR_ASSERT_OK(fhir_meta_fetch_fail(meta, first, "Late.", 1, &call));
    FHIR_ASSERT_OK(fhir_meta_fetch_release(meta, first, &call));
    CU_ASSERT_EQUAL(only_job(project)->state, FHIR_FETCH_WAITING);
    CU_ASSERT_EQUAL(only_job(project)->attempts, 2);
    CU_ASSERT_PTR_NULL(only_job(project)->error);
    FHIR_ASSERT_OK(fhir_meta_fetch_release(meta, second, &call));
    CU_ASSERT_EQUAL(only_job(project)->attempts, 1);
    CU_ASSERT_EQUAL(claim_one()->attempts, 2);
}

static void workers_that_die(void)
{
    const char *project = begin();
    enqueue(project, "p1", "https://a.example/1", NULL);
    for (int i = 0; i < FHIR_FETCH_ATTEMPTS_MAX; i++) {
        CU_ASSERT_EQUAL(claim_one()->attempts, i + 1);
        CU_ASSERT_PTR_NULL(claim());
        wait_long();
    }
    CU_ASSERT_PTR_NULL(claim());
    CU_ASSERT_EQUAL(only_job(project)->state, FHIR_FETCH_FAILED);
    CU_ASSERT_STRING_EQUAL(only_job(project)->error, "This server stopped each time while it fetched.");
}

static void wanted_again(void)
{
    const char *project = begin();
    const fhir_fetch_job_t *job;
    enqueue(project, "p1", "https://a.example/1", NULL);
    job = claim_one();
    /* While it is fetched. */
    enqueue(project, "p1", "https://a.example/1", NULL);
    CU_ASSERT_PTR_NULL(claim());
    FHIR_ASSERT_OK(fhir_meta_fetch_finish(meta, job, "b1", &call));
    /* The client wrote the URL back. */
    enqueue(project, "p1", "https://a.example/1", NULL);
    job = claim_one();
    CU_ASSERT_EQUAL(job->attempts, 1);
    CU_ASSERT_PTR_NULL(job->binary_id);
    FHIR_ASSERT_OK(fhir_meta_fetch_fail(meta, job, "No.", 1, &call));
    /* Failed a moment ago, and more than an hour ago. */
    enqueue(project, "p1", "https://a.example/1", NULL);
    CU_ASSERT_PTR_NULL(claim());
    sql("UPDATE fhir_binary.external_fetch SET finished_at = finished_at - interval '61 minutes'");
    enqueue(project, "p1", "https://a.example/1", NULL);
    CU_ASSERT_EQUAL(claim_one()->attempts, 1);
    CU_ASSERT_PTR_NULL(only_job(project)->error);
}

static void retry(void)
{
    const char *project = begin();
    const fhir_fetch_job_t *job;
    enqueue(project, "p1", "https://a.example/1", NULL);
    job = claim_one();
    FHIR_ASSERT_OK(fhir_meta_fetch_fail(meta, job, "No.", 1, &call));
    FHIR_ASSERT_OK(fhir_meta_fetch_retry(meta, job->id, &call));
    job = claim_one();
    CU_ASSERT_EQUAL(job->attempts, 1);
    FHIR_ASSERT_OK(fhir_meta_fetch_finish(meta, job, NULL, &call));
    CU_ASSERT_PTR_NULL(only_job(project)->binary_id);
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_fetch_retry(meta, job->id, &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_fetch_retry(meta, uuid(), &call));
    FHIR_ASSERT_ERROR(FHIR_ERROR_NOT_FOUND, fhir_meta_fetch_retry(meta, "'; --", &call));
}

static void old_ones_go(void)
{
    const char *project = begin();
    enqueue(project, "p1", "https://a.example/1", "https://a.example/2");
    FHIR_ASSERT_OK(fhir_meta_fetch_finish(meta, claim_one(), "b1", &call));
    sql("UPDATE fhir_binary.external_fetch SET finished_at = finished_at - interval '31 days' WHERE state = 2");
    FHIR_ASSERT_OK(fhir_meta_fetch_finish(meta, claim_one(), "b2", &call));
    CU_ASSERT_STRING_EQUAL(only_job(project)->binary_id, "b2");
}

static void disabled_members_wait(void)
{
    fhir_client_t client;
    const char *project;
    begin();
    project = make_project();
    client = make_client(project);
    FHIR_ASSERT_OK(fhir_meta_fetch_enqueue(meta, project, client.membership.id, "Patient", "p1",
                                           urls_of("https://a.example/1", NULL), &call));
    FHIR_ASSERT_OK(fhir_meta_client_set_active(meta, client.id, 0, &call));
    CU_ASSERT_PTR_NULL(claim());
    FHIR_ASSERT_OK(fhir_meta_client_set_active(meta, client.id, 1, &call));
    CU_ASSERT_STRING_EQUAL(claim_one()->membership_id, client.membership.id);
    wait_long();
    FHIR_ASSERT_OK(write_membership(project, client.membership.id, NULL));
    CU_ASSERT_PTR_NULL(claim());
}

static void long_urls(void)
{
    const char *project = begin();
    char *url = apr_pcalloc(pool, 2050);
    unsigned char noise[1024];
    FHIR_ASSERT_OK(fhir_random_bytes(noise, sizeof(noise), pool));
    memcpy(url, fhir_hex_encode(noise, sizeof(noise), pool), 2048);
    enqueue(project, "a123456789b123456789c123456789d123456789e123456789f123456789abcd", url, NULL);
    CU_ASSERT_STRING_EQUAL(claim_one()->url, url);
    url[2048] = 'x';
    CU_ASSERT_PTR_NOT_NULL(fhir_meta_fetch_enqueue(meta, project, uuid(), "Patient", "p1", urls_of(url, NULL), &call));
}

/* ---- several workers at once ---- */

enum { WORKERS = 4, JOBS = 40 };

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *baton)
{
    int *mine = baton;
    apr_pool_t *own;
    (void)thread;
    apr_pool_create(&own, NULL);
    for (;;) {
        fhir_call_t with = call_for(own);
        const fhir_fetch_job_t *job = NULL;
        if (fhir_meta_fetch_claim(&job, meta, LEASE, &with) != NULL || !job ||
            fhir_meta_fetch_finish(meta, job, "b", &with) != NULL) {
            break;
        }
        ++*mine;
    }
    apr_pool_destroy(own);
    return NULL;
}

static void each_job_once(void)
{
    const char *project = begin();
    apr_thread_t *threads[WORKERS];
    int counts[WORKERS] = {0};
    int sum = 0;
    apr_status_t status;
    for (int i = 0; i < JOBS; i++) {
        enqueue(project, apr_psprintf(pool, "p%d", i), "https://a.example/1", NULL);
    }
    for (int i = 0; i < WORKERS; i++) {
        CU_ASSERT_EQUAL_FATAL(apr_thread_create(&threads[i], NULL, work, &counts[i], pool), APR_SUCCESS);
    }
    for (int i = 0; i < WORKERS; i++) {
        apr_thread_join(&status, threads[i]);
        sum += counts[i];
    }
    CU_ASSERT_EQUAL(sum, JOBS);
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.external_fetch WHERE state = 2 AND attempts = 1"),
                           apr_itoa(pool, JOBS));
}

static const fhir_unit_test_t tests[] = {{"done", done},
                                         {"oldest first", oldest_first},
                                         {"three tries", three_tries},
                                         {"final failure", final_failure},
                                         {"leases", leases},
                                         {"workers that die", workers_that_die},
                                         {"wanted again", wanted_again},
                                         {"retry", retry},
                                         {"old ones go", old_ones_go},
                                         {"disabled members wait", disabled_members_wait},
                                         {"long urls", long_urls},
                                         {"each job once", each_job_once},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("external_fetch", tests)
