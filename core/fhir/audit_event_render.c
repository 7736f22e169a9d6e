/* An audit event as an AuditEvent resource, and as a line of a log. */
#include "../base/principal.h"
#include "audit_event.h"

#include <string.h>

static void add_member(fhir_text_t *json, const char *name, const char *value)
{
    if (value) {
        fhir_text_addf(json, ",\"%s\":", name);
        fhir_text_add_json_string(json, value);
    }
}

static void add_coding(fhir_text_t *json, const char *system, const char *code, const char *display)
{
    fhir_text_addf(json, "{\"system\":\"%s\",\"code\":\"%s\",\"display\":\"%s\"}", system, code, display);
}

/* `2026-11-21T03:15:00.123456Z`: all that is known of the time. */
static const char *microsecond_instant(apr_time_t time, apr_pool_t *pool)
{
    const char *instant = fhir_instant(time, pool);
    apr_size_t length = strlen(instant);
    return apr_psprintf(pool, "%.*s%03dZ", (int)(length - 1), instant, (int)(time % 1000));
}

static int is_login(const fhir_audit_event_t *event)
{
    return strcmp(event->interaction, "login") == 0;
}

static void add_kind(fhir_text_t *json, const fhir_audit_event_t *event)
{
    static const char dicom[] = "http://dicom.nema.org/resources/ontology/DCM";
    fhir_text_add(json, ",\"type\":");
    if (is_login(event)) {
        add_coding(json, dicom, "110114", "User Authentication");
        fhir_text_add(json, ",\"subtype\":[");
        add_coding(json, dicom, "110122", "Login");
    } else {
        add_coding(json, "http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "RESTful Operation");
        fhir_text_add(json, ",\"subtype\":[");
        add_coding(json, "http://hl7.org/fhir/restful-interaction", event->interaction, event->interaction);
    }
    fhir_text_add(json, "]");
}

static void add_identifier(fhir_text_t *json, const char *system, const char *value)
{
    fhir_text_add(json, "{");
    if (system) {
        fhir_text_add(json, "\"system\":");
        fhir_text_add_json_string(json, system);
        fhir_text_add(json, ",");
    }
    fhir_text_add(json, "\"value\":");
    fhir_text_add_json_string(json, value);
    fhir_text_add(json, "}");
}

/* The profile, and what was proven: of an outside issuer's user his `sub` under the issuer, of a client its id. */
static void add_who(fhir_text_t *json, const fhir_audit_event_t *event)
{
    if (!event->agent_profile && !event->agent_subject) {
        return;
    }
    fhir_text_add(json, "\"who\":{");
    if (event->agent_profile) {
        fhir_text_add(json, "\"reference\":");
        fhir_text_add_json_string(json, event->agent_profile);
    }
    if (event->agent_subject) {
        fhir_text_add(json, event->agent_profile ? ",\"identifier\":" : "\"identifier\":");
        if (event->agent_kind == FHIR_PRINCIPAL_CLIENT) {
            add_identifier(json, "urn:ietf:rfc:3986", apr_pstrcat(json->pool, "urn:uuid:", event->agent_subject, NULL));
        } else {
            add_identifier(json, event->agent_issuer, event->agent_subject);
        }
    }
    fhir_text_add(json, "},");
}

static void add_agent(fhir_text_t *json, const fhir_audit_event_t *event)
{
    fhir_text_add(json, ",\"agent\":[{");
    add_who(json, event);
    if (event->membership_id) {
        fhir_text_addf(json, "\"altId\":\"%s\",", event->membership_id);
    }
    fhir_text_add(json, "\"requestor\":true");
    if (event->address) {
        fhir_text_add(json, ",\"network\":{\"address\":");
        fhir_text_add_json_string(json, event->address);
        fhir_text_add(json, ",\"type\":\"2\"}");
    }
    fhir_text_add(json, "}]");
}

static void add_source(fhir_text_t *json, const fhir_audit_event_t *event)
{
    const char *name = event->source ? event->source : "unknown";
    fhir_text_add(json, ",\"source\":{\"site\":");
    fhir_text_add_json_string(json, name);
    fhir_text_add(json, ",\"observer\":{\"display\":");
    fhir_text_add_json_string(json, name);
    fhir_text_add(json, "},\"type\":[");
    add_coding(json, "http://terminology.hl7.org/CodeSystem/security-source-type", "4", "Application Server");
    fhir_text_add(json, "]}");
}

static void add_detail(fhir_text_t *json, int *count, const char *type, const char *value)
{
    if (value) {
        fhir_text_addf(json, "%s{\"type\":\"%s\",\"valueString\":", (*count)++ ? "," : ",\"detail\":[", type);
        fhir_text_add_json_string(json, value);
        fhir_text_add(json, "}");
    }
}

static void add_details(fhir_text_t *json, const fhir_audit_event_t *event)
{
    int count = 0;
    add_detail(json, &count, "securityContext", event->context);
    add_detail(json, &count, "status", apr_psprintf(json->pool, "%" APR_INT64_T_FMT, event->status));
    add_detail(json, &count, "bytesSent", apr_psprintf(json->pool, "%" APR_INT64_T_FMT, event->bytes_sent));
    add_detail(json, &count, "transfer", event->flags & FHIR_AUDIT_ABORTED ? "aborted" : "complete");
    add_detail(json, &count, "signedUrl", event->flags & FHIR_AUDIT_SIGNED_URL ? "true" : "false");
    add_detail(json, &count, "bundleEntry", event->flags & FHIR_AUDIT_ENTRY ? "true" : NULL);
    add_detail(json, &count, "requestId", event->request_id);
    add_detail(json, &count, "note", event->detail);
    fhir_text_add(json, "]");
}

static void add_what(fhir_text_t *json, const fhir_audit_event_t *event)
{
    fhir_text_addf(json, "\"what\":{\"reference\":\"%s/%s", event->entity_type, event->entity_id);
    if (event->entity_version) {
        fhir_text_addf(json, "/_history/%s", event->entity_version);
    }
    fhir_text_add(json, "\"},");
}

static void add_entity(fhir_text_t *json, const fhir_audit_event_t *event)
{
    int is_person = event->entity_type && strcmp(event->entity_type, "Patient") == 0;
    fhir_text_add(json, ",\"entity\":[{");
    if (event->entity_type && event->entity_id) {
        add_what(json, event);
    }
    fhir_text_add(json, "\"type\":");
    add_coding(json, "http://terminology.hl7.org/CodeSystem/audit-entity-type", is_person ? "1" : "2",
               is_person ? "Person" : "System Object");
    fhir_text_add(json, ",\"role\":");
    add_coding(json, "http://terminology.hl7.org/CodeSystem/object-role", event->query ? "24" : "4",
               event->query ? "Query" : "Domain Resource");
    /* Constraint sev-1: a name or a query, not both. A search for everything has no text, and JSON no empty one. */
    if (event->query && *event->query) {
        fhir_text_addf(json, ",\"query\":\"%s\"", fhir_base64_encode(event->query, strlen(event->query), json->pool));
    } else if (event->entity_type && !event->entity_id) {
        add_member(json, "name", event->entity_type);
    }
    add_details(json, event);
    fhir_text_add(json, "}]");
}

void fhir_audit_event_render(fhir_text_t *json, const fhir_audit_event_t *event)
{
    const char *recorded = microsecond_instant(event->recorded, json->pool);
    fhir_text_addf(json, "{\"resourceType\":\"AuditEvent\",\"id\":\"%s\",\"meta\":{\"lastUpdated\":\"%s\"}", event->id,
                   recorded);
    add_kind(json, event);
    add_member(json, "action", event->action);
    add_member(json, "recorded", recorded);
    fhir_text_addf(json, ",\"outcome\":\"%" APR_INT64_T_FMT "\"", event->outcome);
    add_member(json, "outcomeDesc", event->outcome_text);
    add_agent(json, event);
    add_source(json, event);
    add_entity(json, event);
    fhir_text_add(json, "}");
}

/* ---- a line ---- */

static void add_field(fhir_text_t *line, const fhir_audit_event_t *event, const fhir_audit_field_t *field)
{
    if (field->kind == FHIR_AUDIT_FIELD_TIME) {
        add_member(line, field->name, microsecond_instant(event->recorded, line->pool));
    } else if (field->kind == FHIR_AUDIT_FIELD_NUMBER) {
        fhir_text_addf(line, ",\"%s\":%" APR_INT64_T_FMT, field->name, fhir_audit_number(event, field));
    } else {
        add_member(line, field->name, fhir_audit_text(event, field));
    }
}

void fhir_audit_event_line(fhir_text_t *line, const fhir_audit_event_t *event)
{
    const fhir_audit_field_t *field;
    fhir_text_addf(line, "{\"sequence\":%" APR_INT64_T_FMT, event->sequence);
    add_member(line, "hash", event->sequence ? fhir_hex_encode(event->hash, sizeof(event->hash), line->pool) : NULL);
    for (field = fhir_audit_fields; field->name; field++) {
        add_field(line, event, field);
    }
    fhir_text_add(line, "}\n");
}
