/* The storage plugin ABI: all that a plugin author needs.
 *
 * MODEL. A store holds immutable objects. The core invents an object key (32 lower-case hex digits) for each upload;
 * the plugin says with `locate`, before a byte is stored and without I/O, under which locator that object would be
 * found; the core records key and locator in PostgreSQL and then opens a writer. So no crash can leave an object that
 * no row knows. Nothing is visible (readable, stat-able) before `writer_commit` returned success; after it the bytes
 * are durable. A locator is opaque to the core, at most 512 bytes of printable ASCII.
 *
 * OWNERSHIP. Inputs are borrowed for the call. Results are allocated in call->result_pool, which outlives the writer
 * or reader made from it. Nothing that was malloc'ed crosses this line. After `open` the store's own pool must not be
 * used for allocation: APR pools are not thread-safe.
 *
 * THREADS. `configure` runs in one thread before any fork; `open` and `close` run once per process, after fork. A store
 * is used by many threads at once. A writer or reader is used by one thread at a time, not always the same one:
 * keep no thread-local state.
 *
 * TIME. No call blocks past call->deadline (absolute, microseconds since the epoch; 0: none). A call that blocks asks
 * fhir_store_cancelled(call) at least once a second.
 *
 * ERRORS. NULL is success. Plugins return the codes of the first group of fhir_error_code_t only.
 *
 * VERSIONS. The first four members of fhir_storage_plugin_t never move. The major number must be equal, the plugin's
 * minor at most the host's. Members are only appended.
 *   1.0  first version
 *   1.1  presign, wraps, can_presign, check_copies
 */
#ifndef FHIR_STORAGE_H
#define FHIR_STORAGE_H

#include "fhir_error.h"

#include <apr_file_io.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FHIR_STORAGE_MAGIC 0x46485342u /* "FHSB" */
#define FHIR_STORAGE_ABI_MAJOR 1u
#define FHIR_STORAGE_ABI_MINOR 1u
#define FHIR_STORAGE_SYMBOL "fhir_storage_plugin"
#define FHIR_STORAGE_LOCATOR_MAX 512
#define FHIR_STORAGE_KEY_LENGTH 32

/* Capabilities, bits of fhir_storage_plugin_t.capabilities. */
#define FHIR_STORAGE_CAN_FILE 0x1u    /* reader_file works: bytes can leave by sendfile */
#define FHIR_STORAGE_CAN_PRESIGN 0x2u /* presign works: clients can fetch from and send to the store itself */
#define FHIR_STORAGE_CAN_COPY 0x4u    /* reserved for `copy` */
#define FHIR_STORAGE_CAN_SESSION 0x8u /* reserved for multipart sessions */
#define FHIR_STORAGE_PERSISTENT 0x10u /* objects outlive the process and are seen by all processes */

typedef enum fhir_store_log_level_t {
    FHIR_STORE_LOG_ERROR = 3,
    FHIR_STORE_LOG_WARNING = 4,
    FHIR_STORE_LOG_INFO = 6,
    FHIR_STORE_LOG_DEBUG = 7
} fhir_store_log_level_t;

/* What comes with every call. */
typedef struct fhir_store_call_t {
    apr_pool_t *result_pool;
    apr_pool_t *scratch_pool; /* may be cleared when the call returns */
    apr_time_t deadline;      /* absolute; 0: none */
    const char *request_id;   /* for log lines, may be NULL */
    int (*cancelled)(void *baton);
    void *cancelled_baton;
    void (*log)(void *baton, fhir_store_log_level_t level, const char *text);
    void *log_baton;
} fhir_store_call_t;

static inline int fhir_store_cancelled(const fhir_store_call_t *call)
{
    return call->cancelled && call->cancelled(call->cancelled_baton);
}

typedef struct fhir_store_option_t {
    const char *key;
    const char *value;
} fhir_store_option_t;

typedef struct fhir_store_config_t fhir_store_config_t; /* the plugin's own, made by configure */
typedef struct fhir_store_t fhir_store_t;               /* the plugin's own, made by open */
typedef struct fhir_writer_t fhir_writer_t;
typedef struct fhir_reader_t fhir_reader_t;
typedef struct fhir_storage_plugin_t fhir_storage_plugin_t;

