/* AccessPolicy.resource: what each entry permits. An entry with anything that is not understood permits nothing. */
#include "policy_private.h"

#include "../fhir/structure.h"

#include <string.h>

typedef fhir_policy_compiler_t compiler_t;
typedef fhir_policy_entry_t entry_t;

static int is_every(const entry_t *entry)
{
    return strcmp(entry->type, FHIR_EVERY_TYPE) == 0;
}

/* ---- resourceType ---- */

static int read_type(compiler_t *compiler, entry_t *entry, int node)
{
    const fhir_json_document_t *document = compiler->document;
    int member = fhir_json_member(document, node, "resourceType");
    const char *type = fhir_json_string(document, member, compiler->pool);
    if (!type) {
        return fhir_policy_problem(compiler, node, "It needs a resourceType, or \"*\" for every type.");
    }
    if (fhir_is_administrators_type(type)) {
        return fhir_policy_problem(compiler, member, "Only administrators of the project may use %s; remove the entry.",
                                   type);
    }
    if (strcmp(type, FHIR_EVERY_TYPE) != 0 && !fhir_resource_type_known(type)) {
        return fhir_policy_problem(compiler, member, "`%s` is no resource type of FHIR R4; check its spelling.", type);
    }
    entry->type = type;
    return 1;
}

/* ---- criteria ---- */

static int read_criteria(compiler_t *compiler, entry_t *entry, int member)
{
    const char *text = fhir_json_string(compiler->document, member, compiler->pool);
    fhir_error_t *error;
    if (!text) {
        return fhir_policy_problem(compiler, member, "criteria is a string: %s?name=value.", entry->type);
    }
    error = fhir_policy_criteria_read(&entry->criteria, text, entry->type, compiler->parameters, compiler->addresses,
                                      compiler->pool);
    if (error) {
        return fhir_policy_problem(compiler, member, "%s", error->public_text);
    }
    if (strcmp(entry->type, "Binary") == 0 && !fhir_criteria_fit_binaries(entry->criteria.parsed)) {
        return fhir_policy_problem(compiler, member,
                                   "Of a Binary only _id and _lastUpdated can be looked at. A Binary with a "
                                   "securityContext follows the entries for that resource's type.");
    }
    return 1;
}

/* ---- interaction, readonly ---- */

static unsigned interaction_named(const fhir_json_document_t *document, int node)
{
    int interaction;
    for (interaction = FHIR_INTERACTION_CREATE; interaction <= FHIR_INTERACTION_HISTORY; interaction++) {
        if (fhir_json_equals(document, node, fhir_interaction_name((fhir_interaction_t)interaction))) {
            return fhir_interaction_bit((fhir_interaction_t)interaction);
        }
    }
    return 0;
}

static int read_interactions(compiler_t *compiler, entry_t *entry, int member)
{
    const fhir_json_document_t *document = compiler->document;
    unsigned interactions = 0;
    int well = 1;
    int node;
    if (document->nodes[member].kind != FHIR_JSON_ARRAY || document->nodes[member].count == 0) {
        return fhir_policy_problem(compiler, member, "interaction is a list with at least one interaction.");
    }
    for (node = fhir_json_first(document, member); node >= 0; node = document->nodes[node].next) {
        unsigned bit = document->nodes[node].kind == FHIR_JSON_STRING ? interaction_named(document, node) : 0;
        if (!bit) {
            well = fhir_policy_problem(compiler, node,
                                       "This is no interaction; write create, read, vread, update, "
                                       "delete, history or search.");
        }
        interactions |= bit;
    }
    entry->interactions &= interactions;
    return well;
}

static int read_readonly(compiler_t *compiler, entry_t *entry, int member)
{
    fhir_json_kind_t kind = compiler->document->nodes[member].kind;
    if (kind != FHIR_JSON_TRUE && kind != FHIR_JSON_FALSE) {
        return fhir_policy_problem(compiler, member, "readonly is true or false.");
    }
    if (kind == FHIR_JSON_TRUE) {
        entry->interactions &= FHIR_POLICY_READING;
    }
    return 1;
}

/* ---- hiddenFields, readonlyFields ---- */

/* The name itself, or that of a choice: `value` for valueQuantity. */
static int is_element(const char *type, const char *name)
{
    const fhir_structure_t *structure = fhir_structure_of_resource(type);
    const char *member;
    apr_size_t length = strlen(name);
    int i;
    for (i = 0; (member = fhir_structure_member(structure, i)); i++) {
        if (strncmp(member, name, length) == 0 &&
            (!member[length] || (member[length] >= 'A' && member[length] <= 'Z'))) {
            return 1;
        }
    }
    return 0;
}

static int is_field_name(const char *name)
{
    return *name && strlen(name) <= 64 &&
           !name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")] &&
           strcmp(name, "id") != 0 && strcmp(name, "resourceType") != 0;
}

/* `value[x]` is `value`. NULL: no string. */
static const char *field_name(const compiler_t *compiler, int node)
{
    const char *name = fhir_json_string(compiler->document, node, compiler->pool);
    apr_size_t length = name ? strlen(name) : 0;
    return length > 3 && strcmp(name + length - 3, "[x]") == 0 ? apr_pstrmemdup(compiler->pool, name, length - 3)
                                                               : name;
}

