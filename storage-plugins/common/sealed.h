/* Sealed objects: a header, then chunks that each carry a tag, so that any range is verified in constant memory before
 * a byte of it is given out. The plugins `encrypted` and `mirror` store their objects so. docs/STORAGE-PLUGINS.md has
 * the format for those who decode it without us.
 *
 *   header   256 bytes; the first 56, the binding, go into every tag
 *   chunks   65,536 bytes of content and a tag of 16 bytes each; the last is shorter, and empty in an empty object
 *
 * A tag also covers the chunk's number and whether it is the last one. */
#ifndef FHIR_PLUGIN_SEALED_H
#define FHIR_PLUGIN_SEALED_H

#include "plugin.h"

#define FHIR_SEALED_HEADER 256
#define FHIR_SEALED_BINDING 56
#define FHIR_SEALED_CHUNK ((apr_size_t)65536)
#define FHIR_SEALED_TAG ((apr_size_t)16)
#define FHIR_SEALED_DATA_KEY 32
/* 2^32 chunks: far below what one AES-GCM key may encrypt. */
#define FHIR_SEALED_LENGTH_MAX ((apr_off_t)1 << 48)

typedef enum fhir_sealed_algorithm_t {
    FHIR_SEALED_AES_256_GCM = 1, /* encrypted and authenticated by a data key */
    FHIR_SEALED_SHA_256 = 2      /* in plain, tags are truncated checksums: against accidents, not against attackers */
} fhir_sealed_algorithm_t;

/* ---- sealed.c: the format ---- */

typedef struct fhir_sealed_header_t {
    unsigned char bytes[FHIR_SEALED_HEADER]; /* from FHIR_SEALED_BINDING on they are the algorithm's */
    char object_key[FHIR_STORAGE_KEY_LENGTH + 1];
    apr_off_t announced_length; /* of the content; -1: it was not known when the header was written */
} fhir_sealed_header_t;

/* How long the stored object is. `length` is 0 to FHIR_SEALED_LENGTH_MAX. */
apr_off_t fhir_sealed_stored_length(apr_off_t length);
/* The other way round; -1 if no sealed object has this length. */
apr_off_t fhir_sealed_content_length(apr_off_t stored_length);
/* Where chunk number `index` begins in the stored object. */
apr_off_t fhir_sealed_chunk_position(apr_off_t index);

void fhir_sealed_header_make(fhir_sealed_header_t *header, fhir_sealed_algorithm_t algorithm, const char *object_key,
                             apr_off_t announced_length);
