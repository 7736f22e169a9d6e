/* The decision, over every combination of its inputs. The expectation is written a second time here, in the words of
 * the contract, so that both must be wrong in the same way to agree. */
#include "core/auth/decide.h"
#include "policy_help.h"

#define OK 0
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what is combined ---- */

typedef enum who_t { NOBODY, DISABLED, DISABLED_ADMIN, MEMBER, ADMIN, WHO_COUNT } who_t;
typedef enum policy_kind_t {
    POLICY_NULL,
    POLICY_NONE,
    POLICY_FULL,
    POLICY_READONLY,
    POLICY_PATIENT,
    POLICY_BINARY,
    POLICY_MEDIA,
    POLICY_COUNT
} policy_kind_t;
typedef enum scope_kind_t {
    SCOPE_NULL,
    SCOPE_OTHER,
    SCOPE_FULL,
    SCOPE_WITHOUT, /* every letter but the interaction's own */
    SCOPE_P1,
    SCOPE_NO_PATIENT,
    SCOPE_DRAFT, /* constrained to what only P2's context is */
    SCOPE_COUNT
} scope_kind_t;
/* A Binary by what it stands under. */
typedef enum what_t { NOTHING, ITSELF, UNDER_P1, UNDER_P2, UNDER_MISSING, WHAT_COUNT } what_t;

#define INTERACTION_COUNT 7

static const fhir_policy_t *policies[POLICY_COUNT];
static const fhir_scopes_t *scopes[SCOPE_COUNT][INTERACTION_COUNT + 1];
static const fhir_subject_t *subjects[WHAT_COUNT];

static void make_policies(void)
{
    policies[POLICY_NULL] = NULL;
    policies[POLICY_NONE] = compiled("", "Patient/1", "");
    policies[POLICY_FULL] = compiled("", "Patient/1", "{'resourceType':'*'}");
    policies[POLICY_READONLY] = compiled("", "Patient/1", "{'resourceType':'*','readonly':true}");
    policies[POLICY_PATIENT] = compiled("", "Patient/1", "{'resourceType':'*','criteria':'*?_compartment=%patient'}");
    policies[POLICY_BINARY] = compiled("", "Patient/1", "{'resourceType':'Binary'}");
    policies[POLICY_MEDIA] = compiled("", "Patient/1", "{'resourceType':'Media'}");
}

static void make_scopes(void)
{
    static const char *const without[] = {"user/Binary.ruds", "user/Binary.cuds", "user/Binary.crds",
                                          "user/Binary.crus", "user/Binary.crud", "user/Binary.cuds",
                                          "user/Binary.cuds"};
    int i;
    for (i = 1; i <= INTERACTION_COUNT; i++) {
        scopes[SCOPE_NULL][i] = NULL;
        scopes[SCOPE_OTHER][i] = fhir_scopes_parse("openid launch", pool);
        scopes[SCOPE_FULL][i] = fhir_scopes_parse("user/Binary.cruds", pool);
        scopes[SCOPE_WITHOUT][i] = fhir_scopes_parse(without[i - 1], pool);
        scopes[SCOPE_P1][i] = fhir_scopes_parse("patient/Binary.cruds", pool);
        scopes[SCOPE_NO_PATIENT][i] = scopes[SCOPE_P1][i];
        scopes[SCOPE_DRAFT][i] = fhir_scopes_parse("user/Binary.cruds?status=preparation", pool);
    }
}

static void make_all(void)
{
    make_policies();
    make_scopes();
    subjects[NOTHING] = NULL;
    subjects[ITSELF] = binary_of("b");
    subjects[UNDER_P1] = context_of("Media", "1", "'status':'completed','subject':{'reference':'Patient/1'}");
    subjects[UNDER_P2] = context_of("Media", "2", "'status':'preparation','subject':{'reference':'Patient/2'}");
    subjects[UNDER_MISSING] = missing(context_of("Media", "3", "'subject':{'reference':'Patient/1'}"));
}

typedef struct case_t {
    who_t who;
    policy_kind_t policy;
    scope_kind_t scope;
    fhir_interaction_t interaction;
    what_t before;
    what_t version;
    what_t after;
    int create_needs_read;
} case_t;

/* ---- the contract again ---- */

static int is_reading(fhir_interaction_t interaction)
{
    return interaction != FHIR_INTERACTION_CREATE && interaction != FHIR_INTERACTION_UPDATE &&
           interaction != FHIR_INTERACTION_DELETE;
}

