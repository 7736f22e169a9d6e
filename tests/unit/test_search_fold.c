/* Folding of strings for searches. */
#include "core/fhir/search_private.h"
#include "unit.h"

static void check(const char *text, const char *folded)
{
    const char *got = fhir_search_fold(text, pool);
    if (strcmp(got, folded) != 0) {
        printf("`%s` became `%s`, not `%s`\n", text, got, folded);
    }
    CU_ASSERT_STRING_EQUAL(got, folded);
    CU_ASSERT_STRING_EQUAL(fhir_search_fold(got, pool), got);
}

static void test_case(void)
{
    check("", "");
    check("Simpson", "simpson");
    check("ABCXYZ abcxyz 0123456789", "abcxyz abcxyz 0123456789");
    check("ÄÖÜäöü", "aouaou");
    check("ΑΒΓ Σίσυφος", "αβγ σισυφοσ");
    check("МОСКВА", "москва");
    check("İstanbul ISPARTA ıspanak", "istanbul isparta ispanak");
    check("ՀԱՅ", "հայ");
}

static void test_accents(void)
{
    check("Jürgen Müller", "jurgen muller");
    check("Ju\xCC\x88rgen", "jurgen"); /* u and a combining diaeresis */
    check("Éloïse Ñandú Çelik", "eloise nandu celik");
    check("Đorđe Łukasz Ħal Øystein", "dorde lukasz hal oystein");
    check("Straße", "strasse");
    check("STRASSE", "strasse");
    check("Æther Œuvre Þór Guðrún", "aether oeuvre thor gudrun");
    check("Nguyễn Văn Đức", "nguyen van duc");
    check("Ångström", "angstrom");
    check("ﬁn ﬀ", "fin ff");
    check("Ｆｕｌｌ１２", "full12");
    check("Ёлка йод", "елка иод");
    check("x²", "x2");
}

static void test_punctuation(void)
{
    check("O'Neil O’Neil O`Neil", "oneil oneil oneil");
    check("J.R.R. Tolkien", "jrr tolkien");
    check("Smith-Jones", "smith jones");
    check("Smith - Jones", "smith jones");
    check("a,b;c:d/e_f(g)[h]{i}!?\"#%&*@\\j", "a b c d e f g h i j");
    check("1 < 2 + $3", "1 < 2 + $3");
    check("...", "");
    check("-", "");
    check("«Zitat» — „mehr“ …", "zitat mehr");
    check("¿Qué?", "que");
}

static void test_blanks(void)
{
    check("  a  b\t\r\nc  ", "a b c");
    check("a\xC2\xA0"
          "b\xE2\x80\x89"
          "c\xE3\x80\x80"
          "d",
          "a b c d");
    check("so\xC2\xAD"
          "ft zero\xE2\x80\x8Bwidth \xEF\xBB\xBF"
          "bom",
          "soft zerowidth bom");
    check(" ", "");
}

static void test_kept(void)
{
    check("東京 サクラ", "東京 サクラ");
    check("서울", "서울");
    check("नमस्ते", "नमस्ते");
    check("😀 ok", "😀 ok");
    check("שָׁלוֹם", "שלום");
    check("a\xFF"
          "b\xC3",
          "a\xFF"
          "b\xC3"); /* not UTF-8: kept */
}

/* Every character comes out the same the second time. */
static void test_twice(void)
{
    unsigned code;
    for (code = 1; code < 0x3000; code++) {
        char text[4] = {0};
        const char *once;
        if (code < 0x80) {
            text[0] = (char)code;
        } else if (code < 0x800) {
            text[0] = (char)(0xC0 | code >> 6);
            text[1] = (char)(0x80 | (code & 0x3F));
        } else {
            text[0] = (char)(0xE0 | code >> 12);
            text[1] = (char)(0x80 | (code >> 6 & 0x3F));
            text[2] = (char)(0x80 | (code & 0x3F));
        }
        once = fhir_search_fold(text, pool);
        if (strcmp(fhir_search_fold(once, pool), once) != 0) {
            printf("U+%04X `%s`\n", code, once);
        }
        CU_ASSERT_STRING_EQUAL(fhir_search_fold(once, pool), once);
    }
}

static void test_cut(void)
{
    char text[2 * FHIR_INDEX_TEXT_MAX];
    memset(text, 'a', sizeof(text));
    text[FHIR_INDEX_TEXT_MAX] = '\0';
    CU_ASSERT_PTR_EQUAL(fhir_search_cut(text, pool), text);
    text[FHIR_INDEX_TEXT_MAX] = 'a';
    text[FHIR_INDEX_TEXT_MAX + 1] = '\0';
    CU_ASSERT_EQUAL(strlen(fhir_search_cut(text, pool)), FHIR_INDEX_TEXT_MAX);
    memcpy(text + FHIR_INDEX_TEXT_MAX - 1, "\xC3\xBC", 3);
    CU_ASSERT_EQUAL(strlen(fhir_search_cut(text, pool)), FHIR_INDEX_TEXT_MAX - 1);
    text[FHIR_INDEX_TEXT_MAX - 1] = ' ';
    text[FHIR_INDEX_TEXT_MAX] = 'b';
    CU_ASSERT_EQUAL(strlen(fhir_search_comparable(text, pool)), FHIR_INDEX_TEXT_MAX - 1);
}

static void test_listed(void)
{
    CU_ASSERT_TRUE(fhir_search_listed(NULL, "Patient"));
    CU_ASSERT_TRUE(fhir_search_listed("Patient", "Patient"));
    CU_ASSERT_TRUE(fhir_search_listed("Group|Patient", "Patient"));
    CU_ASSERT_TRUE(fhir_search_listed("Patient|Group", "Patient"));
    CU_ASSERT_FALSE(fhir_search_listed("Patient|Group", "Pat"));
    CU_ASSERT_FALSE(fhir_search_listed("Patient|Group", "Patients"));
    CU_ASSERT_FALSE(fhir_search_listed("", "Patient"));
}

static const fhir_unit_test_t tests[] = {
    {"case", test_case},     {"accents", test_accents}, {"punctuation", test_punctuation},
    {"blanks", test_blanks}, {"kept", test_kept},       {"twice", test_twice},
    {"cut", test_cut},       {"listed", test_listed},   {NULL, NULL}};
FHIR_UNIT_MAIN("search_fold", tests)
