/* The decision, over every combination of its inputs. The expectation is written a second time here, in the words of
 * the contract, so that both must be wrong in the same way to agree. */
#include "core/auth/auth.h"
#include "unit.h"

typedef enum who_t { NOBODY, DISABLED, ACTIVE, ADMIN, WHO_COUNT } who_t;
typedef enum narrowed_t {
    NO_SCOPES,
    NO_SMART_SCOPE,
    PERMITTING,
    NOT_PERMITTING,
    PATIENT_MATCHING,
    PATIENT_OTHER,
    NARROWED_COUNT
} narrowed_t;
typedef enum which_t { NO_BINARY, OWN, OWN_WITHOUT_CONTEXT, FOREIGN, WHICH_COUNT } which_t;
typedef enum context_t { CONTEXT_NONE, CONTEXT_EMPTY, CONTEXT_P1, CONTEXT_P2, CONTEXT_COUNT } context_t;

#define INTERACTION_COUNT 5
#define PROJECT "11111111-1111-4111-8111-111111111111"
#define OTHER_PROJECT "22222222-2222-4222-8222-222222222222"
#define OK 0

static const char *const contexts[CONTEXT_COUNT] = {NULL, "", "Patient/p1", "Patient/p2"};

/* Scopes that hold every letter but the interaction's own. */
static const char *scope_without(fhir_interaction_t interaction)
{
    static const char *const without[] = {"user/Binary.ruds", "user/Binary.cuds", "user/Binary.crds",
                                          "user/Binary.crus", "user/Binary.crud"};
    return without[interaction - 1];
}

static const char *scope_text(narrowed_t narrowed, fhir_interaction_t interaction)
{
    switch (narrowed) {
    case NO_SMART_SCOPE:
        return "openid launch";
    case PERMITTING:
        return "user/Binary.cruds";
    case NOT_PERMITTING:
        return scope_without(interaction);
    case PATIENT_MATCHING:
    case PATIENT_OTHER:
        return "patient/Binary.cruds";
    case NO_SCOPES:
    case NARROWED_COUNT:
        break;
    }
    return NULL;
}

static int is_p1(const char *context)
{
    return context && strcmp(context, "Patient/p1") == 0;
}

static int expected_scope_reaches(narrowed_t narrowed, fhir_interaction_t interaction, which_t which,
                                  const char *new_context)
{
    int writes = interaction == FHIR_INTERACTION_CREATE || interaction == FHIR_INTERACTION_UPDATE;
    if (narrowed <= PERMITTING) {
        return 1;
    }
    if (narrowed == NOT_PERMITTING || narrowed == PATIENT_OTHER) {
        return 0;
    }
    /* the Binary OWN has Patient/p1, and so has FOREIGN: but that must not help */
    if (which == OWN) {
        return !writes || is_p1(new_context);
    }
    if (which == OWN_WITHOUT_CONTEXT) {
        return 0;
    }
    return writes && is_p1(new_context);
}

static int expected(who_t who, narrowed_t narrowed, fhir_interaction_t interaction, which_t which,
                    const char *new_context, int required)
{
    int writes = interaction == FHIR_INTERACTION_CREATE || interaction == FHIR_INTERACTION_UPDATE;
    if (who == NOBODY) {
        return FHIR_ERROR_UNAUTHENTICATED;
    }
    if (who == DISABLED || !expected_scope_reaches(narrowed, interaction, which, new_context)) {
        return FHIR_ERROR_FORBIDDEN;
    }
    if (which == FOREIGN) {
        return FHIR_ERROR_NOT_FOUND;
    }
    return writes && required && (!new_context || !*new_context) ? FHIR_ERROR_UNPROCESSABLE : OK;
}

static int decided(who_t who, narrowed_t narrowed, fhir_interaction_t interaction, which_t which,
                   const char *new_context, int required, apr_pool_t *scratch)
{
    fhir_membership_t membership = {"m", PROJECT, NULL, who == ADMIN, who != DISABLED};
    fhir_binary_t binary = {0};
    fhir_decision_input_t input = {0};
    fhir_error_t *error;
    const char *scope = scope_text(narrowed, interaction);
    binary.project_id = which == FOREIGN ? OTHER_PROJECT : PROJECT;
    binary.id = "b";
    binary.security_context = which == OWN_WITHOUT_CONTEXT ? NULL : "Patient/p1";
    input.interaction = interaction;
    input.membership = who == NOBODY ? NULL : &membership;
    input.scopes = scope ? fhir_scopes_parse(scope, scratch) : NULL;
    input.patient = narrowed == PATIENT_OTHER ? "p3" : "p1";
    input.binary = which == NO_BINARY ? NULL : &binary;
    input.new_security_context = new_context;
    input.require_security_context = required;
    error = fhir_decide(&input, scratch);
    return error ? (int)error->code : OK;
}

