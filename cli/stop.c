/* Signals that are fetched instead of handled: so nothing is shared with a handler. */
#include "stop.h"

#include <stddef.h>
#include <time.h>

void fhir_stop_init(fhir_stop_t *stop)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    size_t i;
    stop->asked = 0;
    sigemptyset(&stop->signals);
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction now;
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) { /* as nohup has it */
            sigaddset(&stop->signals, signals[i]);
        }
    }
    pthread_sigmask(SIG_BLOCK, &stop->signals, NULL);
}

int fhir_stop_asked(fhir_stop_t *stop)
{
    const struct timespec at_once = {0, 0};
    if (!stop->asked && sigtimedwait(&stop->signals, NULL, &at_once) > 0) {
        stop->asked = 1;
        pthread_sigmask(SIG_UNBLOCK, &stop->signals, NULL);
    }
    return stop->asked;
}
