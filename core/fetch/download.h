/* Downloads from hosts that the administrator named, by URLs that somebody else chose: streamed, bounded, and never to
 * an address of our own network. TLS is always verified. No proxy, no cookie, no credentials. */
#ifndef FHIR_FETCH_DOWNLOAD_H
#define FHIR_FETCH_DOWNLOAD_H

#include "../base/call.h"

#include <apr_tables.h>

#define FHIR_DOWNLOAD_URL_MAX 2048
#define FHIR_DOWNLOAD_REDIRECTS_MAX 3

/* Zero members mean the default. */
typedef struct fhir_download_options_t {
    const apr_array_header_t *hosts;     /* of fhir_host_pattern_t: all that may be asked, redirects included */
    const apr_array_header_t *networks;  /* of fhir_network_t: not public, and may be connected to nevertheless */
    const char *ca_file;                 /* PEM file to trust instead of the system's; NULL: the system's */
    apr_off_t max_size;                  /* bytes of body; 100 MiB */
    apr_interval_time_t connect_timeout; /* of one hop; 10 s */
    apr_interval_time_t stall_timeout;   /* without a byte; 30 s */
    apr_interval_time_t total_timeout;   /* of all hops; 5 min */
} fhir_download_options_t;

typedef struct fhir_download_head_t {
    const char *content_type; /* as sent, NULL if absent */
    apr_off_t length;         /* announced, -1: unknown */
} fhir_download_head_t;

/* Takes the answer: `head` once, before the first byte, then `data`. An error from either ends the download and is
 * returned. */
typedef struct fhir_download_sink_t {
    fhir_error_t *(*head)(void *baton, const fhir_download_head_t *head);
    fhir_error_t *(*data)(void *baton, const char *bytes, apr_size_t length);
    void *baton;
} fhir_download_sink_t;

/* May this URL be fetched, as far as its text tells? https, a host of the list, no user name. Opens nothing. INVALID
 * otherwise. */
fhir_error_t *fhir_download_check_url(const char *url, const apr_array_header_t *hosts,
                                      apr_pool_t *pool) FHIR_MUST_CHECK;

/* The whole body of a 200 answer, at the end of at most 3 redirects. INVALID: URL, redirect or address not permitted.
 * TOO_LARGE. TIMEOUT, UNAVAILABLE: may be tried again. CANCELLED by call->cancelled. The public text names no address.
 * call->deadline counts too. */
fhir_error_t *fhir_download(const char *url, const fhir_download_options_t *options, const fhir_download_sink_t *sink,
                            const fhir_call_t *call) FHIR_MUST_CHECK;

#endif
