/* The values of a search criterion: escapes, and what each parameter type makes of them (search.html#escaping,
 * #ptypes).
 */
#include "search_private.h"

#include <string.h>

#define DAY ((apr_time_t)86400 * 1000000)

/* ---- escapes: \, \| \$ \\ ---- */

static int is_escape(const char *at)
{
    return at[0] == '\\' && (at[1] == ',' || at[1] == '|' || at[1] == '$' || at[1] == '\\');
}

/* Bytes before the first `separator` that is not escaped, or all. */
static apr_size_t until(const char *text, char separator)
{
    const char *at = text;
    while (*at && *at != separator) {
        at += is_escape(at) ? 2 : 1;
    }
    return (apr_size_t)(at - text);
}

/* `length` bytes without their escapes, at most FHIR_INDEX_TEXT_MAX. */
static const char *unescaped(const char *text, apr_size_t length, apr_pool_t *pool)
{
    char *plain = apr_palloc(pool, length + 1);
    const char *end = text + length;
    char *to = plain;
    while (text < end) {
        text += is_escape(text);
        *to++ = *text++;
    }
    *to = '\0';
    return plain;
}

static const char *escaped(const char *plain, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, strlen(plain) * 2 + 1);
    char *to = text;
    for (; *plain; plain++) {
        if (strchr("\\,|$", *plain)) {
            *to++ = '\\';
        }
        *to++ = *plain;
    }
    *to = '\0';
    return text;
}

apr_array_header_t *fhir_search_split(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *values = apr_array_make(pool, 2, sizeof(const char *));
    while (*text) {
        apr_size_t length = until(text, ',');
        if (length > 0) {
            APR_ARRAY_PUSH(values, const char *) = apr_pstrmemdup(pool, text, length);
        }
        text += length + (text[length] == ',');
    }
    return values;
}

/* ---- types ---- */

static fhir_error_t *malformed(const fhir_search_target_t *target, const char *text, const char *advice,
                               apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "The value `%s` of the search parameter `%s` is not valid; %s.",
                             fhir_search_shown(text, pool), target->parameter->name, advice);
}

static fhir_error_t *read_missing(fhir_search_value_t *value, const char *text, const fhir_search_target_t *target,
                                  apr_pool_t *pool)
{
    value->code = text;
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0
               ? NULL
               : malformed(target, text, "after :missing write true or false", pool);
}

/* `code`, `system|code`, `|code`, `system|`: for tokens and identifiers. */
static fhir_error_t *read_token(fhir_search_value_t *value, const char *text, const fhir_search_target_t *target,
                                const fhir_search_reader_t *reader)
{
    apr_pool_t *pool = reader->pool;
    apr_size_t length = until(text, '|');
    const char *code = text[length] ? text + length + 1 : text;
    if (text[length]) {
        value->system = fhir_search_cut(unescaped(text, length, pool), pool);
    }
    value->code = *code ? fhir_search_cut(unescaped(code, strlen(code), pool), pool) : NULL;
    if (!value->code && (!value->system || !*value->system)) {
        return malformed(target, text, "write a code, system|code, |code or system|", pool);
    }
    if (value->code && target->modifier != FHIR_MODIFIER_IDENTIFIER) {
        if (fhir_search_ignores_case(target->parameter)) {
            value->code = fhir_search_lower(value->code, pool);
        }
        if (value->system && *value->system && fhir_search_system_implied(reader->search->type, target->parameter)) {
            value->system = NULL;
        }
    }
    return NULL;
}

static fhir_error_t *read_text(fhir_search_value_t *value, const char *text, const fhir_search_target_t *target,
                               apr_pool_t *pool)
{
    const char *plain = unescaped(text, strlen(text), pool);
    value->text =
        target->modifier == FHIR_MODIFIER_EXACT ? fhir_search_cut(plain, pool) : fhir_search_comparable(plain, pool);
    return *value->text ? NULL : malformed(target, text, "it needs a letter or a digit", pool);
}

/* `id`, `Type/id`, a URL or a URN; after a type modifier the type must fit. */
static fhir_error_t *read_reference(fhir_search_value_t *value, const char *text, const fhir_search_target_t *target,
                                    const fhir_search_reader_t *reader)
{
    fhir_search_reference_t reference;
    const char *targets = target->type ? target->type : target->parameter->targets;
    int bare;
    text = unescaped(text, strlen(text), reader->pool);
    bare = fhir_id_valid(text);
    fhir_search_reference(&reference, text, reader->addresses, reader->pool);
    value->code = reference.code;
    if (bare) {
        /* Where there is but one type it is known. */
        value->system = targets && *targets && !strchr(targets, '|') ? targets : NULL;
    } else if (fhir_id_valid(reference.code)) {
        value->system = reference.type;
    }
    if (target->type && !bare && *reference.type && strcmp(target->type, reference.type) != 0) {
        return malformed(target, text, "its type differs from that after the colon", reader->pool);
    }
    return NULL;
}

