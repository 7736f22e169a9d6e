/* fhirbinctl: what its commands share. A command is one row of the table in commands.c; its help is that row. */
#ifndef FHIR_CLI_CTL_H
#define FHIR_CLI_CTL_H

#include "../core/app/object_check.h"
#include "../core/app/operate.h"
#include "../core/fhir/json_document.h"
#include "../core/meta/meta.h"

/* Exit statuses. */
enum { FHIR_CTL_OK = 0, FHIR_CTL_FAILED = 1, FHIR_CTL_USAGE = 2, FHIR_CTL_FOUND = 3 };

typedef struct fhir_ctl_t fhir_ctl_t;

typedef struct fhir_ctl_command_t {
    const char *name;   /* "project create" */
    const char *syntax; /* "--project P [--admin] [--policy ID]... NAME": options, their values, arguments */
    const char *summary;
    const char *details; /* more lines for `help COMMAND`, may be NULL */
    fhir_error_t *(*run)(fhir_ctl_t *ctl);
} fhir_ctl_command_t;

/* Ends with an entry whose name is NULL. */
extern const fhir_ctl_command_t fhir_ctl_commands[];

struct fhir_ctl_t {
    apr_pool_t *pool;
    const char *config_file;
    const fhir_ctl_command_t *command;
    apr_table_t *options;          /* given options without dashes; "" for a flag */
    apr_array_header_t *arguments; /* of const char * */
    fhir_settings_t *settings;     /* after fhir_ctl_settings */
    fhir_meta_t *meta;             /* after fhir_ctl_meta */
    fhir_app_t *app;               /* after fhir_ctl_app */
    fhir_log_t log;
    fhir_call_t call;
    int status; /* exit status if the command succeeds */
};

/* ---- commands.c, help.c, arguments.c ---- */
/* `second` NULL: a command of one word. */
const fhir_ctl_command_t *fhir_ctl_find(const char *first, const char *second, apr_pool_t *pool);
void fhir_ctl_help(const fhir_ctl_command_t *command); /* NULL: all commands */
/* 0: there is no such group of commands. */
int fhir_ctl_help_group(const char *group);
/* Splits what follows the command's words, by its syntax. */
fhir_error_t *fhir_ctl_parse(fhir_ctl_t *ctl, int count, const char *const *words) FHIR_MUST_CHECK;
const char *fhir_ctl_option(const fhir_ctl_t *ctl, const char *name); /* NULL: not given */
const char *fhir_ctl_argument(const fhir_ctl_t *ctl, int place);      /* NULL: not given */
/* Wrong use: exit status 2. */
fhir_error_t *fhir_ctl_misuse(fhir_ctl_t *ctl, const char *text) FHIR_MUST_CHECK;
/* An option whose value is a time such as 7d; `otherwise` is one, too. */
fhir_error_t *fhir_ctl_duration_option(apr_interval_time_t *time, fhir_ctl_t *ctl, const char *name,
                                       const char *otherwise) FHIR_MUST_CHECK;
/* --rate; *rate stays as it is if it is not given. */
fhir_error_t *fhir_ctl_rate_option(apr_off_t *rate, fhir_ctl_t *ctl) FHIR_MUST_CHECK;

/* ---- context.c ---- */
fhir_error_t *fhir_ctl_settings(fhir_ctl_t *ctl) FHIR_MUST_CHECK;
fhir_error_t *fhir_ctl_meta(fhir_ctl_t *ctl) FHIR_MUST_CHECK;   /* settings too */
fhir_error_t *fhir_ctl_stores(fhir_ctl_t *ctl) FHIR_MUST_CHECK; /* settings too */
/* For commands that look at very many objects: settings and meta, whose statements may take longer then. `job` has been
 * initialised; its stores are not open yet. */
fhir_error_t *fhir_ctl_job(fhir_object_job_t *job, fhir_ctl_t *ctl) FHIR_MUST_CHECK;
/* NOT_FOUND if the configuration has no such store. */
fhir_error_t *fhir_ctl_known_store(fhir_ctl_t *ctl, const char *name) FHIR_MUST_CHECK;
/* Settings and meta too. The app has no stores: nothing that has bytes can be written or read. */
fhir_error_t *fhir_ctl_app(fhir_ctl_t *ctl) FHIR_MUST_CHECK;
/* By its id or name; NOT_FOUND says where to look. */
fhir_error_t *fhir_ctl_find_project(fhir_project_t *project, fhir_ctl_t *ctl, const char *given) FHIR_MUST_CHECK;
/* The project of --project; *id is NULL if the option is not given. */
fhir_error_t *fhir_ctl_project(const char **id, fhir_ctl_t *ctl) FHIR_MUST_CHECK;
/* --profile: NULL or a checked reference. */
fhir_error_t *fhir_ctl_profile(const char **profile, fhir_ctl_t *ctl) FHIR_MUST_CHECK;

/* What `store orphans` lists, unless it is told another age: what is younger may be an upload that runs. */
#define FHIR_ORPHANS_LIST_AGE apr_time_from_sec(3600)

