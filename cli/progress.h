/* How far a long command is, on standard error: a bar on a terminal, else a line now and then. */
#ifndef FHIR_CLI_PROGRESS_H
#define FHIR_CLI_PROGRESS_H

#include <apr.h>
#include <apr_time.h>

typedef struct fhir_progress_t {
    int is_terminal;
    int is_bytes; /* what is counted: then in B, KiB, MiB ... */
    int is_quiet; /* nothing is shown unless there is a terminal */
    apr_off_t total;
    apr_off_t done;
    apr_time_t started;
    apr_time_t shown; /* last; 0: never */
} fhir_progress_t;

void fhir_progress_begin(fhir_progress_t *progress, apr_off_t total);
void fhir_progress_begin_bytes(fhir_progress_t *progress, apr_off_t total);
/* So many more are done. Shown at most five times a second on a terminal, else every ten seconds. */
void fhir_progress_add(fhir_progress_t *progress, apr_off_t count);
/* Takes the bar away before something else is printed; it comes back with the next step. */
void fhir_progress_hide(fhir_progress_t *progress);
/* The last state stays on the screen. */
void fhir_progress_end(fhir_progress_t *progress);
/* `1.2 GiB`, `17 B`: at most `size` bytes. */
void fhir_progress_size(char *text, apr_size_t size, double bytes);
/* `4500 of 10000 (45 %), 320 a second, 17 s left`, or `1.2 GiB of 4.0 GiB (30 %), 50.0 MiB a second, 58 s left`: at
 * most `size` bytes. */
void fhir_progress_text(char *text, apr_size_t size, const fhir_progress_t *progress, apr_time_t now);

#endif
