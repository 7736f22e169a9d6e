/* fhirbinctl: finds the command, runs it, tells its failure in one sentence. */
#include "ctl.h"

#include "../core/app/app.h"

#include <apr_general.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/apache2/mods-enabled/fhir_binary.conf"

static void write_log(void *baton, fhir_log_level_t level, apr_status_t status, const char *text)
{
    (void)baton;
    (void)level;
    (void)status;
    fprintf(stderr, "fhirbinctl: %s\n", text);
}

/* What is in brackets behind the sentence: where it is, what happened, what the system says. */
static void add_hint(char *hints, size_t room, const char *hint)
{
    size_t used = strlen(hints);
    if (hint && *hint) {
        snprintf(hints + used, room - used, "%s%s", used ? ": " : " (", hint);
    }
}

static int tell(const fhir_error_t *error)
{
    char reason[256] = "";
    char hints[2048] = "";
    if (error->status != APR_SUCCESS && error->status != APR_EGENERAL) { /* that one says nothing */
        apr_strerror(error->status, reason, sizeof(reason));
    }
    if (error->expression && !strstr(error->public_text, error->expression)) {
        add_hint(hints, sizeof(hints), error->expression);
    }
    add_hint(hints, sizeof(hints), error->detail);
    add_hint(hints, sizeof(hints), reason);
    fprintf(stderr, "fhirbinctl: %s%s%s\n", error->public_text, hints, *hints ? ")" : "");
    return error->code == FHIR_ERROR_REQUIRED ? FHIR_CTL_USAGE : FHIR_CTL_FAILED;
}

static int misused(const char *text)
{
    fprintf(stderr, "fhirbinctl: %s Try `fhirbinctl help`.\n", text);
    return FHIR_CTL_USAGE;
}

static int help(int count, const char *const *words, apr_pool_t *pool)
{
    const fhir_ctl_command_t *command = NULL;
    if (count > 0) {
        command = fhir_ctl_find(words[0], count > 1 ? words[1] : NULL, pool);
        if (!command && count == 1 && fhir_ctl_help_group(words[0])) {
            return FHIR_CTL_OK;
        }
        if (!command) {
            return misused("There is no such command.");
        }
    }
    fhir_ctl_help(command);
    return FHIR_CTL_OK;
}

/* `--help` behind a command or a group of commands: as many words as name it. */
static int asks_for_help(int count, const char *const *words)
{
    for (int i = 1; i < count && strcmp(words[i], "--") != 0; i++) {
        if (strcmp(words[i], "--help") == 0) {
            return 1;
        }
    }
    return 0;
}

static int help_behind(int count, const char *const *words, apr_pool_t *pool)
{
    int is_one_word = fhir_ctl_find(words[0], NULL, pool) != NULL;
    return help(count > 1 && !is_one_word && strncmp(words[1], "--", 2) != 0 ? 2 : 1, words, pool);
}

static int run(fhir_ctl_t *ctl, int count, const char *const *words)
{
    fhir_error_t *error = fhir_ctl_parse(ctl, count, words);
    if (!error) {
        error = ctl->command->run(ctl);
    }
    if (error) {
        return tell(error);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("fhirbinctl: The output could not be written.\n", stderr);
        return FHIR_CTL_FAILED;
    }
    return ctl->status;
}

static const char *config_file(void)
{
    const char *given = getenv("FHIR_BINARY_CONFIG");
    return given && *given ? given : DEFAULT_CONFIG;
}

static int dispatch(fhir_ctl_t *ctl, int count, const char *const *words)
{
    ctl->config_file = config_file();
    if (count >= 1 && strcmp(words[0], "-c") == 0) {
        if (count < 2) {
            return misused("-c needs a file name.");
        }
        ctl->config_file = words[1];
        words += 2;
        count -= 2;
    }
    if (count == 0) {
        return misused("Which command?");
    }
    if (strcmp(words[0], "help") == 0 || strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0) {
        return help(count - 1, words + 1, ctl->pool);
    }
    if (strcmp(words[0], "version") == 0 || strcmp(words[0], "--version") == 0) {
        printf("fhirbinctl %s, database schema %d\n", FHIR_VERSION, fhir_schema_version());
        return FHIR_CTL_OK;
    }
    if (asks_for_help(count, words)) {
        return help_behind(count, words, ctl->pool);
    }
    ctl->command = count > 1 ? fhir_ctl_find(words[0], words[1], ctl->pool) : NULL;
    if (ctl->command) {
        return run(ctl, count - 2, words + 2);
    }
    ctl->command = fhir_ctl_find(words[0], NULL, ctl->pool);
    return ctl->command ? run(ctl, count - 1, words + 1) : misused("There is no such command.");
}

int main(int count, const char *const *words)
{
    fhir_ctl_t ctl = {.status = FHIR_CTL_OK};
    int status;
    if (apr_app_initialize(&count, &words, NULL) != APR_SUCCESS) {
        return FHIR_CTL_FAILED;
    }
    apr_pool_create(&ctl.pool, NULL);
    ctl.options = apr_table_make(ctl.pool, 8);
    ctl.arguments = apr_array_make(ctl.pool, 4, sizeof(const char *));
    ctl.log.write = write_log;
    ctl.log.level = FHIR_LOG_WARNING;
    ctl.call.pool = ctl.pool;
    ctl.call.log = &ctl.log;
    ctl.call.request_id = "fhirbinctl";
    status = dispatch(&ctl, count - 1, words + 1);
    apr_pool_destroy(ctl.pool);
    apr_terminate();
    return status;
}
