/* Reading the bytes of a version while they may be moved to another store. */
#ifndef FHIR_APP_CONTENT_READER_H
#define FHIR_APP_CONTENT_READER_H

#include "../meta/object_copy.h"
#include "exchange.h"

typedef struct fhir_content_reader_t fhir_content_reader_t;

/* [offset, offset + length) of the object. What is not where `content` says is looked for where its row says now: it
 * may just have been moved. Closed with the exchange's pool. */
fhir_error_t *fhir_content_open(fhir_content_reader_t **reader, const fhir_exchange_t *exchange,
                                const fhir_content_t *content, apr_off_t offset, apr_off_t length) FHIR_MUST_CHECK;
/* The same, but opened by the first read: for what is sent later. */
fhir_content_reader_t *fhir_content_later(const fhir_exchange_t *exchange, const fhir_content_t *content,
                                          apr_off_t offset, apr_off_t length);
/* NULL file if this store streams. A file that is open stays readable when its object is moved. */
fhir_error_t *fhir_content_file(apr_file_t **file, apr_off_t *offset, fhir_content_reader_t *reader) FHIR_MUST_CHECK;
/* Is a fhir_stream_fn of core/http/response.h (baton is the reader). A stream that breaks because its object was moved
 * goes on at the new place. */
fhir_error_t *fhir_content_read(void *reader, char *buffer, apr_size_t *length) FHIR_MUST_CHECK;

#endif
