/* binary uses, binary unlinked: which resources point to a Binary, and which Binaries nothing points to. */
#include "ctl.h"

#include "../core/base/text.h"
#include "../core/meta/resources.h"

#define PAGE 500
#define DEFAULT_AGE "24h"

fhir_error_t *fhir_ctl_binary_uses(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"resource", "path", "version", "current?"};
    const char *binary_id = fhir_ctl_argument(ctl, 0);
    const char *project_id;
    fhir_ctl_table_t table;
    apr_array_header_t *uses;
    if (!fhir_id_valid(binary_id)) {
        return fhir_ctl_misuse(ctl, "The id of a Binary has 1 to 64 letters, digits, '-' and '.'.");
    }
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&project_id, ctl));
    FHIR_TRY(fhir_meta_binary_uses(&uses, ctl->meta, project_id, binary_id, &ctl->call));
    fhir_ctl_table_init(&table, ctl, names, 4);
    for (int i = 0; i < uses->nelts; i++) {
        const fhir_binary_use_t *use = &APR_ARRAY_IDX(uses, i, fhir_binary_use_t);
        fhir_ctl_table_add(&table, apr_pstrcat(ctl->pool, use->type, "/", use->id, NULL));
        fhir_ctl_table_add(&table, use->path);
        fhir_ctl_table_add(&table, use->version_id);
        fhir_ctl_table_add_flag(&table, use->current);
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

static void add_binary(fhir_ctl_table_t *table, const fhir_binary_t *binary)
{
    fhir_ctl_table_add(table, binary->id);
    fhir_ctl_table_add(table, binary->content_type);
    fhir_ctl_table_add_number(table, binary->content ? binary->content->size : 0);
    fhir_ctl_table_add(table, binary->security_context);
    fhir_ctl_table_add_time(table, binary->last_updated);
}

fhir_error_t *fhir_ctl_binary_unlinked(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"id", "type", "size#", "security context", "last updated"};
    const char *project_id;
    const char *after = NULL;
    apr_interval_time_t older;
    fhir_ctl_table_t table;
    apr_array_header_t *binaries;
    FHIR_TRY(fhir_ctl_duration_option(&older, ctl, "older-than", DEFAULT_AGE));
    FHIR_TRY(fhir_ctl_meta(ctl));
    FHIR_TRY(fhir_ctl_project(&project_id, ctl));
    fhir_ctl_table_init(&table, ctl, names, 5);
    do {
        ctl->call.deadline = apr_time_now() + ctl->settings->request_timeout;
        FHIR_TRY(fhir_meta_binaries_unlinked(&binaries, ctl->meta, project_id, apr_time_now() - older, after, PAGE,
                                             &ctl->call));
        for (int i = 0; i < binaries->nelts; i++) {
            const fhir_binary_t *binary = APR_ARRAY_IDX(binaries, i, const fhir_binary_t *);
            add_binary(&table, binary);
            after = binary->id;
            ctl->status = FHIR_CTL_FOUND;
        }
    } while (binaries->nelts == PAGE);
    fhir_ctl_table_print(&table);
    return NULL;
}
