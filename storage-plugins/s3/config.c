/* The options of the s3 store, checked as far as that works without a connection. */
#include "s3.h"

#include <string.h>

#define MEBIBYTE ((apr_off_t)1024 * 1024)
/* What S3 takes as a part, other than the last one. */
#define PART_LEAST (5 * MEBIBYTE)
#define PART_MOST (5 * 1024 * MEBIBYTE)
#define PREFIX_MAX 256

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/* As they are written in the configuration. */
typedef struct options_t {
    const char *endpoint;
    const char *public_endpoint;
    const char *addressing;
    const char *credentials;
    const char *credentials_file;
    const char *profile;
    const char *instance_endpoint;
    s3_encryption_options_t encryption;
    const char *payload;
    const char *if_none_match;
    const char *multipart_threshold;
    const char *part_size;
    const char *parallel_parts;
    const char *connect_timeout;
    const char *stall_timeout;
    const char *request_timeout;
    const char *connections;
} options_t;

static fhir_error_t *read_options(fhir_store_config_t *config, options_t *read, const fhir_store_option_t *options,
                                  int option_count, apr_pool_t *pool)
{
    const fhir_plugin_option_t known[] = {{"bucket", &config->bucket},
                                          {"endpoint", &read->endpoint},
                                          {"public_endpoint", &read->public_endpoint},
                                          {"region", &config->region},
                                          {"prefix", &config->prefix},
                                          {"addressing", &read->addressing},
                                          {"ca_file", &config->ca_file},
                                          {"credentials", &read->credentials},
                                          {"credentials_file", &read->credentials_file},
                                          {"profile", &read->profile},
                                          {"instance_endpoint", &read->instance_endpoint},
                                          {"storage_class", &config->storage_class},
                                          {"encryption", &read->encryption.encryption},
                                          {"kms_key_id", &read->encryption.kms_key_id},
                                          {"sse_c_key_file", &read->encryption.customer_key_file},
                                          {"insecure_sse_c", &read->encryption.insecure},
                                          {"payload", &read->payload},
                                          {"if_none_match", &read->if_none_match},
                                          {"multipart_threshold", &read->multipart_threshold},
                                          {"part_size", &read->part_size},
                                          {"parallel_parts", &read->parallel_parts},
                                          {"spool_directory", &config->spool_directory},
                                          {"connect_timeout", &read->connect_timeout},
                                          {"stall_timeout", &read->stall_timeout},
                                          {"request_timeout", &read->request_timeout},
                                          {"connections", &read->connections},
                                          {NULL, NULL}};
    return fhir_plugin_options(known, options, option_count, "s3", pool);
}

static int consists_of(const char *text, const char *more)
{
    while (*text && (strchr(letters, *text) || strchr(more, *text))) {
        text++;
    }
    return !*text;
}

static fhir_error_t *check_bucket(const char *bucket, apr_pool_t *pool)
{
    size_t length = bucket ? strlen(bucket) : 0;
    if (!bucket) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The s3 store needs bucket= with the name of a bucket that exists and is for it "
                                 "alone (or is shared, with prefix=).");
    }
    if (length < 3 || length > 255 || !consists_of(bucket, "._-") || !strchr(letters, bucket[0])) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "bucket=%s is not the name of a bucket: at least three letters, digits, dots, hyphens "
                                 "or underscores, the first one a letter or digit.",
                                 bucket);
    }
    return NULL;
}

static fhir_error_t *check_prefix(const char *prefix, apr_pool_t *pool)
{
    size_t length = strlen(prefix);
    if (length == 0) {
        return NULL;
    }
    if (prefix[0] == '/' || length > PREFIX_MAX || !consists_of(prefix, "/!_.*'()-") || strstr(prefix, "//") ||
        strstr(prefix, "..")) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "prefix=%s can't be the beginning of keys: use letters, digits, '-' and '_', with "
                                 "slashes between, for instance prefix=fhir/.",
                                 prefix);
    }
    if (prefix[length - 1] != '/') {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "prefix=%s must end with a slash: prefix=%s/", prefix,
                                 prefix);
    }
    return NULL;
}

