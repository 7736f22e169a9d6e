/* Empties growable text and keeps its room. */
#ifndef FHIR_FHIR_TEXT_CLEAR_H
#define FHIR_FHIR_TEXT_CLEAR_H

#include "../base/text.h"

static inline void fhir_text_clear(fhir_text_t *text)
{
    if (text->length) {
        text->length = 0;
        text->text[0] = '\0';
    }
}

#endif
