/* Resources that go out: whole, with edits, and in views. */
#include "resource_help.h"

#include <apr_tables.h>
#include <time.h>

#define HEAD "{'resourceType':'Patient','id':'p','meta':{'versionId':'v','lastUpdated':'2026-11-21T03:15:00.123Z'"
#define TAG                                                                                                            \
    "{'system':'http://terminology.hl7.org/CodeSystem/v3-ObservationValue','code':'SUBSETTED','display':'Resource "    \
    "encoded in summary mode'}"

static fhir_resource_t resource(const char *meta, const char *body)
{
    fhir_resource_t made = {0};
    made.type = "Patient";
    made.id = "p";
    made.version_id = "v";
    made.last_updated = APR_TIME_C(1795230900123000);
    made.meta = meta ? quoted(meta) : NULL;
    made.body = body ? quoted(body) : NULL;
    made.body_length = body ? strlen(body) : 0;
    return made;
}

static const char *rendered(const fhir_resource_t *what, const apr_array_header_t *edits, const fhir_view_t *view)
{
    const fhir_json_document_t *document;
    fhir_text_t json;
    fhir_text_init(&json, pool);
    fhir_text_add(&json, "before");
    fhir_resource_render(&json, what, edits, view);
    CU_ASSERT(!strncmp(json.text, "before{", 7));
    document = parsed(json.text + 6);
    CU_ASSERT_EQUAL(document->nodes[0].kind, FHIR_JSON_OBJECT);
    return json.text + 6;
}

static void same_text(const char *text, const char *expected)
{
    expected = quoted(expected);
    if (strcmp(text, expected) != 0) {
        printf("%s\ninstead of\n%s\n", text, expected);
    }
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_whole(void)
{
    fhir_resource_t least = resource("", "");
    fhir_resource_t tombstone = resource(NULL, NULL);
    fhir_resource_t full = resource("'profile' : ['x']", "'a' : 0.10 , 'b':[ 1 ]");
    fhir_view_t all = {FHIR_SUMMARY_FALSE, NULL};
    fhir_view_t count = {FHIR_SUMMARY_COUNT, NULL};
    same_text(rendered(&least, NULL, NULL), HEAD "}}");
    same_text(rendered(&tombstone, NULL, NULL), HEAD "}}");
    same_text(rendered(&full, NULL, NULL), HEAD ",'profile' : ['x']},'a' : 0.10 , 'b':[ 1 ]}");
    same_text(rendered(&full, NULL, &all), HEAD ",'profile' : ['x']},'a' : 0.10 , 'b':[ 1 ]}");
    same_text(rendered(&full, NULL, &count), HEAD ",'profile' : ['x']},'a' : 0.10 , 'b':[ 1 ]}");
}

static void add_edit(apr_array_header_t *edits, apr_size_t offset, apr_size_t removed, const char *text)
{
    fhir_body_edit_t *edit = apr_array_push(edits);
    edit->offset = offset;
    edit->removed = removed;
    edit->text = quoted(text);
}

static apr_array_header_t *no_edits(void)
{
    return apr_array_make(pool, 4, sizeof(fhir_body_edit_t));
}

static void test_edits(void)
{
    fhir_resource_t what = resource("", "'a':1,'b':[22],'c':3");
    apr_array_header_t *list = no_edits();
    same_text(rendered(&what, list, NULL), HEAD "},'a':1,'b':[22],'c':3}");
    add_edit(list, 4, 1, "'one'");
    add_edit(list, 11, 2, "2");
    add_edit(list, 13, 0, ",4");
    add_edit(list, 19, 1, "5");
    same_text(rendered(&what, list, NULL), HEAD "},'a':'one','b':[2,4],'c':5}");
    list = no_edits();
    add_edit(list, 0, 20, "'all':0");
    same_text(rendered(&what, list, NULL), HEAD "},'all':0}");
}

/* What can't be is passed over, never read or written. */
static void test_wrong_edits(void)
{
    fhir_resource_t what = resource("", "'a':1,'b':2");
    apr_array_header_t *list = no_edits();
    add_edit(list, 4, 1, "7");
    add_edit(list, 4, 1, "8");
    add_edit(list, 10, 2, "9");
    add_edit(list, 10, (apr_size_t)-1, "9");
    add_edit(list, (apr_size_t)-1, 2, "9");
    same_text(rendered(&what, list, NULL), HEAD "},'a':7,'b':2}");
}

#define BODY                                                                                                           \
    "'text':{'status':'generated','div':'<div/>'} , 'active' : true,'_active':{'id':'x'},'photo':[{'url':"             \
    "'Binary/1'}],'link':[{'type':'refer'}],'unknown':1"

static const char *viewed(const char *meta, fhir_summary_t summary, const char *elements)
{
    fhir_resource_t what = resource(meta, BODY);
    fhir_view_t view = {FHIR_SUMMARY_FALSE, NULL};
    view.summary = summary;
    view.elements = elements;
    return rendered(&what, NULL, &view);
}

static void test_summaries(void)
{
    same_text(viewed("", FHIR_SUMMARY_TRUE, NULL),
              HEAD ",'tag':[" TAG "]},'active' : true,'_active':{'id':'x'},'link':[{'type':'refer'}]}");
    same_text(viewed("", FHIR_SUMMARY_TEXT, NULL),
              HEAD ",'tag':[" TAG "]},'text':{'status':'generated','div':'<div/>'}}");
    same_text(viewed("", FHIR_SUMMARY_DATA, NULL),
              HEAD ",'tag':[" TAG "]},'active' : true,'_active':{'id':'x'},'photo':[{'url':'Binary/1'}],'link':["
                   "{'type':'refer'}],'unknown':1}");
}

static void test_elements(void)
{
    same_text(viewed("", FHIR_SUMMARY_FALSE, "photo"), HEAD ",'tag':[" TAG "]},'photo':[{'url':'Binary/1'}]}");
    same_text(viewed("", FHIR_SUMMARY_FALSE, ",unknown , active,photos,"),
              HEAD ",'tag':[" TAG "]},'active' : true,'_active':{'id':'x'},'unknown':1}");
    same_text(viewed("", FHIR_SUMMARY_FALSE, "photo.url,phot"), HEAD ",'tag':[" TAG "]},'photo':[{'url':'Binary/1'}]}");
    same_text(viewed("", FHIR_SUMMARY_FALSE, ""), HEAD ",'tag':[" TAG "]}}");
    same_text(viewed("", FHIR_SUMMARY_FALSE, "text,active,photo,link,unknown"),
              apr_pstrcat(pool, HEAD "}," BODY "}", NULL));
}

static void test_mandatory(void)
{
    fhir_resource_t what =
        resource("", "'note':[{'text':'x'}],'status':'final','_status':{'id':'x'},'code':{'text':'x'}");
    fhir_view_t view = {FHIR_SUMMARY_FALSE, "subject"};
    const char *text;
    what.type = "Observation";
    text = rendered(&what, NULL, &view);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, quoted("},'status':'final','_status':{'id':'x'},'code':{'text':'x'}}")));
    CU_ASSERT_PTR_NULL(strstr(text, "note"));
    view.elements = NULL;
    view.summary = FHIR_SUMMARY_TEXT;
    text = rendered(&what, NULL, &view);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, quoted("},'status':'final','_status':{'id':'x'},'code':{'text':'x'}}")));
}

