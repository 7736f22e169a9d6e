/* Which addresses are public, and networks in CIDR notation. */
#include "core/base/network.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* The 16 bytes of an address as text, through the sockaddr that the resolver would give. */
static void bytes_of(unsigned char bytes[16], const char *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        CU_ASSERT_TRUE_FATAL(fhir_address_bytes(bytes, (struct sockaddr *)&ipv4, sizeof(ipv4)));
        return;
    }
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    CU_ASSERT_TRUE_FATAL(fhir_address_bytes(bytes, (struct sockaddr *)&ipv6, sizeof(ipv6)));
}

static void expect_public(const char *text, int expected)
{
    unsigned char bytes[16];
    bytes_of(bytes, text);
    if (fhir_address_public(bytes) != expected || fhir_address_allowed(bytes, NULL) != expected) {
        printf("%s: expected %s\n", text, expected ? "public" : "refused");
        CU_FAIL("address class");
    }
    CU_ASSERT_EQUAL(fhir_address_allowed(bytes, NULL), expected);
}

/* First and last of each special range. */
static const char *const refused4[] = {
    "0.0.0.0",         "0.255.255.255", "10.0.0.0",        "10.255.255.255",  "100.64.0.0",      "100.127.255.255",
    "100.100.100.200", "127.0.0.0",     "127.0.0.1",       "127.255.255.255", "169.254.0.0",     "169.254.169.254",
    "169.254.255.255", "168.63.129.16", "172.16.0.0",      "172.31.255.255",  "192.0.0.0",       "192.0.0.192",
    "192.0.0.255",     "192.0.2.0",     "192.0.2.255",     "192.88.99.0",     "192.88.99.255",   "192.168.0.0",
    "192.168.255.255", "198.18.0.0",    "198.19.255.255",  "198.51.100.0",    "198.51.100.255",  "203.0.113.0",
    "203.0.113.255",   "224.0.0.0",     "239.255.255.255", "240.0.0.0",       "255.255.255.255", NULL};

/* The neighbours of the ranges. */
static const char *const public4[] = {"1.0.0.0",
                                      "9.255.255.255",
                                      "11.0.0.0",
                                      "100.63.255.255",
                                      "100.128.0.0",
                                      "126.255.255.255",
                                      "128.0.0.0",
                                      "169.253.255.255",
                                      "169.255.0.0",
                                      "168.63.129.15",
                                      "168.63.129.17",
                                      "172.15.255.255",
                                      "172.32.0.0",
                                      "191.255.255.255",
                                      "192.0.1.0",
                                      "192.0.3.0",
                                      "192.88.98.255",
                                      "192.88.100.0",
                                      "192.167.255.255",
                                      "192.169.0.0",
                                      "198.17.255.255",
                                      "198.20.0.0",
                                      "198.51.99.255",
                                      "198.51.101.0",
                                      "203.0.112.255",
                                      "203.0.114.0",
                                      "223.255.255.255",
                                      "8.8.8.8",
                                      NULL};

static void test_ipv4(void)
{
    int i;
    for (i = 0; refused4[i]; i++) {
        expect_public(refused4[i], 0);
    }
    for (i = 0; public4[i]; i++) {
        expect_public(public4[i], 1);
    }
}

static void test_ipv4_inside_ipv6(void)
{
    int i;
    for (i = 0; refused4[i]; i++) {
        expect_public(apr_pstrcat(pool, "::ffff:", refused4[i], NULL), 0);
        expect_public(apr_pstrcat(pool, "64:ff9b::", refused4[i], NULL), 0);
        expect_public(apr_pstrcat(pool, "::", refused4[i], NULL), 0);
        expect_public(apr_pstrcat(pool, "::ffff:0:", refused4[i], NULL), 0);
    }
    for (i = 0; public4[i]; i++) {
        expect_public(apr_pstrcat(pool, "::ffff:", public4[i], NULL), 1);
        expect_public(apr_pstrcat(pool, "64:ff9b::", public4[i], NULL), 1);
        /* Forms that only a translator or relay of our own network would understand. */
        expect_public(apr_pstrcat(pool, "::", public4[i], NULL), 0);
        expect_public(apr_pstrcat(pool, "::ffff:0:", public4[i], NULL), 0);
    }
}

static void test_ipv6(void)
{
    static const char *const refused[] = {"::",
                                          "::1",
                                          "::2",
                                          "100::",
                                          "64:ff9b:1::",
                                          "64:ff9b:1::8.8.8.8",
                                          "64:ff9b::1:8.8.8.8",
                                          "2001::",
                                          "2001::1",
                                          "2001:1::1",
                                          "2001:2::1",
                                          "2001:20::1",
                                          "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                                          "2001:db8::",
                                          "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                                          "2002::",
                                          "2002:0808:0808::1",
                                          "2002:7f00:1::1",
                                          "3fff::",
                                          "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                                          "4000::",
                                          "5f00::1",
                                          "fc00::",
                                          "fd00:ec2::254",
                                          "fdff::1",
                                          "fe80::1",
                                          "febf::1",
                                          "fec0::1",
                                          "ff00::",
                                          "ff02::1",
                                          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                          "1fff:ffff::1",
                                          NULL};
    static const char *const good[] = {"2000::",      "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1",
                                       "2001:db9::",  "2003::1",     "2606:4700::1111",      "3ffe::1",
                                       "3fff:1000::", NULL};
    int i;
    for (i = 0; refused[i]; i++) {
        expect_public(refused[i], 0);
    }
    for (i = 0; good[i]; i++) {
        expect_public(good[i], 1);
    }
}

