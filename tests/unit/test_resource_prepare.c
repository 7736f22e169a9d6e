/* What is stored of a resource: what changes, what must not, and where its attachments are. */
#include "resource_help.h"

#include <time.h>

#define BASE "https://fhir.example.org/fhir/R4/"
#define STORAGE "https://fhir.example.org/storage/"

static const fhir_attachment_t *attachment(const fhir_store_resource_t *stored, int index)
{
    return &APR_ARRAY_IDX(stored->attachments, index, fhir_attachment_t);
}

/* Every offset leads to what it says; the document is that of the body. */
static void check_offsets(const fhir_store_resource_t *stored)
{
    int before = -1;
    int i;
    CU_ASSERT_EQUAL(stored->document->length, stored->body_length + 2);
    CU_ASSERT(!memcmp(stored->document->text + 1, stored->body, stored->body_length));
    CU_ASSERT_EQUAL(stored->body[stored->body_length], '\0');
    for (i = 0; i < stored->attachments->nelts; i++) {
        const fhir_attachment_t *found = attachment(stored, i);
        const char *url = stored->body + found->url_offset;
        const fhir_json_document_t *value = NULL;
        const char *written = apr_pstrmemdup(pool, url, (apr_size_t)found->url_length);
        const char *expected =
            apr_pstrcat(pool, "Binary/", found->binary_id, found->binary_version_id ? "/_history/" : NULL,
                        found->binary_version_id, NULL);
        CU_ASSERT(found->url_offset > before && found->url_length > 2);
        FHIR_ASSERT_OK(fhir_json_parse(&value, written, strlen(written), &fhir_json_resource_limits, pool));
        CU_ASSERT(value && fhir_json_equals(value, 0, expected));
        CU_ASSERT(found->end_offset > 0 && (apr_size_t)found->end_offset < stored->body_length);
        CU_ASSERT_EQUAL(stored->body[found->end_offset], '}');
        before = found->url_offset;
    }
}

static void same_body(const fhir_store_resource_t *stored, const char *expected)
{
    expected = quoted(expected);
    if (strcmp(stored->body, expected) != 0) {
        printf("body: %s\ninstead of %s\n", stored->body, expected);
    }
    CU_ASSERT_STRING_EQUAL(stored->body, expected);
    CU_ASSERT_EQUAL(stored->body_length, strlen(expected));
    check_offsets(stored);
}

static void becomes(const char *text, const char *meta, const char *body)
{
    fhir_store_resource_t stored = prepared(text);
    CU_ASSERT_STRING_EQUAL(stored.meta, quoted(meta));
    same_body(&stored, body);
}

static void test_own_members(void)
{
    becomes("{'resourceType':'Patient'}", "", "");
    becomes("{'resourceType':'Patient','id':'1','meta':{'versionId':'1','lastUpdated':'x'}}", "", "");
    becomes("{'active':true,'resourceType':'Patient'}", "", "'active':true");
    becomes(" { 'b' : 1 , 'resourceType' : 'Patient' , 'a' : [ 1 , 2 ] } ", "", "'b' : 1,'a' : [ 1 , 2 ]");
    becomes("{'id':'1','name':[{'id':'n','meta':1}],'resourceType':'Patient','_id':{'id':'x'}}", "",
            "'name':[{'id':'n','meta':1}],'_id':{'id':'x'}");
    becomes("{'\\u0069d':'1','resource\\u0054ype':'Patient','\\u006deta':{'version\\u0049d':'1'}}", "", "");
}

static void test_metas(void)
{
    becomes("{'resourceType':'Patient','meta':{ 'versionId' : '1', 'profile' : [ 'p' ] , 'lastUpdated':'x','x':0.10 }}",
            "'profile' : [ 'p' ],'x':0.10", "");
    becomes("{'resourceType':'Patient','meta':{'_lastUpdated':{'id':'x'}},'active':true}", "'_lastUpdated':{'id':'x'}",
            "'active':true");
    /* What lies in meta has no offset in the body: its URL is normalised, but it is no link. */
    becomes("{'resourceType':'Patient','photo':[{'url':'Binary/2'}],'meta':{'extension':[{'url':'e','valueAttachment':"
            "{'url':'" BASE "Binary/1'}}]}}",
            "'extension':[{'url':'e','valueAttachment':{'url':'Binary/1'}}]", "'photo':[{'url':'Binary/2'}]");
    becomes("{'meta':{'extension':[{'url':'e','valueAttachment':{'url':'" BASE
            "Binary/1'}}],'source':'s'},'photo':[{'url':'" BASE "Binary/2'}],'resourceType':'Patient'}",
            "'extension':[{'url':'e','valueAttachment':{'url':'Binary/1'}}],'source':'s'",
            "'photo':[{'url':'Binary/2'}]");
}

