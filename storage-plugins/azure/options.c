/* The options of the azure store, as far as a configuration test can see them: no sockets. */
#include "azure.h"

#include <apr_base64.h>
#include <apr_env.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 4096
#define CUSTOMER_KEY_LENGTH 32
#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* As written, before they are understood. */
typedef struct words_t {
    const char *credentials;
    const char *account_key_file;
    const char *client_secret_file;
    const char *customer_key_file;
    const char *put_blob_size;
    const char *block_size;
    const char *parallel_blocks;
    const char *connect_timeout;
    const char *stall_timeout;
    const char *request_timeout;
    const char *connections;
} words_t;

static fhir_error_t *invalid(apr_pool_t *pool, const char *format, ...) FHIR_PRINTF(2, 3);

static fhir_error_t *invalid(apr_pool_t *pool, const char *format, ...)
{
    va_list arguments;
    fhir_error_t *error;
    va_start(arguments, format);
    error = fhir_error_public(pool, FHIR_ERROR_INVALID, "%s", apr_pvsprintf(pool, format, arguments));
    va_end(arguments);
    return error;
}

static int consists_of(const char *text, const char *characters, size_t least, size_t most)
{
    size_t length = strlen(text);
    return length >= least && length <= most && strspn(text, characters) == length;
}

/* ---- secrets in files ---- */

static fhir_error_t *read_file(char *content, const char *option, const char *path, apr_pool_t *pool)
{
    struct stat status;
    ssize_t got = -1;
    int file;
    FHIR_TRY(fhir_plugin_secret_file(option, path, pool));
    file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file >= 0 && !fstat(file, &status) && S_ISREG(status.st_mode)) {
        got = read(file, content, SECRET_MAX);
    }
    if (file >= 0) {
        close(file);
    }
    if (got < 0) {
        return invalid(pool,
                       "%s=%s can't be read. Name a file with the secret, readable for the user that starts httpd.",
                       option, path);
    }
    if (status.st_mode & S_IRWXO) {
        return invalid(pool, "%s=%s may be read or changed by everybody. Run: chmod 0600 %s", option, path, path);
    }
    if (got == SECRET_MAX) {
        return invalid(pool, "%s=%s is larger than a secret can be.", option, path);
    }
    content[got] = '\0';
    return NULL;
}

/* The file's text without white space at its ends. */
static fhir_error_t *read_secret(const char **secret, const char *option, const char *path, apr_pool_t *pool)
{
    char content[SECRET_MAX + 1];
    size_t begin;
    size_t end;
    fhir_error_t *error = read_file(content, option, path, pool);
    if (error) {
        return error;
    }
    begin = strspn(content, " \t\r\n");
    end = strlen(content);
    while (end > begin && strchr(" \t\r\n", content[end - 1])) {
        end--;
    }
    *secret = apr_pstrmemdup(pool, content + begin, end - begin);
    memset(content, 0, sizeof(content));
    return **secret ? NULL : invalid(pool, "%s=%s is empty.", option, path);
}

static fhir_error_t *decode_key(azure_key_t *key, const char *option, const char *text, apr_pool_t *pool)
{
    unsigned char *bytes = apr_palloc(pool, (apr_size_t)apr_base64_decode_len(text) + 1);
    int length = consists_of(text, LETTERS CAPITALS DIGITS "+/=", 4, 2 * AZURE_KEY_MAX)
                     ? apr_base64_decode_binary(bytes, text)
                     : 0;
    if (length < 16 || length > AZURE_KEY_MAX) {
        return invalid(pool, "%s= names a file that is not one key in base64, as Azure shows it.", option);
    }
    memcpy(key->bytes, bytes, (size_t)length);
    key->length = (apr_size_t)length;
    return NULL;
}

