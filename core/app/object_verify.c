/* Are the stored objects as their rows say? An object that is moved meanwhile is looked for where it is then. */
#include "object_verify.h"

#include <string.h>

#define PAGE 100
#define UNREADABLE_IN_A_ROW_MAX 3 /* of one store: then it is the store that fails */
#define PLACES_MAX 3
#define COPIES_MAX 8
#define COPIES_SLOWEST 131072 /* bytes a second: all copies are read within one call */

/* How a store has answered so far. */
typedef struct place_t {
    const char *name;
    fhir_open_store_t *store;
    int readable;          /* some object was */
    int in_a_row;          /* unreadable objects */
    int copies_in_a_row;   /* objects with an unreadable copy */
    int is_given_up;       /* nothing of it is checked any more */
    int copies_are_behind; /* they are not checked any more */
    char why[512];         /* the last failure */
} place_t;

/* What the store told of one object's copies. */
typedef struct copies_t {
    apr_pool_t *pool;
    fhir_verify_copy_t told[COPIES_MAX];
    int count;
    fhir_error_t *error;
} copies_t;

typedef struct run_t {
    fhir_verify_t *verify;
    apr_array_header_t *places; /* of place_t: the stores of the configuration */
    apr_pool_t *object_pool;
} run_t;

/* NULL: the store is not configured, which is one finding, and not one for each object. */
static place_t *place_of(const run_t *run, const char *store)
{
    int i;
    for (i = 0; i < run->places->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(run->places, i, place_t).name, store) == 0) {
            return &APR_ARRAY_IDX(run->places, i, place_t);
        }
    }
    return NULL;
}

/* ---- copies ---- */

static void note_copy(void *baton, const char *store, fhir_store_copy_t state, int repaired)
{
    copies_t *copies = baton;
    if (copies->count < COPIES_MAX) {
        fhir_verify_copy_t *copy = &copies->told[copies->count++];
        copy->store = apr_pstrdup(copies->pool, store);
        copy->state = state;
        copy->repaired = repaired;
        copy->detail = NULL;
    }
}

/* Before the object is read: a store may mend by itself what a read finds. */
static void check_copies(copies_t *copies, const run_t *run, place_t *place, const fhir_content_t *content)
{
    fhir_object_job_t *job = run->verify->job;
    fhir_call_t call = fhir_object_job_call(job, run->object_pool);
    copies->pool = run->object_pool;
    copies->count = 0;
    copies->error = NULL;
    if (place->copies_are_behind || !fhir_store_keeps_copies(place->store)) {
        return;
    }
    call.deadline += apr_time_from_sec(content->size / COPIES_SLOWEST);
    copies->error =
        fhir_object_check_copies(place->store, content->locator, run->verify->repair, note_copy, copies, &call);
    fhir_object_job_pace(job, (apr_size_t)content->size * (apr_size_t)copies->count);
}

/* The content is right, so what the store says of no good copy is about another moment. */
static void tell_copies(run_t *run, place_t *place, const fhir_content_t *content, copies_t *copies)
{
    fhir_verify_t *verify = run->verify;
    int unreadable = 0;
    int i;
    if (copies->error && copies->count == 0) {
        note_copy(copies, place->name, FHIR_STORE_COPY_UNREADABLE, 0);
    }
    for (i = 0; i < copies->count; i++) {
        fhir_verify_copy_t *copy = &copies->told[i];
        if (copy->state == FHIR_STORE_COPY_GOOD) {
            continue;
        }
        copy->detail = copy->repaired ? NULL : fhir_error_reason(copies->error);
        verify->copies[copy->state]++;
        verify->repaired += copy->repaired;
        if (copy->state == FHIR_STORE_COPY_UNREADABLE) {
            unreadable = 1;
            apr_cpystrn(place->why,
                        copy->detail ? copy->detail
                                     : apr_pstrcat(run->object_pool, "a copy in ", copy->store, " is unreadable", NULL),
                        sizeof(place->why));
        }
        if (verify->copy) {
            verify->copy(verify->baton, content, copy);
        }
    }
    place->copies_in_a_row = unreadable ? place->copies_in_a_row + 1 : 0;
}

/* ---- one object ---- */

/* *content is where it is now; *moved 0: it is there still, or is no more (*content is NULL). */
static fhir_error_t *find_again(int *moved, const fhir_content_t **content, const run_t *run)
{
    fhir_call_t call = fhir_object_job_call(run->verify->job, run->object_pool);
    const fhir_content_t *now;
    FHIR_TRY(fhir_meta_object_find(&now, run->verify->job->meta, (*content)->object_key, &call));
    *moved = now && (strcmp(now->store, (*content)->store) != 0 || strcmp(now->locator, (*content)->locator) != 0);
    *content = now;
    return NULL;
}

static fhir_object_state_t check(fhir_error_t **error, copies_t *copies, const run_t *run, place_t *place,
                                 const fhir_content_t *content)
{
    check_copies(copies, run, place, content);
    return fhir_object_check(error, run->verify->job, place->store, content->locator, content, run->object_pool);
}