static void test_fidelity_of_text(void)
{
    static const char BODY[] =
        "'valueQuantity':{'value':0.10,'x':12345678901234567890,'y':1E+2,'z':-0},'note':[{'text':'a\\u00e9\\/\\n"
        "\\ud83d\\ude00 \xc3\xa9'}],'unk\\u0020nown':{ 'url':\n\t'" BASE "Binary/1'\r\n},'e':[null,true,false,[[1]]]";
    becomes(apr_pstrcat(pool, "{'resourceType':'Observation',", BODY, "}", NULL), "", BODY);
    becomes(apr_pstrcat(pool, "{", BODY, ",'resourceType':'Observation'}", NULL), "", BODY);
}

static void test_urls(void)
{
    static const char *const TABLE[][2] = {{"Binary/1", "Binary/1"},
                                           {BASE "Binary/1", "Binary/1"},
                                           {STORAGE "1", "Binary/1"},
                                           {STORAGE "1/2", "Binary/1"},
                                           {STORAGE "1/2?Expires=1&Signature=false", "Binary/1"},
                                           {"Binary/1/_history/2", "Binary/1/_history/2"},
                                           {BASE "Binary/1/_history/2", "Binary/1/_history/2"},
                                           {"Binary\\/1", "Binary\\/1"},
                                           {"\\u0042inary/1", "\\u0042inary/1"},
                                           {"https:\\/\\/fhir.example.org\\/fhir\\/R4\\/Binary\\/1", "Binary/1"},
                                           {"https://fhir.ex\\u0061mple.org/storage/1?x", "Binary/1"},
                                           {"HTTPS://FHIR.EXAMPLE.ORG:443/fhir/R4/Binary/1", "Binary/1"},
                                           {"Binary/unknown", "Binary/unknown"}};
    static const char *const KEPT[] = {"/Binary/1",
                                       "binary/1",
                                       "Binary/1?x=1",
                                       "Binary/1#f",
                                       "https://other.example/fhir/R4/Binary/1",
                                       "http://127.0.0.1/fhir/R4/Binary/1",
                                       "https:\\/\\/other.example\\/a.png",
                                       ("urn:uuid:" UUID_A),
                                       "#here"};
    apr_size_t i;
    for (i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        fhir_store_resource_t stored =
            prepared(apr_pstrcat(pool, "{'resourceType':'Patient','photo':[{'url' : '", TABLE[i][0], "' }]}", NULL));
        same_body(&stored, apr_pstrcat(pool, "'photo':[{'url' : '", TABLE[i][1], "' }]", NULL));
        CU_ASSERT_EQUAL(stored.attachments->nelts, 1);
    }
    for (i = 0; i < sizeof(KEPT) / sizeof(KEPT[0]); i++) {
        fhir_store_resource_t stored =
            prepared(apr_pstrcat(pool, "{'resourceType':'Patient','photo':[{'url':'", KEPT[i], "'}]}", NULL));
        same_body(&stored, apr_pstrcat(pool, "'photo':[{'url':'", KEPT[i], "'}]", NULL));
        CU_ASSERT_EQUAL(stored.attachments->nelts, 0);
    }
}

static int pinned(void *baton, const char *binary_id, const char *version_id)
{
    CU_ASSERT_STRING_EQUAL(binary_id, "1");
    return !strcmp(version_id, baton);
}

/* A signed URL that was read from a pinned attachment becomes that pin again. */
static void test_pins(void)
{
    char version[] = "2";
    fhir_prepare_t how = {.addresses = &addresses, .pinned = pinned, .pinned_baton = version};
    fhir_store_resource_t stored =
        prepared_by(quoted("{'resourceType':'Patient','photo':[{'url':'" STORAGE "1/2?x'},{'url':'" STORAGE
                           "1/3?x'},{'url':'" STORAGE "1'},{'url':'Binary/1'},{'url':'Binary/1/_history/3'}]}"),
                    &how);
    same_body(&stored, "'photo':[{'url':'Binary/1/_history/2'},{'url':'Binary/1'},{'url':'Binary/1'},{'url':'Binary/"
                       "1'},{'url':'Binary/1/_history/3'}]");
    CU_ASSERT_EQUAL(stored.attachments->nelts, 5);
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 0)->binary_version_id, "2");
    CU_ASSERT_PTR_NULL(attachment(&stored, 1)->binary_version_id);
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 4)->binary_version_id, "3");
}

