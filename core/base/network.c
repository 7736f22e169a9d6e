/* IP addresses: special ranges (IANA registries of special-purpose addresses) and networks in CIDR notation. */
#include "network.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define MAPPED_BITS 96

static const unsigned char mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

typedef struct range4_t {
    unsigned char prefix[4];
    int bits;
} range4_t;

static const range4_t special4[] = {
    {{0, 0, 0, 0}, 8},        /* this host, this network */
    {{10, 0, 0, 0}, 8},       /* private */
    {{100, 64, 0, 0}, 10},    /* shared by carriers */
    {{127, 0, 0, 0}, 8},      /* loopback */
    {{168, 63, 129, 16}, 32}, /* a cloud's own host services, reachable from its machines only */
    {{169, 254, 0, 0}, 16},   /* link-local, among it clouds' metadata services */
    {{172, 16, 0, 0}, 12},    /* private */
    {{192, 0, 0, 0}, 24},     /* protocol assignments */
    {{192, 0, 2, 0}, 24},     /* documentation */
    {{192, 88, 99, 0}, 24},   /* relays from IPv6 */
    {{192, 168, 0, 0}, 16},   /* private */
    {{198, 18, 0, 0}, 15},    /* benchmarks */
    {{198, 51, 100, 0}, 24},  /* documentation */
    {{203, 0, 113, 0}, 24},   /* documentation */
    {{224, 0, 0, 0}, 4},      /* multicast */
    {{240, 0, 0, 0}, 4},      /* reserved, broadcast */
};

typedef struct range6_t {
    unsigned char prefix[6];
    int bits;
} range6_t;

/* Inside 2000::/3; nothing else of IPv6 is public. */
static const range6_t special6[] = {
    {{0x20, 0x01, 0, 0, 0, 0}, 23},       /* protocol assignments: Teredo, benchmarks, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8, 0, 0}, 32}, /* documentation */
    {{0x20, 0x02, 0, 0, 0, 0}, 16},       /* 6to4: holds an IPv4 address */
    {{0x3f, 0xff, 0, 0, 0, 0}, 20},       /* documentation */
};

static int same_bits(const unsigned char *one, const unsigned char *other, int bits)
{
    size_t whole = (size_t)bits / 8;
    int rest = bits % 8;
    unsigned char mask = (unsigned char)(0xff00 >> rest);
    return memcmp(one, other, whole) == 0 && (rest == 0 || (one[whole] & mask) == (other[whole] & mask));
}

static int is_mapped(const unsigned char bytes[16])
{
    return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static int public4(const unsigned char bytes[4])
{
    size_t i;
    for (i = 0; i < sizeof(special4) / sizeof(special4[0]); i++) {
        if (same_bits(bytes, special4[i].prefix, special4[i].bits)) {
            return 0;
        }
    }
    return 1;
}

static int public6(const unsigned char bytes[16])
{
    static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    size_t i;
    if (memcmp(bytes, nat64, sizeof(nat64)) == 0) { /* 64:ff9b::/96, a translator to the IPv4 address at its end */
        return public4(bytes + 12);
    }
    if ((bytes[0] & 0xe0) != 0x20) {
        return 0;
    }
    for (i = 0; i < sizeof(special6) / sizeof(special6[0]); i++) {
        if (same_bits(bytes, special6[i].prefix, special6[i].bits)) {
            return 0;
        }
    }
    return 1;
}

int fhir_address_public(const unsigned char bytes[16])
{
    return is_mapped(bytes) ? public4(bytes + 12) : public6(bytes);
}

int fhir_network_contains(const fhir_network_t *network, const unsigned char bytes[16])
{
    return (network->bits >= MAPPED_BITS || !is_mapped(bytes)) && same_bits(bytes, network->address, network->bits);
}

int fhir_address_allowed(const unsigned char bytes[16], const apr_array_header_t *networks)
{
    int i;
    for (i = 0; networks && i < networks->nelts; i++) {
        if (fhir_network_contains(&APR_ARRAY_IDX(networks, i, fhir_network_t), bytes)) {
            return 1;
        }
    }
    return fhir_address_public(bytes);
}

int fhir_address_bytes(unsigned char bytes[16], const struct sockaddr *address, socklen_t length)
{
    if (address->sa_family == AF_INET && length >= (socklen_t)sizeof(struct sockaddr_in)) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof(ipv4));
        memcpy(bytes, mapped_prefix, sizeof(mapped_prefix));
        memcpy(bytes + 12, &ipv4.sin_addr, 4);
        return 1;
    }
    if (address->sa_family == AF_INET6 && length >= (socklen_t)sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof(ipv6));
        memcpy(bytes, &ipv6.sin6_addr, 16);
        return 1;
    }
    return 0;
}

/* "0" to "128" without sign or leading zero; -1 otherwise. */
static int prefix_length(const char *text)
{
    int bits = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] || (digits > 1 && *text == '0')) {
        return -1;
    }
    for (; *text; text++) {
        bits = bits * 10 + (*text - '0');
    }
    return bits;
}

static int bits_behind_prefix(const fhir_network_t *network)
{
    int bit;
    for (bit = network->bits; bit < 128; bit++) {
        if (network->address[bit / 8] & (0x80 >> bit % 8)) {
            return 1;
        }
    }
    return 0;
}

int fhir_network_parse(fhir_network_t *network, const char *text)
{
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "/");
    int bits = text[length] ? prefix_length(text + length + 1) : 128;
    if (length >= sizeof(address) || bits < 0 || bits > 128) {
        return 0;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    if (inet_pton(AF_INET, address, network->address + 12) == 1) {
        memcpy(network->address, mapped_prefix, sizeof(mapped_prefix));
        bits = text[length] ? bits : 32;
        network->bits = bits + MAPPED_BITS;
        return bits >= 8 && bits <= 32 && !bits_behind_prefix(network);
    }
    network->bits = bits;
    return inet_pton(AF_INET6, address, network->address) == 1 && bits >= 7 && !bits_behind_prefix(network) &&
           (!is_mapped(network->address) || bits >= MAPPED_BITS + 8);
}
