/* Resources as decisions about access see them: the contexts of Binaries. And the policies that memberships name. */
#include "pg_resource.h"

#include <apr_hash.h>
#include <string.h>

/* Of all texts that one call brings; what is beyond comes without, and then permits nothing. */
#define BYTES_MAX "67108864"

#define CONTEXTS                                                                                                       \
    "FROM unnest($2::text[], $3::text[]) WITH ORDINALITY u (type, id, place) CROSS JOIN LATERAL (SELECT * FROM "       \
    "fhir_binary.resource h WHERE h.project_id = $1::uuid AND h.type = u.type AND h.id = u.id OFFSET 0) x "

static const fhir_pg_statement_t load_contexts[] = {
    {FHIR_PG_LOAD_CONTEXTS, 1, "SELECT u.place, " FHIR_PG_CONTEXT_VALUE("x") " " CONTEXTS},
    {FHIR_PG_LOAD_CONTEXTS_CONTENT, 1,
     "SELECT q.place, q.context, q.version_id, q.sequence, q.last_updated, q.change, q.attachment_count, q.meta, "
     "CASE WHEN q.bytes <= " BYTES_MAX " THEN q.body END FROM (SELECT u.place, v.*, " FHIR_PG_CONTEXT_VALUE(
         "x") " AS context, sum(octet_length(v.body)) OVER (ORDER BY u.place) AS bytes " CONTEXTS
              "JOIN fhir_binary.resource_version v ON v.version_id = x.version_id) q"}};

static const fhir_pg_statement_t load_policies = {
    FHIR_PG_LOAD_POLICIES, 1,
    "SELECT q.version_id, q.id, q.body FROM (SELECT v.version_id, r.id, v.body, sum(octet_length(v.body)) OVER "
    "(ORDER BY u.place) AS bytes FROM unnest($2::uuid[]) WITH ORDINALITY u (version_id, place) "
    "CROSS JOIN LATERAL (SELECT * FROM fhir_binary.resource_version o WHERE o.version_id = u.version_id OFFSET 0) v "
    "CROSS JOIN LATERAL (SELECT * FROM fhir_binary.resource h WHERE h.key = v.key OFFSET 0) r "
    "WHERE r.project_id = $1::uuid AND r.type = 'AccessPolicy') q WHERE q.bytes <= " BYTES_MAX};

static const fhir_pg_statement_t without_context = {
    FHIR_PG_WITHOUT_CONTEXT, 1,
    "SELECT n.total, q.* FROM (SELECT CASE WHEN $4::boolean THEN (SELECT count(*) FROM fhir_binary.binary_version c "
    "JOIN fhir_binary.binary h ON h.project_id = c.project_id AND h.id = c.binary_id AND h.version_id = c.version_id "
    "WHERE c.project_id = $1::uuid AND c.security_context IS NULL AND c.change <> 3) END AS total) n "
    "LEFT JOIN (SELECT b.id, " FHIR_PG_VERSION_COLUMNS(
        "v", "o") " FROM fhir_binary.binary_version v "
                  "JOIN fhir_binary.binary b ON b.project_id = v.project_id AND b.id = v.binary_id "
                  "AND b.version_id = v.version_id "
                  "LEFT JOIN fhir_binary.object o ON o.object_key = v.object_key "
                  "WHERE v.project_id = $1::uuid AND v.binary_id > $2 AND v.security_context IS NULL AND v.change <> 3 "
                  "ORDER BY v.binary_id LIMIT $3::bigint) q ON true ORDER BY q.id"};

/* ---- one subject ---- */

static apr_array_header_t *read_compartments(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *values = apr_array_make(pool, 2, sizeof(fhir_index_value_t));
    while (*text) {
        apr_size_t type = strcspn(text, "/");
        apr_size_t whole = strcspn(text, " ");
        fhir_index_value_t *value = apr_array_push(values);
        memset(value, 0, sizeof(*value));
        value->name = "_compartment";
        value->type = FHIR_SEARCH_REFERENCE;
        value->system = apr_pstrmemdup(pool, text, type);
        value->code = type < whole ? apr_pstrmemdup(pool, text + type + 1, whole - type - 1) : "";
        text += whole;
        text += *text == ' ';
    }
    return values;
}

