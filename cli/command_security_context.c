/* audit security-context: Binaries without a security context, what follows from the resources that point to them, and
 * with --apply a new version of each that has it. */
#include "ctl.h"

#include "../core/app/suggested_context.h"
#include "../core/base/text.h"
#include "../core/fhir/binary_form.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BATCH 100
#define BATCH_MAX 400

/* What became of a Binary; the first ones are those of fhir_suggestion_kind_t. */
typedef enum result_t {
    RESULT_FOLLOWS = FHIR_SUGGESTION_FOLLOWS,
    RESULT_UNREFERENCED = FHIR_SUGGESTION_UNREFERENCED,
    RESULT_AMBIGUOUS = FHIR_SUGGESTION_AMBIGUOUS,
    RESULT_MISSING = FHIR_SUGGESTION_MISSING,
    RESULT_FOREIGN = FHIR_SUGGESTION_FOREIGN,
    RESULT_TOO_MANY = FHIR_SUGGESTION_TOO_MANY,
    RESULT_SET,
    RESULT_CHANGED, /* by somebody else, meanwhile */
    RESULT_FAILED,
    RESULT_COUNT
} result_t;
static const char *const result_names[] = {"follows",  "unreferenced", "ambiguous", "missing", "foreign",
                                           "too-many", "set",          "changed",   "failed"};

typedef struct audit_t {
    fhir_ctl_t *ctl;
    const char *project_id;
    int apply;
    int any_author;
    int json;
    int batch;
    apr_off_t counts[RESULT_COUNT];
    apr_off_t rows;
    fhir_progress_t progress;
    apr_pool_t *page_pool; /* emptied with each page: memory stays the same however many there are */
    apr_pool_t *item_pool; /* and with each Binary that is written */
} audit_t;

/* ---- what is told ---- */

static const char *referrers_of(const fhir_missing_context_t *missing, apr_pool_t *pool)
{
    fhir_text_t text;
    fhir_text_init(&text, pool);
    for (int i = 0; i < missing->referrers->nelts; i++) {
        const fhir_referrer_t *referrer = APR_ARRAY_IDX(missing->referrers, i, const fhir_referrer_t *);
        if (i == 3) {
            fhir_text_addf(&text, ", %d more", missing->referrers->nelts - i);
            break;
        }
        fhir_text_addf(&text, "%s%s/%s (%s)", i ? ", " : "", referrer->resource->type, referrer->resource->id,
                       referrer->path);
    }
    return text.text;
}

static void print_row(const fhir_missing_context_t *missing, result_t result, const char *reason, apr_pool_t *pool)
{
    const char *referrers = referrers_of(missing, pool);
    printf("Binary/%-36s  %-12s  %-36s  %s%s%s\n", missing->binary->id, result_names[result],
           missing->context ? missing->context : "-", referrers, *referrers && *reason ? "; " : "", reason);
}

static void add_member(fhir_text_t *json, const char *name, const char *value)
{
    fhir_text_addf(json, ", \"%s\": ", name);
    if (value) {
        fhir_text_add_json_string(json, value);
    } else {
        fhir_text_add(json, "null");
    }
}

static void add_candidates(fhir_text_t *json, const fhir_missing_context_t *missing)
{
    fhir_text_add(json, ", \"candidates\": [");
    for (int i = 0; i < missing->candidates->nelts; i++) {
        fhir_text_add(json, i ? ", " : "");
        fhir_text_add_json_string(json, APR_ARRAY_IDX(missing->candidates, i, const char *));
    }
    fhir_text_add(json, "], \"referred_by\": [");
    for (int i = 0; i < missing->referrers->nelts; i++) {
        const fhir_referrer_t *referrer = APR_ARRAY_IDX(missing->referrers, i, const fhir_referrer_t *);
        fhir_text_addf(json, "%s{\"resource\": \"%s/%s\"", i ? ", " : "", referrer->resource->type,
                       referrer->resource->id);
        add_member(json, "path", referrer->path);
        fhir_text_add(json, "}");
    }
    fhir_text_add(json, "]}");
}

