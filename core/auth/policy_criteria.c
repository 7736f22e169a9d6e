/* Criteria of access policies: "Patient?_compartment=%patient". The text is taken apart first, then parameters are put
 * into the pieces, and each piece is read alone: a parameter's value can't become syntax.
 */
#include "policy_private.h"

#include <string.h>

typedef struct reader_t {
    const char *type;
    const apr_array_header_t *parameters; /* of fhir_parameter_t */
    const fhir_addresses_t *addresses;
    apr_pool_t *pool;
    const char *name;            /* of the condition at hand */
    fhir_criterion_t *criterion; /* NULL: it has no value yet */
    int values;                  /* of all conditions */
    fhir_text_t used;            /* fhir_policy_criteria_t.parameters */
} reader_t;

/* One of the comma-separated values. */
typedef struct piece_t {
    fhir_text_t text;    /* as a search reads it: what a parameter gave is escaped */
    int substitutions;   /* parameters in it */
    const char *value;   /* that the last one gave */
    apr_size_t begins;   /* where that stands in `text` ... */
    apr_size_t ends;     /* ... and what follows it */
    int after_backslash; /* the last literal byte is a backslash that escapes what follows */
} piece_t;

#define INVALID(...) fhir_error_public(reader->pool, FHIR_ERROR_INVALID, __VA_ARGS__)

/* ---- parameters ---- */

static int is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static int is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static apr_size_t name_length(const char *at)
{
    apr_size_t length = 0;
    if (is_letter(*at)) {
        while (is_letter(at[length]) || is_digit(at[length]) || at[length] == '_') {
            length++;
        }
    }
    return length;
}

static const fhir_parameter_t *find_parameter(const reader_t *reader, const char *name, apr_size_t length)
{
    int i;
    for (i = 0; length > 0 && i < reader->parameters->nelts; i++) {
        const fhir_parameter_t *parameter = &APR_ARRAY_IDX(reader->parameters, i, fhir_parameter_t);
        if (strlen(parameter->name) == length && memcmp(parameter->name, name, length) == 0) {
            return parameter;
        }
    }
    return NULL;
}

/* 1 if `at` begins with the word and it ends there. */
static int is_suffix(const char *at, const char *word)
{
    apr_size_t length = strlen(word);
    return strncmp(at, word, length) == 0 && !is_letter(at[length]) && !is_digit(at[length]) && at[length] != '_';
}

static void add_escaped(fhir_text_t *text, const char *value)
{
    for (; *value; value++) {
        if (strchr("\\,|$", *value)) {
            fhir_text_add(text, "\\");
        }
        fhir_text_add_bytes(text, value, 1);
    }
}

static fhir_error_t *substitute(piece_t *piece, reader_t *reader, const fhir_parameter_t *parameter, int id_only)
{
    const char *value = parameter->value;
    if (id_only) {
        const char *slash = strchr(value, '/');
        value = slash && fhir_id_valid(slash + 1) ? slash + 1 : "";
    }
    if (!*value) {
        return INVALID("The parameter %%%s has no value that could stand there; give it one in "
                       "ProjectMembership.access.parameter.",
                       parameter->name);
    }
    if (piece->after_backslash) {
        return INVALID("There is a backslash before %%%s; remove it, values of parameters need no escapes.",
                       parameter->name);
    }
    piece->substitutions++;
    piece->value = value;
    piece->begins = piece->text.length;
    add_escaped(&piece->text, value);
    piece->ends = piece->text.length;
    fhir_text_addf(&reader->used, "%s%%%s is %s", reader->used.length > 0 ? ", " : "", parameter->name,
                   parameter->value);
    return NULL;
}

/* ---- values from parameters, by the kind of search parameter ---- */

static int is_plain_url(const char *text)
{
    static const char *const schemes[] = {"http://", "https://", "urn:uuid:", "urn:oid:"};
    apr_size_t i;
    if (text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/")] ||
        strstr(text, "/_history")) {
        return 0;
    }
    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0) {
            return 1;
        }
    }
    return 0;
}

static int is_type_and_id(const char *text, apr_pool_t *pool)
{
    apr_size_t length = strcspn(text, "/");
    return text[length] == '/' && fhir_id_valid(text + length + 1) &&
           fhir_resource_type_known(apr_pstrmemdup(pool, text, length));
}

