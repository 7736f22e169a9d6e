/* The members of a Binary that is being read, whichever format they came in. Private to the decoders. */
#ifndef FHIR_FHIR_BINARY_MEMBERS_H
#define FHIR_FHIR_BINARY_MEMBERS_H

#include "binary_form.h"
#include "json_text.h"

#define FHIR_BINARY_KEPT_MAX 65536
#define FHIR_SUBSETTED_SYSTEM "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
#define FHIR_SUBSETTED_CODE "SUBSETTED"

typedef struct fhir_binary_members_t {
    apr_pool_t *pool;
    fhir_binary_resource_t resource;
    fhir_text_t elements; /* members of the object so far, without braces */
    int is_binary;        /* resourceType said so */
} fhir_binary_members_t;

void fhir_binary_members_init(fhir_binary_members_t *members, apr_pool_t *pool);
/* 1 if a Binary may have a member of this name. */
int fhir_binary_member_known(const char *name);
/* INVALID: this name is not an element of Binary. */
fhir_error_t *fhir_binary_member_unknown(const char *name, apr_pool_t *pool) FHIR_MUST_CHECK;
/* Checks and keeps a member other than `data`; `json` is its value as compact JSON text. */
fhir_error_t *fhir_binary_members_take(fhir_binary_members_t *members, const char *name,
                                       fhir_json_slice_t json) FHIR_MUST_CHECK;
fhir_error_t *fhir_binary_members_finish(const fhir_binary_resource_t **resource,
                                         fhir_binary_members_t *members) FHIR_MUST_CHECK;

#endif
