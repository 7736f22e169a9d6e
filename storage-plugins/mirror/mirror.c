/* The mirror store: keeps each object in two other stores, reads from the second when the first fails, and repairs. */
#include "mirror.h"

#include <stdarg.h>
#include <string.h>

#define AVOID apr_time_from_sec(10)
#define HALF_TIMEOUT apr_time_from_sec(30) /* for a call without a deadline */
#define CLEANING_TIMEOUT apr_time_from_sec(5)

/* ---- calls and errors ---- */

void mirror_log(const fhir_store_call_t *call, fhir_store_log_level_t level, const char *format, ...)
{
    va_list arguments;
    if (call->log) {
        va_start(arguments, format);
        call->log(call->log_baton, level, apr_pvsprintf(call->scratch_pool, format, arguments));
        va_end(arguments);
    }
}

fhir_store_call_t mirror_half_call(const fhir_store_call_t *call)
{
    fhir_store_call_t half = *call;
    apr_time_t now = apr_time_now();
    half.deadline = call->deadline ? now + (call->deadline - now) / 2 : now + HALF_TIMEOUT;
    return half;
}

fhir_store_call_t mirror_cleaning_call(const fhir_store_call_t *call)
{
    fhir_store_call_t cleaning = *call;
    cleaning.cancelled = NULL;
    cleaning.deadline = apr_time_now() + CLEANING_TIMEOUT;
    return cleaning;
}

int mirror_is_over(const fhir_error_t *error, const fhir_store_call_t *call)
{
    return error->code == FHIR_ERROR_CANCELLED || (call->deadline && apr_time_now() >= call->deadline);
}

/* RANGE: the caller asks for what the other half has. UNSUPPORTED is not among them: a newer version of this plugin may
 * have written it. */
int mirror_is_damage(const fhir_error_t *error)
{
    return error->code == FHIR_ERROR_NOT_FOUND || error->code == FHIR_ERROR_CORRUPT || error->code == FHIR_ERROR_RANGE;
}

fhir_error_t *mirror_of_half(fhir_error_t *error, const fhir_store_t *store, int half, apr_pool_t *pool)
{
    if (error) {
        error->detail = apr_pstrcat(pool, "its store ", store->halves[half].name, error->detail ? ": " : "",
                                    error->detail ? error->detail : "", NULL);
    }
    return error;
}

fhir_error_t *mirror_keep_error(const fhir_error_t *error, apr_pool_t *pool)
{
    fhir_error_t *kept = fhir_error_create(pool, error->code, error->status, error->public_text, "%s",
                                           error->detail ? error->detail : "no detail");
    kept->retry = error->retry;
    kept->retry_after = error->retry_after;
    return kept;
}

void mirror_avoid(fhir_store_t *store, int half)
{
    atomic_store(&store->halves[half].avoid_until, apr_time_now() + AVOID);
}

int mirror_is_avoided(const fhir_store_t *store, int half)
{
    return atomic_load(&store->halves[half].avoid_until) > apr_time_now();
}

void mirror_note_failure(fhir_store_t *store, int half, const fhir_error_t *error, const char *object_key,
                         const fhir_store_call_t *call)
{
    if (!mirror_is_damage(error)) {
        mirror_avoid(store, half);
    }
    mirror_log(call, FHIR_STORE_LOG_WARNING, "object %s: %s (%s); the other copy serves", object_key,
               error->public_text, error->detail ? error->detail : "no detail");
}

static int severity(const fhir_error_t *error)
{
    return error->code == FHIR_ERROR_NOT_FOUND ? 0 : error->code == FHIR_ERROR_RANGE ? 1 : 2;
}

fhir_error_t *mirror_worse(fhir_error_t *one, fhir_error_t *other, apr_pool_t *pool)
{
    fhir_error_t *worse = severity(other) > severity(one) ? other : one;
    const fhir_error_t *rest = worse == one ? other : one;
    worse->detail = apr_psprintf(pool, "%s; the other copy: %s (%s)", worse->detail ? worse->detail : "no detail",
                                 rest->public_text, rest->detail ? rest->detail : "no detail");
    return worse;
}