/* The one attachment of the resource is there, its long URL was made short, and this is its path. */
static void found_at(const char *path, const char *text)
{
    fhir_store_resource_t stored = prepared(text);
    check_offsets(&stored);
    CU_ASSERT_EQUAL_FATAL(stored.attachments->nelts, 1);
    if (strcmp(attachment(&stored, 0)->path, path) != 0) {
        printf("%s instead of %s\n", attachment(&stored, 0)->path, path);
    }
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 0)->path, path);
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 0)->binary_id, "1");
    CU_ASSERT_PTR_NULL(strstr(stored.body, STORAGE));
}

#define OURS "{'url':'" STORAGE "1/2?x=y&z'}"

static void test_places(void)
{
    found_at("Patient.photo[0]", "{'resourceType':'Patient','photo':[" OURS "]}");
    found_at("Patient.photo[2]", "{'resourceType':'Patient','photo':[{'title':'x'},null," OURS "]}");
    found_at("Patient.photo[0]", "{'resourceType':'Patient','\\u0070hoto':[" OURS "]}");
    found_at("Media.content", "{'content':" OURS ",'resourceType':'Media','status':'completed'}");
    found_at("Communication.payload[1].contentAttachment",
             "{'resourceType':'Communication','payload':[{'contentString':'x'},{'contentAttachment':" OURS "}]}");
    found_at("DocumentReference.content[0].attachment",
             "{'resourceType':'DocumentReference','content':[{'attachment':" OURS "}]}");
    found_at("DiagnosticReport.presentedForm[0]", "{'resourceType':'DiagnosticReport','presentedForm':[" OURS "]}");
    found_at("Consent.sourceAttachment", "{'resourceType':'Consent','sourceAttachment':" OURS "}");
    found_at("QuestionnaireResponse.item[0].item[1].answer[0].item[0].answer[0].valueAttachment",
             "{'resourceType':'QuestionnaireResponse','item':[{'item':[{'linkId':'x'},{'answer':[{'item':[{'answer':["
             "{'valueAttachment':" OURS "}]}]}]}]}]}");
    found_at("Task.input[0].valueAttachment", "{'resourceType':'Task','input':[{'valueAttachment':" OURS "}]}");
    found_at("Parameters.parameter[0].part[0].valueAttachment",
             "{'resourceType':'Parameters','parameter':[{'part':[{'name':'x','valueAttachment':" OURS "}]}]}");
    found_at("Parameters.parameter[0].resource.photo[0]",
             "{'resourceType':'Parameters','parameter':[{'name':'x','resource':{'photo':[" OURS
             "],'resourceType':'Patient'}}]}");
    found_at("Patient.contained[0].content",
             "{'resourceType':'Patient','contained':[{'resourceType':'Media','id':'m','content':" OURS "}]}");
    found_at("Bundle.entry[1].resource.photo[0]",
             "{'resourceType':'Bundle','entry':[{'fullUrl':'x'},{'resource':{'resourceType':'Patient','photo':[" OURS
             "]}}]}");
}

static void test_extensions(void)
{
    found_at("Patient.extension[0].valueAttachment",
             "{'resourceType':'Patient','extension':[{'url':'Binary/9','valueAttachment':" OURS "}]}");
    found_at("Patient.extension[0].extension[0].valueAttachment",
             "{'resourceType':'Patient','extension':[{'url':'a','extension':[{'url':'b','valueAttachment':" OURS
             "}]}]}");
    found_at("Patient.modifierExtension[0].valueAttachment",
             "{'resourceType':'Patient','modifierExtension':[{'url':'a','valueAttachment':" OURS "}]}");
    found_at("Patient.name[0].extension[0].valueAttachment",
             "{'resourceType':'Patient','name':[{'extension':[{'url':'a','valueAttachment':" OURS "}]}]}");
    found_at("Patient._birthDate.extension[0].valueAttachment",
             "{'resourceType':'Patient','_birthDate':{'extension':[{'url':'a','valueAttachment':" OURS "}]}}");
    found_at("Patient.name[0]._given[1].extension[0].valueAttachment",
             "{'resourceType':'Patient','name':[{'given':['a','b'],'_given':[null,{'extension':[{'url':'a',"
             "'valueAttachment':" OURS "}]}]}]}");
    found_at("Patient.photo[0]._title.extension[0].valueAttachment",
             "{'resourceType':'Patient','photo':[{'_title':{'extension':[{'url':'a','valueAttachment':" OURS "}]}}]}");
}