static fhir_error_t *check_names(fhir_store_config_t *config, apr_pool_t *pool)
{
    config->region = config->region ? config->region : "us-east-1";
    config->prefix = config->prefix ? config->prefix : "";
    FHIR_TRY(check_bucket(config->bucket, pool));
    FHIR_TRY(check_prefix(config->prefix, pool));
    if (!config->region[0] || strlen(config->region) > 64 || !consists_of(config->region, "_-")) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "region=%s is not the name of a region, for instance region=eu-central-1. Servers "
                                 "other than AWS usually take the default, us-east-1.",
                                 config->region);
    }
    if (config->storage_class &&
        (!config->storage_class[0] || !consists_of(config->storage_class, "_-") ||
         !strcmp(config->storage_class, "GLACIER") || !strcmp(config->storage_class, "DEEP_ARCHIVE"))) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "storage_class=%s can't be used: objects must be readable at once. Use for instance "
                                 "STANDARD, STANDARD_IA, INTELLIGENT_TIERING or GLACIER_IR.",
                                 config->storage_class);
    }
    return NULL;
}

static fhir_error_t *check_payload(fhir_store_config_t *config, const char *payload, apr_pool_t *pool)
{
    if (!payload || !strcmp(payload, "auto")) {
        config->sign_payload = strcmp(config->endpoint.scheme, "https") != 0;
    } else if (!strcmp(payload, "signed") || !strcmp(payload, "unsigned")) {
        config->sign_payload = !strcmp(payload, "signed");
    } else {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "payload=%s is not one of auto, signed, unsigned. auto signs what goes over http and "
                                 "leaves it to TLS with https.",
                                 payload);
    }
    return NULL;
}

static fhir_error_t *check_limits(fhir_store_config_t *config, const options_t *read, apr_pool_t *pool)
{
    apr_int64_t parallel_parts = 2;
    apr_int64_t connections = 32;
    config->part_size = 16 * MEBIBYTE;
    config->connect_timeout = apr_time_from_sec(5);
    config->stall_timeout = apr_time_from_sec(30);
    config->request_timeout = apr_time_from_sec(20);
    config->if_none_match = 1;
    FHIR_TRY(fhir_plugin_flag(&config->if_none_match, "if_none_match", read->if_none_match, pool));
    FHIR_TRY(fhir_plugin_size(&config->part_size, "part_size", read->part_size, PART_LEAST, PART_MOST, pool));
    /* Whole blocks: a part never ends inside a signed chunk. */
    config->part_size -= config->part_size % (apr_off_t)S3_BLOCK;
    config->multipart_threshold = read->part_size ? config->part_size : 1024 * MEBIBYTE;
    FHIR_TRY(fhir_plugin_size(&config->multipart_threshold, "multipart_threshold", read->multipart_threshold,
                              PART_LEAST, PART_MOST, pool));
    FHIR_TRY(fhir_plugin_number(&parallel_parts, "parallel_parts", read->parallel_parts, 1, S3_PARALLEL_MAX, pool));
    FHIR_TRY(fhir_plugin_number(&connections, "connections", read->connections, 1, 1024, pool));
    FHIR_TRY(fhir_plugin_duration(&config->connect_timeout, "connect_timeout", read->connect_timeout,
                                  apr_time_from_msec(100), apr_time_from_sec(60), pool));
    FHIR_TRY(fhir_plugin_duration(&config->stall_timeout, "stall_timeout", read->stall_timeout, apr_time_from_sec(1),
                                  apr_time_from_sec(600), pool));
    FHIR_TRY(fhir_plugin_duration(&config->request_timeout, "request_timeout", read->request_timeout,
                                  apr_time_from_sec(1), apr_time_from_sec(600), pool));
    config->parallel_parts = (int)parallel_parts;
    config->connections = (int)connections;
    return NULL;
}

static fhir_error_t *check_files(const fhir_store_config_t *config, apr_pool_t *pool)
{
    if (config->spool_directory) {
        FHIR_TRY(fhir_plugin_spool_configure(config->spool_directory, pool));
    }
    if (!fhir_http_ca_file_is_good(config->ca_file)) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "ca_file=%s can't be read, or is no PEM file. Name one with the certificates of the authorities "
            "that the server's certificate may come from.",
            config->ca_file);
    }
    return NULL;
}

fhir_error_t *s3_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                           apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    options_t read = {0};
    *config = NULL;
    fhir_http_initialize();
    FHIR_TRY(read_options(made, &read, options, option_count, pool));
    FHIR_TRY(check_names(made, pool));
    FHIR_TRY(s3_configure_endpoints(made, read.endpoint, read.public_endpoint, read.addressing, pool));
    FHIR_TRY(s3_configure_encryption(made, &read.encryption, pool));
    FHIR_TRY(check_payload(made, read.payload, pool));
    FHIR_TRY(check_limits(made, &read, pool));
    FHIR_TRY(check_files(made, pool));
    FHIR_TRY(s3_credentials_configure(&made->credentials, read.credentials, read.credentials_file, read.profile,
                                      read.instance_endpoint, pool));
    *config = made;
    return NULL;
}
