/* Arrays as parameters, in PostgreSQL's text form: {"one","t\"wo",NULL}. */
#include "pg.h"

#include <string.h>

void fhir_pg_array_init(fhir_pg_array_t *array, apr_pool_t *pool)
{
    array->count = 0;
    fhir_text_init(&array->text, pool);
    fhir_text_add_bytes(&array->text, "{", 1);
}

static void separate(fhir_pg_array_t *array)
{
    if (array->count++) {
        fhir_text_add_bytes(&array->text, ",", 1);
    }
}

void fhir_pg_array_add_text(fhir_pg_array_t *array, const char *text)
{
    separate(array);
    if (!text) {
        fhir_text_add(&array->text, "NULL");
        return;
    }
    fhir_text_add_bytes(&array->text, "\"", 1);
    for (;;) {
        apr_size_t plain = strcspn(text, "\"\\");
        fhir_text_add_bytes(&array->text, text, plain);
        text += plain;
        if (!*text) {
            break;
        }
        fhir_text_add_bytes(&array->text, "\\", 1);
        fhir_text_add_bytes(&array->text, text++, 1);
    }
    fhir_text_add_bytes(&array->text, "\"", 1);
}

void fhir_pg_array_add_number(fhir_pg_array_t *array, apr_int64_t number)
{
    char digits[24];
    separate(array);
    apr_snprintf(digits, sizeof(digits), "%" APR_INT64_T_FMT, number);
    fhir_text_add(&array->text, digits);
}

const char *fhir_pg_array_end(fhir_pg_array_t *array)
{
    fhir_text_add_bytes(&array->text, "}", 1);
    return array->text.text;
}
