/* Are AccessPolicy and ProjectMembership what they should be? Tables say which members there are; what is not in them
 * is refused. */
#include "project_resources.h"

#include "../base/network.h"
#include "resource_walk.h"
#include "structure.h"

#include <string.h>

/* ---- limits ---- */

#define BYTES_MAX (1024 * 1024)
#define ENTRIES_MAX 1000 /* AccessPolicy.resource, ipAccessRule */
#define FIELDS_MAX 200
#define CRITERIA_MAX 8192 /* bytes */
#define POLICIES_MAX 100
#define PARAMETERS_MAX 200
#define IDENTIFIERS_MAX 100
#define NAME_MAX_LENGTH 64
#define TEXT_MAX 1000 /* bytes */

/* ---- tables ---- */

typedef struct check_t {
    const fhir_json_document_t *document;
    apr_pool_t *pool;
} check_t;

typedef enum shape_kind_t {
    SHAPE_ANY = 0, /* fhir_resource_check has seen it */
    SHAPE_STRING,
    SHAPE_BOOLEAN,
    SHAPE_OBJECT,
    SHAPE_OBJECTS, /* lists */
    SHAPE_STRINGS
} shape_kind_t;

typedef struct member_t {
    const char *name;
    shape_kind_t kind;
    int most;                       /* bytes of a STRING, items of a list */
    const struct member_t *members; /* of the objects; NULL: any. `name` NULL ends */
    int required;
    /* Of the value, of each item of a list; may be NULL. */
    fhir_error_t *(*check)(const check_t *check, int node);
} member_t;

#define STRING(name, required, check)                                                                                  \
    {                                                                                                                  \
        name, SHAPE_STRING, TEXT_MAX, NULL, required, check                                                            \
    }
#define BOOLEAN(name)                                                                                                  \
    {                                                                                                                  \
        name, SHAPE_BOOLEAN, 0, NULL, 0, NULL                                                                          \
    }
#define OBJECT(name, members, required, check)                                                                         \
    {                                                                                                                  \
        name, SHAPE_OBJECT, 0, members, required, check                                                                \
    }
#define LIST(name, kind, most, members, check)                                                                         \
    {                                                                                                                  \
        name, SHAPE_##kind, most, members, 0, check                                                                    \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, SHAPE_ANY, 0, NULL, 0, NULL                                                                              \
    }
#define OF_ANY_RESOURCE                                                                                                \
    {"resourceType", SHAPE_ANY, 0, NULL, 0, NULL}, {"id", SHAPE_ANY, 0, NULL, 0, NULL},                                \
    {                                                                                                                  \
        "meta", SHAPE_ANY, 0, NULL, 0, NULL                                                                            \
    }
#define OF_REFERENCE(check) STRING("reference", 1, check), STRING("type", 0, NULL), STRING("display", 0, NULL)

static fhir_error_t *check_type(const check_t *check, int node);
static fhir_error_t *check_interaction(const check_t *check, int node);
static fhir_error_t *check_field(const check_t *check, int node);
static fhir_error_t *check_address(const check_t *check, int node);
static fhir_error_t *check_action(const check_t *check, int node);
static fhir_error_t *check_policy(const check_t *check, int node);
static fhir_error_t *check_profile(const check_t *check, int node);
static fhir_error_t *check_client(const check_t *check, int node);
static fhir_error_t *check_user(const check_t *check, int node);
static fhir_error_t *check_name(const check_t *check, int node);
static fhir_error_t *check_parameter(const check_t *check, int node);
static fhir_error_t *check_access(const check_t *check, int node);

static const member_t ENTRY[] = {STRING("resourceType", 1, check_type),
                                 {"criteria", SHAPE_STRING, CRITERIA_MAX, NULL, 0, NULL},
                                 LIST("interaction", STRINGS, FIELDS_MAX, NULL, check_interaction),
                                 BOOLEAN("readonly"),
                                 LIST("hiddenFields", STRINGS, FIELDS_MAX, NULL, check_field),
                                 LIST("readonlyFields", STRINGS, FIELDS_MAX, NULL, check_field),
                                 END};
