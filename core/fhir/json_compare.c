/* Comparison of JSON values by RFC 6902 section 4.6; members are matched by sorting, so that large objects cost n log
 * n.
 */
#include "json_compare.h"

#include "json_text.h"

#include <apr_tables.h>
#include <stdlib.h>
#include <string.h>

/* ---- Strings ---- */

/* Reads a string byte by byte, escapes decoded. */
typedef struct cursor_t {
    const char *at;
    const char *end; /* before the closing quote */
    char decoded[4];
    int count;
    int taken;
} cursor_t;

static void cursor_init(cursor_t *cursor, const char *string, apr_size_t length)
{
    memset(cursor, 0, sizeof(*cursor));
    cursor->at = string + 1;
    cursor->end = string + length - 1;
}

/* The next byte, -1 at the end. */
static int cursor_next(cursor_t *cursor)
{
    char *out = cursor->decoded;
    if (cursor->taken < cursor->count) {
        return (unsigned char)cursor->decoded[cursor->taken++];
    }
    if (cursor->at >= cursor->end) {
        return -1;
    }
    if (*cursor->at != '\\') {
        return (unsigned char)*cursor->at++;
    }
    cursor->at = fhir_json_decode_escape(cursor->at, cursor->end, &out);
    if (!cursor->at) { /* never: the text was checked */
        cursor->at = cursor->end;
        return -1;
    }
    cursor->count = (int)(out - cursor->decoded);
    cursor->taken = 1;
    return (unsigned char)cursor->decoded[0];
}

int fhir_json_same_string(const char *a, apr_size_t a_length, const char *b, apr_size_t b_length)
{
    cursor_t a_cursor;
    cursor_t b_cursor;
    int byte;
    if (a_length == b_length && memcmp(a, b, a_length) == 0) {
        return 1;
    }
    if (!memchr(a, '\\', a_length) && !memchr(b, '\\', b_length)) {
        return 0;
    }
    cursor_init(&a_cursor, a, a_length);
    cursor_init(&b_cursor, b, b_length);
    do {
        byte = cursor_next(&a_cursor);
        if (byte != cursor_next(&b_cursor)) {
            return 0;
        }
    } while (byte >= 0);
    return 1;
}

/* ---- Sorted members ---- */

typedef struct member_t {
    const char *name; /* as sent, with its quotes */
    unsigned length;
    unsigned hash; /* of the decoded name */
    int node;
} member_t;

static unsigned hash_name(const char *name, apr_size_t length)
{
    unsigned hash = 2166136261u;
    cursor_t cursor;
    int byte;
    cursor_init(&cursor, name, length);
    while ((byte = cursor_next(&cursor)) >= 0) {
        hash = (hash ^ (unsigned)byte) * 16777619u;
    }
    return hash;
}

/* Any order of decoded names will do, as long as equal ones are neighbours. */
static int compare_names(const member_t *a, const member_t *b)
{
    cursor_t a_cursor;
    cursor_t b_cursor;
    int a_byte;
    int b_byte;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    cursor_init(&a_cursor, a->name, a->length);
    cursor_init(&b_cursor, b->name, b->length);
    do {
        a_byte = cursor_next(&a_cursor);
        b_byte = cursor_next(&b_cursor);
    } while (a_byte == b_byte && a_byte >= 0);
    return a_byte < b_byte ? -1 : a_byte > b_byte;
}

/* Doubles in the order of the text. */
static int compare_members(const void *a, const void *b)
{
    const member_t *a_member = a;
    const member_t *b_member = b;
    int order = compare_names(a_member, b_member);
    return order ? order : a_member->node < b_member->node ? -1 : a_member->node > b_member->node;
}

static member_t *sorted_members(const fhir_json_document_t *document, int object, apr_pool_t *scratch)
{
    int count = document->nodes[object].count;
    member_t *members = apr_palloc(scratch, (apr_size_t)count * sizeof(*members));
    int child = fhir_json_first(document, object);
    int i;
    for (i = 0; i < count; i++, child = document->nodes[child].next) {
        const fhir_json_node_t *node = &document->nodes[child];
        members[i].name = document->text + node->key_offset;
        members[i].length = node->key_length;
        members[i].hash = hash_name(members[i].name, members[i].length);
        members[i].node = child;
    }
    qsort(members, (size_t)count, sizeof(*members), compare_members);
    return members;
}

