/* Looking up the fields of a request. */
#include "request.h"
#include "../base/text.h"

#include <strings.h>

static int next_field(const apr_array_header_t *fields, int from, const char *name)
{
    const apr_table_entry_t *entries = (const apr_table_entry_t *)(const void *)fields->elts;
    for (; from < fields->nelts; from++) {
        if (entries[from].key && strcasecmp(entries[from].key, name) == 0) {
            return from;
        }
    }
    return -1;
}

const char *fhir_request_header(const fhir_request_t *request, const char *name)
{
    const apr_array_header_t *fields = request->headers ? apr_table_elts(request->headers) : NULL;
    const apr_table_entry_t *entries;
    fhir_text_t joined;
    int at = fields ? next_field(fields, 0, name) : -1;
    int next = at < 0 ? -1 : next_field(fields, at + 1, name);
    if (at < 0) {
        return NULL;
    }
    entries = (const apr_table_entry_t *)(const void *)fields->elts;
    if (next < 0) {
        return entries[at].val;
    }
    fhir_text_init(&joined, request->pool);
    fhir_text_add(&joined, entries[at].val);
    for (; next >= 0; next = next_field(fields, next + 1, name)) {
        fhir_text_add(&joined, ", ");
        fhir_text_add(&joined, entries[next].val);
    }
    return joined.text;
}

int fhir_request_header_count(const fhir_request_t *request, const char *name)
{
    const apr_array_header_t *fields = request->headers ? apr_table_elts(request->headers) : NULL;
    int count = 0;
    int at;
    for (at = fields ? next_field(fields, 0, name) : -1; at >= 0; at = next_field(fields, at + 1, name)) {
        count++;
    }
    return count;
}
