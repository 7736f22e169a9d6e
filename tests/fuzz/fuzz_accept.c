/* Accept, _format and Content-Type. */
#include "core/http/media_type.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    fhir_media_type_t media_type;
    fhir_format_t format;
    if (!fhir_media_type_parse(&media_type, text, pool)) {
        fhir_media_type_t again;
        FUZZ_CHECK(strchr(media_type.type, '/') && strlen(media_type.text) <= 255);
        FUZZ_CHECK(!strpbrk(media_type.text, "\r\n"));
        FUZZ_CHECK(!fhir_media_type_parse(&again, media_type.text, pool));
        FUZZ_CHECK(strcmp(again.type, media_type.type) == 0);
    }
    if (!fhir_negotiate_binary(&format, text, NULL, size & 1, pool)) {
        FUZZ_CHECK(format == FHIR_FORMAT_RAW || format == FHIR_FORMAT_JSON || format == FHIR_FORMAT_XML);
    }
    if (fhir_negotiate_resource(&format, text, NULL, pool)) {
        FUZZ_CHECK(format == FHIR_FORMAT_JSON);
    }
    FUZZ_CHECK(format != FHIR_FORMAT_RAW);
    if (!fhir_negotiate_binary(&format, "*/*", text, 0, pool)) {
        FUZZ_CHECK((*text != '\0') == (format != FHIR_FORMAT_RAW));
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
