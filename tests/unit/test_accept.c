/* Negotiation between the raw, JSON and XML forms. */
#include "core/http/accept.h"
#include "unit.h"

enum { RAW = FHIR_FORMAT_RAW, JSON = FHIR_FORMAT_JSON, XML = FHIR_FORMAT_XML, REFUSED = 100, MALFORMED = 101 };

typedef struct accept_case_t {
    const char *accept;
    const char *format;
    int expected;
} accept_case_t;

static int outcome(const fhir_error_t *error, fhir_format_t format)
{
    if (!error) {
        return (int)format;
    }
    return error->code == FHIR_ERROR_NOT_ACCEPTABLE ? REFUSED : error->code == FHIR_ERROR_INVALID ? MALFORMED : -1;
}

static void check_binary(const accept_case_t *cases, apr_size_t count, int json_means_fhir)
{
    apr_size_t i;
    for (i = 0; i < count; i++) {
        fhir_format_t format = FHIR_FORMAT_RAW;
        fhir_error_t *error = fhir_negotiate_binary(&format, cases[i].accept, cases[i].format, json_means_fhir, pool);
        int got = outcome(error, format);
        CU_ASSERT_EQUAL(got, cases[i].expected);
        if (got != cases[i].expected) {
            printf("Accept: %s, _format=%s: %d\n", cases[i].accept ? cases[i].accept : "(none)",
                   cases[i].format ? cases[i].format : "(none)", got);
        }
    }
}

static void test_binary_accept(void)
{
    static const accept_case_t cases[] = {
        {NULL, NULL, RAW},
        {"", NULL, RAW},
        {" , ,", NULL, RAW},
        {"*/*", NULL, RAW},
        {"application/*", NULL, RAW},
        {"application/pdf", NULL, RAW},
        {"text/plain", NULL, RAW},
        {"application/json", NULL, RAW},
        {"text/json", NULL, RAW},
        {"application/xml", NULL, RAW},
        {"text/xml", NULL, RAW},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", NULL, RAW},
        {"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", NULL, RAW},
        {"application/fhir+json", NULL, JSON},
        {"APPLICATION/FHIR+JSON", NULL, JSON},
        {"application/fhir+xml", NULL, XML},
        {"application/json+fhir", NULL, JSON},
        {"application/xml+fhir", NULL, XML},
        {"application/fhir+json, */*; q=0.1", NULL, JSON},
        {"application/fhir+json, */*;q=0.1", NULL, JSON},
        {"*/*, application/fhir+json", NULL, JSON},
        {"application/fhir+json;fhirVersion=4.0", NULL, JSON},
        {"application/fhir+json; charset=UTF-8; q=0.3", NULL, JSON},
        {"application/fhir+json; charset=\"utf-8, x;q=0\"", NULL, JSON},
        {"application/fhir+json;q=0", NULL, RAW},
        {"application/fhir+json;q=0, */*", NULL, RAW},
        {"application/fhir+json;q=0.000, application/fhir+xml;q=0.001", NULL, XML},
        {"application/fhir+json;q=0.5, application/pdf", NULL, RAW},
        {"application/fhir+json, application/pdf", NULL, JSON},
        {"application/pdf, application/fhir+json", NULL, JSON},
        {"application/fhir+json;q=0.5, application/pdf;q=0.5", NULL, JSON},
        {"application/fhir+json;q=0.5, */*;q=0.51", NULL, RAW},
        {"application/fhir+json;q=0.9, application/fhir+xml", NULL, XML},
        {"application/fhir+xml;q=0.9, application/fhir+json", NULL, JSON},
        {"application/fhir+xml, application/fhir+json", NULL, XML},
        {"application/fhir+json, application/fhir+xml", NULL, JSON},
        {"application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/xml+fhir;q=0.9", NULL, XML},
        {"application/fhir+turtle", NULL, REFUSED},
        {"application/fhir+turtle;q=0.2", NULL, REFUSED},
        {"application/fhir+ndjson", NULL, REFUSED},
        {"application/fhir+turtle, */*", NULL, RAW},
        {"application/fhir+turtle, */*;q=0.1", NULL, RAW},
        {"application/fhir+turtle, */*;q=0", NULL, REFUSED},
        {"application/fhir+turtle, application/fhir+json;q=0.1", NULL, JSON},
        {"application/fhir+turtle;q=0", NULL, RAW},
        {"*/*;q=0", NULL, RAW},
        {"application/pdf;level;q=0.1;ext, application/fhir+json;q=0.2", NULL, JSON},
        {"application/fhir+json;profile=http://hl7.org/fhir", NULL, JSON},
        {"application/fhir+json;;", NULL, JSON},
        {"application/fhir+json;q=0.12345", NULL, JSON},
        {"application/fhir+json ; Q=0 , image/png", NULL, RAW},
    };
    check_binary(cases, sizeof(cases) / sizeof(cases[0]), 0);
}

