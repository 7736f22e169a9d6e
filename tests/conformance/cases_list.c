/* Listing: every object once, in pages, while others come and go. */
#include "conformance.h"

#define OBJECTS 25

typedef struct harvest_t {
    const object_t *objects;
    int seen[OBJECTS];
    int in_page;
    int limit;
    int stop_after; /* 0: never */
} harvest_t;

static fhir_error_t *gather_entry(void *baton, const fhir_list_entry_t *entry, apr_pool_t *scratch_pool)
{
    harvest_t *harvest = baton;
    int i;
    CU_ASSERT_PTR_NOT_NULL(scratch_pool);
    CU_ASSERT(entry->struct_size >= sizeof(*entry));
    harvest->in_page++;
    for (i = 0; i < OBJECTS; i++) {
        if (!strcmp(entry->locator, harvest->objects[i].locator)) {
            harvest->seen[i]++;
            CU_ASSERT_EQUAL(entry->length, i);
            CU_ASSERT_EQUAL(entry->committed, 1);
        }
    }
    if (harvest->stop_after && harvest->in_page == harvest->stop_after) {
        return fhir_error_public(scratch_pool, FHIR_ERROR_CONFLICT, "enough");
    }
    return NULL;
}

static void store_objects(object_t objects[OBJECTS])
{
    int i;
    for (i = 0; i < OBJECTS; i++) {
        fhir_written_t written;
        objects[i] = new_object(suite.pool);
        ASSERT_OK(store_pattern(&written, &objects[i], i, 100, 1, suite.pool));
    }
}

static void list_all(harvest_t *harvest, const object_t *objects, int page)
{
    fhir_call_t call = core_call(suite.pool);
    const char *cursor = NULL;
    int pages = 0;
    memset(harvest, 0, sizeof(*harvest));
    harvest->objects = objects;
    do {
        harvest->in_page = 0;
        ASSERT_OK(fhir_object_list(&cursor, suite.store, cursor, page, gather_entry, harvest, &call));
        CU_ASSERT(harvest->in_page <= page);
        pages++;
    } while (cursor && pages < 10000);
    CU_ASSERT_PTR_NULL(cursor);
}

static void pages_of_any_size(void)
{
    static const int sizes[] = {1, 2, 7, 24, 25, 26, 1000, 1000000};
    object_t objects[OBJECTS];
    harvest_t harvest;
    size_t s;
    int i;
    store_objects(objects);
    for (s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        list_all(&harvest, objects, sizes[s]);
        for (i = 0; i < OBJECTS; i++) {
            CU_ASSERT_EQUAL(harvest.seen[i], 1);
        }
    }
}

/* A reaper removes what it lists: the cursor's own object may be gone. */
static void removing_while_listing(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t objects[OBJECTS];
    harvest_t harvest = {0};
    const char *cursor = NULL;
    int i;
    int existed;
    store_objects(objects);
    harvest.objects = objects;
    do {
        ASSERT_OK(fhir_object_list(&cursor, suite.store, cursor, 3, gather_entry, &harvest, &call));
        for (i = 0; i < OBJECTS; i++) {
            if (harvest.seen[i] == 1) {
                ASSERT_OK(fhir_object_remove(&existed, suite.store, objects[i].locator, &call));
                harvest.seen[i] = 100;
            }
        }
    } while (cursor);
    for (i = 0; i < OBJECTS; i++) {
        CU_ASSERT_EQUAL(harvest.seen[i], 100);
        CU_ASSERT_FALSE(visible(&objects[i], suite.pool));
    }
}

static void an_error_of_the_caller_stops(void)
{
    fhir_call_t call = core_call(suite.pool);
    object_t objects[OBJECTS];
    harvest_t harvest = {0};
    const char *next;
    store_objects(objects);
    harvest.objects = objects;
    harvest.stop_after = 2;
    ASSERT_ERROR(FHIR_ERROR_CONFLICT, fhir_object_list(&next, suite.store, NULL, 100, gather_entry, &harvest, &call));
    CU_ASSERT_EQUAL(harvest.in_page, 2);
}

/* Where a store keeps remains, it lists them under the object's own locator and `remove` takes them away. */
static void remains_of_a_writer(void)
{
    fhir_store_call_t call = raw_call(suite.pool);
    object_t object = new_object(suite.pool);
    fhir_writer_t *writer;
    int committed = -1;
    int existed = 0;
    int found;
    ASSERT_OK(raw_begin(&writer, &object, -1, &call));
    ASSERT_OK(suite.plugin->writer_write(writer, "text", 4, &call));
    found = times_listed(object.locator, &committed, suite.pool);
    if (found) {
        CU_ASSERT_EQUAL(found, 1);
        CU_ASSERT_EQUAL(committed, 0);
        ASSERT_OK(suite.plugin->remove(&existed, suite.raw, object.locator, &call));
        CU_ASSERT_EQUAL(existed, 1);
        CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
    }
    suite.plugin->writer_abort(writer, &call);
    CU_ASSERT_EQUAL(times_listed(object.locator, NULL, suite.pool), 0);
}

static void malformed_cursor_and_limit(void)
{
    fhir_call_t call = core_call(suite.pool);
    harvest_t harvest = {0};
    object_t objects[OBJECTS];
    const char *next;
    store_objects(objects);
    harvest.objects = objects;
    ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_object_list(&next, suite.store, NULL, 0, gather_entry, &harvest, &call));
    ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_object_list(&next, suite.store, "../..", 10, gather_entry, &harvest, &call));
}

const case_t list_cases[] = {
    {"pages of any size", pages_of_any_size},
    {"removing while listing", removing_while_listing},
    {"an error of the caller stops", an_error_of_the_caller_stops},
    {"remains of a writer", remains_of_a_writer},
    {"malformed cursor and limit", malformed_cursor_and_limit},
    {NULL, NULL},
};
