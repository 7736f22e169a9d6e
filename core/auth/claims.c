/* The claims of an access token (RFC 7519, RFC 9068) once its signature was verified. */
#include "../base/text.h"
#include "auth.h"

#include <jansson.h>
#include <string.h>

#define SCOPES_IN_ARRAY_MAX 1000

/* Numeric dates beyond the year 9999 or before 1970 are nonsense; refusing them keeps the arithmetic safe. */
#define NUMERIC_DATE_MAX 253402300799.0

static fhir_error_t *refused(apr_pool_t *pool, const char *reason)
{
    return fhir_error_public(pool, FHIR_ERROR_UNAUTHENTICATED,
                             "The access token is not accepted: %s. Ask its issuer for a new one.", reason);
}

static const char *string_claim(const json_t *claims, const char *name, apr_pool_t *pool)
{
    const char *value = json_string_value(json_object_get(claims, name));
    return value ? apr_pstrdup(pool, value) : NULL;
}

/* 1 and *time, or 0 if the value is no usable numeric date. May be fractional. */
static int numeric_date(apr_time_t *time, const json_t *value)
{
    double seconds;
    if (!json_is_number(value)) {
        return 0;
    }
    seconds = json_number_value(value);
    if (!(seconds >= 0.0 && seconds <= NUMERIC_DATE_MAX)) {
        return 0;
    }
    *time = (apr_time_t)(seconds * (double)APR_USEC_PER_SEC);
    return 1;
}

static int audience_holds(const json_t *aud, const char *audience)
{
    apr_size_t i;
    if (json_is_string(aud)) {
        return strcmp(json_string_value(aud), audience) == 0;
    }
    for (i = 0; i < json_array_size(aud); i++) { /* 0 if no array */
        const char *value = json_string_value(json_array_get(aud, i));
        if (value && strcmp(value, audience) == 0) {
            return 1;
        }
    }
    return 0;
}

/* exp and nbf; `leeway` allows for clocks that differ. */
static fhir_error_t *check_times(fhir_claims_t *claims, const json_t *object, apr_time_t now,
                                 apr_interval_time_t leeway, apr_pool_t *pool)
{
    const json_t *nbf = json_object_get(object, "nbf");
    if (!numeric_date(&claims->expires, json_object_get(object, "exp"))) {
        return refused(pool, "it has no usable expiry (exp)");
    }
    if (nbf && !numeric_date(&claims->not_before, nbf)) {
        return refused(pool, "its start of validity (nbf) is not usable");
    }
    if (now >= claims->expires + leeway) {
        return refused(pool, "it has expired");
    }
    if (now + leeway < claims->not_before) {
        return refused(pool, "it is not valid yet");
    }
    return NULL;
}

/* The strings of an array joined with blanks; NULL if one is no string: then the token's scope is unknown. */
static const char *joined(const json_t *array, apr_pool_t *pool)
{
    fhir_text_t text;
    apr_size_t i;
    fhir_text_init(&text, pool);
    if (json_array_size(array) > SCOPES_IN_ARRAY_MAX) {
        return NULL;
    }
    for (i = 0; i < json_array_size(array); i++) {
        const char *value = json_string_value(json_array_get(array, i));
        if (!value) {
            return NULL;
        }
        fhir_text_add(&text, i > 0 ? " " : "");
        fhir_text_add(&text, value);
    }
    return text.text ? text.text : "";
}

/* No scope at all narrows nothing, so a scope claim of a wrong type must not be taken for an absent one. */
static fhir_error_t *take_scope(fhir_claims_t *claims, const json_t *object, apr_pool_t *pool)
{
    const json_t *scope = json_object_get(object, "scope");
    const json_t *scp = json_object_get(object, "scp");
    if (!scope && json_is_array(scp)) {
        claims->scope = joined(scp, pool);
    } else if (scope || scp) {
        claims->scope = string_claim(object, scope ? "scope" : "scp", pool);
    } else {
        claims->scope = "";
    }
    return claims->scope ? NULL : refused(pool, "its scope is not usable");
}

/* A claim that is there must be a string that is not empty; *value is NULL if it is absent. */
static fhir_error_t *take_string(const char **value, const json_t *object, const char *name, apr_pool_t *pool)
{
    *value = string_claim(object, name, pool);
    if (json_object_get(object, name) && (!*value || **value == '\0')) {
        return refused(pool, apr_psprintf(pool, "its claim %s is not usable", name));
    }
    return NULL;
}

static fhir_error_t *check_object(fhir_claims_t *claims, const json_t *object, const char *issuer, const char *audience,
                                  apr_time_t now, apr_interval_time_t leeway, apr_pool_t *pool)
{
    FHIR_TRY(take_string(&claims->issuer, object, "iss", pool));
    FHIR_TRY(take_string(&claims->subject, object, "sub", pool));
    FHIR_TRY(take_string(&claims->patient, object, "patient", pool));
    FHIR_TRY(take_string(&claims->client_id, object, "client_id", pool));
    if (!claims->client_id) {
        FHIR_TRY(take_string(&claims->client_id, object, "azp", pool));
    }
    FHIR_TRY(take_scope(claims, object, pool));
    if (!claims->issuer || strcmp(claims->issuer, issuer) != 0) {
        return refused(pool, "it comes from another issuer (iss)");
    }
    if (!claims->subject) {
        return refused(pool, "it has no subject (sub)");
    }
    if (!audience_holds(json_object_get(object, "aud"), audience)) {
        return refused(pool, "it is meant for another server (aud)");
    }
    return check_times(claims, object, now, leeway, pool);
}

fhir_error_t *fhir_claims_check(fhir_claims_t *claims, const char *payload, const char *issuer, const char *audience,
                                apr_time_t now, apr_interval_time_t leeway, apr_pool_t *pool)
{
    json_t *object = json_loads(payload, JSON_REJECT_DUPLICATES, NULL);
    fhir_error_t *error;
    memset(claims, 0, sizeof(*claims));
    error = json_is_object(object) ? check_object(claims, object, issuer, audience, now, leeway, pool)
                                   : refused(pool, "its content is not a JSON object");
    json_decref(object);
    return error;
}
