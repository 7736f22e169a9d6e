/* Events on their way to the thread that writes them: a ring that does not grow. Private to core/app. */
#ifndef FHIR_APP_AUDIT_QUEUE_H
#define FHIR_APP_AUDIT_QUEUE_H

#include "../fhir/audit_event.h"

typedef struct fhir_audit_queue_t fhir_audit_queue_t;

fhir_error_t *fhir_audit_queue_create(fhir_audit_queue_t **queue, int capacity, apr_pool_t *pool) FHIR_MUST_CHECK;
/* `wake` is called when events come to an empty queue, and again when there are `many`. Until then nobody takes, and
 * put gives 0. */
void fhir_audit_queue_open(fhir_audit_queue_t *queue, int many, void (*wake)(void *baton), void *baton);
/* Takes the event, which is a block of malloc, over. 0: nobody will take it, or no room until `until`. */
int fhir_audit_queue_put(fhir_audit_queue_t *queue, fhir_audit_event_t *event, apr_time_t until);
/* At most `most` of the oldest, now. Gives how many. They are the caller's then. */
int fhir_audit_queue_take(fhir_audit_event_t **events, int most, fhir_audit_queue_t *queue);
int fhir_audit_queue_length(fhir_audit_queue_t *queue);
/* Nothing is put any more; what is there can be taken. */
void fhir_audit_queue_close(fhir_audit_queue_t *queue);

#endif
