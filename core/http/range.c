/* Which bytes a Range request gets. Whatever is malformed is ignored: the client then gets the whole. */
#include "range.h"
#include "conditional.h"
#include "field_syntax.h"

#include <stdint.h>
#include <string.h>

typedef struct selection_t {
    fhir_range_t *ranges;
    int count;
    int asked; /* range-specs seen */
    apr_off_t size;
    int whole; /* a suffix of an empty object: nothing to put into a 206 */
} selection_t;

/* Digits at `at`, INT64_MAX if they are too many: such a number lies behind the end of any object. NULL: no digit. */
static const char *number(apr_off_t *value, const char *at)
{
    const char *start = at;
    apr_off_t sum = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';
        sum = sum > (INT64_MAX - digit) / 10 ? INT64_MAX : sum * 10 + digit;
    }
    *value = sum;
    return at == start ? NULL : at;
}

/* Joins with every range that it overlaps or touches; the joined one stands where the first of them stood. */
static void add_range(selection_t *selection, apr_off_t offset, apr_off_t length)
{
    int place = selection->count;
    int i;
    for (i = 0; i < selection->count; i++) {
        fhir_range_t *other = &selection->ranges[i];
        apr_off_t end = offset + length;
        apr_off_t other_end = other->offset + other->length;
        if (offset > other_end || other->offset > end) {
            continue;
        }
        offset = other->offset < offset ? other->offset : offset;
        length = (other_end > end ? other_end : end) - offset;
        place = i < place ? i : place;
        memmove(other, other + 1, (size_t)(selection->count - i - 1) * sizeof(*other));
        selection->count--;
        i = -1; /* grown, it may touch one that was passed over */
    }
    memmove(selection->ranges + place + 1, selection->ranges + place,
            (size_t)(selection->count - place) * sizeof(*selection->ranges));
    selection->ranges[place].offset = offset;
    selection->ranges[place].length = length;
    selection->count++;
}

static const char *suffix_range(selection_t *selection, const char *at)
{
    apr_off_t length;
    at = number(&length, at + 1);
    if (at && length > 0) {
        length = length < selection->size ? length : selection->size;
        if (length > 0) {
            add_range(selection, selection->size - length, length);
        } else {
            selection->whole = 1;
        }
    }
    return at;
}

/* One range-spec; gives what follows, NULL if malformed. One that begins behind the end is dropped. */
static const char *range_spec(selection_t *selection, const char *at)
{
    apr_off_t first;
    apr_off_t last = INT64_MAX;
    if (*at == '-') {
        return suffix_range(selection, at);
    }
    at = number(&first, at);
    if (!at || *at != '-') {
        return NULL;
    }
    at++;
    if (*at >= '0' && *at <= '9') {
        at = number(&last, at);
        if (first > last) {
            return NULL;
        }
    }
    if (first < selection->size) {
        last = last < selection->size ? last : selection->size - 1;
        add_range(selection, first, last - first + 1);
    }
    return at;
}

/* 1 if the whole field is well-formed and asks for a bearable number of ranges. */
static int parse(selection_t *selection, const char *at)
{
    if (!fhir_is_name(at, fhir_token_length(at), "bytes") || at[5] != '=') {
        return 0;
    }
    for (at = fhir_skip_blanks(at + 6); *at; at = fhir_skip_blanks(at)) {
        if (*at == ',') {
            at++;
            continue;
        }
        if (++selection->asked > FHIR_RANGE_MAX) {
            return 0;
        }
        at = range_spec(selection, at);
        if (!at) {
            return 0;
        }
        at = fhir_skip_blanks(at);
        if (*at && *at != ',') {
            return 0;
        }
    }
    return selection->asked > 0;
}

/* If-Range compares strongly: a weak tag never matches. */
static int if_range_holds(const char *if_range, const char *version_id, apr_time_t last_modified, apr_pool_t *pool)
{
    apr_time_t date;
    if (!if_range) {
        return 1;
    }
    if_range = fhir_trimmed(if_range, strlen(if_range), pool);
    if (*if_range == '"') {
        return version_id && strcmp(if_range, apr_pstrcat(pool, "\"", version_id, "\"", NULL)) == 0;
    }
    date = fhir_http_date_parse(if_range);
    return date != 0 && apr_time_sec(date) == apr_time_sec(last_modified);
}

fhir_range_result_t fhir_range_select(fhir_range_t ranges[FHIR_RANGE_MAX], int *count, const char *range,
                                      const char *if_range, const char *version_id, apr_time_t last_modified,
                                      apr_off_t size, apr_pool_t *pool)
{
    fhir_range_t found[FHIR_RANGE_MAX];
    selection_t selection = {found, 0, 0, size, 0};
    *count = 0;
    if (!range || size < 0 || !if_range_holds(if_range, version_id, last_modified, pool)) {
        return FHIR_RANGE_WHOLE;
    }
    if (!parse(&selection, fhir_skip_blanks(range)) || selection.whole) {
        return FHIR_RANGE_WHOLE;
    }
    if (selection.count == 0) {
        return FHIR_RANGE_UNSATISFIABLE;
    }
    memcpy(ranges, found, (size_t)selection.count * sizeof(*found));
    *count = selection.count;
    return FHIR_RANGE_PARTIAL;
}

const char *fhir_content_range(const fhir_range_t *range, apr_off_t size, apr_pool_t *pool)
{
    return apr_psprintf(pool, "bytes %" APR_OFF_T_FMT "-%" APR_OFF_T_FMT "/%" APR_OFF_T_FMT, range->offset,
                        range->offset + range->length - 1, size);
}
