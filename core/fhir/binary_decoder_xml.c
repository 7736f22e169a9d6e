/* Reads a Binary in FHIR XML: elements become the JSON text that the JSON form would have had, numbers as sent. */
#include "binary_decoder_private.h"

#include "datatypes.h"
#include "text_clear.h"

#include <string.h>

/* One open element. */
typedef struct frame_t {
    fhir_element_t element;
    const fhir_datatype_t *type; /* NULL: a primitive */
    char name[64];
    fhir_text_t body;   /* JSON members so far, without braces; of a primitive: its id and extensions */
    fhir_text_t value;  /* a primitive's JSON value, "" if it has none */
    fhir_text_t object; /* the body with its braces */
    /* The list that is being filled. */
    char list[64];
    fhir_text_t items;
    fhir_text_t shadows;
    int has_items;
    int has_shadows;
} frame_t;

struct fhir_xml_builder_t {
    frame_t *frames[FHIR_XML_DEPTH_MAX];
};

static fhir_error_t *refuse(fhir_binary_decoder_t *decoder, int depth, const char *name, const char *why)
{
    const char *path = "Binary";
    fhir_error_t *error;
    int i;
    for (i = 1; i <= depth; i++) {
        path = apr_pstrcat(decoder->pool, path, ".", decoder->builder->frames[i]->name, NULL);
    }
    path = apr_pstrcat(decoder->pool, path, name ? "." : "", name, NULL);
    error = fhir_error_public(decoder->pool, FHIR_ERROR_INVALID, "%s %s.", path, why);
    error->expression = path;
    return error;
}

/* ---- Members of a frame ---- */

static void add_member(fhir_text_t *body, const char *prefix, const char *name, const char *json)
{
    fhir_text_add(body, body->length ? ",\"" : "\"");
    fhir_text_add(body, prefix);
    fhir_text_add(body, name);
    fhir_text_add(body, "\":");
    fhir_text_add(body, json);
}

static void end_list(frame_t *frame)
{
    if (!frame->list[0]) {
        return;
    }
    fhir_text_add(&frame->items, "]");
    fhir_text_add(&frame->shadows, "]");
    if (frame->has_items) {
        add_member(&frame->body, "", frame->list, frame->items.text);
    }
    if (frame->has_shadows) {
        add_member(&frame->body, "_", frame->list, frame->shadows.text);
    }
    frame->list[0] = '\0';
}

static void add_item(frame_t *frame, const char *value, const char *shadow)
{
    fhir_text_add(&frame->items, frame->items.length ? "," : "[");
    fhir_text_add(&frame->items, *value ? value : "null");
    fhir_text_add(&frame->shadows, frame->shadows.length ? "," : "[");
    fhir_text_add(&frame->shadows, *shadow ? shadow : "null");
    frame->has_items |= *value != '\0';
    frame->has_shadows |= *shadow != '\0';
}

static int has_member(const frame_t *frame, const char *name)
{
    fhir_json_walk_t walk;
    fhir_json_slice_t key;
    fhir_json_slice_t value;
    fhir_json_slice_t object = {frame->body.text, frame->body.length};
    apr_size_t length = strlen(name);
    /* The body lacks its braces: walk it as if the first one had been read. */
    walk.at = object.text;
    walk.end = object.text + object.length;
    walk.close = '}';
    walk.started = 0;
    walk.failed = 0;
    while (object.length && fhir_json_next(&walk, &key, &value)) {
        const char *text = key.text + 1;
        apr_size_t key_length = key.length - 2;
        if (key_length && *text == '_') {
            text++;
            key_length--;
        }
        if (key_length == length && !memcmp(text, name, length)) {
            return 1;
        }
    }
    return 0;
}

/* A child begins: a name may come back only as the next item of its list. */
static fhir_error_t *announce(fhir_binary_decoder_t *decoder, int depth, const fhir_element_t *element)
{
    frame_t *frame = decoder->builder->frames[depth];
    if (element->many && !strcmp(frame->list, element->name)) {
        return NULL;
    }
    end_list(frame);
    if (has_member(frame, element->name)) {
        return refuse(decoder, depth, element->name, "stands twice");
    }
    if (element->many) {
        apr_cpystrn(frame->list, element->name, sizeof(frame->list));
        fhir_text_clear(&frame->items);
        fhir_text_clear(&frame->shadows);
        frame->has_items = 0;
        frame->has_shadows = 0;
    }
    return NULL;
}

