/* What commands work on: settings, database, stores, and options that several commands know. */
#include "ctl.h"

#include "../core/app/audit.h"
#include "../core/fhir/binary.h"

fhir_error_t *fhir_ctl_settings(fhir_ctl_t *ctl)
{
    if (!ctl->settings) {
        fhir_settings_t *settings = fhir_settings_create(ctl->pool);
        FHIR_TRY(fhir_settings_read(settings, ctl->config_file));
        FHIR_TRY(fhir_settings_finish(settings));
        ctl->settings = settings;
    }
    return NULL;
}

fhir_error_t *fhir_ctl_meta(fhir_ctl_t *ctl)
{
    fhir_meta_config_t config = {.pool_size = 1, .log = &ctl->log};
    FHIR_TRY(fhir_ctl_settings(ctl));
    if (!ctl->settings->database) {
        return fhir_error_public(ctl->pool, FHIR_ERROR_INVALID, "%s names no database: add a FhirBinaryDatabase line.",
                                 ctl->config_file);
    }
    config.conninfo = ctl->settings->database;
    config.connect_timeout = ctl->settings->database_connect_timeout;
    config.acquire_timeout = ctl->settings->database_acquire_timeout;
    config.statement_timeout = ctl->settings->database_statement_timeout;
    return fhir_meta_open(&ctl->meta, &config, ctl->pool);
}

#define LONG_STATEMENT apr_time_from_sec(600)

fhir_error_t *fhir_ctl_job(fhir_object_job_t *job, fhir_ctl_t *ctl)
{
    FHIR_TRY(fhir_ctl_settings(ctl));
    if (ctl->settings->database_statement_timeout < LONG_STATEMENT) {
        ctl->settings->database_statement_timeout = LONG_STATEMENT;
    }
    FHIR_TRY(fhir_ctl_meta(ctl));
    job->meta = ctl->meta;
    job->catalog = ctl->settings->catalog;
    job->log = &ctl->log;
    job->timeout = ctl->settings->request_timeout;
    return NULL;
}

fhir_error_t *fhir_ctl_stores(fhir_ctl_t *ctl)
{
    FHIR_TRY(fhir_ctl_settings(ctl));
    return fhir_store_open_all(ctl->settings->catalog, ctl->pool);
}

fhir_error_t *fhir_ctl_app(fhir_ctl_t *ctl)
{
    fhir_audit_stream_t stream;
    FHIR_TRY(fhir_ctl_meta(ctl));
    /* Stores stay closed: they belong to the user that httpd runs as, and opening one may make its directory. */
    ctl->settings->catalog = fhir_store_catalog_create(ctl->pool);
    /* Whoever runs this may choose ids, whatever the site lets its clients do. */
    ctl->settings->update_create = 1;
    ctl->settings->database_pool_size = 2;
    FHIR_TRY(fhir_app_open(&ctl->app, ctl->settings, &ctl->log, ctl->pool));
    FHIR_TRY(fhir_audit_open_stream(&stream, ctl->settings, ctl->pool));
    fhir_audit_set_stream(ctl->app, &stream);
    return NULL;
}

fhir_error_t *fhir_ctl_find_project(fhir_project_t *project, fhir_ctl_t *ctl, const char *given)
{
    fhir_error_t *error = fhir_meta_project_find(project, ctl->meta, given, &ctl->call);
    if (error && error->code == FHIR_ERROR_NOT_FOUND) {
        return fhir_error_public(ctl->pool, FHIR_ERROR_NOT_FOUND,
                                 "There is no such project; `fhirbinctl project list` lists them.");
    }
    return error;
}

fhir_error_t *fhir_ctl_project(const char **id, fhir_ctl_t *ctl)
{
    fhir_project_t project;
    const char *given = fhir_ctl_option(ctl, "project");
    *id = NULL;
    if (given) {
        FHIR_TRY(fhir_ctl_find_project(&project, ctl, given));
        *id = project.id;
    }
    return NULL;
}

fhir_error_t *fhir_ctl_profile(const char **profile, fhir_ctl_t *ctl)
{
    *profile = fhir_ctl_option(ctl, "profile");
    return *profile ? fhir_reference_check(*profile, ctl->pool) : NULL;
}
