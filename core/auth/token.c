/* The claims of the access tokens that we issue. */
#include "../base/text.h"
#include "auth.h"

static void add_member(fhir_text_t *json, const char *name, const char *value)
{
    fhir_text_addf(json, "%c\"%s\":", json->length ? ',' : '{', name);
    fhir_text_add_json_string(json, value);
}

const char *fhir_token_payload(const fhir_token_request_t *request, apr_pool_t *pool)
{
    apr_time_t issued = apr_time_sec(request->now);
    fhir_text_t json;
    fhir_text_init(&json, pool);
    add_member(&json, "iss", request->issuer);
    add_member(&json, "aud", request->audience);
    add_member(&json, "sub", request->client_id);
    add_member(&json, "client_id", request->client_id);
    add_member(&json, "scope", request->scope ? request->scope : "");
    if (request->profile) {
        add_member(&json, "profile", request->profile);
    }
    fhir_text_addf(&json, ",\"iat\":%" APR_TIME_T_FMT ",\"exp\":%" APR_TIME_T_FMT, issued,
                   issued + apr_time_sec(request->lifetime));
    add_member(&json, "jti", request->token_id);
    /* By this claim the Medplum SDK knows a server that has auth/me. */
    add_member(&json, "login_id", request->token_id);
    fhir_text_add(&json, "}");
    return json.text;
}
