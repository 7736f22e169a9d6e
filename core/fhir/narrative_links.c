/* Finds the attributes src and href in the tags of a narrative; what is malformed is passed over. */
#include "narrative_links.h"

#include <string.h>

static const char SPACE[] = " \t\r\n";

typedef struct links_t {
    fhir_resolve_fn resolve;
    void *baton;
    fhir_text_t text;   /* the div so far */
    const char *copied; /* what lies before this in the div is in `text` */
    int changed;
} links_t;

/* Other entities do not stand in addresses that anybody resolves. */
static const char *unescape(const char *value, apr_size_t length, apr_pool_t *pool)
{
    char *plain = apr_pstrmemdup(pool, value, length);
    const char *from = plain;
    char *to = plain;
    while (*from) {
        apr_size_t taken = strncmp(from, "&amp;", 5) ? 1 : 5;
        *to++ = *from;
        from += taken;
    }
    *to = '\0';
    return plain;
}

static void resolve_value(links_t *links, const char *value, apr_size_t length)
{
    const char *resolved = links->resolve(links->baton, unescape(value, length, links->text.pool));
    if (!resolved) {
        return;
    }
    fhir_text_add_bytes(&links->text, links->copied, (apr_size_t)(value - links->copied));
    fhir_text_add_xml(&links->text, resolved);
    links->copied = value + length;
    links->changed = 1;
}

static int is_link(const char *name, apr_size_t length)
{
    return (length == 3 && !memcmp(name, "src", 3)) || (length == 4 && !memcmp(name, "href", 4));
}

/* `name="value"` at `at`; returns past it. */
static const char *attribute(links_t *links, const char *at)
{
    const char *name = at;
    apr_size_t length = strcspn(at, " \t\r\n=/>");
    const char *end;
    at += length;
    at += strspn(at, SPACE);
    if (*at != '=') {
        return at;
    }
    at++;
    at += strspn(at, SPACE);
    if (*at != '"' && *at != '\'') {
        return at;
    }
    end = strchr(at + 1, *at);
    if (!end) {
        return at + strlen(at);
    }
    if (is_link(name, length)) {
        resolve_value(links, at + 1, (apr_size_t)(end - at - 1));
    }
    return end + 1;
}

/* A tag from its '<' on; returns past it. */
static const char *tag(links_t *links, const char *at)
{
    if (!strncmp(at, "<!--", 4)) {
        const char *end = strstr(at + 4, "-->");
        return end ? end + 3 : at + strlen(at);
    }
    at++;
    at += strcspn(at, " \t\r\n/>");
    while (*at && *at != '>') {
        apr_size_t between = strspn(at, " \t\r\n/=\"'");
        at = between ? at + between : attribute(links, at);
    }
    return at;
}

const char *fhir_narrative_resolve(const char *div, fhir_resolve_fn resolve, void *baton, apr_pool_t *pool)
{
    links_t links = {0};
    const char *at = div;
    links.resolve = resolve;
    links.baton = baton;
    links.copied = div;
    fhir_text_init(&links.text, pool);
    while ((at = strchr(at, '<')) != NULL) {
        at = tag(&links, at);
    }
    fhir_text_add(&links.text, links.copied);
    return links.changed ? links.text.text : NULL;
}
