/* A store plugin that asks a scripted server: what such tests of s3 and azure share. */
#ifndef FHIR_TESTS_SCRIPTED_STORE_H
#define FHIR_TESTS_SCRIPTED_STORE_H

#include "include/fhir_storage.h"
#include "unit.h"

#include "http_script.h"

#include <string.h>
#include <unistd.h>

const fhir_storage_plugin_t *fhir_storage_plugin(const fhir_storage_host_t *host);

static script_t script;
static const fhir_storage_plugin_t *plugin;
static fhir_store_t *store;
static fhir_store_call_t call;

static void expect(const char *request, const char *answer)
{
    script_expect(&script, request, answer);
}

/* The path of a file with a secret, until `open_configured`. */
static const char *secret_file(const char *content)
{
    char *path = apr_pstrdup(pool, "/tmp/fhir-test-secret-XXXXXX");
    ssize_t length = (ssize_t)strlen(content);
    int file = mkstemp(path);
    CU_ASSERT_FATAL(file >= 0 && write(file, content, (size_t)length) == length);
    close(file);
    return path;
}

/* `mark` begins the line of a request in which a writer marks what is its own. */
static void begin_marked(const char *mark)
{
    script_begin(&script, mark);
    memset(&call, 0, sizeof(call));
    call.result_pool = pool;
    call.scratch_pool = pool;
    call.deadline = apr_time_now() + apr_time_from_sec(20);
}

static void open_configured(const fhir_store_option_t *options, int count, const char *secret)
{
    fhir_store_config_t *config;
    plugin = fhir_storage_plugin(NULL);
    FHIR_ASSERT_OK(plugin->configure(&config, options, count, pool));
    unlink(secret);
    FHIR_ASSERT_OK(plugin->open(&store, config, NULL, pool));
}

static void end_script(void)
{
    plugin->close(store);
    CU_ASSERT_TRUE(script_end(&script));
}

#endif
