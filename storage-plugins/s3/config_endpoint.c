/* Where the S3 server is: endpoints, and whether the bucket is in the host name or in the path. */
#include "s3.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define AWS_DOMAIN ".amazonaws.com"
#define AWS_DOMAIN_OF_CHINA ".amazonaws.com.cn"
#define HOST_MAX 253

static fhir_error_t *bad_endpoint(const char *option, const char *value, const char *why, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID,
                             "%s=%s %s. Write scheme, host and perhaps a port and nothing else, for instance "
                             "%s=https://s3.eu-central-1.amazonaws.com or %s=http://127.0.0.1:9000.",
                             option, fhir_plugin_shown_url(value), why, option, option);
}

/* 0 if it is none. */
static int port_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    int port = digits >= 1 && digits <= 5 && !text[digits] ? (int)apr_atoi64(text) : 0;
    return port <= 65535 ? port : 0;
}

static int is_host(const char *host)
{
    size_t length = strlen(host);
    return length >= 1 && length <= HOST_MAX && host[0] != '.' && host[0] != '-' && !strstr(host, "..") &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == length;
}

static int is_address(const char *host)
{
    struct in_addr four;
    return host[0] == '[' || inet_pton(AF_INET, host, &four) == 1;
}

static int is_bracketed_address(const char *host, apr_pool_t *pool)
{
    struct in6_addr six;
    size_t length = strlen(host);
    return length > 2 && host[0] == '[' && host[length - 1] == ']' &&
           inet_pton(AF_INET6, apr_pstrmemdup(pool, host + 1, length - 2), &six) == 1;
}

/* Scheme, host and port (0: the scheme's own). */
typedef struct parsed_endpoint_t {
    const char *scheme;
    char *host;
    int port;
} parsed_endpoint_t;

static fhir_error_t *parse_endpoint(parsed_endpoint_t *parsed, const char *option, const char *value, apr_pool_t *pool)
{
    const char *after = strstr(value, "://");
    char *colon;
    size_t length;
    parsed->scheme = !strncasecmp(value, "https://", 8) ? "https" : !strncasecmp(value, "http://", 7) ? "http" : NULL;
    if (!parsed->scheme || !after) {
        return bad_endpoint(option, value, "does not begin with https:// or http://", pool);
    }
    parsed->host = apr_pstrdup(pool, after + 3);
    length = strlen(parsed->host);
    if (length > 0 && parsed->host[length - 1] == '/') {
        parsed->host[length - 1] = '\0';
    }
    if (strpbrk(parsed->host, "/?#")) {
        return bad_endpoint(option, value,
                            "has a path: name the bucket with bucket=, what comes before keys with prefix=", pool);
    }
    colon = strrchr(parsed->host, ':');
    parsed->port = 0;
    if (colon && !strchr(colon, ']')) {
        *colon = '\0';
        parsed->port = port_number(colon + 1);
        if (!parsed->port) {
            return bad_endpoint(option, value, "has a port that is no number from 1 to 65535", pool);
        }
    }
    if (!is_host(parsed->host) && !is_bracketed_address(parsed->host, pool)) {
        return bad_endpoint(option, value, "has no host name or address that could be called", pool);
    }
    if (parsed->port == (!strcmp(parsed->scheme, "https") ? 443 : 80)) {
        parsed->port = 0;
    }
    return NULL;
}

static void compose_endpoint(s3_endpoint_t *endpoint, const parsed_endpoint_t *parsed, const char *bucket,
                             apr_pool_t *pool)
{
    endpoint->scheme = parsed->scheme;
    endpoint->host = bucket ? apr_pstrcat(pool, bucket, ".", parsed->host, NULL) : parsed->host;
    if (parsed->port) {
        endpoint->host = apr_psprintf(pool, "%s:%d", endpoint->host, parsed->port);
    }
}

static int ends_with(const char *host, const char *domain)
{
    size_t length = strlen(host);
    return length > strlen(domain) && !strcasecmp(host + length - strlen(domain), domain);
}

static int is_amazon(const char *host)
{
    return ends_with(host, AWS_DOMAIN) || ends_with(host, AWS_DOMAIN_OF_CHINA);
}

static const char *amazon_endpoint(const char *region, apr_pool_t *pool)
{
    const char *domain = !strncmp(region, "cn-", 3) ? AWS_DOMAIN_OF_CHINA : AWS_DOMAIN;
    return apr_pstrcat(pool, "https://s3.", region, domain, NULL);
}

/* Letters that every DNS label has. */
static int is_dns_name(const char *bucket)
{
    return strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(bucket) && strlen(bucket) <= 63;
}

static fhir_error_t *check_virtual(const char *bucket, const parsed_endpoint_t *parsed, apr_pool_t *pool)
{
    const char *why = NULL;
    if (is_address(parsed->host)) {
        why = "can't be used with an IP address as endpoint";
    } else if (!is_dns_name(bucket)) {
        why = "needs a bucket name of lower-case letters, digits and hyphens";
    } else if (!strcmp(parsed->scheme, "https") && strchr(bucket, '.')) {
        why = "can't be used over https with a dot in the bucket's name: no certificate would fit";
    }
    return why ? fhir_error_public(pool, FHIR_ERROR_INVALID, "addressing=virtual %s. Use addressing=path.", why) : NULL;
}

fhir_error_t *s3_configure_endpoints(fhir_store_config_t *config, const char *endpoint, const char *public_endpoint,
                                     const char *addressing, apr_pool_t *pool)
{
    parsed_endpoint_t inner;
    parsed_endpoint_t outer;
    int virtual_host;
    if (addressing && strcmp(addressing, "path") && strcmp(addressing, "virtual")) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "addressing=%s is neither path (https://host/bucket/key) nor virtual "
                                 "(https://bucket.host/key).",
                                 addressing);
    }
    endpoint = endpoint ? endpoint : amazon_endpoint(config->region, pool);
    FHIR_TRY(parse_endpoint(&inner, "endpoint", endpoint, pool));
    FHIR_TRY(parse_endpoint(&outer, "public_endpoint", public_endpoint ? public_endpoint : endpoint, pool));
    virtual_host = addressing ? !strcmp(addressing, "virtual")
                              : is_amazon(inner.host) && is_dns_name(config->bucket) && !strchr(config->bucket, '.');
    if (virtual_host) {
        FHIR_TRY(check_virtual(config->bucket, &inner, pool));
        FHIR_TRY(check_virtual(config->bucket, &outer, pool));
    }
    compose_endpoint(&config->endpoint, &inner, virtual_host ? config->bucket : NULL, pool);
    compose_endpoint(&config->public_endpoint, &outer, virtual_host ? config->bucket : NULL, pool);
    config->base_path = virtual_host ? "/" : apr_pstrcat(pool, "/", config->bucket, "/", NULL);
    return NULL;
}