static void add_child(frame_t *frame, const frame_t *child, const char *value, const char *shadow)
{
    if (child->element.many) {
        add_item(frame, value, shadow);
        return;
    }
    if (*value) {
        add_member(&frame->body, "", child->name, value);
    }
    if (*shadow) {
        add_member(&frame->body, "_", child->name, shadow);
    }
}

/* ---- Values ---- */

/* The grammar of a JSON number is that of FHIR's decimal. */
static int is_number(const char *text)
{
    apr_size_t digits;
    text += *text == '-';
    digits = strspn(text, "0123456789");
    if (!digits || (*text == '0' && digits > 1)) {
        return 0;
    }
    text += digits;
    if (*text == '.') {
        digits = strspn(++text, "0123456789");
        if (!digits) {
            return 0;
        }
        text += digits;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '+' || *text == '-';
        digits = strspn(text, "0123456789");
        return digits && !text[digits];
    }
    return !*text;
}

/* A value of the wrong kind becomes a string, which the check of datatypes refuses with its name. */
static void set_value(frame_t *frame, const char *value)
{
    fhir_primitive_t primitive = fhir_primitive_of(frame->element.type);
    int verbatim = primitive == FHIR_PRIMITIVE_BOOLEAN ? !strcmp(value, "true") || !strcmp(value, "false")
                                                       : primitive != FHIR_PRIMITIVE_STRING && is_number(value);
    if (verbatim) {
        fhir_text_add(&frame->value, value);
    } else {
        fhir_text_add_json_string(&frame->value, value);
    }
}

static fhir_error_t *take_attribute(fhir_binary_decoder_t *decoder, int depth, const fhir_xml_attribute_t *attribute)
{
    frame_t *frame = decoder->builder->frames[depth];
    fhir_element_t element;
    if (!frame->type && !strcmp(attribute->name, "value")) {
        if (attribute->value) {
            set_value(frame, attribute->value);
        }
        return NULL;
    }
    if (frame->type ? !fhir_datatype_element(&element, frame->type, attribute->name) || !element.attribute
                    : strcmp(attribute->name, "id") != 0) {
        return refuse(decoder, depth, NULL, "has an attribute that FHIR does not know");
    }
    fhir_text_add(&frame->body, frame->body.length ? ",\"" : "\"");
    fhir_text_add(&frame->body, attribute->name);
    fhir_text_add(&frame->body, "\":");
    fhir_text_add_json_string(&frame->body, attribute->value);
    return NULL;
}

/* ---- Elements ---- */

static frame_t *fresh_frame(fhir_binary_decoder_t *decoder, int depth)
{
    frame_t *frame = decoder->builder->frames[depth];
    if (!frame) {
        frame = apr_pcalloc(decoder->pool, sizeof(*frame));
        fhir_text_init(&frame->body, decoder->pool);
        fhir_text_init(&frame->value, decoder->pool);
        fhir_text_init(&frame->object, decoder->pool);
        fhir_text_init(&frame->items, decoder->pool);
        fhir_text_init(&frame->shadows, decoder->pool);
        decoder->builder->frames[depth] = frame;
    }
    fhir_text_clear(&frame->body);
    fhir_text_clear(&frame->value);
    frame->list[0] = '\0';
    return frame;
}

static fhir_error_t *open_root(fhir_binary_decoder_t *decoder, const fhir_xml_event_t *event)
{
    frame_t *frame = fresh_frame(decoder, 0);
    const char *json = apr_pstrcat(decoder->pool, "\"", event->name, "\"", NULL);
    apr_cpystrn(frame->name, "Binary", sizeof(frame->name));
    frame->type = fhir_datatype_find("Binary");
    FHIR_TRY(fhir_binary_members_take(&decoder->members, "resourceType", fhir_json_slice(json)));
    return event->attribute_count ? refuse(decoder, 0, NULL, "has an attribute that FHIR does not know") : NULL;
}

/* The child `name` of the element at depth - 1, or of a primitive, which has extensions only. */
static int find_child(fhir_element_t *element, const frame_t *parent, const char *name)
{
    const fhir_datatype_t *type = parent->type ? parent->type : fhir_datatype_find("Element");
    return strlen(name) < sizeof(parent->name) && fhir_datatype_element(element, type, name) && !element->attribute;
}

