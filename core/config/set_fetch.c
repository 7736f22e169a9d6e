/* Directives about attachments that are fetched from other servers: from which hosts, to which addresses, whom to
 * trust.
 */
#include "../base/host_list.h"
#include "../base/network.h"
#include "directives.h"

#include <unistd.h>

/* The first line takes the place of what was there, more lines of the same server add to it. */
static apr_array_header_t *continued(const fhir_settings_t *settings, const char *directive, apr_array_header_t *before,
                                     const apr_array_header_t *added)
{
    return apr_array_append(
        settings->pool,
        fhir_settings_given(settings, directive) ? before : apr_array_make(settings->pool, 1, before->elt_size), added);
}

fhir_error_t *fhir_set_fetch_hosts(fhir_settings_t *settings, int count, const char *const *values)
{
    apr_array_header_t *hosts = apr_array_make(settings->pool, count, sizeof(fhir_host_pattern_t));
    int i;
    for (i = 0; i < count; i++) {
        if (!fhir_host_pattern_parse(apr_array_push(hosts), values[i], settings->pool)) {
            return fhir_error_public(
                settings->pool, FHIR_ERROR_INVALID,
                "'%.128s' is not a host. Write names without scheme and path, for example "
                "files.example.org, *.example.org or files.example.org:8443 (without a port: 443).",
                values[i]);
        }
    }
    settings->fetch_hosts = continued(settings, "FhirBinaryFetchHosts", settings->fetch_hosts, hosts);
    return NULL;
}

fhir_error_t *fhir_set_fetch_addresses(fhir_settings_t *settings, int count, const char *const *values)
{
    apr_array_header_t *networks = apr_array_make(settings->pool, count, sizeof(fhir_network_t));
    int i;
    for (i = 0; i < count; i++) {
        if (!fhir_network_parse(apr_array_push(networks), values[i])) {
            return fhir_error_public(
                settings->pool, FHIR_ERROR_INVALID,
                "'%.128s' is not a network. Write an address or a network without bits behind its "
                "prefix, not wider than /8 (IPv6: /7), for example 10.20.0.0/16 or fd12:3456::/32.",
                values[i]);
        }
    }
    settings->fetch_addresses = continued(settings, "FhirBinaryFetchAddresses", settings->fetch_addresses, networks);
    return NULL;
}

fhir_error_t *fhir_set_fetch_ca_file(fhir_settings_t *settings, int count, const char *const *values)
{
    (void)count;
    if (values[0][0] != '/') {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%s' is not an absolute path. Write for example /etc/fhir-binary/hospital-ca.pem",
                                 values[0]);
    }
    if (access(values[0], R_OK) != 0) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "'%s' can't be read. Name a PEM file with the certificates to trust.", values[0]);
    }
    settings->fetch_ca_file = apr_pstrdup(settings->pool, values[0]);
    return NULL;
}

fhir_error_t *fhir_settings_finish_fetch(const fhir_settings_t *settings)
{
    if (settings->fetch_external && settings->fetch_hosts->nelts == 0) {
        return fhir_error_public(settings->pool, FHIR_ERROR_INVALID,
                                 "FhirBinaryFetchExternal is on, but there is no host to fetch from. Name the hosts, "
                                 "for example: FhirBinaryFetchHosts files.example.org *.cdn.example.org");
    }
    return NULL;
}
