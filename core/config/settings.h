/* The product's settings, the same for httpd and fhirbinctl: both read the same `FhirBinary...` lines.
 * Immutable once finished; shared by all threads. */
#ifndef FHIR_CONFIG_SETTINGS_H
#define FHIR_CONFIG_SETTINGS_H

#include "../store/store.h"

#include <apr_hash.h>
#include <apr_tables.h>

typedef struct fhir_trusted_issuer_t {
    const char *issuer;     /* the exact `iss` */
    const char *audience;   /* that `aud` must hold */
    const char *jwks;       /* absolute file path or https URL (http for loopback hosts only) */
    const char *algorithms; /* space-separated allow-list */
} fhir_trusted_issuer_t;

/* Bits: what holders of signed URLs do at the store itself. */
#define FHIR_REDIRECT_READ 1
#define FHIR_REDIRECT_UPLOAD 2
typedef struct fhir_store_redirect_t {
    const char *store;
    int what; /* FHIR_REDIRECT_... */
} fhir_store_redirect_t;

typedef struct fhir_settings_t {
    apr_pool_t *pool;
    /* where we are */
    const char *base_url;         /* "https://fhir.example.org/", ends with '/'; NULL: module off on this server */
    const char *base_path;        /* its path: "/" */
    const char *fhir_base;        /* base_url + "fhir/R4/" */
    const char *storage_base_url; /* default base_url + "storage/" */
    const char *storage_base_path;
    /* database */
    const char *database;                           /* conninfo, already read from the file if one was named */
    int database_pool_size;                         /* 16 */
    apr_interval_time_t database_connect_timeout;   /* 5s */
    apr_interval_time_t database_acquire_timeout;   /* 5s */
    apr_interval_time_t database_statement_timeout; /* 10s */
    /* stores */
    fhir_store_catalog_t *catalog;
    const char *default_store;     /* the first defined one if not named */
    apr_array_header_t *redirects; /* of fhir_store_redirect_t: stores that clients are sent to */
    /* limits */
    apr_off_t max_object_size;   /* 5G */
    apr_off_t max_resource_size; /* 16M: a Binary in JSON or XML form */
    apr_off_t max_bundle_size;   /* 16M: any other resource, and a Bundle; held in memory */
    apr_off_t max_inline_data;   /* 64M: larger content is left out of the JSON form */
    /* signed URLs and tokens */
    apr_interval_time_t signed_url_lifetime; /* 60m */
    apr_interval_time_t signed_url_window;   /* 5m */
    apr_interval_time_t token_lifetime;      /* 60m */
    apr_array_header_t *trusted_issuers;     /* of fhir_trusted_issuer_t */
    /* content */
    apr_array_header_t *refused_content_types; /* of const char *, lower case */
    apr_array_header_t *refused_extensions;    /* of const char *, lower case with the dot */
    apr_array_header_t *inline_content_types;  /* of const char *; "image" + "/" + "*" style wildcards allowed */
    int require_security_context;              /* off */
    int create_needs_read;                     /* off: creating under a security context needs `update` of it */
    int signed_urls_outlive_membership;        /* off: a signed URL ends with the membership that issued it */
    int update_create;                         /* off */
    int accept_json_as_fhir;                   /* off */
    int fill_attachments;                      /* on */
    apr_array_header_t *cors_origins;          /* of const char *; "*": any; empty: none */
    /* attachments of other servers */
    int fetch_external;                  /* off */
    apr_array_header_t *fetch_hosts;     /* of fhir_host_pattern_t */
    apr_array_header_t *fetch_addresses; /* of fhir_network_t: private ones that may be connected to */
    apr_off_t fetch_max_size;            /* 100M */
    apr_interval_time_t fetch_timeout;   /* 5m */
    const char *fetch_ca_file;           /* NULL: the system's */
    /* audit trail */
    const char *audit_log;               /* a file's path, or "|" and a program; NULL: neither */
    int audit_to_syslog;                 /* off */
    int audit_facility;                  /* of syslog(3) */
    apr_interval_time_t audit_retention; /* 0: events are kept for ever */
    /* time */
    apr_interval_time_t request_timeout; /* 30s: database and store work of a request, body transfer apart */
    apr_interval_time_t body_timeout;    /* 30s: between two reads of a request body */

    apr_hash_t *given;         /* names of the directives that were set */
    apr_array_header_t *lines; /* of fhir_settings_line_t: what was set, in order; merging sets them again */
    /* Plugins that these settings do not load are looked for here while lines are read: httpd's virtual hosts point at
     * the main server. May be NULL. */
    const struct fhir_settings_t *base;
    fhir_error_t *merge_error; /* what went wrong in fhir_settings_merge, told by fhir_settings_finish */
} fhir_settings_t;

/* One row per directive; command_rec of httpd, the parser of fhirbinctl and the documentation guard derive from it. */
typedef struct fhir_directive_t {
    const char *name;
    const char *syntax;        /* "FhirBinaryMaxObjectSize size" */
    const char *default_value; /* "5G", "" if none */
    const char *summary;       /* one line */
    int min_arguments;
    int max_arguments; /* -1: any number */
    int repeatable;
    fhir_error_t *(*set)(fhir_settings_t *settings, int count, const char *const *arguments);
} fhir_directive_t;

/* Ends with an entry whose name is NULL. */
extern const fhir_directive_t fhir_directives[];

typedef struct fhir_settings_line_t {
    const fhir_directive_t *directive;
    int count;
    const char *const *arguments;
} fhir_settings_line_t;

fhir_settings_t *fhir_settings_create(apr_pool_t *pool);
/* Sets one directive. The error's public_text is complete advice: what is wrong and what to write instead. Relative
 * file names are refused. */
fhir_error_t *fhir_settings_set(fhir_settings_t *settings, const char *name, int count,
                                const char *const *arguments) FHIR_MUST_CHECK;
/* base <- overrides: every directive that `overrides` was given wins. Stores and plugins of base remain visible. */
fhir_settings_t *fhir_settings_merge(const fhir_settings_t *base, const fhir_settings_t *overrides, apr_pool_t *pool);
/* Cross checks once all lines are read (a base URL needs a database and a store ...) and derived values. Without a
 * base URL there is nothing to check. May be called again. */
fhir_error_t *fhir_settings_finish(fhir_settings_t *settings) FHIR_MUST_CHECK;
/* FHIR_REDIRECT_... of this store; 0 if nothing is said of it. */
int fhir_settings_redirect(const fhir_settings_t *settings, const char *store);
/* Reads the FhirBinary... lines of an httpd configuration file and its Includes; other lines are skipped. For
 * fhirbinctl. Lines inside <VirtualHost> and other containers count too; with several base URLs the first wins. */
fhir_error_t *fhir_settings_read(fhir_settings_t *settings, const char *path) FHIR_MUST_CHECK;

#endif
