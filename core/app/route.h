/* Target -> what is asked for. Pure. */
#ifndef FHIR_APP_ROUTE_H
#define FHIR_APP_ROUTE_H

#include "../config/settings.h"

typedef enum fhir_route_kind_t {
    FHIR_ROUTE_UNKNOWN = 0,
    FHIR_ROUTE_METADATA,
    FHIR_ROUTE_TOKEN,
    FHIR_ROUTE_JWKS,
    FHIR_ROUTE_SMART_CONFIGURATION,
    FHIR_ROUTE_TYPE,          /* Binary */
    FHIR_ROUTE_SEARCH,        /* Binary/_search */
    FHIR_ROUTE_INSTANCE,      /* Binary/{id} */
    FHIR_ROUTE_HISTORY,       /* Binary/{id}/_history */
    FHIR_ROUTE_VERSION,       /* Binary/{id}/_history/{vid} */
    FHIR_ROUTE_PRESIGNED_URL, /* Binary/{id}/$presigned-url */
    FHIR_ROUTE_SIGNED,        /* {storage base}{id}/{vid} */
    FHIR_ROUTE_AUTH_ME,
    /* Resources other than Binary. */
    FHIR_ROUTE_BASE,              /* the FHIR base itself: Bundles */
    FHIR_ROUTE_RESOURCE_TYPE,     /* {type} */
    FHIR_ROUTE_RESOURCE_SEARCH,   /* {type}/_search */
    FHIR_ROUTE_RESOURCE_INSTANCE, /* {type}/{id} */
    FHIR_ROUTE_RESOURCE_HISTORY,  /* {type}/{id}/_history */
    FHIR_ROUTE_RESOURCE_VERSION,  /* {type}/{id}/_history/{vid} */
    /* The audit trail: AuditEvent is no stored resource, it is read and searched only. */
    FHIR_ROUTE_AUDIT_TYPE,    /* AuditEvent */
    FHIR_ROUTE_AUDIT_SEARCH,  /* AuditEvent/_search */
    FHIR_ROUTE_AUDIT_INSTANCE /* AuditEvent/{id} */
} fhir_route_kind_t;

typedef struct fhir_route_t {
    fhir_route_kind_t kind;
    const char *type;       /* resource type */
    const char *id;         /* as sent: check it with fhir_id_valid */
    const char *version_id; /* as sent */
} fhir_route_t;

/* `path` is decoded and normalised. A trailing slash makes no difference. */
void fhir_route(fhir_route_t *route, const fhir_settings_t *settings, const char *path, apr_pool_t *pool);

#endif
