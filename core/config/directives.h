/* Private to core/config: the setters that directives.def names, the long defaults, and helpers that setters share. */
#ifndef FHIR_CONFIG_DIRECTIVES_H
#define FHIR_CONFIG_DIRECTIVES_H

#include "settings.h"

/* clang-format off */
#define FHIR_DEFAULT_REFUSED_TYPES                                                                                     \
    "application/x-msdownload application/x-sh application/java-archive "                                              \
    "application/vnd.microsoft.portable-executable application/vnd.apple.installer+xml"
/* What mail providers block as attachments: files that run when they are opened. */
#define FHIR_DEFAULT_REFUSED_EXTENSIONS                                                                                \
    ".ade .adp .apk .appx .appxbundle .bat .cab .chm .cmd .com .cpl .diagcab .diagcfg .diagpack .dll .dmg .ex .ex_ "   \
    ".exe .hta .img .ins .iso .isp .jar .jnlp .js .jse .lib .lnk .mde .mjs .msc .msi .msix .msixbundle .msp .mst "     \
    ".nsh .pif .ps1 .scr .sct .shb .sys .vb .vbe .vbs .vhd .vxd .wsc .wsf .wsh .xll"
/* Types that a browser shows without running anything in our origin. */
#define FHIR_DEFAULT_INLINE_TYPES                                                                                      \
    "image/png image/jpeg image/gif image/webp video/* audio/* application/pdf text/plain"

#define FHIR_DIRECTIVE(name, arguments, default_value, least, most, repeatable, setter, summary)                       \
    fhir_error_t *setter(fhir_settings_t *settings, int count, const char *const *values) FHIR_MUST_CHECK;
#include "directives.def"
#undef FHIR_DIRECTIVE
/* clang-format on */

/* Was this directive set already? */
int fhir_settings_given(const fhir_settings_t *settings, const char *name);
/* FhirBinaryStoreRedirect needs stores that have URLs of their own. */
fhir_error_t *fhir_settings_finish_redirects(const fhir_settings_t *settings) FHIR_MUST_CHECK;
/* FhirBinaryFetchExternal needs hosts. */
fhir_error_t *fhir_settings_finish_fetch(const fhir_settings_t *settings) FHIR_MUST_CHECK;
/* A row whose first argument is a name: two lines with different names add up, also over a merge. */
int fhir_directive_is_named(const fhir_directive_t *directive);
const fhir_directive_t *fhir_directive_find(const char *name);
/* The words of a default value. */
apr_array_header_t *fhir_words(const char *text, apr_pool_t *pool);
int fhir_is_loopback(const char *host);
/* A PostgreSQL connection string as people write it. INVALID if it can't be one. *has_password: a password is in it. */
fhir_error_t *fhir_conninfo_check(int *has_password, const char *conninfo, apr_pool_t *pool) FHIR_MUST_CHECK;

#endif
