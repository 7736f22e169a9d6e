/* File names in Content-Disposition. */
#include "core/base/text.h"
#include "core/http/fields.h"
#include "unit.h"

static void expect_name(const char *what, const char *got, const char *expected)
{
    int same = got && expected ? strcmp(got, expected) == 0 : got == expected;
    CU_ASSERT(same);
    if (!same) {
        printf("%s gives %s\n", what, got ? got : "(none)");
    }
}

static void test_filenames(void)
{
    static const char *const cases[][2] = {{NULL, NULL},
                                           {"", NULL},
                                           {"attachment", NULL},
                                           {"inline;", NULL},
                                           {"attachment; filename=report.pdf", "report.pdf"},
                                           {"attachment; filename=\"report.pdf\"", "report.pdf"},
                                           {"Attachment ; FileName = \"report.pdf\" ; size=3", "report.pdf"},
                                           {"attachment;filename=my report.pdf", "my report.pdf"},
                                           {"filename=\"report.pdf\"", "report.pdf"},
                                           {"form-data; name=\"filename\"; filename=\"x\"", "x"},
                                           {"attachment; name=\"a; filename=evil\"; filename=good", "good"},
                                           {"attachment; filename=\"a;b.pdf\"", "a;b.pdf"},
                                           {"attachment; filename=\"say \\\"hi\\\".txt\"", "say \"hi\".txt"},
                                           {"attachment; filename=first; filename=second", "first"},
                                           {"attachment; filename=\"unclosed", NULL},
                                           {"attachment; filename=", NULL},
                                           {"attachment; filename=\"\"", NULL},
                                           {"attachment; filename", NULL},
                                           {"attachment; xfilename=a; filename*x=b", NULL},
                                           /* paths */
                                           {"attachment; filename=\"/etc/passwd\"", "passwd"},
                                           {"attachment; filename=\"../../etc/passwd\"", "passwd"},
                                           {"attachment; filename=\"C:\\scans\\a.pdf\"", "a.pdf"},
                                           {"attachment; filename=\"C:\\\\scans\\\\a.pdf\"", "a.pdf"},
                                           {"attachment; filename=\"a/b\\c/d\\e.txt\"", "e.txt"},
                                           {"attachment; filename=\"dir/\"", NULL},
                                           {"attachment; filename=\"..\"", NULL},
                                           {"attachment; filename=\".\"", NULL},
                                           {"attachment; filename=\"...\"", NULL},
                                           {"attachment; filename=\".htaccess\"", "htaccess"},
                                           {"attachment; filename=\" a.txt . \"", "a.txt"},
                                           {"attachment; filename=\"a.txt\t\"", "a.txt"},
                                           /* extended */
                                           {"attachment; filename*=UTF-8''J%C3%BCrgen.pdf", "J\xC3\xBCrgen.pdf"},
                                           {"attachment; filename*=utf-8'de'J%c3%bcrgen.pdf", "J\xC3\xBCrgen.pdf"},
                                           {"attachment; filename*=ISO-8859-1''J%FCrgen.pdf", "J\xC3\xBCrgen.pdf"},
                                           {"attachment; filename*=iso-8859-1'en'%A3%20rates", "\xC2\xA3 rates"},
                                           {"attachment; filename=\"plain\"; filename*=UTF-8''better", "better"},
                                           {"attachment; filename*=UTF-8''better; filename=\"plain\"", "better"},
                                           {"attachment; filename*=UTF-8''%2e%2e%2fetc%2fpasswd", "passwd"},
                                           {"attachment; filename*=UTF-8''a%0d%0aSet-Cookie:x", "aSet-Cookie:x"},
                                           {"attachment; filename*=\"UTF-8''quoted.pdf\"", "quoted.pdf"},
                                           /* broken extended ones fall back */
                                           {"attachment; filename=plain; filename*=UTF-8''%", "plain"},
                                           {"attachment; filename=plain; filename*=UTF-8''%FF", "plain"},
                                           {"attachment; filename=plain; filename*=UTF-8''a%00b", "plain"},
                                           {"attachment; filename=plain; filename*=KOI8-R''x", "plain"},
                                           {"attachment; filename=plain; filename*=UTF-8'x", "plain"},
                                           {"attachment; filename=plain; filename*=x", "plain"},
                                           {"attachment; filename=plain; filename*=UTF-8''", "plain"},
                                           {"attachment; filename=plain; filename*=UTF-8''..", "plain"},
                                           {"attachment; filename*=''x", NULL},
                                           /* bytes */
                                           {"attachment; filename=\"J\xC3\xBCrgen.pdf\"", "J\xC3\xBCrgen.pdf"},
                                           {"attachment; filename=\"J\xFCrgen.pdf\"", "J\xC3\xBCrgen.pdf"},
                                           {"attachment; filename=\"a\xE2\x80\xAE"
                                            "fdp.exe\"",
                                            "afdp.exe"},
                                           {"attachment; filename=\"%41.pdf\"", "%41.pdf"}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_name(cases[i][0] ? cases[i][0] : "NULL", fhir_disposition_filename(cases[i][0], pool), cases[i][1]);
    }
}

