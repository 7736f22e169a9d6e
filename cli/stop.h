/* A long command that ends in order when a signal asks for it. */
#ifndef FHIR_CLI_STOP_H
#define FHIR_CLI_STOP_H

#include <signal.h>

typedef struct fhir_stop_t {
    sigset_t signals; /* that are waited for */
    int asked;
} fhir_stop_t;

/* From now on SIGINT, SIGTERM and SIGHUP wait until they are asked for; those that are ignored stay so. */
void fhir_stop_init(fhir_stop_t *stop);
/* 1: one of them came. Another one ends the process at once. */
int fhir_stop_asked(fhir_stop_t *stop);

#endif