static int expected_policy(const case_t *of, fhir_interaction_t interaction, what_t what)
{
    if (of->who == ADMIN) {
        return 1;
    }
    if (what == UNDER_MISSING) {
        return 0;
    }
    switch (of->policy) {
    case POLICY_FULL:
        return 1;
    case POLICY_READONLY:
        return is_reading(interaction) ||
               (interaction == FHIR_INTERACTION_CREATE && of->create_needs_read && what != ITSELF);
    case POLICY_PATIENT:
        return what == UNDER_P1;
    case POLICY_BINARY:
        return what == ITSELF;
    case POLICY_MEDIA:
        return what != ITSELF;
    case POLICY_NULL:
    case POLICY_NONE:
    case POLICY_COUNT:
        break;
    }
    return 0;
}

static int expected_policy_type(const case_t *of, fhir_interaction_t interaction)
{
    return expected_policy(of, interaction, ITSELF) || expected_policy(of, interaction, UNDER_P1) ||
           expected_policy(of, interaction, UNDER_P2);
}

static int expected_scope(const case_t *of, what_t what)
{
    switch (of->scope) {
    case SCOPE_P1:
        return what == UNDER_P1;
    case SCOPE_NO_PATIENT:
    case SCOPE_WITHOUT:
        return 0;
    case SCOPE_DRAFT:
        return what == UNDER_P2;
    case SCOPE_NULL:
    case SCOPE_OTHER:
    case SCOPE_FULL:
    case SCOPE_COUNT:
        break;
    }
    return 1;
}

static int expected_both(const case_t *of, fhir_interaction_t interaction, what_t what)
{
    return expected_policy(of, interaction, what) && expected_scope(of, what);
}

static int expected_there(const case_t *of, fhir_interaction_t interaction)
{
    return expected_both(of, interaction, of->before) &&
           (of->version == NOTHING || expected_both(of, interaction, of->version));
}

static int expected_update(const case_t *of)
{
    if (of->before == NOTHING) { /* it creates; a refusal looks like an unknown id */
        if (!expected_policy_type(of, FHIR_INTERACTION_CREATE)) {
            return FHIR_ERROR_NOT_FOUND;
        }
        return of->after == NOTHING ||
                       (expected_policy(of, FHIR_INTERACTION_CREATE, of->after) && expected_scope(of, of->after))
                   ? OK
                   : FHIR_ERROR_NOT_FOUND;
    }
    if (!expected_there(of, FHIR_INTERACTION_UPDATE)) {
        return expected_there(of, FHIR_INTERACTION_READ) ? FHIR_ERROR_FORBIDDEN : FHIR_ERROR_NOT_FOUND;
    }
    return of->after == NOTHING || expected_both(of, FHIR_INTERACTION_UPDATE, of->after) ? OK : FHIR_ERROR_FORBIDDEN;
}

static int expected_type(const case_t *of)
{
    /* Whether it is there must not make a difference: the answer would tell it. */
    int by_policy = expected_policy_type(of, of->interaction) ||
                    (of->interaction == FHIR_INTERACTION_UPDATE && expected_policy_type(of, FHIR_INTERACTION_CREATE));
    return by_policy && of->scope != SCOPE_WITHOUT && of->scope != SCOPE_NO_PATIENT;
}

static int expected(const case_t *of)
{
    if (of->who == NOBODY) {
        return FHIR_ERROR_UNAUTHENTICATED;
    }
    if (of->who == DISABLED || of->who == DISABLED_ADMIN || !expected_type(of)) {
        return FHIR_ERROR_FORBIDDEN;
    }
    if (of->interaction == FHIR_INTERACTION_UPDATE) {
        return expected_update(of);
    }
    if (of->interaction == FHIR_INTERACTION_CREATE) {
        return of->after == NOTHING || expected_both(of, FHIR_INTERACTION_CREATE, of->after) ? OK
                                                                                             : FHIR_ERROR_FORBIDDEN;
    }
    if (of->before == NOTHING) {
        return of->interaction == FHIR_INTERACTION_SEARCH ? OK : FHIR_ERROR_NOT_FOUND;
    }
    if (expected_there(of, of->interaction)) {
        return OK;
    }
    return of->interaction == FHIR_INTERACTION_DELETE && expected_there(of, FHIR_INTERACTION_READ)
               ? FHIR_ERROR_FORBIDDEN
               : FHIR_ERROR_NOT_FOUND;
}

/* ---- all of them ---- */

static const fhir_membership_t *membership_of(who_t who)
{
    fhir_membership_t *membership = apr_pcalloc(pool, sizeof(*membership));
    membership->id = "m";
    membership->project_id = "11111111-1111-4111-8111-111111111111";
    membership->admin = who == ADMIN || who == DISABLED_ADMIN;
    membership->active = who == MEMBER || who == ADMIN;
    return who == NOBODY ? NULL : membership;
}