typedef struct fhir_write_request_t {
    apr_size_t struct_size;
    const char *object_key;    /* FHIR_STORAGE_KEY_LENGTH lower-case hex digits */
    const char *locator;       /* what `locate` answered for that key */
    apr_off_t expected_length; /* bytes, -1: unknown. A different total is an error at commit. */
    const char *content_type;  /* a hint, may be NULL */
} fhir_write_request_t;

typedef struct fhir_object_info_t {
    apr_size_t struct_size;
    apr_off_t length;     /* bytes of the whole object */
    apr_time_t modified;  /* 0: unknown */
    const char *checksum; /* the store's own (an ETag), may be NULL */
} fhir_object_info_t;

/* One object of a listing. An object whose writer never committed is listed with committed = 0 where the store keeps
 * such remains (a temporary file, a multipart upload); `remove` of its locator takes them away too. */
typedef struct fhir_list_entry_t {
    apr_size_t struct_size;
    const char *locator;
    apr_off_t length;
    apr_time_t modified;
    int committed;
} fhir_list_entry_t;

typedef fhir_error_t *(*fhir_list_entry_fn)(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool);

/* A URL of the store itself for one object, for whoever holds it. Since ABI 1.1. */
typedef struct fhir_store_presign_request_t {
    apr_size_t struct_size;
    const char *locator;
    int write;                       /* 0: GET. 1: one PUT of the whole object */
    apr_time_t expires;              /* absolute */
    const char *content_type;        /* read: what the store shall answer; write: what must be sent. May be NULL */
    const char *content_disposition; /* read: what the store shall answer. May be NULL */
    const char *cache_control;       /* read: what the store shall answer. May be NULL */
} fhir_store_presign_request_t;

typedef struct fhir_store_presigned_t {
    apr_size_t struct_size;
    const char *url;                    /* at the store's public endpoint; holds a signature: never in a log */
    const fhir_store_option_t *headers; /* that the request must have, with these values */
    int header_count;
} fhir_store_presigned_t;

/* One copy of an object that a store keeps more than once. Since ABI 1.1. */
typedef enum fhir_store_copy_t {
    FHIR_STORE_COPY_GOOD = 1,
    FHIR_STORE_COPY_MISSING,
    FHIR_STORE_COPY_ALTERED,
    FHIR_STORE_COPY_UNREADABLE /* where it is kept fails: nothing is known of it */
} fhir_store_copy_t;

/* `store` names where the copy is, one of `wraps`. `repaired`: it was written anew and is good now. */
typedef void (*fhir_store_copy_fn)(void *baton, const char *store, fhir_store_copy_t state, int repaired);

/* Services of the host, valid as long as the store is open. A wrapping store (faults, mirror, encryption) finds the
 * store that it wraps with `resolve`. */
typedef struct fhir_storage_host_t {
    unsigned abi_major;
    unsigned abi_minor;
    apr_size_t struct_size;
    void *baton;
    fhir_error_t *(*resolve)(const fhir_storage_plugin_t **plugin, fhir_store_t **store, void *baton,
                             const char *store_name, apr_pool_t *pool);
} fhir_storage_host_t;

struct fhir_storage_plugin_t {
    uint32_t magic; /* FHIR_STORAGE_MAGIC */
    uint32_t abi_major;
    uint32_t abi_minor;
    apr_size_t struct_size; /* sizeof(fhir_storage_plugin_t) as compiled */

    const char *name;    /* [a-z0-9_]{1,32} */
    const char *version; /* of the plugin, for people */
    unsigned capabilities;

    /* Check the options and keep them. No I/O that a configuration test should not do (no sockets). An unknown option
     * is INVALID and its public_text names the option and the known ones. Required. */
    fhir_error_t *(*configure)(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                               apr_pool_t *pool);
    /* Required. */
    fhir_error_t *(*open)(fhir_store_t **store, const fhir_store_config_t *config, const fhir_storage_host_t *host,
                          apr_pool_t *pool);
    /* Required. All writers and readers are gone by then. */
    void (*close)(fhir_store_t *store);
    /* Can this store take and give bytes now? Required. */
    fhir_error_t *(*health)(fhir_store_t *store, const fhir_store_call_t *call);

    /* Where the object with this key would be. Pure, deterministic. Required. */
    fhir_error_t *(*locate)(const char **locator, fhir_store_t *store, const char *object_key,
                            const fhir_store_call_t *call);

