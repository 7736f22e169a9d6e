/* Listing. The cursor is a locator, but Azure goes on only after an opaque marker of its own. So the markers of recent
 * pages are remembered; a cursor that nobody remembers (of another process) costs a look through the names that share
 * its first two digits, and then goes on prefix by prefix. */
#include "azure.h"

#include <apr_date.h>
#include <apr_xml.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 1000
#define REQUEST_MAX 500
#define LIST_ANSWER_MAX ((apr_size_t)2 << 20)
#define MARKER_MAX 2048
#define POSITIONS 16

/* Where a listing is: in the names that begin with `digits` (two at most), at a marker, and after a locator. */
typedef struct position_t {
    char digits[3];
    char after[FHIR_PLUGIN_LOCATOR_LENGTH + 1]; /* "": from the start */
    char marker[MARKER_MAX + 1];                /* "": none */
} position_t;

struct azure_positions_t {
    apr_thread_mutex_t *lock;
    position_t *kept[POSITIONS]; /* malloc'ed; found by `after` */
    unsigned oldest;
};

azure_positions_t *azure_positions_create(apr_pool_t *pool)
{
    azure_positions_t *made = apr_pcalloc(pool, sizeof(*made));
    return apr_thread_mutex_create(&made->lock, APR_THREAD_MUTEX_DEFAULT, pool) == APR_SUCCESS ? made : NULL;
}

void azure_positions_close(azure_positions_t *positions)
{
    int i;
    for (i = 0; positions && i < POSITIONS; i++) {
        free(positions->kept[i]);
        positions->kept[i] = NULL;
    }
}

static void remember(azure_positions_t *positions, const position_t *position)
{
    position_t *copy = malloc(sizeof(*copy));
    if (!copy) {
        return; /* only slower */
    }
    *copy = *position;
    apr_thread_mutex_lock(positions->lock);
    free(positions->kept[positions->oldest]);
    positions->kept[positions->oldest] = copy;
    positions->oldest = (positions->oldest + 1) % POSITIONS;
    apr_thread_mutex_unlock(positions->lock);
}

static int recall(position_t *position, azure_positions_t *positions, const char *cursor)
{
    int found = 0;
    int i;
    apr_thread_mutex_lock(positions->lock);
    for (i = 0; i < POSITIONS && !found; i++) {
        if (positions->kept[i] && !strcmp(positions->kept[i]->after, cursor)) {
            *position = *positions->kept[i];
            found = 1;
        }
    }
    apr_thread_mutex_unlock(positions->lock);
    return found;
}

static void begin_after(position_t *position, const char *cursor)
{
    memset(position, 0, sizeof(*position));
    if (cursor) {
        memcpy(position->digits, cursor, 2);
        memcpy(position->after, cursor, FHIR_PLUGIN_LOCATOR_LENGTH);
    }
}

/* "ab" -> "ac", "af" -> "b", "f" -> the end: all names that come after those which begin with the digits. */
static int next_digits(position_t *position)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strlen(position->digits);
    position->marker[0] = '\0';
    while (length > 0 && position->digits[length - 1] == 'f') {
        length--;
    }
    if (length == 0) {
        return 0;
    }
    position->digits[length] = '\0';
    position->digits[length - 1] = strchr(digits, position->digits[length - 1])[1];
    return 1;
}

/* ---- one request ---- */

/* What is being listed, for whom. */
typedef struct listing_t {
    fhir_store_t *store;
    const fhir_store_call_t *call;
    fhir_list_entry_fn entry;
    void *entry_baton;
    position_t position;
    int limit;
    int given;
    int cut; /* the page was full before the answer's end */
} listing_t;

static fhir_error_t *malformed(apr_pool_t *pool)
{
    return fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                             "The store failed unexpectedly. Tell the operator of this server.",
                             "List Blobs: the answer is not the XML that it should be");
}

static const apr_xml_elem *child(const apr_xml_elem *parent, const char *name)
{
    const apr_xml_elem *element = parent ? parent->first_child : NULL;
    while (element && strcmp(element->name, name)) {
        element = element->next;
    }
    return element;
}

