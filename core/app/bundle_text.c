/* Bundles: commas and brackets in one place. */
#include "bundle_text.h"

#include "../fhir/answers.h"

#include <apr_strings.h>

void fhir_bundle_begin(fhir_bundle_text_t *bundle, const char *type, apr_off_t total, apr_pool_t *pool)
{
    bundle->tells_outcomes = 0;
    fhir_text_init(&bundle->json, pool);
    bundle->links = 0;
    bundle->entries = 0;
    fhir_text_addf(&bundle->json, "{\"resourceType\":\"Bundle\",\"type\":\"%s\"", type);
    if (total >= 0) {
        fhir_text_addf(&bundle->json, ",\"total\":%" APR_OFF_T_FMT, total);
    }
}

void fhir_bundle_link(fhir_bundle_text_t *bundle, const char *relation, const char *url)
{
    fhir_text_addf(&bundle->json, "%s{\"relation\":\"%s\",\"url\":", bundle->links++ ? "," : ",\"link\":[", relation);
    fhir_text_add_json_string(&bundle->json, url);
    fhir_text_add(&bundle->json, "}");
}

void fhir_bundle_entry(fhir_bundle_text_t *bundle, const char *full_url)
{
    if (bundle->links > 0) {
        fhir_text_add(&bundle->json, "]");
        bundle->links = 0;
    }
    fhir_text_add(&bundle->json, bundle->entries++ ? ",{" : ",\"entry\":[{");
    if (full_url) {
        fhir_text_add(&bundle->json, "\"fullUrl\":");
        fhir_text_add_json_string(&bundle->json, full_url);
    }
}

void fhir_bundle_member(fhir_bundle_text_t *bundle, const char *name)
{
    const char *first = bundle->json.text[bundle->json.length - 1] == '{' ? "" : ",";
    fhir_text_addf(&bundle->json, "%s\"%s\":", first, name);
}

void fhir_bundle_entry_end(fhir_bundle_text_t *bundle)
{
    fhir_text_add(&bundle->json, "}");
}

void fhir_bundle_end(fhir_bundle_text_t *bundle)
{
    fhir_text_add(&bundle->json, bundle->links > 0 || bundle->entries > 0 ? "]}" : "}");
}

void fhir_bundle_resource(fhir_bundle_text_t *bundle, const fhir_resource_t *resource, const char *fhir_base,
                          const apr_array_header_t *edits, const fhir_view_t *view)
{
    fhir_bundle_entry(bundle, apr_pstrcat(bundle->json.pool, fhir_base, resource->type, "/", resource->id, NULL));
    if (resource->change != FHIR_CHANGE_DELETE) {
        fhir_bundle_member(bundle, "resource");
        fhir_resource_render(&bundle->json, resource, edits, view);
    }
}

void fhir_bundle_warning(fhir_bundle_text_t *bundle, const char *text)
{
    fhir_bundle_entry(bundle, NULL);
    fhir_bundle_member(bundle, "resource");
    fhir_text_add(&bundle->json,
                  fhir_outcome(FHIR_FORMAT_JSON, NULL, "warning", "not-supported", text, NULL, bundle->json.pool));
    fhir_bundle_member(bundle, "search");
    fhir_text_add(&bundle->json, "{\"mode\":\"outcome\"}");
    fhir_bundle_entry_end(bundle);
}
