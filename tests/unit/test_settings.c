/* core/config: values, limits and advice of every directive, merging, cross checks, and the reader of httpd files. */
#include "fhir_error.h"

#include "tests/conformance/broken/broken.h"

#include "core/base/host_list.h"
#include "core/config/settings.h"
#include "tests/unit/unit.h"

#include <apr_file_io.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static char scratch[] = "/tmp/fhir-test-settings-XXXXXX";

static void remove_scratch(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", scratch);
    if (system(command) != 0) {
        printf("%s was not removed\n", scratch);
    }
}

static const char *scratch_directory(void)
{
    if (strstr(scratch, "XXXXXX")) {
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scratch));
        atexit(remove_scratch);
    }
    return scratch;
}

/* One line; the arguments end with NULL. */
static fhir_error_t *set(fhir_settings_t *settings, const char *name, ...)
{
    const char *arguments[64];
    int count = 0;
    va_list list;
    va_start(list, name);
    while ((arguments[count] = va_arg(list, const char *)) != NULL) {
        count++;
    }
    va_end(list);
    return fhir_settings_set(settings, name, count, arguments);
}

static const char *advice(fhir_error_t *error)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    return error->public_text;
}

#define ASSERT_ADVICE(part, expression)                                                                                \
    do {                                                                                                               \
        const char *given = advice(expression);                                                                        \
        if (!strstr(given, part)) {                                                                                    \
            printf("%s:%d: '%s' is not in: %s\n", __FILE__, __LINE__, part, given);                                    \
        }                                                                                                              \
        CU_ASSERT_PTR_NOT_NULL(strstr(given, part));                                                                   \
    } while (0)

static fhir_settings_t *fresh(void)
{
    return fhir_settings_create(pool);
}

/* Beside the directory of this program's directory. */
static const char *plugin(const char *name)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    CU_ASSERT_FATAL(length > 0);
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    return apr_psprintf(pool, "%s/../../fhir_storage_%s.so", self, name);
}

static const char *write_file(const char *name, const char *text, mode_t mode)
{
    const char *path = apr_psprintf(pool, "%s/%s", scratch_directory(), name);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
    CU_ASSERT_EQUAL(chmod(path, mode), 0);
    return path;
}

/* A configuration that fhir_settings_finish takes. */
static fhir_settings_t *complete(void)
{
    fhir_settings_t *settings = fresh();
    FHIR_ASSERT_OK(set(settings, "FhirBinaryBaseURL", "https://fhir.example.org/", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryDatabase", "dbname=fhir", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoragePlugin", "memory", plugin("memory"), NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStore", "ram", "memory", NULL));
    return settings;
}

/* ---- the table ---- */

static void test_table_is_sound(void)
{
    const fhir_directive_t *row;
    int rows = 0;
    for (row = fhir_directives; row->name; row++, rows++) {
        CU_ASSERT_EQUAL(strncmp(row->name, "FhirBinary", 10), 0);
        CU_ASSERT_EQUAL(strncmp(row->syntax, row->name, strlen(row->name)), 0);
        CU_ASSERT(row->min_arguments >= 1);
        CU_ASSERT(row->max_arguments < 0 || row->max_arguments >= row->min_arguments);
        CU_ASSERT_PTR_NOT_NULL(row->set);
    }
    CU_ASSERT_EQUAL(rows, 40);
}

static int same_words(const apr_array_header_t *one, const apr_array_header_t *other)
{
    int i;
    for (i = 0; i < one->nelts && i < other->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(one, i, const char *), APR_ARRAY_IDX(other, i, const char *)) != 0) {
            return 0;
        }
    }
    return one->nelts == other->nelts;
}

/* The defaults that the table tells are those that settings begin with. */
static void test_defaults_are_those_of_the_table(void)
{
    fhir_settings_t *plain = fresh();
    fhir_settings_t *told = fresh();
    const fhir_directive_t *row;
    for (row = fhir_directives; row->name; row++) {
        const char *words[128];
        char *state = NULL;
        char *word = apr_strtok(apr_pstrdup(pool, row->default_value), " ", &state);
        int count = 0;
        for (; word && count < 128; word = apr_strtok(NULL, " ", &state)) {
            words[count++] = word;
        }
        if (count > 0) {
            FHIR_ASSERT_OK(fhir_settings_set(told, row->name, count, words));
        }
    }
    CU_ASSERT_EQUAL(plain->database_pool_size, told->database_pool_size);
    CU_ASSERT_EQUAL(plain->database_connect_timeout, told->database_connect_timeout);
    CU_ASSERT_EQUAL(plain->database_acquire_timeout, told->database_acquire_timeout);
    CU_ASSERT_EQUAL(plain->database_statement_timeout, told->database_statement_timeout);
    CU_ASSERT_EQUAL(plain->max_object_size, told->max_object_size);
    CU_ASSERT_EQUAL(plain->max_resource_size, told->max_resource_size);
    CU_ASSERT_EQUAL(plain->max_bundle_size, told->max_bundle_size);
    CU_ASSERT_EQUAL(plain->max_inline_data, told->max_inline_data);
    CU_ASSERT_EQUAL(plain->fetch_external, told->fetch_external);
    CU_ASSERT_EQUAL(plain->fetch_max_size, told->fetch_max_size);
    CU_ASSERT_EQUAL(plain->fetch_timeout, told->fetch_timeout);
    CU_ASSERT_EQUAL(plain->fill_attachments, told->fill_attachments);
    CU_ASSERT_EQUAL(plain->signed_url_lifetime, told->signed_url_lifetime);
    CU_ASSERT_EQUAL(plain->signed_url_window, told->signed_url_window);
    CU_ASSERT_EQUAL(plain->token_lifetime, told->token_lifetime);
    CU_ASSERT_EQUAL(plain->request_timeout, told->request_timeout);
    CU_ASSERT_EQUAL(plain->body_timeout, told->body_timeout);
    CU_ASSERT_EQUAL(plain->require_security_context, told->require_security_context);
    CU_ASSERT_EQUAL(plain->create_needs_read, told->create_needs_read);
    CU_ASSERT_EQUAL(plain->signed_urls_outlive_membership, told->signed_urls_outlive_membership);
    CU_ASSERT_EQUAL(plain->update_create, told->update_create);
    CU_ASSERT_EQUAL(plain->accept_json_as_fhir, told->accept_json_as_fhir);
    CU_ASSERT(same_words(plain->refused_content_types, told->refused_content_types));
    CU_ASSERT(same_words(plain->refused_extensions, told->refused_extensions));
    CU_ASSERT(same_words(plain->inline_content_types, told->inline_content_types));
    CU_ASSERT(same_words(plain->cors_origins, told->cors_origins));
    CU_ASSERT_EQUAL(plain->refused_extensions->nelts, 54);
}

