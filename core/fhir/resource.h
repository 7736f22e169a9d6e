/* A resource other than Binary, as text. The server keeps what the client wrote and puts its own id, meta and
 * attachment URLs around it (FHIR R4 resource.html#Metadata, json.html).
 *
 * Stored are two pieces of text: `body`, all members but resourceType, id and meta, exactly as sent and in their order
 * (without the outer braces), and `meta`, the members of meta but versionId and lastUpdated (without braces). */
#ifndef FHIR_FHIR_RESOURCE_H
#define FHIR_FHIR_RESOURCE_H

#include "binary.h"
#include "json_document.h"

#include <apr_tables.h>

/* One version of a resource as the database knows it. Plain data, shared by meta, auth and app. */
typedef struct fhir_resource_t {
    const char *project_id;
    const char *type;
    const char *id;
    const char *version_id; /* UUID, unique over all projects and types */
    apr_off_t sequence;     /* 1, 2, 3 ... within this resource */
    apr_time_t last_updated;
    fhir_change_kind_t change; /* DELETE is a tombstone: meta and body are NULL */
    const char *meta;          /* "" if there was none */
    const char *body;
    apr_size_t body_length;
    int attachment_count; /* of its attachments that name our Binaries */
} fhir_resource_t;

/* An Attachment of a version that names one of our Binaries. Offsets are bytes in that version's `body`. */
typedef struct fhir_attachment_t {
    const char *path; /* `Patient.photo[0]` */
    const char *binary_id;
    const char *binary_version_id; /* the pin of Binary/{id}/_history/{vid}; NULL: the current version */
    int url_offset;                /* of the url's value, quotes included */
    int url_length;
    int end_offset; /* of the Attachment's closing brace */
    int present;    /* FHIR_ATTACHMENT_... bits: which members the client gave */
} fhir_attachment_t;
#define FHIR_ATTACHMENT_CONTENT_TYPE 1
#define FHIR_ATTACHMENT_SIZE 2
#define FHIR_ATTACHMENT_HASH 4
#define FHIR_ATTACHMENT_TITLE 8
#define FHIR_ATTACHMENT_CREATION 16

/* Of one resource. Each becomes a signed URL at every read. */
#define FHIR_ATTACHMENTS_MAX 10000

/* ---- what came in ---- */

/* Our own addresses, in any form that names a Binary. */
typedef struct fhir_addresses_t {
    const char *fhir_base;        /* ends with '/' */
    const char *storage_base_url; /* ends with '/' */
} fhir_addresses_t;

/* Which Binary does an Attachment.url name? `Binary/{id}`, `Binary/{id}/_history/{vid}`, the same after our FHIR base,
 * and {storage base}{id}[/{vid}] with any query and fragment. 0: none of ours (another host, `/Binary/x`, `Binary/x?y`,
 * `Binary/x#z` and malformed ids included). *signed_version is the version in a storage URL, which is no pin. */
int fhir_attachment_url(const char **binary_id, const char **version_id, const char **signed_version,
                        const fhir_addresses_t *addresses, const char *url, apr_pool_t *pool);

/* A resource as a client sent it, checked. */
typedef struct fhir_sent_resource_t {
    const fhir_json_document_t *document;
    int root; /* its node in the document: a Bundle's entries are parts of one document */
    const char *type;
    const char *id;         /* NULL if absent */
    const char *version_id; /* meta.versionId, NULL if absent */
} fhir_sent_resource_t;
/* INVALID, with an expression, for: no object, no or an unknown resourceType, one that differs from `type` (NULL: any),
 * an id that is no FHIR id, a meta that is no object, a Reference.reference or Attachment.url that is no string, an
 * Attachment or Reference that is no object, a value of null outside lists, empty objects, lists or strings; a
 * meta.versionId that is no string, a meta.tag that is no list or has SUBSETTED: a part would replace the whole. */
fhir_error_t *fhir_resource_check(fhir_sent_resource_t *sent, const fhir_json_document_t *document, int root,
                                  const char *type, apr_pool_t *pool) FHIR_MUST_CHECK;

/* Changes to be made on the way to the store: a transaction's urn:uuid references. NULL: keep. `value` is decoded. */
typedef const char *(*fhir_resolve_fn)(void *baton, const char *value);
/* May a storage URL of (binary, version) be kept as a pin? The version before had that pin (resource round trips). */
typedef int (*fhir_pinned_fn)(void *baton, const char *binary_id, const char *version_id);

typedef struct fhir_store_resource_t {
    const char *meta;
    const char *body;
    apr_size_t body_length;
    apr_array_header_t *attachments; /* of fhir_attachment_t, in order of their offsets */
    /* The stored form, parsed: `{body}`, for the search index. */
    const fhir_json_document_t *document;
} fhir_store_resource_t;
typedef struct fhir_prepare_t {
    const fhir_addresses_t *addresses;
    fhir_resolve_fn resolve;           /* may be NULL */
    fhir_resolve_fn resolve_reference; /* of Reference.reference, which may be conditional; NULL: resolve */
    void *resolve_baton;
    fhir_pinned_fn pinned; /* may be NULL */
    void *pinned_baton;
    int attachments_max; /* 0: any number */
} fhir_prepare_t;
/* What is stored of it: attachment URLs normalised to `Binary/{id}` or with `/_history/{vid}` (true Attachments only,
 * found by structure.h, contained resources and Bundle entries inside included), references resolved in
 * Reference.reference, URL elements, Attachment.url and narrative links (src, href). TOO_LARGE: more than
 * attachments_max attachments that name Binaries. */
fhir_error_t *fhir_resource_prepare(fhir_store_resource_t *stored, const fhir_sent_resource_t *sent,
                                    const fhir_prepare_t *how, apr_pool_t *pool) FHIR_MUST_CHECK;

/* ---- what goes out ---- */

/* Text instead of some bytes of `body`; ascending offsets, not overlapping. */
typedef struct fhir_body_edit_t {
    apr_size_t offset;
    apr_size_t removed;
    const char *text;
} fhir_body_edit_t;
typedef enum fhir_summary_t {
    FHIR_SUMMARY_FALSE = 0,
    FHIR_SUMMARY_TRUE,
    FHIR_SUMMARY_TEXT,
    FHIR_SUMMARY_DATA,
    FHIR_SUMMARY_COUNT
} fhir_summary_t;
typedef struct fhir_view_t {
    fhir_summary_t summary;
    const char *elements; /* _elements: comma-separated top-level names, NULL: all */
} fhir_view_t;
/* Adds the whole resource as JSON: {"resourceType":...,"id":...,"meta":{"versionId":...,"lastUpdated":...,...},...}. A
 * view that leaves something out adds the SUBSETTED tag; id, meta and mandatory elements always stay. */
void fhir_resource_render(fhir_text_t *json, const fhir_resource_t *resource, const apr_array_header_t *edits,
                          const fhir_view_t *view);

#endif