    /* EXISTS at begin or at commit if the key is taken. Required. */
    fhir_error_t *(*writer_begin)(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                  const fhir_store_call_t *call);
    /* All bytes or an error. Required. */
    fhir_error_t *(*writer_write)(fhir_writer_t *writer, const void *data, apr_size_t length,
                                  const fhir_store_call_t *call);
    /* Durable and visible on success; on error nothing is visible and the writer must still be aborted. Required. */
    fhir_error_t *(*writer_commit)(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call);
    /* Leaves nothing behind. May be called after any failure and twice; after a successful commit it does nothing.
     * Required. */
    void (*writer_abort)(fhir_writer_t *writer, const fhir_store_call_t *call);

    /* Bytes [offset, offset + length); length -1: to the end. offset == object length gives an empty reader; beyond
     * it, or a length past the end, is RANGE. `info` describes the whole object. A reader survives `remove` of its
     * object or fails with an error: it never delivers wrong bytes. Required. */
    fhir_error_t *(*reader_open)(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                 const char *locator, apr_off_t offset, apr_off_t length,
                                 const fhir_store_call_t *call);
    /* In: room in *length (at least 1). Out: bytes read; 0 only at the end of the range. Fewer bytes than the range in
     * total is an error (CORRUPT), never a quiet end. Required. */
    fhir_error_t *(*reader_read)(fhir_reader_t *reader, void *buffer, apr_size_t *length,
                                 const fhir_store_call_t *call);
    /* Gives the open file behind the reader, owned by the reader's result_pool, and where the range starts in it. The
     * file must not be closed by reader_close then: it goes with the pool. With CAN_FILE, else NULL. */
    fhir_error_t *(*reader_file)(apr_file_t **file, apr_off_t *offset, fhir_reader_t *reader);
    /* Required. */
    void (*reader_close)(fhir_reader_t *reader);

    /* NOT_FOUND if nothing is visible there. Required. */
    fhir_error_t *(*stat)(fhir_object_info_t *info, fhir_store_t *store, const char *locator,
                          const fhir_store_call_t *call);
    /* Removes the object and the remains of an unfinished writer. *existed tells whether anything was there; nothing
     * there is success. Required. */
    fhir_error_t *(*remove)(int *existed, fhir_store_t *store, const char *locator, const fhir_store_call_t *call);
    /* Every object, in any stable order, after `cursor` (NULL: from the start; else the *next of an earlier page), at
     * most `limit`; *next is NULL at the end, else as long as a locator may be. An error from `entry` stops and is
     * returned. Required. */
    fhir_error_t *(*list)(const char **next, fhir_store_t *store, const char *cursor, int limit,
                          fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call);

    /* ---- since ABI 1.1 ---- */
    /* A URL to read the object, or to store it once: a PUT by such a URL must be refused by the store when the object
     * is there already, so that what was stored never changes. UNSUPPORTED if this store, as configured, can't promise
     * that. It may ask for credentials, but does not look whether the object exists. With CAN_PRESIGN, else NULL. */
    fhir_error_t *(*presign)(fhir_store_presigned_t *presigned, fhir_store_t *store,
                             const fhir_store_presign_request_t *request, const fhir_store_call_t *call);
    /* The name of the store that this one wraps, as configured: the first, second ... for `index` 0, 1 ..., then NULL.
     * So the configuration test tells of a store that `open` would not find. NULL: this plugin wraps nothing. */
    const char *(*wraps)(const fhir_store_config_t *config, int index);
    /* Do these options let `presign` work for reads (`write` 0), for uploads (`write` 1)? UNSUPPORTED if not; its
     * public_text names the option in the way. So the configuration test tells. NULL: they always do. */
    fhir_error_t *(*can_presign)(const fhir_store_config_t *config, int write, apr_pool_t *pool);
    /* Reads every copy of the object whole and tells of each, in the order of `wraps`. With `repair`, what is missing
     * or altered is written anew from a good copy and durable before it is told. NOT_FOUND if no copy is there, CORRUPT
     * if none is good, after they were told. Takes as long as reading takes; asks `cancelled`. For stores that keep
     * copies, else NULL. */
    fhir_error_t *(*check_copies)(fhir_store_t *store, const char *locator, int repair, fhir_store_copy_fn copy,
                                  void *copy_baton, const fhir_store_call_t *call);
};

/* The one symbol that a plugin exports; it returns a static descriptor. `host` is valid only during this call and says
 * which ABI the host speaks. */
typedef const fhir_storage_plugin_t *(*fhir_storage_plugin_fn)(const fhir_storage_host_t *host);

#define FHIR_STORAGE_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
}
#endif

#endif