/* ---- the store ---- */

static fhir_error_t *parse_write(int *any, const char *write, apr_pool_t *pool)
{
    if (!write || !strcmp(write, "both")) {
        *any = 0;
        return NULL;
    }
    if (!strcmp(write, "any")) {
        *any = 1;
        return NULL;
    }
    return fhir_error_public(
        pool, FHIR_ERROR_INVALID,
        "write=%s is neither both nor any. With both, a write must be durable in both stores; with "
        "any, in one of them.",
        write);
}

static fhir_error_t *mirror_configure(fhir_store_config_t **config, const fhir_store_option_t *options,
                                      int option_count, apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *write = NULL;
    const fhir_plugin_option_t known[] = {
        {"first", &made->names[0]}, {"second", &made->names[1]}, {"write", &write}, {NULL, NULL}};
    *config = NULL;
    FHIR_TRY(fhir_plugin_options(known, options, option_count, "mirror", pool));
    if (!made->names[0] || !made->names[1]) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The mirror store needs first= and second= with the names of the two stores that it "
                                 "writes to.");
    }
    if (!strcmp(made->names[0], made->names[1])) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "first= and second= of the mirror store name the same store '%s'. Two copies in one "
                                 "store are no mirror.",
                                 made->names[0]);
    }
    FHIR_TRY(parse_write(&made->write_any, write, pool));
    *config = made;
    return NULL;
}

static fhir_error_t *open_half(mirror_half_t *half, const char *name, const fhir_storage_host_t *host, apr_pool_t *pool)
{
    half->name = name;
    half->sealed.algorithm = FHIR_SEALED_SHA_256;
    half->sealed.check_end = 1;
    return host->resolve(&half->sealed.plugin, &half->sealed.store, host->baton, name, pool);
}

static fhir_error_t *mirror_open(fhir_store_t **store, const fhir_store_config_t *config,
                                 const fhir_storage_host_t *host, apr_pool_t *pool)
{
    fhir_store_t *made = apr_pcalloc(pool, sizeof(*made));
    int half;
    *store = NULL;
    made->config = config;
    for (half = 0; half < MIRROR_HALVES; half++) {
        FHIR_TRY(open_half(&made->halves[half], config->names[half], host, pool));
    }
    for (half = 0; half < MIRROR_HALVES; half++) {
        made->halves[half].sealed.cache = fhir_sealed_cache_create();
    }
    made->repairs = mirror_repairs_create(made);
    *store = made;
    return NULL;
}

static void mirror_close(fhir_store_t *store)
{
    int half;
    mirror_repairs_destroy(store->repairs);
    store->repairs = NULL;
    for (half = 0; half < MIRROR_HALVES; half++) {
        fhir_sealed_cache_destroy(store->halves[half].sealed.cache);
        store->halves[half].sealed.cache = NULL;
    }
}

static fhir_error_t *half_health(fhir_store_t *store, int half, const fhir_store_call_t *call)
{
    const mirror_half_t *asked = &store->halves[half];
    fhir_error_t *error = asked->sealed.plugin->health(asked->sealed.store, call);
    if (error) {
        error->detail = apr_psprintf(call->result_pool, "of the mirror's two stores, %s is ill: %s", asked->name,
                                     fhir_error_reason(error));
    }
    return error;
}

