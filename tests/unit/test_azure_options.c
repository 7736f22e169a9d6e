/* Options of the azure plugin: what is kept, and the sentence for each mistake. */
#include "storage-plugins/azure/azure.h"
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
#define CUSTOMER_KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define CUSTOMER_KEY_SHA256 "Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0="

static fhir_store_config_t *config;

/* A file that lives as long as the test's pool. */
static apr_status_t remove_file(void *path)
{
    unlink(path);
    return APR_SUCCESS;
}

static const char *file_with(const char *content, mode_t mode)
{
    char *path = apr_pstrdup(pool, "/tmp/fhir-test-azure-XXXXXX");
    int file = mkstemp(path);
    CU_ASSERT_FATAL(file >= 0 && write(file, content, strlen(content)) == (ssize_t)strlen(content));
    fchmod(file, mode);
    close(file);
    apr_pool_cleanup_register(pool, path, remove_file, apr_pool_cleanup_null);
    return path;
}

/* "key=value" ..., NULL */
static fhir_error_t *configure(const char *first, ...)
{
    fhir_store_option_t options[32];
    int count = 0;
    const char *text;
    va_list arguments;
    va_start(arguments, first);
    for (text = first; text; text = va_arg(arguments, const char *)) {
        char *copy = apr_pstrdup(pool, text);
        char *equals = strchr(copy, '=');
        *equals = '\0';
        options[count].key = copy;
        options[count++].value = equals + 1;
    }
    va_end(arguments);
    return azure_configure(&config, options, count, pool);
}

static const char *key_option(void)
{
    return apr_pstrcat(pool, "account_key_file=", file_with(KEY "\n", 0600), NULL);
}

/* With a good account, container and key. */
static fhir_error_t *with(const char *option, const char *other)
{
    return configure("account=account1", "container=files", key_option(), option, other, NULL);
}

static void refused(fhir_error_t *error, const char *part)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(error);
    CU_ASSERT_EQUAL(error->code, FHIR_ERROR_INVALID);
    if (!strstr(error->public_text, part)) {
        printf("'%s' is not in: %s\n", part, error->public_text);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(error->public_text, part));
}

static void test_defaults(void)
{
    FHIR_ASSERT_OK(with(NULL, NULL));
    CU_ASSERT_STRING_EQUAL(config->endpoint, "https://account1.blob.core.windows.net");
    CU_ASSERT_STRING_EQUAL(config->public_endpoint, config->endpoint);
    CU_ASSERT_STRING_EQUAL(config->prefix, "");
    CU_ASSERT_STRING_EQUAL(config->sas_protocol, "https");
    CU_ASSERT_EQUAL(config->account_key.length, 64);
    CU_ASSERT_EQUAL(config->account_key.bytes[63], 63);
    CU_ASSERT_EQUAL(config->put_blob_size, AZURE_PUT_BLOB_MAX);
    CU_ASSERT_EQUAL(config->block_size, 8 << 20);
    CU_ASSERT_EQUAL(config->parallel_blocks, 2);
    CU_ASSERT_STRING_EQUAL(azure_blob_path(config, "ab/cd/x", pool), "/files/ab/cd/x");
}

static void test_names(void)
{
    FHIR_ASSERT_OK(with("prefix=fhir/bin-1", NULL));
    CU_ASSERT_STRING_EQUAL(azure_blob_path(config, "ab/cd/x", pool), "/files/fhir/bin-1/ab/cd/x");
    FHIR_ASSERT_OK(with("prefix=fhir/", NULL));
    CU_ASSERT_STRING_EQUAL(config->prefix, "fhir/");
    refused(configure("container=files", key_option(), NULL), "account=");
    refused(configure("account=Account", "container=files", key_option(), NULL), "account=");
    refused(configure("account=account1", key_option(), NULL), "container=");
    refused(configure("account=account1", "container=Files", key_option(), NULL), "container=Files");
    refused(configure("account=account1", "container=a--b", key_option(), NULL), "container=a--b");
    refused(configure("account=account1", "container=ab-", key_option(), NULL), "container=ab-");
    refused(with("prefix=/x", NULL), "prefix=/x");
    refused(with("prefix=a//b", NULL), "prefix=a//b");
    refused(with("prefix=a/../b", NULL), "prefix=a/../b");
    refused(with("prefix=..", NULL), "prefix=..");
    refused(with("prefix=a b", NULL), "prefix=a b");
    refused(with("prefix=a?b", NULL), "prefix=a?b");
    refused(with("nonsense=1", NULL), "customer_key_file");
}

