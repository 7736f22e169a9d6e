/* Loads a storage plugin and checks its descriptor. The error texts are advice for an administrator: configtest shows
 * them with file and line. */
#include "store_private.h"

#include <apr_dso.h>
#include <stddef.h>
#include <string.h>

#define NAME_MAX_LENGTH 32
#define KNOWN_CAPABILITIES (FHIR_STORAGE_CAN_FILE | FHIR_STORAGE_CAN_PRESIGN | FHIR_STORAGE_PERSISTENT)

typedef struct required_callback_t {
    const char *name;
    size_t offset;
} required_callback_t;

#define REQUIRED(member)                                                                                               \
    {                                                                                                                  \
#member, offsetof(fhir_storage_plugin_t, member)                                                               \
    }

static const required_callback_t required_callbacks[] = {
    REQUIRED(configure),    REQUIRED(open),         REQUIRED(close),        REQUIRED(health),
    REQUIRED(locate),       REQUIRED(writer_begin), REQUIRED(writer_write), REQUIRED(writer_commit),
    REQUIRED(writer_abort), REQUIRED(reader_open),  REQUIRED(reader_read),  REQUIRED(reader_close),
    REQUIRED(stat),         REQUIRED(remove),       REQUIRED(list),
};

/* The plugin that ABI 1.0 knows ends with `list`. */
#define SMALLEST_PLUGIN (offsetof(fhir_storage_plugin_t, list) + sizeof(((fhir_storage_plugin_t *)0)->list))

static int well_formed_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && length <= NAME_MAX_LENGTH && name[length] == '\0';
}

static fhir_error_t *check_abi(const fhir_storage_plugin_t *plugin, const char *source, apr_pool_t *pool)
{
    if (plugin->magic != FHIR_STORAGE_MAGIC) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "%s is not a storage plugin of this module: its descriptor starts with 0x%08x, not "
            "with 0x%08x. Check the path, or build the plugin with fhir_storage.h of this version.",
            source, (unsigned)plugin->magic, FHIR_STORAGE_MAGIC);
    }
    if (plugin->abi_major != FHIR_STORAGE_ABI_MAJOR || plugin->abi_minor > FHIR_STORAGE_ABI_MINOR) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID, "%s was built for storage ABI %u.%u, this module speaks %u.%u. %s", source,
            (unsigned)plugin->abi_major, (unsigned)plugin->abi_minor, FHIR_STORAGE_ABI_MAJOR, FHIR_STORAGE_ABI_MINOR,
            plugin->abi_major < FHIR_STORAGE_ABI_MAJOR
                ? "Install the plugin's newer version, or build it again."
                : "Install a newer mod_fhir_binary, or an older version of the plugin.");
    }
    if (plugin->struct_size < SMALLEST_PLUGIN) {
        return fhir_error_public(
            pool, FHIR_ERROR_INVALID,
            "%s has a descriptor of %" APR_SIZE_T_FMT " bytes, ABI %u.%u needs at least %" APR_SIZE_T_FMT
            ". Its author must set struct_size to sizeof(fhir_storage_plugin_t).",
            source, plugin->struct_size, FHIR_STORAGE_ABI_MAJOR, FHIR_STORAGE_ABI_MINOR, (apr_size_t)SMALLEST_PLUGIN);
    }
    return NULL;
}

static fhir_error_t *check_name(const fhir_storage_plugin_t *plugin, const char *name, const char *source,
                                apr_pool_t *pool)
{
    if (!plugin->name || !well_formed_name(plugin->name)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s has no usable name: a plugin's name is 1 to %d of a-z, 0-9 and _. Its author must "
                                 "correct it.",
                                 source, NAME_MAX_LENGTH);
    }
    if (strcmp(plugin->name, name)) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s is the storage plugin '%s', not '%s'. Write '%s', or give the path of '%s'.",
                                 source, plugin->name, name, plugin->name, name);
    }
    return NULL;
}

static int has_callback(const fhir_storage_plugin_t *plugin, size_t offset)
{
    void (*callback)(void);
    memcpy(&callback, (const char *)plugin + offset, sizeof(callback));
    return callback != NULL;
}

/* A capability and its callback: both or none. */
static fhir_error_t *check_pair(int says, const char *capability, int has, const char *callback, const char *source,
                                apr_pool_t *pool)
{
    if (says && !has) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s says %s, but lacks the callback %s. Its author must add the callback or take the "
                                 "capability away.",
                                 source, capability, callback);
    }
    if (!says && has) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s has the callback %s, but does not say %s. Its author must set the capability or "
                                 "leave the callback NULL.",
                                 source, callback, capability);
    }
    return NULL;
}

