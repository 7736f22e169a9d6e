/* OperationOutcome, Parameters and the history Bundle. Written as JSON; XML is converted from it. */
#include "answers.h"

#include "answers_private.h"
#include "binary_form.h"

#include <string.h>

fhir_error_t *fhir_answer(const char **text, fhir_format_t format, const fhir_text_t *json)
{
    fhir_text_t xml;
    if (format != FHIR_FORMAT_XML) {
        *text = json->text;
        return NULL;
    }
    fhir_text_init(&xml, json->pool);
    FHIR_TRY(fhir_json_to_xml(&xml, fhir_json_slice(json->text), NULL, NULL));
    *text = xml.text;
    return NULL;
}

const char *fhir_own_answer(fhir_format_t format, const fhir_text_t *json)
{
    const char *text = json->text;
    /* Our own text always fits the datatypes; JSON is still an answer if that were ever wrong. */
    fhir_error_t *error = fhir_answer(&text, format, json);
    return error ? json->text : text;
}

void fhir_answer_string(fhir_text_t *json, const char *before, const char *string)
{
    fhir_text_add(json, before);
    fhir_text_add_json_string(json, string);
}

/* A few words for programs that show details.text alone (@medplum/core joins it with the diagnostics). */
static const char *issue_text(const char *id, const char *code)
{
    static const char *const TEXTS[][2] = {{"login", "Unauthorized"},
                                           {"forbidden", "Forbidden"},
                                           {"not-found", "Not found"},
                                           {"deleted", "Gone"},
                                           {"expired", "Expired"},
                                           {"conflict", "Conflict"},
                                           {"duplicate", "Duplicate"},
                                           {"multiple-matches", "Multiple resources found matching condition"},
                                           {"invalid", "Invalid content"},
                                           {"required", "Required element missing"},
                                           {"value", "Element value invalid"},
                                           {"business-rule", "Business rule violation"},
                                           {"not-supported", "Not supported"},
                                           {"too-long", "Content too long"},
                                           {"incomplete", "Incomplete"},
                                           {"throttled", "Too many requests"},
                                           {"timeout", "Timeout"},
                                           {"transient", "Temporarily unavailable"},
                                           {"no-store", "No space left"},
                                           {"exception", "Internal server error"}};
    size_t i;
    if (id && strcmp(id, "precondition-failed") == 0) {
        return "Precondition Failed";
    }
    for (i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        if (strcmp(code, TEXTS[i][0]) == 0) {
            return TEXTS[i][1];
        }
    }
    return id && strcmp(id, "created") == 0 ? "Created" : "All OK";
}

const char *fhir_outcome(fhir_format_t format, const char *id, const char *severity, const char *code,
                         const char *diagnostics, const char *expression, apr_pool_t *pool)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_text_add(&json, "{\"resourceType\":\"OperationOutcome\"");
    if (id) {
        fhir_answer_string(&json, ",\"id\":", id);
    }
    fhir_answer_string(&json, ",\"issue\":[{\"severity\":", severity);
    fhir_answer_string(&json, ",\"code\":", code);
    fhir_answer_string(&json, ",\"details\":{\"text\":", issue_text(id, code));
    fhir_text_add(&json, "}");
    if (diagnostics && *diagnostics) {
        fhir_answer_string(&json, ",\"diagnostics\":", diagnostics);
    }
    if (expression && *expression) {
        fhir_answer_string(&json, ",\"expression\":[", expression);
        fhir_text_add(&json, "]");
    }
    fhir_text_add(&json, "}]}");
    return fhir_own_answer(format, &json);
}

const char *fhir_parameters_url(fhir_format_t format, const char *url, apr_pool_t *pool)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_answer_string(&json, "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"url\",\"valueUri\":", url);
    fhir_text_add(&json, "}]}");
    return fhir_own_answer(format, &json);
}

