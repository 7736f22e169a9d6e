/* SMART resource scopes, versions 1 and 2: patient/Binary.rs, user/Observation.rs?category=laboratory, system/ with any
 * resource. */
#include "scope_private.h"

#include "../fhir/compartments.h"

#include <string.h>

#define CONSTRAINTS_MAX 20

typedef enum scope_level_t { LEVEL_PATIENT = 1, LEVEL_OTHER } scope_level_t;

typedef struct resource_scope_t {
    scope_level_t level;
    const char *text;               /* as sent */
    const char *type;               /* resource type or "*"; NULL: malformed */
    unsigned permissions;           /* bits of permission(); 0: permits nothing */
    apr_array_header_t *parameters; /* of fhir_parameter_t: its constraints; NULL: none */
    apr_array_header_t *criteria;   /* the same understood for `type`; NULL: that depends on the subject's type */
} resource_scope_t;

struct fhir_scopes_t {
    apr_array_header_t *resources; /* of resource_scope_t */
};

/* Constraints with absolute URLs of this server are not recognised as such: they match nothing. */
static const fhir_addresses_t NO_ADDRESSES = {"", ""};

static const char scope_letters[] = "cruds";
#define PERMIT_CREATE 1u
#define PERMIT_READ 2u
#define PERMIT_UPDATE 4u
#define PERMIT_DELETE 8u
#define PERMIT_SEARCH 16u

/* ---- reading ---- */

static unsigned permission(fhir_interaction_t interaction)
{
    switch (interaction) {
    case FHIR_INTERACTION_CREATE:
        return PERMIT_CREATE;
    case FHIR_INTERACTION_READ:
    case FHIR_INTERACTION_VREAD:
    case FHIR_INTERACTION_HISTORY:
        return PERMIT_READ;
    case FHIR_INTERACTION_UPDATE:
        return PERMIT_UPDATE;
    case FHIR_INTERACTION_DELETE:
        return PERMIT_DELETE;
    case FHIR_INTERACTION_SEARCH:
        return PERMIT_SEARCH;
    }
    return 0;
}

/* Letters of version 2: some of c, r, u, d, s in this order. 0 if they are anything else. */
static unsigned letters_permissions(const char *letters, apr_size_t length)
{
    unsigned permissions = 0;
    const char *next = scope_letters;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        const char *found = letters[i] ? strchr(next, letters[i]) : NULL;
        if (!found) {
            return 0;
        }
        permissions |= 1u << (found - scope_letters);
        next = found + 1;
    }
    return permissions;
}

static int equals(const char *text, apr_size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* What comes after the dot. Version 1 knows no constraints. */
static unsigned access_permissions(const char *access, apr_size_t length, int constrained)
{
    if (!constrained && equals(access, length, "read")) {
        return PERMIT_READ | PERMIT_SEARCH;
    }
    if (!constrained && equals(access, length, "write")) {
        return PERMIT_CREATE | PERMIT_UPDATE | PERMIT_DELETE;
    }
    if (!constrained && equals(access, length, "*")) {
        return PERMIT_CREATE | PERMIT_READ | PERMIT_UPDATE | PERMIT_DELETE | PERMIT_SEARCH;
    }
    return letters_permissions(access, length);
}

/* NULL: they can't be understood for resources of the type. */
static apr_array_header_t *read_criteria(const apr_array_header_t *parameters, const char *type, apr_pool_t *pool)
{
    apr_array_header_t *criteria = apr_array_make(pool, parameters->nelts, sizeof(fhir_criterion_t));
    int i;
    for (i = 0; i < parameters->nelts; i++) {
        const fhir_parameter_t *parameter = &APR_ARRAY_IDX(parameters, i, fhir_parameter_t);
        if (fhir_criterion_read(apr_array_push(criteria), type, parameter->name, parameter->value, &NO_ADDRESSES,
                                pool)) {
            return NULL;
        }
    }
    return criteria;
}

static int depends_on_subject(const char *type)
{
    return strcmp(type, FHIR_EVERY_TYPE) == 0 || strcmp(type, "Binary") == 0;
}

/* 0: what is not understood permits nothing. */
static int read_constraints(resource_scope_t *scope, const char *query, apr_pool_t *pool)
{
    if (fhir_query_parse(&scope->parameters, query, pool) || scope->parameters->nelts == 0 ||
        scope->parameters->nelts > CONSTRAINTS_MAX) {
        return 0;
    }
    if (depends_on_subject(scope->type)) {
        return 1;
    }
    scope->criteria = read_criteria(scope->parameters, scope->type, pool);
    return scope->criteria != NULL;
}

/* `text` is what follows "user/": resource type, dot, access, perhaps a question mark and constraints. */
static void read_scope(resource_scope_t *scope, const char *text, apr_pool_t *pool)
{
    apr_size_t length = strcspn(text, "?");
    const char *query = text[length] ? text + length + 1 : NULL;
    const char *dot = memchr(text, '.', length);
    if (dot) {
        apr_size_t type_length = (apr_size_t)(dot - text);
        scope->type = apr_pstrmemdup(pool, text, type_length);
        scope->permissions = access_permissions(dot + 1, length - type_length - 1, query != NULL);
        if (query && scope->permissions && !read_constraints(scope, query, pool)) {
            scope->permissions = 0;
        }
    }
}

/* `Patient/Media.r`: meant to narrow, so it must not be set aside as `openid` is. URLs (other people's scopes) have a
 * colon. */
static int is_misspelt(const char *text, apr_size_t length)
{
    const char *slash = memchr(text, '/', length);
    const char *dot = slash ? memchr(slash, '.', (apr_size_t)(text + length - slash)) : NULL;
    return dot && slash > text && !memchr(text, ':', length);
}

static void add_scope(fhir_scopes_t *scopes, const char *text, apr_size_t length)
{
    static const struct {
        const char *prefix;
        scope_level_t level;
    } levels[] = {{"patient/", LEVEL_PATIENT}, {"user/", LEVEL_OTHER}, {"system/", LEVEL_OTHER}};
    apr_pool_t *pool = scopes->resources->pool;
    apr_size_t i;
    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        apr_size_t prefix_length = strlen(levels[i].prefix);
        if (length >= prefix_length && memcmp(text, levels[i].prefix, prefix_length) == 0) {
            resource_scope_t *scope = apr_array_push(scopes->resources);
            memset(scope, 0, sizeof(*scope));
            scope->level = levels[i].level;
            scope->text = apr_pstrmemdup(pool, text, length);
            read_scope(scope, scope->text + prefix_length, pool);
            return;
        }
    }
    if (is_misspelt(text, length)) {
        resource_scope_t *scope = apr_array_push(scopes->resources);
        memset(scope, 0, sizeof(*scope));
        scope->level = LEVEL_OTHER;
        scope->text = apr_pstrmemdup(pool, text, length);
    }
}

