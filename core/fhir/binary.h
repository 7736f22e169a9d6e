/* One version of a Binary as the database knows it. Plain data, shared by meta, auth and app. */
#ifndef FHIR_FHIR_BINARY_H
#define FHIR_FHIR_BINARY_H

#include "../base/digest.h"

#define FHIR_ID_MAX 64

/* The stored bytes of a version; several versions may share one object. */
typedef struct fhir_content_t {
    const char *object_key; /* 32 hex digits */
    const char *store;      /* name of the store that holds it */
    const char *locator;    /* opaque; never shown to a client */
    apr_off_t size;         /* bytes */
    unsigned char sha256[FHIR_SHA256_LENGTH];
    unsigned char sha1[FHIR_SHA1_LENGTH];
} fhir_content_t;

typedef enum fhir_change_kind_t { FHIR_CHANGE_CREATE = 1, FHIR_CHANGE_UPDATE, FHIR_CHANGE_DELETE } fhir_change_kind_t;

typedef struct fhir_binary_t {
    const char *project_id;
    const char *id;
    const char *version_id; /* UUID, unique over all projects */
    apr_off_t sequence;     /* 1, 2, 3 ... within this Binary */
    apr_time_t last_updated;
    fhir_change_kind_t change;    /* what made this version; DELETE is a tombstone */
    const char *content_type;     /* as sent, parameters included; NULL on a tombstone */
    const char *security_context; /* Reference.reference, NULL if none */
    const char *filename;         /* UTF-8, NULL if none */
    const char *elements;         /* JSON object text: what else the client sent (see binary_form.h), NULL if nothing */
    const fhir_content_t *content; /* NULL: no bytes uploaded yet */
} fhir_binary_t;

/* FHIR R4 datatypes.html#id: [A-Za-z0-9\-\.]{1,64} */
int fhir_id_valid(const char *id);
/* A literal reference: `Type/id`, with optional `/_history/vid`, or an absolute http(s) URL that ends so, or a
 * `urn:uuid:`/`urn:oid:`. INVALID otherwise. `Type` must be an R4 resource type. */
fhir_error_t *fhir_reference_check(const char *reference, apr_pool_t *pool) FHIR_MUST_CHECK;
/* 1 if `name` is an R4 resource type. */
int fhir_resource_type_known(const char *name);

#endif