static const member_t RULE[] = {STRING("value", 1, check_address), STRING("action", 1, check_action),
                                STRING("name", 0, NULL), END};
static const member_t POLICY[] = {OF_ANY_RESOURCE, STRING("name", 1, NULL),
                                  LIST("resource", OBJECTS, ENTRIES_MAX, ENTRY, NULL),
                                  LIST("ipAccessRule", OBJECTS, ENTRIES_MAX, RULE, NULL), END};

static const member_t TO_POLICY[] = {OF_REFERENCE(check_policy), END};
static const member_t TO_PROFILE[] = {OF_REFERENCE(check_profile), END};
static const member_t TO_ANY[] = {OF_REFERENCE(NULL), END};
static const member_t USER_IDENTIFIER[] = {STRING("system", 0, NULL), STRING("value", 1, NULL), END};
static const member_t USER[] = {STRING("reference", 0, check_client), OBJECT("identifier", USER_IDENTIFIER, 0, NULL),
                                STRING("type", 0, NULL), STRING("display", 0, NULL), END};
static const member_t PARAMETER[] = {STRING("name", 1, check_name), STRING("valueString", 0, NULL),
                                     OBJECT("valueReference", TO_ANY, 0, NULL), END};
static const member_t ACCESS[] = {OBJECT("policy", TO_POLICY, 1, NULL),
                                  LIST("parameter", OBJECTS, PARAMETERS_MAX, PARAMETER, check_parameter), END};
static const member_t MEMBERSHIP[] = {OF_ANY_RESOURCE,
                                      OBJECT("user", USER, 1, check_user),
                                      OBJECT("profile", TO_PROFILE, 0, NULL),
                                      BOOLEAN("admin"),
                                      BOOLEAN("active"),
                                      OBJECT("accessPolicy", TO_POLICY, 0, NULL),
                                      LIST("access", OBJECTS, POLICIES_MAX, ACCESS, check_access),
                                      OBJECT("project", NULL, 0, NULL),
                                      OBJECT("invitedBy", NULL, 0, NULL),
                                      OBJECT("userConfiguration", NULL, 0, NULL),
                                      STRING("userName", 0, NULL),
                                      STRING("externalId", 0, NULL),
                                      LIST("identifier", OBJECTS, IDENTIFIERS_MAX, NULL, NULL),
                                      END};

/* ---- values ---- */

static fhir_error_t *refuse(const check_t *check, int node, const char *why)
{
    const char *expression = fhir_resource_expression(check->document, node, check->pool);
    fhir_error_t *error = fhir_error_public(check->pool, FHIR_ERROR_UNPROCESSABLE, "%s %s.", expression, why);
    error->expression = expression;
    return error;
}

static const char *text_of(const check_t *check, int node)
{
    return fhir_json_string(check->document, node, check->pool);
}

static int sibling(const check_t *check, int node, const char *name)
{
    return fhir_json_member(check->document, check->document->nodes[node].parent, name);
}

static fhir_error_t *check_type(const check_t *check, int node)
{
    const char *type = text_of(check, node);
    return strcmp(type, "*") == 0 || fhir_resource_type_known(type)
               ? NULL
               : refuse(check, node, "is no resource type; write one as FHIR R4 does, or * for all");
}

static fhir_error_t *one_of(const check_t *check, int node, const char *const *words)
{
    const char *text = text_of(check, node);
    const char *const *word;
    const char *all = "";
    for (word = words; *word; word++) {
        if (strcmp(text, *word) == 0) {
            return NULL;
        }
        all = apr_pstrcat(check->pool, all, *all ? ", " : "", *word, NULL);
    }
    return refuse(check, node, apr_pstrcat(check->pool, "has an unknown value; write one of ", all, NULL));
}

