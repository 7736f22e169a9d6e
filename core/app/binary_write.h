/* Writes of Binaries as parts of a transaction: everything up to the database's last word. Private to core/app. */
#ifndef FHIR_APP_BINARY_WRITE_H
#define FHIR_APP_BINARY_WRITE_H

#include "exchange.h"

typedef struct fhir_binary_write_t fhir_binary_write_t;

/* Access, preconditions and body of the create, update or delete that `exchange` asks for. The object is in the store,
 * still pending; on failure nothing is left. Then fhir_transaction_write_binary with the change, and one of the two
 * below. */
fhir_error_t *fhir_binary_write_prepare(fhir_binary_write_t **write, fhir_exchange_t *exchange,
                                        fhir_change_kind_t kind) FHIR_MUST_CHECK;
/* Bytes of the security context's text that it holds until its end, refused or not. */
apr_size_t fhir_binary_write_held(const fhir_binary_write_t *write);
const fhir_version_change_t *fhir_binary_write_change(const fhir_binary_write_t *write);
/* The transaction made `binary`: what is answered for it. */
fhir_error_t *fhir_binary_write_answer(fhir_response_t **response, fhir_binary_write_t *write,
                                       const fhir_binary_t *binary) FHIR_MUST_CHECK;
/* The transaction was surely rolled back: removes the object. Never when that is unknown. */
void fhir_binary_write_discard(fhir_binary_write_t *write);

#endif
