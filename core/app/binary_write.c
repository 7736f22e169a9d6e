/* create and update: body -> object -> version. */
#include "binary_write.h"

#include "access.h"
#include "form_response.h"
#include "intake.h"
#include "preconditions.h"
#include "rights.h"
#include "security_context.h"

#include <apr_strings.h>
#include <string.h>

/* How often a write is decided again because another one was faster. */
#define ATTEMPTS 10

/* A write on its way. */
struct fhir_binary_write_t {
    fhir_exchange_t *exchange;
    fhir_binary_facts_t facts;
    fhir_write_headers_t headers;
    fhir_intake_t *intake;
    fhir_version_change_t change;
    int is_resource;
    int asked_version; /* If-Match: the client itself names the version to be replaced */
    int exists;        /* and is not deleted */
};

static fhir_error_t *refuse_conditional_create(const fhir_exchange_t *exchange)
{
    if (fhir_request_header(exchange->request, "If-None-Exist")) {
        return fhir_error_public(exchange->pool, FHIR_ERROR_INVALID,
                                 "Conditional create (If-None-Exist) is not supported for Binary.");
    }
    return NULL;
}

static fhir_error_t *check_preconditions(const char **expected, const fhir_exchange_t *exchange,
                                         const fhir_binary_t *current)
{
    return fhir_check_if_match(expected, exchange, current ? current->version_id : NULL,
                               current ? current->last_updated : 0);
}

static fhir_interaction_t interaction_of(const fhir_binary_write_t *write)
{
    return write->change.kind == FHIR_CHANGE_CREATE ? FHIR_INTERACTION_CREATE : FHIR_INTERACTION_UPDATE;
}

static fhir_error_t *begin_body(fhir_binary_write_t *write)
{
    fhir_exchange_t *exchange = write->exchange;
    fhir_format_t format;
    FHIR_TRY(fhir_exchange_resource_format(&format, exchange));
    FHIR_TRY(fhir_write_headers(&write->headers, exchange));
    if (write->headers.resource_format == FHIR_FORMAT_RAW) {
        const fhir_binary_t *current = write->facts.current;
        FHIR_TRY(fhir_decide_write(exchange, interaction_of(write), &write->facts,
                                   write->headers.security_context ? write->headers.security_context
                                   : current                       ? current->security_context
                                                                   : NULL));
    }
    return fhir_intake_begin(&write->intake, &write->is_resource, exchange, &write->headers,
                             write->facts.membership->project_id);
}

/* A raw write: content and type are new; what the headers do not name stays as it was. */
static void change_of_raw(fhir_binary_write_t *write)
{
    fhir_version_change_t *change = &write->change;
    change->content_type = write->headers.content_type;
    change->security_context = write->headers.security_context;
    change->keep_security_context = !change->security_context;
    change->filename = write->headers.filename;
    change->keep_filename = !change->filename;
    change->keep_elements = 1;
}

/* FHIR R4 http.html#create: an id in the body of a create is ignored. */
static fhir_error_t *check_resource_id(const fhir_binary_write_t *write, const fhir_binary_resource_t *resource)
{
    if (write->change.kind != FHIR_CHANGE_UPDATE) {
        return NULL;
    }
    return fhir_check_update_id("Binary", write->exchange->route.id, resource->id, write->exchange->pool);
}

/* X-Security-Context beside a Binary resource: FHIR says nothing of it, but who sends it wants the content protected,
 * so it is never dropped. */
static fhir_error_t *context_of_resource(fhir_binary_write_t *write, const fhir_binary_resource_t *resource)
{
    const char *header = write->headers.security_context;
    const char *element = resource->security_context;
    if (header && element && strcmp(header, element) != 0) {
        fhir_error_t *error =
            fhir_error_public(write->exchange->pool, FHIR_ERROR_INVALID,
                              "X-Security-Context and Binary.securityContext name different resources; send one.");
        error->expression = "Binary.securityContext.reference";
        return error;
    }
    write->change.security_context = element ? element : header;
    return NULL;
}