/* Reads go on while one half answers; health is about writes, too. */
static fhir_error_t *mirror_health(fhir_store_t *store, const fhir_store_call_t *call)
{
    fhir_store_call_t half = mirror_half_call(call);
    fhir_error_t *first;
    fhir_error_t *second;
    FHIR_TRY(fhir_plugin_check_call(call));
    mirror_tell_repairs(store, call);
    first = half_health(store, 0, &half);
    if (first && (!store->config->write_any || mirror_is_over(first, call))) {
        return first;
    }
    second = half_health(store, 1, call);
    if (second && (first || !store->config->write_any)) {
        return second;
    }
    if (first || second) {
        mirror_log(call, FHIR_STORE_LOG_WARNING, "%s; writes go to the other one alone",
                   first ? first->detail : second->detail);
    }
    return NULL;
}

static fhir_error_t *mirror_locate(const char **locator, fhir_store_t *store, const char *object_key,
                                   const fhir_store_call_t *call)
{
    (void)store;
    *locator = NULL;
    if (!fhir_plugin_is_key(object_key)) {
        return fhir_plugin_bad_key(call->result_pool);
    }
    *locator = apr_pstrdup(call->result_pool, object_key);
    return NULL;
}

fhir_error_t *mirror_locate_half(const char **locator, fhir_store_t *store, int half, const char *object_key,
                                 const fhir_store_call_t *call)
{
    const fhir_sealed_store_t *sealed = &store->halves[half].sealed;
    return mirror_of_half(sealed->plugin->locate(locator, sealed->store, object_key, call), store, half,
                          call->result_pool);
}

/* ---- housekeeping ---- */

static fhir_error_t *stat_half(fhir_object_info_t *info, fhir_store_t *store, int half, const char *object_key,
                               const fhir_store_call_t *call)
{
    const char *locator;
    FHIR_TRY(mirror_locate_half(&locator, store, half, object_key, call));
    return mirror_of_half(fhir_sealed_stat(info, &store->halves[half].sealed, locator, call), store, half,
                          call->result_pool);
}

int mirror_is_gone(fhir_store_t *store, int half, const char *object_key, const fhir_store_call_t *call)
{
    const fhir_sealed_store_t *sealed = &store->halves[half].sealed;
    fhir_object_info_t info = {0};
    const char *locator;
    fhir_error_t *error;
    info.struct_size = sizeof(info);
    if (mirror_locate_half(&locator, store, half, object_key, call)) {
        return 0;
    }
    error = sealed->plugin->stat(&info, sealed->store, locator, call);
    return error && error->code == FHIR_ERROR_NOT_FOUND;
}

/* A copy that was cut is shorter, but which one is right only reading tells. */
static void compare(fhir_store_t *store, fhir_object_info_t *info, const fhir_object_info_t *other,
                    const char *object_key, const fhir_store_call_t *call)
{
    if (info->length == other->length) {
        return;
    }
    mirror_log(call, FHIR_STORE_LOG_WARNING, "object %s has another length in %s than in %s", object_key,
               store->halves[0].name, store->halves[1].name);
    mirror_repair_later(store, 0, object_key);
    mirror_repair_later(store, 1, object_key);
    if (other->length > info->length) {
        info->length = other->length;
        info->modified = other->modified;
    }
}

/* Asks both, so that whoever goes through all objects finds those that have one copy only. */
static fhir_error_t *mirror_stat(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                                 const fhir_store_call_t *call)
{
    fhir_store_call_t half_call = mirror_half_call(call);
    fhir_object_info_t infos[MIRROR_HALVES];
    fhir_error_t *errors[MIRROR_HALVES];
    int half;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    mirror_tell_repairs(store, call);
    for (half = 0; half < MIRROR_HALVES; half++) {
        memset(&infos[half], 0, sizeof(infos[half]));
        infos[half].struct_size = sizeof(infos[half]);
        errors[half] = stat_half(&infos[half], store, half, locator, half ? call : &half_call);
        if (errors[half] && mirror_is_over(errors[half], call)) {
            return errors[half];
        }
    }
    if (errors[0] && errors[1]) {
        return mirror_worse(errors[0], errors[1], call->result_pool);
    }
    for (half = 0; half < MIRROR_HALVES; half++) {
        if (errors[half]) {
            mirror_note_failure(store, half, errors[half], locator, call);
            infos[half] = infos[1 - half];
            if (mirror_is_damage(errors[half])) {
                mirror_repair_later(store, half, locator);
            }
        }
    }
    compare(store, &infos[0], &infos[1], locator, call);
    info->length = infos[0].length;
    info->modified = infos[0].modified;
    info->checksum = NULL;
    return NULL;
}