/* An attachment in an extension of an attachment: in order of the text, each with its own end. */
static void test_nested(void)
{
    fhir_store_resource_t stored =
        prepared("{'resourceType':'Patient','photo':[{'extension':[{'url':'a','valueAttachment':{'url':'" BASE
                 "Binary/1','title':'x'}}],'url':'" BASE "Binary/2','extra':0},{'url':'" BASE
                 "Binary/3','extension':[{'url':'a','valueAttachment':{'url':'" BASE "Binary/4'}}]}]}");
    same_body(&stored, "'photo':[{'extension':[{'url':'a','valueAttachment':{'url':'Binary/1','title':'x'}}],'url':"
                       "'Binary/2','extra':0},{'url':'Binary/3','extension':[{'url':'a','valueAttachment':{'url':"
                       "'Binary/4'}}]}]");
    CU_ASSERT_EQUAL_FATAL(stored.attachments->nelts, 4);
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 0)->binary_id, "1");
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 1)->binary_id, "2");
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 2)->binary_id, "3");
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 3)->binary_id, "4");
    CU_ASSERT(attachment(&stored, 0)->end_offset < attachment(&stored, 1)->url_offset);
    CU_ASSERT(attachment(&stored, 2)->end_offset > attachment(&stored, 3)->end_offset);
}

static void untouched(const char *body, const char *type)
{
    fhir_store_resource_t stored = prepared(apr_pstrcat(pool, "{'resourceType':'", type, "',", body, "}", NULL));
    same_body(&stored, body);
    CU_ASSERT_EQUAL(stored.attachments->nelts, 0);
}

static void test_other_urls(void)
{
    untouched("'extension':[{'url':'" BASE "Binary/1','valueString':'x'}]", "Patient");
    untouched("'extension':[{'url':'x','valueUrl':'" BASE "Binary/1'}]", "Patient");
    untouched("'extension':[{'url':'x','valueReference':{'reference':'" BASE "Binary/1'}}]", "Patient");
    untouched("'url':'" BASE "Binary/1'", "ValueSet");
    untouched("'address':'" BASE "Binary/1'", "Endpoint");
    untouched("'link':[{'relation':'self','url':'" BASE "Binary/1'}]", "Bundle");
    untouched("'entry':[{'fullUrl':'" BASE "Binary/1','request':{'url':'" BASE "Binary/1'}}]", "Bundle");
    untouched("'url':'" BASE "Binary/1','photo':{'x':1},'Photo':[{'url':'" BASE "Binary/1'}]", "Patient");
    untouched("'unknown':{'valueAttachment':{'url':'" BASE "Binary/1'}}", "Patient");
    untouched("'photo':[{'data':'" BASE "Binary/1'},{'title':'Binary/1'}]", "Patient");
    untouched("'_gender':{'valueAttachment':{'url':'" BASE "Binary/1'}}", "Patient");
    untouched("'_unknown':{'extension':[{'url':'x','valueAttachment':{'url':'" BASE "Binary/1'}}]}", "Patient");
    untouched("'photo':[{'x':{'url':'" BASE "Binary/1'}}]", "Patient");
}

static void test_present(void)
{
    fhir_store_resource_t stored =
        prepared("{'resourceType':'Patient','photo':[{'url':'Binary/1'},{'contentType':'a','url':'Binary/2','size':1,"
                 "'hash':'h','title':'t','creation':'2020'},{'size':1,'url':'Binary/3'},{'title':'t','url':'Binary/4',"
                 "'_size':{'id':'x'}},{'url':'Binary/5','data':'YQ==','cont\\u0065ntType':'x'}]}");
    CU_ASSERT_EQUAL_FATAL(stored.attachments->nelts, 5);
    CU_ASSERT_EQUAL(attachment(&stored, 0)->present, 0);
    CU_ASSERT_EQUAL(attachment(&stored, 1)->present, 31);
    CU_ASSERT_EQUAL(attachment(&stored, 2)->present, FHIR_ATTACHMENT_SIZE);
    CU_ASSERT_EQUAL(attachment(&stored, 3)->present, FHIR_ATTACHMENT_TITLE);
    CU_ASSERT_EQUAL(attachment(&stored, 4)->present, FHIR_ATTACHMENT_CONTENT_TYPE);
    check_offsets(&stored);
}

