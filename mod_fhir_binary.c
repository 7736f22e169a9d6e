/* The module's record and its hooks, one reason each. Everything else is in httpd/ (glue) and core/ (product). */
#include "httpd/glue.h"

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    /* A wrong configuration must fail `apachectl configtest`, which never reaches post_config. */
    ap_hook_check_config(fhir_httpd_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* Libraries are initialised and shared memory is made before there are children and threads. */
    ap_hook_post_config(fhir_httpd_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* Stores and database connections must not be inherited over a fork. */
    ap_hook_child_init(fhir_httpd_child_init, NULL, NULL, APR_HOOK_MIDDLE);
#if AP_MODULE_MAGIC_AT_LEAST(20120211, 110)
    /* A child that only finishes its transfers begins no other work. */
    ap_hook_child_stopping(fhir_httpd_background_stop, NULL, NULL, APR_HOOK_MIDDLE);
    /* What waits for a silent database leaves the audit trail time for its last events. */
    ap_hook_child_stopping(fhir_httpd_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
#endif

    /* Large uploads are read in large blocks. */
    ap_hook_insert_network_bucket(fhir_httpd_insert_network_bucket, NULL, NULL, APR_HOOK_MIDDLE);
    /* Signatures leave the request line before the scoreboard and the logs see it. */
    ap_hook_post_read_request(fhir_httpd_hide_secrets, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* Our paths are claimed before modules that map them to files or proxies. */
    ap_hook_translate_name(fhir_httpd_translate_name, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* No directory walk and no .htaccess for paths that are not files. */
    ap_hook_map_to_storage(fhir_httpd_map_to_storage, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* mod_mime must not guess a type or a handler from an id that ends with .gz. */
    ap_hook_type_checker(fhir_httpd_type_checker, NULL, NULL, APR_HOOK_REALLY_FIRST);

    /* The answer. */
    ap_hook_handler(fhir_httpd_handler, NULL, NULL, APR_HOOK_FIRST);
    /* Errors that httpd raises under our paths get an OperationOutcome. */
    fhir_httpd_register_error_filter();
    ap_hook_insert_error_filter(fhir_httpd_insert_error_filter, NULL, NULL, APR_HOOK_LAST);
    /* Counted when everything was sent. */
    ap_hook_log_transaction(fhir_httpd_count, NULL, NULL, APR_HOOK_MIDDLE);
    /* An answer is an audit event when it is over. */
    ap_hook_log_transaction(fhir_httpd_audit_end, NULL, NULL, APR_HOOK_MIDDLE);
    /* The section of mod_status, if that is loaded. */
    fhir_httpd_register_status();
}

/* By hand and not with AP_DECLARE_MODULE: the symbol must be visible although all others are hidden. */
module AP_MODULE_DECLARE_DATA fhir_binary_module = {
    STANDARD20_MODULE_STUFF, NULL,           NULL, fhir_httpd_create_server, fhir_httpd_merge_server,
    fhir_httpd_directives,   register_hooks, 0};
