/* AccessPolicy.ipAccessRule: from where a member may come. */
#include "policy_private.h"

#include <string.h>

static const fhir_policy_rule_t BLOCK_ALL = {1, {{0}, 0}, 0};

static apr_array_header_t *new_rules(fhir_policy_compiler_t *compiler)
{
    fhir_policy_rules_t *rules = apr_array_push(compiler->policy->rules);
    rules->source = compiler->source;
    rules->rules = apr_array_make(compiler->pool, 2, sizeof(fhir_policy_rule_t));
    return rules->rules;
}

void fhir_policy_block_all(fhir_policy_compiler_t *compiler)
{
    APR_ARRAY_PUSH(new_rules(compiler), fhir_policy_rule_t) = BLOCK_ALL;
}

static int has_only_known(fhir_policy_compiler_t *compiler, int node)
{
    const fhir_json_document_t *document = compiler->document;
    int member;
    for (member = fhir_json_first(document, node); member >= 0; member = document->nodes[member].next) {
        if (!fhir_json_named(document, member, "name") && !fhir_json_named(document, member, "value") &&
            !fhir_json_named(document, member, "action")) {
            return fhir_policy_problem(compiler, member, "This element is not evaluated here; remove it.");
        }
    }
    return 1;
}

static int read_rule(fhir_policy_rule_t *rule, fhir_policy_compiler_t *compiler, int node)
{
    const fhir_json_document_t *document = compiler->document;
    int action = fhir_json_member(document, node, "action");
    int allow = action >= 0 && fhir_json_equals(document, action, "allow");
    const char *value = fhir_json_string(document, fhir_json_member(document, node, "value"), compiler->pool);
    memset(rule, 0, sizeof(*rule));
    if (!value || (!allow && !(action >= 0 && fhir_json_equals(document, action, "block")))) {
        return fhir_policy_problem(compiler, node, "A rule has a value, and an action that is allow or block.");
    }
    rule->allow = allow;
    rule->everybody = strcmp(value, "*") == 0;
    if (!rule->everybody && !fhir_network_parse(&rule->network, value)) {
        return fhir_policy_problem(compiler, node,
                                   "`%s` is no address and no network; write 192.0.2.7, 192.0.2.0/24, 2001:db8::/32, "
                                   "or * for every address.",
                                   value);
    }
    return has_only_known(compiler, node);
}

/* A rule that is not understood blocks everybody from its place on. */
void fhir_policy_add_rules(fhir_policy_compiler_t *compiler, int list)
{
    const fhir_json_document_t *document = compiler->document;
    apr_array_header_t *rules;
    int node;
    if (list < 0) {
        return;
    }
    rules = new_rules(compiler);
    if (document->nodes[list].kind != FHIR_JSON_ARRAY || document->nodes[list].count > FHIR_POLICY_RULES_MAX) {
        fhir_policy_problem(compiler, list,
                            "ipAccessRule is a list of at most %d rules; until it is, every address is "
                            "blocked.",
                            FHIR_POLICY_RULES_MAX);
        APR_ARRAY_PUSH(rules, fhir_policy_rule_t) = BLOCK_ALL;
        return;
    }
    for (node = fhir_json_first(document, list); node >= 0; node = document->nodes[node].next) {
        fhir_policy_rule_t rule;
        APR_ARRAY_PUSH(rules, fhir_policy_rule_t) = read_rule(&rule, compiler, node) ? rule : BLOCK_ALL;
    }
}

/* ---- asking ---- */

/* The zone of a link-local address (`%eth0`) is none of its own. */
static int read_peer(fhir_network_t *peer, const char *text)
{
    char address[64];
    apr_size_t length = strcspn(text, "%");
    if (length >= sizeof(address) || strchr(text, '/')) {
        return 0;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    return fhir_network_parse(peer, address);
}

static int rules_permit(const apr_array_header_t *rules, const fhir_network_t *peer)
{
    int i;
    for (i = 0; i < rules->nelts; i++) {
        const fhir_policy_rule_t *rule = &APR_ARRAY_IDX(rules, i, fhir_policy_rule_t);
        if (rule->everybody || fhir_network_contains(&rule->network, peer->address)) {
            return rule->allow;
        }
    }
    return 1;
}

int fhir_policy_permits_address(const fhir_policy_t *policy, const char *peer_address)
{
    fhir_network_t peer;
    int i;
    if (!policy || !peer_address || policy->rules->nelts == 0) {
        return 1;
    }
    if (!read_peer(&peer, peer_address)) {
        return 0;
    }
    for (i = 0; i < policy->rules->nelts; i++) {
        if (!rules_permit(APR_ARRAY_IDX(policy->rules, i, fhir_policy_rules_t).rules, &peer)) {
            return 0;
        }
    }
    return 1;
}