static void test_exact_offsets(void)
{
    fhir_store_resource_t stored = prepared(
        "{'x':'\xc3\xa9','resourceType':'Patient','photo':[{ 'url' : 'Binary/1' , 'title':'}' } ],'id':'7','y':1}");
    same_body(&stored, "'x':'\xc3\xa9','photo':[{ 'url' : 'Binary/1' , 'title':'}' } ],'y':1");
    CU_ASSERT_EQUAL_FATAL(stored.attachments->nelts, 1);
    CU_ASSERT_EQUAL(attachment(&stored, 0)->url_offset, 28);
    CU_ASSERT_EQUAL(attachment(&stored, 0)->url_length, 10);
    CU_ASSERT_EQUAL(attachment(&stored, 0)->end_offset, 53);
    stored = prepared("{'resourceType':'Media','content':{'url':'" BASE "Binary/1'}}");
    same_body(&stored, "'content':{'url':'Binary/1'}");
    CU_ASSERT_EQUAL(attachment(&stored, 0)->url_offset, 17);
    CU_ASSERT_EQUAL(attachment(&stored, 0)->end_offset, 27);
}

/* ---- references of a transaction ---- */

static const char *resolver(void *baton, const char *value)
{
    ++*(int *)baton;
    if (!strcmp(value, "urn:uuid:" UUID_A)) {
        return "Patient/1";
    }
    if (!strcmp(value, "urn:uuid:" UUID_B)) {
        return "Binary/2";
    }
    if (!strcmp(value, "http://x.example/?a=1&b=2")) {
        return "Patient?a=\"1\"&b";
    }
    return strncmp(value, "stored:", 7) ? NULL : STORAGE "3/4?Expires=1";
}

static void resolves(const char *body, const char *expected)
{
    int calls = 0;
    fhir_prepare_t how = {.addresses = &addresses, .resolve = resolver};
    fhir_store_resource_t stored;
    how.resolve_baton = &calls;
    stored = prepared_by(quoted(apr_pstrcat(pool, "{'resourceType':'Communication',", body, "}", NULL)), &how);
    same_body(&stored, expected);
}

static void test_references(void)
{
    resolves("'subject':{'reference':'urn:uuid:" UUID_A "'}", "'subject':{'reference':'Patient/1'}");
    resolves("'subject':{'reference':'urn:\\u0075uid:" UUID_A "','display':'urn:uuid:" UUID_A "'}",
             "'subject':{'reference':'Patient/1','display':'urn:uuid:" UUID_A "'}");
    resolves("'subject':{'reference':'urn:uuid:other'}", "'subject':{'reference':'urn:uuid:other'}");
    resolves("'basedOn':[{'reference':'urn:uuid:" UUID_A "'},{'reference':'Task\\/1'},{'reference':'urn:uuid:" UUID_B
             "'}]",
             "'basedOn':[{'reference':'Patient/1'},{'reference':'Task\\/1'},{'reference':'Binary/2'}]");
    resolves("'payload':[{'contentReference':{'reference':'urn:uuid:" UUID_A "'}}]",
             "'payload':[{'contentReference':{'reference':'Patient/1'}}]");
    resolves("'instantiatesUri':['urn:uuid:" UUID_A "'],'identifier':[{'system':'urn:uuid:" UUID_A
             "','value':'urn:uuid:" UUID_A "'}]",
             "'instantiatesUri':['Patient/1'],'identifier':[{'system':'Patient/1','value':'urn:uuid:" UUID_A "'}]");
    resolves("'extension':[{'url':'x','valueUri':'urn:uuid:" UUID_A "'},{'url':'x','valueString':'urn:uuid:" UUID_A
             "'}]",
             "'extension':[{'url':'x','valueUri':'Patient/1'},{'url':'x','valueString':'urn:uuid:" UUID_A "'}]");
    resolves("'contained':[{'resourceType':'Media','subject':{'reference':'urn:uuid:" UUID_A "'}}]",
             "'contained':[{'resourceType':'Media','subject':{'reference':'Patient/1'}}]");
    resolves("'unknown':{'reference':'urn:uuid:" UUID_A "'}", "'unknown':{'reference':'urn:uuid:" UUID_A "'}");
}