static void print_json(const fhir_missing_context_t *missing, result_t result, const char *reason, int is_first,
                       apr_pool_t *pool)
{
    const fhir_binary_t *binary = missing->binary;
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_text_addf(&json, "%s\n  {\"id\": \"%s\"", is_first ? "" : ",", binary->id);
    add_member(&json, "content_type", binary->content_type);
    fhir_text_addf(&json, ", \"size\": %" APR_OFF_T_FMT, binary->content ? binary->content->size : 0);
    add_member(&json, "last_updated", fhir_instant(binary->last_updated, pool));
    add_member(&json, "result", result_names[result]);
    add_member(&json, "context", missing->context);
    add_member(&json, "reason", *reason ? reason : NULL);
    add_candidates(&json, missing);
    fputs(json.text, stdout);
}

static void tell(audit_t *audit, const fhir_missing_context_t *missing, result_t result, const char *reason)
{
    if (audit->apply) {
        fhir_progress_hide(&audit->progress);
    }
    if (audit->json) {
        print_json(missing, result, reason, audit->rows == 0, audit->item_pool);
    } else {
        if (audit->rows == 0) {
            printf("%-43s  %-12s  %-36s  %s\n", "binary", "result", "context", "referred to by");
        }
        print_row(missing, result, reason, audit->item_pool);
    }
    audit->rows++;
    audit->counts[result]++;
}

/* ---- one Binary ---- */

static fhir_error_t *with_context(const char **json, const fhir_missing_context_t *missing, apr_pool_t *pool)
{
    const fhir_binary_render_t how = {.format = FHIR_FORMAT_JSON};
    fhir_binary_t binary = *missing->binary;
    const char *suffix;
    binary.security_context = missing->context;
    return fhir_binary_render(json, &suffix, &binary, &how, pool);
}

/* 1: it concerns this Binary alone, and the others can go on. */
static int concerns_one(const fhir_error_t *error, result_t *result)
{
    switch (error->code) {
    case FHIR_ERROR_PRECONDITION_FAILED:
    case FHIR_ERROR_CONFLICT:
    case FHIR_ERROR_NOT_FOUND:
    case FHIR_ERROR_GONE:
        *result = RESULT_CHANGED;
        return 1;
    case FHIR_ERROR_INVALID:
    case FHIR_ERROR_UNPROCESSABLE:
    case FHIR_ERROR_TOO_LARGE:
        *result = RESULT_FAILED;
        return 1;
    default:
        return 0;
    }
}

/* As any client would: the resource without data, which keeps the bytes, if nobody changed it since it was listed. */
static fhir_error_t *set_context(result_t *result, const char **reason, audit_t *audit,
                                 const fhir_missing_context_t *missing)
{
    fhir_ctl_t ctl = *audit->ctl;
    const char *json;
    const char *text;
    fhir_error_t *error;
    ctl.pool = audit->item_pool;
    FHIR_TRY(with_context(&json, missing, ctl.pool));
    error = fhir_ctl_operate(&text, &ctl, audit->project_id, FHIR_METHOD_PUT,
                             apr_pstrcat(ctl.pool, "Binary/", missing->binary->id, NULL), missing->binary->version_id,
                             json);
    *result = RESULT_SET;
    *reason = "";
    if (error && !concerns_one(error, result)) {
        return fhir_error_public(audit->ctl->pool, error->code,
                                 "Binary/%s: %s Run the command again to go on: what is done stays done.",
                                 missing->binary->id, error->public_text);
    }
    if (error) {
        *reason = error->public_text;
    }
    return NULL;
}

static fhir_error_t *handle(audit_t *audit, const fhir_missing_context_t *missing)
{
    result_t result = (result_t)missing->kind;
    const char *reason = fhir_suggestion_text(missing, audit->item_pool);
    if (audit->apply && missing->kind == FHIR_SUGGESTION_FOLLOWS) {
        FHIR_TRY(set_context(&result, &reason, audit, missing));
    }
    tell(audit, missing, result, reason);
    if (audit->apply) {
        fhir_progress_add(&audit->progress, 1);
    }
    apr_pool_clear(audit->item_pool);
    return NULL;
}

/* ---- all of them ---- */

static fhir_error_t *count_missing(apr_off_t *total, audit_t *audit)
{
    fhir_call_t call = audit->ctl->call;
    apr_array_header_t *none;
    call.pool = audit->page_pool;
    call.deadline = apr_time_now() + audit->ctl->settings->request_timeout;
    FHIR_TRY(fhir_meta_binaries_without_context(&none, total, audit->ctl->meta, audit->project_id, NULL, 0, &call));
    apr_pool_clear(audit->page_pool);
    return NULL;
}

