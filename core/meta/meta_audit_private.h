/* Rows of audit events. Private to core/meta. */
#ifndef FHIR_META_AUDIT_PRIVATE_H
#define FHIR_META_AUDIT_PRIVATE_H

#include "audit.h"
#include "pg.h"

/* Makes of audit_event.def, behind "sequence", the columns of a row as a statement reads it; then comes ", hash". */
#define FHIR_AUDIT_FIELD(kind, member, sql_type) ", " #member

/* "sequence, id, ..., hash". */
extern const char fhir_pg_audit_columns[];
fhir_audit_event_t *fhir_pg_audit_event(const PGresult *result, int row, apr_pool_t *pool);

#endif
