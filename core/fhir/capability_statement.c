/* The CapabilityStatement: what this server does, and nothing that it does not (capabilitystatement.html). */
#include "answers_private.h"

#define RAW_AND_RESOURCE                                                                                               \
    "Content of any media type. Create and update take the raw bytes (any Content-Type) or a Binary resource "         \
    "(FHIR JSON or XML with base64 data). Read, vread and HEAD answer the raw bytes with their own type unless a "     \
    "FHIR type is asked for by Accept or _format; then a Binary resource. Raw reads support single, multiple and "     \
    "suffix byte ranges with If-Range, and If-None-Match and If-Modified-Since. If-Match and If-Unmodified-Since "     \
    "are honoured on every interaction with a version. The request header X-Security-Context sets securityContext on " \
    "raw writes and comes back on raw reads. "                                                                         \
    "Resources above a size that the operator sets come without data and with the SUBSETTED tag; _summary=true and "   \
    "_elements leave data out too. Uploads above the operator's size limit are refused with 413. History lists "       \
    "versions without data. securityContext names a resource of this server, as Type/id or under its base; a write "   \
    "that leaves a Binary without one is answered with X-Security-Context-Warning. The one search is "                 \
    "Binary?security-context:missing=true, for administrators of the project."

#define PRESIGNED_URL                                                                                                  \
    "GET or POST on Binary/[id]/$presigned-url answers Parameters with valueUri `url`: a signed URL for reading the "  \
    "current version's bytes without credentials until it expires. With upload=true the URL takes one PUT of the "     \
    "content with the Binary's own content type, which makes a new version. With upload=true and direct=true, where "  \
    "the "                                                                                                             \
    "operator lets uploads go to an object store, `url` is the store's: send one PUT (`method`) with each `header` "   \
    "before `expires`, then POST to `complete`, which answers like the upload. Otherwise the answer has `url` alone."

#define RESOURCES                                                                                                      \
    "Resources other than Binary are taken and answered as JSON. They are kept as they are sent: every number, "       \
    "string "                                                                                                          \
    "and unknown extension comes back. Checked are JSON, resourceType, id and the shape of references and "            \
    "attachments; resources are not validated against profiles. Attachment URLs that name a Binary of this server "    \
    "are "                                                                                                             \
    "stored as Binary/[id] and read as signed URLs by whoever may read the Binary; size, hash, contentType, title "    \
    "and "                                                                                                             \
    "creation are filled in if absent. _include finds the Binaries of attachments by the element's name: "             \
    "DiagnosticReport:presented-form, DocumentReference:content, Media:content, Patient:photo. Search results are "    \
    "sorted by _lastUpdated or, with _sort, by any search parameter; _summary, _elements, _total, _count, _include, "  \
    "_revinclude and Prefer: handling=strict work. Patches are JSON Patch."

static void add_head(fhir_text_t *json, const fhir_capability_t *capability)
{
    fhir_text_add(json, "{\"resourceType\":\"CapabilityStatement\",\"name\":\"FhirBinaryServer\","
                        "\"title\":\"FHIR Binary server\",\"status\":\"active\"");
    fhir_answer_string(json, ",\"date\":", fhir_instant(capability->date, json->pool));
    fhir_answer_string(
        json, ",\"kind\":\"instance\",\"software\":{\"name\":\"mod_fhir_binary\",\"version\":", capability->version);
    fhir_answer_string(json,
                       "},\"implementation\":{\"description\":\"Binary content and signed URLs for FHIR R4\",\"url\":",
                       capability->fhir_base);
    fhir_text_add(json, "},\"fhirVersion\":\"4.0.1\",\"format\":[\"json\",\"xml\",\"application/fhir+json\","
                        "\"application/fhir+xml\"],\"patchFormat\":[\"application/json-patch+json\"]");
}

/* SMART App Launch: conformance by the oauth-uris extension. */
static void add_security(fhir_text_t *json, const fhir_capability_t *capability)
{
    fhir_text_add(json, "\"security\":{\"extension\":[{\"extension\":[{\"url\":\"token\"");
    fhir_answer_string(json, ",\"valueUri\":", apr_pstrcat(json->pool, capability->base_url, "oauth2/token", NULL));
    fhir_text_add(json, "}],\"url\":\"http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris\"}],"
                        "\"cors\":");
    fhir_text_add(json, capability->cors ? "true" : "false");
    fhir_text_add(json,
                  ",\"service\":[{\"coding\":[{"
                  "\"system\":\"http://terminology.hl7.org/CodeSystem/restful-security-service\","
                  "\"code\":\"SMART-on-FHIR\",\"display\":\"SMART-on-FHIR\"}],"
                  "\"text\":\"OAuth2 using SMART-on-FHIR profile (see http://docs.smarthealthit.org)\"}],"
                  "\"description\":\"Bearer tokens (client credentials of this server or a trusted issuer), HTTP Basic "
                  "client credentials, or the user that the web server has authenticated.\"}");
}

static void add_interactions(fhir_text_t *json)
{
    static const char *const CODES[] = {"create", "read", "vread", "update", "delete", "history-instance"};
    apr_size_t i;
    for (i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        fhir_answer_string(json, i ? ",{\"code\":" : "\"interaction\":[{\"code\":", CODES[i]);
        fhir_text_add(json, "}");
    }
    fhir_text_add(json, "]");
}

static void add_binary(fhir_text_t *json, const fhir_capability_t *capability)
{
    const char *definition =
        apr_pstrcat(json->pool, capability->fhir_base, "OperationDefinition/Binary-presigned-url", NULL);
    fhir_answer_string(json, "{\"type\":\"Binary\",\"documentation\":", RAW_AND_RESOURCE);
    fhir_text_add(json, ",");
    add_interactions(json);
    fhir_text_addf(json,
                   ",\"versioning\":\"versioned\",\"readHistory\":true,\"updateCreate\":%s,"
                   "\"conditionalCreate\":false,\"conditionalRead\":\"full-support\",\"conditionalUpdate\":false,"
                   "\"conditionalDelete\":\"not-supported\"",
                   capability->update_create ? "true" : "false");
    fhir_answer_string(json, ",\"operation\":[{\"name\":\"presigned-url\",\"definition\":", definition);
    fhir_answer_string(json, ",\"documentation\":", PRESIGNED_URL);
    fhir_text_add(json, "}]}");
}

const char *fhir_capability_statement(fhir_format_t format, const fhir_capability_t *capability, apr_pool_t *pool)
{
    fhir_text_t json;
    fhir_text_init(&json, pool);
    add_head(&json, capability);
    fhir_answer_string(&json, ",\"rest\":[{\"mode\":\"server\",\"documentation\":", RESOURCES);
    fhir_text_add(&json, ",");
    add_security(&json, capability);
    fhir_text_add(&json, ",\"resource\":[");
    add_binary(&json, capability);
    fhir_capability_resources(&json, capability->update_create);
    fhir_text_add(&json, "],\"interaction\":[{\"code\":\"transaction\"},{\"code\":\"batch\"}]");
    fhir_capability_common_parameters(&json);
    fhir_text_add(&json, "}]}");
    return fhir_own_answer(format, &json);
}
