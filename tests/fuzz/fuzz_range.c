/* Range and If-Range; the first byte chooses the size of the object, a line end separates the two fields. */
#include "core/http/range.h"
#include "fuzz.h"

static void check_ranges(const fhir_range_t *ranges, int count, apr_off_t size)
{
    int i;
    int j;
    FUZZ_CHECK(count > 0 && count <= FHIR_RANGE_MAX);
    for (i = 0; i < count; i++) {
        FUZZ_CHECK(ranges[i].offset >= 0 && ranges[i].length > 0);
        FUZZ_CHECK(ranges[i].offset < size && ranges[i].length <= size - ranges[i].offset);
        for (j = 0; j < i; j++) {
            FUZZ_CHECK(ranges[i].offset > ranges[j].offset + ranges[j].length ||
                       ranges[j].offset > ranges[i].offset + ranges[i].length);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const apr_off_t sizes[] = {0, 1, 2, 100, 65536, INT32_MAX, INT64_MAX - 1, INT64_MAX};
    apr_pool_t *pool = fuzz_pool();
    apr_off_t object = size > 0 ? sizes[data[0] % 8] : 0;
    char *text = fuzz_text(size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
    char *if_range = strchr(text, '\n');
    fhir_range_t ranges[FHIR_RANGE_MAX];
    fhir_range_result_t result;
    int count;
    if (if_range) {
        *if_range++ = '\0';
    }
    result = fhir_range_select(ranges, &count, text, if_range, "3", apr_time_from_sec(784111777), object, pool);
    if (result == FHIR_RANGE_PARTIAL) {
        check_ranges(ranges, count, object);
        FUZZ_CHECK(strncmp(fhir_content_range(&ranges[0], object, pool), "bytes ", 6) == 0);
    } else {
        FUZZ_CHECK(count == 0 && (result == FHIR_RANGE_WHOLE || result == FHIR_RANGE_UNSATISFIABLE));
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
