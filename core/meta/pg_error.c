/* From what libpq and the server say to our errors. Public texts hold nothing of it. */
#include "pg.h"

#include <string.h>

#define RETRY_AFTER apr_time_from_sec(5)

static fhir_error_t *later(fhir_error_code_t code, const char *text, const char *detail, apr_pool_t *pool)
{
    fhir_error_t *error = fhir_error_create(pool, code, APR_SUCCESS, text, "%s", detail);
    error->retry = FHIR_RETRY_AFTER;
    error->retry_after = RETRY_AFTER;
    return error;
}

fhir_error_t *fhir_pg_unavailable(const char *detail, apr_pool_t *pool)
{
    return later(FHIR_ERROR_UNAVAILABLE, "The database is not available now. Try again in a few seconds.", detail,
                 pool);
}

fhir_error_t *fhir_pg_timeout(const char *detail, apr_pool_t *pool)
{
    return later(FHIR_ERROR_TIMEOUT, "The database did not answer in time. Try again in a few seconds.", detail, pool);
}

fhir_error_t *fhir_pg_internal(const char *detail, apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_SUCCESS,
                             "The server could not process the request because of an internal error. Tell its "
                             "administrator.",
                             "%s", detail);
}

static int in_class(const char *state, const char *class)
{
    return strncmp(state, class, strlen(class)) == 0;
}

/* The server ends, is full, or is a standby: another moment or another server will do. */
static int is_unavailable(const char *state)
{
    return in_class(state, "08") || in_class(state, "53") || in_class(state, "57P") || in_class(state, "40") ||
           strcmp(state, "55P03") == 0 || strcmp(state, "25006") == 0;
}

static const char *state_of(const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    return state ? state : "";
}

/* What a ProjectMembership can't be: the sentence and the element are for the client. */
static fhir_error_t *refused_membership(fhir_error_code_t code, const PGresult *result, apr_pool_t *pool)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *element = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
    fhir_error_t *error = fhir_error_public(pool, code, "%s", message ? message : "This can't be a membership.");
    error->expression = element ? apr_pstrdup(pool, element) : NULL;
    return error;
}

fhir_error_t *fhir_pg_result_error(const PGresult *result, apr_pool_t *pool)
{
    const char *state = state_of(result);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = apr_psprintf(pool, "SQLSTATE %s: %s", state, message ? message : "no message");
    if (strcmp(state, "57014") == 0) {
        return fhir_pg_timeout(detail, pool);
    }
    if (is_unavailable(state)) {
        return fhir_pg_unavailable(detail, pool);
    }
    if (strcmp(state, "23505") == 0 || strcmp(state, "ZB002") == 0) {
        return fhir_error_create(pool, FHIR_ERROR_EXISTS, APR_SUCCESS, "It exists already.", "%s", detail);
    }
    if (strcmp(state, "23503") == 0) {
        return fhir_error_create(pool, FHIR_ERROR_NOT_FOUND, APR_SUCCESS, "What this belongs to does not exist.", "%s",
                                 detail);
    }
    if (strcmp(state, "ZB101") == 0) {
        return refused_membership(FHIR_ERROR_UNPROCESSABLE, result, pool);
    }
    if (strcmp(state, "ZB102") == 0) {
        return refused_membership(FHIR_ERROR_CONFLICT, result, pool);
    }
    if (strcmp(state, "ZB004") == 0) {
        return fhir_error_create(pool, FHIR_ERROR_CONFLICT, APR_SUCCESS,
                                 "The uploaded content is no longer there. Upload it again.", "%s", detail);
    }
    return fhir_pg_internal(detail, pool);
}

int fhir_pg_session_lost(const PGresult *result)
{
    const char *state = state_of(result);
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    /* DISCARD ALL by a pooler; "cached plan must not change result type" after a migration. */
    return strcmp(state, "26000") == 0 || (strcmp(state, "0A000") == 0 && message && strstr(message, "cached plan"));
}

fhir_error_t *fhir_pg_explain(fhir_error_t *error, fhir_error_code_t code, const char *public_text)
{
    if (error && error->code == code) {
        error->public_text = public_text;
    }
    return error;
}

const char *fhir_pg_last_words(const PGconn *handle, apr_pool_t *pool)
{
    const char *words = PQerrorMessage(handle);
    char *line = apr_pstrdup(pool, words && *words ? words : "the connection is closed");
    for (char *next = line; *next; next++) {
        if (*next == '\n') {
            *next = next[1] ? ' ' : '\0';
        }
    }
    return line;
}
