/* Reading Binaries. What every request asks first is one statement: who asks, and the Binary in his project. */
#include "pg_resource.h"

#include <string.h>

/* The versions are left out where there is nothing to look up: an index lookup of null costs nothing. */
#define CURRENT_VERSION                                                                                                \
    "LEFT JOIN fhir_binary.binary_version cv ON cv.version_id = b.version_id "                                         \
    "LEFT JOIN fhir_binary.object co ON co.object_key = cv.object_key "
#define BINARY_OF_MEMBER "LEFT JOIN fhir_binary.binary b ON b.project_id = m.project_id AND b.id = "
#define MEMBERSHIP_BY_KEY "FROM fhir_binary.membership m "
#define WHERE_KEY "WHERE m.subject = $1 AND m.kind = $2::smallint AND m.issuer = $3"
#define MEMBERSHIP FHIR_PG_MEMBERSHIP_COLUMNS

/* The current version is looked up only if it is another than the version asked for. */
#define ASKED_AND_CURRENT_VERSION(asked)                                                                               \
    "LEFT JOIN fhir_binary.binary_version av ON av.version_id = " asked                                                \
    "::uuid AND av.project_id = b.project_id AND av.binary_id = b.id "                                                 \
    "LEFT JOIN fhir_binary.object ao ON ao.object_key = av.object_key "                                                \
    "LEFT JOIN fhir_binary.binary_version cv ON cv.version_id = nullif(b.version_id, av.version_id) "                  \
    "LEFT JOIN fhir_binary.object co ON co.object_key = cv.object_key "

static const fhir_pg_statement_t load_membership = {FHIR_PG_LOAD_MEMBERSHIP, 1,
                                                    "SELECT " MEMBERSHIP " " MEMBERSHIP_BY_KEY WHERE_KEY};

/* With and without the text of contexts. */
#define LOAD_CURRENT(text_columns, text)                                                                               \
    "SELECT " MEMBERSHIP ", " FHIR_PG_VERSION_COLUMNS("cv", "co") ", " FHIR_PG_CONTEXT("cv.security_context")          \
        text_columns " " MEMBERSHIP_BY_KEY BINARY_OF_MEMBER "$4 " CURRENT_VERSION text WHERE_KEY
static const fhir_pg_statement_t load_current[] = {
    {FHIR_PG_LOAD_CURRENT, 1, LOAD_CURRENT("", "")},
    {FHIR_PG_LOAD_CURRENT_CONTENT, 1,
     LOAD_CURRENT(", " FHIR_PG_RESOURCE_COLUMNS("ct"), FHIR_PG_CONTEXT_VERSION("ct", "cv.security_context"))}};

/* The current version's context is looked up only if it is another than that of the version asked for. */
#define OTHER_CONTEXT "nullif(cv.security_context, av.security_context)"
#define LOAD_VERSION(text_columns, text)                                                                               \
    "SELECT " MEMBERSHIP ", " FHIR_PG_VERSION_COLUMNS("cv", "co") ", " FHIR_PG_VERSION_COLUMNS(                        \
        "av", "ao") ", " FHIR_PG_CONTEXT("av.security_context") ", " FHIR_PG_CONTEXT(OTHER_CONTEXT) text_columns       \
        " " MEMBERSHIP_BY_KEY BINARY_OF_MEMBER "$4 " ASKED_AND_CURRENT_VERSION("$5") text WHERE_KEY
static const fhir_pg_statement_t load_version[] = {
    {FHIR_PG_LOAD_VERSION, 1, LOAD_VERSION("", "")},
    {FHIR_PG_LOAD_VERSION_CONTENT, 1,
     LOAD_VERSION(", " FHIR_PG_RESOURCE_COLUMNS("at") ", " FHIR_PG_RESOURCE_COLUMNS("ct"),
                  FHIR_PG_CONTEXT_VERSION("at", "av.security_context") FHIR_PG_CONTEXT_VERSION("ct", OTHER_CONTEXT))}};

#define KEY_AND_MEMBERSHIP                                                                                             \
    "FROM (SELECT 1) one "                                                                                             \
    "LEFT JOIN fhir_binary.signing_key k ON k.id = $1 AND k.purpose = 2 AND k.revoked_at IS NULL "                     \
    "LEFT JOIN fhir_binary.membership m ON m.id = $2::uuid "