fhir_scopes_t *fhir_scopes_parse(const char *scope, apr_pool_t *pool)
{
    fhir_scopes_t *scopes = apr_palloc(pool, sizeof(*scopes));
    scopes->resources = apr_array_make(pool, 4, sizeof(resource_scope_t));
    while (scope && *scope) {
        apr_size_t length = strcspn(scope, " ");
        if (length > 0) {
            add_scope(scopes, scope, length);
        }
        scope += length + (scope[length] == ' ');
    }
    return scopes;
}

/* ---- asking ---- */

static const resource_scope_t *scope_at(const fhir_scopes_t *scopes, int i)
{
    return &APR_ARRAY_IDX(scopes->resources, i, resource_scope_t);
}

static int names_type(const resource_scope_t *scope, const char *type)
{
    return scope->type && (strcmp(scope->type, FHIR_EVERY_TYPE) == 0 || strcmp(scope->type, type) == 0);
}

/* Binaries are where their contexts are. */
static int has_patients(const char *type)
{
    return strcmp(type, "Binary") == 0 || strcmp(type, "Patient") == 0 ||
           fhir_compartment_parameters("Patient", type) != NULL;
}

/* Without a look at a subject: is it for the type and interaction at all? */
static int may_permit(const resource_scope_t *scope, fhir_interaction_t interaction, const char *type,
                      const char *patient)
{
    return (scope->permissions & permission(interaction)) && names_type(scope, type) &&
           (scope->level != LEVEL_PATIENT || (patient && fhir_id_valid(patient) && has_patients(type)));
}

static int in_compartment(const fhir_subject_t *subject, const char *patient)
{
    int i;
    for (i = 0; subject->there && i < subject->values->nelts; i++) {
        const fhir_index_value_t *value = &APR_ARRAY_IDX(subject->values, i, fhir_index_value_t);
        if (strcmp(value->name, "_compartment") == 0 && strcmp(value->system, "Patient") == 0 &&
            strcmp(value->code, patient) == 0) {
            return 1;
        }
    }
    return 0;
}

static int reaches(const resource_scope_t *scope, const char *patient, const fhir_subject_t *subject, apr_pool_t *pool)
{
    const apr_array_header_t *criteria = scope->criteria;
    if (scope->level == LEVEL_PATIENT && !in_compartment(subject, patient)) {
        return 0;
    }
    if (!scope->parameters) {
        return 1;
    }
    if (!criteria && subject->there) {
        criteria = read_criteria(scope->parameters, subject->type, pool);
    }
    return criteria && fhir_subject_matches(subject, criteria);
}

int fhir_scopes_permit_type(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *type,
                            const char *patient)
{
    int i;
    for (i = 0; i < scopes->resources->nelts; i++) {
        if (may_permit(scope_at(scopes, i), interaction, type, patient)) {
            return 1;
        }
    }
    return scopes->resources->nelts == 0 && permission(interaction) != 0;
}

int fhir_scopes_permit(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *type,
                       const char *patient, const fhir_subject_t *subject, apr_pool_t *pool)
{
    int i;
    for (i = 0; subject && i < scopes->resources->nelts; i++) {
        const resource_scope_t *scope = scope_at(scopes, i);
        if (may_permit(scope, interaction, type, patient) && reaches(scope, patient, subject, pool)) {
            return 1;
        }
    }
    return subject && scopes->resources->nelts == 0 && permission(interaction) != 0;
}

