/* _include and _revinclude (FHIR R4 search.html#revinclude): references by parameter, Binaries by attachments. */
#include "search_private.h"
#include "structure.h"

#include <string.h>

#define NAME_MAX_LENGTH 64
#define ATTACHMENT_DEPTH 4 /* QuestionnaireResponse.item.answer.valueAttachment, items within items */

/* ---- elements that hold attachments ---- */

static int holds_attachment(fhir_element_kind_t kind, const fhir_structure_t *structure, int depth)
{
    const char *member;
    int i;
    if (kind != FHIR_ELEMENT_COMPLEX || depth == 0) {
        return kind == FHIR_ELEMENT_ATTACHMENT;
    }
    for (i = 0; (member = fhir_structure_member(structure, i)); i++) {
        const fhir_structure_t *inner;
        fhir_element_kind_t inner_kind = fhir_structure_element(&inner, structure, member, strlen(member));
        /* Extensions are everywhere and may hold anything. */
        if (strcmp(member, "extension") != 0 && strcmp(member, "modifierExtension") != 0 &&
            holds_attachment(inner_kind, inner, depth - 1)) {
            return 1;
        }
    }
    return 0;
}

static int is_attachment_element(const char *type, const char *name)
{
    const fhir_structure_t *inner;
    fhir_element_kind_t kind = fhir_structure_element(&inner, fhir_structure_of_resource(type), name, strlen(name));
    return holds_attachment(kind, inner, ATTACHMENT_DEPTH);
}

/* `presented-form` to `presentedForm`. */
static const char *camel_case(const char *name, apr_pool_t *pool)
{
    char *camel = apr_pstrdup(pool, name);
    char *to = camel;
    const char *from;
    for (from = name; *from; from++) {
        if (*from == '-' && from[1] >= 'a' && from[1] <= 'z') {
            *to++ = (char)(*++from - ('a' - 'A'));
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return camel;
}

/* The member that the name stands for: `content`, `presentedForm`, of a choice `sourceAttachment`. NULL: none. */
static const char *attachment_element(const char *type, const char *name, apr_pool_t *pool)
{
    const char *member = camel_case(name, pool);
    if (is_attachment_element(type, member)) {
        return member;
    }
    member = apr_pstrcat(pool, member, "Attachment", NULL);
    return is_attachment_element(type, member) ? member : NULL;
}

/* ---- reading ---- */

/* The next part before a colon; NULL if it is empty or too long. */
static const char *next_part(const char **at, apr_pool_t *pool)
{
    apr_size_t length = strcspn(*at, ":");
    const char *part = length > 0 && length <= NAME_MAX_LENGTH ? apr_pstrmemdup(pool, *at, length) : NULL;
    *at += length;
    *at += **at == ':';
    return part;
}

static int read_parts(fhir_include_t *include, const char *text, const char *search_type, apr_pool_t *pool)
{
    if (strcmp(text, "*") == 0 && !include->reverse) {
        include->type = search_type;
        include->name = "*";
        return 1;
    }
    if (!*text || text[strlen(text) - 1] == ':') {
        return 0;
    }
    include->type = next_part(&text, pool);
    include->name = next_part(&text, pool);
    if (!include->type || !include->name || !fhir_resource_type_known(include->type)) {
        return 0;
    }
    if (*text) {
        include->target = next_part(&text, pool);
        return include->target && !*text && fhir_resource_type_known(include->target);
    }
    return 1;
}

/* May the reference lead to the type? */
static int leads_to(const fhir_search_parameter_t *parameter, const char *type)
{
    return fhir_search_listed(parameter->targets, type);
}

/* A reverse include starts at another type and ends at ours; after :iterate at any. */
static int ends_fit(const fhir_include_t *include, const fhir_search_parameter_t *parameter, const char *search_type)
{
    if (include->target && parameter && !leads_to(parameter, include->target)) {
        return 0;
    }
    if (include->iterate) {
        return 1;
    }
    if (!include->reverse) {
        return strcmp(include->type, search_type) == 0;
    }
    return (!include->target || strcmp(include->target, search_type) == 0) &&
           (!parameter || leads_to(parameter, search_type));
}

static int read_name(fhir_include_t *include, const char *search_type, apr_pool_t *pool)
{
    const fhir_search_parameter_t *parameter = fhir_search_parameter(include->type, include->name);
    const char *element;
    if (strcmp(include->name, "*") == 0) {
        return ends_fit(include, NULL, search_type);
    }
    if (parameter && parameter->type == FHIR_SEARCH_REFERENCE) {
        return ends_fit(include, parameter, search_type);
    }
    element = include->reverse ? NULL : attachment_element(include->type, include->name, pool);
    if (!element || (include->target && strcmp(include->target, "Binary") != 0)) {
        return 0;
    }
    include->name = element;
    include->target = "Binary";
    include->attachments = 1;
    return ends_fit(include, NULL, search_type);
}

static int same(const fhir_include_t *one, const fhir_include_t *other)
{
    return strcmp(one->type, other->type) == 0 && strcmp(one->name, other->name) == 0 &&
           strcmp(one->target ? one->target : "", other->target ? other->target : "") == 0 &&
           one->reverse == other->reverse && one->iterate == other->iterate;
}

static int is_there(const apr_array_header_t *includes, const fhir_include_t *include)
{
    int i;
    for (i = 0; i < includes->nelts; i++) {
        if (same(&APR_ARRAY_IDX(includes, i, fhir_include_t), include)) {
            return 1;
        }
    }
    return 0;
}

fhir_error_t *fhir_search_read_include(int *understood, fhir_search_reader_t *reader, const char *text, int reverse,
                                       int iterate)
{
    apr_array_header_t *includes = reader->search->includes;
    fhir_include_t include = {0};
    include.reverse = reverse;
    include.iterate = iterate;
    *understood = read_parts(&include, text, reader->search->type, reader->pool) &&
                  read_name(&include, reader->search->type, reader->pool);
    if (!*understood || is_there(includes, &include)) {
        return NULL;
    }
    if (includes->nelts == FHIR_SEARCH_INCLUDES_MAX) {
        return fhir_error_public(reader->pool, FHIR_ERROR_INVALID, "At most %d includes can be given; use `*`.",
                                 FHIR_SEARCH_INCLUDES_MAX);
    }
    APR_ARRAY_PUSH(includes, fhir_include_t) = include;
    return NULL;
}