static void test_endpoints(void)
{
    FHIR_ASSERT_OK(with("endpoint=http://127.0.0.1:10000/devstoreaccount1/", "public_endpoint=https://files.example"));
    CU_ASSERT_STRING_EQUAL(config->endpoint, "http://127.0.0.1:10000/devstoreaccount1");
    CU_ASSERT_STRING_EQUAL(config->public_endpoint, "https://files.example");
    CU_ASSERT_STRING_EQUAL(config->sas_protocol, "https");
    FHIR_ASSERT_OK(with("endpoint=http://[::1]:10000/x", NULL));
    CU_ASSERT_STRING_EQUAL(config->sas_protocol, "https,http");
    refused(with("endpoint=ftp://x", NULL), "endpoint=ftp");
    refused(with("endpoint=https://", NULL), "endpoint=");
    refused(with("endpoint=https://user@host", NULL), "endpoint=");
    refused(with("endpoint=https://host/?a=b", NULL), "endpoint=");
    refused(with("public_endpoint=files.example", NULL), "public_endpoint=");
    refused(with("endpoint=http://127.0.0.1:1/x", "sas_protocol=https"), "sas_protocol=https needs");
    refused(with("ca_file=/nonexistent", NULL), "ca_file=");
}

static void test_secrets(void)
{
    refused(configure("account=account1", "container=files", NULL), "account_key_file=");
    refused(configure("account=account1", "container=files", "account_key_file=/nonexistent", NULL), "can't be read");
    refused(configure("account=account1", "container=files", "account_key_file=/tmp", NULL), "can't be read");
    refused(configure("account=account1", "container=files",
                      apr_pstrcat(pool, "account_key_file=", file_with(KEY, 0644), NULL), NULL),
            "chmod 0600");
    refused(configure("account=account1", "container=files",
                      apr_pstrcat(pool, "account_key_file=", file_with(" \n", 0600), NULL), NULL),
            "is empty");
    refused(configure("account=account1", "container=files",
                      apr_pstrcat(pool, "account_key_file=", file_with("not base64!", 0600), NULL), NULL),
            "base64");
    refused(configure("account=account1", "container=files",
                      apr_pstrcat(pool, "account_key_file=", file_with("AAECAw==", 0600), NULL), NULL),
            "base64");
    FHIR_ASSERT_OK(configure("account=account1", "container=files",
                             apr_pstrcat(pool, "account_key_file=", file_with(KEY, 0640), NULL), NULL));
}

/* People write the secret itself where its file belongs; what they see then is in a log. */
static void test_secrets_are_not_shown(void)
{
    static const char *const options[] = {"account_key_file=" KEY,
                                          "account_key_file=/" KEY,
                                          "customer_key_file=" KEY,
                                          "client_secret_file=" KEY,
                                          KEY,
                                          "credentials=" KEY,
                                          "endpoint=https://x.example/?sig=" KEY};
    size_t i;
    for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int secret = !strncmp(options[i], "client", 6);
        fhir_error_t *error =
            configure("account=account1", "container=files", key_option(), options[i],
                      secret ? "credentials=client_secret" : NULL, "tenant_id=t", "client_id=c", NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(error);
        CU_ASSERT_PTR_NULL(strstr(error->public_text, "AAECAwQFBgcICQ"));
        CU_ASSERT_PTR_NULL(error->detail);
    }
    refused(with("account_key_file=" KEY, NULL), "account_key_file= is not an absolute path of a file");
}

static void test_customer_keys(void)
{
    const char *option = apr_pstrcat(pool, "customer_key_file=", file_with(CUSTOMER_KEY "\n", 0400), NULL);
    FHIR_ASSERT_OK(with(option, NULL));
    FHIR_ASSERT_ERROR(FHIR_ERROR_UNSUPPORTED, azure_can_presign(config, 1, pool));
    CU_ASSERT_STRING_EQUAL(config->customer_key, CUSTOMER_KEY);
    CU_ASSERT_STRING_EQUAL(config->customer_key_sha256, CUSTOMER_KEY_SHA256);
    refused(with(option, "endpoint=http://127.0.0.1:1/x"), "must be https");
    refused(with(option, "encryption_scope=scope1"), "exclude each other");
    refused(with(apr_pstrcat(pool, "customer_key_file=", file_with(KEY, 0600), NULL), NULL), "32 bytes");
    FHIR_ASSERT_OK(with("encryption_scope=scope1", "access_tier=Cool"));
    refused(with("encryption_scope=a b", NULL), "encryption_scope=");
    refused(with("access_tier=Archive", NULL), "access_tier=Archive");
}

static void test_tokens(void)
{
    const char *secret = apr_pstrcat(pool, "client_secret_file=", file_with("hush hush\n", 0600), NULL);
    FHIR_ASSERT_OK(configure("account=account1", "container=files", "credentials=client_secret", "tenant_id=t",
                             "client_id=c", secret, NULL));
    CU_ASSERT_STRING_EQUAL(config->client_secret, "hush hush");
    CU_ASSERT_STRING_EQUAL(config->authority, "https://login.microsoftonline.com");
    refused(configure("account=account1", "container=files", "credentials=client_secret", "tenant_id=t", secret, NULL),
            "client_id=");
    refused(configure("account=account1", "container=files", "credentials=client_secret", "tenant_id=t/..",
                      "client_id=c", secret, NULL),
            "tenant_id=");
    refused(configure("account=account1", "container=files", "credentials=client_secret", "tenant_id=t", "client_id=c",
                      "authority=http://login.example", secret, NULL),
            "authority=http://login.example must be https");
    refused(configure("account=account1", "container=files", "credentials=client_secret", "tenant_id=t", "client_id=c",
                      "authority=http://localhost.example", secret, NULL),
            "must be https");
    refused(configure("account=account1", "container=files", "credentials=client_secret", "tenant_id=t", "client_id=c",
                      "endpoint=http://127.0.0.1:1/x", secret, NULL),
            "must be https");
    refused(configure("account=account1", "container=files", "credentials=magic", NULL), "credentials=magic");
}