int fhir_scopes_permit_all(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *type)
{
    int i;
    for (i = 0; i < scopes->resources->nelts; i++) {
        const resource_scope_t *scope = scope_at(scopes, i);
        if (scope->level != LEVEL_PATIENT && !scope->parameters && may_permit(scope, interaction, type, NULL)) {
            return 1;
        }
    }
    return scopes->resources->nelts == 0 && permission(interaction) != 0;
}

int fhir_scopes_look_at_subject(const fhir_scopes_t *scopes, const char *type)
{
    int i;
    for (i = 0; i < scopes->resources->nelts; i++) {
        const resource_scope_t *scope = scope_at(scopes, i);
        if (names_type(scope, type) && scope->permissions && (scope->level == LEVEL_PATIENT || scope->parameters)) {
            return 1;
        }
    }
    return 0;
}

int fhir_scopes_need_content(const fhir_scopes_t *scopes, const char *type)
{
    int i;
    for (i = 0; i < scopes->resources->nelts; i++) {
        const resource_scope_t *scope = scope_at(scopes, i);
        if (names_type(scope, type) && scope->permissions && scope->parameters &&
            (!scope->criteria || fhir_criteria_need_content(scope->criteria))) {
            return 1;
        }
    }
    return 0;
}

/* ---- searches ---- */

static void add_compartment(apr_array_header_t *criteria, const char *patient)
{
    apr_pool_t *pool = criteria->pool;
    fhir_criterion_t *criterion = apr_array_push(criteria);
    fhir_search_value_t *value;
    memset(criterion, 0, sizeof(*criterion));
    criterion->name = "_compartment";
    criterion->type = FHIR_SEARCH_REFERENCE;
    criterion->values = apr_array_make(pool, 1, sizeof(fhir_search_value_t));
    value = apr_array_push(criterion->values);
    memset(value, 0, sizeof(*value));
    value->system = "Patient";
    value->code = patient;
}

/* What the scope lets a search find; NULL: its constraints are not understood for the type. */
static const apr_array_header_t *alternative(const resource_scope_t *scope, const char *type, const char *patient,
                                             apr_pool_t *pool)
{
    apr_array_header_t *criteria = scope->parameters ? read_criteria(scope->parameters, type, pool)
                                                     : apr_array_make(pool, 1, sizeof(fhir_criterion_t));
    if (criteria && scope->level == LEVEL_PATIENT) {
        add_compartment(criteria, patient);
    }
    return criteria;
}

const fhir_restriction_t *fhir_scopes_restriction(const fhir_scopes_t *scopes, fhir_interaction_t interaction,
                                                  const char *type, const char *patient, apr_pool_t *pool)
{
    fhir_restriction_t *restriction;
    int i;
    if (fhir_scopes_permit_all(scopes, interaction, type)) {
        return NULL;
    }
    restriction = apr_palloc(pool, sizeof(*restriction));
    restriction->alternatives = apr_array_make(pool, 4, sizeof(const apr_array_header_t *));
    for (i = 0; i < scopes->resources->nelts; i++) {
        const resource_scope_t *scope = scope_at(scopes, i);
        const apr_array_header_t *criteria =
            may_permit(scope, interaction, type, patient) ? alternative(scope, type, patient, pool) : NULL;
        if (criteria) {
            APR_ARRAY_PUSH(restriction->alternatives, const apr_array_header_t *) = criteria;
        }
    }
    return restriction;
}

/* ---- explaining ---- */

static const char *explanation(const resource_scope_t *scope, fhir_interaction_t interaction, const char *type,
                               const char *patient, const fhir_subject_t *subject, apr_pool_t *pool)
{
    if (!scope->permissions) {
        return "permits nothing: it is malformed, or has constraints that are not understood";
    }
    if (!names_type(scope, type)) {
        return "is for another type";
    }
    if (!(scope->permissions & permission(interaction))) {
        return "does not permit this interaction";
    }
    if (!may_permit(scope, interaction, type, patient)) {
        return has_patients(type) ? "permits nothing: the token names no patient"
                                  : "does not reach this type, which belongs to no patient";
    }
    if (!subject || reaches(scope, patient, subject, pool)) {
        return "permits it";
    }
    return scope->level == LEVEL_PATIENT && !in_compartment(subject, patient)
               ? "does not reach it: it does not belong to the token's patient"
               : "does not reach it: its constraints do not hold";
}

void fhir_scopes_explain(fhir_text_t *text, const fhir_scopes_t *scopes, fhir_interaction_t interaction,
                         const char *type, const char *patient, const fhir_subject_t *subject)
{
    int i;
    for (i = 0; i < scopes->resources->nelts; i++) {
        const resource_scope_t *scope = scope_at(scopes, i);
        fhir_text_addf(text, "Scope %s %s.\n", scope->text,
                       explanation(scope, interaction, type, patient, subject, text->pool));
    }
    if (scopes->resources->nelts == 0) {
        fhir_text_add(text, "The token has no SMART resource scope, so scopes narrow nothing.\n");
    }
}
