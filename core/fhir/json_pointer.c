/* JSON Pointer: from text to a value of a document. */
#include "json_pointer.h"

#include <string.h>

int fhir_json_pointer_valid(const char *pointer)
{
    const char *at;
    if (*pointer && *pointer != '/') {
        return 0;
    }
    for (at = strchr(pointer, '~'); at; at = strchr(at + 1, '~')) {
        if (at[1] != '0' && at[1] != '1') {
            return 0;
        }
    }
    return 1;
}

static const char *decode_step(const char *step, apr_size_t length, apr_pool_t *pool)
{
    char *decoded = apr_pstrmemdup(pool, step, length);
    char *out = decoded;
    const char *at;
    for (at = decoded; *at; at++) {
        if (*at == '~') {
            at++;
            *out++ = *at == '1' ? '/' : '~';
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
    return decoded;
}

const char *fhir_json_pointer_parent(const char **last, const char *pointer, apr_pool_t *pool)
{
    const char *slash = strrchr(pointer, '/');
    *last = decode_step(slash + 1, strlen(slash + 1), pool);
    return apr_pstrmemdup(pool, pointer, (apr_size_t)(slash - pointer));
}

int fhir_json_pointer_index(const char *step, int count)
{
    int index = 0;
    const char *at;
    if (strcmp(step, "-") == 0) {
        return count;
    }
    if (!*step || (*step == '0' && step[1]) || strlen(step) > 9) {
        return -1;
    }
    for (at = step; *at; at++) {
        if (*at < '0' || *at > '9') {
            return -1;
        }
        index = index * 10 + (*at - '0');
    }
    return index <= count ? index : -1;
}

static int find_item(const fhir_json_document_t *document, int array, const char *step)
{
    int index = fhir_json_pointer_index(step, document->nodes[array].count);
    int item = fhir_json_first(document, array);
    if (index < 0) {
        return -1;
    }
    for (; index > 0 && item >= 0; index--) {
        item = document->nodes[item].next;
    }
    return item;
}

int fhir_json_pointer_find(const fhir_json_document_t *document, const char *pointer, apr_pool_t *pool)
{
    int node = 0;
    while (*pointer && node >= 0) {
        apr_size_t length = strcspn(++pointer, "/");
        const char *step = decode_step(pointer, length, pool);
        if (document->nodes[node].kind == FHIR_JSON_ARRAY) {
            node = find_item(document, node, step);
        } else {
            node = fhir_json_member(document, node, step);
        }
        pointer += length;
    }
    return node;
}