/* *after: the last id of the page; NULL: it was the last page. */
static fhir_error_t *handle_page(audit_t *audit, char *after, int *more)
{
    fhir_call_t call = audit->ctl->call;
    apr_array_header_t *page;
    call.pool = audit->page_pool;
    call.deadline = apr_time_now() + audit->ctl->settings->request_timeout;
    FHIR_TRY(fhir_missing_contexts(&page, NULL, audit->ctl->meta, audit->project_id, *after ? after : NULL,
                                   audit->batch, 0, audit->any_author, &call));
    for (int i = 0; i < page->nelts; i++) {
        const fhir_missing_context_t *missing = &APR_ARRAY_IDX(page, i, fhir_missing_context_t);
        FHIR_TRY(handle(audit, missing));
        apr_cpystrn(after, missing->binary->id, FHIR_ID_MAX + 1);
    }
    fflush(stdout); /* what is told is done, also if the rest is never told */
    *more = page->nelts == audit->batch;
    apr_pool_clear(audit->page_pool);
    return NULL;
}

static void print_summary(const audit_t *audit, apr_off_t remaining)
{
    const char *separator = audit->json ? "" : ": ";
    fputs(audit->json ? "\n], \"summary\": {" : apr_off_t_toa(audit->ctl->pool, audit->rows), stdout);
    fputs(audit->json ? "" : " Binaries without a security context", stdout);
    for (int i = 0; i < RESULT_COUNT; i++) {
        if (audit->json) {
            printf("%s\"%s\": %" APR_OFF_T_FMT, separator, result_names[i], audit->counts[i]);
            separator = ", ";
        } else if (audit->counts[i]) {
            printf("%s%" APR_OFF_T_FMT " %s", separator, audit->counts[i], result_names[i]);
            separator = ", ";
        }
    }
    printf(audit->json ? ", \"remaining\": %" APR_OFF_T_FMT "}}\n" : "; %" APR_OFF_T_FMT " remain.\n", remaining);
    if (!audit->json && !audit->apply && audit->counts[RESULT_FOLLOWS]) {
        printf("Nothing was changed. With --apply %" APR_OFF_T_FMT " of them get the context that follows.\n",
               audit->counts[RESULT_FOLLOWS]);
    }
}

static fhir_error_t *read_options(audit_t *audit)
{
    fhir_ctl_t *ctl = audit->ctl;
    const char *batch = fhir_ctl_option(ctl, "batch");
    audit->apply = fhir_ctl_option(ctl, "apply") != NULL;
    audit->any_author = fhir_ctl_option(ctl, "any-author") != NULL;
    audit->json = fhir_ctl_option(ctl, "json") != NULL;
    audit->batch = DEFAULT_BATCH;
    if (audit->apply && fhir_ctl_option(ctl, "dry-run")) {
        return fhir_ctl_misuse(ctl, "Either --apply or --dry-run.");
    }
    if (batch) {
        audit->batch =
            strlen(batch) <= 6 && strspn(batch, "0123456789") == strlen(batch) ? (int)strtol(batch, NULL, 10) : 0;
        if (audit->batch < 1 || audit->batch > BATCH_MAX) {
            return fhir_ctl_misuse(ctl, "--batch is a number from 1 to " APR_STRINGIFY(BATCH_MAX) ".");
        }
    }
    return NULL;
}

static fhir_error_t *run(audit_t *audit)
{
    char after[FHIR_ID_MAX + 1] = "";
    apr_off_t total;
    int more = 1;
    FHIR_TRY(count_missing(&total, audit));
    if (audit->apply) {
        fhir_progress_begin(&audit->progress, total);
    }
    fputs(audit->json ? "{\"binaries\": [" : "", stdout);
    while (more) {
        FHIR_TRY(handle_page(audit, after, &more));
    }
    if (audit->apply) {
        fhir_progress_end(&audit->progress);
    }
    FHIR_TRY(count_missing(&total, audit));
    print_summary(audit, total);
    audit->ctl->status = total > 0 ? FHIR_CTL_FOUND : FHIR_CTL_OK;
    return NULL;
}

fhir_error_t *fhir_ctl_audit_security_context(fhir_ctl_t *ctl)
{
    audit_t audit = {.ctl = ctl};
    FHIR_TRY(read_options(&audit));
    FHIR_TRY(audit.apply ? fhir_ctl_app(ctl) : fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&audit.project_id, ctl));
    apr_pool_create(&audit.page_pool, ctl->pool);
    apr_pool_create(&audit.item_pool, ctl->pool);
    return run(&audit);
}
