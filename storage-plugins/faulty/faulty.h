/* What the files of the faulty plugin share. */
#ifndef FHIR_FAULTY_H
#define FHIR_FAULTY_H

#include "../common/plugin.h"

typedef enum operation_t {
    OPERATION_HEALTH,
    OPERATION_LOCATE,
    OPERATION_WRITER_BEGIN,
    OPERATION_WRITER_WRITE,
    OPERATION_WRITER_COMMIT,
    OPERATION_READER_OPEN,
    OPERATION_READER_READ,
    OPERATION_STAT,
    OPERATION_REMOVE,
    OPERATION_LIST,
    OPERATION_COUNT,
    OPERATION_ANY = OPERATION_COUNT /* counts all of them together */
} operation_t;

/* "OPERATION:NUMBER:WHAT": the NUMBERth call (from 1, per process) of OPERATION, or each one for '*'. */
typedef struct rule_t {
    int set;
    operation_t operation;
    apr_uint64_t number; /* 0: each */
    fhir_error_code_t code;
    apr_interval_time_t delay;
} rule_t;

struct fhir_store_config_t {
    const char *inner;
    rule_t fail;       /* the call fails and the wrapped store sees nothing of it */
    rule_t lose;       /* the wrapped store does it, but the answer is lost: the caller gets an error */
    rule_t delay;      /* the call waits first */
    rule_t short_read; /* reader_read quietly says that the object ends here */
    apr_int64_t fail_every;
    fhir_error_code_t fail_every_code;
};

/* "fail=writer_commit:1:unavailable". NULL leaves the rule unset. */
fhir_error_t *faulty_parse_rule(rule_t *rule, const char *key, const char *value, int wants_delay,
                                apr_pool_t *pool) FHIR_MUST_CHECK;
/* "3" or "*" of reader_read */
fhir_error_t *faulty_parse_short_read(rule_t *rule, const char *value, apr_pool_t *pool) FHIR_MUST_CHECK;
/* "7:unavailable" */
fhir_error_t *faulty_parse_every(fhir_store_config_t *config, const char *value, apr_pool_t *pool) FHIR_MUST_CHECK;
const char *faulty_operation_name(operation_t operation);

#endif
