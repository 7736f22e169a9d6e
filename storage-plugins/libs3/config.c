/* The options of the libs3 plugin. What libs3 can't do safely is refused here, with the reason. */
#include "libs3_store.h"

#include "../common/s3_keys.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* One PUT of S3 takes no more. */
#define SIZE_MAX_ONE_PUT ((apr_off_t)5 << 30)
#define PREFIX_MAX 256
#define SPOOL_DIRECTORY "/var/tmp"

static fhir_error_t *initialize(apr_pool_t *pool)
{
    static int done; /* only ever set here, in one thread, before the server forks */
    if (!done && S3_initialize("mod_fhir_binary", S3_INIT_ALL, "localhost") != S3StatusOK) {
        return fhir_error_public(pool, FHIR_ERROR_INTERNAL, "libs3 can't be initialized.");
    }
    done = 1;
    return NULL;
}

static int contains(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (; *text; text++) {
        if (!strncasecmp(text, word, length)) {
            return 1;
        }
    }
    return 0;
}

static int is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits >= 1 && digits <= 5 && !text[digits] && apr_atoi64(text) >= 1 && apr_atoi64(text) <= 65535;
}

/* host[:port], perhaps with an IPv6 address in brackets, and nothing else. */
static int is_host_and_port(const char *host)
{
    const char *colon = strrchr(host, ':');
    size_t length = strlen(host);
    if (length == 0 || length > 200 || host[0] == ':' || host[0] == '.' || host[0] == '-') {
        return 0;
    }
    if (host[0] == '[') {
        const char *end = strchr(host, ']');
        return end && strspn(host + 1, "0123456789abcdefABCDEF:.") == (size_t)(end - host - 1) &&
               (!end[1] || (end[1] == ':' && is_port(end + 2)));
    }
    length = colon ? (size_t)(colon - host) : length;
    return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == length &&
           (!colon || is_port(colon + 1));
}

static fhir_error_t *configure_endpoint(fhir_store_config_t *config, const char *endpoint, apr_pool_t *pool)
{
    const char *shown;
    char *host;
    size_t length;
    if (!endpoint) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "The libs3 store needs endpoint=, for instance endpoint=http://objects.intranet:9000.");
    }
    shown = fhir_plugin_shown_url(endpoint);
    if (!strncasecmp(endpoint, "https:", 6)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "endpoint=%s: libs3 does not verify certificates, so https would protect nothing. Use "
                                 "the s3 plugin for https.",
                                 shown);
    }
    if (contains(endpoint, "amazonaws.")) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "endpoint=%s: libs3 knows Signature Version 2 only, which AWS has given up. Use the s3 "
            "plugin for AWS.",
            shown);
    }
    if (strncasecmp(endpoint, "http://", 7)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "endpoint=%s does not begin with http://.", shown);
    }
    host = apr_pstrdup(pool, endpoint + 7);
    length = strlen(host);
    if (length > 0 && host[length - 1] == '/') {
        host[length - 1] = '\0';
    }
    if (!is_host_and_port(host)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "endpoint=%s is not http:// with a host and perhaps a port, and nothing else.", shown);
    }
    config->bucket.hostName = host;
    config->bucket.protocol = S3ProtocolHTTP;
    return NULL;
}

static fhir_error_t *configure_bucket(fhir_store_config_t *config, const char *bucket, const char *addressing,
                                      apr_pool_t *pool)
{
    S3Status status;
    config->bucket.uriStyle = S3UriStylePath;
    if (addressing && !strcmp(addressing, "virtual")) {
        config->bucket.uriStyle = S3UriStyleVirtualHost;
    } else if (addressing && strcmp(addressing, "path")) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "addressing=%s is neither path (http://host/bucket/key) nor virtual "
                                 "(http://bucket.host/key).",
                                 addressing);
    }
    if (!bucket) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "The libs3 store needs bucket= with the bucket's name.");
    }
    status = S3_validate_bucket_name(bucket, config->bucket.uriStyle);
    if (status != S3StatusOK || bucket[strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                      "._-")]) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID, "bucket=%s is no bucket's name (%s).", bucket,
                                 S3_get_status_name(status));
    }
    config->bucket.bucketName = bucket;
    return NULL;
}

static fhir_error_t *configure_prefix(fhir_store_config_t *config, const char *prefix, apr_pool_t *pool)
{
    size_t length = prefix ? strlen(prefix) : 0;
    config->prefix = "";
    if (length == 0) {
        return NULL;
    }
    if (length > PREFIX_MAX || prefix[0] == '/' || strstr(prefix, "//") || strstr(prefix, "..") ||
        prefix[strspn(prefix, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-")]) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "prefix=%s: write letters, digits and . _ - with single slashes in between, at most %d "
            "characters, for instance prefix=binaries/.",
            prefix, PREFIX_MAX);
    }
    config->prefix = prefix[length - 1] == '/' ? prefix : apr_pstrcat(pool, prefix, "/", NULL);
    return NULL;
}

static fhir_error_t *configure_keys(fhir_store_config_t *config, const char *file, const char *profile,
                                    apr_pool_t *pool)
{
    s3_credentials_t keys;
    struct stat stamp;
    if (!file) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The libs3 store needs credentials_file= with the absolute path of an AWS credentials "
                                 "file.");
    }
    FHIR_TRY(fhir_plugin_secret_file("credentials_file", file, pool));
    FHIR_TRY(s3_read_credentials_file(&keys, &stamp, file, profile ? profile : "default", pool));
    if (keys.session_token) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "%s has a session token, which libs3 can't send. Use the s3 plugin, or keys that don't "
            "end.",
            file);
    }
    config->bucket.accessKeyId = keys.access_key_id;
    config->bucket.secretAccessKey = keys.secret_access_key;
    return NULL;
}

fhir_error_t *libs3_configure(fhir_store_config_t **config, const fhir_store_option_t *options, int option_count,
                              apr_pool_t *pool)
{
    fhir_store_config_t *made = apr_pcalloc(pool, sizeof(*made));
    const char *endpoint = NULL;
    const char *bucket = NULL;
    const char *prefix = NULL;
    const char *addressing = NULL;
    const char *credentials_file = NULL;
    const char *profile = NULL;
    const char *max_size = NULL;
    const char *spool_directory = NULL;
    const fhir_plugin_option_t known[] = {{"endpoint", &endpoint},
                                          {"bucket", &bucket},
                                          {"prefix", &prefix},
                                          {"addressing", &addressing},
                                          {"credentials_file", &credentials_file},
                                          {"profile", &profile},
                                          {"max_size", &max_size},
                                          {"spool_directory", &spool_directory},
                                          {NULL, NULL}};
    *config = NULL;
    made->max_size = SIZE_MAX_ONE_PUT;
    FHIR_TRY(fhir_plugin_options(known, options, option_count, "libs3", pool));
    FHIR_TRY(initialize(pool));
    FHIR_TRY(configure_endpoint(made, endpoint, pool));
    FHIR_TRY(configure_bucket(made, bucket, addressing, pool));
    FHIR_TRY(configure_prefix(made, prefix, pool));
    FHIR_TRY(fhir_plugin_size(&made->max_size, "max_size", max_size, 1, SIZE_MAX_ONE_PUT, pool));
    made->spool_directory = spool_directory ? spool_directory : SPOOL_DIRECTORY;
    FHIR_TRY(fhir_plugin_spool_configure(made->spool_directory, pool));
    FHIR_TRY(configure_keys(made, credentials_file, profile, pool));
    *config = made;
    return NULL;
}
