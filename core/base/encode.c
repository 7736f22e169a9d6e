/* Hex, base64 and base64url (RFC 4648), strict when decoding: one text form per value. */
#include "text.h"

#include <string.h>

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const char *fhir_hex_encode(const void *bytes, apr_size_t length, apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    char *hex = apr_palloc(pool, length * 2 + 1);
    apr_size_t i;
    for (i = 0; i < length; i++) {
        hex[i * 2] = digits[from[i] >> 4];
        hex[i * 2 + 1] = digits[from[i] & 0x0F];
    }
    hex[length * 2] = '\0';
    return hex;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

int fhir_hex_decode(void *bytes, apr_size_t length, const char *hex)
{
    unsigned char *to = bytes;
    apr_size_t i;
    for (i = 0; i < length; i++) {
        int high = hex_value(hex[i * 2]);
        int low = high < 0 ? -1 : hex_value(hex[i * 2 + 1]);
        if (low < 0) {
            return 0;
        }
        to[i] = (unsigned char)(high << 4 | low);
    }
    return hex[length * 2] == '\0';
}

static const char *encode(const void *bytes, apr_size_t length, const char *letters, int padded, apr_pool_t *pool)
{
    const unsigned char *from = bytes;
    char *text = apr_palloc(pool, length / 3 * 4 + 5);
    char *to = text;
    for (; length >= 3; from += 3, length -= 3) {
        *to++ = letters[from[0] >> 2];
        *to++ = letters[(from[0] & 0x03) << 4 | from[1] >> 4];
        *to++ = letters[(from[1] & 0x0F) << 2 | from[2] >> 6];
        *to++ = letters[from[2] & 0x3F];
    }
    if (length > 0) {
        int second = length == 2 ? from[1] : 0;
        *to++ = letters[from[0] >> 2];
        *to++ = letters[(from[0] & 0x03) << 4 | second >> 4];
        if (length == 2) {
            *to++ = letters[(second & 0x0F) << 2];
        }
        if (padded) {
            memcpy(to, "==", 2);
            to += 3 - length;
        }
    }
    *to = '\0';
    return text;
}

const char *fhir_base64_encode(const void *bytes, apr_size_t length, apr_pool_t *pool)
{
    return encode(bytes, length, base64_letters, 1, pool);
}

const char *fhir_base64url_encode(const void *bytes, apr_size_t length, apr_pool_t *pool)
{
    return encode(bytes, length, base64url_letters, 0, pool);
}

static int base64_value(char letter, char letter_62, char letter_63)
{
    if (letter >= 'A' && letter <= 'Z') {
        return letter - 'A';
    }
    if (letter >= 'a' && letter <= 'z') {
        return letter - 'a' + 26;
    }
    if (letter >= '0' && letter <= '9') {
        return letter - '0' + 52;
    }
    return letter == letter_62 ? 62 : letter == letter_63 ? 63 : -1;
}

/* `letters` without padding. Bits that the last letter has too many must be zero, else two texts mean one value. */
static const unsigned char *decode(apr_size_t *length, const char *text, apr_size_t letters, const char *alphabet,
                                   apr_pool_t *pool)
{
    unsigned char *bytes = apr_palloc(pool, letters / 4 * 3 + 4);
    apr_size_t written = 0;
    unsigned bits = 0;
    int held = 0;
    apr_size_t i;
    for (i = 0; i < letters; i++) {
        int value = base64_value(text[i], alphabet[62], alphabet[63]);
        if (value < 0) {
            return NULL;
        }
        bits = bits << 6 | (unsigned)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[written++] = (unsigned char)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    if (held == 6 || bits != 0) {
        return NULL;
    }
    bytes[written] = '\0'; /* not counted: callers may look at decoded text */
    *length = written;
    return bytes;
}

const unsigned char *fhir_base64_decode(apr_size_t *length, const char *text, apr_pool_t *pool)
{
    apr_size_t letters = strlen(text);
    if (letters % 4 != 0) {
        return NULL;
    }
    if (letters > 0 && text[letters - 1] == '=') {
        letters -= text[letters - 2] == '=' ? 2 : 1;
    }
    return decode(length, text, letters, base64_letters, pool);
}

const unsigned char *fhir_base64url_decode(apr_size_t *length, const char *text, apr_pool_t *pool)
{
    return decode(length, text, strlen(text), base64url_letters, pool);
}
