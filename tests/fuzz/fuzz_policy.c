/* Access policies. Lines: a parameter's value, a condition with %x (`code=%x,b`), a membership's access, a policy's
 * body. Whatever the texts are: a value is what the same value would be written out in the criteria, and it adds no
 * condition and no alternative. */
#include "core/auth/policy_private.h"
#include "fuzz.h"

static const fhir_addresses_t ADDRESSES = {"https://ours.example/fhir/R4/", "https://ours.example/storage/"};

static const char *const BODIES[] = {
    "{\"status\":\"final\",\"subject\":{\"reference\":\"Patient/1\"},\"code\":{\"coding\":[{\"system\":\"s\",\"code\":"
    "\"a\"}]},\"effectiveDateTime\":\"2020-05-05\",\"valueString\":\"one\"}",
    "{\"status\":\"amended\",\"subject\":{\"reference\":\"Patient/2\"},\"code\":{\"coding\":[{\"code\":\"a,b\"},{"
    "\"code\":\"x|y\"}]},\"effectiveDateTime\":\"2021-05-05\",\"valueString\":\"one,two\"}",
    "{\"status\":\"final\",\"subject\":{\"reference\":\"Group/1\"},\"code\":{\"coding\":[{\"code\":\"b\"},{\"code\":"
    "\"a\\\\\"}]},\"effectiveDateTime\":\"2022-05-05\",\"valueString\":\"a&b\"}"};
#define SUBJECTS ((int)(sizeof(BODIES) / sizeof(BODIES[0])))

static void make_subjects(fhir_subject_t subjects[SUBJECTS], apr_pool_t *pool)
{
    int i;
    for (i = 0; i < SUBJECTS; i++) {
        fhir_store_resource_t stored = {0};
        FUZZ_CHECK(!fhir_json_parse(&stored.document, BODIES[i], strlen(BODIES[i]), &fhir_json_resource_limits, pool));
        fhir_subject_of_values(&subjects[i], "Observation", "1",
                               fhir_search_index("Observation", "1", &stored, &ADDRESSES, pool));
    }
}

/* NULL: not understood. `value` NULL: without a parameter. */
static const apr_array_header_t *read_criteria(const char *condition, const char *value, apr_pool_t *pool)
{
    fhir_policy_criteria_t criteria = {0};
    apr_array_header_t *parameters = apr_array_make(pool, 1, sizeof(fhir_parameter_t));
    if (value) {
        fhir_parameter_t *parameter = apr_array_push(parameters);
        parameter->name = "x";
        parameter->value = value;
    }
    return fhir_policy_criteria_read(&criteria, apr_pstrcat(pool, "Observation?", condition, NULL), "Observation",
                                     parameters, &ADDRESSES, pool)
               ? NULL
               : criteria.parsed;
}

static int goes_on(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '_';
}

/* The condition with the value written out. NULL: it takes a part of the value. */
static const char *written_out(const char *condition, const char *value, apr_pool_t *pool)
{
    fhir_text_t text;
    fhir_text_init(&text, pool);
    while (*condition) {
        const char *at;
        if (strncmp(condition, "%x", 2) != 0 || goes_on(condition[2])) {
            fhir_text_add_bytes(&text, condition++, 1);
            continue;
        }
        condition += 2;
        if (strncmp(condition, ".id", 3) == 0 || strncmp(condition, ".reference", 10) == 0) {
            return NULL;
        }
        for (at = value; *at; at++) {
            fhir_text_addf(&text, strchr("\\,|$", *at) ? "%%5C%%%02X" : "%%%02X", (unsigned)(unsigned char)*at);
        }
    }
    return text.text;
}

static int values_of(const apr_array_header_t *criteria)
{
    int count = 0;
    int i;
    for (i = 0; i < criteria->nelts; i++) {
        count += APR_ARRAY_IDX(criteria, i, fhir_criterion_t).values->nelts;
    }
    return count;
}

static void check_value(const char *condition, const char *value, apr_pool_t *pool)
{
    const apr_array_header_t *with_value = read_criteria(condition, value, pool);
    const char *literal_text = written_out(condition, value, pool);
    const apr_array_header_t *literal;
    const apr_array_header_t *plain = read_criteria(condition, "1", pool);
    fhir_subject_t subjects[SUBJECTS];
    int i;
    if (!with_value) {
        return;
    }
    if (plain) {
        FUZZ_CHECK(plain->nelts == with_value->nelts && values_of(plain) == values_of(with_value));
    }
    if (!literal_text || strlen(literal_text) + 12 > FHIR_POLICY_CRITERIA_MAX) {
        return;
    }
    literal = read_criteria(literal_text, NULL, pool);
    FUZZ_CHECK(literal && literal->nelts == with_value->nelts && values_of(literal) == values_of(with_value));
    make_subjects(subjects, pool);
    for (i = 0; i < SUBJECTS; i++) {
        FUZZ_CHECK(fhir_subject_matches(&subjects[i], with_value) == fhir_subject_matches(&subjects[i], literal));
    }
}

/* Compiles anything; what it permits is consistent. */
static void check_policy(const char *access, const char *body, apr_pool_t *pool)
{
    apr_array_header_t *sources = apr_array_make(pool, 1, sizeof(fhir_policy_source_t));
    fhir_policy_source_t *source = apr_array_push(sources);
    const fhir_policy_t *policy;
    fhir_subject_t subjects[SUBJECTS];
    int interaction;
    int i;
    source->id = "p";
    source->version_id = "1";
    source->body = body;
    policy = fhir_policy_compile(access, "Patient/1", sources, &ADDRESSES, pool);
    make_subjects(subjects, pool);
    for (interaction = FHIR_INTERACTION_CREATE; interaction <= FHIR_INTERACTION_HISTORY; interaction++) {
        fhir_interaction_t asked = (fhir_interaction_t)interaction;
        const fhir_restriction_t *restriction = fhir_policy_restriction(policy, asked, "Observation", pool);
        FUZZ_CHECK(!fhir_policy_permits_type(policy, asked, "AccessPolicy"));
        for (i = 0; i < SUBJECTS; i++) {
            int permits = fhir_policy_permits(policy, asked, &subjects[i]);
            int found = !restriction;
            int j;
            for (j = 0; restriction && j < restriction->alternatives->nelts; j++) {
                found |= fhir_subject_matches(&subjects[i],
                                              APR_ARRAY_IDX(restriction->alternatives, j, const apr_array_header_t *));
            }
            FUZZ_CHECK(permits == found && (!permits || fhir_policy_permits_type(policy, asked, "Observation")));
        }
    }
    fhir_policy_permits_address(policy, "192.0.2.1");
}

/* The rest of `text` after its first line, which ends there. */
static char *next_line(char *text)
{
    char *end = strchr(text, '\n');
    if (!end) {
        return text + strlen(text);
    }
    *end = '\0';
    return end + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    char *condition = next_line(text);
    char *access = next_line(condition);
    char *body = next_line(access);
    check_value(condition, text, pool);
    check_policy(access, body, pool);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