int fhir_json_doubled_member(const fhir_json_document_t *document, int object, apr_pool_t *scratch)
{
    const member_t *members = sorted_members(document, object, scratch);
    int first = -1;
    int i;
    for (i = 1; i < document->nodes[object].count; i++) {
        if (compare_names(&members[i - 1], &members[i]) == 0 && (first < 0 || members[i].node < first)) {
            first = members[i].node;
        }
    }
    return first;
}

/* ---- Values ---- */

/* Values that remain to be compared. */
typedef struct pair_t {
    int a;
    int b;
} pair_t;

typedef struct comparison_t {
    const fhir_json_document_t *a;
    const fhir_json_document_t *b;
    apr_pool_t *scratch;
    apr_array_header_t *pairs;
} comparison_t;

static void push(comparison_t *comparison, int a, int b)
{
    pair_t *pair = apr_array_push(comparison->pairs);
    pair->a = a;
    pair->b = b;
}

static void push_items(comparison_t *comparison, int a, int b)
{
    int a_item = fhir_json_first(comparison->a, a);
    int b_item = fhir_json_first(comparison->b, b);
    while (a_item >= 0) {
        push(comparison, a_item, b_item);
        a_item = comparison->a->nodes[a_item].next;
        b_item = comparison->b->nodes[b_item].next;
    }
}

static int same_key(const comparison_t *comparison, int a, int b)
{
    const fhir_json_node_t *a_node = &comparison->a->nodes[a];
    const fhir_json_node_t *b_node = &comparison->b->nodes[b];
    return fhir_json_same_string(comparison->a->text + a_node->key_offset, a_node->key_length,
                                 comparison->b->text + b_node->key_offset, b_node->key_length);
}

/* Both sorted: the i-th name of one must be the i-th of the other. */
static int push_sorted_members(comparison_t *comparison, int a, int b)
{
    apr_pool_t *pool;
    const member_t *a_members;
    const member_t *b_members;
    int count = comparison->a->nodes[a].count;
    int i;
    apr_pool_create(&pool, comparison->scratch);
    a_members = sorted_members(comparison->a, a, pool);
    b_members = sorted_members(comparison->b, b, pool);
    for (i = 0; i < count && compare_names(&a_members[i], &b_members[i]) == 0; i++) {
        push(comparison, a_members[i].node, b_members[i].node);
    }
    apr_pool_destroy(pool);
    return i == count;
}

/* Mostly the members stand in the same order. */
static int push_members(comparison_t *comparison, int a, int b)
{
    int pushed = comparison->pairs->nelts;
    int a_member = fhir_json_first(comparison->a, a);
    int b_member = fhir_json_first(comparison->b, b);
    while (a_member >= 0 && same_key(comparison, a_member, b_member)) {
        push(comparison, a_member, b_member);
        a_member = comparison->a->nodes[a_member].next;
        b_member = comparison->b->nodes[b_member].next;
    }
    if (a_member < 0) {
        return 1;
    }
    comparison->pairs->nelts = pushed;
    return push_sorted_members(comparison, a, b);
}

static int same_pair(comparison_t *comparison, pair_t pair)
{
    const fhir_json_node_t *a = &comparison->a->nodes[pair.a];
    const fhir_json_node_t *b = &comparison->b->nodes[pair.b];
    const char *a_text = comparison->a->text + a->offset;
    const char *b_text = comparison->b->text + b->offset;
    if (a->kind != b->kind || a->count != b->count) {
        return 0;
    }
    switch (a->kind) {
    case FHIR_JSON_OBJECT:
        return push_members(comparison, pair.a, pair.b);
    case FHIR_JSON_ARRAY:
        push_items(comparison, pair.a, pair.b);
        return 1;
    case FHIR_JSON_STRING:
        return fhir_json_same_string(a_text, a->length, b_text, b->length);
    case FHIR_JSON_NUMBER:
        return fhir_json_same_number(a_text, a->length, b_text, b->length);
    default:
        return 1;
    }
}

int fhir_json_same(const fhir_json_document_t *a, int a_node, const fhir_json_document_t *b, int b_node,
                   apr_pool_t *scratch)
{
    comparison_t comparison;
    comparison.a = a;
    comparison.b = b;
    comparison.scratch = scratch;
    comparison.pairs = apr_array_make(scratch, 64, sizeof(pair_t));
    push(&comparison, a_node, b_node);
    while (comparison.pairs->nelts > 0) {
        pair_t pair = *(pair_t *)apr_array_pop(comparison.pairs);
        if (!same_pair(&comparison, pair)) {
            return 0;
        }
    }
    return 1;
}
