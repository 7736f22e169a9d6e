/* Query strings. */
#include "core/base/text.h"
#include "core/http/fields.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_pool();
    char *text = fuzz_text(data, size);
    apr_array_header_t *parameters = NULL;
    if (!fhir_query_parse(&parameters, text, pool)) {
        int i;
        FUZZ_CHECK(parameters->nelts <= 200);
        for (i = 0; i < parameters->nelts; i++) {
            const fhir_parameter_t *parameter = &APR_ARRAY_IDX(parameters, i, fhir_parameter_t);
            apr_array_header_t *again = NULL;
            const char *encoded = apr_pstrcat(pool, fhir_url_encode(parameter->name, pool), "=",
                                              fhir_url_encode(parameter->value, pool), NULL);
            FUZZ_CHECK(fhir_utf8_valid(parameter->value, strlen(parameter->value)));
            FUZZ_CHECK(fhir_query_get(parameters, parameter->name) != NULL);
            FUZZ_CHECK(!fhir_query_parse(&again, encoded, pool) && again->nelts == 1);
            FUZZ_CHECK(strcmp(fhir_query_get(again, parameter->name), parameter->value) == 0);
        }
    }
    free(text);
    apr_pool_destroy(pool);
    return 0;
}