static fhir_error_t *check_interaction(const check_t *check, int node)
{
    static const char *const words[] = {"create", "read", "vread", "update", "delete", "history", "search", NULL};
    return one_of(check, node, words);
}

static fhir_error_t *check_action(const check_t *check, int node)
{
    static const char *const words[] = {"allow", "block", NULL};
    return one_of(check, node, words);
}

static fhir_error_t *check_address(const check_t *check, int node)
{
    const char *text = text_of(check, node);
    fhir_network_t network;
    return strcmp(text, "*") == 0 || fhir_network_parse(&network, text)
               ? NULL
               : refuse(check, node,
                        "is no address and no network; write one such as 192.0.2.7 or 192.0.2.0/24 (at least /8, IPv6 "
                        "/7, no bits set behind the prefix), or * for all");
}

static int is_name(const char *text, const char *also)
{
    const char *at;
    for (at = text; *at; at++) {
        int is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        if (!is_letter && (at == text || !((*at >= '0' && *at <= '9') || strchr(also, *at)))) {
            return 0;
        }
    }
    return at > text && at - text <= NAME_MAX_LENGTH;
}

/* ---- names of elements ---- */

static int has_element(const char *type, const char *name)
{
    const fhir_structure_t *ignored;
    return fhir_structure_element(&ignored, fhir_structure_of_resource(type), name, strlen(name)) !=
           FHIR_ELEMENT_UNKNOWN;
}

/* `value` of valueQuantity. */
static int has_choice(const char *type, const char *name)
{
    const fhir_structure_t *structure = fhir_structure_of_resource(type);
    apr_size_t length = strlen(name);
    const char *member;
    int i;
    for (i = 0; (member = fhir_structure_member(structure, i)); i++) {
        if (strncmp(member, name, length) == 0 && member[length] >= 'A' && member[length] <= 'Z') {
            return 1;
        }
    }
    return 0;
}

static int any_type(int (*has)(const char *type, const char *name), const char *name)
{
    const char *const *type;
    for (type = fhir_structure_resource_types(); *type; type++) {
        if (has(*type, name)) {
            return 1;
        }
    }
    return 0;
}

static int is_element(const char *type, const char *name)
{
    return strcmp(type, "*") == 0 ? any_type(has_element, name) || any_type(has_choice, name)
                                  : has_element(type, name) || has_choice(type, name);
}

/* A misspelt name would hide nothing. */
static fhir_error_t *check_field(const check_t *check, int node)
{
    const char *name = text_of(check, node);
    int entry = check->document->nodes[check->document->nodes[node].parent].parent;
    const char *type = text_of(check, fhir_json_member(check->document, entry, "resourceType"));
    if (!is_name(name, "")) {
        return refuse(check, node, "must be the name of an element at the top of the resource, such as telecom");
    }
    if (strcmp(name, "id") == 0 || strcmp(name, "resourceType") == 0) {
        return refuse(check, node, "names what can't be hidden or kept from changes; leave it out");
    }
    if (!type || is_element(type, name)) {
        return NULL; /* a resourceType that is no string is refused too */
    }
    return refuse(check, node, "is no element of the resource type; write it as FHIR R4 does");
}

/* ---- references ---- */

/* `Type/id` and nothing else: a version or a URL could be of something else. NULL: it is not. */
static const char *type_of_reference(const check_t *check, const char *reference)
{
    const char *slash = strchr(reference, '/');
    const char *type = slash ? apr_pstrmemdup(check->pool, reference, (apr_size_t)(slash - reference)) : NULL;
    return type && fhir_id_valid(slash + 1) ? type : NULL;
}

/* What a transaction resolves. Outside of one it stays, and is nobody's policy. */
static int is_placeholder(const char *reference)
{
    return strncmp(reference, "urn:uuid:", 9) == 0 && fhir_is_uuid(reference + 9);
}

