/* What the files of the mirror plugin share.
 *
 * A mirror keeps each object in two stores, its halves, as sealed objects with checksums. Its locator is the object's
 * key: both halves say with `locate` where theirs is. */
#ifndef FHIR_MIRROR_H
#define FHIR_MIRROR_H

#include "../common/sealed.h"

#include <stdatomic.h>

#define MIRROR_HALVES 2

struct fhir_store_config_t {
    const char *names[MIRROR_HALVES];
    int write_any; /* one half is enough for a write */
};

typedef struct mirror_repairs_t mirror_repairs_t;

typedef struct mirror_half_t {
    const char *name;
    fhir_sealed_store_t sealed;
    atomic_llong avoid_until; /* reads try the other half first: this one did not answer a moment ago */
} mirror_half_t;

struct fhir_store_t {
    const fhir_store_config_t *config;
    mirror_half_t halves[MIRROR_HALVES];
    mirror_repairs_t *repairs;
};

/* ---- mirror.c ---- */

/* The call for a half that may take half of the time that is left, because the other half comes after it. */
fhir_store_call_t mirror_half_call(const fhir_store_call_t *call);
/* The call for cleaning up one half: not cancelled, and with a few seconds of its own, because the time of `call` may
 * be what has run out. */
fhir_store_call_t mirror_cleaning_call(const fhir_store_call_t *call);
/* 1 if the error says that the caller wants no more, so that the other half must not be tried. */
int mirror_is_over(const fhir_error_t *error, const fhir_store_call_t *call);
/* 1 if the half answered and does not have the object as it was stored. */
int mirror_is_damage(const fhir_error_t *error);
/* The same error; its detail names the store. NULL stays NULL. */
fhir_error_t *mirror_of_half(fhir_error_t *error, const fhir_store_t *store, int half,
                             apr_pool_t *pool) FHIR_MUST_CHECK;
/* A copy of the error, for when the pool of the first one goes. */
fhir_error_t *mirror_keep_error(const fhir_error_t *error, apr_pool_t *pool) FHIR_MUST_CHECK;
/* This half did not answer: for a while it is asked last and waited for less. */
void mirror_avoid(fhir_store_t *store, int half);
int mirror_is_avoided(const fhir_store_t *store, int half);
/* Logs that a half failed and keeps away from one that does not answer. */
void mirror_note_failure(fhir_store_t *store, int half, const fhir_error_t *error, const char *object_key,
                         const fhir_store_call_t *call);
/* Of two failures the one that says more: "not found" means nothing if the other half could not be asked. */
fhir_error_t *mirror_worse(fhir_error_t *one, fhir_error_t *other, apr_pool_t *pool) FHIR_MUST_CHECK;
fhir_error_t *mirror_locate_half(const char **locator, fhir_store_t *store, int half, const char *object_key,
                                 const fhir_store_call_t *call) FHIR_MUST_CHECK;
fhir_error_t *mirror_remove_half(int *existed, fhir_store_t *store, int half, const char *object_key,
                                 const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* 1 if the half answers that it has nothing of that object. */
int mirror_is_gone(fhir_store_t *store, int half, const char *object_key, const fhir_store_call_t *call);
void mirror_log(const fhir_store_call_t *call, fhir_store_log_level_t level, const char *format, ...) FHIR_PRINTF(3, 4);

/* ---- writer.c ---- */
fhir_error_t *mirror_writer_begin(fhir_writer_t **writer, fhir_store_t *store, const fhir_write_request_t *request,
                                  const fhir_store_call_t *call);
fhir_error_t *mirror_writer_write(fhir_writer_t *writer, const void *data, apr_size_t length,
                                  const fhir_store_call_t *call);
fhir_error_t *mirror_writer_commit(fhir_object_info_t *info, fhir_writer_t *writer, const fhir_store_call_t *call);
void mirror_writer_abort(fhir_writer_t *writer, const fhir_store_call_t *call);

/* ---- reader.c ---- */
fhir_error_t *mirror_reader_open(fhir_reader_t **reader, fhir_object_info_t *info, fhir_store_t *store,
                                 const char *locator, apr_off_t offset, apr_off_t length,
                                 const fhir_store_call_t *call);
fhir_error_t *mirror_reader_read(fhir_reader_t *reader, void *buffer, apr_size_t *length,
                                 const fhir_store_call_t *call);
void mirror_reader_close(fhir_reader_t *reader);

/* ---- list.c ---- */
fhir_error_t *mirror_list(const char **next, fhir_store_t *store, const char *cursor, int limit,
                          fhir_list_entry_fn entry, void *entry_baton, const fhir_store_call_t *call);

/* ---- repair.c: one thread per process, started when the first copy needs it ---- */

/* NULL if there is no memory: then nothing is repaired. */
mirror_repairs_t *mirror_repairs_create(fhir_store_t *store);
/* Ends the thread, in the middle of a repair if need be. */
void mirror_repairs_destroy(mirror_repairs_t *repairs);
/* The copy in this half is missing or damaged. A full queue forgets it: the next read finds it again. */
void mirror_repair_later(fhir_store_t *store, int half, const char *object_key);
/* Hands what the thread had to say to the log of this call. */
void mirror_tell_repairs(fhir_store_t *store, const fhir_store_call_t *call);

/* ---- rebuild.c ---- */

/* Reads every chunk of this half's copy; `sha256` (of the content) may be NULL. What looks damaged is read once more:
 * it may have been a connection that broke. */
fhir_error_t *mirror_read_copy(apr_off_t *length, unsigned char *sha256, fhir_store_t *store, int half,
                               const char *object_key, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Writes this half's copy from the other one, which was found whole and `length` bytes long, and is durable when it
 * returns. `clear`: whatever is there goes first. EXISTS if somebody else writes it or has written it. *gone: somebody
 * removed the object meanwhile, and now it is in neither half. */
fhir_error_t *mirror_write_copy(int *gone, fhir_store_t *store, int half, const char *object_key, apr_off_t length,
                                int clear, const fhir_store_call_t *call) FHIR_MUST_CHECK;
/* Verifies the other half's copy, then this half's, and writes this half's anew if it needs it. *done: nothing is left
 * to do, or nothing can be done; `report` says what happened, NULL if nothing did. */
void mirror_rebuild(const char **report, int *done, fhir_store_t *store, int half, const char *object_key,
                    const fhir_store_call_t *call);

/* ---- copies.c ---- */
fhir_error_t *mirror_check_copies(fhir_store_t *store, const char *locator, int repair, fhir_store_copy_fn copy,
                                  void *copy_baton, const fhir_store_call_t *call);

#endif
