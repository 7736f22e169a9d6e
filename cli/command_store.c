/* store list, health */
#include "ctl.h"

#include <string.h>

fhir_error_t *fhir_ctl_store_list(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"name", "default?"};
    fhir_ctl_table_t table;
    apr_array_header_t *stores;
    FHIR_TRY(fhir_ctl_settings(ctl));
    stores = fhir_store_names(ctl->settings->catalog, ctl->pool);
    fhir_ctl_table_init(&table, ctl, names, 2);
    for (int i = 0; i < stores->nelts; i++) {
        const char *name = APR_ARRAY_IDX(stores, i, const char *);
        fhir_ctl_table_add(&table, name);
        fhir_ctl_table_add_flag(&table,
                                ctl->settings->default_store && strcmp(name, ctl->settings->default_store) == 0);
    }
    fhir_ctl_table_print(&table);
    return NULL;
}

fhir_error_t *fhir_ctl_store_health(fhir_ctl_t *ctl)
{
    static const char *const names[] = {"name", "healthy?", "problem"};
    fhir_ctl_table_t table;
    apr_array_header_t *stores;
    FHIR_TRY(fhir_ctl_stores(ctl));
    stores = fhir_store_names(ctl->settings->catalog, ctl->pool);
    fhir_ctl_table_init(&table, ctl, names, 3);
    for (int i = 0; i < stores->nelts; i++) {
        const char *name = APR_ARRAY_IDX(stores, i, const char *);
        fhir_open_store_t *store;
        fhir_error_t *error;
        FHIR_TRY(fhir_store_get(&store, ctl->settings->catalog, name, ctl->pool));
        ctl->call.deadline = apr_time_now() + ctl->settings->request_timeout;
        error = fhir_store_health(store, &ctl->call);
        fhir_ctl_table_add(&table, name);
        fhir_ctl_table_add_flag(&table, !error);
        fhir_ctl_table_add(&table, error ? (error->detail ? error->detail : error->public_text) : NULL);
        if (error) {
            ctl->status = FHIR_CTL_FOUND;
        }
    }
    fhir_ctl_table_print(&table);
    return NULL;
}
