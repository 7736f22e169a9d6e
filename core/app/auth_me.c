/* GET auth/me: who am I? In the shape that the Medplum SDK reads after a login. */
#include "attachment_urls.h"
#include "resource_access.h"
#include "resource_answer.h"

#include <apr_strings.h>
#include <string.h>

static void add_reference(fhir_text_t *json, const char *name, const char *type, const char *id)
{
    fhir_text_addf(json, ",\"%s\":{\"reference\":", name);
    fhir_text_add_json_string(json, id ? apr_pstrcat(json->pool, type, "/", id, NULL) : type);
    fhir_text_add(json, "}");
}

/* `Practitioner/1` as two texts; 0 if it is no such reference. */
static int split_profile(const char **type, const char **id, const char *profile, apr_pool_t *pool)
{
    const char *slash = profile ? strchr(profile, '/') : NULL;
    if (!slash) {
        return 0;
    }
    *type = apr_pstrmemdup(pool, profile, (apr_size_t)(slash - profile));
    *id = slash + 1;
    return fhir_resource_type_known(*type) && fhir_id_valid(*id);
}

/* With signed URLs, as a read has it: applications show the user's photo. */
static fhir_error_t *add_stored_profile(fhir_text_t *json, const fhir_exchange_t *exchange,
                                        const fhir_membership_t *membership, const fhir_resource_t *resource)
{
    static const fhir_view_t whole = {FHIR_SUMMARY_FALSE, NULL};
    apr_array_header_t *one = apr_array_make(exchange->pool, 1, sizeof(const fhir_resource_t *));
    apr_array_header_t *edits;
    APR_ARRAY_PUSH(one, const fhir_resource_t *) = resource;
    FHIR_TRY(fhir_attachment_edits(&edits, exchange, membership, one));
    FHIR_TRY(fhir_hide_elements(one, edits, exchange, membership, NULL));
    fhir_resource_render(json, APR_ARRAY_IDX(one, 0, const fhir_resource_t *),
                         APR_ARRAY_IDX(edits, 0, const apr_array_header_t *), &whole);
    return NULL;
}

/* The profile's resource if it is stored here; else what the reference says of it. */
static fhir_error_t *add_profile(fhir_text_t *json, const fhir_exchange_t *exchange,
                                 const fhir_membership_t *membership)
{
    fhir_call_t call = fhir_exchange_call(exchange);
    fhir_resource_facts_t facts = {0};
    const char *type = "ClientApplication";
    const char *id = exchange->principal.key.subject;
    if (split_profile(&type, &id, membership->profile, exchange->pool)) {
        FHIR_TRY(
            fhir_meta_load_resource(&facts, exchange->app->meta, &exchange->principal.key, type, id, NULL, 0, &call));
    }
    fhir_text_add(json, ",\"profile\":");
    if (facts.current && facts.current->change != FHIR_CHANGE_DELETE &&
        fhir_may_read_resource(exchange, membership, facts.current)) {
        return add_stored_profile(json, exchange, membership, facts.current);
    }
    fhir_text_add(json, "{\"resourceType\":");
    fhir_text_add_json_string(json, type);
    fhir_text_add(json, ",\"id\":");
    fhir_text_add_json_string(json, id);
    fhir_text_add(json, "}");
    return NULL;
}

fhir_error_t *fhir_auth_me(fhir_response_t **response, fhir_exchange_t *exchange)
{
    const fhir_membership_t *membership;
    fhir_text_t json;
    FHIR_TRY(fhir_member(&membership, exchange));
    fhir_text_init(&json, exchange->pool);
    fhir_text_addf(&json, "{\"project\":{\"resourceType\":\"Project\",\"id\":\"%s\"}", membership->project_id);
    fhir_text_addf(&json, ",\"membership\":{\"resourceType\":\"ProjectMembership\",\"id\":\"%s\",\"admin\":%s",
                   membership->id, membership->admin ? "true" : "false");
    add_reference(&json, "project", "Project", membership->project_id);
    if (membership->profile) {
        add_reference(&json, "profile", membership->profile, NULL);
    } else {
        add_reference(&json, "profile", "ClientApplication", exchange->principal.key.subject);
    }
    fhir_text_add(&json, "}");
    FHIR_TRY(add_profile(&json, exchange, membership));
    fhir_text_add(&json, ",\"config\":{\"resourceType\":\"UserConfiguration\"}}");
    *response = fhir_json_answer(exchange, 200, &json);
    fhir_response_header(*response, "Content-Type", "application/json");
    return NULL;
}
