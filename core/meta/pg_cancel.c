/* Ending a statement on the server whose answer nobody waits for any more. libpq's PQcancel connects and waits by
 * itself, for ever where the server is silent: so a thread of its own calls it, and is left alone if that takes long.
 * Such threads end with the silence; there are never more than connections. */
#include "pg.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE 300 /* milliseconds */

/* Of the thread and of who waits for it: the last one frees it. */
typedef struct cancel_t {
    PGcancel *cancel;
    int done; /* an event descriptor */
    atomic_int users;
} cancel_t;

static void release(cancel_t *cancel)
{
    if (atomic_fetch_sub(&cancel->users, 1) == 1) {
        PQfreeCancel(cancel->cancel);
        close(cancel->done);
        free(cancel);
    }
}

static void *run(void *data)
{
    cancel_t *cancel = data;
    char ignored[256];
    (void)PQcancel(cancel->cancel, ignored, sizeof(ignored));
    (void)eventfd_write(cancel->done, 1);
    release(cancel);
    return NULL;
}

/* Signals are for the threads of who calls us. */
static int start(cancel_t *cancel)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int failed;
    if (pthread_attr_init(&attributes) != 0) {
        return 0;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &attributes, run, cancel);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

void fhir_pg_cancel(const fhir_pg_connection_t *connection)
{
    cancel_t *cancel = calloc(1, sizeof(*cancel));
    struct pollfd done = {.events = POLLIN};
    if (!cancel) {
        return;
    }
    cancel->cancel = PQgetCancel(connection->handle);
    done.fd = cancel->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&cancel->users, 2);
    if (cancel->cancel && done.fd >= 0 && start(cancel)) {
        (void)poll(&done, 1, PATIENCE);
    } else {
        release(cancel);
    }
    release(cancel);
}
