/* The parser of whole JSON documents: one pass, no recursion, nodes in one array that grows by doubling. */
#include "json_document.h"

#include "json_compare.h"
#include "scan.h"

#include <limits.h>

#define NODES_FIRST 64
#define NODES_OWN_POOL 2048 /* from here on an array gets a pool of its own, to be given back when it is outgrown */
#define MEMBERS_FEW 24      /* up to here doubled names are looked for at once, beyond it when the object is complete */
#define PATH_SHOWN_MAX 200

const fhir_json_limits_t fhir_json_resource_limits = {64, 1000000};

/* An open container. */
typedef struct frame_t {
    int node;
    int last;      /* its newest child, -1: none */
    uint64_t seen; /* a bit for each member name: one that is not set proves a new name */
} frame_t;

typedef struct parser_t {
    apr_pool_t *pool;
    apr_pool_t *nodes_pool; /* NULL: the nodes are in `pool` */
    apr_pool_t *scratch;    /* NULL until needed */
    fhir_json_document_t document;
    const fhir_json_limits_t *limits;
    fhir_json_node_t *nodes;
    int room;
    const char *at;
    const char *end;
    frame_t *frames;
    int depth;
    unsigned key_offset; /* the member that is being read */
    unsigned key_length;
} parser_t;

/* ---- Errors ---- */

/* ", in name[0].family": the place of a node, empty for the root. */
static const char *shown_place(parser_t *parser, int node)
{
    const char *path;
    apr_size_t length;
    if (node <= 0) {
        return "";
    }
    parser->document.nodes = parser->nodes;
    path = fhir_json_path(&parser->document, node, "", parser->pool);
    length = strlen(path);
    if (length <= PATH_SHOWN_MAX) {
        return apr_pstrcat(parser->pool, ", in ", path, NULL);
    }
    for (length = PATH_SHOWN_MAX; ((unsigned char)path[length] & 0xc0) == 0x80; length--) {
    }
    return apr_pstrcat(parser->pool, ", in ", apr_pstrmemdup(parser->pool, path, length), "...", NULL);
}

static fhir_error_t *malformed_at(parser_t *parser, const char *at, int node, const char *why)
{
    return fhir_error_public(parser->pool, FHIR_ERROR_INVALID, "The JSON is not valid at byte %ld%s: %s.",
                             (long)(at - parser->document.text), shown_place(parser, node), why);
}

/* In the innermost open container. */
static fhir_error_t *malformed(parser_t *parser, const char *why)
{
    int node = parser->depth ? parser->frames[parser->depth - 1].node : -1;
    return malformed_at(parser, parser->at, node, parser->at < parser->end ? why : "it ends too early");
}

/* In the value that was begun last. */
static fhir_error_t *malformed_value(parser_t *parser, const char *why)
{
    return malformed_at(parser, parser->at, parser->document.count - 1,
                        parser->at < parser->end ? why : "it ends too early");
}

/* ---- Nodes ---- */

/* Called at the limit and before any allocation. */
static fhir_error_t *grow(parser_t *parser)
{
    int room = parser->room > parser->limits->nodes / 2 ? parser->limits->nodes : parser->room * 2;
    apr_pool_t *pool = NULL;
    fhir_json_node_t *grown;
    if (parser->document.count >= parser->limits->nodes) {
        return fhir_error_public(parser->pool, FHIR_ERROR_INVALID,
                                 "The JSON has more than %d values; send it in smaller parts.", parser->limits->nodes);
    }
    if (room >= NODES_OWN_POOL) {
        apr_pool_create(&pool, parser->pool);
    }
    grown = apr_palloc(pool ? pool : parser->pool, (apr_size_t)room * sizeof(*grown));
    memcpy(grown, parser->nodes, (apr_size_t)parser->room * sizeof(*grown));
    if (parser->nodes_pool) {
        apr_pool_destroy(parser->nodes_pool);
    }
    parser->nodes_pool = pool;
    parser->nodes = grown;
    parser->room = room;
    return NULL;
}

