/* The faulty store: wraps another store and makes chosen operations fail, wait or end early. For tests: it answers the
 * question what happens when operation k fails, for every k. */
#include "faulty.h"

#include <stdatomic.h>
#include <string.h>

#define SLEEP_STEP apr_time_from_msec(10)

struct fhir_store_t {
    const fhir_store_config_t *config;
    const fhir_storage_plugin_t *plugin; /* of the wrapped store */
    fhir_store_t *inner;
    atomic_ullong calls[OPERATION_COUNT + 1]; /* the last one counts them all */
};

struct fhir_writer_t {
    fhir_store_t *store;
    fhir_writer_t *inner;
};

struct fhir_reader_t {
    fhir_store_t *store;
    fhir_reader_t *inner;
};

/* What the rules say about one call. */
typedef struct verdict_t {
    fhir_store_t *store;
    operation_t operation;
    apr_uint64_t number; /* of this operation */
    apr_uint64_t total;  /* of all operations */
} verdict_t;

static verdict_t count_call(fhir_store_t *store, operation_t operation)
{
    verdict_t verdict;
    verdict.store = store;
    verdict.operation = operation;
    verdict.number = atomic_fetch_add(&store->calls[operation], 1) + 1;
    verdict.total = atomic_fetch_add(&store->calls[OPERATION_ANY], 1) + 1;
    return verdict;
}

static int applies(const rule_t *rule, const verdict_t *verdict)
{
    if (!rule->set || (rule->operation != OPERATION_ANY && rule->operation != verdict->operation)) {
        return 0;
    }
    return rule->number == 0 || rule->number == (rule->operation == OPERATION_ANY ? verdict->total : verdict->number);
}

static fhir_error_t *ordered(const verdict_t *verdict, fhir_error_code_t code, const char *kind, apr_pool_t *pool)
{
    return fhir_error_create(pool, code, APR_EGENERAL, "The store failed; try again.",
                             "ordered fault: %s %" APR_UINT64_T_FMT " %s (call %" APR_UINT64_T_FMT " in all)",
                             faulty_operation_name(verdict->operation), verdict->number, kind, verdict->total);
}

static fhir_error_t *wait_as_ordered(apr_interval_time_t delay, const fhir_store_call_t *call)
{
    apr_time_t end = apr_time_now() + delay;
    while (apr_time_now() < end) {
        FHIR_TRY(fhir_plugin_check_call(call));
        apr_sleep(SLEEP_STEP);
    }
    return fhir_plugin_check_call(call);
}

/* Before the wrapped store sees the call. */
static fhir_error_t *before(const verdict_t *verdict, const fhir_store_call_t *call)
{
    const fhir_store_config_t *config = verdict->store->config;
    if (applies(&config->delay, verdict)) {
        FHIR_TRY(wait_as_ordered(config->delay.delay, call));
    }
    if (applies(&config->fail, verdict)) {
        return ordered(verdict, config->fail.code, "fails", call->result_pool);
    }
    if (config->fail_every && verdict->total % (apr_uint64_t)config->fail_every == 0) {
        return ordered(verdict, config->fail_every_code, "fails", call->result_pool);
    }
    return NULL;
}

/* After the wrapped store has done it: its own error, or the lost answer. */
static fhir_error_t *after(const verdict_t *verdict, fhir_error_t *error, const fhir_store_call_t *call)
{
    const rule_t *lose = &verdict->store->config->lose;
    if (!error && applies(lose, verdict)) {
        return ordered(verdict, lose->code, "was done, its answer is lost", call->result_pool);
    }
    return error;
}

/* ---- the store ---- */

static fhir_error_t *faulty_configure(fhir_store_config_t **config, const fhir_store_option_t *options,
                                      int option_count, apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *fail = NULL;
    const char *lose = NULL;
    const char *delay = NULL;
    const char *short_read = NULL;
    const char *fail_every = NULL;
    const fhir_plugin_option_t known[] = {
        {"inner", &made->inner},     {"fail", &fail}, {"lose", &lose}, {"delay", &delay}, {"short_read", &short_read},
        {"fail_every", &fail_every}, {NULL, NULL}};
    *config = NULL;
    FHIR_TRY(fhir_plugin_options(known, options, option_count, "faulty", pool));
    if (!made->inner) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The faulty store needs inner= with the name of the store that it wraps.");
    }
    FHIR_TRY(faulty_parse_rule(&made->fail, "fail", fail, 0, pool));
    FHIR_TRY(faulty_parse_rule(&made->lose, "lose", lose, 0, pool));
    FHIR_TRY(faulty_parse_rule(&made->delay, "delay", delay, 1, pool));
    FHIR_TRY(faulty_parse_short_read(&made->short_read, short_read, pool));
    FHIR_TRY(faulty_parse_every(made, fail_every, pool));
    *config = made;
    return NULL;
}

static fhir_error_t *faulty_open(fhir_store_t **store, const fhir_store_config_t *config,
                                 const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    *store = NULL;
    made->config = config;
    FHIR_TRY(host->resolve(&made->plugin, &made->inner, host->baton, config->inner, pool));
    *store = made;
    return NULL;
}