static const char *reference_resolver(void *baton, const char *value)
{
    (void)baton;
    return strcmp(value, "Patient?identifier=1") ? NULL : "Patient/7";
}

/* Conditional references are taken in Reference.reference and nowhere else. */
static void test_reference_resolver(void)
{
    fhir_prepare_t how = {.addresses = &addresses, .resolve_reference = reference_resolver};
    fhir_store_resource_t stored;
    int calls = 0;
    static const char TEXT[] = "{'resourceType':'Communication','subject':{'reference':'Patient?identifier=1'},"
                               "'instantiatesUri':['Patient?identifier=1'],'payload':[{'contentAttachment':{'url':"
                               "'Patient?identifier=1'}}],'sender':{'reference':'urn:uuid:" UUID_A "'}}";
    static const char BODY[] = "'subject':{'reference':'Patient/7'},'instantiatesUri':['Patient?identifier=1'],"
                               "'payload':[{'contentAttachment':{'url':'Patient?identifier=1'}}],'sender':{"
                               "'reference':'urn:uuid:" UUID_A "'}";
    stored = prepared_by(quoted(TEXT), &how);
    same_body(&stored, BODY);
    how.resolve = resolver;
    how.resolve_baton = &calls;
    stored = prepared_by(quoted(TEXT), &how);
    same_body(&stored, BODY);
}

static void test_attachments_of_transactions(void)
{
    resolves("'payload':[{'contentAttachment':{'url':'urn:uuid:" UUID_B "'}},{'contentAttachment':{'url':'" BASE
             "Binary/9'}}]",
             "'payload':[{'contentAttachment':{'url':'Binary/2'}},{'contentAttachment':{'url':'Binary/9'}}]");
    resolves("'payload':[{'contentAttachment':{'url':'stored:x'}}]",
             "'payload':[{'contentAttachment':{'url':'Binary/3'}}]");
    resolves("'payload':[{'contentAttachment':{'url':'urn:uuid:" UUID_A "'}}]",
             "'payload':[{'contentAttachment':{'url':'Patient/1'}}]");
}

/* The XHTML has both kinds of quotes: in the table `~` stands for ", which is \" in the JSON. */
static const char *xhtml(const char *text)
{
    fhir_text_t made;
    fhir_text_init(&made, pool);
    for (; *text; text++) {
        fhir_text_add(&made, *text == '~' ? "\\\"" : apr_pstrndup(pool, text, 1));
    }
    return apr_pstrcat(pool, "\"text\":{\"status\":\"generated\",\"div\":\"", made.text, "\"}", NULL);
}

static void test_narratives(void)
{
    static const char *const TABLE[][2] = {
        {"<div><a href=~urn:uuid:" UUID_A "~>x</a></div>", "<div><a href=~Patient/1~>x</a></div>"},
        {"<div><img alt=~a~ src='urn:uuid:" UUID_B "'/></div>", "<div><img alt=~a~ src='Binary/2'/></div>"},
        {"<a\\n\\thref = ~urn:uuid:" UUID_A "~ ><img src=~urn:uuid:" UUID_B "~ /></a>",
         "<a\\n\\thref = ~Patient/1~ ><img src=~Binary/2~ /></a>"},
        {"<a href=~http://x.example/?a=1&amp;b=2~/>", "<a href=~Patient?a=&quot;1&quot;&amp;b~/>"},
        {"<a title=~ href='urn:uuid:" UUID_A "'~ data-src=~urn:uuid:" UUID_A "~/>",
         "<a title=~ href='urn:uuid:" UUID_A "'~ data-src=~urn:uuid:" UUID_A "~/>"},
        {"<p>href=~urn:uuid:" UUID_A "~</p>", "<p>href=~urn:uuid:" UUID_A "~</p>"},
        {"<!-- <a href=~urn:uuid:" UUID_A "~/> --><a href=~x~/>",
         "<!-- <a href=~urn:uuid:" UUID_A "~/> --><a href=~x~/>"},
        {"<a href=~urn:uuid:" UUID_A "~ \\u00e9=~1~>\\/</a>", "<a href=~Patient/1~ \xc3\xa9=~1~>/</a>"},
        /* broken */
        {"<a href=~urn:uuid:" UUID_A, "<a href=~urn:uuid:" UUID_A},
        {"<a href=urn:uuid:" UUID_A ">", "<a href=urn:uuid:" UUID_A ">"},
        {"<a href=", "<a href="},
        {"<a href", "<a href"},
        {"<", "<"},
        {"<!--", "<!--"},
        {"<a ~'=/~ href=~urn:uuid:" UUID_A "~", "<a ~'=/~ href=~Patient/1~"}};
    apr_size_t i;
    for (i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++) {
        int calls = 0;
        fhir_prepare_t how = {.addresses = &addresses, .resolve = resolver};
        fhir_store_resource_t stored;
        how.resolve_baton = &calls;
        stored =
            prepared_by(apr_pstrcat(pool, "{\"resourceType\":\"Communication\",", xhtml(TABLE[i][0]), "}", NULL), &how);
        if (strcmp(stored.body, xhtml(TABLE[i][1])) != 0) {
            printf("%s\ninstead of %s\n", stored.body, xhtml(TABLE[i][1]));
        }
        CU_ASSERT_STRING_EQUAL(stored.body, xhtml(TABLE[i][1]));
    }
}

