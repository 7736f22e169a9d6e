/* The bounded queue between the threads of requests and the one that writes audit events. */
#include "audit_queue.h"

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

struct fhir_audit_queue_t {
    int capacity;
    apr_thread_mutex_t *mutex; /* guards what follows */
    apr_thread_cond_t *room;
    fhir_audit_event_t **ring;
    int first;
    int count;
    int waiting; /* threads that want room */
    int open;
    int many;
    void (*wake)(void *baton);
    void *baton;
};

fhir_error_t *fhir_audit_queue_create(fhir_audit_queue_t **queue, int capacity, apr_pool_t *pool)
{
    fhir_audit_queue_t *made = apr_pcalloc(pool, sizeof(*made));
    apr_status_t status = apr_thread_mutex_create(&made->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    if (status == APR_SUCCESS) {
        status = apr_thread_cond_create(&made->room, pool);
    }
    if (status != APR_SUCCESS) {
        return fhir_error_create(pool, FHIR_ERROR_INTERNAL, status, "The server could not start.",
                                 "can't create the lock of the audit queue");
    }
    made->capacity = capacity;
    made->ring = apr_pcalloc(pool, sizeof(fhir_audit_event_t *) * (apr_size_t)capacity);
    *queue = made;
    return NULL;
}

void fhir_audit_queue_open(fhir_audit_queue_t *queue, int many, void (*wake)(void *baton), void *baton)
{
    apr_thread_mutex_lock(queue->mutex);
    queue->open = 1;
    queue->many = many;
    queue->wake = wake;
    queue->baton = baton;
    apr_thread_mutex_unlock(queue->mutex);
}

/* With the mutex held. */
static void wait_for_room(fhir_audit_queue_t *queue, apr_time_t until)
{
    while (queue->open && queue->count == queue->capacity) {
        apr_interval_time_t left = until - apr_time_now();
        if (left <= 0) {
            return;
        }
        queue->waiting++;
        apr_thread_cond_timedwait(queue->room, queue->mutex, left);
        queue->waiting--;
    }
}

int fhir_audit_queue_put(fhir_audit_queue_t *queue, fhir_audit_event_t *event, apr_time_t until)
{
    int taken;
    int wakes;
    apr_thread_mutex_lock(queue->mutex);
    wait_for_room(queue, until);
    taken = queue->open && queue->count < queue->capacity;
    if (taken) {
        queue->ring[(queue->first + queue->count++) % queue->capacity] = event;
    }
    wakes = taken && (queue->count == 1 || queue->count == queue->many);
    apr_thread_mutex_unlock(queue->mutex);
    if (wakes) {
        queue->wake(queue->baton);
    }
    return taken;
}

int fhir_audit_queue_take(fhir_audit_event_t **events, int most, fhir_audit_queue_t *queue)
{
    int taken = 0;
    apr_thread_mutex_lock(queue->mutex);
    for (; taken < most && queue->count > 0; queue->count--) {
        events[taken++] = queue->ring[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
    }
    if (taken > 0 && queue->waiting > 0) {
        apr_thread_cond_broadcast(queue->room);
    }
    apr_thread_mutex_unlock(queue->mutex);
    return taken;
}

int fhir_audit_queue_length(fhir_audit_queue_t *queue)
{
    int count;
    apr_thread_mutex_lock(queue->mutex);
    count = queue->count;
    apr_thread_mutex_unlock(queue->mutex);
    return count;
}

void fhir_audit_queue_close(fhir_audit_queue_t *queue)
{
    apr_thread_mutex_lock(queue->mutex);
    queue->open = 0;
    apr_thread_cond_broadcast(queue->room);
    apr_thread_mutex_unlock(queue->mutex);
}
