/* The locators of stores that spread objects over directories by the first digits of the key. */
#include "plugin.h"

#include <stdio.h>
#include <string.h>

void fhir_plugin_locator_of(char locator[FHIR_PLUGIN_LOCATOR_LENGTH + 1], const char *key)
{
    snprintf(locator, FHIR_PLUGIN_LOCATOR_LENGTH + 1, "%.2s/%.2s/%.*s", key, key + 2, FHIR_STORAGE_KEY_LENGTH, key);
}

const char *fhir_plugin_key_of(const char *locator)
{
    const char *key;
    if (strnlen(locator, FHIR_PLUGIN_LOCATOR_LENGTH + 1) != FHIR_PLUGIN_LOCATOR_LENGTH) {
        return NULL;
    }
    key = locator + 6;
    if (locator[2] != '/' || locator[5] != '/' || !fhir_plugin_is_key(key)) {
        return NULL;
    }
    return !memcmp(locator, key, 2) && !memcmp(locator + 3, key + 2, 2) ? key : NULL;
}