static fhir_error_t *check_policy(const check_t *check, int node)
{
    const char *reference = text_of(check, node);
    const char *type = type_of_reference(check, reference);
    return is_placeholder(reference) || (type && strcmp(type, "AccessPolicy") == 0)
               ? NULL
               : refuse(check, node, "must be AccessPolicy/ and the policy's id");
}

static fhir_error_t *check_profile(const check_t *check, int node)
{
    const char *reference = text_of(check, node);
    const char *type = type_of_reference(check, reference);
    return is_placeholder(reference) || (type && fhir_resource_type_known(type))
               ? NULL
               : refuse(check, node, "must be a resource of this project, such as Practitioner/1");
}

static fhir_error_t *check_client(const check_t *check, int node)
{
    const char *reference = text_of(check, node);
    const char *type = type_of_reference(check, reference);
    return type && strcmp(type, "ClientApplication") == 0 && fhir_is_uuid(strchr(reference, '/') + 1)
               ? NULL
               : refuse(check, node,
                        "must be ClientApplication/ and a client id; for other users leave it out and give identifier, "
                        "with the issuer's URL as system and its sub as value");
}

static fhir_error_t *check_user(const check_t *check, int node)
{
    int client = fhir_json_member(check->document, node, "reference");
    int identifier = fhir_json_member(check->document, node, "identifier");
    return (client >= 0) != (identifier >= 0)
               ? NULL
               : refuse(check, node, "needs either reference (a client) or identifier (another user)");
}

/* ---- access ---- */

static fhir_error_t *check_name(const check_t *check, int node)
{
    return is_name(text_of(check, node), "_")
               ? NULL
               : refuse(check, node, "must begin with a letter; letters, digits and _ may follow");
}

/* One value, and no parameter of that name before it: which one counted would be a guess. */
static fhir_error_t *check_parameter(const check_t *check, int node)
{
    const fhir_json_document_t *document = check->document;
    const char *name = text_of(check, fhir_json_member(document, node, "name"));
    int other = fhir_json_first(document, document->nodes[node].parent);
    int is_text = fhir_json_member(document, node, "valueString") >= 0;
    int is_reference = fhir_json_member(document, node, "valueReference") >= 0;
    if (is_text == is_reference) {
        return refuse(check, node, "needs either valueString or valueReference");
    }
    for (; other != node; other = document->nodes[other].next) {
        if (fhir_json_equals(document, fhir_json_member(document, other, "name"), name)) {
            return refuse(check, node, "has the name of another parameter of this policy; give each once");
        }
    }
    return NULL;
}

static fhir_error_t *check_access(const check_t *check, int node)
{
    int list = check->document->nodes[node].parent;
    return sibling(check, list, "accessPolicy") < 0 || check->document->nodes[list].count < POLICIES_MAX
               ? NULL
               : refuse(check, list, "names too many policies together with accessPolicy; join some of them");
}

/* ---- shapes ---- */

static fhir_error_t *check_object(const check_t *check, int object, const member_t *members);

/* What is known elsewhere and would narrow there: to leave it out is no remedy. */
static const char *advice_for(const char *name)
{
    static const char *const others[] = {"basedOn", "compartment", "writeConstraint"};
    apr_size_t i;
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(name, others[i]) == 0) {
            return "is not evaluated by this server; say what it stands for in criteria, interaction and "
                   "readonlyFields. "
                   "Here may be ";
        }
    }
    return "is unknown; here may be ";
}

static fhir_error_t *refuse_unknown(const check_t *check, int node, const member_t *members)
{
    const char *why = advice_for(fhir_json_name(check->document, node, check->pool));
    const member_t *member;
    for (member = members; member->name; member++) {
        why = apr_pstrcat(check->pool, why, member == members ? "" : ", ", member->name, NULL);
    }
    return refuse(check, node, why);
}