/* Nothing was left out: nothing says so. */
static void test_complete_view(void)
{
    fhir_resource_t what = resource("'tag':[{'code':'x'}]", "'active':true");
    fhir_resource_t least = resource("", "");
    fhir_view_t view = {FHIR_SUMMARY_TRUE, NULL};
    same_text(rendered(&what, NULL, &view), HEAD ",'tag':[{'code':'x'}]},'active':true}");
    same_text(rendered(&least, NULL, &view), HEAD "}}");
}

static void test_tags(void)
{
    same_text(viewed("'source':'s','tag' : [ {'code':'a]'} ] ,'profile':['p']", FHIR_SUMMARY_FALSE, "photo"),
              HEAD ",'source':'s','tag' : [ {'code':'a]'} ," TAG "] ,'profile':['p']},'photo':[{'url':'Binary/1'}]}");
    same_text(viewed("'t\\u0061g':[{'code':'a'}]", FHIR_SUMMARY_FALSE, "photo"),
              HEAD ",'t\\u0061g':[{'code':'a'}," TAG "]},'photo':[{'url':'Binary/1'}]}");
    same_text(viewed("'tag':[]", FHIR_SUMMARY_FALSE, "photo"), HEAD ",'tag':[" TAG "]},'photo':[{'url':'Binary/1'}]}");
    same_text(viewed("'source':'tag'", FHIR_SUMMARY_FALSE, "photo"),
              HEAD ",'tag':[" TAG "],'source':'tag'},'photo':[{'url':'Binary/1'}]}");
    same_text(viewed("'extension':[{'tag':[1]}]", FHIR_SUMMARY_FALSE, "photo"),
              HEAD ",'tag':[" TAG "],'extension':[{'tag':[1]}]},'photo':[{'url':'Binary/1'}]}");
}