static void test_other_families(void)
{
    unsigned char bytes[16];
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr other = {.sa_family = AF_UNIX};
    CU_ASSERT_FALSE(fhir_address_bytes(bytes, &other, sizeof(other)));
    CU_ASSERT_FALSE(fhir_address_bytes(bytes, (struct sockaddr *)&ipv4, sizeof(ipv4) - 1));
    ipv4.sin_family = AF_INET6;
    CU_ASSERT_FALSE(fhir_address_bytes(bytes, (struct sockaddr *)&ipv4, sizeof(ipv4)));
}

static void test_network_syntax(void)
{
    static const char *const good[] = {"10.0.0.0/8", "127.0.0.1", "127.0.0.1/32", "192.168.2.128/25",    "fd00::/8",
                                       "fc00::/7",   "::1",       "::1/128",      "::ffff:10.0.0.0/104", NULL};
    static const char *const bad[] = {"",
                                      "/",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/7",
                                      "0.0.0.0/0",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-8",
                                      "10.0.0.0/+8",
                                      "10.0.0.0/08",
                                      "10.0.0.0/8 ",
                                      " 10.0.0.0/8",
                                      "10.0.0.1/8",
                                      "10.0.0/8",
                                      "10.0.0.0.0/8",
                                      "10.0.0.0/8/8",
                                      "010.0.0.0/8",
                                      "192.168.2.128/24",
                                      "::/0",
                                      "::/6",
                                      "fd00::1/8",
                                      "fd00::/129",
                                      "fd00::/1000",
                                      "fd00::%eth0/64",
                                      "::ffff:0.0.0.0/96",
                                      "::ffff:10.0.0.0/103",
                                      "localhost",
                                      "example.org/8",
                                      "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/64",
                                      NULL};
    fhir_network_t network;
    int i;
    for (i = 0; good[i]; i++) {
        CU_ASSERT_TRUE(fhir_network_parse(&network, good[i]));
    }
    for (i = 0; bad[i]; i++) {
        if (fhir_network_parse(&network, bad[i])) {
            printf("'%s' was taken\n", bad[i]);
            CU_FAIL("network syntax");
        }
    }
}

static int allowed(const char *address, const char *network)
{
    apr_array_header_t *networks = apr_array_make(pool, 2, sizeof(fhir_network_t));
    unsigned char bytes[16];
    CU_ASSERT_TRUE_FATAL(fhir_network_parse(apr_array_push(networks), "192.0.2.77"));
    CU_ASSERT_TRUE_FATAL(fhir_network_parse(apr_array_push(networks), network));
    bytes_of(bytes, address);
    return fhir_address_allowed(bytes, networks);
}

static void test_networks_open(void)
{
    CU_ASSERT_TRUE(allowed("127.0.0.1", "127.0.0.1"));
    CU_ASSERT_TRUE(allowed("::ffff:127.0.0.1", "127.0.0.1"));
    CU_ASSERT_TRUE(allowed("192.0.2.77", "127.0.0.1"));
    CU_ASSERT_FALSE(allowed("192.0.2.78", "127.0.0.1"));
    CU_ASSERT_FALSE(allowed("127.0.0.2", "127.0.0.1"));
    CU_ASSERT_FALSE(allowed("127.0.0.0", "127.0.0.1"));
    CU_ASSERT_TRUE(allowed("10.1.2.3", "10.0.0.0/8"));
    CU_ASSERT_FALSE(allowed("172.16.0.1", "10.0.0.0/8"));
    CU_ASSERT_TRUE(allowed("192.168.2.128", "192.168.2.128/25"));
    CU_ASSERT_TRUE(allowed("192.168.2.255", "192.168.2.128/25"));
    CU_ASSERT_FALSE(allowed("192.168.2.127", "192.168.2.128/25"));
    CU_ASSERT_TRUE(allowed("fd12::1", "fd00::/8"));
    CU_ASSERT_FALSE(allowed("fc12::1", "fd00::/8"));
    CU_ASSERT_TRUE(allowed("fd12::1", "fc00::/7"));
    CU_ASSERT_TRUE(allowed("10.1.2.3", "::ffff:10.0.0.0/104"));
    CU_ASSERT_TRUE(allowed("8.8.8.8", "10.0.0.0/8"));
    /* A wide network of IPv6 zeros does not open IPv4, and an IPv4 network opens no other form of its addresses. */
    CU_ASSERT_FALSE(allowed("127.0.0.1", "::/8"));
    CU_ASSERT_TRUE(allowed("::1", "::/8"));
    CU_ASSERT_FALSE(allowed("64:ff9b::127.0.0.1", "127.0.0.0/8"));
    CU_ASSERT_FALSE(allowed("::127.0.0.1", "127.0.0.0/8"));
}

static const fhir_unit_test_t tests[] = {{"ipv4", test_ipv4},
                                         {"ipv4 inside ipv6", test_ipv4_inside_ipv6},
                                         {"ipv6", test_ipv6},
                                         {"other families", test_other_families},
                                         {"network syntax", test_network_syntax},
                                         {"networks open", test_networks_open},
                                         {NULL, NULL}};

FHIR_UNIT_MAIN("network", tests)