/* `%patient`, or `Patient/%id`. A version or a part of a path in it would name another resource than it says. */
static int is_safe_reference(const piece_t *piece, const reader_t *reader)
{
    if (piece->substitutions != 1 || piece->ends != piece->text.length) {
        return 0;
    }
    if (piece->begins > 0) {
        return piece->text.text[piece->begins - 1] == '/' && fhir_id_valid(piece->value);
    }
    return is_type_and_id(piece->value, reader->pool) || is_plain_url(piece->value) ||
           (fhir_id_valid(piece->value) && strcmp(reader->name, "_compartment") != 0);
}

/* `%day` or `ge%day`, where %day is a date by itself. */
static int is_safe_date(const piece_t *piece)
{
    apr_time_t low;
    apr_time_t high;
    return piece->substitutions == 1 && piece->ends == piece->text.length &&
           (piece->begins == 0 || piece->begins == 2) && fhir_date_range(&low, &high, piece->value);
}

static fhir_error_t *check_substituted(const piece_t *piece, const fhir_criterion_t *criterion, const reader_t *reader)
{
    const fhir_search_value_t *value = &APR_ARRAY_IDX(criterion->values, 0, fhir_search_value_t);
    int safe = 1;
    if (criterion->modifier == FHIR_MODIFIER_MISSING) {
        return INVALID("After :missing write true or false, no parameter.");
    }
    if (piece->text.length > FHIR_INDEX_TEXT_MAX) {
        return INVALID("The value of `%s` is longer than what is compared; shorten it.", reader->name);
    }
    if (criterion->type == FHIR_SEARCH_REFERENCE && criterion->modifier == FHIR_MODIFIER_NONE) {
        safe = is_safe_reference(piece, reader);
    } else if (criterion->type == FHIR_SEARCH_DATE) {
        safe = is_safe_date(piece);
    } else if (piece->begins == 0 && piece->ends == piece->text.length && piece->substitutions == 1) {
        safe = !value->system; /* nothing in it became a system */
    }
    return safe ? NULL
                : INVALID("`%s` can't take this value of a parameter: a reference needs Type/id, a date a whole date "
                          "without prefix.",
                          reader->name);
}

/* ---- pieces ---- */

static void begin_piece(piece_t *piece, apr_pool_t *pool)
{
    memset(piece, 0, sizeof(*piece));
    fhir_text_init(&piece->text, pool);
}

static fhir_error_t *check_piece(const piece_t *piece, const reader_t *reader)
{
    if (piece->text.length == 0) {
        return INVALID("`%s` has an empty value; write one or remove it.", reader->name);
    }
    if (!fhir_utf8_valid(piece->text.text, piece->text.length)) {
        return INVALID("A value of `%s` is not UTF-8; if it holds a %%parameter, that is not given.", reader->name);
    }
    if (reader->values >= FHIR_POLICY_VALUES_MAX) {
        return INVALID("There are over %d values; split the entry into several.", FHIR_POLICY_VALUES_MAX);
    }
    return NULL;
}

/* What was read of a piece joins the values of its condition. */
static fhir_error_t *end_piece(piece_t *piece, reader_t *reader)
{
    fhir_criterion_t read;
    const fhir_search_value_t *value;
    FHIR_TRY(check_piece(piece, reader));
    FHIR_TRY(fhir_criterion_read(&read, reader->type, reader->name, piece->text.text, reader->addresses, reader->pool));
    value = &APR_ARRAY_IDX(read.values, 0, fhir_search_value_t);
    if (read.values->nelts != 1) {
        return INVALID("A value of `%s` is not one value; escape its commas.", reader->name);
    }
    if (read.type == FHIR_SEARCH_DATE && read.modifier == FHIR_MODIFIER_NONE && value->prefix == FHIR_PREFIX_AP) {
        return INVALID("`ap` means something else each day; write bounds with ge and le.");
    }
    if (piece->substitutions > 0) {
        FHIR_TRY(check_substituted(piece, &read, reader));
    }
    if (reader->criterion->values) {
        APR_ARRAY_PUSH(reader->criterion->values, fhir_search_value_t) = *value;
    } else {
        *reader->criterion = read;
    }
    reader->values++;
    begin_piece(piece, reader->pool);
    return NULL;
}