static fhir_error_t *open_child(fhir_binary_decoder_t *decoder, const fhir_xml_event_t *event)
{
    const frame_t *parent = decoder->builder->frames[event->depth - 1];
    fhir_element_t element;
    frame_t *frame;
    int i;
    if (!find_child(&element, parent, event->name)) {
        if (event->depth == 1) {
            return fhir_binary_member_unknown(event->name, decoder->pool);
        }
        return refuse(decoder, event->depth - 1, NULL, "has an element that FHIR R4 does not know");
    }
    element.name = event->name;
    FHIR_TRY(announce(decoder, event->depth - 1, &element));
    frame = fresh_frame(decoder, event->depth);
    frame->element = element;
    apr_cpystrn(frame->name, event->name, sizeof(frame->name));
    frame->element.name = frame->name;
    frame->type = fhir_primitive_of(element.type) == FHIR_PRIMITIVE_NONE ? fhir_datatype_find(element.type) : NULL;
    for (i = 0; i < event->attribute_count; i++) {
        FHIR_TRY(take_attribute(decoder, event->depth, &event->attributes[i]));
    }
    return NULL;
}

/* A child of Binary goes to the members; the root frame only remembers its name. */
static fhir_error_t *take_member(fhir_binary_decoder_t *decoder, const frame_t *child, const char *value,
                                 const char *shadow)
{
    frame_t *root = decoder->builder->frames[0];
    add_member(&root->body, "", child->name, "0");
    if (*value) {
        FHIR_TRY(fhir_binary_members_take(&decoder->members, child->name, fhir_json_slice(value)));
    }
    if (*shadow) {
        const char *name = apr_pstrcat(decoder->pool, "_", child->name, NULL);
        FHIR_TRY(fhir_binary_members_take(&decoder->members, name, fhir_json_slice(shadow)));
    }
    return NULL;
}

static fhir_error_t *close_child(fhir_binary_decoder_t *decoder, int depth)
{
    frame_t *frame = decoder->builder->frames[depth];
    const char *value = frame->value.text;
    const char *shadow = "";
    int is_data = depth == 1 && !strcmp(frame->name, "data");
    int is_empty;
    end_list(frame);
    is_empty = !frame->body.length && !frame->value.length && !(is_data && decoder->members.resource.has_data);
    if (is_empty && !(depth == 1 && !strcmp(frame->name, "meta"))) {
        return refuse(decoder, depth, NULL, "is empty; leave it out");
    }
    if (frame->type || frame->body.length) {
        fhir_text_clear(&frame->object);
        fhir_text_add(&frame->object, "{");
        fhir_text_add_bytes(&frame->object, frame->body.text, frame->body.length);
        fhir_text_add(&frame->object, "}");
        value = frame->type ? frame->object.text : value;
        shadow = frame->type ? shadow : frame->object.text;
    }
    if (depth == 1) {
        return take_member(decoder, frame, value, shadow);
    }
    add_child(decoder->builder->frames[depth - 1], frame, value, shadow);
    return NULL;
}

static fhir_error_t *xml_event(void *baton, const fhir_xml_event_t *event)
{
    fhir_binary_decoder_t *decoder = baton;
    switch (event->kind) {
    case FHIR_XML_PIECE:
        return event->length ? fhir_binary_data_piece(decoder, event->text, event->length)
                             : fhir_binary_data_begin(decoder);
    case FHIR_XML_PIECES_END:
        return fhir_binary_data_end(decoder);
    case FHIR_XML_ELEMENT:
        return event->depth ? open_child(decoder, event) : open_root(decoder, event);
    default:
        return event->depth ? close_child(decoder, event->depth) : NULL;
    }
}

void fhir_binary_xml_create(fhir_binary_decoder_t *decoder)
{
    fhir_xml_options_t options;
    memset(&options, 0, sizeof(options));
    options.streamed = "data";
    options.kept_max = FHIR_BINARY_KEPT_MAX;
    decoder->builder = apr_pcalloc(decoder->pool, sizeof(*decoder->builder));
    fhir_xml_stream_create(&decoder->xml, &options, xml_event, decoder, decoder->pool);
}