/* What a signed read needs and no more: each table costs the database some microseconds even if nothing is in it. */
static const fhir_pg_statement_t load_signed_version = {
    FHIR_PG_LOAD_SIGNED_VERSION, 1,
    "SELECT " MEMBERSHIP
    ", b.version_id, b.sequence, b.last_updated, b.deleted, k.id IS NOT NULL, " FHIR_PG_VERSION_COLUMNS(
        "av", "ao") " " KEY_AND_MEMBERSHIP BINARY_OF_MEMBER
                    "$3 LEFT JOIN fhir_binary.binary_version av ON av.version_id = $4::uuid "
                    "AND av.project_id = b.project_id AND av.binary_id = b.id "
                    "LEFT JOIN fhir_binary.object ao ON ao.object_key = av.object_key"};

/* An upload's version is not there yet: the current one tells what is known of the Binary. */
static const fhir_pg_statement_t load_signed = {
    FHIR_PG_LOAD_SIGNED, 1,
    "SELECT " MEMBERSHIP
    ", " FHIR_PG_VERSION_COLUMNS("cv", "co") ", k.id IS NOT NULL " KEY_AND_MEMBERSHIP BINARY_OF_MEMBER
                                             "$3 " CURRENT_VERSION};

/* Sequences have no gaps and versions are never taken away, so the current sequence counts them. */
static const fhir_pg_statement_t history = {
    FHIR_PG_HISTORY, 1,
    "SELECT b.sequence, " FHIR_PG_VERSION_COLUMNS(
        "v",
        "o") " FROM fhir_binary.binary b "
             "LEFT JOIN LATERAL (SELECT * FROM fhir_binary.binary_version h WHERE h.project_id = b.project_id "
             "AND h.binary_id = b.id AND h.sequence < $3::bigint ORDER BY h.sequence DESC LIMIT $4::bigint) v ON true "
             "LEFT JOIN fhir_binary.object o ON o.object_key = v.object_key "
             "WHERE b.project_id = $1::uuid AND b.id = $2 ORDER BY v.sequence DESC"};

#define AFTER_MEMBERSHIP FHIR_PG_MEMBERSHIP_WIDTH
#define AFTER_CURRENT (AFTER_MEMBERSHIP + FHIR_PG_VERSION_WIDTH)
#define AFTER_VERSION (AFTER_CURRENT + FHIR_PG_VERSION_WIDTH)

const fhir_content_t *fhir_pg_content(const PGresult *result, int row, int column, apr_pool_t *pool)
{
    fhir_content_t *content;
    if (PQgetisnull(result, row, column)) {
        return NULL;
    }
    content = apr_pcalloc(pool, sizeof(*content));
    content->object_key = fhir_pg_hex(result, row, column, pool);
    content->store = fhir_pg_text(result, row, column + 1, pool);
    content->locator = fhir_pg_text(result, row, column + 2, pool);
    content->size = fhir_pg_number(result, row, column + 3);
    fhir_pg_bytes(content->sha256, FHIR_SHA256_LENGTH, result, row, column + 4);
    fhir_pg_bytes(content->sha1, FHIR_SHA1_LENGTH, result, row, column + 5);
    return content;
}

const fhir_binary_t *fhir_pg_version(const PGresult *result, int row, int first_column, const char *project_id,
                                     const char *binary_id, apr_pool_t *pool)
{
    fhir_binary_t *binary;
    if (PQgetisnull(result, row, first_column)) {
        return NULL;
    }
    binary = apr_pcalloc(pool, sizeof(*binary));
    binary->project_id = project_id;
    binary->id = binary_id;
    binary->version_id = fhir_pg_uuid(result, row, first_column, pool);
    binary->sequence = fhir_pg_number(result, row, first_column + 1);
    binary->last_updated = fhir_pg_time(result, row, first_column + 2);
    binary->change = (fhir_change_kind_t)fhir_pg_number(result, row, first_column + 3);
    binary->content_type = fhir_pg_text(result, row, first_column + 4, pool);
    binary->security_context = fhir_pg_text(result, row, first_column + 5, pool);
    binary->filename = fhir_pg_text(result, row, first_column + 6, pool);
    binary->elements = fhir_pg_text(result, row, first_column + 7, pool);
    binary->content = fhir_pg_content(result, row, first_column + 8, pool);
    return binary;
}

void fhir_pg_membership(fhir_membership_t *membership, const PGresult *result, int row, int first_column,
                        apr_pool_t *pool)
{
    membership->id = fhir_pg_uuid(result, row, first_column, pool);
    membership->project_id = fhir_pg_uuid(result, row, first_column + 1, pool);
    membership->profile = fhir_pg_text(result, row, first_column + 2, pool);
    membership->admin = fhir_pg_number(result, row, first_column + 3) != 0;
    membership->active = fhir_pg_number(result, row, first_column + 4) != 0;
    membership->access = fhir_pg_text(result, row, first_column + 5, pool);
    membership->policies = fhir_pg_text(result, row, first_column + 6, pool);
    membership->policies = membership->policies ? membership->policies : "";
}