static fhir_decision_t decision_of(const case_t *of, const fhir_membership_t *membership)
{
    fhir_decision_t decision = {0};
    decision.interaction = of->interaction;
    decision.type = "Binary";
    decision.membership = membership;
    decision.policy = policies[of->policy];
    decision.scopes = scopes[of->scope][of->interaction];
    decision.patient = of->scope == SCOPE_NO_PATIENT ? NULL : "1";
    decision.peer_address = "192.0.2.1";
    decision.before = subjects[of->before];
    decision.version = subjects[of->version];
    decision.after = subjects[of->after];
    decision.create_needs_read = of->create_needs_read;
    return decision;
}

static int code_of(const fhir_error_t *error)
{
    return error ? (int)error->code : OK;
}

static case_t case_number(unsigned number)
{
    case_t of;
    of.who = (who_t)(number % WHO_COUNT);
    of.policy = (policy_kind_t)((number /= WHO_COUNT) % POLICY_COUNT);
    of.scope = (scope_kind_t)((number /= POLICY_COUNT) % SCOPE_COUNT);
    of.interaction = (fhir_interaction_t)(1 + (number /= SCOPE_COUNT) % INTERACTION_COUNT);
    of.before = (what_t)((number /= INTERACTION_COUNT) % WHAT_COUNT);
    of.version = (what_t)((number /= WHAT_COUNT) % WHAT_COUNT);
    of.after = (what_t)((number /= WHAT_COUNT) % WHAT_COUNT);
    of.create_needs_read = (number / WHAT_COUNT) % 2 == 1;
    if (of.before == NOTHING) {
        of.version = NOTHING;
    }
    return of;
}

