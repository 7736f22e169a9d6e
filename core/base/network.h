/* IP addresses and lists of networks: which addresses a server may be sent to by somebody else's URL. Pure functions.
 * Inside, every address has 16 bytes; IPv4 is written as ::ffff:a.b.c.d. */
#ifndef FHIR_BASE_NETWORK_H
#define FHIR_BASE_NETWORK_H

#include <apr_tables.h>
#include <sys/socket.h>

typedef struct fhir_network_t {
    unsigned char address[16];
    int bits; /* of 128 */
} fhir_network_t;

/* "10.0.0.0/8", "fd00::/8", or one address. 0 if it is none: bits behind the prefix are set, or it is wider than /8
 * (IPv6: /7), which would open everything. */
int fhir_network_parse(fhir_network_t *network, const char *text);
/* 1 if the address is in it. A network of IPv6 never holds IPv4, however short its prefix is. */
int fhir_network_contains(const fhir_network_t *network, const unsigned char bytes[16]);
/* The 16 bytes of an IPv4 or IPv6 address; 0 for other families and for what is cut off. */
int fhir_address_bytes(unsigned char bytes[16], const struct sockaddr *address, socklen_t length);
/* 1 if the address is one of the public internet. 0 for loopback, private, link-local, shared, multicast, reserved,
 * documentation and benchmark ranges, for clouds' addresses that serve secrets, and for forms of IPv6 that hold one of
 * these or lead through a translator of our own network. */
int fhir_address_public(const unsigned char bytes[16]);
/* 1 if the address is public or in one of `networks` (of fhir_network_t, may be NULL). */
int fhir_address_allowed(const unsigned char bytes[16], const apr_array_header_t *networks);

#endif