/* ---- an entry of a Bundle ---- */

static void test_entry(void)
{
    const fhir_json_document_t *document =
        parsed(quoted("{'resourceType':'Bundle','entry':[{'resource':{'resourceType':'Patient','photo':[{'url':'" BASE
                      "Binary/8'}]}},{'resource':{'meta':{'source':'s'},'resourceType':'Patient','photo':[{'url':'" BASE
                      "Binary/1'}],'last':1}},{'resource':{'resourceType':'Patient'}}]}"));
    int first = fhir_json_first(document, fhir_json_member(document, 0, "entry"));
    int resource = fhir_json_member(document, document->nodes[first].next, "resource");
    fhir_prepare_t how = {.addresses = &addresses};
    fhir_store_resource_t stored;
    fhir_sent_resource_t sent;
    FHIR_ASSERT_OK(fhir_resource_check(&sent, document, resource, NULL, pool));
    FHIR_ASSERT_OK(fhir_resource_prepare(&stored, &sent, &how, pool));
    CU_ASSERT_STRING_EQUAL(stored.meta, "\"source\":\"s\"");
    same_body(&stored, "'photo':[{'url':'Binary/1'}],'last':1");
    CU_ASSERT_EQUAL(stored.attachments->nelts, 1);
    CU_ASSERT_STRING_EQUAL(attachment(&stored, 0)->path, "Patient.photo[0]");
}

/* ---- token by token ---- */

static unsigned dice(unsigned *seed, unsigned sides)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % sides;
}

static void random_value(fhir_text_t *text, unsigned *seed, int depth)
{
    static const char *const SCALARS[] = {"0.10",         "-0",
                                          "1E+2",         "12345678901234567890123",
                                          "true",         "false",
                                          "\"a\\/b\"",    "\"\\u00e9\\ud83d\\ude00\\\"\\\\\"",
                                          "\"\xc3\xa9\"", "\"https://fhir.example.org/fhir/R4/Binary/1\"",
                                          "\"Binary/1\""};
    static const char *const SPACES[] = {"", "", " ", "\n\t", "\r\n  "};
    static const char *const NAMES[] = {"url", "photo", "id", "extension", "valueAttachment", "meta", "x"};
    unsigned kind = depth > 5 ? 0 : dice(seed, 4);
    unsigned count = 1 + dice(seed, 4);
    unsigned i;
    if (kind < 2) {
        fhir_text_add(text, SCALARS[dice(seed, sizeof(SCALARS) / sizeof(SCALARS[0]))]);
        return;
    }
    fhir_text_add(text, kind == 2 ? "{" : "[");
    for (i = 0; i < count; i++) {
        fhir_text_add(text, i ? "," : "");
        fhir_text_add(text, SPACES[dice(seed, 5)]);
        if (kind == 2) {
            fhir_text_addf(text, "\"%s%u\"%s:", NAMES[dice(seed, 7)], i, SPACES[dice(seed, 5)]);
            fhir_text_add(text, SPACES[dice(seed, 5)]);
        }
        random_value(text, seed, depth + 1);
        fhir_text_add(text, SPACES[dice(seed, 5)]);
    }
    fhir_text_add(text, kind == 2 ? "}" : "]");
}

