/* From finished events to the database and the stream. Private to core/app. */
#ifndef FHIR_APP_AUDIT_WRITER_H
#define FHIR_APP_AUDIT_WRITER_H

#include "../fhir/audit_event.h"
#include "../meta/meta.h"
#include "audit.h"

typedef struct fhir_audit_writer_t fhir_audit_writer_t;

/* Part of an application; events wait for nobody yet. */
fhir_error_t *fhir_audit_writer_create(fhir_audit_writer_t **writer, fhir_meta_t *meta, const fhir_settings_t *settings,
                                       const fhir_log_t *log, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Copies the event, which needs no id yet. Waits until `until` where the queue is full. `pool` is the caller's. */
void fhir_audit_add(fhir_audit_writer_t *writer, const fhir_audit_event_t *event, apr_time_t until, apr_pool_t *pool);
/* This machine's name, for events. */
const char *fhir_audit_source(const fhir_audit_writer_t *writer);

#endif
