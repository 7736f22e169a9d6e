/* The push JSON reader: grammar, events, bounds. */
#include "core/base/text.h"
#include "core/fhir/json_stream.h"
#include "unit.h"

#include <jansson.h>

/* Events as one line of text: {k:"a" "b" 1 [ ] } and so on. */
static fhir_error_t *trace(void *baton, const fhir_json_event_t *event)
{
    static const char *const SIGNS[] = {"", "{", "}", "[", "]", "k", "s", "", "", "", "", "p", "e"};
    fhir_text_t *line = baton;
    fhir_text_addf(line, "%d%s", event->depth, SIGNS[event->kind]);
    if (event->kind == FHIR_JSON_EVENT_PIECE) {
        fhir_text_addf(line, "<%.*s>", (int)event->length, event->text);
    } else if (event->kind == FHIR_JSON_EVENT_KEY || event->kind == FHIR_JSON_EVENT_STRING) {
        fhir_text_addf(line, "<%s>%s", event->text, event->raw);
        CU_ASSERT_EQUAL(strlen(event->text), event->length);
        CU_ASSERT_EQUAL(strlen(event->raw), event->raw_length);
    } else if (event->kind >= FHIR_JSON_EVENT_NUMBER && event->kind <= FHIR_JSON_EVENT_NULL) {
        fhir_text_add(line, event->raw);
    }
    fhir_text_add(line, " ");
    return NULL;
}

static fhir_error_t *read_with(const fhir_json_options_t *options, fhir_text_t *line, const char *text,
                               apr_size_t length, apr_size_t split, apr_size_t piece)
{
    fhir_json_stream_t *stream;
    apr_size_t at = 0;
    fhir_text_init(line, pool);
    fhir_json_stream_create(&stream, options, trace, line, pool);
    while (at < length) {
        apr_size_t end = piece ? at + piece : at < split ? split : length;
        fhir_error_t *error = fhir_json_stream_feed(stream, text + at, end - at);
        if (error) {
            CU_ASSERT_PTR_EQUAL(fhir_json_stream_feed(stream, " ", 1), error);
            CU_ASSERT_PTR_EQUAL(fhir_json_stream_finish(stream), error);
            return error;
        }
        at = end;
    }
    return fhir_json_stream_finish(stream);
}

static const fhir_json_options_t PLAIN = {"The JSON body", NULL, FHIR_JSON_DEPTH_MAX, 65536, 0};
static const fhir_json_options_t STREAMED = {"The JSON body", "data", FHIR_JSON_DEPTH_MAX, 65536, 0};

/* NULL if accepted, else the sentence; the same for every split. */
static const char *verdict(const char *text, apr_size_t length)
{
    fhir_text_t whole_line;
    fhir_error_t *whole = read_with(&PLAIN, &whole_line, text, length, 0, 0);
    apr_size_t split;
    for (split = 0; split < length; split++) {
        fhir_text_t line;
        /* Split 0 stands for byte by byte. */
        fhir_error_t *error = read_with(&PLAIN, &line, text, length, split, split ? 0 : 1);
        CU_ASSERT_STRING_EQUAL(line.text, whole_line.text);
        CU_ASSERT_STRING_EQUAL(error ? error->public_text : "", whole ? whole->public_text : "");
        CU_ASSERT(!error || error->code == FHIR_ERROR_INVALID);
    }
    return whole ? whole->public_text : NULL;
}

static void test_events(void)
{
    fhir_text_t line;
    FHIR_ASSERT_OK(read_with(&PLAIN, &line, "{\"a\":[1,\"x\\n\",{}],\"b\":null}", 27, 0, 0));
    CU_ASSERT_STRING_EQUAL(line.text, "0{ 1k<a>\"a\" 1[ 21 2s<x\n>\"x\\n\" 2{ 2} 1] 1k<b>\"b\" 1null 0} ");
}

static void test_accepted(void)
{
    static const char *const texts[] = {"{}",
                                        " [ ] ",
                                        "0",
                                        "-0",
                                        "-0.5e-10",
                                        "12E+3",
                                        "1.0",
                                        "true",
                                        "\tfalse\r\n",
                                        "null",
                                        "\"\"",
                                        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
                                        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\"",
                                        "[1,2,[3,{\"a\":{\"a\":{\"a\":[]}}}]]",
                                        "{\"a\":1,\"b\":{\"a\":1},\"\":2,\"A\":3}",
                                        "[{\"a\":1},{\"a\":1}]",
                                        "\"\x7f\"",
                                        NULL};
    int i;
    for (i = 0; texts[i]; i++) {
        CU_ASSERT_PTR_NULL(verdict(texts[i], strlen(texts[i])));
        if (verdict(texts[i], strlen(texts[i]))) {
            printf("refused: %s\n", texts[i]);
        }
    }
}