static void test_wrong_names_and_counts(void)
{
    fhir_settings_t *settings = fresh();
    ASSERT_ADVICE("FhirBinaryColour", set(settings, "FhirBinaryColour", "red", NULL));
    ASSERT_ADVICE("too few", set(settings, "FhirBinaryStore", "one", NULL));
    ASSERT_ADVICE("Write: FhirBinaryTokenLifetime duration",
                  set(settings, "FhirBinaryTokenLifetime", "1h", "2h", NULL));
    FHIR_ASSERT_OK(set(settings, "fhirbinarytokenlifetime", "2h", NULL));
    CU_ASSERT_EQUAL(settings->token_lifetime, apr_time_from_sec(7200));
    ASSERT_ADVICE("twice", set(settings, "FhirBinaryTokenLifetime", "1h", NULL));
}

/* ---- values ---- */

static void test_urls(void)
{
    static const char *const wrong[] = {"/fhir",
                                        "fhir.example.org",
                                        "ftp://example.org/",
                                        "https://",
                                        "https:///x",
                                        "https://user@example.org/",
                                        "https://u:p@example.org/",
                                        "https://example.org/?a",
                                        "https://example.org/?",
                                        "https://example.org/#x",
                                        "https://example.org/a b",
                                        "https://example.org/a%20b",
                                        "https://example.org//a",
                                        "https://example.org/a/../b",
                                        "https://example.org/./",
                                        "https://example.org:0/",
                                        "https://example.org:99999/",
                                        "https://example.org:x/",
                                        "https://exa mple.org/",
                                        "",
                                        NULL};
    int i;
    fhir_settings_t *settings = fresh();
    for (i = 0; wrong[i]; i++) {
        ASSERT_ADVICE("https://fhir.example.org/", set(settings, "FhirBinaryBaseURL", wrong[i], NULL));
        CU_ASSERT_PTR_NULL(settings->base_url);
    }
    FHIR_ASSERT_OK(set(settings, "FhirBinaryBaseURL", "HTTPS://FHIR.Example.org:8443/Base", NULL));
    CU_ASSERT_STRING_EQUAL(settings->base_url, "https://fhir.example.org:8443/Base/");
    CU_ASSERT_STRING_EQUAL(settings->base_path, "/Base/");
    settings = fresh();
    FHIR_ASSERT_OK(set(settings, "FhirBinaryBaseURL", "http://[::1]:8080", NULL));
    CU_ASSERT_STRING_EQUAL(settings->base_url, "http://[::1]:8080/");
    CU_ASSERT_STRING_EQUAL(settings->base_path, "/");
    ASSERT_ADVICE("no path", set(settings, "FhirBinaryStorageBaseURL", "https://s.example.org/", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStorageBaseURL", "https://s.example.org/files", NULL));
    CU_ASSERT_STRING_EQUAL(settings->storage_base_url, "https://s.example.org/files/");
    CU_ASSERT_STRING_EQUAL(settings->storage_base_path, "/files/");
}

static void test_numbers(void)
{
    fhir_settings_t *settings = fresh();
    ASSERT_ADVICE("1 to 1000", set(settings, "FhirBinaryDatabasePoolSize", "0", NULL));
    ASSERT_ADVICE("1 to 1000", set(settings, "FhirBinaryDatabasePoolSize", "1001", NULL));
    ASSERT_ADVICE("1 to 1000", set(settings, "FhirBinaryDatabasePoolSize", "-1", NULL));
    ASSERT_ADVICE("1 to 1000", set(settings, "FhirBinaryDatabasePoolSize", "16x", NULL));
    ASSERT_ADVICE("1 to 1000", set(settings, "FhirBinaryDatabasePoolSize", "", NULL));
    ASSERT_ADVICE("1 to 1000", set(settings, "FhirBinaryDatabasePoolSize", "4294967297", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryDatabasePoolSize", "1000", NULL));
    CU_ASSERT_EQUAL(settings->database_pool_size, 1000);
    ASSERT_ADVICE("not a duration", set(settings, "FhirBinarySignedURLLifetime", "60", NULL));
    ASSERT_ADVICE("between 1m and 7d", set(settings, "FhirBinarySignedURLLifetime", "59s", NULL));
    ASSERT_ADVICE("between 1m and 7d", set(settings, "FhirBinarySignedURLLifetime", "8d", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinarySignedURLLifetime", "7d", NULL));
    ASSERT_ADVICE("between 1s and 7d", set(settings, "FhirBinarySignedURLWindow", "0s", NULL));
    ASSERT_ADVICE("between 10ms and 5m", set(settings, "FhirBinaryDatabaseAcquireTimeout", "9ms", NULL));
    ASSERT_ADVICE("not a size", set(settings, "FhirBinaryMaxObjectSize", "5X", NULL));
    ASSERT_ADVICE("between 1 and 16T", set(settings, "FhirBinaryMaxObjectSize", "0", NULL));
    ASSERT_ADVICE("between 1 and 16T", set(settings, "FhirBinaryMaxObjectSize", "17T", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryMaxInlineData", "0", NULL));
    CU_ASSERT_EQUAL(settings->max_inline_data, 0);
    ASSERT_ADVICE("on or off", set(settings, "FhirBinaryUpdateCreate", "yes", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryUpdateCreate", "On", NULL));
    CU_ASSERT_EQUAL(settings->update_create, 1);
}

static void test_access(void)
{
    fhir_settings_t *settings = fresh();
    CU_ASSERT_EQUAL(settings->create_needs_read, 0);
    CU_ASSERT_EQUAL(settings->signed_urls_outlive_membership, 0);
    ASSERT_ADVICE("update nor read", set(settings, "FhirBinaryCreateUnderContext", "on", NULL));
    ASSERT_ADVICE("update nor read", set(settings, "FhirBinaryCreateUnderContext", "reads", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryCreateUnderContext", "Read", NULL));
    CU_ASSERT_EQUAL(settings->create_needs_read, 1);
    ASSERT_ADVICE("on or off", set(settings, "FhirBinarySignedURLsEndWithMembership", "never", NULL));
    CU_ASSERT_EQUAL(settings->signed_urls_outlive_membership, 0);
    FHIR_ASSERT_OK(set(settings, "FhirBinarySignedURLsEndWithMembership", "OFF", NULL));
    CU_ASSERT_EQUAL(settings->signed_urls_outlive_membership, 1);
    settings = fresh();
    FHIR_ASSERT_OK(set(settings, "FhirBinaryCreateUnderContext", "update", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinarySignedURLsEndWithMembership", "on", NULL));
    CU_ASSERT_EQUAL(settings->create_needs_read, 0);
    CU_ASSERT_EQUAL(settings->signed_urls_outlive_membership, 0);
}

static void test_lists(void)
{
    fhir_settings_t *settings = fresh();
    ASSERT_ADVICE("content type", set(settings, "FhirBinaryRefuseContentTypes", "pdf", NULL));
    ASSERT_ADVICE("content type", set(settings, "FhirBinaryRefuseContentTypes", "image/*", "none", NULL));
    ASSERT_ADVICE("content type", set(settings, "FhirBinaryRefuseContentTypes", "text/html;charset=x", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryRefuseContentTypes", "Text/HTML", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryRefuseContentTypes", "a/b", NULL));
    CU_ASSERT_EQUAL(settings->refused_content_types->nelts, 2);
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(settings->refused_content_types, 0, const char *), "text/html");
    ASSERT_ADVICE("extension", set(settings, "FhirBinaryRefuseExtensions", "a/b", NULL));
    ASSERT_ADVICE("extension", set(settings, "FhirBinaryRefuseExtensions", ".", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryRefuseExtensions", "EXE", ".Bat", NULL));
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(settings->refused_extensions, 0, const char *), ".exe");
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(settings->refused_extensions, 1, const char *), ".bat");
    FHIR_ASSERT_OK(set(settings, "FhirBinaryInlineContentTypes", "None", NULL));
    CU_ASSERT_EQUAL(settings->inline_content_types->nelts, 0);
    ASSERT_ADVICE("content type", set(settings, "FhirBinaryInlineContentTypes", "video/*", "none", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryInlineContentTypes", "video/*", NULL));
    ASSERT_ADVICE("web origin", set(settings, "FhirBinaryCORSOrigins", "app.example.org", NULL));
    ASSERT_ADVICE("web origin", set(settings, "FhirBinaryCORSOrigins", "https://app.example.org/", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryCORSOrigins", "https://App.example.org:8443", "*", NULL));
    CU_ASSERT_STRING_EQUAL(APR_ARRAY_IDX(settings->cors_origins, 0, const char *), "https://app.example.org:8443");
}

/* ---- database ---- */

static void test_database(void)
{
    static const char *const secret[] = {"dbname=x password=secret",
                                         "password = 'se cret'",
                                         "PASSWORD=s",
                                         "sslpassword=x",
                                         "postgresql://u:secret@h/d",
                                         "postgres://h/d?password=secret",
                                         "postgres://h/d?a=b&password=secret",
                                         NULL};
    static const char *const malformed[] = {"", "  ", "dbname", "=x", "dbname='x", "a b=c", NULL};
    static const char *const good[] = {"dbname=x", " host = /run  user='a b' ", "application_name='password=1'",
                                       "postgresql://www-data@h:5432/d?sslmode=require", NULL};
    int i;
    for (i = 0; secret[i]; i++) {
        const char *text = advice(set(fresh(), "FhirBinaryDatabase", secret[i], NULL));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "FhirBinaryDatabaseFile"));
        CU_ASSERT_PTR_NULL(strstr(text, "secret"));
    }
    for (i = 0; malformed[i]; i++) {
        ASSERT_ADVICE("connection string", set(fresh(), "FhirBinaryDatabase", malformed[i], NULL));
    }
    for (i = 0; good[i]; i++) {
        fhir_settings_t *settings = fresh();
        FHIR_ASSERT_OK(set(settings, "FhirBinaryDatabase", good[i], NULL));
        CU_ASSERT_STRING_EQUAL(settings->database, good[i]);
    }
}

static void test_database_file(void)
{
    fhir_settings_t *settings = fresh();
    const char *path = write_file("conninfo", "# for httpd\n  host=/run \r\n\n#x\ndbname=x password=y  \n", 0600);
    ASSERT_ADVICE("absolute", set(settings, "FhirBinaryDatabaseFile", "conninfo", NULL));
    ASSERT_ADVICE("can't be read", set(settings, "FhirBinaryDatabaseFile", "/nonexistent/x", NULL));
    ASSERT_ADVICE("regular file", set(settings, "FhirBinaryDatabaseFile", scratch_directory(), NULL));
    ASSERT_ADVICE("chmod 0600", set(settings, "FhirBinaryDatabaseFile", write_file("open", "dbname=x", 0644), NULL));
    ASSERT_ADVICE("empty", set(settings, "FhirBinaryDatabaseFile", write_file("none", "# nothing\n", 0600), NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryDatabaseFile", path, NULL));
    CU_ASSERT_STRING_EQUAL(settings->database, "host=/run dbname=x password=y");
    ASSERT_ADVICE("Keep either", set(settings, "FhirBinaryDatabase", "dbname=x", NULL));
}

/* ---- stores and issuers ---- */

static void test_stores(void)
{
    fhir_settings_t *settings = fresh();
    ASSERT_ADVICE("not a name", set(settings, "FhirBinaryStoragePlugin", "Mem ory", plugin("memory"), NULL));
    ASSERT_ADVICE("absolute", set(settings, "FhirBinaryStoragePlugin", "memory", "x.so", NULL));
    ASSERT_ADVICE("/nonexistent.so", set(settings, "FhirBinaryStoragePlugin", "memory", "/nonexistent.so", NULL));
    ASSERT_ADVICE("memory", set(settings, "FhirBinaryStore", "ram", "memory", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoragePlugin", "memory", plugin("memory"), NULL));
    ASSERT_ADVICE("loaded already", set(settings, "FhirBinaryStoragePlugin", "memory", plugin("memory"), NULL));
    ASSERT_ADVICE("key=value", set(settings, "FhirBinaryStore", "ram", "memory", "huge", NULL));
    ASSERT_ADVICE("not a name", set(settings, "FhirBinaryStore", "a-b", "memory", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStore", "ram", "memory", NULL));
    ASSERT_ADVICE("defined already", set(settings, "FhirBinaryStore", "ram", "memory", NULL));
    CU_ASSERT(fhir_store_defined(settings->catalog, "ram"));
}

static void test_issuers(void)
{
    fhir_settings_t *settings = fresh();
    const fhir_trusted_issuer_t *issuer;
    const char *name = "FhirBinaryTrustedIssuer";
    ASSERT_ADVICE("too few", set(settings, name, "https://i", NULL));
    ASSERT_ADVICE("audience=", set(settings, name, "https://i", "jwks=https://i/k", "algorithms=RS256", NULL));
    ASSERT_ADVICE("given twice", set(settings, name, "https://i", "audience=a", "audience=b", NULL));
    ASSERT_ADVICE("understood", set(settings, name, "https://i", "audience=a", "keys=b", NULL));
    ASSERT_ADVICE("https URL", set(settings, name, "https://i", "audience=a", "jwks=http://i/k", NULL));
    ASSERT_ADVICE("https URL", set(settings, name, "https://i", "audience=a", "jwks=k.json", NULL));
    ASSERT_ADVICE("can't be read", set(settings, name, "https://i", "audience=a", "jwks=/nonexistent/k", NULL));
    ASSERT_ADVICE("HS256",
                  set(settings, name, "https://i", "audience=a", "jwks=https://i/k", "algorithms=HS256", NULL));
    ASSERT_ADVICE("algorithms",
                  set(settings, name, "https://i", "audience=a", "jwks=https://i/k", "algorithms=,", NULL));
    CU_ASSERT_EQUAL(settings->trusted_issuers->nelts, 0);
    FHIR_ASSERT_OK(set(settings, name, "https://i", "audience=a", "jwks=http://localhost:1/k", NULL));
    FHIR_ASSERT_OK(set(settings, name, "https://j", "algorithms=ES384,PS256", "audience=a", "jwks=https://j/k", NULL));
    ASSERT_ADVICE("given twice", set(settings, name, "https://i", "audience=a", "jwks=https://i/k", NULL));
    issuer = &APR_ARRAY_IDX(settings->trusted_issuers, 0, fhir_trusted_issuer_t);
    CU_ASSERT_STRING_EQUAL(issuer->algorithms, "RS256 ES256");
    issuer = &APR_ARRAY_IDX(settings->trusted_issuers, 1, fhir_trusted_issuer_t);
    CU_ASSERT_STRING_EQUAL(issuer->algorithms, "ES384 PS256");
    CU_ASSERT_STRING_EQUAL(issuer->jwks, "https://j/k");
}

/* ---- finish and merge ---- */

static void test_finish(void)
{
    fhir_settings_t *settings = fresh();
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryBaseURL", "https://fhir.example.org/a", NULL));
    ASSERT_ADVICE("no database", fhir_settings_finish(settings));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryDatabase", "dbname=x", NULL));
    ASSERT_ADVICE("no store", fhir_settings_finish(settings));
    settings = complete();
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    CU_ASSERT_STRING_EQUAL(settings->fhir_base, "https://fhir.example.org/fhir/R4/");
    CU_ASSERT_STRING_EQUAL(settings->storage_base_url, "https://fhir.example.org/storage/");
    CU_ASSERT_STRING_EQUAL(settings->storage_base_path, "/storage/");
    CU_ASSERT_STRING_EQUAL(settings->default_store, "ram");
    FHIR_ASSERT_OK(
        set(settings, "FhirBinaryTrustedIssuer", "https://fhir.example.org/", "audience=a", "jwks=https://i/", NULL));
    ASSERT_ADVICE("this server itself", fhir_settings_finish(settings));
    settings = complete();
    FHIR_ASSERT_OK(set(settings, "FhirBinaryDefaultStore", "tape", NULL));
    ASSERT_ADVICE("Write one of: ram", fhir_settings_finish(settings));
    settings = complete();
    FHIR_ASSERT_OK(set(settings, "FhirBinarySignedURLWindow", "2h", NULL));
    ASSERT_ADVICE("FhirBinarySignedURLWindow", fhir_settings_finish(settings));
    settings = complete();
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStorageBaseURL", "https://fhir.example.org/fhir/", NULL));
    ASSERT_ADVICE("overlaps", fhir_settings_finish(settings));
    settings = complete();
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStorageBaseURL", "https://fhir.example.org/fhir/R4/Binary", NULL));
    ASSERT_ADVICE("overlaps", fhir_settings_finish(settings));
}

/* ---- attachments of other servers ---- */

static void test_fetch(void)
{
    fhir_settings_t *settings = complete();
    fhir_settings_t *host = fresh();
    const char *file = write_file("ca.pem", "", 0600);
    CU_ASSERT_EQUAL(settings->fetch_external, 0);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryFetchExternal", "on", NULL));
    ASSERT_ADVICE("FhirBinaryFetchHosts files.example.org", fhir_settings_finish(settings));
    ASSERT_ADVICE("is not a host", set(settings, "FhirBinaryFetchHosts", "https://files.example.org/", NULL));
    ASSERT_ADVICE("is not a host", set(settings, "FhirBinaryFetchHosts", "files.example.org", "*", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryFetchHosts", "files.example.org", "*.cdn.example.org", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryFetchHosts", "pacs.example.org:8443", NULL));
    CU_ASSERT_EQUAL(settings->fetch_hosts->nelts, 3);
    CU_ASSERT_TRUE(fhir_host_listed(settings->fetch_hosts, "pacs.example.org", 8443));
    ASSERT_ADVICE("is not a network", set(settings, "FhirBinaryFetchAddresses", "10.1.2.3/8", NULL));
    ASSERT_ADVICE("is not a network", set(settings, "FhirBinaryFetchAddresses", "0.0.0.0/0", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryFetchAddresses", "10.0.0.0/8", "fd00::/8", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryFetchAddresses", "127.0.0.1", NULL));
    CU_ASSERT_EQUAL(settings->fetch_addresses->nelts, 3);
    ASSERT_ADVICE("absolute path", set(settings, "FhirBinaryFetchCAFile", "ca.pem", NULL));
    ASSERT_ADVICE("can't be read", set(settings, "FhirBinaryFetchCAFile", "/nonexistent/ca.pem", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryFetchCAFile", file, NULL));
    CU_ASSERT_STRING_EQUAL(settings->fetch_ca_file, file);
    ASSERT_ADVICE("between 1s and 60m", set(settings, "FhirBinaryFetchTimeout", "61m", NULL));
    ASSERT_ADVICE("between 1 and 16T", set(settings, "FhirBinaryFetchMaxSize", "0", NULL));
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    /* A virtual host's hosts take the place of the main server's. */
    FHIR_ASSERT_OK(set(host, "FhirBinaryFetchHosts", "other.example.org", NULL));
    host = fhir_settings_merge(settings, host, pool);
    FHIR_ASSERT_OK(fhir_settings_finish(host));
    CU_ASSERT_EQUAL(host->fetch_external, 1);
    CU_ASSERT_EQUAL(host->fetch_hosts->nelts, 1);
    CU_ASSERT_TRUE(fhir_host_listed(host->fetch_hosts, "other.example.org", 443));
    CU_ASSERT_EQUAL(host->fetch_addresses->nelts, 3);
}

static void test_merge(void)
{
    fhir_settings_t *base = complete();
    fhir_settings_t *host = fresh();
    fhir_settings_t *merged;
    FHIR_ASSERT_OK(set(base, "FhirBinaryTokenLifetime", "2h", NULL));
    FHIR_ASSERT_OK(set(base, "FhirBinaryMaxObjectSize", "1G", NULL));
    FHIR_ASSERT_OK(set(base, "FhirBinaryRefuseExtensions", ".a", NULL));
    FHIR_ASSERT_OK(set(base, "FhirBinaryRefuseExtensions", ".b", NULL));
    FHIR_ASSERT_OK(set(base, "FhirBinaryTrustedIssuer", "https://i", "audience=a", "jwks=https://i/k", NULL));
    /* The virtual host's lines: its store uses the main server's plugin. */
    host->base = base;
    FHIR_ASSERT_OK(set(host, "FhirBinaryTokenLifetime", "3h", NULL));
    FHIR_ASSERT_OK(set(host, "FhirBinaryRefuseExtensions", ".c", NULL));
    FHIR_ASSERT_OK(set(host, "FhirBinaryDatabaseFile", write_file("db", "dbname=host", 0600), NULL));
    FHIR_ASSERT_OK(set(host, "FhirBinaryStore", "own", "memory", NULL));
    FHIR_ASSERT_OK(set(host, "FhirBinaryStore", "own2", "memory", NULL));
    FHIR_ASSERT_OK(set(host, "FhirBinaryTrustedIssuer", "https://j", "audience=a", "jwks=https://j/k", NULL));
    merged = fhir_settings_merge(base, host, pool);
    FHIR_ASSERT_OK(fhir_settings_finish(merged));
    CU_ASSERT_EQUAL(merged->token_lifetime, apr_time_from_sec(3 * 3600));
    CU_ASSERT_EQUAL(merged->max_object_size, (apr_off_t)1 << 30);
    CU_ASSERT_EQUAL(merged->refused_extensions->nelts, 1);
    CU_ASSERT_STRING_EQUAL(merged->database, "dbname=host");
    CU_ASSERT_STRING_EQUAL(merged->base_url, "https://fhir.example.org/");
    CU_ASSERT(fhir_store_defined(merged->catalog, "ram"));
    CU_ASSERT(fhir_store_defined(merged->catalog, "own"));
    CU_ASSERT(fhir_store_defined(merged->catalog, "own2"));
    CU_ASSERT_STRING_EQUAL(merged->default_store, "ram");
    CU_ASSERT_EQUAL(merged->trusted_issuers->nelts, 2);
    /* The base is as it was. */
    CU_ASSERT_EQUAL(base->token_lifetime, apr_time_from_sec(2 * 3600));
    CU_ASSERT_EQUAL(base->refused_extensions->nelts, 2);
    CU_ASSERT(!fhir_store_defined(base->catalog, "own"));
}

static void test_merge_failure_is_told_at_the_end(void)
{
    const char *path = write_file("gone", "dbname=x", 0600);
    fhir_settings_t *base = fresh();
    fhir_settings_t *merged;
    FHIR_ASSERT_OK(set(base, "FhirBinaryDatabaseFile", path, NULL));
    CU_ASSERT_EQUAL(unlink(path), 0);
    merged = fhir_settings_merge(base, fresh(), pool);
    ASSERT_ADVICE("can't be read", fhir_settings_finish(merged));
}

/* ---- reading files ---- */

static void test_reads_httpd_files(void)
{
    fhir_settings_t *settings = fresh();
    const char *path;
    CU_ASSERT_EQUAL(mkdir(apr_pstrcat(pool, scratch_directory(), "/conf.d", NULL), 0700), 0);
    write_file("conf.d/a.conf", "FhirBinaryTokenLifetime 2h\n", 0600);
    write_file("conf.d/b.conf", "  fhirbinaryUpdateCreate\tOn\r\n", 0600);
    write_file("conf.d/c.txt", "FhirBinaryColour red\n", 0600);
    path = write_file("httpd.conf",
                      apr_psprintf(pool,
                                   "# FhirBinaryColour red\n"
                                   "Define HOST fhir.example.org\n"
                                   "Define GONE x\nUnDefine GONE\n"
                                   "Listen 80\n<VirtualHost *:80>\n"
                                   "FhirBinaryBaseURL https://${HOST}/${GONE\n"
                                   "</VirtualHost>\n"
                                   "FhirBinaryDatabase \"host=/run \\\n dbname='it\\\"s'\"\n"
                                   "FhirBinaryStoragePlugin memory '%s'\n"
                                   "FhirBinaryStore ram memory\nFhirBinaryStore ram memory\n"
                                   "Include conf.d/*.conf\n"
                                   "IncludeOptional nothing/*.conf\n"
                                   "FhirBinaryTokenLifetime 5h",
                                   plugin("memory")),
                      0600);
    ASSERT_ADVICE("line 7", fhir_settings_read(settings, path));
    path = write_file("httpd.conf",
                      apr_psprintf(pool,
                                   "Define HOST fhir.example.org\n"
                                   "<VirtualHost *:80>\nFhirBinaryBaseURL https://${HOST}/\n</VirtualHost>\n"
                                   "<VirtualHost *:81>\nFhirBinaryBaseURL https://other/\n</VirtualHost>\n"
                                   "FhirBinaryDatabase \"host=/run \\\n dbname=\\\"x\"\n"
                                   "FhirBinaryStoragePlugin memory '%s'\n"
                                   "FhirBinaryStore ram memory\nFhirBinaryStore ram memory\n"
                                   "Include conf.d/*.conf\n"
                                   "IncludeOptional nothing/*.conf\n"
                                   "FhirBinaryTokenLifetime 5h",
                                   plugin("memory")),
                      0600);
    settings = fresh();
    FHIR_ASSERT_OK(fhir_settings_read(settings, path));
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    CU_ASSERT_STRING_EQUAL(settings->base_url, "https://fhir.example.org/");
    CU_ASSERT_STRING_EQUAL(settings->database, "host=/run  dbname=\"x");
    CU_ASSERT_EQUAL(settings->token_lifetime, apr_time_from_sec(7200));
    CU_ASSERT_EQUAL(settings->update_create, 1);
}

static void test_file_errors_name_file_and_line(void)
{
    const char *path = write_file("bad.conf", "\n# x\nFhirBinaryTokenLifetime \\\n  5\n", 0600);
    ASSERT_ADVICE("bad.conf line 4: FhirBinaryTokenLifetime: '5'", fhir_settings_read(fresh(), path));
    path = write_file("bad.conf", "FhirBinaryColour red\n", 0600);
    ASSERT_ADVICE("bad.conf line 1: There is no directive 'FhirBinaryColour'", fhir_settings_read(fresh(), path));
    path = write_file("bad.conf", "Include nothing/*.conf\n", 0600);
    ASSERT_ADVICE("matches no file", fhir_settings_read(fresh(), path));
    path = write_file("bad.conf", apr_psprintf(pool, "Include %s/bad.conf\n", scratch), 0600);
    ASSERT_ADVICE("include itself", fhir_settings_read(fresh(), path));
    ASSERT_ADVICE("can't be read", fhir_settings_read(fresh(), "/nonexistent/httpd.conf"));
    /* The whole directory, as Include has it. */
    ASSERT_ADVICE("FhirBinaryColour", fhir_settings_read(fresh(), apr_pstrcat(pool, scratch, "/conf.d", NULL)));
}

static void test_audit(void)
{
    fhir_settings_t *settings = fhir_settings_create(pool);
    CU_ASSERT_PTR_NULL(settings->audit_log);
    CU_ASSERT_EQUAL(settings->audit_retention, 0);
    ASSERT_ADVICE("absolute path", set(settings, "FhirBinaryAuditLog", "audit.log", NULL));
    ASSERT_ADVICE("absolute path", set(settings, "FhirBinaryAuditLog", "|", NULL));
    ASSERT_ADVICE("no facility", set(settings, "FhirBinaryAuditLog", "syslog:kern", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryAuditLog", "|/usr/bin/logger -t fhir", NULL));
    CU_ASSERT_STRING_EQUAL(settings->audit_log, "|/usr/bin/logger -t fhir");
    settings = fhir_settings_create(pool);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryAuditLog", "syslog:local5", NULL));
    CU_ASSERT_TRUE(settings->audit_to_syslog);
    CU_ASSERT_EQUAL(settings->audit_facility, LOG_LOCAL5);
    CU_ASSERT_PTR_NULL(settings->audit_log);
    ASSERT_ADVICE("out of bounds", set(settings, "FhirBinaryAuditRetention", "10ms", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryAuditRetention", "365d", NULL));
    CU_ASSERT_EQUAL(settings->audit_retention, apr_time_from_sec(365 * 24 * 3600));
    settings = fhir_settings_create(pool);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryAuditRetention", "none", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryAuditLog", "none", NULL));
    CU_ASSERT_EQUAL(settings->audit_retention, 0);
    CU_ASSERT_FALSE(settings->audit_to_syslog);
}

static const char *wraps_ram(const fhir_store_config_t *config, int index)
{
    (void)config;
    return index == 0 ? "ram" : NULL;
}

/* What is a part of another store takes no new content: it would be there without encryption, or once instead of twice.
 */
static void test_default_store_beside_a_wrapper(void)
{
    static fhir_storage_plugin_t wrapper = WHOLE_PLUGIN("wrapper");
    fhir_settings_t *settings = complete();
    wrapper.wraps = wraps_ram;
    FHIR_ASSERT_OK(fhir_store_plugin_register(settings->catalog, &wrapper));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStore", "sealed", "wrapper", NULL));
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    CU_ASSERT_STRING_EQUAL(settings->default_store, "sealed");
    settings = complete();
    FHIR_ASSERT_OK(fhir_store_plugin_register(settings->catalog, &wrapper));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStore", "sealed", "wrapper", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryDefaultStore", "ram", NULL));
    ASSERT_ADVICE("'ram' is a part of 'sealed'; new content would go around that one. Write 'sealed'",
                  fhir_settings_finish(settings));
}

/* ---- redirects ---- */

static fhir_error_t *no_presign(fhir_store_presigned_t *presigned, fhir_store_t *store,
                                const fhir_store_presign_request_t *request, const fhir_store_call_t *call)
{
    (void)presigned;
    (void)store;
    (void)request;
    return fhir_error_public(call->result_pool, FHIR_ERROR_UNSUPPORTED, "no");
}

/* Never for uploads. */
static fhir_error_t *reads_only(const fhir_store_config_t *config, int write, apr_pool_t *error_pool)
{
    (void)config;
    return write ? fhir_error_public(error_pool, FHIR_ERROR_UNSUPPORTED, "With seal=off it could replace.") : NULL;
}

static fhir_error_t *nothing_at_all(const fhir_store_config_t *config, int write, apr_pool_t *error_pool)
{
    (void)config;
    (void)write;
    return fhir_error_public(error_pool, FHIR_ERROR_UNSUPPORTED, "With key=own clients lack the key.");
}

/* A store `bucket` whose plugin has URLs of its own, beside `ram`. */
static fhir_settings_t *complete_with_bucket(fhir_error_t *(*can_presign)(const fhir_store_config_t *, int,
                                                                          apr_pool_t *))
{
    static fhir_storage_plugin_t direct = WHOLE_PLUGIN("direct");
    fhir_settings_t *settings = complete();
    direct.capabilities = FHIR_STORAGE_CAN_PRESIGN;
    direct.presign = no_presign;
    direct.can_presign = can_presign;
    FHIR_ASSERT_OK(fhir_store_plugin_register(settings->catalog, &direct));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStore", "bucket", "direct", NULL));
    return settings;
}

static void test_store_redirect(void)
{
    fhir_settings_t *settings = complete_with_bucket(NULL);
    CU_ASSERT_EQUAL(fhir_settings_redirect(settings, "bucket"), 0);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "bucket", "read", NULL));
    ASSERT_ADVICE("such a line already", set(settings, "FhirBinaryStoreRedirect", "bucket", "all", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "ram", "off", NULL));
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    CU_ASSERT_EQUAL(fhir_settings_redirect(settings, "bucket"), FHIR_REDIRECT_READ);
    CU_ASSERT_EQUAL(fhir_settings_redirect(settings, "ram"), 0);
    CU_ASSERT_EQUAL(fhir_settings_redirect(settings, "tape"), 0);
    settings = complete_with_bucket(NULL);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "bucket", "upload", NULL));
    CU_ASSERT_EQUAL(fhir_settings_redirect(settings, "bucket"), FHIR_REDIRECT_UPLOAD);
    settings = complete_with_bucket(NULL);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "bucket", "all", NULL));
    CU_ASSERT_EQUAL(fhir_settings_redirect(settings, "bucket"), FHIR_REDIRECT_READ | FHIR_REDIRECT_UPLOAD);
}

static void test_wrong_store_redirects(void)
{
    fhir_settings_t *settings = complete_with_bucket(NULL);
    ASSERT_ADVICE("none of: off, read, upload, all", set(settings, "FhirBinaryStoreRedirect", "bucket", "on", NULL));
    ASSERT_ADVICE("not a name", set(settings, "FhirBinaryStoreRedirect", "Bucket", "all", NULL));
    ASSERT_ADVICE("too few", set(settings, "FhirBinaryStoreRedirect", "bucket", NULL));
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "tape", "all", NULL));
    ASSERT_ADVICE("no store 'tape'. Write one of: ram bucket", fhir_settings_finish(settings));
    settings = complete_with_bucket(NULL);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "ram", "read", NULL));
    ASSERT_ADVICE("makes no URLs", fhir_settings_finish(settings));
}

static void test_store_redirects_against_options(void)
{
    fhir_settings_t *settings = complete_with_bucket(reads_only);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "bucket", "read", NULL));
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
    settings = complete_with_bucket(reads_only);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "bucket", "all", NULL));
    ASSERT_ADVICE("to upload. With seal=off it could replace. Change the store's options, or write 'read' or 'off'.",
                  fhir_settings_finish(settings));
    settings = complete_with_bucket(nothing_at_all);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "bucket", "all", NULL));
    ASSERT_ADVICE("to read. With key=own clients lack the key. Change the store's options, or write 'off'.",
                  fhir_settings_finish(settings));
    settings = complete_with_bucket(nothing_at_all);
    FHIR_ASSERT_OK(set(settings, "FhirBinaryStoreRedirect", "bucket", "off", NULL));
    FHIR_ASSERT_OK(fhir_settings_finish(settings));
}

/* A virtual host has the last word about each store. */
static void test_store_redirects_merge(void)
{
    fhir_settings_t *base = complete();
    fhir_settings_t *host = fresh();
    FHIR_ASSERT_OK(set(base, "FhirBinaryStoreRedirect", "ram", "all", NULL));
    FHIR_ASSERT_OK(set(host, "FhirBinaryStoreRedirect", "ram", "off", NULL));
    ASSERT_ADVICE("makes no URLs", fhir_settings_finish(fhir_settings_merge(base, fresh(), pool)));
    FHIR_ASSERT_OK(fhir_settings_finish(fhir_settings_merge(base, host, pool)));
}

static const fhir_unit_test_t tests[] = {
    {"table is sound", test_table_is_sound},
    {"defaults are those of the table", test_defaults_are_those_of_the_table},
    {"wrong names and counts", test_wrong_names_and_counts},
    {"urls", test_urls},
    {"numbers", test_numbers},
    {"access", test_access},
    {"lists", test_lists},
    {"database", test_database},
    {"database file", test_database_file},
    {"stores", test_stores},
    {"issuers", test_issuers},
    {"finish", test_finish},
    {"fetch", test_fetch},
    {"merge", test_merge},
    {"a merge failure is told at the end", test_merge_failure_is_told_at_the_end},
    {"reads httpd files", test_reads_httpd_files},
    {"file errors name file and line", test_file_errors_name_file_and_line},
    {"audit", test_audit},
    {"default store beside a wrapper", test_default_store_beside_a_wrapper},
    {"store redirect", test_store_redirect},
    {"wrong store redirects", test_wrong_store_redirects},
    {"store redirects against options", test_store_redirects_against_options},
    {"store redirects merge", test_store_redirects_merge},
    {NULL, NULL},
};

FHIR_UNIT_MAIN("settings", tests)