static void test_every_combination(void)
{
    unsigned wrong = 0;
    unsigned allowed = 0;
    unsigned total = 0;
    unsigned i;
    apr_pool_t *scratch;
    apr_pool_create(&scratch, pool);
    for (i = 0; i < WHO_COUNT * NARROWED_COUNT * INTERACTION_COUNT * WHICH_COUNT * CONTEXT_COUNT * 2; i++) {
        unsigned rest = i;
        who_t who = rest % WHO_COUNT;
        narrowed_t narrowed = (rest /= WHO_COUNT) % NARROWED_COUNT;
        fhir_interaction_t interaction = 1 + (rest /= NARROWED_COUNT) % INTERACTION_COUNT;
        which_t which = (rest /= INTERACTION_COUNT) % WHICH_COUNT;
        const char *context = contexts[(rest /= WHICH_COUNT) % CONTEXT_COUNT];
        int required = (rest / CONTEXT_COUNT) % 2 == 1;
        int want = expected(who, narrowed, interaction, which, context, required);
        int have = decided(who, narrowed, interaction, which, context, required, scratch);
        if (want != have) {
            printf("who %d scopes %d interaction %d binary %d context %s required %d: %d, expected %d\n", who, narrowed,
                   interaction, which, context ? context : "-", required, have, want);
            wrong++;
        }
        allowed += have == OK;
        total++;
        apr_pool_clear(scratch);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(total, 4 * 6 * 5 * 4 * 4 * 2);
    CU_ASSERT(allowed > 100 && allowed < total / 2);
}

/* Whatever the scopes: nobody can tell another project's Binary from none. */
static void test_existence_is_not_revealed(void)
{
    narrowed_t narrowed;
    for (narrowed = NO_SCOPES; narrowed < NARROWED_COUNT; narrowed++) {
        int foreign = decided(ACTIVE, narrowed, FHIR_INTERACTION_READ, FOREIGN, NULL, 0, pool);
        int none = decided(ACTIVE, narrowed, FHIR_INTERACTION_READ, NO_BINARY, NULL, 0, pool);
        CU_ASSERT(none == OK ? foreign == FHIR_ERROR_NOT_FOUND : foreign == none);
    }
}

/* A patient/ scope can't pull a Binary out of its patient, nor another one in. */
static void test_moving_between_contexts(void)
{
    CU_ASSERT_EQUAL(decided(ACTIVE, PATIENT_MATCHING, FHIR_INTERACTION_UPDATE, OWN, "Patient/p2", 0, pool),
                    FHIR_ERROR_FORBIDDEN);
    CU_ASSERT_EQUAL(
        decided(ACTIVE, PATIENT_MATCHING, FHIR_INTERACTION_UPDATE, OWN_WITHOUT_CONTEXT, "Patient/p1", 0, pool),
        FHIR_ERROR_FORBIDDEN);
    CU_ASSERT_EQUAL(decided(ACTIVE, PATIENT_MATCHING, FHIR_INTERACTION_UPDATE, OWN, "Patient/p1", 0, pool), OK);
}

static int decided_resource(const fhir_membership_t *membership, const char *scope, fhir_interaction_t interaction,
                            const char *type, const char *id)
{
    fhir_resource_decision_t input = {0};
    fhir_error_t *error;
    input.membership = membership;
    input.scopes = scope ? fhir_scopes_parse(scope, pool) : NULL;
    input.patient = "p1";
    input.interaction = interaction;
    input.type = type;
    input.id = id;
    error = fhir_decide_resource(&input, pool);
    return error ? (int)error->code : OK;
}

static void test_resources(void)
{
    static const struct {
        const char *scope;
        fhir_interaction_t interaction;
        const char *type;
        const char *id;
        int code;
    } cases[] = {
        {NULL, FHIR_INTERACTION_DELETE, "Patient", "x", OK},
        {"openid", FHIR_INTERACTION_CREATE, "Patient", NULL, OK},
        {"user/Patient.rs", FHIR_INTERACTION_READ, "Patient", "x", OK},
        {"user/Patient.rs", FHIR_INTERACTION_SEARCH, "Patient", NULL, OK},
        {"user/Patient.rs", FHIR_INTERACTION_UPDATE, "Patient", "x", FHIR_ERROR_FORBIDDEN},
        {"user/Patient.rs", FHIR_INTERACTION_READ, "Media", "x", FHIR_ERROR_FORBIDDEN},
        {"user/PatientX.rs", FHIR_INTERACTION_READ, "Patient", "x", FHIR_ERROR_FORBIDDEN},
        {"user/Pat.rs", FHIR_INTERACTION_READ, "Patient", "x", FHIR_ERROR_FORBIDDEN},
        {"user/*.r", FHIR_INTERACTION_READ, "Media", "x", OK},
        {"system/Media.write", FHIR_INTERACTION_DELETE, "Media", "x", OK},
        {"system/Media.write", FHIR_INTERACTION_READ, "Media", "x", FHIR_ERROR_FORBIDDEN},
        {"patient/*.cruds", FHIR_INTERACTION_READ, "Patient", "p1", OK},
        {"patient/*.cruds", FHIR_INTERACTION_READ, "Patient", "p2", FHIR_ERROR_FORBIDDEN},
        {"patient/*.cruds", FHIR_INTERACTION_SEARCH, "Patient", NULL, FHIR_ERROR_FORBIDDEN},
        {"patient/*.cruds", FHIR_INTERACTION_READ, "Media", "p1", FHIR_ERROR_FORBIDDEN},
        {"patient/Media.rs user/Media.r", FHIR_INTERACTION_READ, "Media", "m", OK},
        {"user/Media.r?status=x", FHIR_INTERACTION_READ, "Media", "m", FHIR_ERROR_FORBIDDEN},
    };
    const fhir_membership_t member = {"m", PROJECT, NULL, 0, 1};
    const fhir_membership_t disabled = {"m", PROJECT, NULL, 1, 0};
    size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(decided_resource(&member, cases[i].scope, cases[i].interaction, cases[i].type, cases[i].id),
                        cases[i].code);
    }
    CU_ASSERT_EQUAL(decided_resource(NULL, NULL, FHIR_INTERACTION_READ, "Patient", "x"), FHIR_ERROR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL(decided_resource(&disabled, NULL, FHIR_INTERACTION_READ, "Patient", "x"), FHIR_ERROR_FORBIDDEN);
}

static const fhir_unit_test_t tests[] = {{"resources", test_resources},
                                         {"every combination", test_every_combination},
                                         {"existence is not revealed", test_existence_is_not_revealed},
                                         {"moving between contexts", test_moving_between_contexts},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("decide", tests)