static fhir_error_t *read_customer_key(fhir_store_config_t *config, const char *path, apr_pool_t *pool)
{
    azure_key_t key = {{0}, 0};
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char *digest_text = apr_palloc(pool, (apr_size_t)apr_base64_encode_len(SHA256_DIGEST_LENGTH));
    if (!path) {
        return NULL;
    }
    FHIR_TRY(read_secret(&config->customer_key, "customer_key_file", path, pool));
    FHIR_TRY(decode_key(&key, "customer_key_file", config->customer_key, pool));
    if (key.length != CUSTOMER_KEY_LENGTH) {
        return invalid(pool, "customer_key_file=%s must have 32 bytes in base64. Make one: openssl rand -base64 32",
                       path);
    }
    if (config->encryption_scope) {
        return invalid(pool, "customer_key_file= and encryption_scope= exclude each other. Choose one.");
    }
    SHA256(key.bytes, key.length, digest);
    apr_base64_encode_binary(digest_text, digest, sizeof(digest));
    config->customer_key_sha256 = digest_text;
    return NULL;
}

/* ---- URLs ---- */

static int is_https(const char *url)
{
    return !strncmp(url, "https://", 8);
}

/* The instance's endpoint, and servers of tests. */
static int is_local(const char *url)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost", "169.254.169.254"};
    size_t i;
    if (strncmp(url, "http://", 7)) {
        return 0;
    }
    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t length = strlen(hosts[i]);
        if (!strncmp(url + 7, hosts[i], length) && strchr(":/", url[7 + length])) { /* or at the end */
            return 1;
        }
    }
    return 0;
}

/* Of host[:port][/path]. */
static fhir_error_t *check_port(const char *host, const char *option, apr_pool_t *pool)
{
    const char *end = strchr(host, '/');
    const char *authority = apr_pstrmemdup(pool, host, end ? (apr_size_t)(end - host) : strlen(host));
    const char *colon = strrchr(authority, ':');
    if (!colon || strchr(colon, ']')) {
        return NULL;
    }
    if (consists_of(colon + 1, DIGITS, 1, 5) && apr_atoi64(colon + 1) >= 1 && apr_atoi64(colon + 1) <= 65535) {
        return NULL;
    }
    return invalid(pool, "%s= has a port that is no number from 1 to 65535.", option);
}

/* scheme://host[:port][/path], nothing else. *url loses slashes at its end. */
static fhir_error_t *check_url(const char **url, const char *option, apr_pool_t *pool)
{
    const char *host;
    size_t length;
    if (!*url) {
        return NULL;
    }
    length = strlen(*url);
    while (length > 0 && (*url)[length - 1] == '/') {
        length--;
    }
    *url = apr_pstrmemdup(pool, *url, length);
    host = is_https(*url) ? *url + 8 : !strncmp(*url, "http://", 7) ? *url + 7 : "";
    if (!consists_of(host, LETTERS CAPITALS DIGITS "-._~:/[]", 1, 256) || strchr("/:", *host) || strstr(host, "//")) {
        return invalid(pool, "%s=%s is not a URL such as https://name.blob.core.windows.net.", option,
                       fhir_plugin_shown_url(*url));
    }
    return check_port(host, option, pool);
}

const char *azure_path_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    return path ? path : "";
}

static fhir_error_t *check_endpoints(fhir_store_config_t *config, apr_pool_t *pool)
{
    if (!config->endpoint) {
        config->endpoint = apr_psprintf(pool, "https://%s.blob.core.windows.net", config->account);
    }
    FHIR_TRY(check_url(&config->endpoint, "endpoint", pool));
    FHIR_TRY(check_url(&config->public_endpoint, "public_endpoint", pool));
    if (!config->public_endpoint) {
        config->public_endpoint = config->endpoint;
    }
    if (!is_https(config->endpoint) && config->credentials != AZURE_SHARED_KEY) {
        return invalid(pool, "endpoint=%s must be https: a token would be seen by everybody on the way.",
                       config->endpoint);
    }
    if (!is_https(config->endpoint) && config->customer_key) {
        return invalid(pool, "endpoint=%s must be https: the customer's key would be seen by everybody on the way.",
                       config->endpoint);
    }
    return NULL;
}

/* ---- names ---- */

