/* A JSON document held in memory whole: where each value lies in its text. Nothing is converted: numbers, escapes and
 * white space stay as they were sent, and whoever changes a document edits its text (json_edit.h).
 *
 * Threading: immutable once parsed. Ownership: nodes live in the pool; the text is the caller's and must outlive them.
 */
#ifndef FHIR_FHIR_JSON_DOCUMENT_H
#define FHIR_FHIR_JSON_DOCUMENT_H

#include "../base/text.h"

typedef enum fhir_json_kind_t {
    FHIR_JSON_OBJECT = 1,
    FHIR_JSON_ARRAY,
    FHIR_JSON_STRING,
    FHIR_JSON_NUMBER,
    FHIR_JSON_TRUE,
    FHIR_JSON_FALSE,
    FHIR_JSON_NULL
} fhir_json_kind_t;

/* Node 0 is the document's value; a container's children follow it in order, before its next sibling. */
typedef struct fhir_json_node_t {
    fhir_json_kind_t kind;
    unsigned offset; /* of the value in the text, quotes and brackets included */
    unsigned length;
    union {
        unsigned key_offset; /* of the member's name, quotes included */
        unsigned index;      /* in an array: which item it is */
    };
    unsigned key_length; /* of the name; 0 in arrays and for node 0 */
    int parent;          /* -1: none */
    int next;            /* next sibling, -1: none */
    int count;           /* children of a container */
} fhir_json_node_t;

typedef struct fhir_json_document_t {
    const char *text;
    apr_size_t length;
    const fhir_json_node_t *nodes;
    int count; /* of nodes */
} fhir_json_document_t;

typedef struct fhir_json_limits_t {
    int depth; /* containers in each other */
    int nodes; /* values in all */
} fhir_json_limits_t;
extern const fhir_json_limits_t fhir_json_resource_limits; /* depth 64, nodes 1,000,000 */

/* RFC 8259, strictly: one value, UTF-8 without a byte order mark, no doubled member names, no lone surrogate escapes,
 * no U+0000. INVALID with a sentence that says where (member path and byte) otherwise; also for a text of 2 GiB. */
fhir_error_t *fhir_json_parse(const fhir_json_document_t **document, const char *text, apr_size_t length,
                              const fhir_json_limits_t *limits, apr_pool_t *pool) FHIR_MUST_CHECK;

/* First child of a container, -1: none. The others: nodes[child].next. */
int fhir_json_first(const fhir_json_document_t *document, int node);
/* The member of an object; -1: no such member, or `object` is -1 or no object. */
int fhir_json_member(const fhir_json_document_t *document, int object, const char *name);
/* 1 if the member at `node` has this name, escapes decoded. */
int fhir_json_named(const fhir_json_document_t *document, int node, const char *name);
/* The member's name, decoded; NULL in arrays. */
const char *fhir_json_name(const fhir_json_document_t *document, int node, apr_pool_t *pool);
/* A string, decoded; NULL if `node` is -1 or no string. */
const char *fhir_json_string(const fhir_json_document_t *document, int node, apr_pool_t *pool);
/* 1 if the string at `node` is this text, escapes decoded. */
int fhir_json_equals(const fhir_json_document_t *document, int node, const char *text);
/* The value's text as sent, for numbers and whole subtrees. */
const char *fhir_json_raw(const fhir_json_document_t *document, int node, apr_pool_t *pool);
/* Where it is, for people: `Patient.photo[0].url`. The name of node 0 is `root`. */
const char *fhir_json_path(const fhir_json_document_t *document, int node, const char *root, apr_pool_t *pool);
/* Same value by RFC 6902 section 4.6: member order, escapes and number notation (1.0 = 1.00) do not matter. */
int fhir_json_same(const fhir_json_document_t *a, int a_node, const fhir_json_document_t *b, int b_node,
                   apr_pool_t *scratch);

#endif