/* A resource write replaces everything it can say. Without `data` the bytes stay: a client that read the metadata,
 * changed it and put it back must not lose the file. */
static fhir_error_t *change_of_resource(fhir_binary_write_t *write, const fhir_binary_resource_t *resource)
{
    fhir_version_change_t *change = &write->change;
    FHIR_TRY(fhir_context_of_element(&resource, resource, write->exchange));
    FHIR_TRY(check_resource_id(write, resource));
    if (!resource->content_type) {
        fhir_error_t *error = fhir_error_public(write->exchange->pool, FHIR_ERROR_REQUIRED,
                                                "Binary.contentType is required: the media type of the data.");
        error->expression = "Binary.contentType";
        return error;
    }
    FHIR_TRY(fhir_check_refused(write->exchange, resource->content_type, NULL));
    change->content_type = resource->content_type;
    FHIR_TRY(context_of_resource(write, resource));
    change->elements = resource->elements;
    change->filename = write->headers.filename;
    change->keep_filename = !change->filename;
    change->keep_content = !resource->has_data;
    return NULL;
}

static const char *context_after(const fhir_binary_write_t *write)
{
    const fhir_binary_t *current = write->facts.current;
    if (write->change.keep_security_context) {
        return current ? current->security_context : NULL;
    }
    return write->change.security_context;
}

/* What was decided before the body may not hold for what is there after it: somebody may have changed the security
 * context meanwhile, and `If-None-Match` promises that nothing is overwritten. */
static void stand_on_facts(fhir_binary_write_t *write)
{
    const fhir_exchange_t *exchange = write->exchange;
    fhir_version_change_t *change = &write->change;
    if (change->kind != FHIR_CHANGE_CREATE && !write->asked_version &&
        (fhir_request_header(exchange->request, "If-None-Match") ||
         fhir_looks_at_subject(exchange, write->facts.membership, "Binary"))) {
        change->expected_version = write->facts.current ? write->facts.current->version_id : change->version_id;
    }
}

static void find_out_whether_it_exists(fhir_binary_write_t *write)
{
    write->exists = write->facts.current && write->facts.current->change != FHIR_CHANGE_DELETE;
}

/* An upload may take hours: it is stored by the rights of its end. */
static fhir_error_t *access_again(fhir_binary_write_t *write)
{
    if (!fhir_decision_is_stale(write->exchange, write->facts.membership)) {
        return NULL;
    }
    FHIR_TRY(fhir_access(&write->facts, write->exchange, interaction_of(write), NULL));
    find_out_whether_it_exists(write);
    if (write->change.kind == FHIR_CHANGE_UPDATE) {
        FHIR_TRY(fhir_check_if_none_match(write->exchange, write->exists ? write->facts.current->version_id : NULL));
    }
    stand_on_facts(write);
    return NULL;
}

static fhir_error_t *take_body(fhir_binary_write_t *write)
{
    const fhir_binary_resource_t *resource;
    FHIR_TRY(fhir_intake_read(&resource, write->intake));
    FHIR_TRY(access_again(write));
    if (resource) {
        FHIR_TRY(change_of_resource(write, resource));
    } else {
        FHIR_TRY(fhir_check_refused(write->exchange, write->headers.content_type, NULL));
        change_of_raw(write);
    }
    FHIR_TRY(fhir_decide_write(write->exchange, interaction_of(write), &write->facts, context_after(write)));
    return fhir_intake_commit(&write->change.content, write->intake);
}

static fhir_error_t *overtaken(const fhir_binary_write_t *write)
{
    int asked = fhir_request_header(write->exchange->request, "If-None-Match") != NULL;
    return fhir_error_public(write->exchange->pool, asked ? FHIR_ERROR_PRECONDITION_FAILED : FHIR_ERROR_CONFLICT,
                             "Somebody else changed this Binary while the body arrived. Read it and send yours again.");
}

