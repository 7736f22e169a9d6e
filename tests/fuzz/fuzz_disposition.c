/* Content-Disposition in and out, and file names of any bytes. */
#include "core/base/text.h"
#include "core/http/fields.h"
#include "fuzz.h"

static void check_name(const char *name, apr_pool_t *pool)
{
    const char *header = fhir_disposition_format(0, name, pool);
    const char *back = fhir_disposition_filename(header, pool);
    const char *at;
    for (at = header; *at; at++) {
        FUZZ_CHECK(*at >= 0x20 && *at < 0x7F);
    }
    if (name) {
        FUZZ_CHECK(*name && strlen(name) <= 255 && !strpbrk(name, "/\\\r\n") && fhir_utf8_valid(name, strlen(name)));
        FUZZ_CHECK(name[0] != '.' && strcmp(fhir_filename_clean(name, pool), name) == 0);
        FUZZ_CHECK(back && strcmp(back, name) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    check_name(fhir_disposition_filename(text, pool), pool);
    check_name(fhir_filename_clean(text, pool), pool);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