/* Unknown members of any shape: each is stored byte for byte. */
static void test_token_by_token(void)
{
    unsigned seed = 3;
    int round;
    for (round = 0; round < 300; round++) {
        fhir_text_t sent;
        fhir_text_t expected;
        fhir_store_resource_t stored;
        fhir_prepare_t how = {.addresses = &addresses};
        unsigned count = dice(&seed, 6);
        unsigned at = dice(&seed, 7);
        unsigned i;
        fhir_text_init(&sent, pool);
        fhir_text_init(&expected, pool);
        fhir_text_add(&sent, "{");
        for (i = 0; i < count; i++) {
            fhir_text_t member;
            fhir_text_init(&member, pool);
            fhir_text_addf(&member, "\"member%u\" : ", i);
            random_value(&member, &seed, 0);
            fhir_text_add(&sent, i == at ? "\"resourceType\":\"Patient\" , " : " ");
            fhir_text_addf(&sent, "%s ,", member.text);
            fhir_text_addf(&expected, "%s%s", i ? "," : "", member.text);
        }
        fhir_text_add(&sent, at < count ? "\"id\":\"1\"}" : "\"resourceType\":\"Patient\"}");
        stored = prepared_by(sent.text, &how);
        CU_ASSERT_STRING_EQUAL(stored.body, expected.text);
        check_offsets(&stored);
    }
}

/* ---- many ---- */

static double seconds_for(int count)
{
    fhir_text_t text;
    fhir_store_resource_t stored;
    fhir_prepare_t how = {.addresses = &addresses};
    clock_t start;
    int i;
    fhir_text_init(&text, pool);
    fhir_text_add(&text, "{\"resourceType\":\"Patient\",\"photo\":[");
    for (i = 0; i < count; i++) {
        fhir_text_addf(&text, "%s{\"url\":\"" BASE "Binary/%d\"}", i ? "," : "", i);
    }
    fhir_text_add(&text, "]}");
    start = clock();
    stored = prepared_by(text.text, &how);
    CU_ASSERT_EQUAL_FATAL(stored.attachments->nelts, count);
    CU_ASSERT_STRING_EQUAL(attachment(&stored, count - 1)->path, apr_psprintf(pool, "Patient.photo[%d]", count - 1));
    CU_ASSERT_STRING_EQUAL(attachment(&stored, count - 1)->binary_id, apr_psprintf(pool, "%d", count - 1));
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Eight times as many may not cost 64 times as much; a busy machine gets more than one try. */
static void test_many(void)
{
    int tries = 5;
    int linear = 0;
    while (tries-- > 0 && !linear) {
        double few = seconds_for(10000);
        linear = seconds_for(80000) < few * 24 + 0.01;
    }
    CU_ASSERT(linear);
}

static void test_too_many(void)
{
    static const char PHOTOS[] = "{\"resourceType\":\"Patient\",\"photo\":[{\"url\":\"Binary/1\"},"
                                 "{\"url\":\"https://elsewhere.example/1\"},{\"url\":\"Binary/2\"}]}";
    fhir_store_resource_t stored = {0};
    fhir_sent_resource_t sent;
    fhir_prepare_t how = {.addresses = &addresses, .attachments_max = 2};
    FHIR_ASSERT_OK(fhir_resource_check(&sent, parsed(PHOTOS), 0, "Patient", pool));
    FHIR_ASSERT_OK(fhir_resource_prepare(&stored, &sent, &how, pool));
    CU_ASSERT_EQUAL(stored.attachments->nelts, 2);
    how.attachments_max = 1;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, fhir_resource_prepare(&stored, &sent, &how, pool));
}

static const fhir_unit_test_t tests[] = {{"own members", test_own_members},
                                         {"meta", test_metas},
                                         {"numbers, escapes, white space", test_fidelity_of_text},
                                         {"attachment URLs", test_urls},
                                         {"pins", test_pins},
                                         {"places of attachments", test_places},
                                         {"extensions", test_extensions},
                                         {"attachments in attachments", test_nested},
                                         {"other URLs", test_other_urls},
                                         {"members that are present", test_present},
                                         {"exact offsets", test_exact_offsets},
                                         {"references", test_references},
                                         {"resolver of references alone", test_reference_resolver},
                                         {"attachments of transactions", test_attachments_of_transactions},
                                         {"narratives", test_narratives},
                                         {"one entry of a Bundle", test_entry},
                                         {"token by token", test_token_by_token},
                                         {"many attachments", test_many},
                                         {"too many attachments", test_too_many},
                                         {NULL, NULL}};
FHIR_UNIT_MAIN("resource_prepare", tests)