static fhir_error_t *check_container(const char *container, apr_pool_t *pool)
{
    size_t length;
    if (!container) {
        return invalid(pool, "The azure store needs container=, the name of a container that exists already.");
    }
    length = strlen(container);
    if (!consists_of(container, LETTERS DIGITS "-", 3, 63) || container[0] == '-' || container[length - 1] == '-' ||
        strstr(container, "--")) {
        return invalid(pool,
                       "container=%s is not the name of a container: 3 to 63 lower-case letters, digits and single "
                       "hyphens.",
                       container);
    }
    return NULL;
}

static fhir_error_t *check_prefix(const char **prefix, apr_pool_t *pool)
{
    const char *given = *prefix ? *prefix : "";
    size_t length = strlen(given);
    *prefix = given;
    if (length == 0) {
        return NULL;
    }
    if (!consists_of(given, LETTERS CAPITALS DIGITS "-._/", 1, 512) || given[0] == '/' || strstr(given, "//") ||
        strstr(apr_pstrcat(pool, "/", given, "/", NULL), "/./") ||
        strstr(apr_pstrcat(pool, "/", given, "/", NULL), "/../")) {
        return invalid(pool,
                       "prefix=%s: write letters, digits, - . _ and single slashes between them, for instance "
                       "prefix=fhir/binaries.",
                       given);
    }
    *prefix = given[length - 1] == '/' ? given : apr_pstrcat(pool, given, "/", NULL);
    return NULL;
}

static fhir_error_t *check_names(fhir_store_config_t *config, apr_pool_t *pool)
{
    if (!config->account || !consists_of(config->account, LETTERS DIGITS, 3, 24)) {
        return invalid(pool,
                       "The azure store needs account=, the name of the storage account: 3 to 24 lower-case letters "
                       "and digits.");
    }
    FHIR_TRY(check_container(config->container, pool));
    FHIR_TRY(check_prefix(&config->prefix, pool));
    if (config->encryption_scope && !consists_of(config->encryption_scope, LETTERS CAPITALS DIGITS "-", 3, 63)) {
        return invalid(pool, "encryption_scope=%s is not the name of an encryption scope.", config->encryption_scope);
    }
    if (config->access_tier && strcmp(config->access_tier, "Hot") && strcmp(config->access_tier, "Cool") &&
        strcmp(config->access_tier, "Cold")) {
        return invalid(pool, "access_tier=%s is not Hot, Cool or Cold; what is archived can't be read.",
                       config->access_tier);
    }
    return NULL;
}

/* ---- SAS ---- */

static fhir_error_t *check_sas(fhir_store_config_t *config, apr_pool_t *pool)
{
    const char *protocol = config->sas_protocol;
    if (protocol && strcmp(protocol, "https") && strcmp(protocol, "https,http")) {
        return invalid(pool, "sas_protocol=%s is neither https nor https,http.", protocol);
    }
    if (!protocol) {
        config->sas_protocol = is_https(config->public_endpoint) ? "https" : "https,http";
    } else if (!strcmp(protocol, "https") && !is_https(config->public_endpoint)) {
        return invalid(pool, "sas_protocol=https needs an endpoint or public_endpoint with https.");
    }
    if (config->sas_ip && !consists_of(config->sas_ip, DIGITS ".-", 7, 31)) {
        return invalid(pool, "sas_ip=%s is not an IPv4 address or a range such as 192.0.2.1-192.0.2.99.",
                       config->sas_ip);
    }
    if (config->stored_policy && config->credentials != AZURE_SHARED_KEY) {
        return invalid(pool,
                       "stored_policy= works only with credentials=shared_key: Azure has no stored access policies "
                       "for URLs signed by a token.");
    }
    if (config->stored_policy && !consists_of(config->stored_policy, LETTERS CAPITALS DIGITS "-._~", 1, 64)) {
        return invalid(pool,
                       "stored_policy=%s is not the name of a stored access policy (at most 64 letters, digits and "
                       "- . _ ~).",
                       config->stored_policy);
    }
    return NULL;
}

/* ---- credentials ---- */

static fhir_error_t *read_account_key(fhir_store_config_t *config, const words_t *words, apr_pool_t *pool)
{
    const char *text;
    if (!words->account_key_file) {
        return invalid(pool, "credentials=shared_key needs account_key_file=, a file with the account's key in base64. "
                             "Better: credentials=managed_identity or credentials=client_secret.");
    }
    FHIR_TRY(read_secret(&text, "account_key_file", words->account_key_file, pool));
    return decode_key(&config->account_key, "account_key_file", text, pool);
}

