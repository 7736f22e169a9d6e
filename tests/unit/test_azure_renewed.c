/* Values that are renewed in time: by one thread, while the others go on with the old one; none that has ended. */
#include "storage-plugins/azure/renewed.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define THREADS 16

/* The clock of this program, in which lives of minutes pass at once. Hidden, for libapr waits by its own. */
static _Atomic apr_interval_time_t ahead;

__attribute__((visibility("hidden"))) apr_time_t apr_time_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000 + atomic_load(&ahead);
}

/* The source of values "1", "2", ... */
typedef struct source_t {
    atomic_int asked;
    atomic_int at_once;
    atomic_int most_at_once;
    apr_interval_time_t lifetime;
    apr_interval_time_t delay;
    atomic_int fails_with; /* 0: it does not */
    atomic_int hangs;      /* until the deadline */
    atomic_int once;       /* of the last call */
} source_t;

static source_t source;
static azure_renewed_t *renewed;

static fhir_error_t *renew(const char **value, apr_time_t *expires, void *baton, int once,
                           const fhir_store_call_t *call)
{
    source_t *from = baton;
    int number = atomic_fetch_add(&from->asked, 1) + 1;
    int now = atomic_fetch_add(&from->at_once, 1) + 1;
    int code = atomic_load(&from->fails_with);
    if (now > atomic_load(&from->most_at_once)) {
        atomic_store(&from->most_at_once, now);
    }
    atomic_store(&from->once, once);
    if (atomic_load(&from->hangs)) {
        apr_sleep(call->deadline > apr_time_now() ? call->deadline - apr_time_now() : 0);
        code = FHIR_ERROR_TIMEOUT;
    }
    apr_sleep(from->delay);
    atomic_fetch_sub(&from->at_once, 1);
    if (code) {
        return fhir_error_public(call->result_pool, (fhir_error_code_t)code, "no");
    }
    *value = apr_itoa(call->result_pool, number);
    *expires = apr_time_now() + from->lifetime;
    return NULL;
}

static void begin(apr_interval_time_t lifetime, apr_interval_time_t delay)
{
    memset(&source, 0, sizeof(source));
    source.lifetime = lifetime;
    source.delay = delay;
    FHIR_ASSERT_OK(azure_renewed_create(&renewed, renew, &source, apr_time_from_sec(300), pool));
}

static fhir_error_t *get(const char **value, apr_pool_t *from, apr_interval_time_t time)
{
    fhir_store_call_t call = {0};
    call.result_pool = from;
    call.scratch_pool = from;
    call.deadline = apr_time_now() + time;
    return azure_renewed_get(value, NULL, renewed, &call);
}

static void gives(const char *expected)
{
    const char *value = NULL;
    FHIR_ASSERT_OK(get(&value, pool, apr_time_from_sec(5)));
    CU_ASSERT_STRING_EQUAL(value ? value : "", expected);
}

static void test_is_kept_and_forgotten(void)
{
    begin(apr_time_from_sec(3600), 0);
    gives("1");
    gives("1");
    azure_renewed_forget(renewed, "0"); /* somebody has another one already */
    gives("1");
    azure_renewed_forget(renewed, "1");
    gives("2");
    CU_ASSERT_EQUAL(atomic_load(&source.asked), 2);
    azure_renewed_close(renewed);
}

/* A value that lives for 24 s is renewed when 12 s are over at the latest; one that ends within 10 s is no value. */
static void test_short_lives(void)
{
    const char *value;
    begin(apr_time_from_sec(24), 0);
    gives("1");
    gives("1");
    azure_renewed_close(renewed);
    begin(apr_time_from_sec(9), 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_DENIED, get(&value, pool, apr_time_from_sec(5)));
    azure_renewed_close(renewed);
}

static void test_nothing_is_asked_too_early(void)
{
    begin(apr_time_from_sec(21), 0);
    gives("1");
    apr_sleep(apr_time_from_msec(600)); /* half of its time is far: nothing is asked */
    gives("1");
    CU_ASSERT_EQUAL(atomic_load(&source.asked), 1);
    azure_renewed_close(renewed);
}

static void test_failure_is_told_and_tried_again(void)
{
    const char *value;
    begin(apr_time_from_sec(3600), 0);
    atomic_store(&source.fails_with, FHIR_ERROR_UNAVAILABLE);
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNAVAILABLE, get(&value, pool, apr_time_from_sec(5)));
    atomic_store(&source.fails_with, 0);
    gives("2");
    azure_renewed_close(renewed);
}

static void gives_soon(const char *expected, apr_interval_time_t given, apr_interval_time_t most)
{
    apr_time_t start = apr_time_now();
    const char *value = NULL;
    FHIR_ASSERT_OK(get(&value, pool, given));
    CU_ASSERT_STRING_EQUAL(value ? value : "", expected);
    CU_ASSERT(apr_time_now() - start < most);
}