/* The wrapped store is not ours to close. */
static void faulty_close(fhir_store_t *store)
{
    store->inner = NULL;
}

static fhir_error_t *faulty_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(store, OPERATION_HEALTH);
    FHIR_TRY(before(&verdict, call));
    return after(&verdict, store->plugin->health(store->inner, call), call);
}

static fhir_error_t *faulty_locate(const char **locator, fhir_store_t *store, const char *object_key,
                                   const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(store, OPERATION_LOCATE);
    FHIR_TRY(before(&verdict, call));
    return after(&verdict, store->plugin->locate(locator, store->inner, object_key, call), call);
}

/* ---- writing ---- */

static fhir_error_t *faulty_writer_begin(fhir_writer_t **writer, fhir_store_t *store,
                                         const fhir_write_request_t *request, const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(store, OPERATION_WRITER_BEGIN);
    fhir_writer_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    fhir_error_t *error;
    *writer = NULL;
    made->store = store;
    FHIR_TRY(before(&verdict, call));
    FHIR_TRY(store->plugin->writer_begin(&made->inner, store->inner, request, call));
    error = after(&verdict, NULL, call);
    if (error) { /* the caller has no writer to abort, so we do */
        store->plugin->writer_abort(made->inner, call);
        return error;
    }
    *writer = made;
    return NULL;
}

static fhir_error_t *faulty_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                         const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(writer->store, OPERATION_WRITER_WRITE);
    FHIR_TRY(before(&verdict, call));
    return after(&verdict, writer->store->plugin->writer_write(writer->inner, data, length, call), call);
}

static fhir_error_t *faulty_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer,
                                          const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(writer->store, OPERATION_WRITER_COMMIT);
    FHIR_TRY(before(&verdict, call));
    return after(&verdict, writer->store->plugin->writer_commit(info, writer->inner, call), call);
}

/* After a lost commit this leaves the object, as a real store does that answered into a broken connection: only the
 * caller's row and a later `remove` can take it away. */
static void faulty_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call)
{
    writer->store->plugin->writer_abort(writer->inner, call);
}

/* ---- reading: always as a stream, whatever the wrapped store can ---- */

static fhir_error_t *faulty_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                        const char *locator, apr_off_t offset, apr_off_t length,
                                        const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(store, OPERATION_READER_OPEN);
    fhir_reader_t *made = apr_pcalloc(call->result_pool, sizeof(*made));
    fhir_error_t *error;
    *reader = NULL;
    made->store = store;
    FHIR_TRY(before(&verdict, call));
    FHIR_TRY(store->plugin->reader_open(&made->inner, info, store->inner, locator, offset, length, call));
    error = after(&verdict, NULL, call);
    if (error) {
        store->plugin->reader_close(made->inner);
        return error;
    }
    *reader = made;
    return NULL;
}

static fhir_error_t *faulty_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length,
                                        const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(reader->store, OPERATION_READER_READ);
    FHIR_TRY(before(&verdict, call));
    if (applies(&reader->store->config->short_read, &verdict)) {
        *length = 0;
        return NULL;
    }
    return after(&verdict, reader->store->plugin->reader_read(reader->inner, buffer, length, call), call);
}

static void faulty_reader_close(fhir_reader_t *reader)
{
    if (reader->inner) {
        reader->store->plugin->reader_close(reader->inner);
        reader->inner = NULL;
    }
}

/* ---- housekeeping ---- */

static fhir_error_t *faulty_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                                 const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(store, OPERATION_STAT);
    FHIR_TRY(before(&verdict, call));
    return after(&verdict, store->plugin->stat(info, store->inner, locator, call), call);
}

static fhir_error_t *faulty_remove(int *existed, fhir_store_t *store, const char *locator,
                                   const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(store, OPERATION_REMOVE);
    *existed = 0;
    FHIR_TRY(before(&verdict, call));
    return after(&verdict, store->plugin->remove(existed, store->inner, locator, call), call);
}

static fhir_error_t *faulty_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                                 fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call)
{
    verdict_t verdict = count_call(store, OPERATION_LIST);
    *next = NULL;
    FHIR_TRY(before(&verdict, call));
    return after(&verdict, store->plugin->list(next, store->inner, cursor, limit, entry, entry_baton, call), call);
}

static const char *faulty_wraps(const fhir_store_config_t *config, int index)
{
    return index == 0 ? config->inner : NULL;
}

static const fhir_storage_plugin_t faulty_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 1,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "faulty",
    .version = "1.0",
    .capabilities = 0,
    .configure = faulty_configure,
    .open = faulty_open,
    .close = faulty_close,
    .health = faulty_health,
    .locate = faulty_locate,
    .writer_begin = faulty_writer_begin,
    .writer_write = faulty_writer_write,
    .writer_commit = faulty_writer_commit,
    .writer_abort = faulty_writer_abort,
    .reader_open = faulty_reader_open,
    .reader_read = faulty_reader_read,
    .reader_close = faulty_reader_close,
    .stat = faulty_stat,
    .remove = faulty_remove,
    .list = faulty_list,
    .wraps = faulty_wraps,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &faulty_plugin;
}
