/* Hosts that are named in the configuration, with or without a wildcard and a port. */
#include "host_list.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define HTTPS_PORT 443
#define NAME_MAX_LENGTH 253
#define LABEL_MAX_LENGTH 63

/* Labels of letters, digits, '-' and '_', not empty, no '-' at an end. */
static int is_name(const char *name)
{
    const char *at = name;
    if (strlen(name) > NAME_MAX_LENGTH) {
        return 0;
    }
    for (;;) {
        size_t length = 0;
        while (apr_isalnum(at[length]) || at[length] == '-' || at[length] == '_') {
            length++;
        }
        if (length == 0 || length > LABEL_MAX_LENGTH || at[0] == '-' || at[length - 1] == '-') {
            return 0;
        }
        if (at[length] != '.') {
            return at[length] == '\0';
        }
        at += length + 1;
    }
}

/* A name whose last label is a number is an IPv4 address or wrong (127.1, 0x7f.1). */
static int is_ipv4_like(const char *name)
{
    const char *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    return apr_isdigit(*last);
}

static int is_ipv6(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    size_t length = strlen(host);
    if (length < 4 || length - 2 >= sizeof(address) || host[0] != '[' || host[length - 1] != ']') {
        return 0;
    }
    apr_cpystrn(address, host + 1, length - 1);
    return inet_pton(AF_INET6, address, bytes) == 1;
}

static int is_host(const char *host)
{
    unsigned char bytes[4];
    if (host[0] == '[') {
        return is_ipv6(host);
    }
    return is_name(host) && (!is_ipv4_like(host) || inet_pton(AF_INET, host, bytes) == 1);
}

/* 0 if it is no port. */
static int parse_port(const char *text)
{
    int port = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] || *text == '0') {
        return 0;
    }
    for (; *text; text++) {
        port = port * 10 + (*text - '0');
    }
    return port <= 65535 ? port : 0;
}

int fhir_host_pattern_parse(fhir_host_pattern_t *pattern, const char *text, apr_pool_t *pool)
{
    size_t host_length = text[0] == '[' ? strcspn(text, "]") : strcspn(text, ":");
    char *host;
    char *at;
    host_length += text[0] == '[' && text[host_length] ? 1 : 0;
    host = apr_pstrmemdup(pool, text, host_length);
    for (at = host; *at; at++) {
        *at = (char)apr_tolower(*at);
    }
    pattern->below = strncmp(host, "*.", 2) == 0;
    pattern->name = pattern->below ? host + 1 : host;
    pattern->port = HTTPS_PORT;
    if (text[host_length]) {
        pattern->port = text[host_length] == ':' ? parse_port(text + host_length + 1) : 0;
    }
    if (pattern->port == 0) {
        return 0;
    }
    return pattern->below ? is_name(host + 2) && !is_ipv4_like(host + 2) : is_host(host);
}

static int matches(const fhir_host_pattern_t *pattern, const char *host, int port)
{
    size_t length = strlen(host);
    size_t end = strlen(pattern->name);
    if (pattern->port != port) {
        return 0;
    }
    if (pattern->below) {
        return length > end && is_name(host) && strcasecmp(host + length - end, pattern->name) == 0;
    }
    return strcasecmp(host, pattern->name) == 0;
}

int fhir_host_listed(const apr_array_header_t *patterns, const char *host, int port)
{
    int i;
    for (i = 0; patterns && i < patterns->nelts; i++) {
        if (matches(&APR_ARRAY_IDX(patterns, i, fhir_host_pattern_t), host, port)) {
            return 1;
        }
    }
    return 0;
}