static void test_edits_in_views(void)
{
    fhir_resource_t what =
        resource("", "'photo':[{'url':'Binary/1'}],'active':true,'contact':[{'x':'Binary/2'}],'unknown':7");
    fhir_view_t view = {FHIR_SUMMARY_FALSE, "photo,unknown"};
    apr_array_header_t *list = no_edits();
    add_edit(list, 16, 10, "'https://signed'");
    add_edit(list, 26, 0, ",'size':1");
    add_edit(list, 59, 10, "'gone'");
    add_edit(list, 82, 1, "8");
    same_text(rendered(&what, list, &view),
              HEAD ",'tag':[" TAG "]},'photo':[{'url':'https://signed','size':1}],'unknown':8}");
}

/* What is read and written back is stored as before. */
static void test_round_trip(void)
{
    static const char TEXT[] =
        "{'resourceType':'Patient','meta':{'profile':['p']},'photo':[{'url':'Binary/1','size':1},"
        "{'title':'\\u00e9'},{'url':'Binary/2/_history/3'}],'x':0.10}";
    fhir_store_resource_t first = prepared(TEXT);
    fhir_store_resource_t again;
    apr_array_header_t *list = no_edits();
    fhir_resource_t what = resource("", "");
    int i;
    what.meta = first.meta;
    what.body = first.body;
    what.body_length = first.body_length;
    for (i = 0; i < first.attachments->nelts; i++) {
        const fhir_attachment_t *found = &APR_ARRAY_IDX(first.attachments, i, fhir_attachment_t);
        add_edit(list, (apr_size_t)found->url_offset, (apr_size_t)found->url_length,
                 apr_pstrcat(pool, "'https://fhir.example.org/fhir/R4/Binary/", found->binary_id,
                             found->binary_version_id ? "/_history/3" : "", "'", NULL));
    }
    CU_ASSERT_EQUAL(list->nelts, 2);
    again = prepared(rendered(&what, list, NULL));
    CU_ASSERT_STRING_EQUAL(again.body, first.body);
    CU_ASSERT_STRING_EQUAL(again.meta, first.meta);
}

/* Ids and types go through JSON escaping whatever they are. */
static void test_escaped(void)
{
    fhir_resource_t what = resource("", "");
    what.id = "a\"b";
    CU_ASSERT_PTR_NOT_NULL(strstr(rendered(&what, NULL, NULL), "\"id\":\"a\\\"b\""));
}

/* Ten thousand attachments signed, filled in and read in a view. */
static void test_many(void)
{
    fhir_text_t text;
    apr_array_header_t *list = no_edits();
    fhir_view_t view = {FHIR_SUMMARY_FALSE, "photo"};
    fhir_store_resource_t stored;
    fhir_resource_t what = resource("", "");
    clock_t start;
    int i;
    fhir_text_init(&text, pool);
    fhir_text_add(&text, "{\"resourceType\":\"Patient\",\"active\":true,\"photo\":[");
    for (i = 0; i < 10000; i++) {
        fhir_text_addf(&text, "%s{\"url\":\"Binary/%d\"}", i ? "," : "", i);
    }
    fhir_text_add(&text, "]}");
    stored = prepared(text.text);
    CU_ASSERT_EQUAL_FATAL(stored.attachments->nelts, 10000);
    for (i = 0; i < 10000; i++) {
        const fhir_attachment_t *found = &APR_ARRAY_IDX(stored.attachments, i, fhir_attachment_t);
        add_edit(list, (apr_size_t)found->url_offset, (apr_size_t)found->url_length, "'https://signed.example/'");
        add_edit(list, (apr_size_t)found->end_offset, 0, ",'size':12345");
    }
    what.body = stored.body;
    what.body_length = stored.body_length;
    start = clock();
    CU_ASSERT_PTR_NOT_NULL(strstr(rendered(&what, list, NULL), "\"https://signed.example/\",\"size\":12345}]}"));
    CU_ASSERT_PTR_NULL(strstr(rendered(&what, list, &view), "Binary/"));
    CU_ASSERT((double)(clock() - start) / CLOCKS_PER_SEC < 10);
}

static const fhir_unit_test_t tests[] = {{"whole", test_whole},
                                         {"edits", test_edits},
                                         {"wrong edits", test_wrong_edits},
                                         {"_summary", test_summaries},
                                         {"_elements", test_elements},
                                         {"mandatory elements", test_mandatory},
                                         {"complete view", test_complete_view},
                                         {"tags", test_tags},
                                         {"edits in views", test_edits_in_views},
                                         {"round trip", test_round_trip},
                                         {"escaped", test_escaped},
                                         {"many attachments", test_many},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("resource_render", tests)