/* Another version came between: is the same permitted on that one too? The client sees nothing of it. */
static fhir_error_t *decide_again(fhir_binary_write_t *write)
{
    fhir_exchange_t *exchange = write->exchange;
    int deletes = write->change.kind == FHIR_CHANGE_DELETE;
    if (write->asked_version || fhir_request_header(exchange->request, "If-None-Match")) {
        return overtaken(write);
    }
    FHIR_TRY(fhir_access(&write->facts, exchange, deletes ? FHIR_INTERACTION_DELETE : FHIR_INTERACTION_UPDATE, NULL));
    find_out_whether_it_exists(write);
    if (!deletes) {
        FHIR_TRY(fhir_decide_write(exchange, interaction_of(write), &write->facts, context_after(write)));
    }
    stand_on_facts(write);
    return NULL;
}

static fhir_error_t *commit_once(const fhir_binary_t **binary, fhir_binary_write_t *write)
{
    fhir_call_t call = fhir_exchange_call_after_body(write->exchange);
    call.cancelled = NULL; /* once everything is stored, finish even if the client hung up */
    return fhir_meta_commit(binary, write->exchange->app->meta, &write->change, &call);
}

static fhir_error_t *commit_version(const fhir_binary_t **binary, fhir_binary_write_t *write)
{
    fhir_error_t *error = commit_once(binary, write);
    int attempt;
    for (attempt = 1; error && error->code == FHIR_ERROR_PRECONDITION_FAILED && !write->asked_version; attempt++) {
        fhir_error_t *refused = attempt < ATTEMPTS ? decide_again(write) : overtaken(write);
        if (refused) {
            fhir_intake_discard(write->intake);
            return refused;
        }
        error = commit_once(binary, write);
    }
    if (error && fhir_meta_refused(error)) {
        fhir_intake_discard(write->intake);
    }
    return error;
}

static void note_version(const fhir_binary_write_t *write, const fhir_binary_t *binary)
{
    fhir_exchange_note_written(write->exchange, binary->id, binary->version_id, binary->security_context);
}

static void count_upload(fhir_app_t *app, const fhir_binary_t *binary, const fhir_content_t *content)
{
    if (content) {
        atomic_fetch_add_explicit(&app->uploads, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&app->uploaded, (uint_least64_t)binary->content->size, memory_order_relaxed);
    }
}

/* Everything but the database's last word. */
static fhir_error_t *prepare_version(fhir_binary_write_t *write)
{
    fhir_version_change_t *change = &write->change;
    fhir_error_t *error;
    change->project_id = write->facts.membership->project_id;
    change->membership_id = write->facts.membership->id;
    FHIR_TRY(fhir_random_uuid(&change->version_id, write->exchange->pool));
    stand_on_facts(write);
    error = take_body(write);
    if (error) {
        fhir_intake_discard(write->intake);
    }
    return error;
}

static fhir_error_t *begin_create(fhir_binary_write_t *write)
{
    fhir_exchange_t *exchange = write->exchange;
    FHIR_TRY(fhir_access(&write->facts, exchange, FHIR_INTERACTION_CREATE, NULL));
    FHIR_TRY(refuse_conditional_create(exchange));
    write->change.kind = FHIR_CHANGE_CREATE;
    FHIR_TRY(fhir_random_uuid(&write->change.binary_id, exchange->pool));
    return begin_body(write);
}

fhir_error_t *fhir_binary_create(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_binary_write_t write = {0};
    const fhir_binary_t *binary;
    write.exchange = exchange;
    FHIR_TRY(begin_create(&write));
    FHIR_TRY(prepare_version(&write));
    FHIR_TRY(commit_version(&binary, &write));
    note_version(&write, binary);
    count_upload(exchange->app, binary, write.change.content);
    return fhir_form_written(response, exchange, binary, write.facts.membership, 201);
}

static fhir_error_t *begin_update(fhir_binary_write_t *write)
{
    fhir_exchange_t *exchange = write->exchange;
    FHIR_TRY(fhir_access(&write->facts, exchange, FHIR_INTERACTION_UPDATE, NULL));
    FHIR_TRY(fhir_check_update_target(exchange, write->facts.current != NULL));
    find_out_whether_it_exists(write);
    FHIR_TRY(check_preconditions(&write->change.expected_version, exchange, write->facts.current));
    write->asked_version = write->change.expected_version != NULL;
    FHIR_TRY(fhir_check_if_none_match(exchange, write->exists ? write->facts.current->version_id : NULL));
    write->change.kind = FHIR_CHANGE_UPDATE;
    write->change.binary_id = exchange->route.id;
    write->change.may_create = exchange->settings->update_create;
    return begin_body(write);
}

