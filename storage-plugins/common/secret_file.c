/* Options beside secrets. People write the secret itself where its file's name belongs, and what a configuration test
 * prints ends in logs: so nothing is repeated that might be one. */
#include "plugin.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_MAX_LENGTH 30

fhir_error_t *fhir_plugin_secret_file(const char *option, const char *path, apr_pool_t *pool)
{
    struct stat status;
    char said[128];
    if (path[0] != '/') {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s= is not an absolute path of a file. Write the secret into a file that others may "
                                 "not read and name that: %s=/path/of/the/file.",
                                 option, option);
    }
    if (stat(path, &status)) { /* base64 may begin with a slash, too */
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The file that %s= names can't be read: %s. Give the absolute path of a file with the "
                                 "secret that the user who starts httpd may read.",
                                 option, apr_strerror(APR_FROM_OS_ERROR(errno), said, sizeof(said)));
    }
    return NULL;
}

const char *fhir_plugin_shown_name(const char *value)
{
    size_t length = strlen(value);
    return length <= NAME_MAX_LENGTH && strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length ? value
                                                                                                          : "...";
}

const char *fhir_plugin_shown_url(const char *value)
{
    return strpbrk(value, "@?") ? "..." : value;
}
