/* What the CapabilityStatement says of every resource type but Binary: made from the tables that do the work. */
#include "answers_private.h"
#include "audit_event.h"
#include "search_parameters.h"
#include "structure.h"

#include <apr_strings.h>
#include <string.h>

static const char *const search_types[] = {"", "token", "string", "reference", "date", "uri"};

/* Parameters of all types: search.html#all. */
static const struct {
    const char *name;
    const char *type;
} common_parameters[] = {{"_id", "token"},       {"_lastUpdated", "date"}, {"_profile", "uri"},
                         {"_security", "token"}, {"_source", "uri"},       {"_tag", "token"}};

static void add_parameter(fhir_text_t *json, int first, const char *name, const char *type)
{
    fhir_text_addf(json, "%s{\"name\":\"%s\",\"type\":\"%s\"}", first ? "" : ",", name, type);
}

void fhir_capability_common_parameters(fhir_text_t *json)
{
    apr_size_t i;
    fhir_text_add(json, ",\"searchParam\":[");
    for (i = 0; i < sizeof(common_parameters) / sizeof(common_parameters[0]); i++) {
        add_parameter(json, i == 0, common_parameters[i].name, common_parameters[i].type);
    }
    fhir_text_add(json, "]");
}

static void add_includes(fhir_text_t *json, const char *type, const fhir_search_parameter_t *parameters, int count)
{
    int shown = 0;
    int i;
    for (i = 0; i < count; i++) {
        if (parameters[i].type == FHIR_SEARCH_REFERENCE) {
            fhir_text_addf(json, "%s\"%s:%s\"", shown++ ? "," : ",\"searchInclude\":[", type, parameters[i].name);
        }
    }
    fhir_text_add(json, shown ? "]" : "");
}

static void add_parameters(fhir_text_t *json, const fhir_search_parameter_t *parameters, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        fhir_text_add(json, i ? "" : ",\"searchParam\":[");
        add_parameter(json, i == 0, parameters[i].name, search_types[parameters[i].type]);
    }
    fhir_text_add(json, count > 0 ? "]" : "");
}

static void add_type(fhir_text_t *json, const char *type, int update_create)
{
    static const char *const codes[] = {"create",           "read",       "vread", "update", "patch", "delete",
                                        "history-instance", "search-type"};
    int count = 0;
    const fhir_search_parameter_t *parameters = fhir_search_parameters(&count, type);
    apr_size_t i;
    fhir_text_addf(json, ",{\"type\":\"%s\",\"interaction\":[", type);
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        fhir_text_addf(json, "%s{\"code\":\"%s\"}", i ? "," : "", codes[i]);
    }
    fhir_text_addf(json,
                   "],\"versioning\":\"versioned\",\"readHistory\":true,\"updateCreate\":%s,\"conditionalCreate\":true,"
                   "\"conditionalRead\":\"full-support\",\"conditionalUpdate\":true,"
                   "\"conditionalDelete\":\"single\"",
                   update_create ? "true" : "false");
    add_includes(json, type, parameters, count);
    add_parameters(json, parameters, count);
    fhir_text_add(json, "}");
}

/* The audit trail is read and searched, and written by nobody. */
static void add_audit_event(fhir_text_t *json)
{
    int i;
    fhir_text_add(json, ",{\"type\":\"AuditEvent\",\"interaction\":[{\"code\":\"read\"},{\"code\":\"search-type\"}],"
                        "\"versioning\":\"no-version\"");
    for (i = 0; fhir_audit_search_parameters[i][0]; i++) {
        fhir_text_add(json, i ? "" : ",\"searchParam\":[");
        add_parameter(json, i == 0, fhir_audit_search_parameters[i][0], fhir_audit_search_parameters[i][1]);
    }
    fhir_text_add(json, "]}");
}

void fhir_capability_resources(fhir_text_t *json, int update_create)
{
    const char *const *type;
    for (type = fhir_structure_resource_types(); *type; type++) {
        if (strcmp(*type, "AuditEvent") == 0) {
            add_audit_event(json);
        } else if (strcmp(*type, "Binary") != 0) {
            add_type(json, *type, update_create);
        }
    }
}