fhir_error_t *mirror_remove_half(int *existed, fhir_store_t *store, int half, const char *object_key,
                                 const fhir_store_call_t *call)
{
    const char *locator;
    int here = 0;
    FHIR_TRY(mirror_locate_half(&locator, store, half, object_key, call));
    FHIR_TRY(mirror_of_half(fhir_sealed_remove(&here, &store->halves[half].sealed, locator, call), store, half,
                            call->result_pool));
    *existed |= here;
    return NULL;
}

/* A half that did not answer a moment ago is asked, but not waited for as long: the caller has waited already. */
static fhir_store_call_t removing_call(const fhir_store_t *store, int half, const fhir_store_call_t *call)
{
    fhir_store_call_t removing = half == 0 ? mirror_half_call(call) : *call;
    apr_time_t end = apr_time_now() + CLEANING_TIMEOUT;
    if (mirror_is_avoided(store, half) && (!removing.deadline || removing.deadline > end)) {
        removing.deadline = end;
    }
    return removing;
}

/* The first half again after the second: a repair may have copied the object back in between. A repair looks at its
 * source once more when it is done, so between them nothing comes back. */
static fhir_error_t *mirror_remove(int *existed, fhir_store_t *store, const char *locator,
                                   const fhir_store_call_t *call)
{
    fhir_store_call_t half_call = removing_call(store, 0, call);
    fhir_error_t *error;
    fhir_error_t *other;
    int in_second = 0;
    *existed = 0;
    FHIR_TRY(fhir_plugin_check_call(call));
    if (!fhir_plugin_is_key(locator)) {
        return fhir_plugin_bad_locator(call->result_pool);
    }
    error = mirror_remove_half(existed, store, 0, locator, &half_call);
    if (error && mirror_is_over(error, call)) {
        return error;
    }
    half_call = removing_call(store, 1, call);
    other = mirror_remove_half(&in_second, store, 1, locator, &half_call);
    *existed |= in_second;
    if (error || other) {
        return error ? error : other;
    }
    return in_second ? mirror_remove_half(existed, store, 0, locator, call) : NULL;
}

static const char *mirror_wraps(const fhir_store_config_t *config, int index)
{
    return index >= 0 && index < MIRROR_HALVES ? config->names[index] : NULL;
}

static const fhir_storage_plugin_t mirror_plugin = {
    .magic = FHIR_STORAGE_MAGIC,
    .abi_major = FHIR_STORAGE_ABI_MAJOR,
    .abi_minor = 1,
    .struct_size = sizeof(fhir_storage_plugin_t),
    .name = "mirror",
    .version = "1.0",
    .capabilities = FHIR_STORAGE_PERSISTENT, /* as far as its halves are */
    .configure = mirror_configure,
    .open = mirror_open,
    .close = mirror_close,
    .health = mirror_health,
    .locate = mirror_locate,
    .writer_begin = mirror_writer_begin,
    .writer_write = mirror_writer_write,
    .writer_commit = mirror_writer_commit,
    .writer_abort = mirror_writer_abort,
    .reader_open = mirror_reader_open,
    .reader_read = mirror_reader_read,
    .reader_close = mirror_reader_close,
    .stat = mirror_stat,
    .remove = mirror_remove,
    .list = mirror_list,
    .wraps = mirror_wraps,
    .check_copies = mirror_check_copies,
};

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

FHIR_STORAGE_EXPORT const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host)
{
    (void)host;
    return &mirror_plugin;
}
