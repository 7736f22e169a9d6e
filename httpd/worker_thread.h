/* Threads of a child beside those that serve requests: started after the fork, told to stop and waited for when the
 * child ends. */
#ifndef FHIR_HTTPD_WORKER_THREAD_H
#define FHIR_HTTPD_WORKER_THREAD_H

#include "glue.h"

typedef struct fhir_worker_thread_t fhir_worker_thread_t;
/* What the thread does; it returns soon after fhir_worker_thread_is_stopping says so. `pool` is the thread's own, for
 * sub-pools that it makes and destroys. */
typedef void (*fhir_worker_thread_fn)(fhir_worker_thread_t *thread, void *baton, apr_pool_t *pool);

/* In child_init. The thread gets no signals. When pchild is destroyed it is told to stop and waited for, before
 * anything that lives in pchild's sub-pools goes. */
apr_status_t fhir_worker_thread_start(fhir_worker_thread_t **thread, fhir_worker_thread_fn work, void *baton,
                                      apr_pool_t *pchild);
/* Any thread may ask. `thread` is a fhir_worker_thread_t, so that this can be handed to the core as a callback. */
int fhir_worker_thread_is_stopping(void *thread);
/* Called by the thread itself: returns after `time`, and earlier if somebody wakes or stops it. */
void fhir_worker_thread_pause_for(fhir_worker_thread_t *thread, apr_interval_time_t time);
/* Any thread: ends the pause, or the next one if there is none now. */
void fhir_worker_thread_wake(fhir_worker_thread_t *thread);
/* Doesn't wait. For threads that shall begin nothing once the child is ending gracefully. */
void fhir_worker_thread_tell_to_stop(fhir_worker_thread_t *thread);
/* Readable when the thread was woken or told to stop: for threads that wait for something else at the same time. */
int fhir_worker_thread_descriptor(const fhir_worker_thread_t *thread);

#endif
