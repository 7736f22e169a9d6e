/* Fast scanning of text that comes in pieces: runs of plain characters, and UTF-8 checked across the seams. */
#ifndef FHIR_FHIR_SCAN_H
#define FHIR_FHIR_SCAN_H

#include <apr.h>
#include <stdint.h>
#include <string.h>

#define FHIR_SCAN_ONES 0x0101010101010101u
#define FHIR_SCAN_HIGHS 0x8080808080808080u

/* High bit set in (at least) the first byte that is zero. */
static inline uint64_t fhir_scan_zero(uint64_t word)
{
    return (word - FHIR_SCAN_ONES) & ~word & FHIR_SCAN_HIGHS;
}

/* The length of the run at the start of `text` that holds printable ASCII without the characters a, b and c. */
static inline apr_size_t fhir_scan_plain(const char *text, apr_size_t length, char a, char b, char c)
{
    const uint64_t wide_a = FHIR_SCAN_ONES * (unsigned char)a;
    const uint64_t wide_b = FHIR_SCAN_ONES * (unsigned char)b;
    const uint64_t wide_c = FHIR_SCAN_ONES * (unsigned char)c;
    apr_size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, 8);
        if (((word - FHIR_SCAN_ONES * 0x20) & FHIR_SCAN_HIGHS) | (word & FHIR_SCAN_HIGHS) |
            fhir_scan_zero(word ^ wide_a) | fhir_scan_zero(word ^ wide_b) | fhir_scan_zero(word ^ wide_c)) {
            break;
        }
    }
    for (; at < length; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (byte < 0x20 || byte >= 0x80 || text[at] == a || text[at] == b || text[at] == c) {
            break;
        }
    }
    return at;
}

typedef struct fhir_utf8_t {
    int need; /* continuation bytes still to come */
    unsigned char low;
    unsigned char high; /* bounds of the next one */
} fhir_utf8_t;

/* The first byte of a character outside ASCII. 0 if malformed: overlong, surrogate, beyond U+10FFFF. */
static inline int fhir_utf8_lead(fhir_utf8_t *utf8, unsigned char byte)
{
    utf8->need = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    utf8->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    utf8->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    return byte >= 0xc2 && byte <= 0xf4;
}

/* Takes the next byte of any kind; 0 if malformed. */
static inline int fhir_utf8_step(fhir_utf8_t *utf8, unsigned char byte)
{
    if (!utf8->need) {
        return byte < 0x80 || fhir_utf8_lead(utf8, byte);
    }
    if (byte < utf8->low || byte > utf8->high) {
        return 0;
    }
    utf8->need--;
    utf8->low = 0x80;
    utf8->high = 0xbf;
    return 1;
}

/* UTF-8 of a code point; `out` has room for 4 bytes. Returns its length. */
static inline apr_size_t fhir_utf8_put(char *out, unsigned code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

#endif