static fhir_error_t *read_uri(fhir_search_value_t *value, const char *text, const fhir_search_target_t *target,
                              const fhir_search_reader_t *reader)
{
    apr_size_t base = strlen(reader->addresses->fhir_base);
    const char *uri = unescaped(text, strlen(text), reader->pool);
    apr_size_t length;
    /* Attachments are stored so. */
    if (strncmp(uri, reader->addresses->fhir_base, base) == 0 && strncmp(uri + base, "Binary/", 7) == 0) {
        uri += base;
    }
    value->code = fhir_search_cut(uri, reader->pool);
    length = strlen(value->code);
    while (target->modifier == FHIR_MODIFIER_BELOW && length > 0 && value->code[length - 1] == '/') {
        value->code = apr_pstrmemdup(reader->pool, value->code, --length);
    }
    return length > 0 ? NULL : malformed(target, text, "write a URI", reader->pool);
}

/* ---- dates ---- */

static const char *const PREFIXES[] = {"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"};

static fhir_search_prefix_t read_prefix(const char **text)
{
    int i;
    for (i = 0; i < (int)(sizeof(PREFIXES) / sizeof(PREFIXES[0])); i++) {
        if (strncmp(*text, PREFIXES[i], 2) == 0) {
            *text += 2;
            return (fhir_search_prefix_t)i;
        }
    }
    return FHIR_PREFIX_EQ;
}

static apr_time_t bounded(apr_time_t time)
{
    return time < FHIR_DATE_MIN ? FHIR_DATE_MIN : time > FHIR_DATE_MAX ? FHIR_DATE_MAX : time;
}

/* "About": 10 % of the distance from now, at least a day. */
static void widen(fhir_search_value_t *value, apr_time_t now)
{
    apr_time_t distance = value->low > now ? value->low - now : now > value->high ? now - value->high : 0;
    apr_time_t margin = distance / 10 > DAY ? distance / 10 : DAY;
    value->low = bounded(value->low - margin);
    value->high = bounded(value->high + margin);
}

static fhir_error_t *read_date(fhir_search_value_t *value, const char **canonical, const char *text,
                               const fhir_search_target_t *target, const fhir_search_reader_t *reader)
{
    char *date;
    char *blank;
    const char *rest = text;
    value->prefix = read_prefix(&rest);
    date = apr_pstrdup(reader->pool, rest);
    blank = strrchr(date, ' ');
    if (blank && blank > date + 10) {
        *blank = '+'; /* the plus sign of a time zone that was not percent-encoded */
    }
    if (!fhir_date_range(&value->low, &value->high, date)) {
        return malformed(target, text,
                         "write a date such as 2013, 2013-01-14 or 2013-01-14T10:00:00Z, before it one of eq, ne, gt, "
                         "lt, ge, le, sa, eb, ap or nothing",
                         reader->pool);
    }
    *canonical = apr_pstrcat(reader->pool, value->prefix == FHIR_PREFIX_EQ ? "" : PREFIXES[value->prefix],
                             fhir_search_date_canonical(date, value->low, value->high, reader->pool), NULL);
    if (value->prefix == FHIR_PREFIX_AP) {
        widen(value, reader->now);
    }
    return NULL;
}

/* ---- all ---- */

/* The normal form of what was read. */
static const char *write_value(const fhir_search_value_t *value, const fhir_search_target_t *target, apr_pool_t *pool)
{
    const char *code = value->code ? escaped(value->code, pool) : "";
    if (value->text) {
        return escaped(value->text, pool);
    }
    if (!value->system) {
        return code;
    }
    return apr_pstrcat(
        pool, escaped(value->system, pool),
        target->parameter->type == FHIR_SEARCH_REFERENCE && target->modifier != FHIR_MODIFIER_IDENTIFIER ? "/" : "|",
        code, NULL);
}

static int takes_text(const fhir_search_target_t *target)
{
    return target->parameter->type == FHIR_SEARCH_STRING || target->modifier == FHIR_MODIFIER_TEXT;
}

fhir_error_t *fhir_search_read_value(fhir_search_value_t *value, const char **canonical, const char *text,
                                     const fhir_search_target_t *target, const fhir_search_reader_t *reader)
{
    memset(value, 0, sizeof(*value));
    *canonical = NULL;
    if (target->modifier == FHIR_MODIFIER_MISSING) {
        FHIR_TRY(read_missing(value, text, target, reader->pool));
    } else if (takes_text(target)) {
        FHIR_TRY(read_text(value, text, target, reader->pool));
    } else if (target->parameter->type == FHIR_SEARCH_TOKEN || target->modifier == FHIR_MODIFIER_IDENTIFIER) {
        FHIR_TRY(read_token(value, text, target, reader));
    } else if (target->parameter->type == FHIR_SEARCH_REFERENCE) {
        FHIR_TRY(read_reference(value, text, target, reader));
    } else if (target->parameter->type == FHIR_SEARCH_URI) {
        FHIR_TRY(read_uri(value, text, target, reader));
    } else {
        FHIR_TRY(read_date(value, canonical, text, target, reader));
    }
    if (!*canonical) {
        *canonical = write_value(value, target, reader->pool);
    }
    return NULL;
}
