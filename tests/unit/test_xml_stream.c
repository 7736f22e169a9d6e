/* The push XML reader: grammar, namespaces, what it refuses. */
#include "core/base/text.h"
#include "core/fhir/xml_stream.h"
#include "unit.h"

static fhir_error_t *trace(void *baton, const fhir_xml_event_t *event)
{
    fhir_text_t *line = baton;
    int i;
    switch (event->kind) {
    case FHIR_XML_ELEMENT:
        fhir_text_addf(line, "%d<%s%s", event->depth, event->name, event->is_fhir ? "" : "!");
        for (i = 0; i < event->attribute_count; i++) {
            const char *value = event->attributes[i].value;
            fhir_text_addf(line, " %s=%s", event->attributes[i].name, value ? value : "(streamed)");
        }
        fhir_text_add(line, "> ");
        break;
    case FHIR_XML_ELEMENT_END:
        fhir_text_addf(line, "%d</%s> ", event->depth, event->name);
        break;
    case FHIR_XML_DOCTYPE:
        fhir_text_addf(line, "!%s ", event->name);
        break;
    case FHIR_XML_PIECE:
        if (event->length) {
            fhir_text_add_bytes(line, event->text, event->length);
        } else {
            fhir_text_addf(line, "%d(", event->depth);
        }
        break;
    default:
        fhir_text_add(line, ") ");
    }
    return NULL;
}

static fhir_error_t *read_with(const fhir_xml_options_t *options, fhir_text_t *line, const char *text,
                               apr_size_t length, apr_size_t split, apr_size_t piece)
{
    fhir_xml_stream_t *stream;
    apr_size_t at = 0;
    fhir_text_init(line, pool);
    fhir_xml_stream_create(&stream, options, trace, line, pool);
    while (at < length) {
        apr_size_t end = piece ? at + piece : at < split ? split : length;
        fhir_error_t *error = fhir_xml_stream_feed(stream, text + at, end - at);
        if (error) {
            CU_ASSERT_PTR_EQUAL(fhir_xml_stream_feed(stream, " ", 1), error);
            CU_ASSERT_PTR_EQUAL(fhir_xml_stream_finish(stream), error);
            return error;
        }
        at = end;
    }
    return fhir_xml_stream_finish(stream);
}

static const fhir_xml_options_t STRICT = {"data", 65536, 0};

/* The outcome of every split is that of the whole. */
static fhir_error_t *read_every_way(fhir_text_t *whole_line, const char *text, apr_size_t length)
{
    fhir_error_t *whole = read_with(&STRICT, whole_line, text, length, 0, 0);
    apr_size_t split;
    for (split = 0; split < length; split++) {
        fhir_text_t line;
        fhir_error_t *error = read_with(&STRICT, &line, text, length, split, split ? 0 : 1);
        CU_ASSERT_STRING_EQUAL(line.text, whole_line->text);
        CU_ASSERT_STRING_EQUAL(error ? error->public_text : "", whole ? whole->public_text : "");
    }
    return whole;
}

