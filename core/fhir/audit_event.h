/* AuditEvent (FHIR R4 auditevent.html, RESTful pattern): what the audit trail knows of one interaction, and how that is
 * shown and searched. Pure. */
#ifndef FHIR_FHIR_AUDIT_EVENT_H
#define FHIR_FHIR_AUDIT_EVENT_H

#include "../base/digest.h"
#include "../base/text.h"
#include "../http/fields.h"

#include <apr_tables.h>

/* flags */
#define FHIR_AUDIT_SIGNED_URL 1 /* a signed URL was the permission */
#define FHIR_AUDIT_ABORTED 2    /* the client did not get the whole answer */
#define FHIR_AUDIT_ENTRY 4      /* an entry of a Bundle */

/* Texts are UTF-8 and at most FHIR_AUDIT_TEXT_MAX bytes (fhir_audit_event_clean sees to it); NULL: nothing known. */
typedef struct fhir_audit_event_t {
    apr_int64_t sequence; /* 1, 2, 3 ... over all projects and nodes; 0: not written yet */
    const char *id;       /* UUID that begins with `recorded` in milliseconds (RFC 9562, version 7) */
    const char *project_id;
    apr_time_t recorded;
    const char *interaction;   /* restful-interaction code: "read" "search-type"; or "login" */
    const char *action;        /* "C" "R" "U" "D" "E" */
    apr_int64_t outcome;       /* 0, 4, 8, 12 */
    const char *outcome_text;  /* the sentence that the client was told */
    apr_int64_t agent_kind;    /* fhir_principal_kind_t; 0: nobody was proven */
    const char *agent_issuer;  /* of an outside issuer's user */
    const char *agent_subject; /* client id, `sub`, user name, the account that ran fhirbinctl */
    const char *agent_profile; /* "Practitioner/1" */
    const char *membership_id;
    const char *address; /* IP */
    const char *source;  /* name of the server */
    const char *entity_type;
    const char *entity_id;
    const char *entity_version;
    const char *query;   /* of a search */
    const char *context; /* the Binary's security context */
    const char *detail;
    const char *request_id;
    apr_int64_t status;     /* HTTP */
    apr_int64_t bytes_sent; /* of the body */
    apr_int64_t flags;      /* FHIR_AUDIT_... */
    unsigned char hash[FHIR_SHA256_LENGTH];
} fhir_audit_event_t;

#define FHIR_AUDIT_TEXT_MAX 1000

typedef enum fhir_audit_field_kind_t {
    FHIR_AUDIT_FIELD_TEXT = 1,
    FHIR_AUDIT_FIELD_UUID, /* text of 36 characters in the event */
    FHIR_AUDIT_FIELD_TIME,
    FHIR_AUDIT_FIELD_NUMBER
} fhir_audit_field_kind_t;
typedef struct fhir_audit_field_t {
    fhir_audit_field_kind_t kind;
    const char *name;
    apr_size_t offset; /* in fhir_audit_event_t */
} fhir_audit_field_t;
/* audit_event.def as a table; ends with an entry whose name is NULL. */
extern const fhir_audit_field_t fhir_audit_fields[];
#define FHIR_AUDIT_FIELD_COUNT 24
const char *fhir_audit_text(const fhir_audit_event_t *event, const fhir_audit_field_t *field);
apr_int64_t fhir_audit_number(const fhir_audit_event_t *event, const fhir_audit_field_t *field);

/* A new id for an event that is recorded at that time. */
fhir_error_t *fhir_audit_event_id(const char **id, apr_time_t recorded, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The bounds of `recorded` of the event with this id; 0 if it is none of our ids. */
int fhir_audit_event_time(apr_time_t *low, apr_time_t *high, const char *id);
/* Cuts long texts at a character's end, and replaces what is no UTF-8. Ids that are no UUID become NULL. */
void fhir_audit_event_clean(fhir_audit_event_t *event, apr_pool_t *pool);
/* A copy in one block of malloc. NULL: no memory. */
fhir_audit_event_t *fhir_audit_event_copy(const fhir_audit_event_t *event);

/* The resource as JSON. */
void fhir_audit_event_render(fhir_text_t *json, const fhir_audit_event_t *event);
/* One line of flat JSON with its line feed, for logs: sequence and hash anchor the chain. */
void fhir_audit_event_line(fhir_text_t *line, const fhir_audit_event_t *event);

/* ---- search ---- */
typedef struct fhir_audit_search_t {
    apr_time_t low; /* recorded, both included */
    apr_time_t high;
    /* Of const char *, any of them; NULL: not asked for. */
    apr_array_header_t *ids;
    apr_array_header_t *entities; /* "Binary/1" */
    apr_array_header_t *agents;   /* profiles */
    apr_array_header_t *members;  /* altid: memberships */
    apr_array_header_t *actions;
    apr_array_header_t *outcomes;
    apr_array_header_t *interactions; /* subtype */
    apr_array_header_t *addresses;
    int login;         /* type: 0 any, 1 logins only, 2 no logins, 3 nothing */
    int count;         /* _count */
    int totals;        /* the total is wanted */
    apr_time_t before; /* cursor: older than this event; 0: from the newest */
    apr_int64_t before_sequence;
    const char *canonical;       /* what was understood, for links; begins with '&' or is "" */
    apr_array_header_t *ignored; /* of const char *: parameters that are not known here */
} fhir_audit_search_t;
#define FHIR_AUDIT_COUNT_DEFAULT 20
#define FHIR_AUDIT_COUNT_MAX 1000
#define FHIR_AUDIT_VALUES_MAX 200

/* `parameters`: array of fhir_parameter_t. INVALID with a sentence for a value that can't be read, and for unknown
 * parameters if `strict`. */
fhir_error_t *fhir_audit_search_parse(fhir_audit_search_t **search, const apr_array_header_t *parameters, int strict,
                                      const char *fhir_base, apr_pool_t *pool) FHIR_MUST_CHECK;
/* The cursor after this event. */
const char *fhir_audit_cursor(const fhir_audit_event_t *event, apr_pool_t *pool);
/* What the CapabilityStatement says: name, type; ends with NULL. */
extern const char *const fhir_audit_search_parameters[][2];

#endif