/* ---- resources.c: what the project's operator does with its resources, answered as over REST ---- */
/* An answer of 400 or more is an error. `if_match` and `body` may be NULL. */
fhir_error_t *fhir_ctl_operate(const char **text, fhir_ctl_t *ctl, const char *project_id, fhir_method_t method,
                               const char *path, const char *if_match, const char *body) FHIR_MUST_CHECK;
fhir_error_t *fhir_ctl_read(const fhir_json_document_t **document, fhir_ctl_t *ctl, const char *project_id,
                            const char *path) FHIR_MUST_CHECK;
typedef struct fhir_ctl_resource_t {
    const fhir_json_document_t *document;
    int root;
} fhir_ctl_resource_t;
/* All resources of the type: array of fhir_ctl_resource_t. */
fhir_error_t *fhir_ctl_search(apr_array_header_t **resources, fhir_ctl_t *ctl, const char *project_id,
                              const char *type) FHIR_MUST_CHECK;
/* The text at a path of member names ("meta.versionId"); NULL: there is none. */
const char *fhir_ctl_string(const fhir_json_document_t *document, int node, const char *path, apr_pool_t *pool);
/* `AccessPolicy/x` or `x` -> x; NULL: neither. */
const char *fhir_ctl_resource_id(const char *type, const char *given);
/* The file named, "-": standard input. */
fhir_error_t *fhir_ctl_read_file(const char **text, fhir_ctl_t *ctl, const char *name) FHIR_MUST_CHECK;
/* With line breaks, for people; every value as it is. */
void fhir_ctl_print_json(const char *json, apr_pool_t *pool);

/* ---- membership.c: what the commands on memberships and clients share ---- */
/* ProjectMembership.access of --policy and --parameter in their order; NULL: none is given. */
fhir_error_t *fhir_ctl_access_options(const char **access, fhir_ctl_t *ctl) FHIR_MUST_CHECK;
/* Makes the ProjectMembership by --profile, --admin, --policy and --parameter. */
fhir_error_t *fhir_ctl_make_membership(fhir_ctl_t *ctl, const char *project_id, const char *id,
                                       const fhir_principal_key_t *principal) FHIR_MUST_CHECK;
/* `patient-files(patient=Patient/1), readers` of fhir_membership_t.access; NULL: none. */
const char *fhir_ctl_access_text(const char *access, apr_pool_t *pool);

/* ---- table.c: lists for people, or JSON with --json ---- */
typedef struct fhir_ctl_table_t {
    fhir_ctl_t *ctl;
    int columns;
    const char *const *names; /* a trailing '?' marks a yes/no column, '#' a number */
    apr_array_header_t *cells;
} fhir_ctl_table_t;
void fhir_ctl_table_init(fhir_ctl_table_t *table, fhir_ctl_t *ctl, const char *const *names, int columns);
void fhir_ctl_table_add(fhir_ctl_table_t *table, const char *cell); /* NULL: nothing known */
void fhir_ctl_table_add_flag(fhir_ctl_table_t *table, int flag);
void fhir_ctl_table_add_number(fhir_ctl_table_t *table, apr_off_t number);
void fhir_ctl_table_add_time(fhir_ctl_table_t *table, apr_time_t time); /* 0: nothing known */
void fhir_ctl_table_print(const fhir_ctl_table_t *table);
/* For rows that take their time: `begin` before the first, `row` after the cells of each, `end`. `widths`: of columns.
 */
void fhir_ctl_table_begin(const fhir_ctl_table_t *table, const int *widths);
void fhir_ctl_table_row(fhir_ctl_table_t *table, const int *widths);
void fhir_ctl_table_end(const fhir_ctl_table_t *table);

/* ---- policy_problems.c ---- */
/* Adds what is wrong with the text of an AccessPolicy to a table of expression and problem; the first problem of its
 * shape hides the others. Parameters have the values that the membership gives, or, if it is NULL, some value. */
fhir_error_t *fhir_ctl_policy_problems(fhir_ctl_table_t *problems, fhir_ctl_t *ctl, const char *text,
                                       const fhir_membership_t *membership) FHIR_MUST_CHECK;

/* ---- the commands ---- */
fhir_error_t *fhir_ctl_db_upgrade(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_db_status(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_create(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_disable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_enable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_default_policy(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_create(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_disable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_enable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_secret(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_create(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_disable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_enable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_show(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_delete(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_set_policy(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_policy_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_policy_show(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_policy_put(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_policy_delete(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_policy_check(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_explain(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_key_rotate(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_key_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_key_revoke(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_health(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_stat(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_migrate(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_verify(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_orphans(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_binary_uses(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_binary_unlinked(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_fetch_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_fetch_retry(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_audit_security_context(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_audit_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_audit_verify(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_audit_prune(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_config_check(fhir_ctl_t *ctl);
/* Makes a key of this purpose if none is in use; says so. */
fhir_error_t *fhir_ctl_first_key(fhir_ctl_t *ctl, fhir_key_purpose_t purpose) FHIR_MUST_CHECK;

#endif
