/* What the parts of access policies share: core/auth/policy_*.c. */
#ifndef FHIR_AUTH_POLICY_PRIVATE_H
#define FHIR_AUTH_POLICY_PRIVATE_H

#include "../base/network.h"
#include "../base/text.h"
#include "criteria.h"
#include "policy.h"

/* Beyond these nothing is permitted. */
#define FHIR_POLICY_ENTRIES_MAX 1000
#define FHIR_POLICY_PARAMETERS_MAX 200
#define FHIR_POLICY_ACCESS_MAX 200
#define FHIR_POLICY_RULES_MAX 1000
#define FHIR_POLICY_BODY_MAX (1024 * 1024)
#define FHIR_POLICY_FIELDS_MAX 200
/* Of one entry. */
#define FHIR_POLICY_CRITERIA_MAX 8192 /* bytes */
#define FHIR_POLICY_CONDITIONS_MAX 100
#define FHIR_POLICY_VALUES_MAX 1000

typedef struct fhir_policy_criteria_t {
    const char *text;                 /* as written, NULL: none */
    const char *parameters;           /* "%patient is Patient/1", "" */
    const apr_array_header_t *parsed; /* of fhir_criterion_t, NULL: none */
} fhir_policy_criteria_t;

#define FHIR_POLICY_BIT(name) (1u << FHIR_INTERACTION_##name)
#define FHIR_POLICY_READING                                                                                            \
    (FHIR_POLICY_BIT(READ) | FHIR_POLICY_BIT(VREAD) | FHIR_POLICY_BIT(SEARCH) | FHIR_POLICY_BIT(HISTORY))
#define FHIR_POLICY_EVERYTHING                                                                                         \
    (FHIR_POLICY_READING | FHIR_POLICY_BIT(CREATE) | FHIR_POLICY_BIT(UPDATE) | FHIR_POLICY_BIT(DELETE))

/* One of AccessPolicy.resource that is understood. */
typedef struct fhir_policy_entry_t {
    const fhir_policy_source_t *source;
    int number;
    const char *type;      /* FHIR_EVERY_TYPE: all but those for administrators */
    unsigned interactions; /* bits of fhir_interaction_bit */
    fhir_policy_criteria_t criteria;
    int needs_content;
    int fits_binaries;                  /* it can say something of a Binary itself */
    const apr_array_header_t *hidden;   /* of const char *, NULL: none */
    const apr_array_header_t *readonly; /* the same */
} fhir_policy_entry_t;

typedef struct fhir_policy_rule_t {
    int everybody; /* "*" */
    fhir_network_t network;
    int allow;
} fhir_policy_rule_t;
/* The rules of one policy; each policy must permit the address. */
typedef struct fhir_policy_rules_t {
    const fhir_policy_source_t *source;
    apr_array_header_t *rules; /* of fhir_policy_rule_t */
} fhir_policy_rules_t;

struct fhir_policy_t {
    apr_array_header_t *entries;  /* of fhir_policy_entry_t */
    apr_array_header_t *rules;    /* of fhir_policy_rules_t */
    apr_array_header_t *problems; /* of fhir_policy_problem_t */
};

/* ---- making ---- */

typedef struct fhir_policy_compiler_t {
    fhir_policy_t *policy;
    const fhir_addresses_t *addresses;
    apr_pool_t *pool;
    apr_pool_t *scratch; /* for documents */
    const char *profile;
    int parameter_count; /* of all access entries */
    int exhausted;       /* a limit was passed */

    /* what is at hand */
    const fhir_policy_source_t *source;
    const apr_array_header_t *parameters; /* of fhir_parameter_t */
    const fhir_json_document_t *document;
    const char *root; /* of expressions */
} fhir_policy_compiler_t;

/* Records what is wrong at the document's node. Always 0, for callers that return whether all is well. */
int fhir_policy_problem(fhir_policy_compiler_t *compiler, int node, const char *format, ...) FHIR_PRINTF(3, 4);
/* A limit was passed: nothing is permitted. Always 0. */
int fhir_policy_exhausted(fhir_policy_compiler_t *compiler, int node, const char *what, int limit);
/* AccessPolicy.resource and AccessPolicy.ipAccessRule of the policy at hand. */
void fhir_policy_add_entries(fhir_policy_compiler_t *compiler, int list);
void fhir_policy_add_rules(fhir_policy_compiler_t *compiler, int list);
/* In place of rules that can't be read. */
void fhir_policy_block_all(fhir_policy_compiler_t *compiler);

/* "Type?name=value&..." for entries of the type; `%name` in a value stands for a parameter's value, as a literal. */
fhir_error_t *fhir_policy_criteria_read(fhir_policy_criteria_t *criteria, const char *text, const char *type,
                                        const apr_array_header_t *parameters, const fhir_addresses_t *addresses,
                                        apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- asking ---- */

/* Could any resource that may be a Binary's context permit it? */
int fhir_policy_permits_context_type(const fhir_policy_t *policy, fhir_interaction_t interaction);
/* What one entry says of the subject. */
int fhir_policy_entry_permits(const fhir_policy_entry_t *entry, fhir_interaction_t interaction,
                              const fhir_subject_t *subject);
int fhir_policy_entry_covers(const fhir_policy_entry_t *entry, const char *type);
/* Adds a line for each entry that is for the subject's type. */
void fhir_policy_explain(fhir_text_t *text, const fhir_policy_t *policy, fhir_interaction_t interaction,
                         const fhir_subject_t *subject);
/* The same for a search, which has no subject yet. */
void fhir_policy_explain_type(fhir_text_t *text, const fhir_policy_t *policy, fhir_interaction_t interaction,
                              const char *type);

#endif