static const char *text_of(const apr_xml_elem *element, apr_pool_t *pool)
{
    const apr_text *part;
    apr_size_t length = 0;
    char *text;
    for (part = element ? element->first_cdata.first : NULL; part; part = part->next) {
        length += strlen(part->text);
    }
    text = apr_palloc(pool, length + 1);
    length = 0;
    for (part = element ? element->first_cdata.first : NULL; part; part = part->next) {
        apr_size_t piece = strlen(part->text);
        memcpy(text + length, part->text, piece);
        length += piece;
    }
    text[length] = '\0';
    return text;
}

static fhir_error_t *request_names(const apr_xml_elem **root, fhir_http_response_t *response, fhir_store_t *store,
                                   const char *prefix, const char *marker, int most, const fhir_store_call_t *call)
{
    apr_pool_t *pool = call->result_pool;
    apr_xml_parser *parser = apr_xml_parser_create(pool);
    apr_xml_doc *document = NULL;
    azure_request_t request;
    azure_request_init(&request, "List Blobs", "GET", apr_pstrcat(pool, "/", store->config->container, NULL), pool);
    azure_add_parameter(&request, "restype", "container");
    azure_add_parameter(&request, "comp", "list");
    azure_add_parameter(&request, "include", "uncommittedblobs");
    azure_add_parameter(&request, "maxresults", apr_itoa(pool, most));
    if (*prefix) {
        azure_add_parameter(&request, "prefix", prefix);
    }
    if (*marker) {
        azure_add_parameter(&request, "marker", marker);
    }
    FHIR_TRY(azure_call(response, store, &request, LIST_ANSWER_MAX, 1, call));
    if (apr_xml_parser_feed(parser, response->body, response->body_length) != APR_SUCCESS ||
        apr_xml_parser_done(parser, &document) != APR_SUCCESS || !document->root ||
        strcmp(document->root->name, "EnumerationResults") || !child(document->root, "Blobs")) {
        return malformed(pool);
    }
    *root = document->root;
    return NULL;
}

/* Where the next page begins; *marker "": there is none. Must be another place than `before`. */
static fhir_error_t *next_marker(const char **marker, const apr_xml_elem *root, const char *before, apr_pool_t *pool)
{
    *marker = text_of(child(root, "NextMarker"), pool);
    if (strlen(*marker) > MARKER_MAX) {
        return malformed(pool);
    }
    return !**marker || strcmp(*marker, before)
               ? NULL
               : fhir_error_create(pool, FHIR_ERROR_INTERNAL, APR_EGENERAL,
                                   "The store failed unexpectedly. Tell the operator of this server.",
                                   "List Blobs: the listing does not go on: a page says that the next one is itself");
}

/* A page may be empty, and not the last one. */
fhir_error_t *azure_is_listed(int *listed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call)
{
    const char *name = apr_pstrcat(call->result_pool, store->config->prefix, locator, NULL);
    const char *marker = "";
    *listed = 0;
    do {
        const apr_xml_elem *root;
        const apr_xml_elem *blob;
        fhir_http_response_t response;
        FHIR_TRY(request_names(&root, &response, store, name, marker, 1, call));
        blob = child(child(root, "Blobs"), "Blob");
        *listed = blob && !strcmp(text_of(child(blob, "Name"), call->result_pool), name);
        FHIR_TRY(next_marker(&marker, root, marker, call->result_pool));
    } while (!*listed && *marker);
    return NULL;
}

/* ---- entries ---- */

/* An entry of no length is an empty object, or uncommitted blocks, or on its way out: only the blob itself tells. */
static fhir_error_t *look_closer(fhir_list_entry_t *found, const listing_t *listing, apr_pool_t *pool)
{
    fhir_store_call_t call = *listing->call;
    fhir_http_response_t response;
    fhir_error_t *error;
    call.result_pool = pool;
    error = azure_head(&response, listing->store, found->locator, &call);
    if (!error) {
        found->length = response.content_length < 0 ? 0 : response.content_length;
        return NULL;
    }
    found->committed = 0;
    return error->code == FHIR_ERROR_NOT_FOUND ? NULL : azure_copy_error(error, listing->call->result_pool);
}

