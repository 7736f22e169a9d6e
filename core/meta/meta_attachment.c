/* Links between resources and Binaries: all attachments of a page in one round trip, and who uses a Binary. */
#include "pg_resource.h"

#include <apr_hash.h>
#include <string.h>

/* The kept elements of a Binary are of no use to an Attachment and may be large. */
#define WITHOUT_ELEMENTS(version, object)                                                                              \
    version ".version_id, " version ".sequence, " version ".last_updated, " version ".change, " version                \
            ".content_type, " version ".security_context, " version ".filename, NULL, " object ".object_key, " object  \
            ".store, " object ".locator, " object ".size, " object ".sha256, " object ".sha1"

static const fhir_pg_statement_t attachments = {
    FHIR_PG_ATTACHMENTS, 1,
    "SELECT u.place, a.path, a.binary_id, a.binary_version_id, a.url_offset, a.url_length, a.end_offset, a.present, "
    "av.version_id = b.version_id, " WITHOUT_ELEMENTS("cv", "co") ", " WITHOUT_ELEMENTS(
        "av", "ao") " "
                    "FROM unnest($2::uuid[]) WITH ORDINALITY u (version_id, place) "
                    "CROSS JOIN LATERAL (SELECT * FROM fhir_binary.attachment l WHERE l.version_id = u.version_id "
                    "OFFSET 0) a "
                    "LEFT JOIN fhir_binary.binary b ON b.project_id = a.project_id AND b.id = a.binary_id "
                    "LEFT JOIN fhir_binary.binary_version cv ON cv.version_id = b.version_id "
                    "LEFT JOIN fhir_binary.object co ON co.object_key = cv.object_key "
                    "LEFT JOIN fhir_binary.binary_version av ON av.version_id = a.pin AND av.project_id = b.project_id "
                    "AND av.binary_id = b.id "
                    "LEFT JOIN fhir_binary.object ao ON ao.object_key = av.object_key "
                    "WHERE a.project_id = $1::uuid ORDER BY u.place, a.url_offset"};

enum {
    PLACE,
    PATH,
    BINARY_ID,
    PIN,
    URL_OFFSET,
    URL_LENGTH,
    END_OFFSET,
    PRESENT,
    PIN_IS_CURRENT,
    CURRENT_VERSION,
    PINNED_VERSION = CURRENT_VERSION + FHIR_PG_VERSION_WIDTH
};

#define USES_MAX "10000"

/* Of each resource the newest version that has the Binary. */
static const fhir_pg_statement_t binary_uses = {
    FHIR_PG_BINARY_USES, 1,
    "SELECT r.type, r.id, a.version_id, a.path, a.sequence = r.sequence "
    "FROM (SELECT l.key, max(l.sequence) AS sequence FROM fhir_binary.attachment l "
    "WHERE l.project_id = $1::uuid AND l.binary_id = $2 GROUP BY l.key) newest "
    "JOIN fhir_binary.resource r ON r.key = newest.key "
    "JOIN fhir_binary.attachment a ON a.project_id = $1::uuid AND a.binary_id = $2 AND a.key = newest.key "
    "AND a.sequence = newest.sequence "
    "ORDER BY a.sequence = r.sequence DESC, r.type, r.id, a.position LIMIT " USES_MAX};

static const fhir_pg_statement_t binaries_unlinked = {
    FHIR_PG_BINARIES_UNLINKED, 1,
    "SELECT b.id, " FHIR_PG_VERSION_COLUMNS(
        "v", "o") " FROM fhir_binary.binary b "
                  "JOIN fhir_binary.binary_version v ON v.version_id = b.version_id "
                  "LEFT JOIN fhir_binary.object o ON o.object_key = v.object_key "
                  "WHERE b.project_id = $1::uuid AND b.id > $3 AND NOT b.deleted "
                  "AND b.last_updated < timestamptz 'epoch' + $2::bigint * interval '1 microsecond' "
                  "AND NOT EXISTS (SELECT FROM fhir_binary.attachment a JOIN fhir_binary.resource r ON r.key = a.key "
                  "AND r.sequence = a.sequence WHERE a.project_id = b.project_id AND a.binary_id = b.id OFFSET 0) "
                  "ORDER BY b.id LIMIT $4::bigint"};

/* The resources that have attachments, as an array of their versions. Their places go to `places`. */
static const char *versions_with_attachments(apr_array_header_t *places, const apr_array_header_t *resources,
                                             apr_pool_t *pool)
{
    fhir_pg_array_t versions;
    fhir_pg_array_init(&versions, pool);
    for (int i = 0; i < resources->nelts; i++) {
        const fhir_resource_t *resource = APR_ARRAY_IDX(resources, i, const fhir_resource_t *);
        if (resource->attachment_count > 0 && resource->body) {
            fhir_pg_array_add_text(&versions, resource->version_id);
            APR_ARRAY_PUSH(places, int) = i;
        }
    }
    return fhir_pg_array_end(&versions);
}

/* Reads each Binary once, however many links lead to it. */
typedef struct reader_t {
    const PGresult *result;
    const char *project_id;
    apr_hash_t *current; /* by id */
    apr_hash_t *pinned;  /* by version id */
    apr_pool_t *pool;
} reader_t;