static fhir_error_t *read_client_secret(fhir_store_config_t *config, const words_t *words, apr_pool_t *pool)
{
    if (!config->tenant_id || !config->client_id || !words->client_secret_file) {
        return invalid(pool, "credentials=client_secret needs tenant_id=, client_id= and client_secret_file= of an "
                             "application that is registered in Microsoft Entra.");
    }
    if (!consists_of(config->tenant_id, LETTERS CAPITALS DIGITS "-.", 1, 255) ||
        !consists_of(config->client_id, LETTERS CAPITALS DIGITS "-", 1, 255)) {
        return invalid(pool, "tenant_id= and client_id= are ids such as 72f988bf-86f1-41af-91ab-2d7cd011db47.");
    }
    if (!config->authority) {
        config->authority = "https://login.microsoftonline.com";
    }
    FHIR_TRY(check_url(&config->authority, "authority", pool));
    if (!is_https(config->authority) && !is_local(config->authority)) {
        return invalid(pool, "authority=%s must be https: it is sent the client's secret.", config->authority);
    }
    return read_secret(&config->client_secret, "client_secret_file", words->client_secret_file, pool);
}

/* App Service and Container Apps tell their own endpoint in the environment. */
static fhir_error_t *find_identity_endpoint(fhir_store_config_t *config, apr_pool_t *pool)
{
    char *header = NULL;
    char *endpoint = NULL;
    if (!config->identity_endpoint) {
        if (apr_env_get(&endpoint, "IDENTITY_ENDPOINT", pool) == APR_SUCCESS &&
            apr_env_get(&header, "IDENTITY_HEADER", pool) == APR_SUCCESS) {
            config->identity_endpoint = endpoint;
            config->identity_header = header;
        } else {
            config->identity_endpoint = "http://169.254.169.254/metadata/identity/oauth2/token";
        }
    }
    if (config->identity_client_id && !consists_of(config->identity_client_id, LETTERS CAPITALS DIGITS "-", 1, 255)) {
        return invalid(pool, "managed_identity_client_id=%s is not an id.", config->identity_client_id);
    }
    return check_url(&config->identity_endpoint, "identity_endpoint", pool);
}

/* Else nobody would notice that the store is used with other credentials than those which he wrote. */
static fhir_error_t *refuse_unused(const char *kind, const char *option, const char *value, apr_pool_t *pool)
{
    return value ? invalid(pool, "%s= is not used with credentials=%s. Leave it out, or choose other credentials=.",
                           option, kind)
                 : NULL;
}

static fhir_error_t *check_credentials(fhir_store_config_t *config, const words_t *words, apr_pool_t *pool)
{
    const char *kind = words->credentials ? words->credentials : "shared_key";
    if (!strcmp(kind, "shared_key")) {
        FHIR_TRY(refuse_unused(kind, "client_secret_file", words->client_secret_file, pool));
        config->credentials = AZURE_SHARED_KEY;
        return read_account_key(config, words, pool);
    }
    if (!strcmp(kind, "client_secret")) {
        FHIR_TRY(refuse_unused(kind, "account_key_file", words->account_key_file, pool));
        config->credentials = AZURE_CLIENT_SECRET;
        return read_client_secret(config, words, pool);
    }
    if (!strcmp(kind, "managed_identity")) {
        FHIR_TRY(refuse_unused(kind, "account_key_file", words->account_key_file, pool));
        FHIR_TRY(refuse_unused(kind, "client_secret_file", words->client_secret_file, pool));
        config->credentials = AZURE_MANAGED_IDENTITY;
        return find_identity_endpoint(config, pool);
    }
    return invalid(pool, "credentials=%s is not shared_key, client_secret or managed_identity.",
                   fhir_plugin_shown_name(kind));
}

/* ---- all of it ---- */

