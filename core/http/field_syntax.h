/* The building blocks of field values (RFC 9110 section 5.6): tokens, blanks, quoted strings, lists. Private. */
#ifndef FHIR_HTTP_FIELD_SYNTAX_H
#define FHIR_HTTP_FIELD_SYNTAX_H

#include <apr_pools.h>

int fhir_is_token_character(char character);
/* Behind blanks and tabs. */
const char *fhir_skip_blanks(const char *at);
/* How many token characters start at `at`. */
apr_size_t fhir_token_length(const char *at);
/* `at` is a quote. *value, if wanted, is the content without quotes and escapes; gives what follows the closing quote,
 * NULL if there is none or a control character is inside. */
const char *fhir_quoted_string(const char **value, const char *at, apr_pool_t *pool);
/* 1 if the `length` bytes at `text` are `name` in any case. */
int fhir_is_name(const char *text, apr_size_t length, const char *name);
/* The value without blanks around it, in `pool`. */
const char *fhir_trimmed(const char *text, apr_size_t length, apr_pool_t *pool);
/* The end of the list element at `at`: the next comma outside of quoted strings, or the end of the text. */
const char *fhir_element_end(const char *at);
/* Lower case of ASCII letters, in `pool`; independent of the locale. */
char *fhir_lower(const char *text, apr_size_t length, apr_pool_t *pool);

#endif
