/* Tells which Attachment URLs name a Binary of this server. */
#include "resource.h"

#include <string.h>
#include <strings.h>

static const char HISTORY[] = "/_history/";

/* An http URL in its parts; they point into its text. */
typedef struct address_t {
    const char *scheme;
    apr_size_t scheme_length;
    const char *host;
    apr_size_t host_length;
    const char *port;
    apr_size_t port_length; /* 0: the scheme's default */
    const char *path;       /* and all that follows; begins with '/' if there is a path */
} address_t;

static int same_letters(const char *one, apr_size_t one_length, const char *other, apr_size_t other_length)
{
    return one_length == other_length && !strncasecmp(one, other, one_length);
}

static int is_default_port(const address_t *address)
{
    const char *port = address->scheme_length == 5 ? "443" : "80";
    return same_letters(address->port, address->port_length, port, strlen(port));
}

/* 0: no http or https URL with a host. */
static int split(address_t *address, const char *url)
{
    const char *colon = strchr(url, ':');
    const char *end;
    if (!colon || strncmp(colon, "://", 3) != 0) {
        return 0;
    }
    address->scheme = url;
    address->scheme_length = (apr_size_t)(colon - url);
    if (!same_letters(url, address->scheme_length, "https", 5) &&
        !same_letters(url, address->scheme_length, "http", 4)) {
        return 0;
    }
    address->host = colon + 3;
    end = address->host + strcspn(address->host, "/?#");
    address->path = end;
    address->port = end;
    while (address->port > address->host && address->port[-1] >= '0' && address->port[-1] <= '9') {
        address->port--;
    }
    if (address->port == address->host || address->port[-1] != ':') {
        address->port = end;
    }
    address->port_length = (apr_size_t)(end - address->port);
    address->host_length = (apr_size_t)(address->port - address->host);
    if (address->host_length > 0 && address->host[address->host_length - 1] == ':') {
        address->host_length--;
    }
    if (is_default_port(address)) {
        address->port_length = 0;
    }
    return address->host_length > 0;
}

/* What follows `base` in `url`, NULL if it does not begin so. RFC 3986 section 6.2: scheme and host in any case, the
 * default port may be left out. */
static const char *after_base(const char *url, const char *base)
{
    apr_size_t path_length;
    address_t one;
    address_t other;
    if (!base || !split(&one, url) || !split(&other, base) ||
        !same_letters(one.scheme, one.scheme_length, other.scheme, other.scheme_length) ||
        !same_letters(one.host, one.host_length, other.host, other.host_length) ||
        !same_letters(one.port, one.port_length, other.port, other.port_length)) {
        return NULL;
    }
    path_length = strlen(other.path);
    return strncmp(one.path, other.path, path_length) == 0 ? one.path + path_length : NULL;
}

/* `length` bytes as an id; NULL if they are none. */
static const char *id_of(const char *text, apr_size_t length, apr_pool_t *pool)
{
    const char *id = length <= FHIR_ID_MAX ? apr_pstrmemdup(pool, text, length) : NULL;
    return id && fhir_id_valid(id) ? id : NULL;
}

/* `{id}` or `{id}` `separator` `{version}`. */
static int two_ids(const char **id, const char **version, const char *text, apr_size_t length, const char *separator,
                   apr_pool_t *pool)
{
    apr_size_t separator_length = strlen(separator);
    const char *slash = memchr(text, '/', length);
    apr_size_t id_length = slash ? (apr_size_t)(slash - text) : length;
    *id = id_of(text, id_length, pool);
    if (!*id || !slash) {
        return *id != NULL;
    }
    if (length - id_length < separator_length || memcmp(slash, separator, separator_length) != 0) {
        return 0;
    }
    *version = id_of(slash + separator_length, length - id_length - separator_length, pool);
    return *version != NULL;
}

static int literal(const char **id, const char **version, const char *text, apr_pool_t *pool)
{
    return text && !strncmp(text, "Binary/", 7) && two_ids(id, version, text + 7, strlen(text + 7), HISTORY, pool);
}

/* The signature is not asked for: a URL that was read an hour ago still tells which Binary was meant. A fragment goes
 * with it: a signature must not be stored. */
static int stored(const char **id, const char **version, const char *text, apr_pool_t *pool)
{
    return text && two_ids(id, version, text, strcspn(text, "?#"), "/", pool);
}

int fhir_attachment_url(const char **binary_id, const char **version_id, const char **signed_version,
                        const fhir_addresses_t *addresses, const char *url, apr_pool_t *pool)
{
    const char *id = NULL;
    const char *pin = NULL;
    const char *version = NULL;
    *binary_id = *version_id = *signed_version = NULL;
    if (literal(&id, &pin, url, pool) || literal(&id, &pin, after_base(url, addresses->fhir_base), pool)) {
        *binary_id = id;
        *version_id = pin;
        return 1;
    }
    if (stored(&id, &version, after_base(url, addresses->storage_base_url), pool)) {
        *binary_id = id;
        *signed_version = version;
        return 1;
    }
    return 0;
}
