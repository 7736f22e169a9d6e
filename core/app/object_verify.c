/* Are the stored objects as their rows say? An object that is moved meanwhile is looked for where it is then. */
#include "object_verify.h"

#include <string.h>

#define PAGE 100
#define UNREADABLE_IN_A_ROW_MAX 10
#define PLACES_MAX 3

/* *content is where it is now; *moved 0: it is there still, or is no more (*content is NULL). */
static fhir_error_t *find_again(int *moved, const fhir_content_t **content, const fhir_verify_t *verify,
                                apr_pool_t *pool)
{
    fhir_call_t call = fhir_object_job_call(verify->job, pool);
    const fhir_content_t *now;
    FHIR_TRY(fhir_meta_object_find(&now, verify->job->meta, (*content)->object_key, &call));
    *moved = now && (strcmp(now->store, (*content)->store) != 0 || strcmp(now->locator, (*content)->locator) != 0);
    *content = now;
    return NULL;
}

static fhir_object_state_t check(fhir_error_t **error, const fhir_verify_t *verify, const fhir_content_t *content,
                                 apr_pool_t *pool)
{
    fhir_open_store_t *store;
    *error = fhir_store_get(&store, verify->job->catalog, content->store, pool);
    return *error ? FHIR_OBJECT_UNREADABLE
                  : fhir_object_check(error, verify->job, store, content->locator, content, pool);
}

static fhir_error_t *verify_one(fhir_object_state_t *state, fhir_verify_t *verify, const fhir_content_t *content,
                                apr_pool_t *pool)
{
    fhir_error_t *why;
    int places = 1;
    int moved = 0;
    *state = check(&why, verify, content, pool);
    while (*state != FHIR_OBJECT_GOOD && places++ < PLACES_MAX) {
        FHIR_TRY(find_again(&moved, &content, verify, pool));
        if (!moved) {
            break;
        }
        *state = check(&why, verify, content, pool);
    }
    if (!content) {
        *state = FHIR_OBJECT_GOOD; /* nothing is promised any more */
        return NULL;
    }
    if (why && why->code == FHIR_ERROR_CANCELLED) {
        return why;
    }
    verify->objects++;
    verify->bytes += content->size;
    verify->states[*state]++;
    if (*state != FHIR_OBJECT_GOOD && verify->wrong) {
        verify->wrong(verify->baton, content, *state, why ? (why->detail ? why->detail : why->public_text) : NULL);
    }
    if (verify->checked) {
        verify->checked(verify->baton, content);
    }
    return NULL;
}

static fhir_error_t *verify_page(int *unreadable, fhir_verify_t *verify, const apr_array_header_t *objects,
                                 apr_pool_t *object_pool, apr_pool_t *pool)
{
    int i;
    for (i = 0; i < objects->nelts; i++) {
        const fhir_content_t *content = &APR_ARRAY_IDX(objects, i, fhir_stored_object_t).content;
        fhir_object_state_t state;
        /* A store that is not configured is one finding, and not one for each object. */
        if (!fhir_store_defined(verify->job->catalog, content->store)) {
            continue;
        }
        FHIR_TRY(verify_one(&state, verify, content, object_pool));
        *unreadable = state == FHIR_OBJECT_UNREADABLE ? *unreadable + 1 : 0;
        if (*unreadable >= UNREADABLE_IN_A_ROW_MAX) {
            return fhir_error_public(pool, FHIR_ERROR_UNAVAILABLE,
                                     "So many objects of the store '%s' can't be read that it can't be checked now.",
                                     content->store);
        }
        apr_pool_clear(object_pool);
    }
    return NULL;
}

fhir_error_t *fhir_objects_verify(fhir_verify_t *verify, apr_pool_t *pool)
{
    char after[FHIR_STORAGE_KEY_LENGTH + 1] = "";
    apr_pool_t *page_pool;
    apr_pool_t *object_pool;
    int unreadable = 0;
    int count = 1;
    apr_pool_create(&page_pool, pool);
    apr_pool_create(&object_pool, pool);
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
            FHIR_TRY(verify_page(&unreadable, verify, objects, object_pool, pool));
        }
        apr_pool_clear(page_pool);
    }
    apr_pool_destroy(page_pool);
    apr_pool_destroy(object_pool);
    return NULL;
}