static fhir_error_t *check_kind(const check_t *check, int node, fhir_json_kind_t kind, const char *must_be)
{
    return check->document->nodes[node].kind == kind ? NULL : refuse(check, node, must_be);
}

static fhir_error_t *check_length(const check_t *check, int node, int most)
{
    FHIR_TRY(check_kind(check, node, FHIR_JSON_STRING, "must be a string"));
    return strlen(text_of(check, node)) <= (size_t)most
               ? NULL
               : refuse(check, node, apr_psprintf(check->pool, "is longer than %d bytes; shorten it", most));
}

/* A single value, or an item of a list. */
static fhir_error_t *check_value(const check_t *check, int node, const member_t *member)
{
    if (member->kind == SHAPE_OBJECT || member->kind == SHAPE_OBJECTS) {
        FHIR_TRY(check_kind(check, node, FHIR_JSON_OBJECT, "must be an object"));
        FHIR_TRY(member->members ? check_object(check, node, member->members) : NULL);
    } else {
        FHIR_TRY(check_length(check, node, member->kind == SHAPE_STRING ? member->most : TEXT_MAX));
    }
    return member->check ? member->check(check, node) : NULL;
}

static fhir_error_t *check_list(const check_t *check, int list, const member_t *member)
{
    int item;
    FHIR_TRY(check_kind(check, list, FHIR_JSON_ARRAY, "must be a list"));
    if (check->document->nodes[list].count > member->most) {
        return refuse(check, list, apr_psprintf(check->pool, "has over %d items; make it shorter", member->most));
    }
    for (item = fhir_json_first(check->document, list); item >= 0; item = check->document->nodes[item].next) {
        FHIR_TRY(check_value(check, item, member));
    }
    return NULL;
}

static fhir_error_t *check_member(const check_t *check, int node, const member_t *member)
{
    fhir_json_kind_t kind = check->document->nodes[node].kind;
    switch (member->kind) {
    case SHAPE_ANY:
        return NULL;
    case SHAPE_BOOLEAN:
        return kind == FHIR_JSON_TRUE || kind == FHIR_JSON_FALSE ? NULL : refuse(check, node, "must be true or false");
    case SHAPE_OBJECTS:
    case SHAPE_STRINGS:
        return check_list(check, node, member);
    default:
        return check_value(check, node, member);
    }
}

static const member_t *find_member(const check_t *check, int node, const member_t *members)
{
    for (; members->name; members++) {
        if (fhir_json_named(check->document, node, members->name)) {
            return members;
        }
    }
    return NULL;
}

static fhir_error_t *check_object(const check_t *check, int object, const member_t *members)
{
    const fhir_json_node_t *nodes = check->document->nodes;
    const member_t *member;
    int node;
    for (node = fhir_json_first(check->document, object); node >= 0; node = nodes[node].next) {
        member = find_member(check, node, members);
        FHIR_TRY(member ? check_member(check, node, member) : refuse_unknown(check, node, members));
    }
    for (member = members; member->name; member++) {
        if (member->required && fhir_json_member(check->document, object, member->name) < 0) {
            return refuse(check, object, apr_pstrcat(check->pool, "needs the member ", member->name, NULL));
        }
    }
    return NULL;
}

/* ---- all ---- */

static const member_t *members_of(const char *type)
{
    return strcmp(type, "AccessPolicy") == 0 ? POLICY : strcmp(type, "ProjectMembership") == 0 ? MEMBERSHIP : NULL;
}

int fhir_is_project_resource(const char *type)
{
    return members_of(type) != NULL;
}

fhir_error_t *fhir_project_resource_check(const fhir_sent_resource_t *sent, apr_pool_t *pool)
{
    const check_t check = {sent->document, pool};
    const member_t *members = members_of(sent->type);
    if (members && sent->document->nodes[sent->root].length > BYTES_MAX) {
        return refuse(&check, sent->root, "is larger than 1 MiB; write several");
    }
    return members ? check_object(&check, sent->root, members) : NULL;
}
