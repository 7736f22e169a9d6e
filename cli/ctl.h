/* fhirbinctl: what its commands share. A command is one row of the table in commands.c; its help is that row. */
#ifndef FHIR_CLI_CTL_H
#define FHIR_CLI_CTL_H

#include "../core/config/settings.h"
#include "../core/meta/meta.h"

/* Exit statuses. */
enum { FHIR_CTL_OK = 0, FHIR_CTL_FAILED = 1, FHIR_CTL_USAGE = 2, FHIR_CTL_FOUND = 3 };

typedef struct fhir_ctl_t fhir_ctl_t;

typedef struct fhir_ctl_command_t {
    const char *name;   /* "project create" */
    const char *syntax; /* "--project P [--admin] NAME": options, their values and arguments are read from here */
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
    fhir_log_t log;
    fhir_call_t call;
    int status; /* exit status if the command succeeds */
};

/* ---- commands.c, help.c, arguments.c ---- */
const fhir_ctl_command_t *fhir_ctl_find(const char *first, const char *second, apr_pool_t *pool);
void fhir_ctl_help(const fhir_ctl_command_t *command); /* NULL: all commands */
/* Splits what follows the command's words, by its syntax. */
fhir_error_t *fhir_ctl_parse(fhir_ctl_t *ctl, int count, const char *const *words) FHIR_MUST_CHECK;
const char *fhir_ctl_option(const fhir_ctl_t *ctl, const char *name); /* NULL: not given */
const char *fhir_ctl_argument(const fhir_ctl_t *ctl, int place);      /* NULL: not given */
/* Wrong use: exit status 2. */
fhir_error_t *fhir_ctl_misuse(fhir_ctl_t *ctl, const char *text) FHIR_MUST_CHECK;

/* ---- context.c ---- */
fhir_error_t *fhir_ctl_settings(fhir_ctl_t *ctl) FHIR_MUST_CHECK;
fhir_error_t *fhir_ctl_meta(fhir_ctl_t *ctl) FHIR_MUST_CHECK;   /* settings too */
fhir_error_t *fhir_ctl_stores(fhir_ctl_t *ctl) FHIR_MUST_CHECK; /* settings too */
/* The project of --project; *id is NULL if the option is not given. */
fhir_error_t *fhir_ctl_project(const char **id, fhir_ctl_t *ctl) FHIR_MUST_CHECK;
/* --profile: NULL or a checked reference. */
fhir_error_t *fhir_ctl_profile(const char **profile, fhir_ctl_t *ctl) FHIR_MUST_CHECK;

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

/* ---- the commands ---- */
fhir_error_t *fhir_ctl_db_upgrade(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_db_status(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_create(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_disable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_project_enable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_create(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_disable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_enable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_client_secret(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_create(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_disable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_membership_enable(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_key_rotate(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_key_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_key_revoke(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_health(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_store_orphans(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_binary_uses(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_binary_unlinked(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_fetch_list(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_fetch_retry(fhir_ctl_t *ctl);
fhir_error_t *fhir_ctl_config_check(fhir_ctl_t *ctl);
/* Makes a key of this purpose if none is in use; says so. */
fhir_error_t *fhir_ctl_first_key(fhir_ctl_t *ctl, fhir_key_purpose_t purpose) FHIR_MUST_CHECK;

#endif
