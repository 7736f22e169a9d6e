/* Reads the FhirBinary... lines out of an httpd configuration for fhirbinctl: comments, continuation lines, quotes,
 * Define and ${...}, Include and IncludeOptional. All other lines are skipped. */
#include "../base/text.h"
#include "directives.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_DEPTH 16
#define MAX_FILE ((apr_off_t)4 << 20)

typedef struct reader_t {
    fhir_settings_t *settings;
    apr_pool_t *pool;
    apr_hash_t *defines;
    const char *server_root;
    int depth;
} reader_t;

/* The file that is being read. */
typedef struct source_t {
    const char *path;
    char *at;
    int line;
} source_t;

static fhir_error_t *read_any(reader_t *reader, const char *path);

static fhir_error_t *complain(const source_t *source, const char *text, apr_pool_t *pool)
{
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "%s line %d: %s", source->path, source->line, text);
}

static fhir_error_t *unreadable(const char *path, apr_status_t status, apr_pool_t *pool)
{
    char reason[128];
    apr_strerror(status, reason, sizeof(reason));
    return fhir_error_public(pool, FHIR_ERROR_INVALID, "The configuration file %s can't be read: %s.", path, reason);
}

static fhir_error_t *load(char **text, const char *path, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t length = 0;
    apr_status_t status = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool);
    if (status != APR_SUCCESS) {
        return unreadable(path, status, pool);
    }
    status = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    if (status == APR_SUCCESS && info.size > MAX_FILE) {
        status = APR_ENOSPC;
    }
    if (status == APR_SUCCESS) {
        *text = apr_pcalloc(pool, (apr_size_t)info.size + 1);
        status = apr_file_read_full(file, *text, (apr_size_t)info.size, &length);
    }
    apr_file_close(file);
    return status == APR_SUCCESS || status == APR_EOF ? NULL : unreadable(path, status, pool);
}

/* The next line with its continuation lines, trimmed; NULL at the end. */
static const char *next_line(source_t *source, apr_pool_t *pool)
{
    fhir_text_t line;
    int more = 1;
    if (!*source->at) {
        return NULL;
    }
    fhir_text_init(&line, pool);
    while (more && *source->at) {
        size_t length = strcspn(source->at, "\n");
        size_t kept = length > 0 && source->at[length - 1] == '\r' ? length - 1 : length;
        more = kept > 0 && source->at[kept - 1] == '\\';
        fhir_text_add_bytes(&line, source->at, more ? kept - 1 : kept);
        source->at += length + (source->at[length] ? 1 : 0);
        source->line++;
    }
    while (line.length > 0 && apr_isspace(line.text[line.length - 1])) {
        line.text[--line.length] = '\0';
    }
    return line.text + strspn(line.text, " \t");
}

/* ${NAME} replaced by what Define or the environment says; unknown names stay, as in httpd. */
static const char *expand(const reader_t *reader, const char *text)
{
    fhir_text_t out;
    fhir_text_init(&out, reader->pool);
    while (*text) {
        const char *end = text[0] == '$' && text[1] == '{' ? strchr(text, '}') : NULL;
        const char *value = NULL;
        if (end) {
            const char *name = apr_pstrmemdup(reader->pool, text + 2, (apr_size_t)(end - text - 2));
            value = apr_hash_get(reader->defines, name, APR_HASH_KEY_STRING);
            value = value ? value : getenv(name);
        }
        if (value) {
            fhir_text_add(&out, value);
            text = end + 1;
        } else {
            fhir_text_add_bytes(&out, text++, 1);
        }
    }
    return out.text;
}

/* One word, quotes and backslashes resolved as httpd does; *text moves on. NULL at the end. */
static const char *next_word(const char **text, apr_pool_t *pool)
{
    const char *at = *text + strspn(*text, " \t");
    char quote = *at == '"' || *at == '\'' ? *at : '\0';
    char *word;
    char *out;
    if (!*at) {
        return NULL;
    }
    out = word = apr_palloc(pool, strlen(at) + 1);
    for (at += quote ? 1 : 0; *at && (quote ? *at != quote : !apr_isspace(*at)); at++) {
        if (quote && *at == '\\' && (at[1] == quote || at[1] == '\\')) {
            at++;
        }
        *out++ = *at;
    }
    *out = '\0';
    *text = at + (quote && *at ? 1 : 0);
    return word;
}

static apr_array_header_t *words_of(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 8, sizeof(const char *));
    const char *word;
    while ((word = next_word(&text, pool)) != NULL) {
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    return words;
}

/* ---- the lines that count ---- */

/* Every virtual host may have this line: the first one counts. */
static int is_repetition(const reader_t *reader, const fhir_directive_t *directive, const char *first_argument)
{
    const apr_array_header_t *lines = reader->settings->lines;
    int i;
    for (i = 0; i < lines->nelts; i++) {
        const fhir_settings_line_t *line = &APR_ARRAY_IDX(lines, i, fhir_settings_line_t);
        if (line->directive == directive &&
            (!directive->repeatable ||
             (fhir_directive_is_named(directive) && strcmp(line->arguments[0], first_argument) == 0))) {
            return 1;
        }
    }
    return (directive->set == fhir_set_database || directive->set == fhir_set_database_file) &&
           reader->settings->database;
}

