/* From a membership's access and the texts of its policies to what is asked at each request. The texts come from the
 * database and were checked when written; they are trusted no more for that.
 */
#include "policy_private.h"

#include <string.h>

static const fhir_json_limits_t LIMITS = {16, 100000};

/* ---- problems ---- */

static void add_problem(fhir_policy_compiler_t *compiler, const char *expression, const char *text)
{
    apr_array_header_t *problems = compiler->policy->problems;
    fhir_policy_problem_t *problem;
    if (problems->nelts > FHIR_POLICY_ENTRIES_MAX) {
        return;
    }
    problem = apr_array_push(problems);
    problem->policy_id = compiler->source ? compiler->source->id : "";
    problem->expression = expression;
    problem->text = text;
}

int fhir_policy_problem(fhir_policy_compiler_t *compiler, int node, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_problem(compiler, fhir_json_path(compiler->document, node, compiler->root, compiler->pool),
                apr_pvsprintf(compiler->pool, format, arguments));
    va_end(arguments);
    return 0;
}

int fhir_policy_exhausted(fhir_policy_compiler_t *compiler, int node, const char *what, int limit)
{
    compiler->exhausted = 1;
    return fhir_policy_problem(compiler, node, "There are over %d %s; until there are fewer nothing is permitted.",
                               limit, what);
}

/* ---- one policy ---- */

static int is_descriptive(const fhir_json_document_t *document, int member)
{
    static const char *const names[] = {"resourceType", "id", "meta", "name", "description", "text", "language"};
    apr_size_t i;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (fhir_json_named(document, member, names[i])) {
            return 1;
        }
    }
    return 0;
}

/* A member that is not known may narrow what the others give. */
static int has_unknown_members(fhir_policy_compiler_t *compiler)
{
    const fhir_json_document_t *document = compiler->document;
    int unknown = 0;
    int member;
    for (member = fhir_json_first(document, 0); member >= 0; member = document->nodes[member].next) {
        if (!is_descriptive(document, member) && !fhir_json_named(document, member, "resource") &&
            !fhir_json_named(document, member, "ipAccessRule")) {
            fhir_policy_problem(compiler, member,
                                "This element is not evaluated here, so the policy permits nothing; "
                                "remove it.");
            unknown = 1;
        }
    }
    return unknown;
}

static void read_policy(fhir_policy_compiler_t *compiler, const char *body)
{
    const char *text = apr_pstrcat(compiler->scratch, "{", body, "}", NULL);
    apr_size_t length = strlen(text);
    fhir_error_t *error = NULL;
    int unknown;
    if (length <= FHIR_POLICY_BODY_MAX) {
        error = fhir_json_parse(&compiler->document, text, length, &LIMITS, compiler->scratch);
    }
    if (error || length > FHIR_POLICY_BODY_MAX) {
        add_problem(compiler, compiler->root,
                    error ? apr_pstrdup(compiler->pool, error->public_text)
                          : "It is too large; split it into several.");
        fhir_policy_block_all(compiler);
        return;
    }
    unknown = has_unknown_members(compiler);
    fhir_policy_add_rules(compiler, fhir_json_member(compiler->document, 0, "ipAccessRule"));
    if (!unknown) {
        fhir_policy_add_entries(compiler, fhir_json_member(compiler->document, 0, "resource"));
    }
}

/* ---- access ---- */

static const fhir_policy_source_t *find_source(const apr_array_header_t *sources, const char *id)
{
    int i;
    for (i = 0; sources && i < sources->nelts; i++) {
        const fhir_policy_source_t *source = &APR_ARRAY_IDX(sources, i, fhir_policy_source_t);
        if (strcmp(source->id, id) == 0) {
            return source;
        }
    }
    return NULL;
}

static int is_parameter_name(const char *name)
{
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") > 0 && strlen(name) <= 64 &&
           !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")];
}

static void push_parameter(apr_array_header_t *parameters, const char *name, const char *value)
{
    fhir_parameter_t *parameter = apr_array_push(parameters);
    parameter->name = name;
    parameter->value = value;
}

/* A wrong parameter is left out: what uses it is a problem of its own. 0: a name that is there twice. */
static int read_parameter(fhir_policy_compiler_t *compiler, apr_array_header_t *parameters, int node)
{
    const fhir_json_document_t *document = compiler->document;
    const char *name = fhir_json_string(document, fhir_json_member(document, node, "name"), compiler->pool);
    const char *value = fhir_json_string(document, fhir_json_member(document, node, "value"), compiler->pool);
    if (!name || !value || document->nodes[node].count != 2) {
        fhir_policy_problem(compiler, node, "A parameter has a name and either valueString or valueReference.");
        return 1;
    }
    if (!is_parameter_name(name)) {
        fhir_policy_problem(compiler, node, "`%s` can't be a parameter's name; use letters and digits.", name);
        return 1;
    }
    if (strlen(value) > FHIR_INDEX_TEXT_MAX) {
        fhir_policy_problem(compiler, node, "The value is over %d bytes long; shorten it.", FHIR_INDEX_TEXT_MAX);
        return 1;
    }
    if (fhir_query_count(parameters, name) > 0) {
        return fhir_policy_problem(compiler, node, "The parameter `%s` is given twice; keep one.", name);
    }
    push_parameter(parameters, name, value);
    return 1;
}

/* Parameters that are given come first. */
static void add_profile(apr_array_header_t *parameters, const char *profile)
{
    if (!profile || !*profile) {
        return;
    }
    if (fhir_query_count(parameters, "profile") == 0) {
        push_parameter(parameters, "profile", profile);
    }
    if (strncmp(profile, "Patient/", 8) == 0 && fhir_query_count(parameters, "patient") == 0) {
        push_parameter(parameters, "patient", profile);
    }
}

