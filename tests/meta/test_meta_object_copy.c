/* Copies of objects: who may claim, switch and remove them, and when. */
#include "core/meta/object_copy.h"
#include "meta_test.h"

#define LEASE apr_time_from_sec(60)

static const char *project;
static const char *mine;
static const char *other;

static void begin(void)
{
    open_meta(4);
    sql("DELETE FROM fhir_binary.object_copy");
    sql("UPDATE fhir_binary.object SET store = 'main' WHERE store = 'second'");
    project = make_project();
    mine = uuid();
    other = uuid();
}

/* A committed object in the store `main`; every test has its own ones, by their project. */
static const fhir_content_t *make_object(void)
{
    const fhir_content_t *content = make_content(project, &call);
    fhir_version_change_t change = change_of(FHIR_CHANGE_CREATE, project, uuid());
    const fhir_binary_t *binary;
    change.content = content;
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    return content;
}

static fhir_copy_t copy_of(const fhir_content_t *content)
{
    fhir_copy_t copy = {.object_key = content->object_key, .store = "second", .state = FHIR_COPY_WRITING};
    copy.locator = apr_pstrcat(pool, "moved/", content->object_key, NULL);
    return copy;
}

static int claim(const fhir_content_t *content, const char *lease)
{
    apr_array_header_t *copies = apr_array_make(pool, 1, sizeof(fhir_copy_t));
    apr_array_header_t *claimed;
    APR_ARRAY_PUSH(copies, fhir_copy_t) = copy_of(content);
    FHIR_ASSERT_OK(fhir_meta_copies_claim(&claimed, meta, "main", copies, lease, LEASE, &call));
    if (claimed->nelts) {
        CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(claimed, 0, const char *), content->object_key);
    }
    return claimed->nelts;
}

static int switch_to_copy(const fhir_content_t *content, const char *lease)
{
    fhir_copy_t copy = copy_of(content);
    int switched;
    FHIR_ASSERT_OK(fhir_meta_copy_switch(&switched, meta, content, &copy, lease, apr_time_from_sec(10), &call));
    return switched;
}

