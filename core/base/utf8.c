/* UTF-8: validation, reading and writing of single sequences. */
#include "utf8.h"
#include "text.h"

/* The length that the first byte announces, and the smallest value that needs it. */
static apr_size_t announced_length(unsigned char first, uint32_t *bits, uint32_t *smallest)
{
    if (first < 0x80) {
        *bits = first;
        *smallest = 0;
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        *bits = first & 0x1Fu;
        *smallest = 0x80;
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        *bits = first & 0x0Fu;
        *smallest = 0x800;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        *bits = first & 0x07u;
        *smallest = 0x10000;
        return 4;
    }
    return 0;
}

static int is_scalar_value(uint32_t value)
{
    return value <= 0x10FFFF && !(value >= 0xD800 && value <= 0xDFFF);
}

apr_size_t fhir_utf8_sequence(uint32_t *code_point, const char *bytes, apr_size_t length)
{
    uint32_t value = 0;
    uint32_t smallest = 0;
    apr_size_t announced;
    apr_size_t i;
    if (length == 0) {
        return 0;
    }
    announced = announced_length((unsigned char)bytes[0], &value, &smallest);
    if (announced == 0 || announced > length) {
        return 0;
    }
    for (i = 1; i < announced; i++) {
        unsigned char next = (unsigned char)bytes[i];
        if ((next & 0xC0u) != 0x80u) {
            return 0;
        }
        value = (value << 6) | (next & 0x3Fu);
    }
    if (value < smallest || !is_scalar_value(value)) {
        return 0;
    }
    if (code_point) {
        *code_point = value;
    }
    return announced;
}

apr_size_t fhir_utf8_write(char bytes[4], uint32_t code_point)
{
    static const unsigned char marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    apr_size_t length = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    apr_size_t i;
    if (!is_scalar_value(code_point)) {
        return 0;
    }
    for (i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80u | (code_point & 0x3Fu));
        code_point >>= 6;
    }
    bytes[0] = (char)(marks[length] | code_point);
    return length;
}

int fhir_utf8_valid(const char *bytes, apr_size_t length)
{
    while (length > 0) {
        apr_size_t sequence = fhir_utf8_sequence(NULL, bytes, length);
        if (sequence == 0 || bytes[0] == '\0') {
            return 0;
        }
        bytes += sequence;
        length -= sequence;
    }
    return 1;
}