static int add_field(compiler_t *compiler, entry_t *entry, apr_array_header_t *fields, int node)
{
    const char *name = field_name(compiler, node);
    if (!name || !is_field_name(name)) {
        return fhir_policy_problem(compiler, node,
                                   "Write the name of an element at the top of the resource other than id; parts of "
                                   "elements can't be told apart here.");
    }
    if (!is_every(entry) && !is_element(entry->type, name)) {
        return fhir_policy_problem(compiler, node, "%s has no element `%s`; check its spelling.", entry->type, name);
    }
    APR_ARRAY_PUSH(fields, const char *) = name;
    /* Nothing of a Binary can be left out of its content. */
    entry->fits_binaries = entry->fits_binaries && !is_element("Binary", name);
    return 1;
}

static int read_fields(compiler_t *compiler, entry_t *entry, const apr_array_header_t **fields, int member)
{
    const fhir_json_document_t *document = compiler->document;
    apr_array_header_t *read = apr_array_make(compiler->pool, 4, sizeof(const char *));
    int well = 1;
    int node;
    if (document->nodes[member].kind != FHIR_JSON_ARRAY || document->nodes[member].count > FHIR_POLICY_FIELDS_MAX) {
        return fhir_policy_problem(compiler, member, "It is a list of at most %d names of elements.",
                                   FHIR_POLICY_FIELDS_MAX);
    }
    if (strcmp(entry->type, "Binary") == 0) {
        return fhir_policy_problem(compiler, member, "A Binary is read and written as a whole; remove this.");
    }
    for (node = fhir_json_first(document, member); node >= 0; node = document->nodes[node].next) {
        well = add_field(compiler, entry, read, node) && well;
    }
    *fields = read->nelts > 0 ? read : NULL;
    return well;
}

static int read_hidden(compiler_t *compiler, entry_t *entry, int member)
{
    return read_fields(compiler, entry, &entry->hidden, member);
}

static int read_unchangeable(compiler_t *compiler, entry_t *entry, int member)
{
    return read_fields(compiler, entry, &entry->readonly, member);
}

/* ---- entries ---- */

static int pass_over(compiler_t *compiler, entry_t *entry, int member)
{
    (void)compiler;
    (void)entry;
    (void)member;
    return 1;
}

static int read_member(compiler_t *compiler, entry_t *entry, int member)
{
    static const struct {
        const char *name;
        int (*read)(compiler_t *compiler, entry_t *entry, int member);
    } members[] = {{"resourceType", pass_over}, {"criteria", read_criteria},   {"interaction", read_interactions},
                   {"readonly", read_readonly}, {"hiddenFields", read_hidden}, {"readonlyFields", read_unchangeable}};
    apr_size_t i;
    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (fhir_json_named(compiler->document, member, members[i].name)) {
            return members[i].read(compiler, entry, member);
        }
    }
    return fhir_policy_problem(compiler, member,
                               "This element is not evaluated here, so the entry permits nothing; remove it.");
}

/* All problems of the entry are found, not just the first. */
static int read_members(compiler_t *compiler, entry_t *entry, int node)
{
    const fhir_json_document_t *document = compiler->document;
    int well = 1;
    int member;
    for (member = fhir_json_first(document, node); member >= 0; member = document->nodes[member].next) {
        well = read_member(compiler, entry, member) && well;
    }
    if (well && entry->interactions == 0) {
        well = fhir_policy_problem(compiler, node, "readonly leaves none of its interactions; remove one of both.");
    }
    return well;
}

static void add_entry(compiler_t *compiler, int node, int number)
{
    entry_t entry = {0};
    if (compiler->document->nodes[node].kind != FHIR_JSON_OBJECT) {
        fhir_policy_problem(compiler, node, "An entry is an object with a resourceType.");
        return;
    }
    entry.source = compiler->source;
    entry.number = number;
    entry.interactions = FHIR_POLICY_EVERYTHING;
    entry.fits_binaries = 1;
    if (!read_type(compiler, &entry, node) || !read_members(compiler, &entry, node)) {
        return;
    }
    if (entry.criteria.parsed) {
        entry.needs_content = fhir_criteria_need_content(entry.criteria.parsed);
        entry.fits_binaries = entry.fits_binaries && fhir_criteria_fit_binaries(entry.criteria.parsed);
    }
    APR_ARRAY_PUSH(compiler->policy->entries, entry_t) = entry;
}

void fhir_policy_add_entries(compiler_t *compiler, int list)
{
    const fhir_json_document_t *document = compiler->document;
    int number = 0;
    int node;
    if (list < 0) {
        return;
    }
    if (document->nodes[list].kind != FHIR_JSON_ARRAY) {
        fhir_policy_problem(compiler, list, "resource is a list of entries.");
        return;
    }
    if (document->nodes[list].count > FHIR_POLICY_ENTRIES_MAX - compiler->policy->entries->nelts) {
        fhir_policy_exhausted(compiler, list, "entries", FHIR_POLICY_ENTRIES_MAX);
        return;
    }
    for (node = fhir_json_first(document, list); node >= 0; node = document->nodes[node].next) {
        add_entry(compiler, node, number++);
    }
}
