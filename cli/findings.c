/* What a long check finds, printed as it is found. */
#include "findings.h"

#include "../core/base/text.h"

#include <stdio.h>

void fhir_findings_init(fhir_findings_t *findings, fhir_ctl_t *ctl, fhir_progress_t *progress, int is_array)
{
    findings->ctl = ctl;
    findings->progress = progress;
    findings->json = fhir_ctl_option(ctl, "json") != NULL;
    findings->is_array = is_array;
    findings->count = 0;
    apr_pool_create(&findings->pool, ctl->pool);
    if (findings->json) {
        fputs(is_array ? "[" : "{\"findings\": [", stdout);
    }
}

static void add_text(fhir_text_t *json, const char *name, const char *value)
{
    fhir_text_addf(json, ", \"%s\": ", name);
    if (value) {
        fhir_text_add_json_string(json, value);
    } else {
        fhir_text_add(json, "null");
    }
}

/* What only findings about stored objects have. */
static void add_use(fhir_text_t *json, const fhir_findings_t *findings, const fhir_finding_t *finding)
{
    if (findings->is_array) {
        return;
    }
    add_text(json, "copy", finding->copy);
    fhir_text_addf(json, ", \"repaired\": %s", finding->repaired ? "true" : "false");
    add_text(json, "project", finding->use ? finding->use->project_id : NULL);
    add_text(json, "version", finding->use ? finding->use->version : NULL);
    fhir_text_addf(json, ", \"more_versions\": %" APR_OFF_T_FMT, finding->use ? finding->use->more : 0);
}

const fhir_object_use_t *fhir_findings_use_of(const fhir_object_job_t *job, const char *object_key, apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_last_call(job, pool);
    const fhir_object_use_t *use;
    return fhir_meta_object_use(&use, job->meta, object_key, &call) ? NULL : use;
}

const char *fhir_findings_use(const fhir_object_use_t *use, apr_pool_t *pool)
{
    const char *more = "";
    if (!use) {
        return "";
    }
    if (!use->version) {
        return apr_psprintf(pool, "of no version, in the project %s", use->project_id);
    }
    if (use->more > 0) {
        more = apr_psprintf(pool, ", and of %" APR_OFF_T_FMT " more version%s", use->more, use->more == 1 ? "" : "s");
    }
    return apr_psprintf(pool, "of %s in the project %s%s", use->version, use->project_id, more);
}

static void print_json(const fhir_findings_t *findings, const fhir_finding_t *finding)
{
    fhir_text_t json;
    fhir_text_init(&json, findings->pool);
    fhir_text_add(&json, findings->count ? ",\n  {\"store\": " : "\n  {\"store\": ");
    fhir_text_add_json_string(&json, finding->store);
    add_text(&json, "kind", finding->problem);
    add_text(&json, "key", finding->key);
    if (finding->size >= 0) {
        fhir_text_addf(&json, ", \"size\": %" APR_OFF_T_FMT, finding->size);
    } else {
        fhir_text_add(&json, ", \"size\": null");
    }
    add_text(&json, "since", finding->since ? fhir_instant(finding->since, findings->pool) : NULL);
    if (finding->since) {
        fhir_text_addf(&json, ", \"age_seconds\": %" APR_TIME_T_FMT, apr_time_sec(apr_time_now() - finding->since));
    }
    add_text(&json, "locator", finding->locator);
    add_use(&json, findings, finding);
    add_text(&json, "detail", finding->detail);
    fhir_text_add(&json, "}");
    fputs(json.text, stdout);
}

static void print_line(const fhir_findings_t *findings, const fhir_finding_t *finding)
{
    if (findings->count == 0) {
        printf("%-12s  %-15s  %-32s  %12s  %-24s  %s\n", "store", "kind", "key", "size", "since", "locator");
    }
    printf("%-12s  %-15s  %-32s  %12s  %-24s  %s%s%s%s%s\n", finding->store, finding->problem,
           finding->key ? finding->key : "-", finding->size < 0 ? "-" : apr_off_t_toa(findings->pool, finding->size),
           finding->since ? fhir_instant(finding->since, findings->pool) : "-",
           finding->locator ? finding->locator : "-", finding->use ? "  " : "",
           fhir_findings_use(finding->use, findings->pool), finding->detail ? "  " : "",
           finding->detail ? finding->detail : "");
}

void fhir_findings_add(fhir_findings_t *findings, const fhir_finding_t *finding)
{
    if (findings->progress && findings->progress->started) {
        fhir_progress_hide(findings->progress);
    }
    if (findings->json) {
        print_json(findings, finding);
    } else {
        print_line(findings, finding);
    }
    fflush(stdout);
    findings->count++;
    if (!finding->repaired) {
        findings->ctl->status = FHIR_CTL_FOUND;
    }
    apr_pool_clear(findings->pool);
}

void fhir_findings_fail(fhir_findings_t *findings, const fhir_error_t *error)
{
    fhir_text_t text;
    if (!findings->json) {
        return;
    }
    fhir_text_init(&text, findings->pool);
    fhir_text_add_json_string(&text, error->public_text);
    if (findings->is_array) {
        printf("%s\n  {\"error\": %s}\n]\n", findings->count ? "," : "", text.text);
    } else {
        printf("%s], \"error\": %s}\n", findings->count ? "\n" : "", text.text);
    }
}

void fhir_findings_end(fhir_findings_t *findings)
{
    if (findings->json) {
        fputs(findings->count ? "\n]" : "]", stdout);
        fputs(findings->is_array ? "\n" : "", stdout);
    }
}
