/* One UTF-8 sequence at a time; private to core/base and core/http. */
#ifndef FHIR_BASE_UTF8_H
#define FHIR_BASE_UTF8_H

#include <apr.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at the start of `bytes` (1 to 4), 0 if there is none: overlong forms, surrogates,
 * values above U+10FFFF and truncated sequences. *code_point may be NULL. */
apr_size_t fhir_utf8_sequence(uint32_t *code_point, const char *bytes, apr_size_t length);

/* Writes the UTF-8 form of a Unicode scalar value, 1 to 4 bytes; 0 for a value that is none. */
apr_size_t fhir_utf8_write(char bytes[4], uint32_t code_point);

#endif
