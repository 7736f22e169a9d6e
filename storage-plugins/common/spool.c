/* Where an upload waits until its length is known: a file without a name in a directory of the configuration. */
#include "plugin.h"

#include <apr_file_io.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* httpd's children may have rights here that the configuration test has not, so that only what is certain is told. */
fhir_error_t *fhir_plugin_spool_configure(const char *directory, apr_pool_t *pool)
{
    struct stat status;
    int missing = stat(directory, &status) ? errno == ENOENT || errno == ENOTDIR : !S_ISDIR(status.st_mode);
    if (directory[0] != '/' || missing) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "spool_directory=%s is not an absolute path of a directory that exists. Uploads wait "
                                 "there until they are whole. Make it for the user that httpd's children run as: "
                                 "install -d -m 0700 -o USER %s",
                                 directory, directory);
    }
    return NULL;
}

/* Where there is no O_TMPFILE (NFS, old kernels) the name goes at once. -1 and errno on failure. */
static int open_nameless(const char *directory, apr_pool_t *pool)
{
    int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL || errno == ENOENT)) {
        char *name = apr_pstrcat(pool, directory, "/fhir-binary-XXXXXX", NULL);
        file = mkostemp(name, O_CLOEXEC);
        if (file >= 0) {
            unlink(name);
        }
    }
    return file;
}

fhir_error_t *fhir_plugin_spool_open(int *file, const char *directory, apr_pool_t *pool)
{
    fhir_error_t *error;
    *file = -1;
    if (!directory && apr_temp_dir_get(&directory, pool) != APR_SUCCESS) {
        return fhir_plugin_local_error(pool, ENOENT, "find a directory for temporary files (spool_directory=)");
    }
    *file = open_nameless(directory, pool);
    if (*file >= 0) {
        return NULL;
    }
    error = fhir_plugin_local_error(pool, errno, apr_psprintf(pool, "create a file in spool_directory=%s", directory));
    error->detail =
        apr_pstrcat(pool, error->detail, "; it must exist, and httpd's user must be able to write there", NULL);
    return error;
}

fhir_error_t *fhir_plugin_spool_try(const char *directory, apr_pool_t *pool)
{
    int file;
    fhir_error_t *error = fhir_plugin_spool_open(&file, directory, pool);
    if (error) {
        error->public_text = "Nothing can be written into spool_directory= of the store. It must exist, and httpd's "
                             "user must be able to write there.";
        return error;
    }
    close(file);
    return NULL;
}