static fhir_error_t *give_blob(listing_t *listing, const apr_xml_elem *blob, const char *locator, apr_pool_t *pool)
{
    const apr_xml_elem *properties = child(blob, "Properties");
    const char *modified = text_of(child(properties, "Last-Modified"), pool);
    const char *length = text_of(child(properties, "Content-Length"), pool);
    apr_time_t time = apr_date_parse_http(modified);
    fhir_list_entry_t found = {0};
    found.struct_size = sizeof(found);
    found.locator = locator;
    found.modified = time == APR_DATE_BAD ? 0 : time;
    found.length = strlen(length) <= 18 && strspn(length, "0123456789") == strlen(length) ? apr_atoi64(length) : 0;
    found.committed = 1;
    if (found.length == 0) {
        FHIR_TRY(look_closer(&found, listing, pool));
    }
    return listing->entry(listing->entry_baton, &found, pool);
}

/* The entries of one answer that come after the position, as many as fit. Other names are not ours. */
static fhir_error_t *give_answer(listing_t *listing, const apr_xml_elem *root, apr_pool_t *pool)
{
    const char *prefix = listing->store->config->prefix;
    const apr_xml_elem *blob = child(root, "Blobs")->first_child;
    apr_pool_t *scratch;
    apr_pool_create(&scratch, pool);
    for (; blob; blob = blob->next) {
        const char *name;
        const char *locator;
        apr_pool_clear(scratch);
        name = text_of(child(blob, "Name"), scratch);
        locator = name + strlen(prefix);
        if (strcmp(blob->name, "Blob") || strncmp(name, prefix, strlen(prefix)) || !fhir_plugin_key_of(locator) ||
            strcmp(locator, listing->position.after) <= 0) {
            continue;
        }
        if (listing->given == listing->limit) {
            listing->cut = 1;
            return NULL;
        }
        memcpy(listing->position.after, locator, sizeof(listing->position.after));
        listing->given++;
        FHIR_TRY(give_blob(listing, blob, listing->position.after, scratch));
    }
    return NULL;
}

/* *more: there are further names. The position is where the next request begins. */
static fhir_error_t *list_once(int *more, listing_t *listing, fhir_http_response_t *response, apr_pool_t *pool)
{
    position_t *position = &listing->position;
    fhir_store_call_t call = *listing->call;
    int searching = position->after[0] && !position->marker[0];
    int most =
        searching || listing->limit - listing->given > REQUEST_MAX ? REQUEST_MAX : listing->limit - listing->given;
    const apr_xml_elem *root;
    const char *marker;
    fhir_error_t *error;
    call.result_pool = pool;
    error = request_names(&root, response, listing->store,
                          apr_pstrcat(pool, listing->store->config->prefix, position->digits, NULL), position->marker,
                          most, &call);
    if (error) {
        return azure_copy_error(error, listing->call->result_pool);
    }
    FHIR_TRY(give_answer(listing, root, pool));
    error = next_marker(&marker, root, position->marker, pool);
    if (error) {
        return azure_copy_error(error, listing->call->result_pool);
    }
    *more = 1;
    if (listing->cut) {
        return NULL; /* the rest of this answer: from the same marker, after what was given */
    }
    memcpy(position->marker, marker, strlen(marker) + 1);
    *more = *marker || next_digits(position);
    return NULL;
}

static fhir_error_t *fill_page(int *more, listing_t *listing, int recalled, const char *cursor)
{
    apr_pool_t *pool;
    *more = 1;
    apr_pool_create(&pool, listing->call->scratch_pool);
    while (*more && listing->given < listing->limit && !listing->cut) {
        fhir_http_response_t response = {0};
        fhir_error_t *error;
        apr_pool_clear(pool);
        error = list_once(more, listing, &response, pool);
        if (error && recalled && response.status == 400) { /* a marker that Azure takes no longer */
            begin_after(&listing->position, cursor);
        } else if (error) {
            return error;
        }
        recalled = 0;
    }
    return NULL;
}

fhir_error_t *azure_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                         fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    listing_t listing = {.store = store, .call = call, .entry = entry, .entry_baton = entry_baton};
    int recalled;
    int more;
    *next = NULL;
    FHIR_TRY(fhir_plugin_check_call(call));
    if ((cursor && !fhir_plugin_key_of(cursor)) || limit < 1) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    listing.limit = limit > PAGE_MAX ? PAGE_MAX : limit;
    recalled = cursor && recall(&listing.position, store->positions, cursor);
    if (!recalled) {
        begin_after(&listing.position, cursor);
    }
    FHIR_TRY(fill_page(&more, &listing, recalled, cursor));
    if (more) {
        remember(store->positions, &listing.position);
        *next = apr_pstrdup(call->result_pool, listing.position.after);
    }
    return NULL;
}