/* Nobody must believe that a secret is used which is not. */
static void test_secrets_that_are_not_used(void)
{
    const char *secret = apr_pstrcat(pool, "client_secret_file=", file_with("hush hush\n", 0600), NULL);
    refused(configure("account=account1", "container=files", "credentials=managed_identity", key_option(), NULL),
            "account_key_file= is not used with credentials=managed_identity");
    refused(configure("account=account1", "container=files", "credentials=managed_identity", secret, NULL),
            "client_secret_file= is not used with credentials=managed_identity");
    refused(configure("account=account1", "container=files", "credentials=client_secret", "tenant_id=t", "client_id=c",
                      secret, key_option(), NULL),
            "account_key_file= is not used with credentials=client_secret");
    refused(with(secret, NULL), "client_secret_file= is not used with credentials=shared_key");
}

static void test_ports(void)
{
    FHIR_ASSERT_OK(with("endpoint=https://files.example:65535/a:b", NULL));
    FHIR_ASSERT_OK(with("endpoint=https://[::1]", NULL));
    FHIR_ASSERT_OK(with("endpoint=https://[::1]:1", NULL));
    refused(with("endpoint=https://files.example:65536", NULL), "endpoint= has a port");
    refused(with("public_endpoint=https://[::1]:0/x", NULL), "public_endpoint= has a port");
    refused(with("endpoint=https://files.example:/x", NULL), "endpoint= has a port");
    refused(with("endpoint=https://files.example:99999999999999999999", NULL), "endpoint= has a port");
}

static void test_identities(void)
{
    unsetenv("IDENTITY_ENDPOINT");
    unsetenv("IDENTITY_HEADER");
    FHIR_ASSERT_OK(configure("account=account1", "container=files", "credentials=managed_identity", NULL));
    CU_ASSERT_STRING_EQUAL(config->identity_endpoint, "http://169.254.169.254/metadata/identity/oauth2/token");
    CU_ASSERT_PTR_NULL(config->identity_header);
    setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:41/msi/token", 1);
    setenv("IDENTITY_HEADER", "hush", 1);
    FHIR_ASSERT_OK(configure("account=account1", "container=files", "credentials=managed_identity",
                             "managed_identity_client_id=11059fcc-5514", NULL));
    CU_ASSERT_STRING_EQUAL(config->identity_endpoint, "http://127.0.0.1:41/msi/token");
    CU_ASSERT_STRING_EQUAL(config->identity_header, "hush");
    unsetenv("IDENTITY_ENDPOINT");
    unsetenv("IDENTITY_HEADER");
    refused(configure("account=account1", "container=files", "credentials=managed_identity",
                      "managed_identity_client_id=a&b", NULL),
            "managed_identity_client_id=");
}

static void test_signatures(void)
{
    FHIR_ASSERT_OK(with("stored_policy=revocable", "sas_ip=192.0.2.1-192.0.2.9"));
    refused(with("stored_policy=a b", NULL), "stored_policy=");
    refused(with("sas_ip=example.org", NULL), "sas_ip=");
    refused(with("sas_protocol=http", NULL), "sas_protocol=http");
    refused(configure("account=account1", "container=files", "credentials=managed_identity", "stored_policy=p", NULL),
            "only with credentials=shared_key");
}

static void test_numbers(void)
{
    FHIR_ASSERT_OK(with("block_size=100M", "parallel_blocks=8"));
    CU_ASSERT_EQUAL(config->block_size, 100 << 20);
    refused(with("block_size=1K", NULL), "block_size=1K");
    refused(with("put_blob_size=1K", NULL), "put_blob_size=1K");
    refused(with("put_blob_size=5001M", NULL), "put_blob_size=5001M");
    FHIR_ASSERT_OK(with("put_blob_size=64K", NULL));
    refused(with("block_size=5000M", NULL), "block_size=5000M");
    refused(with("parallel_blocks=9", NULL), "parallel_blocks=9");
    refused(with("connections=-1", NULL), "connections=-1");
    refused(with("request_timeout=0s", NULL), "request_timeout=0s");
}

static const fhir_unit_test_t tests[] = {
    {"defaults", test_defaults},
    {"names", test_names},
    {"endpoints", test_endpoints},
    {"secrets", test_secrets},
    {"secrets are not shown", test_secrets_are_not_shown},
    {"customer keys", test_customer_keys},
    {"tokens", test_tokens},
    {"secrets that are not used", test_secrets_that_are_not_used},
    {"ports", test_ports},
    {"identities", test_identities},
    {"signatures", test_signatures},
    {"numbers", test_numbers},
    {NULL, NULL},
};
FHIR_UNIT_MAIN("azure_options", tests)