static void test_clean(void)
{
    static const char *const cases[][2] = {{NULL, NULL},
                                           {"", NULL},
                                           {" ", NULL},
                                           {"a", "a"},
                                           {"a b.pdf", "a b.pdf"},
                                           {"\x01\x1f\x7f", NULL},
                                           {"a\r\nb\tc", "abc"},
                                           {"a\xC2\x85"
                                            "b",
                                            "ab"},
                                           {".\x01.", NULL},
                                           {"\x01/..\x02", NULL},
                                           {"a\xE2\x80\xA8"
                                            "b\xE2\x81\xA6"
                                            "c\xEF\xBB\xBF",
                                            "abc"},
                                           {"\xE2\x80\x8B", "\xE2\x80\x8B"},
                                           {"\xF0\x9F\x98\x80.png", "\xF0\x9F\x98\x80.png"},
                                           {"..a..b..", "a..b"},
                                           {"CON", "CON"}};
    apr_size_t i;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_name(cases[i][0] ? cases[i][0] : "NULL", fhir_filename_clean(cases[i][0], pool), cases[i][1]);
    }
}

static void test_long_names(void)
{
    int prefix;
    char name[700];
    const char *clean;
    memset(name, 'a', 255);
    name[255] = '\0';
    CU_ASSERT_STRING_EQUAL(fhir_filename_clean(name, pool), name);
    memset(name, 'a', 400);
    strcpy(name + 400, ".pdf");
    clean = fhir_filename_clean(name, pool);
    CU_ASSERT_EQUAL(strlen(clean), 255);
    CU_ASSERT_STRING_EQUAL(clean + 251, ".pdf");
    /* an extension that is none */
    memset(name, 'a', 600);
    name[300] = '.';
    name[600] = '\0';
    CU_ASSERT_EQUAL(strlen(fhir_filename_clean(name, pool)), 255);
    CU_ASSERT_EQUAL(strspn(fhir_filename_clean(name, pool), "a"), 255);
    strcpy(name + 300, ".bbbbbbbbbbbbbbbbbbbb");
    CU_ASSERT_EQUAL(strspn(fhir_filename_clean(name, pool), "a"), 255);
    /* never through a character, wherever it begins */
    for (prefix = 0; prefix < 8; prefix++) {
        int i;
        memset(name, 'a', (apr_size_t)prefix);
        for (i = 0; i < 100; i++) {
            memcpy(name + prefix + i * 4, "\xF0\x9F\x98\x80", 4);
        }
        strcpy(name + prefix + 400, ".png");
        clean = fhir_filename_clean(name, pool);
        CU_ASSERT(strlen(clean) <= 255 && strlen(clean) > 251);
        CU_ASSERT(fhir_utf8_valid(clean, strlen(clean)));
        CU_ASSERT_STRING_EQUAL(clean + strlen(clean) - 4, ".png");
    }
}

static void test_format(void)
{
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(0, NULL, pool), "attachment");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(1, NULL, pool), "inline");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(0, "", pool), "attachment");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(0, "a b.pdf", pool), "attachment; filename=\"a b.pdf\"");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(1, "say \"hi\"", pool), "inline; filename=\"say \\\"hi\\\"\"");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(0, "J\xC3\xBCrgen 1.pdf", pool),
                           "attachment; filename=\"J_rgen 1.pdf\"; filename*=UTF-8''J%C3%BCrgen%201.pdf");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(0, "\xE2\x82\xAC\xF0\x9F\x98\x80", pool),
                           "attachment; filename=\"__\"; filename*=UTF-8''%E2%82%AC%F0%9F%98%80");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(0, "a\r\nSet-Cookie: x", pool),
                           "attachment; filename=\"aSet-Cookie: x\"");
    CU_ASSERT_STRING_EQUAL(fhir_disposition_format(0, "../x\\y", pool), "attachment; filename=\"y\"");
}

/* What was cleaned comes back from its own header; and whatever goes in, a header line comes out. */
static void test_random_round_trip(void)
{
    static const char alphabet[] = "ab. \"\\/;='%*,\x01\n\xC3\xBC\xE2\x82\xAC\xFF";
    unsigned state = 4711;
    int round;
    int wrong = 0;
    for (round = 0; round < 5000; round++) {
        char name[64];
        const char *clean;
        const char *header;
        const char *back;
        apr_size_t length = 0;
        apr_size_t wanted;
        state = state * 1103515245u + 12345u;
        wanted = (state >> 16) % sizeof(name);
        while (length < wanted) {
            state = state * 1103515245u + 12345u;
            name[length++] = alphabet[(state >> 16) % (sizeof(alphabet) - 1)];
        }
        name[length] = '\0';
        clean = fhir_filename_clean(name, pool);
        header = fhir_disposition_format(0, name, pool);
        back = fhir_disposition_filename(header, pool);
        wrong += clean ? !back || strcmp(clean, back) != 0 : back != NULL;
        wrong += strpbrk(header, "\r\n\x01") != NULL;
        wrong += clean && (strpbrk(clean, "/\\\n") != NULL || !fhir_utf8_valid(clean, strlen(clean)));
        (void)fhir_disposition_filename(name, pool);
        (void)fhir_disposition_filename(apr_pstrcat(pool, "x; filename=", name, NULL), pool);
        (void)fhir_disposition_filename(apr_pstrcat(pool, "x; filename*=UTF-8''", name, NULL), pool);
        (void)fhir_disposition_filename(apr_pstrcat(pool, "x; filename=\"", name, NULL), pool);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static const fhir_unit_test_t tests[] = {{"filenames", test_filenames},
                                         {"clean", test_clean},
                                         {"long names", test_long_names},
                                         {"format", test_format},
                                         {"random round trip", test_random_round_trip},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("disposition", tests)
