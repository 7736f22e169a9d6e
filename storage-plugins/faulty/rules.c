/* The little language in which faults are ordered. */
#include "faulty.h"

#include <string.h>

static const char *const operation_names[OPERATION_COUNT + 1] = {
    "health",      "locate", "writer_begin", "writer_write", "writer_commit", "reader_open",
    "reader_read", "stat",   "remove",       "list",         "any",
};

typedef struct code_name_t {
    const char *name;
    fhir_error_code_t code;
} code_name_t;

static const code_name_t code_names[] = {
    {"internal", FHIR_ERROR_INTERNAL},   {"not_found", FHIR_ERROR_NOT_FOUND}, {"exists", FHIR_ERROR_EXISTS},
    {"denied", FHIR_ERROR_DENIED},       {"throttled", FHIR_ERROR_THROTTLED}, {"unavailable", FHIR_ERROR_UNAVAILABLE},
    {"timeout", FHIR_ERROR_TIMEOUT},     {"no_space", FHIR_ERROR_NO_SPACE},   {"too_large", FHIR_ERROR_TOO_LARGE},
    {"range", FHIR_ERROR_RANGE},         {"corrupt", FHIR_ERROR_CORRUPT},     {"unsupported", FHIR_ERROR_UNSUPPORTED},
    {"cancelled", FHIR_ERROR_CANCELLED}, {"invalid", FHIR_ERROR_INVALID},
};

const char *faulty_operation_name(operation_t operation)
{
    return operation_names[operation];
}

static int parse_operation(operation_t *operation, const char *name)
{
    int i;
    for (i = 0; i <= OPERATION_COUNT; i++) {
        if (!strcmp(operation_names[i], name)) {
            *operation = (operation_t)i;
            return 1;
        }
    }
    return 0;
}

static int parse_code(fhir_error_code_t *code, const char *name)
{
    size_t i;
    for (i = 0; i < sizeof(code_names) / sizeof(code_names[0]); i++) {
        if (!strcmp(code_names[i].name, name)) {
            *code = code_names[i].code;
            return 1;
        }
    }
    return 0;
}

/* "*" is 0, which means each. */
static int parse_number(apr_uint64_t *number, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (!strcmp(text, "*")) {
        *number = 0;
        return 1;
    }
    *number = digits > 0 && digits < 19 && !text[digits] ? (apr_uint64_t)apr_atoi64(text) : 0;
    return *number > 0;
}

static int parse_delay(apr_interval_time_t *delay, const char *text)
{
    apr_uint64_t milliseconds;
    if (!parse_number(&milliseconds, text) || milliseconds > 3600 * 1000) {
        return 0;
    }
    *delay = apr_time_from_msec((apr_interval_time_t)milliseconds);
    return 1;
}

fhir_error_t *faulty_parse_rule(rule_t *rule, const char *key, const char *value, int wants_delay, apr_pool_t *pool)
{
    char *operation;
    char *number;
    char *what;
    if (!value) {
        return NULL;
    }
    operation = apr_pstrdup(pool, value);
    number = strchr(operation, ':');
    what = number ? strchr(number + 1, ':') : NULL;
    if (what) {
        *number++ = '\0';
        *what++ = '\0';
        if (parse_operation(&rule->operation, operation) && parse_number(&rule->number, number) &&
            (wants_delay ? parse_delay(&rule->delay, what) : parse_code(&rule->code, what))) {
            rule->set = 1;
            return NULL;
        }
    }
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "%s=%s is not understood. Write OPERATION:NUMBER:%s, for instance %s=writer_commit:1:%s; "
                             "OPERATION may be any, NUMBER may be *.",
                             key, value, wants_delay ? "MILLISECONDS" : "CODE", key,
                             wants_delay ? "500" : "unavailable");
}

fhir_error_t *faulty_parse_short_read(rule_t *rule, const char *value, apr_pool_t *pool)
{
    if (!value) {
        return NULL;
    }
    if (!parse_number(&rule->number, value)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "short_read=%s is not understood. Write the number of the read, or *.", value);
    }
    rule->operation = OPERATION_READER_READ;
    rule->set = 1;
    return NULL;
}

fhir_error_t *faulty_parse_every(fhir_store_config_t *config, const char *value, apr_pool_t *pool)
{
    char *number;
    char *code;
    apr_uint64_t every = 0;
    if (!value) {
        return NULL;
    }
    number = apr_pstrdup(pool, value);
    code = strchr(number, ':');
    if (code) {
        *code++ = '\0';
        if (parse_number(&every, number) && every > 0 && parse_code(&config->fail_every_code, code)) {
            config->fail_every = (apr_int64_t)every;
            return NULL;
        }
    }
    return fhir_error_public(
        pool, FHIR_ERROR_INVALID,
        "fail_every=%s is not understood. Write NUMBER:CODE, for instance fail_every=7:unavailable.", value);
}