apr_array_header_t *fhir_pg_compartments(const PGresult *result, int row, int column, apr_pool_t *pool)
{
    const char *text = fhir_pg_text(result, row, column, pool);
    return read_compartments(text ? text : "", pool);
}

/* Absolute addresses become relative ones when a Binary is written: what is left of them is not ours. */
static fhir_subject_t *make_subject(const char *reference, apr_pool_t *pool)
{
    static const fhir_addresses_t nowhere = {"", ""};
    fhir_subject_t *subject = apr_pcalloc(pool, sizeof(*subject));
    subject->is_context = 1;
    subject->values = apr_array_make(pool, 0, sizeof(fhir_index_value_t));
    if (!fhir_context_target(&subject->type, &subject->id, reference, &nowhere, pool)) {
        subject->type = "";
        subject->id = "";
    }
    return subject;
}

static void fill_subject(fhir_subject_t *subject, const PGresult *result, int row, int column, int text_column,
                         const char *project_id, apr_pool_t *pool)
{
    const char *compartments;
    if (!*subject->type || PQgetlength(result, row, column) < FHIR_PG_TIME_LENGTH) {
        return;
    }
    compartments = fhir_pg_text(result, row, column, pool) + FHIR_PG_TIME_LENGTH;
    subject->there = 1;
    subject->last_updated = fhir_pg_time(result, row, column);
    subject->values = read_compartments(compartments, pool);
    if (text_column >= 0) {
        subject->resource = fhir_pg_resource(result, row, text_column, project_id, subject->type, subject->id, pool);
    }
}

fhir_subject_t *fhir_pg_context(const PGresult *result, int row, int column, int text_column, const char *project_id,
                                const char *security_context, apr_pool_t *pool)
{
    fhir_subject_t *subject;
    if (!security_context) {
        return NULL;
    }
    subject = make_subject(security_context, pool);
    fill_subject(subject, result, row, column, text_column, project_id, pool);
    return subject;
}

/* ---- many ---- */

/* The subjects to be looked up, each once. */
typedef struct batch_t {
    apr_hash_t *known; /* by `Type/id` */
    apr_array_header_t *wanted;
    fhir_pg_array_t types;
    fhir_pg_array_t ids;
    apr_pool_t *pool;
} batch_t;

static fhir_subject_t *subject_for(batch_t *batch, const char *reference)
{
    fhir_subject_t *made = make_subject(reference, batch->pool);
    const char *name = apr_pstrcat(batch->pool, made->type, "/", made->id, NULL);
    fhir_subject_t *known = apr_hash_get(batch->known, name, APR_HASH_KEY_STRING);
    if (known || !*made->type) {
        return known ? known : made;
    }
    apr_hash_set(batch->known, name, APR_HASH_KEY_STRING, made);
    APR_ARRAY_PUSH(batch->wanted, fhir_subject_t *) = made;
    fhir_pg_array_add_text(&batch->types, made->type);
    fhir_pg_array_add_text(&batch->ids, made->id);
    return made;
}

static fhir_error_t *load_batch(batch_t *batch, fhir_meta_t *meta, const char *project_id, int with_content,
                                const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const char *project = apr_pstrdup(call->pool, project_id);
    PGresult *result;
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&batch->types));
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&batch->ids));
    FHIR_TRY(fhir_pg_run(&result, meta, &load_contexts[with_content], &parameters, call));
    for (int row = 0; row < PQntuples(result); row++) {
        int place = (int)fhir_pg_number(result, row, 0) - 1;
        fill_subject(APR_ARRAY_IDX(batch->wanted, place, fhir_subject_t *), result, row, 1, with_content ? 2 : -1,
                     project, call->pool);
    }
    PQclear(result);
    return NULL;
}