/* While the old value is good, an endpoint that hangs costs nobody his request, and is left alone for a while. */
static void test_renewal_that_hangs(void)
{
    const char *value;
    begin(apr_time_from_sec(120), 0);
    gives("1");
    CU_ASSERT_EQUAL(atomic_load(&source.once), 0);
    atomic_store(&source.hangs, 1);
    atomic_fetch_add(&ahead, apr_time_from_sec(61)); /* half of its life is over */
    gives_soon("1", apr_time_from_sec(1), apr_time_from_msec(900));
    CU_ASSERT_EQUAL(atomic_load(&source.asked), 2);
    CU_ASSERT_EQUAL(atomic_load(&source.once), 1);
    gives_soon("1", apr_time_from_sec(1), apr_time_from_msec(300));
    CU_ASSERT_EQUAL(atomic_load(&source.asked), 2);
    atomic_fetch_add(&ahead, apr_time_from_sec(31)); /* the pause is over */
    gives_soon("1", apr_time_from_sec(10), apr_time_from_msec(3500));
    CU_ASSERT_EQUAL(atomic_load(&source.asked), 3);
    atomic_fetch_add(&ahead, apr_time_from_sec(20)); /* and so is the old value */
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, get(&value, pool, apr_time_from_msec(300)));
    CU_ASSERT_EQUAL(atomic_load(&source.once), 0);
    atomic_store(&source.hangs, 0);
    gives("5");
    azure_renewed_close(renewed);
}

typedef struct asker_t {
    pthread_t thread;
    apr_interval_time_t time;
    int code; /* -1: a value */
} asker_t;

static void *ask(void *data)
{
    asker_t *asker = data;
    apr_pool_t *own;
    const char *value;
    fhir_error_t *error;
    apr_pool_create(&own, NULL);
    error = get(&value, own, asker->time);
    asker->code = error ? (int)error->code : -1;
    apr_pool_destroy(own);
    return NULL;
}

static void ask_all(asker_t askers[THREADS], apr_interval_time_t time)
{
    int i;
    for (i = 0; i < THREADS; i++) {
        askers[i].time = time;
        pthread_create(&askers[i].thread, NULL, ask, &askers[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(askers[i].thread, NULL);
    }
}

static void test_one_thread_asks(void)
{
    asker_t askers[THREADS];
    int i;
    begin(apr_time_from_sec(3600), apr_time_from_msec(200));
    ask_all(askers, apr_time_from_sec(5));
    for (i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(askers[i].code, -1);
    }
    CU_ASSERT_EQUAL(atomic_load(&source.asked), 1);
    azure_renewed_close(renewed);
}

/* Who waited for an attempt that failed makes none of its own. */
static void test_failure_is_shared(void)
{
    asker_t askers[THREADS];
    int i;
    begin(apr_time_from_sec(3600), apr_time_from_msec(300));
    atomic_store(&source.fails_with, FHIR_ERROR_DENIED);
    ask_all(askers, apr_time_from_sec(5));
    for (i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL(askers[i].code, FHIR_ERROR_DENIED);
    }
    CU_ASSERT_EQUAL(atomic_load(&source.most_at_once), 1);
    CU_ASSERT(atomic_load(&source.asked) <= 4);
    azure_renewed_close(renewed);
}

/* The one that asks is slow; the others wait no longer than they may. */
static void test_deadline_of_those_who_wait(void)
{
    asker_t first = {.time = apr_time_from_sec(5)};
    const char *value;
    apr_time_t start;
    begin(apr_time_from_sec(3600), apr_time_from_msec(1500));
    pthread_create(&first.thread, NULL, ask, &first);
    apr_sleep(apr_time_from_msec(100));
    start = apr_time_now();
    FHIR_ASSERT_ERROR(FHIR_ERROR_TIMEOUT, get(&value, pool, apr_time_from_msec(300)));
    CU_ASSERT(apr_time_now() - start < apr_time_from_msec(1000));
    pthread_join(first.thread, NULL);
    CU_ASSERT_EQUAL(first.code, -1);
    azure_renewed_close(renewed);
}

static const fhir_unit_test_t tests[] = {
    {"is kept and forgotten", test_is_kept_and_forgotten},
    {"short lives", test_short_lives},
    {"nothing is asked too early", test_nothing_is_asked_too_early},
    {"failure is told and tried again", test_failure_is_told_and_tried_again},
    {"a renewal that hangs", test_renewal_that_hangs},
    {"one thread asks", test_one_thread_asks},
    {"failure is shared", test_failure_is_shared},
    {"deadline of those who wait", test_deadline_of_those_who_wait},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("azure_renewed", tests)