const fhir_membership_t *fhir_pg_read_membership(const PGresult *result, apr_pool_t *pool)
{
    fhir_membership_t *membership;
    if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0)) {
        return NULL;
    }
    membership = apr_pcalloc(pool, sizeof(*membership));
    fhir_pg_membership(membership, result, 0, 0, pool);
    return membership;
}

static void read_current(fhir_binary_facts_t *facts, const PGresult *result, const char *binary_id, int with_content,
                         apr_pool_t *pool)
{
    const char *project_id = facts->membership->project_id;
    facts->current = fhir_pg_version(result, 0, AFTER_MEMBERSHIP, project_id, binary_id, pool);
    facts->version = facts->current;
    if (facts->current && !facts->membership->admin) {
        facts->context = fhir_pg_context(result, 0, AFTER_CURRENT, with_content ? AFTER_CURRENT + 1 : -1, project_id,
                                         facts->current->security_context, pool);
        facts->version_context = facts->context;
    }
}

static int same_target(const fhir_subject_t *one, const fhir_subject_t *other)
{
    return one && other && strcmp(one->type, other->type) == 0 && strcmp(one->id, other->id) == 0;
}

static void read_contexts(fhir_binary_facts_t *facts, const PGresult *result, int with_content, apr_pool_t *pool)
{
    const char *project_id = facts->membership->project_id;
    const char *asked = facts->version ? facts->version->security_context : NULL;
    const char *current = facts->current ? facts->current->security_context : NULL;
    int text = with_content ? AFTER_VERSION + 2 : -1;
    int other_text = with_content ? text + FHIR_PG_RESOURCE_WIDTH : -1;
    facts->version_context = fhir_pg_context(result, 0, AFTER_VERSION, text, project_id, asked, pool);
    facts->context = fhir_pg_context(result, 0, AFTER_VERSION + 1, other_text, project_id, current, pool);
    if (same_target(facts->version_context, facts->context)) {
        facts->context = facts->version_context;
    }
}

/* The current and the asked version; where both are the same, only the asked one was looked up. */
static void read_versions(fhir_binary_facts_t *facts, const PGresult *result, const char *binary_id, int with_content,
                          apr_pool_t *pool)
{
    const char *project_id = facts->membership->project_id;
    facts->version = fhir_pg_version(result, 0, AFTER_CURRENT, project_id, binary_id, pool);
    facts->current = fhir_pg_version(result, 0, AFTER_MEMBERSHIP, project_id, binary_id, pool);
    if (!facts->current) {
        facts->current = facts->version;
    }
    if (!facts->membership->admin) {
        read_contexts(facts, result, with_content, pool);
    }
}

int fhir_pg_is_valid(const char *text)
{
    return fhir_utf8_valid(text, strlen(text));
}

static const fhir_pg_statement_t *add_binary(fhir_pg_parameters_t *parameters, const char *binary_id,
                                             const char *version_id, int with_content)
{
    if (!binary_id || !fhir_pg_is_valid(binary_id)) {
        return &load_membership;
    }
    fhir_pg_add_text(parameters, binary_id);
    if (!version_id) {
        return &load_current[with_content];
    }
    fhir_pg_add_text(parameters, fhir_pg_is_uuid(version_id) ? version_id : NULL);
    return &load_version[with_content];
}

fhir_error_t *fhir_meta_load_binary(fhir_binary_facts_t *facts, fhir_meta_t *meta, const fhir_principal_key_t *key,
                                    const char *binary_id, const char *version_id, int with_content,
                                    const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const fhir_pg_statement_t *statement;
    PGresult *result;
    with_content = with_content != 0;
    memset(facts, 0, sizeof(*facts));
    if (!fhir_pg_is_valid(key->subject) || !fhir_pg_is_valid(key->issuer)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, key->subject);
    fhir_pg_add_number(&parameters, key->kind);
    fhir_pg_add_text(&parameters, key->issuer);
    statement = add_binary(&parameters, binary_id, version_id, with_content);
    FHIR_TRY(fhir_pg_run(&result, meta, statement, &parameters, call));
    facts->membership = fhir_pg_read_membership(result, call->pool);
    if (facts->membership && statement == &load_version[with_content]) {
        read_versions(facts, result, apr_pstrdup(call->pool, binary_id), with_content, call->pool);
    } else if (facts->membership && statement == &load_current[with_content]) {
        read_current(facts, result, apr_pstrdup(call->pool, binary_id), with_content, call->pool);
    }
    PQclear(result);
    return NULL;
}

