/* Included resources: each must be permitted, and reached by permitted ones alone (FHIR R4 search.html#include). */
#include "included.h"

#include "resource_access.h"
#include "rights.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

/* The database goes no further (meta_search_include.c). */
#define ROUNDS_MAX 3

/* A resource on the page. */
typedef struct node_t {
    const fhir_resource_t *resource;
    const apr_array_header_t *values;
    int is_match;
    int kept;
} node_t;

/* A reference from one resource of the page to another. */
typedef struct link_t {
    node_t *from;
    node_t *to;
    const fhir_index_value_t *row;
} link_t;

typedef struct graph_t {
    const fhir_exchange_t *exchange;
    const fhir_search_t *search;
    apr_array_header_t *nodes; /* of node_t: the matches, and what is included and permitted */
    apr_hash_t *by_name;       /* `Type/id` -> node_t */
    apr_array_header_t *links; /* of link_t */
} graph_t;

static const char *name_of(const char *type, const char *id, apr_pool_t *pool)
{
    return apr_pstrcat(pool, type, "/", id, NULL);
}

static void add_node(graph_t *graph, const fhir_resource_t *resource, int is_match)
{
    const fhir_addresses_t addresses = fhir_exchange_addresses(graph->exchange);
    apr_pool_t *pool = graph->exchange->pool;
    fhir_subject_t *subject = fhir_subject_of_resource(resource, pool);
    node_t *node = apr_array_push(graph->nodes);
    fhir_subject_complete(subject, &addresses, pool);
    node->resource = resource;
    node->values = subject->values;
    node->is_match = is_match;
    node->kept = is_match;
}

/* Would the include lead from a resource with this row to what the row names, or back? */
static int follows(const fhir_include_t *include, const node_t *from, const fhir_index_value_t *row,
                   int starts_at_match)
{
    return (include->iterate || starts_at_match) && strcmp(include->type, from->resource->type) == 0 &&
           strcmp(row->name, "_compartment") != 0 &&
           (strcmp(include->name, "*") == 0 || strcmp(include->name, row->name) == 0) &&
           (!include->target || strcmp(include->target, row->system) == 0);
}

/* 1: an end of the link brought the other. */
static int follow(const graph_t *graph, const link_t *link)
{
    node_t *from = link->from;
    node_t *to = link->to;
    int i;
    if (to->kept == from->kept) {
        return 0;
    }
    for (i = 0; i < graph->search->includes->nelts; i++) {
        const fhir_include_t *include = &APR_ARRAY_IDX(graph->search->includes, i, fhir_include_t);
        const node_t *start = include->reverse ? to : from;
        if (start->kept && follows(include, from, link->row, start->is_match)) {
            from->kept = 1;
            to->kept = 1;
            return 1;
        }
    }
    return 0;
}

static int follow_all(const graph_t *graph)
{
    int found = 0;
    int i;
    for (i = 0; i < graph->links->nelts; i++) {
        found |= follow(graph, &APR_ARRAY_IDX(graph->links, i, link_t));
    }
    return found;
}

static void add_links(graph_t *graph, node_t *from, apr_pool_t *scratch)
{
    int i;
    for (i = 0; i < from->values->nelts; i++) {
        const fhir_index_value_t *row = &APR_ARRAY_IDX(from->values, i, fhir_index_value_t);
        node_t *to = NULL;
        if (row->type == FHIR_SEARCH_REFERENCE && row->code) {
            to = apr_hash_get(graph->by_name, name_of(row->system, row->code, scratch), APR_HASH_KEY_STRING);
        }
        if (to && to != from) {
            link_t *link = apr_array_push(graph->links);
            link->from = from;
            link->to = to;
            link->row = row;
        }
    }
    apr_pool_clear(scratch);
}

/* Names first: a link may lead forward. */
static void add_all_links(graph_t *graph)
{
    apr_pool_t *scratch;
    int i;
    apr_pool_create(&scratch, graph->exchange->pool);
    for (i = 0; i < graph->nodes->nelts; i++) {
        node_t *node = &APR_ARRAY_IDX(graph->nodes, i, node_t);
        apr_hash_set(graph->by_name, name_of(node->resource->type, node->resource->id, graph->exchange->pool),
                     APR_HASH_KEY_STRING, node);
    }
    for (i = 0; i < graph->nodes->nelts; i++) {
        add_links(graph, &APR_ARRAY_IDX(graph->nodes, i, node_t), scratch);
    }
    apr_pool_destroy(scratch);
}

static int iterates(const fhir_search_t *search)
{
    int i;
    for (i = 0; i < search->includes->nelts; i++) {
        if (APR_ARRAY_IDX(search->includes, i, fhir_include_t).iterate) {
            return 1;
        }
    }
    return 0;
}

/* The array without what hidden resources alone lead to. Each round goes at least one step further from the matches. */
static void keep_reached(apr_array_header_t *resources, int matches, const fhir_exchange_t *exchange,
                         const fhir_search_t *search)
{
    graph_t graph = {exchange, search, NULL, NULL, NULL};
    int kept = 0;
    int i;
    graph.nodes = apr_array_make(exchange->pool, resources->nelts, sizeof(node_t));
    graph.links = apr_array_make(exchange->pool, resources->nelts, sizeof(link_t));
    graph.by_name = apr_hash_make(exchange->pool);
    for (i = 0; i < resources->nelts; i++) {
        add_node(&graph, APR_ARRAY_IDX(resources, i, const fhir_resource_t *), i < matches);
    }
    add_all_links(&graph);
    for (i = 0; i < ROUNDS_MAX && follow_all(&graph); i++) {
    }
    for (i = 0; i < graph.nodes->nelts; i++) {
        const node_t *node = &APR_ARRAY_IDX(graph.nodes, i, node_t);
        if (node->kept) {
            APR_ARRAY_IDX(resources, kept++, const fhir_resource_t *) = node->resource;
        }
    }
    resources->nelts = kept;
}

/* Binaries are looked for again, from what is left. */
static fhir_error_t *leave_out_hidden(fhir_search_page_t *page, apr_array_header_t *all,
                                      const fhir_exchange_t *exchange, const fhir_search_t *search,
                                      const fhir_membership_t *membership)
{
    fhir_call_t call = fhir_exchange_call_after_body(exchange);
    int i;
    keep_reached(all, page->matches->nelts, exchange, search);
    apr_array_clear(page->included);
    for (i = page->matches->nelts; i < all->nelts; i++) {
        APR_ARRAY_PUSH(page->included, const fhir_resource_t *) = APR_ARRAY_IDX(all, i, const fhir_resource_t *);
    }
    return page->binaries->nelts == 0
               ? NULL
               : fhir_meta_included_binaries(page, exchange->app->meta, membership->project_id, search, &call);
}

fhir_error_t *fhir_matches_and_included(apr_array_header_t **all, const fhir_exchange_t *exchange,
                                        const fhir_search_t *search, fhir_search_page_t *page,
                                        const fhir_membership_t *membership)
{
    int hidden = 0;
    int i;
    *all = apr_array_copy(exchange->pool, page->matches);
    for (i = 0; i < page->included->nelts; i++) {
        const fhir_resource_t *resource = APR_ARRAY_IDX(page->included, i, const fhir_resource_t *);
        if (fhir_may_read_resource(exchange, membership, resource)) {
            APR_ARRAY_PUSH(*all, const fhir_resource_t *) = resource;
        } else {
            hidden = 1;
        }
    }
    return hidden && iterates(search) ? leave_out_hidden(page, *all, exchange, search, membership) : NULL;
}
