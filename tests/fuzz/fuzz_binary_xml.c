/* A Binary resource in FHIR XML. */
#include "binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_binary(FHIR_FORMAT_XML, data, size);
    return 0;
}