fhir_error_t *fhir_binary_update(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_binary_write_t write = {0};
    const fhir_binary_t *binary;
    write.exchange = exchange;
    FHIR_TRY(begin_update(&write));
    FHIR_TRY(prepare_version(&write));
    FHIR_TRY(commit_version(&binary, &write));
    note_version(&write, binary);
    count_upload(exchange->app, binary, write.change.content);
    return fhir_form_written(response, exchange, binary, write.facts.membership,
                             binary->sequence == 1 || !write.exists ? 201 : 200);
}

static fhir_error_t *begin_delete(fhir_binary_write_t *write)
{
    fhir_exchange_t *exchange = write->exchange;
    fhir_version_change_t *change = &write->change;
    FHIR_TRY(fhir_access(&write->facts, exchange, FHIR_INTERACTION_DELETE, NULL));
    FHIR_TRY(check_preconditions(&change->expected_version, exchange, write->facts.current));
    write->asked_version = change->expected_version != NULL;
    change->kind = FHIR_CHANGE_DELETE;
    change->project_id = write->facts.membership->project_id;
    change->membership_id = write->facts.membership->id;
    change->binary_id = exchange->route.id;
    change->keep_security_context = 1; /* whoever revives the Binary must still be one who may */
    FHIR_TRY(fhir_random_uuid(&change->version_id, exchange->pool));
    stand_on_facts(write);
    return NULL;
}

fhir_error_t *fhir_binary_delete(fhir_response_t **response, fhir_exchange_t *exchange)
{
    fhir_binary_write_t write = {0};
    const fhir_binary_t *tombstone;
    write.exchange = exchange;
    FHIR_TRY(begin_delete(&write));
    FHIR_TRY(commit_version(&tombstone, &write));
    note_version(&write, tombstone);
    *response = fhir_deleted(exchange, tombstone->version_id);
    return NULL;
}

/* ---- as a part of a transaction ---- */

fhir_error_t *fhir_binary_write_prepare(fhir_binary_write_t **write, fhir_exchange_t *exchange, fhir_change_kind_t kind)
{
    fhir_binary_write_t *made = apr_pcalloc(exchange->pool, sizeof(*made));
    made->exchange = exchange;
    *write = made;
    switch (kind) {
    case FHIR_CHANGE_CREATE:
        FHIR_TRY(begin_create(made));
        return prepare_version(made);
    case FHIR_CHANGE_UPDATE:
        FHIR_TRY(begin_update(made));
        return prepare_version(made);
    case FHIR_CHANGE_DELETE:
        return begin_delete(made);
    }
    return NULL;
}

static apr_size_t text_length(const fhir_subject_t *context)
{
    return context && context->resource ? context->resource->body_length : 0;
}

apr_size_t fhir_binary_write_held(const fhir_binary_write_t *write)
{
    return 2 * text_length(write->facts.context); /* loaded before the body and after it */
}

const fhir_version_change_t *fhir_binary_write_change(const fhir_binary_write_t *write)
{
    return &write->change;
}

fhir_error_t *fhir_binary_write_answer(fhir_response_t **response, fhir_binary_write_t *write,
                                       const fhir_binary_t *binary)
{
    note_version(write, binary);
    if (write->change.kind == FHIR_CHANGE_DELETE) {
        *response = fhir_response_create(204, write->exchange->pool);
        return NULL;
    }
    count_upload(write->exchange->app, binary, write->change.content);
    return fhir_form_written(response, write->exchange, binary, write->facts.membership,
                             binary->sequence == 1 || !write->exists ? 201 : 200);
}

void fhir_binary_write_discard(fhir_binary_write_t *write)
{
    fhir_intake_discard(write->intake);
}
