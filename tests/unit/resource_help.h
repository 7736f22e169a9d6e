/* Resources written in tests with ' instead of ", parsed, checked and prepared. */
#ifndef FHIR_TESTS_RESOURCE_HELP_H
#define FHIR_TESTS_RESOURCE_HELP_H

#include "core/fhir/resource.h"
#include "unit.h"

#define UUID_A "4f1c2d3e-0000-4000-8000-00000000000a"
#define UUID_B "4f1c2d3e-0000-4000-8000-00000000000b"

static const fhir_addresses_t addresses = {"https://fhir.example.org/fhir/R4/", "https://fhir.example.org/storage/"};

static inline const char *quoted(const char *text)
{
    char *made = apr_pstrdup(pool, text);
    char *at;
    for (at = made; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    return made;
}

static inline const fhir_json_document_t *parsed(const char *text)
{
    const fhir_json_document_t *document = NULL;
    FHIR_ASSERT_OK(fhir_json_parse(&document, text, strlen(text), &fhir_json_resource_limits, pool));
    if (!document) {
        printf("not parsed: %s\n", text);
        abort(); /* the test itself is wrong */
    }
    return document;
}

/* The error of checking, NULL: none. */
static inline fhir_error_t *check_error(const char *text, const char *type)
{
    fhir_sent_resource_t sent;
    return fhir_resource_check(&sent, parsed(quoted(text)), 0, type, pool);
}

static inline fhir_store_resource_t prepared_by(const char *text, const fhir_prepare_t *how)
{
    fhir_store_resource_t stored = {0};
    fhir_sent_resource_t sent;
    FHIR_ASSERT_OK(fhir_resource_check(&sent, parsed(text), 0, NULL, pool));
    FHIR_ASSERT_OK(fhir_resource_prepare(&stored, &sent, how, pool));
    return stored;
}

static inline fhir_store_resource_t prepared(const char *text)
{
    fhir_prepare_t how = {.addresses = &addresses};
    return prepared_by(quoted(text), &how);
}

#endif
