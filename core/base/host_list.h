/* Lists of hosts that may be asked for something. Pure functions. */
#ifndef FHIR_BASE_HOST_LIST_H
#define FHIR_BASE_HOST_LIST_H

#include <apr_pools.h>
#include <apr_tables.h>

typedef struct fhir_host_pattern_t {
    const char *name; /* lower case; with `below` it begins with a dot; IPv6 addresses in brackets */
    int below;        /* "*.example.org": every name below example.org, not example.org itself */
    int port;         /* 443 if none was named */
} fhir_host_pattern_t;

/* "files.example.org", "*.example.org", "host:8443", "192.0.2.7", "[2001:db8::7]:8443". 0 if it is none of them. */
int fhir_host_pattern_parse(fhir_host_pattern_t *pattern, const char *text, apr_pool_t *pool);
/* 1 if one of `patterns` (of fhir_host_pattern_t) names exactly this host and port. `host` as in a URL: ASCII, IPv6 in
 * brackets. */
int fhir_host_listed(const apr_array_header_t *patterns, const char *host, int port);

#endif