static fhir_error_t *add_literal(piece_t *piece, reader_t *reader, char byte)
{
    if (byte == ',' && !piece->after_backslash) {
        return end_piece(piece, reader);
    }
    piece->after_backslash = byte == '\\' && !piece->after_backslash;
    fhir_text_add_bytes(&piece->text, &byte, 1);
    return NULL;
}

/* What a percent sign stands for: a parameter before an encoded byte. *at moves behind it. */
static fhir_error_t *read_percent(piece_t *piece, reader_t *reader, const char **at)
{
    const char *name = *at + 1;
    apr_size_t length = name_length(name);
    const fhir_parameter_t *parameter = find_parameter(reader, name, length);
    char digits[3] = {name[0], name[0] ? name[1] : '\0', '\0'};
    unsigned char byte;
    if (parameter) {
        const char *rest = name + length;
        int id_only = is_suffix(rest, ".id");
        *at = rest + (id_only ? 3 : is_suffix(rest, ".reference") ? 10 : 0);
        return substitute(piece, reader, parameter, id_only);
    }
    if (fhir_hex_decode(&byte, 1, digits) && byte != 0) {
        *at += 3;
        return add_literal(piece, reader, (char)byte);
    }
    if (length > 0) {
        return INVALID("The parameter %%%s is not given; add it to ProjectMembership.access.parameter.",
                       apr_pstrmemdup(reader->pool, name, length));
    }
    return INVALID("A percent sign is not followed by a parameter's name or by the two hex digits of a character.");
}

/* ---- conditions ---- */

static fhir_error_t *read_values(reader_t *reader, const char *text)
{
    piece_t piece;
    begin_piece(&piece, reader->pool);
    while (*text) {
        if (*text == '%') {
            FHIR_TRY(read_percent(&piece, reader, &text));
        } else {
            FHIR_TRY(add_literal(&piece, reader, *text == '+' ? ' ' : *text));
            text++;
        }
    }
    return end_piece(&piece, reader);
}

/* `name=value`, at the first equals sign. */
static fhir_error_t *read_condition(reader_t *reader, apr_array_header_t *criteria, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return INVALID("Each condition is written name=value.");
    }
    *equals = '\0';
    if (strpbrk(text, "%+\\")) {
        return INVALID("`%s` is no search parameter; parameters may stand in values only.", text);
    }
    if (criteria->nelts == FHIR_POLICY_CONDITIONS_MAX) {
        return INVALID("There are over %d conditions.", FHIR_POLICY_CONDITIONS_MAX);
    }
    reader->name = text;
    reader->criterion = apr_array_push(criteria);
    memset(reader->criterion, 0, sizeof(*reader->criterion));
    return read_values(reader, equals + 1);
}

static fhir_error_t *read_query(reader_t *reader, apr_array_header_t *criteria, const char *query)
{
    for (;;) {
        apr_size_t length = strcspn(query, "&");
        FHIR_TRY(read_condition(reader, criteria, apr_pstrmemdup(reader->pool, query, length)));
        if (!query[length]) {
            return NULL;
        }
        query += length + 1;
    }
}

fhir_error_t *fhir_policy_criteria_read(fhir_policy_criteria_t *criteria, const char *text, const char *type,
                                        const apr_array_header_t *parameters, const fhir_addresses_t *addresses,
                                        apr_pool_t *pool)
{
    reader_t state = {0};
    reader_t *reader = &state;
    apr_size_t length = strcspn(text, "?");
    apr_array_header_t *parsed = apr_array_make(pool, 4, sizeof(fhir_criterion_t));
    reader->type = type;
    reader->parameters = parameters;
    reader->addresses = addresses;
    reader->pool = pool;
    fhir_text_init(&reader->used, pool);
    if (strlen(text) > FHIR_POLICY_CRITERIA_MAX) {
        return INVALID("It is over %d bytes long; split the entry into several.", FHIR_POLICY_CRITERIA_MAX);
    }
    if (!text[length] || !text[length + 1]) {
        return INVALID("It has no conditions: write %s?name=value, or leave criteria out.", type);
    }
    if (strlen(type) != length || memcmp(text, type, length) != 0) {
        return INVALID("It must begin with its resourceType: %s?", type);
    }
    FHIR_TRY(read_query(reader, parsed, text + length + 1));
    criteria->text = text;
    criteria->parameters = reader->used.text;
    criteria->parsed = parsed;
    return NULL;
}
