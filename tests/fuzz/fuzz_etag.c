/* Entity-tag lists, dates and Prefer. */
#include "core/http/conditional.h"
#include "core/http/fields.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    fhir_etag_list_t list;
    int not_modified = -1;
    apr_time_t date;
    if (!fhir_etag_list_parse(&list, text, pool)) {
        int i;
        FUZZ_CHECK(list.any ? list.count == 0 : list.count > 0);
        for (i = 0; i < list.count; i++) {
            FUZZ_CHECK(!strpbrk(list.values[i], "\" \r\n"));
            FUZZ_CHECK(fhir_etag_list_has(&list, list.values[i]));
        }
    }
    if (!fhir_not_modified(&not_modified, text, text, "3", apr_time_from_sec(784111777), pool)) {
        FUZZ_CHECK(not_modified == 0 || not_modified == 1);
    }
    date = fhir_http_date_parse(text);
    FUZZ_CHECK(date >= 0);
    if (date > 0) {
        FUZZ_CHECK(fhir_http_date_parse(fhir_http_date(date, pool)) == date);
    }
    FUZZ_CHECK(fhir_prefer_return(text) <= FHIR_PREFER_OUTCOME && fhir_prefer_strict(text) <= 1);
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
