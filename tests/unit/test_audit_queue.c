/* core/app/audit_queue.c: bounded, in order, waits for room, wakes. */
#include "core/app/audit_queue.h"

#include "unit.h"

#include <apr_thread_proc.h>

static int woken;

static void wake(void *baton)
{
    (void)baton;
    woken++;
}

static fhir_audit_event_t *event(apr_int64_t sequence)
{
    fhir_audit_event_t *made = calloc(1, sizeof(*made));
    made->sequence = sequence;
    return made;
}

static fhir_audit_queue_t *queue_of(int capacity, int many)
{
    fhir_audit_queue_t *queue = NULL;
    FHIR_ASSERT_OK(fhir_audit_queue_create(&queue, capacity, pool));
    woken = 0;
    if (many) {
        fhir_audit_queue_open(queue, many, wake, NULL);
    }
    return queue;
}

static int take_all(fhir_audit_queue_t *queue, apr_int64_t first)
{
    fhir_audit_event_t *events[8];
    int all = 0;
    int count;
    while ((count = fhir_audit_queue_take(events, 8, queue)) > 0) {
        int i;
        for (i = 0; i < count; i++) {
            CU_ASSERT_EQUAL(events[i]->sequence, first + all);
            free(events[i]);
            all++;
        }
    }
    return all;
}

static void test_nobody_takes(void)
{
    fhir_audit_queue_t *queue = queue_of(2, 0);
    fhir_audit_event_t *one = event(1);
    CU_ASSERT_FALSE(fhir_audit_queue_put(queue, one, apr_time_now() + apr_time_from_sec(60)));
    CU_ASSERT_EQUAL(fhir_audit_queue_length(queue), 0);
    free(one);
}

static void test_order_and_wakes(void)
{
    fhir_audit_queue_t *queue = queue_of(20, 10);
    apr_int64_t i;
    int turn;
    for (turn = 0; turn < 3; turn++) {
        woken = 0;
        for (i = 0; i < 15; i++) {
            CU_ASSERT_TRUE(fhir_audit_queue_put(queue, event(i), 0));
        }
        CU_ASSERT_EQUAL(woken, 2);
        CU_ASSERT_EQUAL(fhir_audit_queue_length(queue), 15);
        CU_ASSERT_EQUAL(take_all(queue, 0), 15);
    }
}

static void test_full(void)
{
    fhir_audit_queue_t *queue = queue_of(3, 2);
    fhir_audit_event_t *more = event(3);
    apr_time_t began = apr_time_now();
    apr_int64_t i;
    for (i = 0; i < 3; i++) {
        CU_ASSERT_TRUE(fhir_audit_queue_put(queue, event(i), 0));
    }
    CU_ASSERT_FALSE(fhir_audit_queue_put(queue, more, began + 50000));
    CU_ASSERT_TRUE(apr_time_now() - began >= 50000);
    free(more);
    CU_ASSERT_EQUAL(take_all(queue, 0), 3);
}

typedef struct putter_t {
    fhir_audit_queue_t *queue;
    int put;
} putter_t;

static void *APR_THREAD_FUNC put_one(apr_thread_t *thread, void *baton)
{
    putter_t *putter = baton;
    fhir_audit_event_t *more = event(1);
    (void)thread;
    putter->put = fhir_audit_queue_put(putter->queue, more, apr_time_now() + apr_time_from_sec(20));
    if (!putter->put) {
        free(more);
    }
    return NULL;
}

/* Room, or the end, wakes the thread that waits. */
static void wait_and(int closes)
{
    putter_t putter = {queue_of(1, 1), -1};
    fhir_audit_event_t *first;
    apr_thread_t *thread;
    apr_status_t status;
    CU_ASSERT_TRUE(fhir_audit_queue_put(putter.queue, event(0), 0));
    CU_ASSERT_EQUAL_FATAL(apr_thread_create(&thread, NULL, put_one, &putter, pool), APR_SUCCESS);
    apr_sleep(50000);
    if (closes) {
        fhir_audit_queue_close(putter.queue);
    } else {
        CU_ASSERT_EQUAL(fhir_audit_queue_take(&first, 1, putter.queue), 1);
        free(first);
    }
    apr_thread_join(&status, thread);
    CU_ASSERT_EQUAL(putter.put, !closes);
    CU_ASSERT_EQUAL(take_all(putter.queue, closes ? 0 : 1), 1);
}

static void test_waits_for_room(void)
{
    wait_and(0);
}

static void test_close(void)
{
    wait_and(1);
}

static const fhir_unit_test_t tests[] = {{"nobody takes", test_nobody_takes},
                                         {"order and wakes", test_order_and_wakes},
                                         {"full", test_full},
                                         {"waits for room", test_waits_for_room},
                                         {"close", test_close},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("audit_queue", tests)