/* NULL: they are not clear, so the policy permits nothing. */
static const apr_array_header_t *read_parameters(fhir_policy_compiler_t *compiler, int list)
{
    const fhir_json_document_t *document = compiler->document;
    apr_array_header_t *parameters = apr_array_make(compiler->pool, 4, sizeof(fhir_parameter_t));
    int clear = 1;
    int node;
    if (list >= 0 && document->nodes[list].kind != FHIR_JSON_ARRAY) {
        fhir_policy_problem(compiler, list, "parameter is a list.");
        return NULL;
    }
    if (list >= 0) {
        compiler->parameter_count += document->nodes[list].count;
    }
    if (compiler->parameter_count > FHIR_POLICY_PARAMETERS_MAX) {
        fhir_policy_exhausted(compiler, list, "parameters", FHIR_POLICY_PARAMETERS_MAX);
        return NULL;
    }
    for (node = list >= 0 ? fhir_json_first(document, list) : -1; node >= 0; node = document->nodes[node].next) {
        clear = read_parameter(compiler, parameters, node) && clear;
    }
    add_profile(parameters, compiler->profile);
    return clear ? parameters : NULL;
}

static int is_access(fhir_policy_compiler_t *compiler, int node)
{
    const fhir_json_document_t *document = compiler->document;
    int members =
        (fhir_json_member(document, node, "policy") >= 0) + (fhir_json_member(document, node, "parameter") >= 0);
    if (!fhir_json_string(document, fhir_json_member(document, node, "policy"), compiler->pool) ||
        document->nodes[node].count != members) {
        return fhir_policy_problem(compiler, node, "It has a policy and, if need be, parameters; nothing else.");
    }
    return 1;
}

/* The names of a policy, which outlive the texts that it was made from. */
static const fhir_policy_source_t *name_source(const fhir_policy_compiler_t *compiler, const char *id,
                                               const fhir_policy_source_t *source)
{
    fhir_policy_source_t *named = apr_pcalloc(compiler->pool, sizeof(*named));
    named->id = id;
    named->version_id = source && source->version_id ? apr_pstrdup(compiler->pool, source->version_id) : NULL;
    return named;
}

static void read_access(fhir_policy_compiler_t *compiler, const apr_array_header_t *sources, int node)
{
    const fhir_json_document_t *access = compiler->document;
    const char *id = fhir_json_string(access, fhir_json_member(access, node, "policy"), compiler->pool);
    const fhir_policy_source_t *source = id ? find_source(sources, id) : NULL;
    if (!is_access(compiler, node)) {
        return;
    }
    compiler->source = name_source(compiler, id, source);
    compiler->parameters = read_parameters(compiler, fhir_json_member(access, node, "parameter"));
    if (!source || !source->body) {
        fhir_policy_problem(compiler, node, "There is no AccessPolicy/%s; it was deleted, or never there.", id);
    } else if (compiler->parameters) {
        compiler->root = "AccessPolicy";
        read_policy(compiler, source->body);
    } else {
        fhir_policy_block_all(compiler);
    }
    compiler->source = NULL;
    compiler->document = access;
    compiler->root = "ProjectMembership.access";
}

static void read_all(fhir_policy_compiler_t *compiler, const char *access, const apr_array_header_t *sources)
{
    fhir_error_t *error = fhir_json_parse(&compiler->document, access, strlen(access), &LIMITS, compiler->scratch);
    int node;
    if (error) {
        add_problem(compiler, compiler->root, apr_pstrdup(compiler->pool, error->public_text));
        return;
    }
    if (compiler->document->nodes[0].kind != FHIR_JSON_ARRAY) {
        fhir_policy_problem(compiler, 0, "access is a list.");
        return;
    }
    if (compiler->document->nodes[0].count > FHIR_POLICY_ACCESS_MAX) {
        fhir_policy_exhausted(compiler, 0, "policies", FHIR_POLICY_ACCESS_MAX);
        return;
    }
    for (node = fhir_json_first(compiler->document, 0); node >= 0 && !compiler->exhausted;
         node = compiler->document->nodes[node].next) {
        read_access(compiler, sources, node);
    }
}

const fhir_policy_t *fhir_policy_compile(const char *access, const char *profile, const apr_array_header_t *sources,
                                         const fhir_addresses_t *addresses, apr_pool_t *pool)
{
    fhir_policy_compiler_t compiler = {0};
    fhir_policy_t *policy = apr_pcalloc(pool, sizeof(*policy));
    policy->entries = apr_array_make(pool, 8, sizeof(fhir_policy_entry_t));
    policy->rules = apr_array_make(pool, 1, sizeof(fhir_policy_rules_t));
    policy->problems = apr_array_make(pool, 1, sizeof(fhir_policy_problem_t));
    compiler.policy = policy;
    compiler.addresses = addresses;
    compiler.pool = pool;
    compiler.profile = profile ? apr_pstrdup(pool, profile) : NULL;
    apr_pool_create(&compiler.scratch, pool);
    compiler.root = "ProjectMembership.access";
    if (access) {
        read_all(&compiler, access, sources);
    }
    if (compiler.exhausted) {
        apr_array_clear(policy->entries);
    }
    apr_pool_destroy(compiler.scratch);
    return policy;
}

const apr_array_header_t *fhir_policy_problems(const fhir_policy_t *policy)
{
    return policy->problems;
}