static const fhir_binary_t *read_current(reader_t *reader, int row, const char **binary_id)
{
    const char *id = PQgetvalue(reader->result, row, BINARY_ID);
    const fhir_binary_t *binary = apr_hash_get(reader->current, id, APR_HASH_KEY_STRING);
    if (binary) {
        *binary_id = binary->id;
        return binary;
    }
    *binary_id = apr_pstrdup(reader->pool, id);
    binary = fhir_pg_version(reader->result, row, CURRENT_VERSION, reader->project_id, *binary_id, reader->pool);
    if (binary) {
        apr_hash_set(reader->current, *binary_id, APR_HASH_KEY_STRING, binary);
    }
    return binary;
}

static const fhir_binary_t *read_pinned(reader_t *reader, int row, const char *binary_id)
{
    const void *key = PQgetvalue(reader->result, row, PINNED_VERSION);
    apr_ssize_t length = PQgetlength(reader->result, row, PINNED_VERSION);
    const fhir_binary_t *binary;
    if (PQgetisnull(reader->result, row, PINNED_VERSION)) {
        return NULL;
    }
    binary = apr_hash_get(reader->pinned, key, length);
    if (!binary) {
        binary = fhir_pg_version(reader->result, row, PINNED_VERSION, reader->project_id, binary_id, reader->pool);
        apr_hash_set(reader->pinned, apr_pmemdup(reader->pool, key, (apr_size_t)length), length, binary);
    }
    return binary;
}

static void read_attachment(fhir_attachment_facts_t *facts, reader_t *reader, int row)
{
    const PGresult *result = reader->result;
    fhir_attachment_t *link = &facts->link;
    link->path = fhir_pg_text(result, row, PATH, reader->pool);
    link->binary_version_id = fhir_pg_text(result, row, PIN, reader->pool);
    link->url_offset = (int)fhir_pg_number(result, row, URL_OFFSET);
    link->url_length = (int)fhir_pg_number(result, row, URL_LENGTH);
    link->end_offset = (int)fhir_pg_number(result, row, END_OFFSET);
    link->present = (int)fhir_pg_number(result, row, PRESENT);
    facts->current = read_current(reader, row, &link->binary_id);
    facts->version = facts->current;
    if (link->binary_version_id && !fhir_pg_number(result, row, PIN_IS_CURRENT)) {
        facts->version = read_pinned(reader, row, link->binary_id);
    }
}

fhir_error_t *fhir_meta_load_attachments(apr_array_header_t **loaded, fhir_meta_t *meta, const char *project_id,
                                         const apr_array_header_t *resources, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    apr_array_header_t *places = apr_array_make(call->pool, resources->nelts, sizeof(int));
    reader_t reader = {.project_id = apr_pstrdup(call->pool, project_id), .pool = call->pool};
    PGresult *result;
    *loaded = apr_array_make(call->pool, 16, sizeof(fhir_attachment_facts_t));
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, versions_with_attachments(places, resources, call->pool));
    if (!places->nelts) {
        return NULL;
    }
    FHIR_TRY(fhir_pg_run(&result, meta, &attachments, &parameters, call));
    reader.result = result;
    reader.current = apr_hash_make(call->pool);
    reader.pinned = apr_hash_make(call->pool);
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_attachment_facts_t *facts = apr_array_push(*loaded);
        memset(facts, 0, sizeof(*facts));
        facts->resource = APR_ARRAY_IDX(places, fhir_pg_number(result, row, PLACE) - 1, int);
        read_attachment(facts, &reader, row);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_binary_uses(apr_array_header_t **uses, fhir_meta_t *meta, const char *project_id,
                                    const char *binary_id, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    *uses = apr_array_make(call->pool, 16, sizeof(fhir_binary_use_t));
    if (!fhir_pg_is_valid(binary_id)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, binary_id);
    FHIR_TRY(fhir_pg_run(&result, meta, &binary_uses, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        fhir_binary_use_t *use = apr_array_push(*uses);
        use->type = fhir_pg_text(result, row, 0, call->pool);
        use->id = fhir_pg_text(result, row, 1, call->pool);
        use->version_id = fhir_pg_uuid(result, row, 2, call->pool);
        use->path = fhir_pg_text(result, row, 3, call->pool);
        use->current = fhir_pg_number(result, row, 4) != 0;
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_binaries_unlinked(apr_array_header_t **binaries, fhir_meta_t *meta, const char *project_id,
                                          apr_time_t before, const char *after, int count, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const char *project = apr_pstrdup(call->pool, project_id);
    PGresult *result;
    *binaries = apr_array_make(call->pool, 16, sizeof(const fhir_binary_t *));
    if (after && !fhir_pg_is_valid(after)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_time(&parameters, before);
    fhir_pg_add_text(&parameters, after ? after : "");
    fhir_pg_add_number(&parameters, count > 0 ? count : 0);
    FHIR_TRY(fhir_pg_run(&result, meta, &binaries_unlinked, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        const char *id = fhir_pg_text(result, row, 0, call->pool);
        APR_ARRAY_PUSH(*binaries, const fhir_binary_t *) = fhir_pg_version(result, row, 1, project, id, call->pool);
    }
    PQclear(result);
    return NULL;
}