/* The value that begins here becomes the newest child of the open container. */
static fhir_error_t *add_node(parser_t *parser, fhir_json_kind_t kind)
{
    frame_t *frame = parser->depth ? &parser->frames[parser->depth - 1] : NULL;
    int number = parser->document.count;
    fhir_json_node_t *node;
    if (number == parser->room) {
        FHIR_TRY(grow(parser));
    }
    node = &parser->nodes[number];
    node->kind = kind;
    node->offset = (unsigned)(parser->at - parser->document.text);
    node->length = 0;
    node->key_offset = 0;
    node->key_length = 0;
    node->parent = -1;
    node->next = -1;
    node->count = 0;
    parser->document.count++;
    if (frame) {
        fhir_json_node_t *parent = &parser->nodes[frame->node];
        int object = parent->kind == FHIR_JSON_OBJECT;
        node->parent = frame->node;
        node->key_offset = object ? parser->key_offset : (unsigned)parent->count;
        node->key_length = object ? parser->key_length : 0;
        if (frame->last >= 0) {
            parser->nodes[frame->last].next = number;
        }
        frame->last = number;
        parent->count++;
    }
    return NULL;
}

/* ---- Scalars ---- */

static void skip_space(parser_t *parser)
{
    const char *at = parser->at;
    while (at < parser->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    parser->at = at;
}

/* Four hex digits at `at`, -1 if they are none. */
static int hex_code(const char *at, const char *end)
{
    int code = 0;
    int i;
    if (end - at < 4) {
        return -1;
    }
    for (i = 0; i < 4; i++) {
        char digit = at[i];
        char letter = (char)(digit | 0x20);
        if (digit >= '0' && digit <= '9') {
            code = code << 4 | (digit - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            code = code << 4 | (letter - 'a' + 10);
        } else {
            return -1;
        }
    }
    return code;
}

/* \uXXXX; NULL and parser->at past it, or what is wrong. */
static const char *skip_unicode(parser_t *parser)
{
    int code = hex_code(parser->at + 2, parser->end);
    int low;
    if (code < 0) {
        return "\\u needs four hex digits";
    }
    if (code == 0) {
        return "the character U+0000 is not allowed";
    }
    if (code >= 0xdc00 && code <= 0xdfff) {
        return "a low surrogate stands alone";
    }
    parser->at += 6;
    if (code < 0xd800 || code > 0xdbff) {
        return NULL;
    }
    low = parser->end - parser->at >= 6 && parser->at[0] == '\\' && parser->at[1] == 'u'
              ? hex_code(parser->at + 2, parser->end)
              : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        return "a high surrogate is not followed by a low one";
    }
    parser->at += 6;
    return NULL;
}

static const char *skip_escape(parser_t *parser)
{
    char letter = '\0';
    if (parser->end - parser->at >= 2) {
        letter = parser->at[1];
    }
    if (letter == 'u') {
        return skip_unicode(parser);
    }
    if (!letter || !strchr("\"\\/bfnrt", letter)) {
        return "an escape is unknown";
    }
    parser->at += 2;
    return NULL;
}

/* A character outside ASCII. */
static const char *skip_wide(parser_t *parser)
{
    fhir_utf8_t utf8;
    if (!fhir_utf8_lead(&utf8, (unsigned char)*parser->at)) {
        return "the text is not valid UTF-8";
    }
    parser->at++;
    while (utf8.need) {
        if (parser->at == parser->end || !fhir_utf8_step(&utf8, (unsigned char)*parser->at)) {
            return "the text is not valid UTF-8";
        }
        parser->at++;
    }
    return NULL;
}

/* At an opening quote; leaves parser->at past the closing one. Returns NULL or what is wrong. */
static const char *skip_string(parser_t *parser, int *escaped)
{
    const char *wrong = NULL;
    parser->at++;
    while (!wrong) {
        parser->at += fhir_scan_plain(parser->at, (apr_size_t)(parser->end - parser->at), '"', '\\', '"');
        if (parser->at == parser->end) {
            return "it ends too early";
        }
        if (*parser->at == '"') {
            parser->at++;
            return NULL;
        }
        if (*parser->at == '\\') {
            *escaped = 1;
            wrong = skip_escape(parser);
        } else if ((unsigned char)*parser->at < 0x20) {
            wrong = "a control character in a string must be escaped";
        } else {
            wrong = skip_wide(parser);
        }
    }
    return wrong;
}

static const char *digits_end(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return at;
}

/* Past the number that begins at `at`; NULL and *stopped if it is not complete. */
static const char *number_end(const char *at, const char *end, const char **stopped)
{
    const char *digits;
    at += *at == '-';
    digits = at;
    at = at < end && *at == '0' ? at + 1 : digits_end(at, end);
    if (at > digits && at < end && *at == '.') {
        digits = ++at;
        at = digits_end(at, end);
    }
    if (at > digits && at < end && (*at | 0x20) == 'e') {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        at = digits_end(at, end);
    }
    *stopped = at;
    return at > digits ? at : NULL;
}

static fhir_error_t *read_number(parser_t *parser)
{
    const char *stopped;
    const char *end;
    FHIR_TRY(add_node(parser, FHIR_JSON_NUMBER));
    end = number_end(parser->at, parser->end, &stopped);
    parser->at = stopped;
    return end ? NULL : malformed_value(parser, "a number is not complete");
}

static fhir_error_t *read_literal(parser_t *parser, fhir_json_kind_t kind, const char *literal)
{
    apr_size_t length = strlen(literal);
    FHIR_TRY(add_node(parser, kind));
    if ((apr_size_t)(parser->end - parser->at) < length || memcmp(parser->at, literal, length) != 0) {
        return malformed_value(parser, "only true, false, null, numbers, strings, objects and arrays are values");
    }
    parser->at += length;
    return NULL;
}

static fhir_error_t *read_string(parser_t *parser)
{
    const char *wrong;
    int escaped = 0;
    FHIR_TRY(add_node(parser, FHIR_JSON_STRING));
    wrong = skip_string(parser, &escaped);
    return wrong ? malformed_value(parser, wrong) : NULL;
}

static fhir_error_t *read_scalar(parser_t *parser)
{
    int number = parser->document.count;
    switch (parser->at < parser->end ? *parser->at : '\0') {
    case '"':
        FHIR_TRY(read_string(parser));
        break;
    case 't':
        FHIR_TRY(read_literal(parser, FHIR_JSON_TRUE, "true"));
        break;
    case 'f':
        FHIR_TRY(read_literal(parser, FHIR_JSON_FALSE, "false"));
        break;
    case 'n':
        FHIR_TRY(read_literal(parser, FHIR_JSON_NULL, "null"));
        break;
    default:
        if (parser->at == parser->end || (*parser->at != '-' && (*parser->at < '0' || *parser->at > '9'))) {
            return malformed(parser, "a value is missing");
        }
        FHIR_TRY(read_number(parser));
    }
    parser->nodes[number].length = (unsigned)(parser->at - parser->document.text) - parser->nodes[number].offset;
    return NULL;
}

/* ---- Containers ---- */

static fhir_error_t *open_container(parser_t *parser, fhir_json_kind_t kind)
{
    frame_t *frame = &parser->frames[parser->depth];
    if (parser->depth >= parser->limits->depth) {
        return fhir_error_public(parser->pool, FHIR_ERROR_INVALID,
                                 "The JSON is nested more than %d levels deep at byte %ld.", parser->limits->depth,
                                 (long)(parser->at - parser->document.text));
    }
    FHIR_TRY(add_node(parser, kind));
    frame->node = parser->document.count - 1;
    frame->last = -1;
    frame->seen = 0;
    parser->depth++;
    parser->at++;
    return NULL;
}

static fhir_error_t *doubled(parser_t *parser, int object, unsigned key_offset, unsigned key_length)
{
    const char *name = parser->document.text + key_offset + 1;
    apr_size_t length = key_length - 2;
    const char *why = "a member stands twice in one object";
    if (length <= 64 && fhir_scan_plain(name, length, '"', '\\', 0x7f) == length) {
        why = apr_psprintf(parser->pool, "the member \"%.*s\" stands twice in one object", (int)length, name);
    }
    return malformed_at(parser, parser->document.text + key_offset, object, why);
}

/* The names of a large object, all at once. */
static fhir_error_t *check_names(parser_t *parser, int object)
{
    int twin;
    if (parser->nodes[object].count <= MEMBERS_FEW) {
        return NULL;
    }
    if (!parser->scratch) {
        apr_pool_create(&parser->scratch, parser->pool);
    }
    parser->document.nodes = parser->nodes;
    twin = fhir_json_doubled_member(&parser->document, object, parser->scratch);
    apr_pool_clear(parser->scratch);
    return twin < 0 ? NULL : doubled(parser, object, parser->nodes[twin].key_offset, parser->nodes[twin].key_length);
}

static fhir_error_t *close_container(parser_t *parser)
{
    int number = parser->frames[--parser->depth].node;
    fhir_json_node_t *node = &parser->nodes[number];
    parser->at++;
    node->length = (unsigned)(parser->at - parser->document.text) - node->offset;
    return node->kind == FHIR_JSON_OBJECT ? check_names(parser, number) : NULL;
}

/* The new name against those of the object so far. */
static fhir_error_t *check_name(parser_t *parser, frame_t *frame, int escaped)
{
    const unsigned char *name = (const unsigned char *)parser->document.text + parser->key_offset;
    unsigned length = parser->key_length;
    uint64_t bit = (uint64_t)1 << ((name[1] + 7u * name[length / 2] + 13u * name[length - 2] + 29u * length) % 64);
    int child = frame->node + 1;
    int maybe = (frame->seen & bit) != 0 || escaped;
    /* An escaped name has another look than its meaning: from now on every name is compared. */
    frame->seen |= escaped ? UINT64_MAX : bit;
    if (!maybe || frame->last < 0 || parser->nodes[frame->node].count >= MEMBERS_FEW) {
        return NULL;
    }
    for (; child >= 0; child = parser->nodes[child].next) {
        const fhir_json_node_t *node = &parser->nodes[child];
        if (fhir_json_same_string(parser->document.text + node->key_offset, node->key_length, (const char *)name,
                                  length)) {
            return doubled(parser, frame->node, parser->key_offset, length);
        }
    }
    return NULL;
}

/* A member's name and colon. */
static fhir_error_t *read_key(parser_t *parser)
{
    const char *start = parser->at;
    const char *wrong;
    int escaped = 0;
    if (start == parser->end || *start != '"') {
        return malformed(parser, "a member name in double quotes is missing");
    }
    wrong = skip_string(parser, &escaped);
    if (wrong) {
        return malformed(parser, wrong);
    }
    parser->key_offset = (unsigned)(start - parser->document.text);
    parser->key_length = (unsigned)(parser->at - start);
    FHIR_TRY(check_name(parser, &parser->frames[parser->depth - 1], escaped));
    skip_space(parser);
    if (parser->at == parser->end || *parser->at != ':') {
        return malformed(parser, "a colon is missing after a member name");
    }
    parser->at++;
    skip_space(parser);
    return NULL;
}

/* From the end of a value, or from an opening bracket, to the next value; closes what ends on the way. */
static fhir_error_t *next_value(parser_t *parser)
{
    while (parser->depth) {
        frame_t *frame = &parser->frames[parser->depth - 1];
        int object = parser->nodes[frame->node].kind == FHIR_JSON_OBJECT;
        skip_space(parser);
        if (parser->at < parser->end && *parser->at == (object ? '}' : ']')) {
            FHIR_TRY(close_container(parser));
            continue;
        }
        if (frame->last >= 0) {
            if (parser->at == parser->end || *parser->at != ',') {
                int bracket = parser->at < parser->end && (*parser->at == '}' || *parser->at == ']');
                return malformed(parser,
                                 bracket ? "a bracket does not match" : "a comma or a closing bracket is missing");
            }
            parser->at++;
            skip_space(parser);
        }
        return object ? read_key(parser) : NULL;
    }
    return NULL;
}

static fhir_error_t *parse(parser_t *parser)
{
    skip_space(parser);
    if (parser->at == parser->end) {
        return malformed_at(parser, parser->at, -1, parser->document.length ? "it ends too early" : "it is empty");
    }
    if (parser->at == parser->document.text && strchr("\xef\xfe\xff", *parser->at) && *parser->at) {
        return malformed(parser, "it begins with a byte order mark; send UTF-8 without one");
    }
    do {
        char byte = parser->at < parser->end ? *parser->at : '\0';
        if (byte == '{' || byte == '[') {
            FHIR_TRY(open_container(parser, byte == '{' ? FHIR_JSON_OBJECT : FHIR_JSON_ARRAY));
        } else {
            FHIR_TRY(read_scalar(parser));
        }
        FHIR_TRY(next_value(parser));
    } while (parser->depth);
    skip_space(parser);
    return parser->at < parser->end ? malformed(parser, "something follows the end of the value") : NULL;
}

fhir_error_t *fhir_json_parse(const fhir_json_document_t **document, const char *text, apr_size_t length,
                              const fhir_json_limits_t *limits, apr_pool_t *pool)
{
    parser_t parser;
    fhir_json_document_t *made;
    if (length > INT_MAX) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "The JSON has 2 GiB or more; send it in smaller parts.");
    }
    memset(&parser, 0, sizeof(parser));
    parser.pool = pool;
    parser.limits = limits;
    parser.document.text = text;
    parser.document.length = length;
    parser.at = text;
    parser.end = text + length;
    parser.room = limits->nodes < NODES_FIRST ? limits->nodes : NODES_FIRST;
    parser.nodes = apr_palloc(pool, (apr_size_t)parser.room * sizeof(*parser.nodes));
    parser.frames = apr_palloc(pool, (apr_size_t)limits->depth * sizeof(*parser.frames));
    FHIR_TRY(parse(&parser));
    made = apr_pmemdup(pool, &parser.document, sizeof(parser.document));
    made->nodes = parser.nodes;
    *document = made;
    return NULL;
}
