/* A Binary resource in FHIR JSON. */
#include "binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_binary(FHIR_FORMAT_JSON, data, size);
    return 0;
}