static fhir_error_t *check_numbers(fhir_store_config_t *config, const words_t *words, apr_pool_t *pool)
{
    config->put_blob_size = AZURE_PUT_BLOB_MAX;
    config->block_size = (apr_off_t)8 << 20;
    config->parallel_blocks = 2;
    config->connect_timeout = apr_time_from_sec(5);
    config->stall_timeout = apr_time_from_sec(30);
    config->request_timeout = apr_time_from_sec(60);
    config->connections = 16;
    FHIR_TRY(fhir_plugin_size(&config->put_blob_size, "put_blob_size", words->put_blob_size, (apr_off_t)64 << 10,
                              AZURE_PUT_BLOB_MAX, pool));
    FHIR_TRY(fhir_plugin_size(&config->block_size, "block_size", words->block_size, (apr_off_t)64 << 10,
                              AZURE_BLOCK_SIZE_MAX, pool));
    FHIR_TRY(fhir_plugin_number(&config->parallel_blocks, "parallel_blocks", words->parallel_blocks, 1,
                                AZURE_PARALLEL_MAX, pool));
    FHIR_TRY(fhir_plugin_duration(&config->connect_timeout, "connect_timeout", words->connect_timeout,
                                  apr_time_from_msec(10), apr_time_from_sec(300), pool));
    FHIR_TRY(fhir_plugin_duration(&config->stall_timeout, "stall_timeout", words->stall_timeout,
                                  apr_time_from_msec(100), apr_time_from_sec(3600), pool));
    FHIR_TRY(fhir_plugin_duration(&config->request_timeout, "request_timeout", words->request_timeout,
                                  apr_time_from_msec(100), apr_time_from_sec(3600), pool));
    return fhir_plugin_number(&config->connections, "connections", words->connections, 0, 1024, pool);
}

static fhir_error_t *read_options(fhir_store_config_t *config, words_t *words, const fhir_store_option_t *options,
                                  int option_count, apr_pool_t *pool)
{
    const fhir_plugin_option_t known[] = {{"account", &config->account},
                                          {"container", &config->container},
                                          {"prefix", &config->prefix},
                                          {"endpoint", &config->endpoint},
                                          {"public_endpoint", &config->public_endpoint},
                                          {"ca_file", &config->ca_file},
                                          {"credentials", &words->credentials},
                                          {"account_key_file", &words->account_key_file},
                                          {"tenant_id", &config->tenant_id},
                                          {"client_id", &config->client_id},
                                          {"client_secret_file", &words->client_secret_file},
                                          {"authority", &config->authority},
                                          {"managed_identity_client_id", &config->identity_client_id},
                                          {"identity_endpoint", &config->identity_endpoint},
                                          {"customer_key_file", &words->customer_key_file},
                                          {"encryption_scope", &config->encryption_scope},
                                          {"access_tier", &config->access_tier},
                                          {"put_blob_size", &words->put_blob_size},
                                          {"block_size", &words->block_size},
                                          {"parallel_blocks", &words->parallel_blocks},
                                          {"stored_policy", &config->stored_policy},
                                          {"sas_ip", &config->sas_ip},
                                          {"sas_protocol", &config->sas_protocol},
                                          {"connect_timeout", &words->connect_timeout},
                                          {"stall_timeout", &words->stall_timeout},
                                          {"request_timeout", &words->request_timeout},
                                          {"connections", &words->connections},
                                          {NULL, NULL}};
    return fhir_plugin_options(known, options, option_count, "azure", pool);
}

fhir_error_t *azure_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                              apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    words_t words = {0};
    *config = NULL;
    FHIR_TRY(read_options(made, &words, options, option_count, pool));
    FHIR_TRY(check_names(made, pool));
    FHIR_TRY(check_credentials(made, &words, pool));
    FHIR_TRY(read_customer_key(made, words.customer_key_file, pool));
    FHIR_TRY(check_endpoints(made, pool));
    FHIR_TRY(check_sas(made, pool));
    FHIR_TRY(check_numbers(made, &words, pool));
    if (!fhir_http_ca_file_is_good(made->ca_file)) {
        return invalid(pool, "ca_file=%s can't be read, or is no PEM file. Name one with the authorities to trust.",
                       made->ca_file);
    }
    fhir_http_initialize();
    *config = made;
    return NULL;
}