#define AFTER_HEAD (AFTER_MEMBERSHIP + 4)

/* The current version as far as the Binary's head knows it. */
static const fhir_binary_t *read_head(const PGresult *result, const char *project_id, const char *binary_id,
                                      apr_pool_t *pool)
{
    fhir_binary_t *head;
    if (PQgetisnull(result, 0, AFTER_MEMBERSHIP)) {
        return NULL;
    }
    head = apr_pcalloc(pool, sizeof(*head));
    head->project_id = project_id;
    head->id = binary_id;
    head->version_id = fhir_pg_uuid(result, 0, AFTER_MEMBERSHIP, pool);
    head->sequence = fhir_pg_number(result, 0, AFTER_MEMBERSHIP + 1);
    head->last_updated = fhir_pg_time(result, 0, AFTER_MEMBERSHIP + 2);
    head->change = fhir_pg_number(result, 0, AFTER_MEMBERSHIP + 3) ? FHIR_CHANGE_DELETE : FHIR_CHANGE_UPDATE;
    return head;
}

static void read_signed_version(fhir_signed_facts_t *facts, const PGresult *result, const char *binary_id,
                                apr_pool_t *pool)
{
    const char *project_id;
    facts->key_active = fhir_pg_number(result, 0, AFTER_HEAD) != 0;
    facts->membership = fhir_pg_read_membership(result, pool);
    if (facts->membership) {
        project_id = facts->membership->project_id;
        facts->version = fhir_pg_version(result, 0, AFTER_HEAD + 1, project_id, binary_id, pool);
        facts->current = read_head(result, project_id, binary_id, pool);
    }
    if (facts->version && strcmp(facts->version->version_id, facts->current->version_id) == 0) {
        facts->current = facts->version;
    }
}

static void read_signed(fhir_signed_facts_t *facts, const PGresult *result, const char *binary_id, apr_pool_t *pool)
{
    facts->key_active = fhir_pg_number(result, 0, AFTER_CURRENT) != 0;
    facts->membership = fhir_pg_read_membership(result, pool);
    facts->current = NULL;
    if (facts->membership) {
        facts->current = fhir_pg_version(result, 0, AFTER_MEMBERSHIP, facts->membership->project_id, binary_id, pool);
    }
}

fhir_error_t *fhir_meta_load_signed(fhir_signed_facts_t *facts, fhir_meta_t *meta, const char *key_id,
                                    const char *membership_id, const char *binary_id, const char *version_id,
                                    const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const char *id = apr_pstrdup(call->pool, binary_id);
    PGresult *result;
    memset(facts, 0, sizeof(*facts));
    if (!fhir_pg_is_valid(key_id) || !fhir_pg_is_valid(binary_id)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, key_id);
    fhir_pg_add_text(&parameters, fhir_pg_is_uuid(membership_id) ? membership_id : NULL);
    fhir_pg_add_text(&parameters, binary_id);
    fhir_pg_add_text(&parameters, fhir_pg_is_uuid(version_id) ? version_id : NULL);
    FHIR_TRY(fhir_pg_run(&result, meta, &load_signed_version, &parameters, call));
    read_signed_version(facts, result, id, call->pool);
    PQclear(result);
    if (facts->version || !facts->current) {
        return NULL;
    }
    parameters.count--;
    FHIR_TRY(fhir_pg_run(&result, meta, &load_signed, &parameters, call));
    read_signed(facts, result, id, call->pool);
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_history(apr_array_header_t **versions, apr_off_t *total, fhir_meta_t *meta,
                                const char *project_id, const char *binary_id, int count, apr_off_t before_sequence,
                                const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    PGresult *result;
    const char *project = apr_pstrdup(call->pool, project_id);
    const char *id = apr_pstrdup(call->pool, binary_id);
    *versions = apr_array_make(call->pool, count > 0 && count < 64 ? count : 16, sizeof(const fhir_binary_t *));
    *total = 0;
    if (!fhir_pg_is_valid(binary_id)) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, binary_id);
    fhir_pg_add_number(&parameters, before_sequence > 0 ? before_sequence : APR_INT64_MAX);
    fhir_pg_add_number(&parameters, count > 0 ? count : 0);
    FHIR_TRY(fhir_pg_run(&result, meta, &history, &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        const fhir_binary_t *version = fhir_pg_version(result, row, 1, project, id, call->pool);
        *total = fhir_pg_number(result, row, 0);
        if (version) {
            APR_ARRAY_PUSH(*versions, const fhir_binary_t *) = version;
        }
    }
    PQclear(result);
    return NULL;
}