static void test_binary_json_means_fhir(void)
{
    static const accept_case_t cases[] = {{"application/json", NULL, JSON},
                                          {"text/json", NULL, JSON},
                                          {"application/json, */*", NULL, JSON},
                                          {"application/json;q=0.1, */*;q=0.2", NULL, RAW},
                                          {"application/json;q=0", NULL, RAW},
                                          {"application/xml", NULL, RAW},
                                          {"application/fhir+xml, application/json", NULL, XML},
                                          {"*/*", NULL, RAW},
                                          {NULL, NULL, RAW}};
    check_binary(cases, sizeof(cases) / sizeof(cases[0]), 1);
}

static void test_binary_malformed(void)
{
    static const accept_case_t cases[] = {
        {"application", NULL, MALFORMED}, {"application/", NULL, MALFORMED},
        {"/json", NULL, MALFORMED},       {"*/json", NULL, MALFORMED},
        {"a/b c/d", NULL, MALFORMED},     {"a/b; q=2", NULL, MALFORMED},
        {"a/b; q=1.1", NULL, MALFORMED},  {"a/b; q=-1", NULL, MALFORMED},
        {"a/b; q=", NULL, MALFORMED},     {"a/b; q=.", NULL, MALFORMED},
        {"a/b; q=x", NULL, MALFORMED},    {"a/b; q=0.5x", NULL, MALFORMED},
        {"a/b; q=0,5", NULL, MALFORMED},  {"a/b; =1", NULL, MALFORMED},
        {"a/b; x=\"", NULL, MALFORMED},   {"a/b; x=\"y\"z", NULL, MALFORMED},
        {"a/b; x=", NULL, MALFORMED},     {"a/b\x01", NULL, MALFORMED},
        {"\xFF\xFE", NULL, MALFORMED},    {"application/fhir+json, @", NULL, MALFORMED},
        {"a/b;q=0.1.1", NULL, MALFORMED}};
    check_binary(cases, sizeof(cases) / sizeof(cases[0]), 0);
}

static void test_format_parameter(void)
{
    static const accept_case_t cases[] = {{"*/*", "json", JSON},
                                          {"application/pdf", "json", JSON},
                                          {"application/fhir+xml", "json", JSON},
                                          {"application/fhir+json", "xml", XML},
                                          {"malformed", "xml", XML},
                                          {"application/fhir+turtle", "json", JSON},
                                          {NULL, "JSON", JSON},
                                          {NULL, "application/json", JSON},
                                          {NULL, "text/json", JSON},
                                          {NULL, "application/xml", XML},
                                          {NULL, "text/xml", XML},
                                          {NULL, "application/fhir+json", JSON},
                                          {NULL, "application/fhir json", JSON},
                                          {NULL, "application/fhir xml", XML},
                                          {NULL, "application/json fhir", JSON},
                                          {NULL, "application/fhir+json;fhirVersion=4.0", JSON},
                                          {NULL, "application/fhir json ; charset=utf-8", JSON},
                                          {NULL, " json ", JSON},
                                          {NULL, "", RAW},
                                          {"application/fhir+xml", "", XML},
                                          {NULL, "ttl", REFUSED},
                                          {NULL, "application/fhir+turtle", REFUSED},
                                          {NULL, "html", REFUSED},
                                          {NULL, "application/pdf", REFUSED},
                                          {NULL, "jsonx", REFUSED},
                                          {NULL, ";", REFUSED},
                                          {NULL, "*/*", REFUSED},
                                          {NULL, "js on", REFUSED}};
    check_binary(cases, sizeof(cases) / sizeof(cases[0]), 0);
}

