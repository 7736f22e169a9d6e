/* Converts JSON text to FHIR XML along the table of datatypes. */
#include "json_to_xml.h"

#include "datatypes.h"
#include "xml_stream.h"

#include <apr_tables.h>
#include <string.h>

typedef struct member_t {
    const char *name;
    fhir_json_slice_t value;
} member_t;

typedef struct writer_t {
    fhir_text_t *xml;
    apr_pool_t *pool;
    const char *open_value; /* for the root's children only */
    apr_size_t *open_at;
} writer_t;

static fhir_error_t *write_object(writer_t *writer, const fhir_datatype_t *type, const char *name,
                                  fhir_json_slice_t object);
static fhir_error_t *write_resource(writer_t *writer, fhir_json_slice_t resource, int is_root);

static fhir_error_t *misfit(const writer_t *writer, const char *name)
{
    return fhir_error_create(writer->pool, FHIR_ERROR_INTERNAL, APR_SUCCESS,
                             "The resource could not be written as XML.",
                             "stored JSON does not fit the FHIR datatypes at %s", name);
}

/* All members of an object, names decoded; NULL if it is none. */
static const apr_array_header_t *read_members(const writer_t *writer, fhir_json_slice_t object)
{
    apr_array_header_t *members = apr_array_make(writer->pool, 8, sizeof(member_t));
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    if (!fhir_json_walk(&walk, object, '{')) {
        return NULL;
    }
    while (fhir_json_next(&walk, &key, &value)) {
        const char *name = fhir_json_decode(key, writer->pool);
        member_t *member = apr_array_push(members);
        if (!name) {
            return NULL;
        }
        member->name = name;
        member->value = value;
    }
    return walk.failed ? NULL : members;
}

/* NULL if absent. `prefix` is "" or "_". */
static const fhir_json_slice_t *find(const apr_array_header_t *members, const char *prefix, const char *name)
{
    int i;
    for (i = 0; i < members->nelts; i++) {
        const member_t *member = &APR_ARRAY_IDX(members, i, member_t);
        if (!strncmp(member->name, prefix, strlen(prefix)) && !strcmp(member->name + strlen(prefix), name)) {
            return &member->value;
        }
    }
    return NULL;
}

static void write_attribute(writer_t *writer, const char *name, const char *value)
{
    fhir_text_add(writer->xml, " ");
    fhir_text_add(writer->xml, name);
    fhir_text_add(writer->xml, "=\"");
    fhir_text_add_xml(writer->xml, value);
    fhir_text_add(writer->xml, "\"");
}

/* What a scalar looks like in XML: a string decoded, anything else as it is written. */
static const char *scalar_text(const writer_t *writer, fhir_json_slice_t value)
{
    if (value.text[0] == '"') {
        return fhir_json_decode(value, writer->pool);
    }
    return value.text[0] == '{' || value.text[0] == '[' ? NULL : apr_pstrndup(writer->pool, value.text, value.length);
}

/* ---- Primitives ---- */

/* Extensions of an element; the tag that they stand in is closed with `>` first. */
static fhir_error_t *write_extensions(writer_t *writer, const apr_array_header_t *members, int *wrote)
{
    const fhir_json_slice_t *list = find(members, "", "extension");
    fhir_json_walk_t walk;
    fhir_json_slice_t item;
    *wrote = 0;
    if (!list) {
        return NULL;
    }
    if (!fhir_json_walk(&walk, *list, '[')) {
        return misfit(writer, "extension");
    }
    while (fhir_json_next(&walk, NULL, &item)) {
        fhir_text_add(writer->xml, *wrote ? "" : ">");
        *wrote = 1;
        FHIR_TRY(write_object(writer, fhir_datatype_find("Extension"), "extension", item));
    }
    return walk.failed ? misfit(writer, "extension") : NULL;
}

