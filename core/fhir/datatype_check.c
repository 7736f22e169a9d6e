/* Checking of elements against the table of datatypes; the nesting was bounded when the text was read. */
#include "datatype_check.h"

#include <string.h>

/* Where we are, for the expression of an error: frames on the C stack, written out only when something is wrong. */
typedef struct place_t {
    const struct place_t *parent;
    const char *name;
    int index; /* -1: not in a list */
} place_t;

static const char *expression_of(const place_t *place, apr_pool_t *pool)
{
    const char *expression =
        place->parent ? apr_pstrcat(pool, expression_of(place->parent, pool), place->name ? "." : "", place->name, NULL)
                      : place->name;
    return place->index >= 0 ? apr_psprintf(pool, "%s[%d]", expression, place->index) : expression;
}

static fhir_error_t *refuse(const place_t *place, apr_pool_t *pool, const char *why)
{
    const char *expression = expression_of(place, pool);
    fhir_error_t *error = fhir_error_public(pool, FHIR_ERROR_INVALID, "%s %s.", expression, why);
    error->expression = expression;
    return error;
}

static fhir_error_t *check_value(const fhir_element_t *element, fhir_json_slice_t value, const place_t *place,
                                 apr_pool_t *pool);

/* FHIR strings hold no control characters but TAB, LF, CR (datatypes.html#string); XML could not carry them. */
static int is_text(const char *string)
{
    for (; *string; string++) {
        unsigned char byte = (unsigned char)*string;
        if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') {
            return 0;
        }
        if (byte == 0xef && (unsigned char)string[1] == 0xbf && ((unsigned char)string[2] | 1) == 0xbf) {
            return 0;
        }
    }
    return 1;
}

static fhir_error_t *check_primitive(fhir_primitive_t primitive, fhir_json_slice_t value, const place_t *place,
                                     apr_pool_t *pool)
{
    const char *string;
    int is_number = value.text[0] == '-' || (value.text[0] >= '0' && value.text[0] <= '9');
    switch (primitive) {
    case FHIR_PRIMITIVE_BOOLEAN:
        return fhir_json_is(value, "true") || fhir_json_is(value, "false")
                   ? NULL
                   : refuse(place, pool, "must be true or false");
    case FHIR_PRIMITIVE_DECIMAL:
        return is_number ? NULL : refuse(place, pool, "must be a number");
    case FHIR_PRIMITIVE_INTEGER:
        return is_number && !memchr(value.text, '.', value.length) && !memchr(value.text, 'e', value.length) &&
                       !memchr(value.text, 'E', value.length)
                   ? NULL
                   : refuse(place, pool, "must be a whole number");
    default:
        break;
    }
    string = fhir_json_decode(value, pool);
    if (!string) {
        return refuse(place, pool, "must be a string");
    }
    if (!*string) {
        return refuse(place, pool, "is empty; leave it out");
    }
    return is_text(string) ? NULL : refuse(place, pool, "holds a control character that FHIR does not allow");
}

static fhir_error_t *check_shadow(const fhir_element_t *element, fhir_json_slice_t value, const place_t *place,
                                  apr_pool_t *pool)
{
    static const fhir_element_t SHADOW = {"", "Element", 0, 0};
    static const fhir_element_t SHADOWS = {"", "Element", 1, 0};
    return check_value(element->many ? &SHADOWS : &SHADOW, value, place, pool);
}

/* A name that may stand in an error sentence and an expression. */
static const char *safe_name(const char *name)
{
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return *name && strlen(name) <= 64 && strspn(name, ALLOWED) == strlen(name) ? name : NULL;
}

static fhir_error_t *check_member(const fhir_datatype_t *type, const char *name, fhir_json_slice_t value,
                                  const place_t *parent, apr_pool_t *pool)
{
    fhir_element_t element;
    place_t place = {parent, name, -1};
    int is_shadow = *name == '_';
    if (!fhir_datatype_element(&element, type, name + is_shadow) ||
        (is_shadow && fhir_primitive_of(element.type) == FHIR_PRIMITIVE_NONE)) {
        if (!safe_name(name)) {
            return refuse(parent, pool, "has an element that FHIR R4 does not know");
        }
        return refuse(&place, pool, "is not known in FHIR R4");
    }
    return is_shadow ? check_shadow(&element, value, &place, pool) : check_value(&element, value, &place, pool);
}

static fhir_error_t *check_object(const fhir_datatype_t *type, fhir_json_slice_t value, const place_t *place,
                                  apr_pool_t *pool)
{
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t member;
    int members = 0;
    if (!fhir_json_walk(&walk, value, '{')) {
        return refuse(place, pool, "must be an object");
    }
    while (fhir_json_next(&walk, &key, &member)) {
        const char *name = fhir_json_decode(key, pool);
        if (!name) {
            return refuse(place, pool, "is malformed");
        }
        FHIR_TRY(check_member(type, name, member, place, pool));
        members++;
    }
    if (walk.failed || !members) {
        return refuse(place, pool, members ? "is malformed" : "is empty; leave it out");
    }
    return NULL;
}

static fhir_error_t *check_one(const fhir_element_t *element, fhir_json_slice_t value, const place_t *place,
                               apr_pool_t *pool)
{
    fhir_primitive_t primitive = fhir_primitive_of(element->type);
    const fhir_datatype_t *type = primitive ? NULL : fhir_datatype_find(element->type);
    if (!primitive && !type) {
        return refuse(place, pool, "is not known in FHIR R4");
    }
    return primitive ? check_primitive(primitive, value, place, pool) : check_object(type, value, place, pool);
}

static fhir_error_t *check_list(const fhir_element_t *element, fhir_json_slice_t value, const place_t *place,
                                apr_pool_t *pool)
{
    /* null stands where a primitive has only the other half (json.html#primitive). */
    int may_be_null = fhir_primitive_of(element->type) != FHIR_PRIMITIVE_NONE || !strcmp(element->type, "Element");
    fhir_json_walk_t walk;
    fhir_json_slice_t item;
    place_t item_place = *place;
    int values = 0;
    if (!fhir_json_walk(&walk, value, '[')) {
        return refuse(place, pool, "must be a list");
    }
    for (item_place.index = 0; fhir_json_next(&walk, NULL, &item); item_place.index++) {
        if (may_be_null && fhir_json_is(item, "null")) {
            continue;
        }
        FHIR_TRY(check_one(element, item, &item_place, pool));
        values++;
    }
    if (walk.failed || !values) {
        return refuse(place, pool, walk.failed ? "is malformed" : "is an empty list; leave it out");
    }
    return NULL;
}

static fhir_error_t *check_value(const fhir_element_t *element, fhir_json_slice_t value, const place_t *place,
                                 apr_pool_t *pool)
{
    return element->many ? check_list(element, value, place, pool) : check_one(element, value, place, pool);
}

fhir_error_t *fhir_datatype_check(const fhir_element_t *element, fhir_json_slice_t value, const char *path,
                                  apr_pool_t *pool)
{
    place_t place = {NULL, path, -1};
    return check_value(element, value, &place, pool);
}

fhir_error_t *fhir_shadow_check(const fhir_element_t *element, fhir_json_slice_t value, const char *path,
                                apr_pool_t *pool)
{
    place_t place = {NULL, path, -1};
    return check_shadow(element, value, &place, pool);
}