fhir_error_t *fhir_meta_load_contexts(apr_array_header_t **contexts, fhir_meta_t *meta, const char *project_id,
                                      const apr_array_header_t *references, int with_content, const fhir_call_t *call)
{
    batch_t batch = {.pool = call->pool};
    batch.known = apr_hash_make(call->pool);
    batch.wanted = apr_array_make(call->pool, 4, sizeof(fhir_subject_t *));
    fhir_pg_array_init(&batch.types, call->pool);
    fhir_pg_array_init(&batch.ids, call->pool);
    *contexts = apr_array_make(call->pool, references->nelts > 0 ? references->nelts : 1, sizeof(fhir_subject_t *));
    for (int i = 0; i < references->nelts; i++) {
        const char *reference = APR_ARRAY_IDX(references, i, const char *);
        APR_ARRAY_PUSH(*contexts, fhir_subject_t *) = reference ? subject_for(&batch, reference) : NULL;
    }
    return batch.wanted->nelts ? load_batch(&batch, meta, project_id, with_content != 0, call) : NULL;
}

/* ---- policies ---- */

static const char *next_word(const char **text, apr_pool_t *pool)
{
    apr_size_t length = strcspn(*text, " ");
    const char *word = apr_pstrmemdup(pool, *text, length);
    *text += length;
    *text += strspn(*text, " ");
    return word;
}

static void read_bodies(apr_array_header_t *policies, const PGresult *result, apr_pool_t *pool)
{
    for (int row = 0; row < PQntuples(result); row++) {
        const char *version_id = fhir_pg_uuid(result, row, 0, pool);
        const char *id = fhir_pg_text(result, row, 1, pool);
        for (int i = 0; i < policies->nelts; i++) {
            fhir_policy_text_t *policy = &APR_ARRAY_IDX(policies, i, fhir_policy_text_t);
            if (strcmp(policy->version_id, version_id) == 0 && strcmp(policy->id, id) == 0) {
                policy->body = fhir_pg_text(result, row, 2, pool);
            }
        }
    }
}

fhir_error_t *fhir_meta_load_policies(apr_array_header_t **policies, fhir_meta_t *meta, const char *project_id,
                                      const char *names, const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    fhir_pg_array_t versions;
    PGresult *result;
    *policies = apr_array_make(call->pool, 2, sizeof(fhir_policy_text_t));
    fhir_pg_array_init(&versions, call->pool);
    while (*names) {
        fhir_policy_text_t *policy = apr_array_push(*policies);
        policy->id = next_word(&names, call->pool);
        policy->version_id = next_word(&names, call->pool);
        policy->body = NULL;
        if (fhir_pg_is_uuid(policy->version_id)) {
            fhir_pg_array_add_text(&versions, policy->version_id);
        }
    }
    if (!versions.count) {
        return NULL;
    }
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, fhir_pg_array_end(&versions));
    FHIR_TRY(fhir_pg_run(&result, meta, &load_policies, &parameters, call));
    read_bodies(*policies, result, call->pool);
    PQclear(result);
    return NULL;
}

/* ---- what no context protects ---- */

fhir_error_t *fhir_meta_binaries_without_context(apr_array_header_t **binaries, apr_off_t *total, fhir_meta_t *meta,
                                                 const char *project_id, const char *after, int count,
                                                 const fhir_call_t *call)
{
    fhir_pg_parameters_t parameters = {.count = 0};
    const char *project = apr_pstrdup(call->pool, project_id);
    PGresult *result;
    *binaries = apr_array_make(call->pool, 16, sizeof(const fhir_binary_t *));
    fhir_pg_add_text(&parameters, project_id);
    fhir_pg_add_text(&parameters, after && fhir_pg_is_valid(after) ? after : "");
    fhir_pg_add_number(&parameters, count > 0 ? count : 0);
    fhir_pg_add_boolean(&parameters, total != NULL);
    FHIR_TRY(fhir_pg_run(&result, meta, &without_context, &parameters, call));
    if (total) {
        *total = fhir_pg_number(result, 0, 0);
    }
    for (int row = 0; row < PQntuples(result) && !PQgetisnull(result, row, 1); row++) {
        const char *id = fhir_pg_text(result, row, 1, call->pool);
        APR_ARRAY_PUSH(*binaries, const fhir_binary_t *) = fhir_pg_version(result, row, 2, project, id, call->pool);
    }
    PQclear(result);
    return NULL;
}