const char *fhir_parameters_direct(fhir_format_t format, const fhir_parameters_direct_t *direct, apr_pool_t *pool)
{
    const apr_array_header_t *headers = apr_table_elts(direct->headers);
    fhir_text_t json;
    int i;
    fhir_text_init(&json, pool);
    fhir_answer_string(&json,
                       "{\"resourceType\":\"Parameters\",\"parameter\":[{\"name\":\"url\",\"valueUri\":", direct->url);
    fhir_text_add(&json, "},{\"name\":\"method\",\"valueCode\":\"PUT\"}");
    for (i = 0; i < headers->nelts; i++) {
        const apr_table_entry_t *header = &APR_ARRAY_IDX(headers, i, apr_table_entry_t);
        fhir_answer_string(&json, ",{\"name\":\"header\",\"part\":[{\"name\":\"name\",\"valueString\":", header->key);
        fhir_answer_string(&json, "},{\"name\":\"value\",\"valueString\":", header->val);
        fhir_text_add(&json, "}]}");
    }
    fhir_answer_string(&json, ",{\"name\":\"expires\",\"valueInstant\":", fhir_instant(direct->expires, pool));
    fhir_answer_string(&json, "},{\"name\":\"complete\",\"valueUri\":", direct->complete);
    fhir_text_add(&json, "}]}");
    return fhir_own_answer(format, &json);
}

/* ---- History ---- */

static void add_link(fhir_text_t *json, const char *relation, const char *url)
{
    fhir_answer_string(json, "{\"relation\":", relation);
    fhir_answer_string(json, ",\"url\":", url);
    fhir_text_add(json, "}");
}

void fhir_history_change(fhir_text_t *json, const char *type, const char *id, const char *version_id,
                         apr_off_t sequence, fhir_change_kind_t change, apr_time_t last_updated)
{
    static const char *const METHODS[] = {"POST", "PUT", "DELETE"};
    static const char *const STATUSES[] = {"201", "200", "204"};
    int i = change == FHIR_CHANGE_CREATE ? 0 : change == FHIR_CHANGE_UPDATE ? 1 : 2;
    const char *url = i ? apr_pstrcat(json->pool, type, "/", id, NULL) : type;
    const char *etag = apr_pstrcat(json->pool, "W/\"", version_id, "\"", NULL);
    fhir_answer_string(json, "\"request\":{\"method\":", METHODS[i]);
    fhir_answer_string(json, ",\"url\":", url);
    fhir_answer_string(json, "},\"response\":{\"status\":", sequence == 1 ? "201" : STATUSES[i]);
    fhir_answer_string(json, ",\"etag\":", etag);
    fhir_answer_string(json, ",\"lastModified\":", fhir_instant(last_updated, json->pool));
    fhir_text_add(json, "}");
}

static fhir_error_t *add_entry(fhir_text_t *json, const fhir_binary_t *version, const char *fhir_base)
{
    fhir_answer_string(json, "{\"fullUrl\":", apr_pstrcat(json->pool, fhir_base, "Binary/", version->id, NULL));
    fhir_text_add(json, ",");
    if (version->change != FHIR_CHANGE_DELETE) {
        fhir_binary_render_t how;
        const char *resource;
        const char *suffix;
        memset(&how, 0, sizeof(how));
        how.format = FHIR_FORMAT_JSON;
        how.subsetted = 1;
        FHIR_TRY(fhir_binary_render(&resource, &suffix, version, &how, json->pool));
        fhir_text_add(json, "\"resource\":");
        fhir_text_add(json, resource);
        fhir_text_add(json, ",");
    }
    fhir_history_change(json, "Binary", version->id, version->version_id, version->sequence, version->change,
                        version->last_updated);
    fhir_text_add(json, "}");
    return NULL;
}

fhir_error_t *fhir_history_bundle(const char **text, fhir_format_t format, const apr_array_header_t *versions,
                                  apr_off_t total, const char *fhir_base, const char *self, const char *next,
                                  apr_pool_t *pool)
{
    fhir_text_t json;
    int i;
    fhir_text_init(&json, pool);
    fhir_text_add(&json, "{\"resourceType\":\"Bundle\",\"type\":\"history\"");
    if (total >= 0) {
        fhir_text_addf(&json, ",\"total\":%" APR_OFF_T_FMT, total);
    }
    fhir_text_add(&json, ",\"link\":[");
    add_link(&json, "self", self);
    if (next) {
        fhir_text_add(&json, ",");
        add_link(&json, "next", next);
    }
    fhir_text_add(&json, "]");
    for (i = 0; i < versions->nelts; i++) {
        fhir_text_add(&json, i ? "," : ",\"entry\":[");
        FHIR_TRY(add_entry(&json, APR_ARRAY_IDX(versions, i, const fhir_binary_t *), fhir_base));
    }
    fhir_text_add(&json, versions->nelts ? "]}" : "}");
    return fhir_answer(text, format, &json);
}