static void test_refused(void)
{
    static const char *const cases[][2] = {{"", "empty"},
                                           {"  ", "too early"},
                                           {"\xef\xbb\xbf{}", "byte order mark"},
                                           {"\xff\xfe{", "byte order mark"},
                                           {"{} {}", "byte 3: something follows"},
                                           {"{}x", "something follows"},
                                           {"1 2", "something follows"},
                                           {"{", "too early"},
                                           {"[", "too early"},
                                           {"[1,]", "value is missing"},
                                           {"[,1]", "value is missing"},
                                           {"[1 2]", "comma or a closing"},
                                           {"[1}", "bracket does not match"},
                                           {"{]", "member name"},
                                           {"]", "value is missing"},
                                           {"{\"a\":1,}", "member name"},
                                           {"{a:1}", "member name"},
                                           {"{'a':1}", "member name"},
                                           {"{\"a\" 1}", "colon"},
                                           {"{\"a\"}", "colon"},
                                           {"{\"a\":}", "value is missing"},
                                           {"{1:2}", "member name"},
                                           {"01", "something follows"},
                                           {"-", "number is not complete"},
                                           {"-a", "number is not complete"},
                                           {"+1", "value is missing"},
                                           {".5", "value is missing"},
                                           {"1.", "number is not complete"},
                                           {"1.e1", "number is not complete"},
                                           {"1e", "number is not complete"},
                                           {"1e+", "number is not complete"},
                                           {"0x1", "something follows"},
                                           {"[1.]", "number is not complete"},
                                           {"tru", "too early"},
                                           {"trux", "are values"},
                                           {"True", "value is missing"},
                                           {"nulll", "something follows"},
                                           {"NaN", "value is missing"},
                                           {"\"a", "too early"},
                                           {"\"\\x\"", "escape is unknown"},
                                           {"\"\\", "too early"},
                                           {"\"\\u12g4\"", "four hex digits"},
                                           {"\"\\u0000\"", "U+0000"},
                                           {"\"\\ud83d\"", "high surrogate"},
                                           {"\"\\ud83dx\"", "high surrogate"},
                                           {"\"\\ud83d\\n\"", "high surrogate"},
                                           {"\"\\ud83d\\u0041\"", "high surrogate"},
                                           {"\"\\ud83d\\ud83d\"", "high surrogate"},
                                           {"\"\\ude00\"", "low surrogate"},
                                           {"\"\n\"", "control character"},
                                           {"\"\x1f\"", "control character"},
                                           {"\"\x80\"", "UTF-8"},
                                           {"\"\xc3\"", "UTF-8"},
                                           {"\"\xc0\x80\"", "UTF-8"},
                                           {"\"\xe0\x80\x80\"", "UTF-8"},
                                           {"\"\xed\xa0\x80\"", "UTF-8"},
                                           {"\"\xf0\x80\x80\x80\"", "UTF-8"},
                                           {"\"\xf4\x90\x80\x80\"", "UTF-8"},
                                           {"\"\xf5\x80\x80\x80\"", "UTF-8"},
                                           {"\"\xe2\x82\"", "UTF-8"},
                                           {"\xc3\xa9", "value is missing"},
                                           {"{\"a\":1,\"a\":2}", "\"a\" stands twice"},
                                           {"{\"a\":1,\"\\u0061\":2}", "\"a\" stands twice"},
                                           {"{\"\":1,\"\":2}", "stands twice"},
                                           {"{\"b\":{\"a\":1},\"c\":2,\"b\":3}", "\"b\" stands twice"},
                                           {"[{\"x\":{\"a\":1,\"b\":[{}],\"a\":2}}]", "\"a\" stands twice"},
                                           {"{\"\\n\":1,\"\\n\":2}", "a member stands twice"},
                                           {"/**/1", "value is missing"},
                                           {NULL, NULL}};
    int i;
    for (i = 0; cases[i][0]; i++) {
        const char *sentence = verdict(cases[i][0], strlen(cases[i][0]));
        CU_ASSERT(sentence && strstr(sentence, cases[i][1]));
        if (!sentence || !strstr(sentence, cases[i][1])) {
            printf("%s: %s\n", cases[i][0], sentence ? sentence : "accepted");
        }
    }
    CU_ASSERT_PTR_NOT_NULL(verdict("\"a\0b\"", 5));
    CU_ASSERT_PTR_NOT_NULL(verdict("1\0", 2));
}