static fhir_error_t *take_directive(reader_t *reader, const source_t *source, const fhir_directive_t *directive,
                                    const char *rest)
{
    apr_array_header_t *words = words_of(rest, reader->pool);
    const char *const *arguments = (const char *const *)words->elts;
    fhir_error_t *error;
    if (words->nelts > 0 && is_repetition(reader, directive, arguments[0])) {
        return NULL;
    }
    error = fhir_settings_set(reader->settings, directive->name, words->nelts, arguments);
    return error ? complain(source, error->public_text, reader->pool) : NULL;
}

static fhir_error_t *take_include(reader_t *reader, const source_t *source, const char *pattern, int optional)
{
    glob_t found;
    size_t i;
    fhir_error_t *error = NULL;
    int status;
    if (pattern[0] != '/') {
        pattern = apr_pstrcat(reader->pool, reader->server_root, "/", pattern, NULL);
    }
    status = glob(pattern, 0, NULL, &found);
    if (status != 0) {
        return optional
                   ? NULL
                   : complain(source, apr_psprintf(reader->pool, "Include %s matches no file.", pattern), reader->pool);
    }
    for (i = 0; i < found.gl_pathc && !error; i++) {
        error = read_any(reader, apr_pstrdup(reader->pool, found.gl_pathv[i]));
    }
    globfree(&found);
    return error;
}

static fhir_error_t *take_line(reader_t *reader, const source_t *source, const char *text)
{
    const char *rest = expand(reader, text);
    const char *name = next_word(&rest, reader->pool);
    const fhir_directive_t *directive = name ? fhir_directive_find(name) : NULL;
    const char *argument;
    if (directive) {
        return take_directive(reader, source, directive, rest);
    }
    if (name && strncasecmp(name, "FhirBinary", 10) == 0) {
        return complain(source, apr_psprintf(reader->pool, "There is no directive '%s'.", name), reader->pool);
    }
    argument = name ? next_word(&rest, reader->pool) : NULL;
    if (!argument) {
        return NULL;
    }
    if (strcasecmp(name, "Include") == 0 || strcasecmp(name, "IncludeOptional") == 0) {
        return take_include(reader, source, argument, strcasecmp(name, "IncludeOptional") == 0);
    }
    if (strcasecmp(name, "ServerRoot") == 0) {
        reader->server_root = argument;
    } else if (strcasecmp(name, "Define") == 0) {
        const char *value = next_word(&rest, reader->pool);
        apr_hash_set(reader->defines, argument, APR_HASH_KEY_STRING, value ? value : "");
    } else if (strcasecmp(name, "UnDefine") == 0) {
        apr_hash_set(reader->defines, argument, APR_HASH_KEY_STRING, NULL);
    }
    return NULL;
}

static fhir_error_t *read_one(reader_t *reader, const char *path)
{
    source_t source = {path, NULL, 0};
    const char *line;
    FHIR_TRY(load(&source.at, path, reader->pool));
    while ((line = next_line(&source, reader->pool)) != NULL) {
        if (*line && *line != '#' && *line != '<') {
            FHIR_TRY(take_line(reader, &source, line));
        }
    }
    return NULL;
}

/* A directory means every file in it, as Include has it. */
static fhir_error_t *read_any(reader_t *reader, const char *path)
{
    apr_finfo_t info;
    apr_status_t status = apr_stat(&info, path, APR_FINFO_TYPE, reader->pool);
    fhir_error_t *error;
    if (status != APR_SUCCESS && status != APR_INCOMPLETE) {
        return unreadable(path, status, reader->pool);
    }
    if (reader->depth >= MAX_DEPTH) {
        return fhir_error_public(reader->pool, FHIR_ERROR_INVALID,
                                 "%s is included more than %d levels deep. Does a file include itself?", path,
                                 MAX_DEPTH);
    }
    reader->depth++;
    if (info.filetype == APR_DIR) {
        source_t directory = {path, NULL, 0};
        error = take_include(reader, &directory, apr_pstrcat(reader->pool, path, "/*", NULL), 1);
    } else {
        error = read_one(reader, path);
    }
    reader->depth--;
    return error;
}

fhir_error_t *fhir_settings_read(fhir_settings_t *settings, const char *path)
{
    reader_t reader = {0};
    const char *slash = strrchr(path, '/');
    reader.settings = settings;
    reader.pool = settings->pool;
    reader.defines = apr_hash_make(settings->pool);
    reader.server_root = slash ? apr_pstrmemdup(settings->pool, path, (apr_size_t)(slash - path)) : ".";
    return read_any(&reader, path);
}
