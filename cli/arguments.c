/* Options and arguments, read by the command's own syntax line. */
#include "ctl.h"

#include "../core/base/text.h"

#include <apr_lib.h>
#include <string.h>

fhir_error_t *fhir_ctl_misuse(fhir_ctl_t *ctl, const char *text)
{
    return fhir_error_public(ctl->pool, FHIR_ERROR_REQUIRED, "%s Usage: fhirbinctl %s %s", text, ctl->command->name,
                             ctl->command->syntax);
}

const char *fhir_ctl_option(const fhir_ctl_t *ctl, const char *name)
{
    return apr_table_get(ctl->options, name);
}

/* A hundred years: more than anybody means, and what PostgreSQL can subtract. */
#define TIME_MAX_TEXT "36500d"
#define TIME_MAX (apr_time_from_sec(86400) * 36500)

fhir_error_t *fhir_ctl_duration_option(apr_interval_time_t *time, fhir_ctl_t *ctl, const char *name,
                                       const char *otherwise)
{
    const char *given = fhir_ctl_option(ctl, name);
    if (fhir_parse_duration(time, given ? given : otherwise, ctl->pool) || *time > TIME_MAX) {
        return fhir_ctl_misuse(ctl,
                               apr_psprintf(ctl->pool,
                                            "--%s is a time, for example 90s, 15m, 24h or 7d, at most " TIME_MAX_TEXT
                                            "; '%.64s' is none.",
                                            name, given ? given : otherwise));
    }
    return NULL;
}

fhir_error_t *fhir_ctl_rate_option(apr_off_t *rate, fhir_ctl_t *ctl)
{
    const char *given = fhir_ctl_option(ctl, "rate");
    apr_off_t read = 0;
    if (given && (fhir_parse_size(&read, given, ctl->pool) || read < 1024)) {
        return fhir_ctl_misuse(
            ctl,
            apr_psprintf(ctl->pool, "--rate is bytes a second, at least 1K, for example 50M; '%s' is not.", given));
    }
    *rate = given ? read : *rate;
    return NULL;
}

const char *fhir_ctl_argument(const fhir_ctl_t *ctl, int place)
{
    return place < ctl->arguments->nelts ? APR_ARRAY_IDX(ctl->arguments, place, const char *) : NULL;
}

/* Where the syntax speaks of `--name`, behind the name; NULL: nowhere. */
static const char *in_syntax(const fhir_ctl_command_t *command, const char *name)
{
    size_t length = strlen(name);
    const char *next = command->syntax;
    while ((next = strstr(next, "--")) != NULL) {
        next += 2;
        if (strncmp(next, name, length) == 0 && (next[length] == ' ' || next[length] == ']' || !next[length])) {
            return next + length;
        }
    }
    return NULL;
}

/* `[--name VALUE]...`: may be given several times; apr_table_t keeps the order, also between names. */
static int is_repeatable(const char *place)
{
    const char *close = strchr(place, ']');
    return close && strncmp(close + 1, "...", 3) == 0 && !memchr(place, '[', (size_t)(close - place));
}

static fhir_error_t *take_option(fhir_ctl_t *ctl, const char *word, const char *value, int *used_value)
{
    const char *equals = strchr(word, '=');
    const char *name = equals ? apr_pstrmemdup(ctl->pool, word, (apr_size_t)(equals - word)) : word;
    const char *place = *name ? in_syntax(ctl->command, name) : NULL;
    int wants_value = place && place[0] == ' ' && apr_isupper(place[1]);
    if (!place) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, "There is no option --", name, " here.", NULL));
    }
    if (apr_table_get(ctl->options, name) && !is_repeatable(place)) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, "Option --", name, " is given twice.", NULL));
    }
    if (!wants_value && equals) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, "Option --", name, " takes no value.", NULL));
    }
    *used_value = wants_value && !equals;
    if (*used_value && !value) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, "Option --", name, " needs a value.", NULL));
    }
    apr_table_addn(ctl->options, name, !wants_value ? "" : equals ? equals + 1 : value);
    return NULL;
}

/* One word of the syntax outside of brackets must have been given. */
static fhir_error_t *check_required(fhir_ctl_t *ctl, const char *word, int is_value, int *arguments)
{
    if (strncmp(word, "--", 2) == 0 && !fhir_ctl_option(ctl, word + 2)) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, "Option ", word, " is missing.", NULL));
    }
    if (*word != '-' && !is_value && !fhir_ctl_argument(ctl, (*arguments)++)) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, word, " is missing.", NULL));
    }
    return NULL;
}

static int ends_optional(const char *word)
{
    const char *close = strrchr(word, ']');
    return close && (!close[1] || strcmp(close + 1, "...") == 0);
}

static fhir_error_t *check_complete(fhir_ctl_t *ctl)
{
    char *rest = NULL;
    char *word = apr_strtok(apr_pstrdup(ctl->pool, ctl->command->syntax), " ", &rest);
    int optional = 0;
    int is_value = 0;
    int arguments = 0;
    int most;
    for (most = 0; word; word = apr_strtok(NULL, " ", &rest)) {
        optional |= *word == '[';
        if (!optional) {
            FHIR_TRY(check_required(ctl, word, is_value, &arguments));
        }
        word += *word == '[';
        most += !is_value && *word != '-';
        is_value = strncmp(word, "--", 2) == 0 && !ends_optional(word);
        optional = optional && !ends_optional(word);
    }
    if (fhir_ctl_argument(ctl, most)) {
        return fhir_ctl_misuse(ctl, apr_pstrcat(ctl->pool, "What is '", fhir_ctl_argument(ctl, most), "'?", NULL));
    }
    return NULL;
}

fhir_error_t *fhir_ctl_parse(fhir_ctl_t *ctl, int count, const char *const *words)
{
    int only_arguments = 0;
    for (int i = 0; i < count; i++) {
        int used_value = 0;
        if (!only_arguments && strcmp(words[i], "--") == 0) {
            only_arguments = 1;
        } else if (!only_arguments && strncmp(words[i], "--", 2) == 0) { /* ids of keys may begin with one dash */
            FHIR_TRY(take_option(ctl, words[i] + 2, i + 1 < count ? words[i + 1] : NULL, &used_value));
            i += used_value;
        } else {
            APR_ARRAY_PUSH(ctl->arguments, const char *) = words[i];
        }
    }
    return check_complete(ctl);
}