/* Whatever short text over this alphabet: we and jansson agree, but for what we refuse on purpose. */
static void test_agrees_with_jansson(void)
{
    static const char ALPHABET[] = "{}[]\":,1-.e0 t";
    char text[7] = "";
    unsigned long number;
    int accepted = 0;
    for (number = 0; number < 14ul * 14 * 14 * 14 * 14; number++) {
        fhir_text_t line;
        unsigned long rest = number;
        json_error_t json_error;
        json_t *json;
        fhir_error_t *error;
        int i;
        for (i = 0; i < 5; i++, rest /= 14) {
            text[i] = ALPHABET[rest % 14];
        }
        text[5] = '\0';
        if (number % 512 == 0) {
            apr_pool_clear(pool);
        }
        json = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &json_error);
        error = read_with(&PLAIN, &line, text, 5, 0, 1);
        accepted += error == NULL;
        /* jansson refuses numbers out of range: 1e999 */
        if ((json != NULL) != (error == NULL) && !strstr(json_error.text, "overflow") &&
            !strstr(json_error.text, "too big")) {
            CU_FAIL("another verdict than jansson");
            printf("%s: %s / %s\n", text, error ? error->public_text : "accepted", json ? "accepted" : json_error.text);
        }
        json_decref(json);
    }
    CU_ASSERT(accepted > 1000);
}

static void test_streamed_member(void)
{
    const char *text = "{\"data\":\"ab\\/c\\u00e9\",\"x\":{\"data\":\"q\"},\"y\":[\"data\"]}";
    fhir_text_t line;
    FHIR_ASSERT_OK(read_with(&STREAMED, &line, text, strlen(text), 0, 0));
    CU_ASSERT_STRING_EQUAL(line.text, "0{ 1k<data>\"data\" 1p<> 1p<ab> 1p</> 1p<c> 1p<\xc3\xa9> 1e 1k<x>\"x\" 1{ "
                                      "2k<data>\"data\" 2s<q>\"q\" 1} 1k<y>\"y\" 1[ 2s<data>\"data\" 1] 0} ");
    FHIR_ASSERT_OK(read_with(&STREAMED, &line, "{\"data\":7,\"b\":\"x\"}", 18, 0, 0));
    CU_ASSERT_STRING_EQUAL(line.text, "0{ 1k<data>\"data\" 17 1k<b>\"b\" 1s<x>\"x\" 0} ");
    FHIR_ASSERT_OK(read_with(&STREAMED, &line, "[{\"data\":\"x\"}]", 14, 0, 0));
    CU_ASSERT_STRING_EQUAL(line.text, "0[ 1{ 2k<data>\"data\" 2s<x>\"x\" 1} 0] ");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, read_with(&STREAMED, &line, "{\"data\":\"\xc3\"}", 12, 0, 0));
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, read_with(&STREAMED, &line, "{\"data\":\"\n\"}", 12, 0, 0));
}

static void test_depth(void)
{
    char text[200];
    fhir_text_t line;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    FHIR_ASSERT_OK(read_with(&PLAIN, &line, text, 128, 0, 0));
    memset(text, '[', 65);
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, read_with(&PLAIN, &line, text, 128, 0, 0));
}

static void test_many_keys(void)
{
    fhir_json_options_t options = PLAIN;
    fhir_text_t text;
    fhir_text_t line;
    int i;
    options.kept_max = 1 << 20;
    fhir_text_init(&text, pool);
    for (i = 0; i < 20000; i++) {
        fhir_text_addf(&text, "%c\"k%d\":{\"k%d\":0}", i ? ',' : '{', i, i);
    }
    fhir_text_add(&text, "}");
    FHIR_ASSERT_OK(read_with(&options, &line, text.text, text.length, 0, 0));
    text.text[text.length - 1] = ',';
    fhir_text_add(&text, "\"k7777\":0}");
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, read_with(&options, &line, text.text, text.length, 0, 0));
    options.doubles_allowed = 1;
    FHIR_ASSERT_OK(read_with(&options, &line, text.text, text.length, 0, 0));
    options.kept_max = 1000;
    FHIR_ASSERT_ERROR(FHIR_ERROR_TOO_LARGE, read_with(&options, &line, text.text, text.length, 0, 0));
}

static const fhir_unit_test_t tests[] = {{"events", test_events},
                                         {"accepted", test_accepted},
                                         {"refused", test_refused},
                                         {"agrees with jansson", test_agrees_with_jansson},
                                         {"streamed member", test_streamed_member},
                                         {"depth", test_depth},
                                         {"many keys", test_many_keys},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("json_stream", tests)
