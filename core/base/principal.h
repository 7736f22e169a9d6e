/* Who is asking: the key under which a membership is found, and the membership. Plain data shared by auth and meta. */
#ifndef FHIR_BASE_PRINCIPAL_H
#define FHIR_BASE_PRINCIPAL_H

/* How the caller proved who he is; it is also the namespace of `subject`. */
typedef enum fhir_principal_kind_t {
    FHIR_PRINCIPAL_CLIENT = 1, /* one of our clients: subject is the client id (a UUID), issuer is "" */
    FHIR_PRINCIPAL_ISSUER,     /* a user of an outside issuer: issuer is `iss`, subject is `sub` */
    FHIR_PRINCIPAL_HTTPD,      /* r->user of an httpd authentication module: subject is the user, issuer is "" */
    FHIR_PRINCIPAL_OPERATOR    /* who may run fhirbinctl here: subject is the project id; never over HTTP */
} fhir_principal_kind_t;

typedef struct fhir_principal_key_t {
    fhir_principal_kind_t kind;
    const char *issuer;
    const char *subject;
} fhir_principal_key_t;

struct fhir_policy_t; /* core/auth/policy.h */

/* What binds a principal to a project. One principal has one membership. */
typedef struct fhir_membership_t {
    const char *id;         /* UUID */
    const char *project_id; /* UUID */
    const char *profile;    /* "Practitioner/1", may be NULL */
    int admin;
    /* What it may do: JSON `[{"policy":"id","parameter":[{"name":"patient","value":"Patient/1"}]}]`, from
     * ProjectMembership.access, else the project's default policy; NULL: neither. */
    const char *access;
    /* The policies that access names, as they are now: `id version_id id version_id`, `-` for one that was deleted;
     * what is missing there is not there. "": none. Equal text is equal rights. */
    const char *policies;
    /* access compiled (core/app/rights.c gives it to every membership that was loaded); NULL: nothing is permitted. */
    const struct fhir_policy_t *policy;
    int active; /* 0: the membership, its client or its project is disabled */
} fhir_membership_t;

#endif
