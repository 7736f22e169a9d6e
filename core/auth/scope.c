/* SMART resource scopes, versions 1 and 2: patient/Binary.rs, user/Patient.read, system/ with any resource. */
#include "auth.h"

#include <string.h>

typedef enum scope_level_t { LEVEL_PATIENT = 1, LEVEL_OTHER } scope_level_t;

typedef struct resource_scope_t {
    scope_level_t level;
    const char *type;     /* resource type or "*"; NULL: malformed */
    unsigned permissions; /* bits of permission(); 0: permits nothing */
} resource_scope_t;

struct fhir_scopes_t {
    apr_array_header_t *resources; /* of resource_scope_t */
};

static const char scope_letters[] = "cruds";
#define PERMIT_CREATE 1u
#define PERMIT_READ 2u
#define PERMIT_UPDATE 4u
#define PERMIT_DELETE 8u
#define PERMIT_SEARCH 16u

static unsigned permission(fhir_interaction_t interaction)
{
    switch (interaction) {
    case FHIR_INTERACTION_CREATE:
        return PERMIT_CREATE;
    case FHIR_INTERACTION_READ:
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

/* What comes after the dot. A constraint (?category=...) makes the text match nothing here. */
static unsigned access_permissions(const char *access, apr_size_t length)
{
    if (equals(access, length, "read")) {
        return PERMIT_READ | PERMIT_SEARCH;
    }
    if (equals(access, length, "write")) {
        return PERMIT_CREATE | PERMIT_UPDATE | PERMIT_DELETE;
    }
    if (equals(access, length, "*")) {
        return PERMIT_CREATE | PERMIT_READ | PERMIT_UPDATE | PERMIT_DELETE | PERMIT_SEARCH;
    }
    return letters_permissions(access, length);
}

/* `text` is what follows "user/": resource type, dot, access. */
static void read_scope(resource_scope_t *scope, const char *text, apr_size_t length, apr_pool_t *pool)
{
    const char *dot = memchr(text, '.', length);
    if (dot) {
        apr_size_t type_length = (apr_size_t)(dot - text);
        scope->type = apr_pstrmemdup(pool, text, type_length);
        scope->permissions = access_permissions(dot + 1, length - type_length - 1);
    }
}

static void add_scope(fhir_scopes_t *scopes, const char *text, apr_size_t length)
{
    static const struct {
        const char *prefix;
        scope_level_t level;
    } levels[] = {{"patient/", LEVEL_PATIENT}, {"user/", LEVEL_OTHER}, {"system/", LEVEL_OTHER}};
    apr_size_t i;
    for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        apr_size_t prefix_length = strlen(levels[i].prefix);
        if (length >= prefix_length && memcmp(text, levels[i].prefix, prefix_length) == 0) {
            resource_scope_t *scope = apr_array_push(scopes->resources);
            memset(scope, 0, sizeof(*scope));
            scope->level = levels[i].level;
            read_scope(scope, text + prefix_length, length - prefix_length, scopes->resources->pool);
            return;
        }
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

static int is_patients_context(const char *context, const char *patient)
{
    static const char type[] = "Patient/";
    return context && patient && fhir_id_valid(patient) && strncmp(context, type, sizeof(type) - 1) == 0 &&
           strcmp(context + sizeof(type) - 1, patient) == 0;
}

static int names_type(const resource_scope_t *scope, const char *type)
{
    return scope->type && (strcmp(scope->type, "*") == 0 || strcmp(scope->type, type) == 0);
}

int fhir_scopes_permit_on(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *type,
                          const char *context, const char *patient)
{
    unsigned needed = permission(interaction);
    int i;
    if (scopes->resources->nelts == 0) {
        return needed != 0;
    }
    for (i = 0; i < scopes->resources->nelts; i++) {
        const resource_scope_t *scope = &APR_ARRAY_IDX(scopes->resources, i, resource_scope_t);
        if ((scope->permissions & needed) && names_type(scope, type) &&
            (scope->level != LEVEL_PATIENT || is_patients_context(context, patient))) {
            return 1;
        }
    }
    return 0;
}

int fhir_scopes_permit(const fhir_scopes_t *scopes, fhir_interaction_t interaction, const char *security_context,
                       const char *patient)
{
    return fhir_scopes_permit_on(scopes, interaction, "Binary", security_context, patient);
}