static void test_every_combination(void)
{
    const unsigned total =
        WHO_COUNT * POLICY_COUNT * SCOPE_COUNT * INTERACTION_COUNT * WHAT_COUNT * WHAT_COUNT * WHAT_COUNT * 2;
    const fhir_membership_t *memberships[WHO_COUNT];
    unsigned wrong = 0;
    unsigned seen[FHIR_ERROR_REQUIRED + 1] = {0};
    unsigned i;
    apr_pool_t *scratch;
    make_all();
    apr_pool_create(&scratch, pool);
    for (i = 0; i < WHO_COUNT; i++) {
        memberships[i] = membership_of((who_t)i);
    }
    for (i = 0; i < total; i++) {
        case_t of = case_number(i);
        fhir_decision_t decision = decision_of(&of, memberships[of.who]);
        int want = expected(&of);
        int have = code_of(fhir_decide(&decision, scratch));
        if (want != have && wrong++ < 20) {
            printf("who %d policy %d scope %d interaction %d before %d version %d after %d switch %d: %d, expected "
                   "%d\n",
                   of.who, of.policy, of.scope, of.interaction, of.before, of.version, of.after, of.create_needs_read,
                   have, want);
        }
        seen[have]++;
        apr_pool_clear(scratch);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(seen[OK] > 1000 && seen[OK] < total / 3);
    CU_ASSERT(seen[FHIR_ERROR_NOT_FOUND] > 1000);
    CU_ASSERT(seen[FHIR_ERROR_FORBIDDEN] > 1000);
    CU_ASSERT_EQUAL(
        seen[OK] + seen[FHIR_ERROR_NOT_FOUND] + seen[FHIR_ERROR_FORBIDDEN] + seen[FHIR_ERROR_UNAUTHENTICATED], total);
}

/* An explanation changes no answer, and ends with it. */
static void test_explained_combinations(void)
{
    const fhir_membership_t *member = membership_of(MEMBER);
    const fhir_membership_t *admin = membership_of(ADMIN);
    unsigned i;
    make_all();
    for (i = 0; i < WHO_COUNT * POLICY_COUNT * SCOPE_COUNT * INTERACTION_COUNT * WHAT_COUNT * WHAT_COUNT; i += 7) {
        case_t of = case_number(i * 11);
        fhir_decision_t decision = decision_of(&of, of.who == ADMIN ? admin : member);
        fhir_error_t *plain = fhir_decide(&decision, pool);
        fhir_error_t *told;
        fhir_text_t text;
        fhir_text_init(&text, pool);
        decision.explanation = &text;
        told = fhir_decide(&decision, pool);
        CU_ASSERT_EQUAL(code_of(plain), code_of(told));
        CU_ASSERT_PTR_NOT_NULL(strstr(text.text, told ? "Refused: " : "Permitted: "));
        CU_ASSERT(text.length > 0 && text.text[text.length - 1] == '\n');
    }
}

/* ---- existence ---- */

/* Whoever may not read it: what is there and what is not have one answer, to the letter. */
static void test_existence_is_not_revealed(void)
{
    static const fhir_interaction_t interactions[] = {FHIR_INTERACTION_READ, FHIR_INTERACTION_VREAD,
                                                      FHIR_INTERACTION_HISTORY, FHIR_INTERACTION_DELETE};
    const fhir_membership_t *member = membership_of(MEMBER);
    int compared = 0;
    unsigned i;
    make_all();
    for (i = 0; i < POLICY_COUNT * SCOPE_COUNT * COUNT(interactions) * WHAT_COUNT; i++) {
        case_t of = {0};
        fhir_decision_t decision;
        fhir_error_t *there;
        fhir_error_t *not_there;
        of.policy = (policy_kind_t)(i % POLICY_COUNT);
        of.scope = (scope_kind_t)(i / POLICY_COUNT % SCOPE_COUNT);
        of.interaction = interactions[i / POLICY_COUNT / SCOPE_COUNT % COUNT(interactions)];
        of.before = (what_t)(i / POLICY_COUNT / SCOPE_COUNT / COUNT(interactions) % WHAT_COUNT);
        of.who = MEMBER;
        if (of.before == NOTHING || (expected_both(&of, FHIR_INTERACTION_READ, of.before))) {
            continue;
        }
        decision = decision_of(&of, member);
        there = fhir_decide(&decision, pool);
        decision.before = NULL;
        not_there = fhir_decide(&decision, pool);
        CU_ASSERT_PTR_NOT_NULL_FATAL(there);
        CU_ASSERT_PTR_NOT_NULL_FATAL(not_there);
        CU_ASSERT_EQUAL(there->code, not_there->code);
        CU_ASSERT_STRING_EQUAL(there->public_text, not_there->public_text);
        CU_ASSERT_PTR_NULL(there->detail);
        compared++;
    }
    CU_ASSERT(compared > 100);
}

/* The context that is missing and the one that is not his: one answer. */
static void test_contexts_are_not_revealed(void)
{
    case_t of = {.who = MEMBER, .policy = POLICY_PATIENT, .interaction = FHIR_INTERACTION_CREATE};
    const fhir_membership_t *member = membership_of(MEMBER);
    fhir_decision_t decision;
    fhir_error_t *other;
    fhir_error_t *none;
    make_all();
    decision = decision_of(&of, member);
    decision.after = subjects[UNDER_P2];
    other = fhir_decide(&decision, pool);
    decision.after = subjects[UNDER_MISSING];
    none = fhir_decide(&decision, pool);
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    CU_ASSERT_PTR_NOT_NULL_FATAL(none);
    CU_ASSERT_STRING_EQUAL(other->public_text, none->public_text);
    CU_ASSERT_EQUAL(other->code, none->code);
}

/* ---- other resources ---- */

static int decided(const fhir_policy_t *policy, const char *scope, fhir_interaction_t interaction, const char *type,
                   const fhir_subject_t *before, const fhir_subject_t *after, int admin)
{
    fhir_decision_t decision = {0};
    decision.interaction = interaction;
    decision.type = type;
    decision.membership = membership_of(admin ? ADMIN : MEMBER);
    decision.policy = policy;
    decision.scopes = scope ? fhir_scopes_parse(scope, pool) : NULL;
    decision.patient = "1";
    decision.before = before;
    decision.after = after;
    return code_of(fhir_decide(&decision, pool));
}

static void test_resources(void)
{
    static const char entries[] =
        "{'resourceType':'Patient','criteria':'Patient?_compartment=%patient','interaction':['read','update']},"
        "{'resourceType':'Observation','criteria':'Observation?_compartment=%patient','readonly':true},"
        "{'resourceType':'Observation','criteria':'Observation?subject=%patient&status=preliminary'},"
        "{'resourceType':'Organization','readonly':true}";
    const fhir_policy_t *policy = compiled("", "Patient/1", entries);
    const fhir_subject_t *own = subject_of("Patient", "1", "");
    const fhir_subject_t *other = subject_of("Patient", "2", "");
    const fhir_subject_t *final =
        subject_of("Observation", "f", "'status':'final','subject':{'reference':'Patient/1'}");
    const fhir_subject_t *draft =
        subject_of("Observation", "d", "'status':'preliminary','subject':{'reference':'Patient/1'}");
    const fhir_subject_t *foreign =
        subject_of("Observation", "x", "'status':'preliminary','subject':{'reference':'Patient/2'}");
    const fhir_subject_t *house = subject_of("Organization", "1", "");
    const struct {
        const char *scope;
        fhir_interaction_t interaction;
        const char *type;
        const fhir_subject_t *before;
        const fhir_subject_t *after;
        int code;
    } cases[] = {
        {NULL, FHIR_INTERACTION_READ, "Patient", own, NULL, OK},
        {NULL, FHIR_INTERACTION_READ, "Patient", other, NULL, FHIR_ERROR_NOT_FOUND},
        {NULL, FHIR_INTERACTION_READ, "Patient", NULL, NULL, FHIR_ERROR_NOT_FOUND},
        {NULL, FHIR_INTERACTION_READ, "Device", NULL, NULL, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_UPDATE, "Patient", own, NULL, OK},
        {NULL, FHIR_INTERACTION_UPDATE, "Patient", own, own, OK},
        {NULL, FHIR_INTERACTION_UPDATE, "Patient", own, other, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_UPDATE, "Patient", other, own, FHIR_ERROR_NOT_FOUND},
        {NULL, FHIR_INTERACTION_UPDATE, "Patient", NULL, own, FHIR_ERROR_NOT_FOUND},
        {NULL, FHIR_INTERACTION_CREATE, "Patient", NULL, own, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_DELETE, "Patient", own, NULL, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_VREAD, "Patient", own, NULL, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_SEARCH, "Patient", NULL, NULL, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_SEARCH, "Observation", NULL, NULL, OK},
        {NULL, FHIR_INTERACTION_READ, "Observation", final, NULL, OK},
        {NULL, FHIR_INTERACTION_UPDATE, "Observation", final, NULL, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_DELETE, "Observation", final, NULL, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_UPDATE, "Observation", foreign, NULL, FHIR_ERROR_NOT_FOUND},
        {NULL, FHIR_INTERACTION_DELETE, "Observation", foreign, NULL, FHIR_ERROR_NOT_FOUND},
        {NULL, FHIR_INTERACTION_UPDATE, "Observation", draft, draft, OK},
        {NULL, FHIR_INTERACTION_UPDATE, "Observation", draft, final, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_UPDATE, "Observation", draft, foreign, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_UPDATE, "Observation", NULL, draft, OK},
        {NULL, FHIR_INTERACTION_UPDATE, "Observation", NULL, foreign, FHIR_ERROR_NOT_FOUND},
        {NULL, FHIR_INTERACTION_CREATE, "Observation", NULL, draft, OK},
        {NULL, FHIR_INTERACTION_CREATE, "Observation", NULL, final, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_DELETE, "Observation", draft, NULL, OK},
        {NULL, FHIR_INTERACTION_HISTORY, "Observation", draft, NULL, OK},
        {NULL, FHIR_INTERACTION_READ, "Organization", house, NULL, OK},
        {NULL, FHIR_INTERACTION_UPDATE, "Organization", house, house, FHIR_ERROR_FORBIDDEN},
        {NULL, FHIR_INTERACTION_UPDATE, "Organization", NULL, house, FHIR_ERROR_FORBIDDEN},
        /* scopes narrow, and never widen */
        {"user/*.cruds", FHIR_INTERACTION_READ, "Patient", other, NULL, FHIR_ERROR_NOT_FOUND},
        {"user/*.cruds", FHIR_INTERACTION_READ, "Device", NULL, NULL, FHIR_ERROR_FORBIDDEN},
        {"user/Patient.r", FHIR_INTERACTION_READ, "Patient", own, NULL, OK},
        {"user/Patient.r", FHIR_INTERACTION_UPDATE, "Patient", own, own, FHIR_ERROR_FORBIDDEN},
        {"user/Observation.r", FHIR_INTERACTION_READ, "Patient", own, NULL, FHIR_ERROR_FORBIDDEN},
        {"patient/*.r", FHIR_INTERACTION_READ, "Observation", draft, NULL, OK},
        {"patient/*.r", FHIR_INTERACTION_READ, "Observation", foreign, NULL, FHIR_ERROR_NOT_FOUND},
        {"patient/*.r", FHIR_INTERACTION_READ, "Organization", house, NULL, FHIR_ERROR_FORBIDDEN},
        {"user/Observation.r?status=final", FHIR_INTERACTION_READ, "Observation", final, NULL, OK},
        {"user/Observation.r?status=final", FHIR_INTERACTION_READ, "Observation", draft, NULL, FHIR_ERROR_NOT_FOUND},
        {"user/Observation.u?status=preliminary", FHIR_INTERACTION_UPDATE, "Observation", draft, draft, OK},
        {"user/Observation.ru", FHIR_INTERACTION_UPDATE, "Observation", NULL, draft, OK},
        {"user/Observation.c", FHIR_INTERACTION_UPDATE, "Observation", NULL, draft, FHIR_ERROR_FORBIDDEN},
        {"user/Observation.u user/Observation.r?status=final", FHIR_INTERACTION_UPDATE, "Observation", final, NULL,
         FHIR_ERROR_FORBIDDEN},
        {"user/Observation.u?status=preliminary", FHIR_INTERACTION_UPDATE, "Observation", final, NULL,
         FHIR_ERROR_NOT_FOUND},
    };
    size_t i;
    for (i = 0; i < COUNT(cases); i++) {
        int code =
            decided(policy, cases[i].scope, cases[i].interaction, cases[i].type, cases[i].before, cases[i].after, 0);
        if (code != cases[i].code) {
            printf("case %d: %d, expected %d\n", (int)i, code, cases[i].code);
        }
        CU_ASSERT_EQUAL(code, cases[i].code);
    }
}

/* A subject that is not what was asked for permits nothing. */
static void test_mismatch(void)
{
    const fhir_policy_t *all = compiled("", NULL, "{'resourceType':'*'}");
    CU_ASSERT_EQUAL(decided(all, NULL, FHIR_INTERACTION_READ, "Media", subject_of("Patient", "1", ""), NULL, 0),
                    FHIR_ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(decided(all, NULL, FHIR_INTERACTION_READ, "Media", context_of("Media", "1", ""), NULL, 0),
                    FHIR_ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(decided(all, NULL, FHIR_INTERACTION_READ, "Binary", subject_of("Media", "1", ""), NULL, 0),
                    FHIR_ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(decided(all, NULL, (fhir_interaction_t)0, "Media", subject_of("Media", "1", ""), NULL, 0),
                    FHIR_ERROR_FORBIDDEN);
    CU_ASSERT_EQUAL(decided(all, NULL, (fhir_interaction_t)99, "Media", subject_of("Media", "1", ""), NULL, 1),
                    FHIR_ERROR_FORBIDDEN);
}

/* ---- administrators ---- */

static void test_administrators(void)
{
    static const char *const types[] = {"AccessPolicy", "ProjectMembership", "AuditEvent"};
    const fhir_policy_t *all = compiled("", NULL, "{'resourceType':'*'},{'resourceType':'AccessPolicy'}");
    size_t i;
    int interaction;
    for (i = 0; i < COUNT(types); i++) {
        fhir_subject_t subject;
        fhir_subject_of_values(&subject, types[i], "1", apr_array_make(pool, 1, sizeof(fhir_index_value_t)));
        for (interaction = 1; interaction <= INTERACTION_COUNT; interaction++) {
            fhir_interaction_t asked = (fhir_interaction_t)interaction;
            CU_ASSERT_EQUAL(decided(all, NULL, asked, types[i], &subject, &subject, 0), FHIR_ERROR_FORBIDDEN);
            CU_ASSERT_EQUAL(decided(all, "user/*.*", asked, types[i], &subject, &subject, 0), FHIR_ERROR_FORBIDDEN);
            CU_ASSERT_EQUAL(decided(NULL, NULL, asked, types[i], &subject, &subject, 1), OK);
            CU_ASSERT_EQUAL(decided(NULL, "user/*.*", asked, types[i], &subject, &subject, 1), OK);
            CU_ASSERT_EQUAL(decided(NULL, "patient/*.*", asked, types[i], &subject, &subject, 1), FHIR_ERROR_FORBIDDEN);
            CU_ASSERT_EQUAL(decided(NULL, "user/*.cruds?_id=1", asked, types[i], &subject, &subject, 1),
                            FHIR_ERROR_FORBIDDEN);
            CU_ASSERT_EQUAL(decided(NULL, "user/Patient.*", asked, types[i], &subject, &subject, 1),
                            FHIR_ERROR_FORBIDDEN);
        }
    }
}

static int is_administrator(who_t who, const char *scope)
{
    fhir_decision_t decision = {0};
    decision.interaction = FHIR_INTERACTION_SEARCH;
    decision.type = "Binary";
    decision.membership = membership_of(who);
    decision.scopes = scope ? fhir_scopes_parse(scope, pool) : NULL;
    decision.patient = "1";
    return fhir_is_administrator(&decision);
}

static void test_is_administrator(void)
{
    CU_ASSERT_TRUE(is_administrator(ADMIN, NULL));
    CU_ASSERT_FALSE(is_administrator(MEMBER, NULL));
    CU_ASSERT_FALSE(is_administrator(NOBODY, NULL));
    CU_ASSERT_FALSE(is_administrator(DISABLED_ADMIN, NULL));
    CU_ASSERT_TRUE(is_administrator(ADMIN, "openid"));
    CU_ASSERT_TRUE(is_administrator(ADMIN, "system/*.rs"));
    CU_ASSERT_FALSE(is_administrator(ADMIN, "system/*.r"));
    CU_ASSERT_FALSE(is_administrator(ADMIN, "patient/*.rs"));
    CU_ASSERT_FALSE(is_administrator(ADMIN, "user/Binary.s?_id=1"));
}

/* ---- addresses ---- */

static void test_addresses(void)
{
    const fhir_policy_t *policy = compiled_body(
        "", NULL, "'resource':[{'resourceType':'*'}],'ipAccessRule':[{'value':'192.0.2.1','action':'block'}]");
    fhir_decision_t decision = {0};
    apr_array_header_t *restrictions;
    who_t who;
    decision.interaction = FHIR_INTERACTION_READ;
    decision.type = "Patient";
    decision.policy = policy;
    decision.before = subject_of("Patient", "1", "");
    for (who = MEMBER; who <= ADMIN; who++) {
        decision.membership = membership_of(who);
        decision.peer_address = "192.0.2.1";
        CU_ASSERT_EQUAL(code_of(fhir_decide(&decision, pool)), FHIR_ERROR_FORBIDDEN);
        CU_ASSERT_EQUAL(code_of(fhir_decide_membership(&decision, pool)), FHIR_ERROR_FORBIDDEN);
        CU_ASSERT_EQUAL(code_of(fhir_decide_search(&restrictions, &decision, pool)), FHIR_ERROR_FORBIDDEN);
        decision.peer_address = "192.0.2.2";
        CU_ASSERT_EQUAL(code_of(fhir_decide(&decision, pool)), OK);
        CU_ASSERT_EQUAL(code_of(fhir_decide_membership(&decision, pool)), OK);
        CU_ASSERT_EQUAL(code_of(fhir_decide_search(&restrictions, &decision, pool)), OK);
    }
}

static void test_membership(void)
{
    fhir_decision_t decision = {0};
    static const int codes[WHO_COUNT] = {FHIR_ERROR_UNAUTHENTICATED, FHIR_ERROR_FORBIDDEN, FHIR_ERROR_FORBIDDEN, OK,
                                         OK};
    who_t who;
    for (who = NOBODY; who < WHO_COUNT; who++) {
        decision.membership = membership_of(who);
        CU_ASSERT_EQUAL(code_of(fhir_decide_membership(&decision, pool)), codes[who]);
    }
}

/* ---- searches ---- */

/* How many restrictions; -code: refused. */
static int restrictions_of(int admin, const fhir_policy_t *policy, const char *scope, const char *type)
{
    fhir_decision_t decision = {0};
    apr_array_header_t *restrictions = NULL;
    fhir_error_t *error;
    decision.interaction = FHIR_INTERACTION_SEARCH;
    decision.type = type;
    decision.membership = membership_of(admin ? ADMIN : MEMBER);
    decision.policy = policy;
    decision.scopes = scope ? fhir_scopes_parse(scope, pool) : NULL;
    decision.patient = "1";
    error = fhir_decide_search(&restrictions, &decision, pool);
    return error ? -(int)error->code : restrictions->nelts;
}

static void test_searches(void)
{
    const fhir_policy_t *own =
        compiled("", "Patient/1", "{'resourceType':'Media','criteria':'Media?_compartment=%patient'}");
    const fhir_policy_t *all = compiled("", NULL, "{'resourceType':'*'}");
    CU_ASSERT_EQUAL(restrictions_of(0, all, NULL, "Media"), 0);
    CU_ASSERT_EQUAL(restrictions_of(0, own, NULL, "Media"), 1);
    CU_ASSERT_EQUAL(restrictions_of(0, own, "patient/Media.s", "Media"), 2);
    CU_ASSERT_EQUAL(restrictions_of(0, all, "patient/Media.s", "Media"), 1);
    CU_ASSERT_EQUAL(restrictions_of(1, own, NULL, "Media"), 0);
    CU_ASSERT_EQUAL(restrictions_of(1, NULL, "patient/Media.s", "Media"), 1);
    CU_ASSERT_EQUAL(restrictions_of(1, NULL, "user/Media.s", "Media"), 0);
    CU_ASSERT_EQUAL(restrictions_of(1, NULL, "user/Media.r", "Media"), -FHIR_ERROR_FORBIDDEN);
    CU_ASSERT_EQUAL(restrictions_of(0, own, NULL, "Patient"), -FHIR_ERROR_FORBIDDEN);
    CU_ASSERT_EQUAL(restrictions_of(0, NULL, NULL, "Media"), -FHIR_ERROR_FORBIDDEN);
    CU_ASSERT_EQUAL(restrictions_of(0, all, NULL, "AuditEvent"), -FHIR_ERROR_FORBIDDEN);
    CU_ASSERT_EQUAL(restrictions_of(0, all, "patient/*.s", "Organization"), -FHIR_ERROR_FORBIDDEN);
}

static int needs_content(int admin, const char *entries, const char *scope, const char *type)
{
    fhir_decision_t decision = {0};
    decision.interaction = FHIR_INTERACTION_READ;
    decision.type = type;
    decision.membership = membership_of(admin ? ADMIN : MEMBER);
    decision.policy = compiled("", "Patient/1", entries);
    decision.scopes = scope ? fhir_scopes_parse(scope, pool) : NULL;
    return fhir_decision_needs_content(&decision);
}

static void test_needs_content(void)
{
    static const char status[] = "{'resourceType':'Media','criteria':'Media?status=x'}";
    CU_ASSERT_TRUE(needs_content(0, status, NULL, "Media"));
    CU_ASSERT_TRUE(needs_content(0, status, NULL, "Binary"));
    CU_ASSERT_FALSE(needs_content(0, status, NULL, "Patient"));
    CU_ASSERT_FALSE(needs_content(1, status, NULL, "Media"));
    CU_ASSERT_TRUE(needs_content(1, status, "user/Media.r?status=x", "Media"));
    CU_ASSERT_FALSE(
        needs_content(0, "{'resourceType':'*','criteria':'*?_compartment=%patient'}", "patient/*.r", "Media"));
}

/* ---- explanations ---- */

static void test_explanation(void)
{
    fhir_decision_t decision = {0};
    fhir_text_t text;
    fhir_text_init(&text, pool);
    make_all();
    decision.interaction = FHIR_INTERACTION_DELETE;
    decision.type = "Binary";
    decision.membership = membership_of(MEMBER);
    decision.policy = policies[POLICY_PATIENT];
    decision.scopes = fhir_scopes_parse("user/Binary.d", pool);
    decision.before = subjects[UNDER_P1];
    decision.explanation = &text;
    FHIR_ASSERT_OK(fhir_decide(&decision, pool));
    CU_ASSERT_STRING_EQUAL(
        text.text,
        "Membership m of project 11111111-1111-4111-8111-111111111111 is active.\n"
        "The Binary's security context is Media/1; delete of the Binary needs update there.\n"
        "Policy p version v1, entry 0 (*, criteria *?_compartment=%patient, where %patient is Patient/1) permits "
        "update of Media/1.\n"
        "Scope user/Binary.d permits it.\n"
        "Permitted: delete of Binary.\n");
}

static void test_explanation_of_searches(void)
{
    fhir_decision_t decision = {0};
    apr_array_header_t *restrictions;
    fhir_text_t text;
    fhir_text_init(&text, pool);
    decision.interaction = FHIR_INTERACTION_SEARCH;
    decision.type = "Media";
    decision.membership = membership_of(MEMBER);
    decision.policy = compiled("", NULL,
                               "{'resourceType':'Media','criteria':'Media?_id=1'},{'resourceType':'Patient'},"
                               "{'resourceType':'*','interaction':['read']},{'resourceType':'*'}");
    decision.scopes = fhir_scopes_parse("user/Media.s?_id=1", pool);
    decision.explanation = &text;
    FHIR_ASSERT_OK(fhir_decide_search(&restrictions, &decision, pool));
    CU_ASSERT_STRING_EQUAL(
        text.text,
        "Membership m of project 11111111-1111-4111-8111-111111111111 is active.\n"
        "Policy p version v1, entry 0 (Media, criteria Media?_id=1) permits search of each Media that its criteria "
        "hold for.\n"
        "Policy p version v1, entry 2 (*) does not permit search of any Media.\n"
        "Policy p version v1, entry 3 (*) permits search of every Media.\n"
        "Scope user/Media.s?_id=1 permits it.\n"
        "Permitted: search of Media.\n");
}

static const fhir_unit_test_t tests[] = {{"every combination", test_every_combination},
                                         {"explained combinations", test_explained_combinations},
                                         {"existence is not revealed", test_existence_is_not_revealed},
                                         {"contexts are not revealed", test_contexts_are_not_revealed},
                                         {"resources", test_resources},
                                         {"mismatch", test_mismatch},
                                         {"administrators", test_administrators},
                                         {"is administrator", test_is_administrator},
                                         {"addresses", test_addresses},
                                         {"membership", test_membership},
                                         {"searches", test_searches},
                                         {"needs content", test_needs_content},
                                         {"explanation", test_explanation},
                                         {"explanation of searches", test_explanation_of_searches},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("decide", tests)