static void test_resource(void)
{
    static const accept_case_t cases[] = {
        {NULL, NULL, JSON},
        {"", NULL, JSON},
        {"*/*", NULL, JSON},
        {"application/json", NULL, JSON},
        {"application/fhir+json", NULL, JSON},
        {"application/fhir+xml", NULL, XML},
        {"application/xml", NULL, XML},
        {"text/xml", NULL, XML},
        {"application/fhir+xml, */*", NULL, XML},
        {"application/fhir+xml;q=0.5, */*", NULL, JSON},
        {"application/fhir+xml, application/fhir+json", NULL, XML},
        {"application/fhir+json, application/fhir+xml", NULL, JSON},
        {"application/fhir+xml, application/fhir+json;q=0.9", NULL, XML},
        {"application/fhir+json;q=0.1, application/xml;q=0.2", NULL, XML},
        {"application/fhir+json;q=0, */*", NULL, XML},
        {"application/fhir+xml;q=0", NULL, JSON},
        {"application/pdf", NULL, JSON},
        {"image/*", NULL, JSON},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", NULL, XML},
        {"application/fhir+json, */*; q=0.1", NULL, JSON},
        {"application/fhir+turtle", NULL, REFUSED},
        {"application/fhir+turtle, */*;q=0.1", NULL, JSON},
        {"application/fhir+turtle, application/pdf", NULL, JSON},
        {"application/fhir+turtle, application/xml;q=0.1", NULL, XML},
        {"a/b; q=9", NULL, MALFORMED},
        {"application/fhir+xml", "json", JSON},
        {NULL, "xml", XML},
        {NULL, "ttl", REFUSED}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_format_t format = FHIR_FORMAT_RAW;
        fhir_error_t *error = fhir_negotiate_resource(&format, cases[i].accept, cases[i].format, pool);
        int got = outcome(error, format);
        CU_ASSERT_EQUAL(got, cases[i].expected);
        if (got != cases[i].expected) {
            printf("resource, Accept: %s, _format=%s: %d\n", cases[i].accept ? cases[i].accept : "(none)",
                   cases[i].format ? cases[i].format : "(none)", got);
        }
        /* An error must be told in some form. */
        CU_ASSERT(error == NULL || format == FHIR_FORMAT_JSON);
    }
}

static void test_json_only(void)
{
    static const struct {
        const char *accept;
        const char *format;
        int ok;
    } cases[] = {{NULL, NULL, 1},
                 {"*/*", NULL, 1},
                 {"application/fhir+json", NULL, 1},
                 {"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", NULL, 1},
                 {"application/xml, application/json;q=0.1", NULL, 1},
                 {"application/fhir+xml", NULL, 0},
                 {"application/fhir+xml, application/json;q=0", NULL, 0},
                 {"*/*", "xml", 0},
                 {"application/fhir+xml", "json", 1},
                 {"application/fhir+turtle", NULL, 0}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fhir_error_t *error = fhir_negotiate_json(cases[i].accept, cases[i].format, pool);
        CU_ASSERT_EQUAL(error == NULL, cases[i].ok);
        CU_ASSERT(!error || error->code == FHIR_ERROR_NOT_ACCEPTABLE);
    }
}

static void test_very_long(void)
{
    int count = 20000;
    char *accept = apr_palloc(pool, (apr_size_t)count * 4 + 64);
    fhir_format_t format = FHIR_FORMAT_RAW;
    int i;
    for (i = 0; i < count; i++) {
        memcpy(accept + i * 4, "a/b,", 4);
    }
    memcpy(accept + count * 4, "application/fhir+json", 22);
    FHIR_ASSERT_OK(fhir_negotiate_binary(&format, accept, NULL, 0, pool));
    CU_ASSERT_EQUAL(format, FHIR_FORMAT_JSON);
    memset(accept, 'a', (apr_size_t)count * 4);
    FHIR_ASSERT_OK(fhir_negotiate_binary(&format, accept, NULL, 0, pool));
    CU_ASSERT_EQUAL(format, FHIR_FORMAT_RAW);
    accept[5] = '@';
    FHIR_ASSERT_ERROR(FHIR_ERROR_INVALID, fhir_negotiate_binary(&format, accept, NULL, 0, pool));
}

static void test_random_bytes(void)
{
    static const char alphabet[] = "a/*;,=q01. \t\"\\+json\x01\xFF";
    unsigned state = 12345;
    int round;
    for (round = 0; round < 5000; round++) {
        char text[48];
        const char *at;
        fhir_media_range_t range;
        fhir_error_t *error;
        int steps = 0;
        apr_size_t length = 0;
        apr_size_t wanted;
        state = state * 1103515245u + 12345u;
        wanted = (state >> 16) % sizeof(text);
        while (length < wanted) {
            state = state * 1103515245u + 12345u;
            text[length++] = alphabet[(state >> 16) % (sizeof(alphabet) - 1)];
        }
        text[length] = '\0';
        at = text;
        do {
            error = fhir_accept_next(&range, &at, pool);
            steps++;
            CU_ASSERT_FATAL(at >= text && at <= text + length);
            if (!error && range.type) {
                CU_ASSERT(range.quality >= 0 && range.quality <= 1000 && strchr(range.type, '/'));
            }
        } while (!error && range.type && steps < 100);
        CU_ASSERT(steps < 100);
    }
}

static const fhir_unit_test_t tests[] = {{"binary accept", test_binary_accept},
                                         {"binary json means fhir", test_binary_json_means_fhir},
                                         {"binary malformed", test_binary_malformed},
                                         {"_format", test_format_parameter},
                                         {"resource", test_resource},
                                         {"JSON only", test_json_only},
                                         {"very long", test_very_long},
                                         {"random bytes", test_random_bytes},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("accept", tests)
