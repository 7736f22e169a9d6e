/* JSON numbers compared as text: 1.0 = 1.00 = 10e-1, without a limit on digits or exponents. */
#include "json_compare.h"

#include <string.h>

/* Value: 0.d1d2d3... * 10^(point + exponent), d1 and the last digit not zero; no digits: zero. */
typedef struct number_t {
    int negative;
    const char *digits; /* from the first that is not zero; a point may be among them */
    const char *digits_end;
    apr_int64_t point;
    int exponent_sign;
    const char *exponent; /* without leading zeros */
    apr_size_t exponent_length;
} number_t;

static void read_exponent(number_t *number, const char *at, const char *end)
{
    number->exponent_sign = 1;
    if (at < end && (*at == '+' || *at == '-')) {
        number->exponent_sign = *at == '-' ? -1 : 1;
        at++;
    }
    while (at < end && *at == '0') {
        at++;
    }
    number->exponent = at;
    number->exponent_length = (apr_size_t)(end - at);
}

static void read_number(number_t *number, const char *text, apr_size_t length)
{
    const char *end = text + length;
    const char *at = text;
    const char *point = NULL;
    memset(number, 0, sizeof(*number));
    number->negative = *at == '-';
    at += number->negative;
    for (; at < end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.') {
            point = at;
        } else if (*at != '0') {
            number->digits = number->digits ? number->digits : at;
            number->digits_end = at + 1;
        }
    }
    point = point ? point : at;
    if (number->digits) {
        number->point = point - number->digits;
        number->point += number->digits > point; /* the point itself is no digit */
    }
    read_exponent(number, at < end ? at + 1 : end, end);
}

/* The next digit of the mantissa, -1 at its end. */
static int next_digit(const char **at, const char *end)
{
    *at += *at < end && **at == '.';
    return *at < end ? *(*at)++ - '0' : -1;
}

static int same_digits(const number_t *a, const number_t *b)
{
    const char *a_at = a->digits;
    const char *b_at = b->digits;
    int digit;
    do {
        digit = next_digit(&a_at, a->digits_end);
        if (digit != next_digit(&b_at, b->digits_end)) {
            return 0;
        }
    } while (digit >= 0);
    return 1;
}

/* Digit of the exponent that has `left` digits after it, with the exponent's sign. */
static int exponent_digit(const number_t *number, apr_size_t left)
{
    if (left >= number->exponent_length) {
        return 0;
    }
    return number->exponent_sign * (number->exponent[number->exponent_length - 1 - left] - '0');
}

/* Is exponent(a) - exponent(b) this small difference? Digit by digit: once the part so far is far off it stays so. */
static int exponents_differ_by(const number_t *a, const number_t *b, apr_int64_t difference)
{
    apr_size_t left = a->exponent_length > b->exponent_length ? a->exponent_length : b->exponent_length;
    const apr_int64_t far_off = (apr_int64_t)1 << 40; /* more than any text has digits */
    apr_int64_t sum = 0;
    while (left-- > 0) {
        sum = sum * 10 + exponent_digit(a, left) - exponent_digit(b, left);
        if (sum > far_off || sum < -far_off) {
            return 0;
        }
    }
    return sum == difference;
}

int fhir_json_same_number(const char *a, apr_size_t a_length, const char *b, apr_size_t b_length)
{
    number_t a_number;
    number_t b_number;
    if (a_length == b_length && memcmp(a, b, a_length) == 0) {
        return 1;
    }
    read_number(&a_number, a, a_length);
    read_number(&b_number, b, b_length);
    if (!a_number.digits || !b_number.digits) {
        return !a_number.digits && !b_number.digits;
    }
    return a_number.negative == b_number.negative && same_digits(&a_number, &b_number) &&
           exponents_differ_by(&a_number, &b_number, b_number.point - a_number.point);
}