/* Takes `bytes` apart. CORRUPT if it is no header of this algorithm, UNSUPPORTED if it is of a newer version. */
fhir_error_t *fhir_sealed_header_parse(fhir_sealed_header_t *header, const unsigned char *bytes,
                                       fhir_sealed_algorithm_t algorithm, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_sealed_damaged(apr_pool_t *pool, const char *what) FHIR_MUST_CHECK;

/* Seals or opens chunks of one object, in one direction. */
typedef struct fhir_seal_t fhir_seal_t;
/* `data_key` is for AES_256_GCM. NULL if there is no memory. */
fhir_seal_t *fhir_seal_create(const fhir_sealed_header_t *header, const unsigned char *data_key, int sealing);
/* Forgets the key. NULL is fine. */
void fhir_seal_destroy(fhir_seal_t *seal);
/* Writes length + FHIR_SEALED_TAG bytes. 1 on success. */
int fhir_seal_close_chunk(unsigned char *sealed, fhir_seal_t *seal, apr_off_t index, int last, const void *content,
                          apr_size_t length);
/* Opens in place; `length` is that of the content, the tag stands behind it. 1 if the tag is right. */
int fhir_seal_open_chunk(unsigned char *sealed, fhir_seal_t *seal, apr_off_t index, int last, apr_size_t length);

/* ---- sealed_cache.c: headers that were read, so that a range costs one request. No secrets. ---- */

typedef struct fhir_sealed_cache_t fhir_sealed_cache_t;

typedef struct fhir_sealed_known_t {
    unsigned char header[FHIR_SEALED_HEADER];
    apr_off_t stored_length;
    int end_checked; /* the last chunk is the last one */
} fhir_sealed_known_t;

/* NULL if there is no memory: nothing is remembered then. Every function takes NULL. */
fhir_sealed_cache_t *fhir_sealed_cache_create(void);
void fhir_sealed_cache_destroy(fhir_sealed_cache_t *cache);
int fhir_sealed_cache_get(fhir_sealed_known_t *known, fhir_sealed_cache_t *cache, const char *locator);
void fhir_sealed_cache_put(fhir_sealed_cache_t *cache, const char *locator, const fhir_sealed_known_t *known);
void fhir_sealed_cache_forget(fhir_sealed_cache_t *cache, const char *locator);

/* ---- a store of sealed objects inside another store ---- */

typedef struct fhir_sealed_store_t {
    const fhir_storage_plugin_t *plugin;
    fhir_store_t *store;
    fhir_sealed_algorithm_t algorithm;
    /* Finds the data key and verifies the algorithm's part of the header. NULL: the algorithm has no key. */
    fhir_error_t *(*unlock)(unsigned char data_key[FHIR_SEALED_DATA_KEY], void *baton,
                            const fhir_sealed_header_t *header, const fhir_store_call_t *call);
    void *unlock_baton;
    fhir_sealed_cache_t *cache;
    /* An object of unannounced length that was cut at a chunk's border looks whole until its last chunk is read. With
     * this, `open` looks at the last chunk, once per object and process. */
    int check_end;
} fhir_sealed_store_t;

/* ---- sealed_writer.c ---- */

/* Takes content and gives sealed bytes on, the header in one piece with the first chunk. */
typedef struct fhir_sealer_t fhir_sealer_t;
typedef fhir_error_t *(*fhir_sealed_emit_fn)(void *baton, const void *bytes, apr_size_t length,
                                             const fhir_store_call_t *call);
/* The header is complete. `emit_baton` must live as long as the sealer. */
fhir_error_t *fhir_sealer_create(fhir_sealer_t **sealer, const fhir_sealed_header_t *header,
                                 const unsigned char *data_key, fhir_sealed_emit_fn emit, void *emit_baton,
                                 apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *fhir_sealer_write(fhir_sealer_t *sealer, const void *data, apr_size_t length,
                                const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Emits the last chunk; *length is that of the content. INVALID if another length was announced. */
fhir_error_t *fhir_sealer_finish(apr_off_t *length, fhir_sealer_t *sealer,
                                 const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Forgets the data key. May come at any time and twice. */
void fhir_sealer_destroy(fhir_sealer_t *sealer);

/* ---- sealed_reader.c ---- */

typedef struct fhir_sealed_reader_t fhir_sealed_reader_t;
/* Holds one chunk; can be opened again after it was closed. */
fhir_sealed_reader_t *fhir_sealed_reader_create(const fhir_sealed_store_t *store, apr_pool_t *pool);
/* As reader_open of the ABI. The first chunk is verified before it returns. */
fhir_error_t *fhir_sealed_reader_open(fhir_sealed_reader_t *reader, fhir_object_info_t *info, const char *locator,
                                      apr_off_t offset, apr_off_t length,
                                      const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_sealed_reader_read(fhir_sealed_reader_t *reader, void *buffer, apr_size_t *length,
                                      const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* May come twice. */
void fhir_sealed_reader_close(fhir_sealed_reader_t *reader);
/* Key of the object at `locator`, from its header. */
fhir_error_t *fhir_sealed_object_key(char object_key[FHIR_STORAGE_KEY_LENGTH + 1], const fhir_sealed_store_t *store,
                                     const char *locator, const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_sealed_stat(fhir_object_info_t *info, const fhir_sealed_store_t *store, const char *locator,
                               const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *fhir_sealed_remove(int *existed, const fhir_sealed_store_t *store, const char *locator,
                                 const fhir_store_call_t *call) FHIR_MUST_CHECK;

#endif