static void tell_object(run_t *run, place_t *place, const fhir_content_t *content, fhir_object_state_t state,
                        const fhir_error_t *why)
{
    fhir_verify_t *verify = run->verify;
    verify->objects++;
    verify->bytes += content->size;
    verify->states[state]++;
    place->in_a_row = state == FHIR_OBJECT_UNREADABLE ? place->in_a_row + 1 : 0;
    place->readable |= state != FHIR_OBJECT_UNREADABLE;
    if (state != FHIR_OBJECT_GOOD) {
        apr_cpystrn(place->why, why ? fhir_error_reason(why) : "", sizeof(place->why));
        if (verify->wrong) {
            verify->wrong(verify->baton, content, state, fhir_error_reason(why));
        }
    }
    if (verify->checked) {
        verify->checked(verify->baton, content);
    }
}

/* *place: the store in which it was found in the end; NULL: one that is not configured. */
static fhir_error_t *verify_one(place_t **place, run_t *run, const fhir_content_t *content)
{
    fhir_object_state_t state;
    copies_t copies;
    fhir_error_t *why;
    int places = 1;
    int moved = 1;
    state = check(&why, &copies, run, *place, content);
    while (state != FHIR_OBJECT_GOOD && places++ < PLACES_MAX) {
        FHIR_TRY(find_again(&moved, &content, run));
        if (!moved) {
            break;
        }
        *place = place_of(run, content->store);
        if (!*place) {
            return NULL;
        }
        state = check(&why, &copies, run, *place, content);
    }
    if (!content) {
        return NULL; /* nothing is promised any more */
    }
    why = copies.error && copies.error->code == FHIR_ERROR_CANCELLED ? copies.error : why;
    if (why && why->code == FHIR_ERROR_CANCELLED) {
        return why;
    }
    tell_object(run, *place, content, state, why);
    if (state == FHIR_OBJECT_GOOD) {
        tell_copies(run, *place, content, &copies);
    }
    return NULL;
}

/* ---- all of them ---- */

static void give_up(run_t *run, place_t *place, int copies)
{
    *(copies ? &place->copies_are_behind : &place->is_given_up) = 1;
    if (run->verify->gave_up) {
        run->verify->gave_up(run->verify->baton, place->name, copies, *place->why ? place->why : NULL);
    }
}

static fhir_error_t *verify_page(run_t *run, const apr_array_header_t *objects)
{
    int i;
    for (i = 0; i < objects->nelts; i++) {
        const fhir_content_t *content = &APR_ARRAY_IDX(objects, i, fhir_stored_object_t).content;
        place_t *place = place_of(run, content->store);
        if (!place || place->is_given_up) {
            continue;
        }
        FHIR_TRY(verify_one(&place, run, content));
        if (place && !place->is_given_up && place->in_a_row >= UNREADABLE_IN_A_ROW_MAX) {
            give_up(run, place, 0);
        } else if (place && !place->copies_are_behind && place->copies_in_a_row >= UNREADABLE_IN_A_ROW_MAX) {
            give_up(run, place, 1);
        }
        apr_pool_clear(run->object_pool);
    }
    return NULL;
}

static fhir_error_t *verify_pages(run_t *run, apr_pool_t *page_pool)
{
    fhir_verify_t *verify = run->verify;
    char after[FHIR_STORAGE_KEY_LENGTH + 1] = "";
    int count = 1;
    while (count > 0) {
        fhir_call_t call = fhir_object_job_call(verify->job, page_pool);
        apr_array_header_t *objects;
        call.deadline = 0; /* few of many are found after a long search; the database has a limit of its own */
        FHIR_TRY(fhir_meta_objects_committed(&objects, verify->job->meta, &verify->filter, *after ? after : NULL, PAGE,
                                             &call));
        count = objects->nelts;
        if (count > 0) {
            apr_cpystrn(after, APR_ARRAY_IDX(objects, count - 1, fhir_stored_object_t).content.object_key,
                        sizeof(after));
            FHIR_TRY(verify_page(run, objects));
        }
        apr_pool_clear(page_pool);
    }
    return NULL;
}

static fhir_error_t *find_places(run_t *run, apr_pool_t *pool)
{
    const fhir_store_catalog_t *catalog = run->verify->job->catalog;
    apr_array_header_t *names = fhir_store_names(catalog, pool);
    int i;
    run->places = apr_array_make(pool, names->nelts + 1, sizeof(place_t));
    for (i = 0; i < names->nelts; i++) {
        place_t *place = apr_array_push(run->places);
        memset(place, 0, sizeof(*place));
        place->name = APR_ARRAY_IDX(names, i, const char *);
        FHIR_TRY(fhir_store_get(&place->store, catalog, place->name, pool));
    }
    return NULL;
}

fhir_error_t *fhir_objects_verify(fhir_verify_t *verify, apr_pool_t *pool)
{
    run_t run = {.verify = verify};
    apr_pool_t *page_pool;
    int i;
    apr_pool_create(&page_pool, pool);
    apr_pool_create(&run.object_pool, pool);
    FHIR_TRY(find_places(&run, pool));
    FHIR_TRY(verify_pages(&run, page_pool));
    for (i = 0; i < run.places->nelts; i++) {
        place_t *place = &APR_ARRAY_IDX(run.places, i, place_t);
        /* Fewer objects than it takes above, but none could be read. */
        if (place->in_a_row > 0 && !place->readable && !place->is_given_up) {
            give_up(&run, place, 0);
        }
    }
    apr_pool_destroy(page_pool);
    apr_pool_destroy(run.object_pool);
    return NULL;
}