static apr_array_header_t *stores(void)
{
    apr_array_header_t *names = apr_array_make(pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(names, const char *) = "main";
    APR_ARRAY_PUSH(names, const char *) = "second";
    return names;
}

static const apr_array_header_t *take(const char *lease)
{
    apr_array_header_t *copies;
    FHIR_ASSERT_OK(fhir_meta_copies_take(&copies, meta, stores(), 10, lease, LEASE, &call));
    return copies;
}

static void all_is_due(void)
{
    sql("UPDATE fhir_binary.object_copy SET due_at = clock_timestamp() - interval '1 second'");
}

static const char *place_of(const fhir_content_t *content)
{
    const fhir_content_t *now;
    FHIR_ASSERT_OK(fhir_meta_object_find(&now, meta, content->object_key, &call));
    return now ? apr_pstrcat(pool, now->store, " ", now->locator, NULL) : "gone";
}

static void claimed_once(void)
{
    const fhir_content_t *content;
    const fhir_content_t *pending;
    begin();
    content = make_object();
    pending = make_content(project, &call);
    CU_ASSERT_EQUAL(claim(pending, mine), 0);
    CU_ASSERT_EQUAL(claim(content, mine), 1);
    CU_ASSERT_EQUAL(claim(content, other), 0);
    CU_ASSERT_EQUAL(claim(content, mine), 0);
    CU_ASSERT_EQUAL(take(other)->nelts, 0);
}

static void switched_once(void)
{
    const fhir_content_t *content;
    fhir_copies_left_t left;
    begin();
    content = make_object();
    CU_ASSERT_EQUAL(switch_to_copy(content, mine), 0);
    CU_ASSERT_EQUAL(claim(content, mine), 1);
    CU_ASSERT_EQUAL(switch_to_copy(content, other), 0);
    CU_ASSERT_STRING_EQUAL(place_of(content), apr_pstrcat(pool, "main ", content->locator, NULL));
    CU_ASSERT_EQUAL(switch_to_copy(content, mine), 1);
    CU_ASSERT_STRING_EQUAL(place_of(content), apr_psprintf(pool, "second moved/%s", content->object_key));
    CU_ASSERT_EQUAL(switch_to_copy(content, mine), 0);
    /* It has left something behind, for which the grace time runs. */
    CU_ASSERT_EQUAL(take(mine)->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_copies_left(&left, meta, stores(), mine, apr_time_from_sec(100), &call));
    CU_ASSERT_EQUAL(left.count, 1);
    CU_ASSERT(left.until > apr_time_from_sec(5) && left.until <= apr_time_from_sec(10));
    CU_ASSERT_EQUAL(left.leased, 0);
    CU_ASSERT_EQUAL(left.leased_until, 0);
    CU_ASSERT_STRING_EQUAL(sql("SELECT store, state, lease IS NULL FROM fhir_binary.object_copy"), "main|2|t");
    /* While that is so, it is not moved again. */
    CU_ASSERT_EQUAL(claim(content, other), 0);
}

static void a_lost_lease_switches_nothing(void)
{
    const fhir_content_t *content;
    const apr_array_header_t *taken;
    int held;
    begin();
    content = make_object();
    CU_ASSERT_EQUAL(claim(content, mine), 1);
    FHIR_ASSERT_OK(fhir_meta_copies_renew(&held, meta, mine, content->object_key, LEASE, &call));
    CU_ASSERT_EQUAL(held, 1);
    FHIR_ASSERT_OK(fhir_meta_copies_renew(&held, meta, other, content->object_key, LEASE, &call));
    CU_ASSERT_EQUAL(held, 0);
    all_is_due();
    taken = take(other);
    CU_ASSERT_EQUAL_FATAL(taken->nelts, 1);
    CU_ASSERT_EQUAL(APR_ARRAY_IDX(taken, 0, fhir_copy_t).state, FHIR_COPY_WRITING);
    CU_ASSERT_EQUAL(take(mine)->nelts, 0);
    FHIR_ASSERT_OK(fhir_meta_copies_renew(&held, meta, mine, content->object_key, LEASE, &call));
    CU_ASSERT_EQUAL(held, 0);
    CU_ASSERT_EQUAL(switch_to_copy(content, mine), 0);
    CU_ASSERT_STRING_EQUAL(place_of(content), apr_pstrcat(pool, "main ", content->locator, NULL));
}

static void a_lease_that_is_given_back_is_taken_at_once(void)
{
    const fhir_content_t *content;
    const fhir_content_t *theirs;
    const apr_array_header_t *taken;
    fhir_copies_left_t left;
    begin();
    content = make_object();
    theirs = make_object();
    CU_ASSERT_EQUAL(claim(content, mine), 1);
    CU_ASSERT_EQUAL(claim(theirs, other), 1);
    FHIR_ASSERT_OK(fhir_meta_copies_left(&left, meta, stores(), mine, apr_time_from_sec(100), &call));
    CU_ASSERT_EQUAL(left.count, 2);
    CU_ASSERT_EQUAL(left.leased, 1);
    CU_ASSERT(left.leased_until > apr_time_from_sec(50) && left.leased_until <= LEASE);
    FHIR_ASSERT_OK(fhir_meta_copies_release(meta, mine, &call));
    taken = take(uuid());
    CU_ASSERT_EQUAL_FATAL(taken->nelts, 1);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(taken, 0, fhir_copy_t).object_key, content->object_key);
    FHIR_ASSERT_OK(fhir_meta_copies_left(&left, meta, stores(), other, apr_time_from_sec(10), &call));
    CU_ASSERT_EQUAL(left.leased, 1);
    CU_ASSERT_EQUAL(left.leased_until, apr_time_from_sec(10));
}