static fhir_error_t *write_value(writer_t *writer, const char *name, const fhir_json_slice_t *value)
{
    const char *text;
    if (!value || fhir_json_is(*value, "null")) {
        return NULL;
    }
    text = scalar_text(writer, *value);
    if (!text) {
        return misfit(writer, name);
    }
    write_attribute(writer, "value", text);
    if (writer->open_value && !strcmp(writer->open_value, name)) {
        *writer->open_at = writer->xml->length - 1;
    }
    return NULL;
}

/* Value and the `_name` half of one primitive; either may be NULL. */
static fhir_error_t *write_primitive(writer_t *writer, const char *name, const fhir_json_slice_t *value,
                                     const fhir_json_slice_t *shadow)
{
    const apr_array_header_t *members = NULL;
    const fhir_json_slice_t *id = NULL;
    int has_children = 0;
    if (shadow && !fhir_json_is(*shadow, "null")) {
        members = read_members(writer, *shadow);
        if (!members) {
            return misfit(writer, name);
        }
        id = find(members, "", "id");
    }
    fhir_text_add(writer->xml, "<");
    fhir_text_add(writer->xml, name);
    if (id && scalar_text(writer, *id)) {
        write_attribute(writer, "id", scalar_text(writer, *id));
    }
    FHIR_TRY(write_value(writer, name, value));
    /* Extensions have children of their own: none of them is the open value. */
    writer->open_value = NULL;
    if (members) {
        FHIR_TRY(write_extensions(writer, members, &has_children));
    }
    if (has_children) {
        fhir_text_add(writer->xml, "</");
        fhir_text_add(writer->xml, name);
    } else {
        fhir_text_add(writer->xml, "/");
    }
    fhir_text_add(writer->xml, ">");
    return NULL;
}

/* ---- Complex elements ---- */

static fhir_error_t *write_one(writer_t *writer, const fhir_element_t *element, const fhir_json_slice_t *value,
                               const fhir_json_slice_t *shadow)
{
    if (fhir_primitive_of(element->type) != FHIR_PRIMITIVE_NONE) {
        return write_primitive(writer, element->name, value, shadow);
    }
    if (!strcmp(element->type, "Resource")) {
        fhir_text_add(writer->xml, "<resource>");
        FHIR_TRY(write_resource(writer, *value, 0));
        fhir_text_add(writer->xml, "</resource>");
        return NULL;
    }
    return write_object(writer, fhir_datatype_find(element->type), element->name, *value);
}

static int next_item(fhir_json_walk_t *walk, int has_list, fhir_json_slice_t *item)
{
    return has_list && fhir_json_next(walk, NULL, item);
}

static fhir_error_t *write_list(writer_t *writer, const fhir_element_t *element, const fhir_json_slice_t *values,
                                const fhir_json_slice_t *shadows)
{
    fhir_json_walk_t value_walk;
    fhir_json_walk_t shadow_walk;
    memset(&value_walk, 0, sizeof(value_walk));
    memset(&shadow_walk, 0, sizeof(shadow_walk));
    if ((values && !fhir_json_walk(&value_walk, *values, '[')) ||
        (shadows && !fhir_json_walk(&shadow_walk, *shadows, '['))) {
        return misfit(writer, element->name);
    }
    for (;;) {
        fhir_json_slice_t value;
        fhir_json_slice_t shadow;
        int has_value = next_item(&value_walk, values != NULL, &value);
        int has_shadow = next_item(&shadow_walk, shadows != NULL, &shadow);
        if (!has_value && !has_shadow) {
            return value_walk.failed || shadow_walk.failed ? misfit(writer, element->name) : NULL;
        }
        FHIR_TRY(write_one(writer, element, has_value ? &value : NULL, has_shadow ? &shadow : NULL));
    }
}

static fhir_error_t *write_element(writer_t *writer, const fhir_element_t *element, const apr_array_header_t *members)
{
    const fhir_json_slice_t *value = find(members, "", element->name);
    const fhir_json_slice_t *shadow = NULL;
    if (fhir_primitive_of(element->type) != FHIR_PRIMITIVE_NONE) {
        shadow = find(members, "_", element->name);
    }
    if (!value && !shadow) {
        return NULL;
    }
    return element->many ? write_list(writer, element, value, shadow) : write_one(writer, element, value, shadow);
}