static void test_events(void)
{
    static const char *const cases[][2] = {
        {"<a xmlns='http://hl7.org/fhir'/>", "0<a> 0</a> "},
        {"<a xmlns='http://hl7.org/fhir'><b x='1' y=\"2\"/><b></b ></a>", "0<a> 1<b x=1 y=2> 1</b> 1<b> 1</b> 0</a> "},
        {"<f:a xmlns:f='http://hl7.org/fhir'><b xmlns='http://hl7.org/fhir'/></f:a>", "0<a> 1<b> 1</b> 0</a> "},
        {"<a xmlns='http://hl7.org/fhir' xmlns:o='urn:o'/>", "0<a> 0</a> "},
        {"<a xmlns='http://hl7.org/fhir'><b v='&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&#x20ac;'/></a>",
         "0<a> 1<b v=&<>\"'AB\xe2\x82\xac> 1</b> 0</a> "},
        {"<a xmlns='http://hl7.org/fhir'><b v='1\t2\n3\r\n4\r5&#10;6'/></a>", "0<a> 1<b v=1 2 3 4 5\n6> 1</b> 0</a> "},
        {"<a xmlns='http://hl7.org/fhir'><b v='a>b\"c'/></a>", "0<a> 1<b v=a>b\"c> 1</b> 0</a> "},
        {"<a xmlns='http://hl7.org/fhir'><data id='i' value='x&#65;\ny'/><c><data value='z'/></c></a>",
         "0<a> 1(xA y) 1<data id=i value=(streamed)> 1</data> 1<c> 2<data value=z> 2</data> 1</c> 0</a> "},
        {"<?xml version=\"1.0\" encoding='utf-8' standalone='yes'?><!--a--><a xmlns='http://hl7.org/fhir'><?p q?>"
         "<!-- - --></a><!----> <?x?>",
         "0<a> 0</a> "},
        {"<?xml version = '1.0' ?>\n<a xmlns='http://hl7.org/fhir'/>", "0<a> 0</a> "},
        {NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        fhir_text_t line;
        FHIR_ASSERT_OK(read_every_way(&line, cases[i][0], strlen(cases[i][0])));
        CU_ASSERT_STRING_EQUAL(line.text, cases[i][1]);
        if (strcmp(line.text, cases[i][1]) != 0) {
            printf("%s: %s\n", cases[i][0], line.text);
        }
    }
}

#define A "<a xmlns='http://hl7.org/fhir'>"

static void test_refused(void)
{
    static const char *const cases[][2] = {
        {"", "empty"},
        {" ", "too early"},
        {"x", "one root"},
        {"<!DOCTYPE a><a/>", "DOCTYPE"},
        {"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "DOCTYPE"},
        {"<!ENTITY a>", "only begin a comment"},
        {A "<![CDATA[x]]></a>", "CDATA"},
        {A "text</a>", "text between"},
        {A "&amp;</a>", "text between"},
        {A "</a>x", "one root"},
        {A "</a><b/>", "one root"},
        {"<a/>", "not in the FHIR namespace"},
        {"<a xmlns='http://hl7.org/fhir/'/>", "not in the FHIR namespace"},
        {"<a xmlns='urn:hl7-org:v3'/>", "not in the FHIR namespace"},
        {A "<b xmlns=''/></a>", "not in the FHIR namespace"},
        {A "<b xmlns='urn:x'/></a>", "not in the FHIR namespace"},
        {"<f:a/>", "prefix is not declared"},
        {"<a xmlns='http://hl7.org/fhir'><b xmlns:f='http://hl7.org/fhir'/><f:c/></a>", "prefix is not declared"},
        {"<f:a xmlns:f='http://hl7.org/fhir'><b/></f:a>", "not in the FHIR namespace"},
        {"<f:a xmlns:f='http://hl7.org/fhir' f:b='1'/>", "no attributes with a prefix"},
        {A "<b xml:lang='de'/></a>", "no attributes with a prefix"},
        {A "<b></c></a>", "does not match"},
        {A "<b></bb></a>", "does not match"},
        {A "<bb></b></a>", "does not match"},
        {A "<f:b xmlns:f='http://hl7.org/fhir'></b></a>", "does not match"},
        {"</a>", "no start tag"},
        {A "<b", "too early"},
        {A "<b>", "too early"},
        {A "< b/></a>", "followed by a name"},
        {A "<1/></a>", "followed by a name"},
        {A "<b/ ></a>", "> is missing"},
        {A "<b x/></a>", "= is missing"},
        {A "<b x=1/></a>", "quoted"},
        {A "<b x='1'y='2'/></a>", "white space"},
        {A "<b x='1' x='2'/></a>", "twice"},
        {A "<b x='<'/></a>", "&lt;"},
        {A "<b x='a & b'/></a>", "&amp;"},
        {A "<b x='&nbsp;'/></a>", "only &amp;"},
        {A "<b x='&#0;'/></a>", "only &amp;"},
        {A "<b x='&#x1;'/></a>", "only &amp;"},
        {A "<b x='&#xD800;'/></a>", "only &amp;"},
        {A "<b x='&#xFFFE;'/></a>", "only &amp;"},
        {A "<b x='&#x110000;'/></a>", "only &amp;"},
        {A "<b x='&#99999999999;'/></a>", "only &amp;"},
        {A "<b x='&#;'/></a>", "only &amp;"},
        {A "<b x='&#X41;'/></a>", "only &amp;"},
        {A "<b x='&;'/></a>", "only &amp;"},
        {A "<b x='\x01'/></a>", "control character"},
        {A "<b x='\xc3'/></a>", "UTF-8"},
        {A "<b x='\xed\xa0\x80'/></a>", "UTF-8"},
        {A "<b x='\xef\xbf\xbe'/></a>", "U+FFFE"},
        {A "<!-- \xff --></a>", "UTF-8"},
        {A "<!-- a -- b --></a>", "inside a comment"},
        {A "<!-x></a>", "only begin a comment"},
        {A "<!-- ", "too early"},
        {A "<?"
           "?></a>",
         "needs a name"},
        {A "<?xml version='1.0'?></a>", "only stand first"},
        {" <?xml version='1.0'?>" A "</a>", "only stand first"},
        {"<?XML version='1.0'?>" A "</a>", "only stand first"},
        {"<?xml version='1.1'?>" A "</a>", "version 1.0"},
        {"<?xml encoding='utf-8'?>" A "</a>", "version 1.0"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?>" A "</a>", "not UTF-8"},
        {"<?xml version='1.0' encoding='utf-16'?>" A "</a>", "not UTF-8"},
        {"<?xml version='1.0' encoding=utf-8?>" A "</a>", "not UTF-8"},
        {"\xff\xfe<", "UTF-8"},
        {"\xef\xbb<a/>", "byte order mark"},
        {NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        fhir_text_t line;
        fhir_error_t *error = read_every_way(&line, cases[i][0], strlen(cases[i][0]));
        const char *part = cases[i][1];
        int right = error && error->code == FHIR_ERROR_INVALID && strstr(error->public_text, part);
        CU_ASSERT(right);
        if (!right) {
            printf("%s: %s, wanted %s\n", cases[i][0], error ? error->public_text : "accepted", part);
        }
    }
}

static void test_lenient(void)
{
    static const fhir_xml_options_t LENIENT = {NULL, 65536, 1};
    const char *text = "<?xml version='1.0' encoding='latin1'?><x:a>\n<!--\xe4--></x:a>";
    fhir_text_t line;
    FHIR_ASSERT_OK(read_with(&LENIENT, &line, text, strlen(text), 0, 0));
    CU_ASSERT_STRING_EQUAL(line.text, "0<a!> 0</a> ");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, read_with(&LENIENT, &line, "<!DOCTYPE html PUBLIC>", 22, 0, 1));
    CU_ASSERT(!strncmp(line.text, "!html ", 6));
}

static void test_bounds(void)
{
    fhir_text_t text;
    fhir_text_t line;
    fhir_error_t *error;
    int i;
    fhir_text_init(&text, pool);
    fhir_text_add(&text, "<a xmlns='http://hl7.org/fhir'");
    for (i = 0; i < 70; i++) {
        fhir_text_addf(&text, " a%d='1'", i);
    }
    error = read_with(&STRICT, &line, text.text, text.length, 0, 0);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, error);
    CU_ASSERT(error && strstr(error->public_text, "too many attributes"));
}

static const fhir_unit_test_t tests[] = {{"events", test_events},
                                         {"refused", test_refused},
                                         {"lenient", test_lenient},
                                         {"bounds", test_bounds},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("xml_stream", tests)