static void an_object_knows_its_versions(void)
{
    fhir_version_change_t change;
    const fhir_object_use_t *use;
    const fhir_content_t *content;
    const fhir_binary_t *binary;
    begin();
    content = make_content(project, &call);
    FHIR_ASSERT_OK(fhir_meta_object_use(&use, meta, uuid(), &call));
    CU_ASSERT_PTR_NULL(use);
    FHIR_ASSERT_OK(fhir_meta_object_use(&use, meta, content->object_key, &call));
    CU_ASSERT_PTR_NULL(use->version);
    CU_ASSERT_EQUAL(use->more, 0);
    change = change_of(FHIR_CHANGE_CREATE, project, "used");
    change.content = content;
    FHIR_ASSERT_OK(fhir_meta_commit(&binary, meta, &change, &call));
    FHIR_ASSERT_OK(fhir_meta_object_use(&use, meta, content->object_key, &call));
    CU_ASSERT_STRING_EQUAL(use->project_id, project);
    CU_ASSERT_STRING_EQUAL(use->version, apr_pstrcat(pool, "Binary/used/_history/", change.version_id, NULL));
    CU_ASSERT_EQUAL(use->more, 0);
}

/* What a transaction that holds the row says, and then does. */
static int lock(const fhir_copy_t *copy, const char *lease, int *is_current, int forget)
{
    fhir_transaction_t *transaction;
    const fhir_content_t *content;
    int held;
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(fhir_transaction_copy_lock(&held, is_current, &content, transaction, copy, lease, pool));
    if (forget) {
        FHIR_ASSERT_OK(fhir_transaction_copy_forget(transaction, copy));
    }
    FHIR_ASSERT_OK(fhir_transaction_commit(transaction));
    return held;
}

static void locked_and_forgotten(void)
{
    const fhir_content_t *content;
    fhir_copy_t copy;
    int is_current;
    begin();
    content = make_object();
    copy = copy_of(content);
    CU_ASSERT_EQUAL(claim(content, mine), 1);
    CU_ASSERT_EQUAL(lock(&copy, other, &is_current, 0), 0);
    CU_ASSERT_EQUAL(lock(&copy, mine, &is_current, 0), 1);
    CU_ASSERT_EQUAL(is_current, 0);
    /* Somebody's row names this very place: it must not be touched. */
    sql(apr_psprintf(pool, "UPDATE fhir_binary.object SET store = 'second', locator = '%s' WHERE object_key = '%s'",
                     copy.locator, content->object_key));
    CU_ASSERT_EQUAL(lock(&copy, mine, &is_current, 1), 1);
    CU_ASSERT_EQUAL(is_current, 1);
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.object_copy"), "0");
}