static fhir_error_t *check_capabilities(const fhir_storage_plugin_t *plugin, const char *source, apr_pool_t *pool)
{
    FHIR_TRY(check_pair((plugin->capabilities & FHIR_STORAGE_CAN_FILE) != 0, "CAN_FILE", plugin->reader_file != NULL,
                        "reader_file", source, pool));
    FHIR_TRY(check_pair((plugin->capabilities & FHIR_STORAGE_CAN_PRESIGN) != 0, "CAN_PRESIGN", plugin->presign != NULL,
                        "presign", source, pool));
    if (plugin->capabilities & ~KNOWN_CAPABILITIES) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s claims capabilities 0x%x that storage ABI %u.%u does not have. Install a newer "
                                 "mod_fhir_binary, or an older version of the plugin.",
                                 source, plugin->capabilities & ~KNOWN_CAPABILITIES, FHIR_STORAGE_ABI_MAJOR,
                                 FHIR_STORAGE_ABI_MINOR);
    }
    return NULL;
}

static fhir_error_t *check_callbacks(const fhir_storage_plugin_t *plugin, const char *source, apr_pool_t *pool)
{
    const char *missing = NULL;
    size_t i;
    for (i = 0; i < sizeof(required_callbacks) / sizeof(required_callbacks[0]); i++) {
        if (!has_callback(plugin, required_callbacks[i].offset)) {
            missing = missing ? apr_pstrcat(pool, missing, ", ", required_callbacks[i].name, NULL)
                              : required_callbacks[i].name;
        }
    }
    if (missing) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s lacks required callbacks: %s. Its author must add them (docs/STORAGE-PLUGINS.md).",
                                 source, missing);
    }
    return NULL;
}

fhir_error_t *fhir_store_plugin_check(const fhir_storage_plugin_t **checked, const fhir_storage_plugin_t *plugin,
                                      const char *name, const char *source, apr_pool_t *pool)
{
    fhir_storage_plugin_t *copy;
    *checked = NULL;
    if (!plugin) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s refuses to work with storage ABI %u.%u of this module. Install a version of the "
                                 "plugin that was made for it.",
                                 source, FHIR_STORAGE_ABI_MAJOR, FHIR_STORAGE_ABI_MINOR);
    }
    FHIR_TRY(check_abi(plugin, source, pool));
    /* An older plugin's descriptor is shorter: what it doesn't know is NULL in our copy. */
    copy = apr_pcalloc(pool, sizeof(*copy));
    memcpy(copy, plugin, plugin->struct_size < sizeof(*copy) ? plugin->struct_size : sizeof(*copy));
    FHIR_TRY(check_name(copy, name, source, pool));
    FHIR_TRY(check_callbacks(copy, source, pool));
    FHIR_TRY(check_capabilities(copy, source, pool));
    copy->name = apr_pstrdup(pool, copy->name);
    copy->version = apr_pstrdup(pool, copy->version ? copy->version : "unknown");
    *checked = copy;
    return NULL;
}

static const char *loader_said(apr_dso_handle_t *handle, apr_pool_t *pool)
{
    char buffer[512] = "";
    apr_dso_error(handle, buffer, sizeof(buffer));
    return apr_pstrdup(pool, buffer);
}

fhir_error_t *fhir_store_plugin_load(fhir_store_catalog_t *catalog, const char *name, const char *path)
{
    apr_pool_t *pool = catalog->pool;
    apr_dso_handle_t *handle = NULL;
    apr_dso_handle_sym_t symbol = NULL;
    fhir_storage_plugin_fn plugin_of;
    if (apr_dso_load(&handle, path, pool) != APR_SUCCESS) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "The storage plugin '%s' can't be loaded: %s. Check that the path is right and that "
                                 "the file is readable.",
                                 name, loader_said(handle, pool));
    }
    if (apr_dso_sym(&symbol, handle, FHIR_STORAGE_SYMBOL) != APR_SUCCESS || !symbol) {
        return fhir_error_public(pool, FHIR_ERROR_INVALID,
                                 "%s is not a storage plugin: it does not export the function " FHIR_STORAGE_SYMBOL
                                 ". Check the path; an httpd module belongs in LoadModule.",
                                 path);
    }
    memcpy(&plugin_of, &symbol, sizeof(plugin_of));
    return fhir_store_plugin_add(catalog, plugin_of(&catalog->host), name, path);
}
