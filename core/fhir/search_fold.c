/* How strings are compared in searches: without case, accents, punctuation and runs of white space
 * (search.html#string). The table is made by dev/generate_fold.py. */
#include "../base/utf8.h"
#include "search_private.h"

#include <stdint.h>
#include <string.h>

typedef struct fold_t {
    uint16_t from;
    char to[6]; /* one blank: white space; "": nothing */
} fold_t;

/* Sorted by `from`; what is not here stays. */
static const fold_t FOLDS[] = {
#define FHIR_FOLD(from, to) {from, to},
#include "search_fold.def"
#undef FHIR_FOLD
};

/* NULL: the character stays. */
static const char *folded(uint32_t character)
{
    int low = 0;
    int high = (int)(sizeof(FOLDS) / sizeof(FOLDS[0])) - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        if (FOLDS[middle].from == character) {
            return FOLDS[middle].to;
        }
        if (FOLDS[middle].from < character) {
            low = middle + 1;
        } else {
            high = middle - 1;
        }
    }
    return NULL;
}

static int is_plain(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

/* The folded form of the character at `text`; *length is the number of its bytes. */
static apr_size_t next_character(const char **form, apr_size_t *length, const char *text, apr_size_t left)
{
    uint32_t character = 0;
    *form = NULL;
    *length = is_plain(*text) ? 1 : fhir_utf8_sequence(&character, text, left);
    if (*length == 0) {
        *length = 1; /* no UTF-8: kept, it can't be anything else */
    } else if (character != 0) {
        *form = folded(character);
    }
    if (*form) {
        return strlen(*form);
    }
    *form = text;
    return *length;
}

const char *fhir_search_fold(const char *text, apr_pool_t *pool)
{
    apr_size_t left = strlen(text);
    int blank = 0;
    fhir_text_t result;
    fhir_text_init(&result, pool);
    while (left > 0) {
        const char *form;
        apr_size_t length;
        apr_size_t form_length = next_character(&form, &length, text, left);
        if (form_length == 1 && *form == ' ') {
            blank = result.length > 0;
        } else if (form_length > 0) {
            fhir_text_add(&result, blank ? " " : "");
            fhir_text_add_bytes(&result, form, form_length);
            blank = 0;
        }
        text += length;
        left -= length;
    }
    return result.text;
}