/* A row that is locked while its place is emptied can neither be taken nor switched to by others. */
static void nobody_else_while_locked(void)
{
    fhir_transaction_t *transaction;
    const fhir_content_t *content;
    const fhir_content_t *now;
    fhir_copy_t copy;
    int is_current;
    int held;
    begin();
    content = make_object();
    copy = copy_of(content);
    CU_ASSERT_EQUAL(claim(content, mine), 1);
    all_is_due();
    FHIR_ASSERT_OK(fhir_meta_begin(&transaction, meta, &call));
    FHIR_ASSERT_OK(fhir_transaction_copy_lock(&held, &is_current, &now, transaction, &copy, mine, pool));
    CU_ASSERT_EQUAL(held, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(now);
    CU_ASSERT_STRING_EQUAL(now->store, "main");
    CU_ASSERT_EQUAL(take(other)->nelts, 0);
    CU_ASSERT_EQUAL(claim(content, other), 0);
    fhir_transaction_rollback(transaction);
    CU_ASSERT_EQUAL(take(other)->nelts, 1);
}

static void added_and_postponed(void)
{
    const fhir_content_t *content;
    fhir_copy_t copy = {.store = "main", .state = FHIR_COPY_LEFT_OVER};
    int taken;
    begin();
    content = make_object();
    FHIR_ASSERT_OK(fhir_random_hex(&copy.object_key, 16, pool));
    copy.locator = content->locator;
    FHIR_ASSERT_OK(fhir_meta_copy_add(&taken, meta, &copy, mine, LEASE, &call));
    CU_ASSERT_EQUAL(taken, 0); /* an object's place */
    copy.locator = apr_pstrcat(pool, "unknown/", copy.object_key, NULL);
    FHIR_ASSERT_OK(fhir_meta_copy_add(&taken, meta, &copy, mine, LEASE, &call));
    CU_ASSERT_EQUAL(taken, 1);
    FHIR_ASSERT_OK(fhir_random_hex(&copy.object_key, 16, pool));
    FHIR_ASSERT_OK(fhir_meta_copy_add(&taken, meta, &copy, mine, LEASE, &call));
    CU_ASSERT_EQUAL(taken, 0); /* a copy's place */
    copy.store = "second";
    copy.locator = content->locator;
    FHIR_ASSERT_OK(fhir_meta_copy_add(&taken, meta, &copy, mine, LEASE, &call));
    CU_ASSERT_EQUAL(taken, 0); /* another store's object, and maybe the same place */
    copy.store = "main";
    all_is_due();
    CU_ASSERT_EQUAL_FATAL(take(other)->nelts, 1);
    copy.object_key = sql("SELECT replace(object_key::text, '-', '') FROM fhir_binary.object_copy");
    FHIR_ASSERT_OK(fhir_meta_copy_postpone(meta, copy.object_key, other, apr_time_from_sec(30), &call));
    CU_ASSERT_STRING_EQUAL(sql("SELECT lease IS NULL, due_at > clock_timestamp() + interval '20 seconds' FROM "
                               "fhir_binary.object_copy"),
                           "t|t");
}

static int discard(const char *key, apr_time_t before, const char *lease)
{
    int discarded;
    FHIR_ASSERT_OK(fhir_meta_object_discard(&discarded, meta, key, before, lease, LEASE, &call));
    return discarded;
}

static const char *row_of_copy(const fhir_content_t *content)
{
    return sql(apr_psprintf(pool,
                            "SELECT store, locator = '%s', state, lease = '%s', due_at > clock_timestamp() FROM "
                            "fhir_binary.object_copy WHERE object_key = '%s'",
                            content->locator, mine, content->object_key));
}

/* A pending row that is old goes; a committed or young one does not; and its upload can't be committed any more. */
static void pending_rows_are_discarded(void)
{
    const fhir_content_t *committed;
    const fhir_content_t *pending;
    fhir_version_change_t change;
    const fhir_binary_t *binary;
    begin();
    committed = make_object();
    pending = make_content(project, &call);
    CU_ASSERT_EQUAL(discard(committed->object_key, apr_time_now() + apr_time_from_sec(60), mine), 0);
    CU_ASSERT_EQUAL(discard(pending->object_key, apr_time_now() - apr_time_from_sec(60), mine), 0);
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.object_copy"), "0");
    CU_ASSERT_EQUAL(discard(pending->object_key, apr_time_now() + apr_time_from_sec(60), mine), 1);
    CU_ASSERT_EQUAL(discard(pending->object_key, apr_time_now() + apr_time_from_sec(60), other), 0);
    change = change_of(FHIR_CHANGE_CREATE, project, uuid());
    change.content = pending;
    FHIR_ASSERT_ERROR(FHIR_ERROR_CONFLICT, fhir_meta_commit(&binary, meta, &change, &call));
    /* Whoever dies before the bytes are gone is followed by the next sweep. */
    CU_ASSERT_STRING_EQUAL(row_of_copy(pending), "main|t|2|t|t");
    CU_ASSERT_EQUAL(take(other)->nelts, 0);
    all_is_due();
    CU_ASSERT_EQUAL(take(other)->nelts, 1);
}

static void discarded_without_a_place(void)
{
    const fhir_content_t *pending;
    begin();
    pending = make_content(project, &call);
    CU_ASSERT_EQUAL(discard(pending->object_key, apr_time_now() + apr_time_from_sec(60), NULL), 1);
    CU_ASSERT_STRING_EQUAL(sql("SELECT count(*) FROM fhir_binary.object_copy"), "0");
    CU_ASSERT_STRING_EQUAL(
        sql(apr_psprintf(pool, "SELECT count(*) FROM fhir_binary.object WHERE object_key = '%s'", pending->object_key)),
        "0");
}

static void pages_and_counts(void)
{
    fhir_object_filter_t filter = {.share = 1};
    apr_array_header_t *page;
    const char *after = NULL;
    apr_off_t count;
    apr_off_t bytes;
    int seen = 0;
    int i;
    begin();
    filter.project_id = project;
    for (i = 0; i < 7; i++) {
        make_object();
    }
    make_content(project, &call);
    FHIR_ASSERT_OK(fhir_meta_objects_count(&count, &bytes, meta, &filter, &call));
    CU_ASSERT_EQUAL(count, 7);
    CU_ASSERT_EQUAL(bytes, 7 * 4711);
    for (i = 0; i < 2; i++, after = NULL, seen = 0) {
        filter.store = i ? "main" : NULL;
        do {
            FHIR_ASSERT_OK(fhir_meta_objects_committed(&page, meta, &filter, after, 3, &call));
            seen += page->nelts;
            if (page->nelts) {
                const fhir_stored_object_t *last = &APR_ARRAY_IDX(page, page->nelts - 1, fhir_stored_object_t);
                CU_ASSERT(!after || strcmp(after, last->content.object_key) < 0);
                CU_ASSERT_STRING_EQUAL(last->content_type, "application/pdf");
                after = last->content.object_key;
            }
        } while (page->nelts);
        CU_ASSERT_EQUAL(seen, 7);
    }
    filter.store = NULL;
    filter.share = 0.5;
    seen = 0;
    for (i = 0; i < 200; i++) {
        FHIR_ASSERT_OK(fhir_meta_objects_committed(&page, meta, &filter, NULL, 10, &call));
        seen += page->nelts;
    }
    CU_ASSERT(seen > 200 * 7 / 3 && seen < 200 * 7 * 2 / 3);
    filter.store = "elsewhere";
    FHIR_ASSERT_OK(fhir_meta_objects_count(&count, &bytes, meta, &filter, &call));
    CU_ASSERT_EQUAL(count, 0);
    filter.store = NULL;
    filter.since = apr_time_now() + apr_time_from_sec(60);
    FHIR_ASSERT_OK(fhir_meta_objects_count(&count, &bytes, meta, &filter, &call));
    CU_ASSERT_EQUAL(count, 0);
}

static void stores_as_rows_see_them(void)
{
    const fhir_content_t *content;
    apr_array_header_t *stats;
    apr_array_header_t *needed;
    int found = 0;
    begin();
    content = make_object();
    CU_ASSERT_EQUAL(claim(content, mine), 1);
    FHIR_ASSERT_OK(fhir_meta_store_stat(&stats, meta, &call));
    for (int i = 0; i < stats->nelts; i++) {
        const fhir_store_stat_t *stat = &APR_ARRAY_IDX(stats, i, fhir_store_stat_t);
        if (strcmp(stat->store, "main") == 0) {
            CU_ASSERT(stat->objects >= 1 && stat->bytes >= 4711 && stat->projects >= 1 && stat->writing == 0);
            found++;
        } else if (strcmp(stat->store, "second") == 0) {
            CU_ASSERT_EQUAL(stat->writing, 1);
            CU_ASSERT_EQUAL(stat->objects, 0);
            found++;
        }
    }
    CU_ASSERT_EQUAL(found, 2);
    CU_ASSERT_EQUAL(switch_to_copy(content, mine), 1);
    FHIR_ASSERT_OK(fhir_meta_stores_needed(&needed, meta, &call));
    found = 0;
    for (int i = 0; i < needed->nelts; i++) {
        found += strcmp(APR_ARRAY_IDX(needed, i, const char *), "second") == 0;
    }
    CU_ASSERT_EQUAL(found, 1);
}

static const fhir_unit_test_t tests[] = {{"claimed once", claimed_once},
                                         {"switched once", switched_once},
                                         {"a lost lease switches nothing", a_lost_lease_switches_nothing},
                                         {"a lease that is given back", a_lease_that_is_given_back_is_taken_at_once},
                                         {"an object knows its versions", an_object_knows_its_versions},
                                         {"locked and forgotten", locked_and_forgotten},
                                         {"nobody else while locked", nobody_else_while_locked},
                                         {"added and postponed", added_and_postponed},
                                         {"pending rows are discarded", pending_rows_are_discarded},
                                         {"discarded without a place", discarded_without_a_place},
                                         {"pages and counts", pages_and_counts},
                                         {"stores as rows see them", stores_as_rows_see_them},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("object copy", tests)
