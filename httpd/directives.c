/* httpd's view of the directives: one command_rec each, made from the core's table, all with the same setter. httpd
 * adds the file and the line to the errors. */
#include "glue.h"

static apr_array_header_t *words_of(const char *line, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 8, sizeof(const char *));
    while (*line) {
        APR_ARRAY_PUSH(words, const char *) = ap_getword_conf(pool, &line);
    }
    return words;
}

/* RAW_ARGS: the other kinds cut a line at 64 arguments. */
static const char *set_directive(cmd_parms *command, void *directory, const char *line)
{
    fhir_server_t *server = fhir_httpd_server(command->server);
    const char *misplaced = ap_check_cmd_context(command, NOT_IN_DIR_CONTEXT | NOT_IN_HTACCESS);
    apr_array_header_t *words;
    fhir_place_t *place;
    fhir_error_t *error;
    (void)directory;
    if (misplaced) {
        return misplaced;
    }
    words = words_of(line, command->pool);
    error = fhir_settings_set(server->settings, command->cmd->name, words->nelts, (const char *const *)words->elts);
    if (error) {
        return error->public_text;
    }
    place = apr_palloc(command->pool, sizeof(*place));
    place->file = command->directive->filename;
    place->line = command->directive->line_num;
    apr_hash_set(server->places, command->cmd->name, APR_HASH_KEY_STRING, place);
    return NULL;
}

#define FHIR_DIRECTIVE(name, arguments, default_value, least, most, repeatable, setter, summary)                       \
    AP_INIT_RAW_ARGS(#name, set_directive, NULL, RSRC_CONF, summary),

const command_rec fhir_httpd_directives[] = {
#include "../core/config/directives.def"
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