/* Extension.value[x]: whichever member is there. */
static fhir_error_t *write_choice(writer_t *writer, const fhir_datatype_t *type, const apr_array_header_t *members)
{
    int i;
    for (i = 0; i < members->nelts; i++) {
        const char *name = APR_ARRAY_IDX(members, i, member_t).name;
        int is_shadow = *name == '_';
        fhir_element_t element;
        if (strncmp(name + is_shadow, "value", 5) != 0) {
            continue;
        }
        if (!fhir_datatype_element(&element, type, name + is_shadow)) {
            return misfit(writer, "extension");
        }
        /* `_valueX` beside `valueX` is written with it. */
        if (!is_shadow || !find(members, "", name + 1)) {
            FHIR_TRY(write_element(writer, &element, members));
        }
    }
    return NULL;
}

static fhir_error_t *write_children(writer_t *writer, const fhir_datatype_t *type, const apr_array_header_t *members)
{
    const char *open_value = writer->open_value;
    const fhir_element_t *element;
    for (element = type->elements; element->name; element++) {
        writer->open_value = open_value;
        if (*element->type == '*') {
            FHIR_TRY(write_choice(writer, type, members));
        } else if (!element->attribute) {
            FHIR_TRY(write_element(writer, element, members));
        }
    }
    return NULL;
}

static fhir_error_t *write_object(writer_t *writer, const fhir_datatype_t *type, const char *name,
                                  fhir_json_slice_t object)
{
    const apr_array_header_t *members = read_members(writer, object);
    const fhir_element_t *element;
    writer->open_value = NULL;
    if (!members || !type) {
        return misfit(writer, name);
    }
    fhir_text_add(writer->xml, "<");
    fhir_text_add(writer->xml, name);
    for (element = type->elements; element->name; element++) {
        const fhir_json_slice_t *value = element->attribute ? find(members, "", element->name) : NULL;
        const char *text = value ? scalar_text(writer, *value) : NULL;
        if (text) {
            write_attribute(writer, element->name, text);
        }
    }
    fhir_text_add(writer->xml, ">");
    FHIR_TRY(write_children(writer, type, members));
    fhir_text_add(writer->xml, "</");
    fhir_text_add(writer->xml, name);
    fhir_text_add(writer->xml, ">");
    return NULL;
}

static fhir_error_t *write_resource(writer_t *writer, fhir_json_slice_t resource, int is_root)
{
    const apr_array_header_t *members = read_members(writer, resource);
    const fhir_json_slice_t *name = members ? find(members, "", "resourceType") : NULL;
    const char *type_name = name ? fhir_json_decode(*name, writer->pool) : NULL;
    const fhir_datatype_t *type = type_name ? fhir_datatype_find(type_name) : NULL;
    if (!type || !type->is_resource) {
        return misfit(writer, "resourceType");
    }
    fhir_text_add(writer->xml, "<");
    fhir_text_add(writer->xml, type->name);
    fhir_text_add(writer->xml, is_root ? " xmlns=\"" FHIR_XML_NAMESPACE "\">" : ">");
    FHIR_TRY(write_children(writer, type, members));
    fhir_text_add(writer->xml, "</");
    fhir_text_add(writer->xml, type->name);
    fhir_text_add(writer->xml, ">");
    return NULL;
}

fhir_error_t *fhir_json_to_xml(fhir_text_t *xml, fhir_json_slice_t resource, const char *open_value,
                               apr_size_t *open_at)
{
    writer_t writer;
    writer.xml = xml;
    writer.pool = xml->pool;
    writer.open_value = open_value;
    writer.open_at = open_at;
    fhir_text_add(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    return write_resource(&writer, resource, 1);
}
