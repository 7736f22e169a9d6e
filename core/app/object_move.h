/* Moving objects from one store to another while the server runs: each is copied, read back, compared with its row, and
 * switched to; what it leaves behind is removed when readers have had time. May be killed at any point and run twice at
 * once. See docs/ARCHITECTURE.md, section 13. */
#ifndef FHIR_APP_OBJECT_MOVE_H
#define FHIR_APP_OBJECT_MOVE_H

#include "copy_sweep.h"

typedef struct fhir_move_t {
    fhir_object_job_t *job;
    const char *from;
    const char *to;
    const char *project_id;    /* NULL: all */
    apr_interval_time_t grace; /* between the switch and the removal */
    /* Told as it goes; may be NULL. `wrong`: an object that can't be moved, and stays. `read`: bytes of
     * the source; the target is read once more to check it. `waiting`: for what is left over, or another run. */
    void (*begun)(void *baton, apr_off_t objects, apr_off_t bytes);
    void (*read)(void *baton, apr_off_t bytes);
    void (*moved)(void *baton, const fhir_content_t *content);
    void (*wrong)(void *baton, const fhir_content_t *content, const char *what, const char *detail);
    void (*waiting)(void *baton, const fhir_copies_left_t *left);
    void *baton;
    /* Out. */
    apr_off_t moved_objects;
    apr_off_t moved_bytes;
    apr_off_t wrong_objects;
    apr_off_t removed; /* left over copies */
    apr_off_t kept;    /* left over copies that could not be removed now */
    const char *why_kept;
    apr_off_t others;    /* copies that another run works on, or whose removal is not due */
    apr_off_t remaining; /* objects in `from`, of the project */
} fhir_move_t;

fhir_error_t *fhir_objects_move(fhir_move_t *move, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
